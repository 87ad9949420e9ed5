//! One fault as it is asked for: what it matches, how often, and what it does.

use serde::{Deserialize, Serialize};

use crate::state::events::EventType;

/// A fault with its conditions, as the control API takes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    #[serde(rename = "match", default)]
    matches: Match,
    /// Chance of each match to be struck, 0 to 1.
    #[serde(default = "always")]
    pub(crate) probability: f64,
    /// How often it strikes at most. Unlimited if unset.
    #[serde(default)]
    pub(crate) count: Option<u64>,
    #[serde(default)]
    pub(crate) seed: u64,
    pub(crate) fault: Fault,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Match {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    /// A prefix, or with `*` the whole path: `*` is anything within a segment, `**` anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    /// Whose socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
    /// Name of a Sync object, such as `CH….messages`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<String>,
}

/// What a fault strikes; it decides what can be matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Request,
    Webhook,
    Socket,
    Object,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Fault {
    /// The connection closes and nothing was done.
    DropBefore,
    /// The request is carried out and the connection closes without an answer.
    DropAfter,
    /// The answer has this status; nothing is done, unless it strikes `after`.
    Status {
        status: u16,
        /// The request is carried out all the same, and its own answer is lost.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        after: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    /// The request is carried out later.
    Latency { ms: u64 },
    /// Only the first bytes of the answer's body come; then the connection closes.
    Truncate {
        #[serde(default)]
        bytes: usize,
    },
    /// The request is carried out, and its answer is no JSON.
    WrongJson,
    /// A webhook is sent this many more times.
    WebhookDuplicate {
        #[serde(default = "once")]
        times: u32,
    },
    /// A webhook is late; its conversation's next ones wait for it.
    WebhookDelay { ms: u64 },
    /// A webhook is never sent.
    WebhookLose,
    /// A webhook's signature is made with another token.
    WebhookWrongSignature,
    /// A webhook is late by up to this much, and the next ones overtake it.
    WebhookReorder { window_ms: u64 },
    /// A socket ends without a word in place of this message to it, or of the next one; or in the middle of it.
    SocketCut {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_message: Option<u64>,
        #[serde(default)]
        in_frame: bool,
    },
    /// A socket is silent and deaf for a while before this message, or before each.
    SocketStall {
        ms: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_message: Option<u64>,
    },
    /// From this message on, or from the next, a socket reads and never says anything.
    SocketHalfOpen {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_message: Option<u64>,
    },
    /// A socket with a good token is refused.
    InitFailure {
        status: u16,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        backoff_ms: Option<u64>,
    },
    /// A replay lacks its first events.
    ReplayGap { events: usize },
}

impl Fault {
    fn subject(self) -> Subject {
        match self {
            Self::DropBefore
            | Self::DropAfter
            | Self::Status { .. }
            | Self::Latency { .. }
            | Self::Truncate { .. }
            | Self::WrongJson => Subject::Request,
            Self::WebhookDuplicate { .. }
            | Self::WebhookDelay { .. }
            | Self::WebhookLose
            | Self::WebhookWrongSignature
            | Self::WebhookReorder { .. } => Subject::Webhook,
            Self::SocketCut { .. }
            | Self::SocketStall { .. }
            | Self::SocketHalfOpen { .. }
            | Self::InitFailure { .. } => Subject::Socket,
            Self::ReplayGap { .. } => Subject::Object,
        }
    }

    fn delay_ms(self) -> u64 {
        match self {
            Self::Latency { ms } | Self::WebhookDelay { ms } | Self::SocketStall { ms, .. } => ms,
            Self::WebhookReorder { window_ms } => window_ms,
            Self::InitFailure { backoff_ms, .. } => backoff_ms.unwrap_or_default(),
            Self::DropBefore
            | Self::DropAfter
            | Self::Status { .. }
            | Self::WebhookDuplicate { .. }
            | Self::WebhookLose
            | Self::WebhookWrongSignature
            | Self::Truncate { .. }
            | Self::WrongJson
            | Self::SocketCut { .. }
            | Self::SocketHalfOpen { .. }
            | Self::ReplayGap { .. } => 0,
        }
    }
}

/// A fault that cannot be set.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RuleError {
    #[error("the fault is not understood: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the event is none of Conversations and none of {OTHER_EVENTS:?}")]
    Event,
    #[error("probability is from 0 to 1")]
    Probability,
    #[error("status is 400 to 599")]
    Status,
    #[error("a delay is at most {MAX_DELAY_MS} ms")]
    Delay,
    #[error("times is from 1 to {MAX_TIMES}")]
    Times,
    #[error("the status of a failed init is 401, 403, 429 or 500")]
    InitStatus,
    #[error(
        "a webhook fault matches an event, a socket fault an identity, a replay gap an object, any other fault a method and a path"
    )]
    Match,
}

impl Rule {
    /// Reads and checks a fault.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, RuleError> {
        let rule: Self = serde_json::from_slice(json)?;
        if !(0.0..=1.0).contains(&rule.probability) {
            return Err(RuleError::Probability);
        }
        match rule.fault {
            Fault::Status { status, .. } if !(400..600).contains(&status) => {
                return Err(RuleError::Status);
            }
            Fault::InitFailure { status, .. } if !INIT_STATUSES.contains(&status) => {
                return Err(RuleError::InitStatus);
            }
            Fault::WebhookDuplicate { times } if !(1..=MAX_TIMES).contains(&times) => return Err(RuleError::Times),
            fault if fault.delay_ms() > MAX_DELAY_MS => return Err(RuleError::Delay),
            _ => {}
        }
        if rule.matches.event.as_ref().is_some_and(|event| !is_event(event)) {
            return Err(RuleError::Event);
        }
        let Match { method, path, event, identity, object } = &rule.matches;
        let given = [
            (Subject::Request, method.is_some() || path.is_some()),
            (Subject::Webhook, event.is_some()),
            (Subject::Socket, identity.is_some()),
            (Subject::Object, object.is_some()),
        ];
        let subject = rule.fault.subject();
        let wrong = given.into_iter().any(|(meant, is_given)| is_given && meant != subject);
        if wrong { Err(RuleError::Match) } else { Ok(rule) }
    }

    fn is_for_webhooks(&self) -> bool {
        self.fault.subject() == Subject::Webhook
    }

    /// Whether it strikes sockets of this identity; sockets that have not said who they are match only rules for all.
    pub(super) fn matches_socket(&self, identity: Option<&str>) -> bool {
        let wanted = self.matches.identity.as_deref();
        self.fault.subject() == Subject::Socket && wanted.is_none_or(|wanted| identity == Some(wanted))
    }

    pub(super) fn matches_object(&self, name: &str) -> bool {
        let wanted = self.matches.object.as_deref();
        self.fault.subject() == Subject::Object && wanted.is_none_or(|wanted| wanted == name)
    }

    pub(super) fn matches_event(&self, event: &str) -> bool {
        self.is_for_webhooks() && self.matches.event.as_ref().is_none_or(|wanted| wanted == event)
    }

    /// Whether it strikes a request inside a socket: only if it names a path, so that a rule for REST does not wear off
    /// on sockets.
    pub(super) fn matches_upstream(&self, method: &str, path: &str) -> bool {
        self.matches.path.is_some() && self.matches_request(method, path)
    }

    /// The path is tried as it is and without `/Services/{IS}`, so that one rule covers both forms of a resource.
    pub(super) fn matches_request(&self, method: &str, path: &str) -> bool {
        let other_method = self.matches.method.as_ref().is_some_and(|want| !want.eq_ignore_ascii_case(method));
        if self.fault.subject() != Subject::Request || other_method {
            return false;
        }
        let Some(pattern) = &self.matches.path else { return true };
        let account_form = path.strip_prefix("/v1/Services/").and_then(|rest| rest.split_once('/'));
        let account_form = account_form.map(|(_, rest)| format!("/v1/{rest}"));
        path_matches(pattern, path) || account_form.is_some_and(|path| path_matches(pattern, &path))
    }
}

fn is_event(name: &str) -> bool {
    EventType::parse(name).is_some() || OTHER_EVENTS.contains(&name)
}

/// Webhooks that are no event of Conversations: requests for documents of calls and of messages, and callbacks.
const OTHER_EVENTS: [&str; 4] = [CALL_DOCUMENT, CALL_CALLBACK, MESSAGE_DOCUMENT, MESSAGE_STATUS];
/// A call's document is requested: of a number, of `Url`, of `action`.
pub(crate) const CALL_DOCUMENT: &str = "call_document";
/// Anything else that is told of a call: its status, its recordings, its transcriptions.
pub(crate) const CALL_CALLBACK: &str = "call_callback";
/// A number's webhook is asked for an answer to a message.
pub(crate) const MESSAGE_DOCUMENT: &str = "message_document";
/// A step on a message's way.
pub(crate) const MESSAGE_STATUS: &str = "message_status";

fn path_matches(pattern: &str, path: &str) -> bool {
    if pattern.contains('*') { glob(pattern.as_bytes(), path.as_bytes()) } else { path.starts_with(pattern) }
}

/// Whether the whole path fits. Time is bounded by the product of both lengths.
fn glob(pattern: &[u8], path: &[u8]) -> bool {
    // reachable[i]: the pattern up to here can match the first i bytes of the path.
    let mut reachable = vec![false; path.len().saturating_add(1)];
    if let Some(start) = reachable.first_mut() {
        *start = true;
    }
    let mut rest = pattern;
    while let [byte, tail @ ..] = rest {
        let crosses = *byte == b'*' && tail.first() == Some(&b'*');
        rest = if crosses { tail.get(1..).unwrap_or_default() } else { tail };
        let mut next = vec![false; reachable.len()];
        let mut running = false;
        for (at, slot) in next.iter_mut().enumerate() {
            let here = reachable.get(at).copied().unwrap_or(false);
            let before = at.checked_sub(1).and_then(|before| path.get(before));
            *slot = if *byte == b'*' {
                running = here || (running && (crosses || before != Some(&b'/')));
                running
            } else {
                let came = at.checked_sub(1).and_then(|before| reachable.get(before)).copied().unwrap_or(false);
                came && before == Some(byte)
            };
        }
        reachable = next;
    }
    reachable.last().copied().unwrap_or(false)
}

fn always() -> f64 {
    1.0
}

fn once() -> u32 {
    1
}

/// What Twilio answers to `init`; clients treat each in its own way.
const INIT_STATUSES: [u16; 4] = [401, 403, 429, 500];
/// Longest delay that a fault can cause.
const MAX_DELAY_MS: u64 = 600_000;
/// Most repetitions of one webhook.
const MAX_TIMES: u32 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_by_prefix_or_glob() {
        let check = |pattern: &str, path: &str, expect: bool| {
            assert_eq!(path_matches(pattern, path), expect, "{pattern} {path}");
        };
        check("/v1/Conversations", "/v1/Conversations/CH1/Messages", true);
        check("/v1/Conversations/*/Messages", "/v1/Conversations/CH1/Messages", true);
        check("/v1/Conversations/*/Messages", "/v1/Conversations/CH1/Messages/IM1", false);
        check("/v1/Conversations/*/Messages", "/v1/Conversations/CH1/x/Messages", false);
        check("/v1/**/Messages", "/v1/Services/IS1/Conversations/CH1/Messages", true);
        check("*", "/v1", false);
        check("**", "/v1", true);
    }

    #[test]
    fn a_rule_for_conversations_also_covers_those_of_a_service() {
        let json =
            br#"{"match":{"method":"POST","path":"/v1/Conversations/*/Messages"},"fault":{"kind":"drop_after"}}"#;
        let rule = Rule::parse(json).unwrap();
        assert!(rule.matches_request("POST", "/v1/Services/IS1/Conversations/CH1/Messages"));
        assert!(!rule.matches_request("GET", "/v1/Conversations/CH1/Messages"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for json in [
            r"{}",
            r#"{"fault":{"kind":"unheard_of"}}"#,
            r#"{"fault":{"kind":"drop_after"},"probability":1.5}"#,
            r#"{"fault":{"kind":"drop_after"},"unknown":1}"#,
            r#"{"fault":{"kind":"status","status":302}}"#,
            r#"{"fault":{"kind":"latency","ms":99999999}}"#,
            r#"{"fault":{"kind":"webhook_duplicate","times":0}}"#,
            r#"{"match":{"path":"/v1"},"fault":{"kind":"webhook_lose"}}"#,
            r#"{"match":{"event":"onMessageAdded"},"fault":{"kind":"drop_after"}}"#,
            r#"{"match":{"identity":"a"},"fault":{"kind":"replay_gap","events":1}}"#,
            r#"{"match":{"path":"/v1"},"fault":{"kind":"socket_cut"}}"#,
            r#"{"fault":{"kind":"init_failure","status":404}}"#,
            r#"{"match":{"event":"onNothing"},"fault":{"kind":"webhook_lose"}}"#,
        ] {
            assert!(Rule::parse(json.as_bytes()).is_err(), "{json}");
        }
    }
}
