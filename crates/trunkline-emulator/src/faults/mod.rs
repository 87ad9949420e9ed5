//! Faults on request: connections that break, answers that fail, webhooks that get lost, late, doubled or out of order.
//!
//! Every fault draws from its own generator, so that the same seed and the same sequence of requests give the same
//! faults. The control API itself never fails.

mod layer;
mod rule;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

pub(crate) use self::layer::{Connection, inject};
pub(crate) use self::rule::{CALL_CALLBACK, CALL_DOCUMENT, Fault, MESSAGE_DOCUMENT, MESSAGE_STATUS, Rule};
use crate::error::ApiError;

/// The faults that are set.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Set>);

#[derive(Debug, Default)]
struct Set {
    active: Vec<Active>,
    next_id: u64,
}

#[derive(Debug)]
struct Active {
    id: u64,
    rule: Rule,
    hits: u64,
    random: StdRng,
}

/// A fault as the control API lists it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Listed {
    pub(crate) id: u64,
    /// How often it has struck.
    pub(crate) hits: u64,
    #[serde(flatten)]
    pub(crate) rule: Rule,
}

/// What happens to one webhook.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct WebhookPlan {
    pub(crate) lost: bool,
    /// How many more times it is sent.
    pub(crate) duplicates: u32,
    pub(crate) delay: Duration,
    /// Later webhooks of the conversation need not wait for it.
    pub(crate) out_of_order: bool,
    /// Its signature is that of another token.
    pub(crate) wrong_signature: bool,
}

/// What happens to one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RequestPlan {
    pub(crate) drop_before: bool,
    pub(crate) drop_after: bool,
    pub(crate) delay: Duration,
    pub(crate) status: Option<StatusPlan>,
    /// What becomes of the answer's body.
    pub(crate) spoiled: Option<Spoiling>,
}

/// How the body of an answer is spoiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoiling {
    /// Only so many bytes come, of the length that was announced; then the connection closes.
    Truncated(usize),
    /// It is no JSON.
    NotJson,
}

/// The status that a request gets instead of its own answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StatusPlan {
    status: u16,
    /// Twilio's.
    code: u32,
    /// What `Retry-After` says.
    pub(crate) retry_after: Option<Duration>,
    /// The request is carried out first.
    pub(crate) after: bool,
}

impl StatusPlan {
    pub(crate) fn problem(self) -> ApiError {
        ApiError { status: self.status, code: self.code, message: "A fault that was asked for".into() }
    }
}

/// What happens to a message to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SocketPlan {
    Pass,
    Stall(Duration),
    HalfOpen,
    Cut,
    CutInFrame,
}

/// How a socket with a good token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InitPlan {
    pub(crate) status: u16,
    pub(crate) code: Option<u32>,
    pub(crate) backoff_ms: Option<u64>,
}

impl Faults {
    /// Sets a fault; nothing if there are too many.
    pub(crate) fn add(&self, rule: Rule) -> Option<Listed> {
        let mut set = self.set();
        if set.active.len() >= MAX_FAULTS {
            return None;
        }
        let id = set.next_id;
        set.next_id = id.saturating_add(1);
        let random = StdRng::seed_from_u64(rule.seed);
        set.active.push(Active { id, rule: rule.clone(), hits: 0, random });
        Some(Listed { id, hits: 0, rule })
    }

    pub(crate) fn list(&self) -> Vec<Listed> {
        let listed = |one: &Active| Listed { id: one.id, hits: one.hits, rule: one.rule.clone() };
        self.set().active.iter().map(listed).collect()
    }

    pub(crate) fn clear(&self) {
        self.set().active.clear();
    }

    /// Takes one fault away; `false` if there is none with this id.
    pub(crate) fn remove(&self, id: u64) -> bool {
        let mut set = self.set();
        let before = set.active.len();
        set.active.retain(|one| one.id != id);
        set.active.len() < before
    }

    /// What happens to a request, by all faults that match it.
    pub(crate) fn request(&self, method: &str, path: &str) -> RequestPlan {
        self.plan(|rule| rule.matches_request(method, path))
    }

    /// What happens to a request inside a socket.
    pub(crate) fn upstream(&self, method: &str, path: &str) -> RequestPlan {
        self.plan(|rule| rule.matches_upstream(method, path))
    }

    fn plan(&self, matches: impl Fn(&Rule) -> bool) -> RequestPlan {
        let mut plan = RequestPlan::default();
        for fault in self.set().strike(matches) {
            match fault {
                Fault::DropBefore => plan.drop_before = true,
                Fault::DropAfter => plan.drop_after = true,
                Fault::Truncate { bytes } => plan.spoiled = Some(Spoiling::Truncated(bytes)),
                Fault::WrongJson => plan.spoiled = Some(Spoiling::NotJson),
                Fault::Latency { ms } => plan.delay = plan.delay.saturating_add(Duration::from_millis(ms)),
                Fault::Status { status, after, code, retry_after_ms } => {
                    let code = code.unwrap_or(match status {
                        401 => 20003,
                        404 => 20404,
                        429 => 20429,
                        400..500 => 20001,
                        _ => 20500,
                    });
                    let retry_after = retry_after_ms.map(Duration::from_millis);
                    plan.status = Some(StatusPlan { status, code, retry_after, after });
                }
                _ => {}
            }
        }
        plan
    }

    /// What happens to the webhook of an event, by all faults that match it.
    pub(crate) fn webhook(&self, event: &str) -> WebhookPlan {
        let mut plan = WebhookPlan::default();
        let mut set = self.set();
        let struck = set.strike_with(|rule| rule.matches_event(event));
        for (fault, random) in struck {
            match fault {
                Fault::WebhookLose => plan.lost = true,
                Fault::WebhookWrongSignature => plan.wrong_signature = true,
                Fault::WebhookDuplicate { times } => plan.duplicates = plan.duplicates.saturating_add(times),
                Fault::WebhookDelay { ms } => plan.delay = plan.delay.saturating_add(Duration::from_millis(ms)),
                Fault::WebhookReorder { window_ms } => {
                    plan.out_of_order = true;
                    let ms = random.random_range(0..=window_ms);
                    plan.delay = plan.delay.saturating_add(Duration::from_millis(ms));
                }
                _ => {}
            }
        }
        plan
    }

    /// What happens to the message with this number to a socket; the first message has number 1.
    pub(crate) fn socket(&self, identity: Option<&str>, number: u64) -> SocketPlan {
        let is_due = |rule: &Rule| match rule.fault {
            Fault::SocketCut { at_message, .. }
            | Fault::SocketStall { at_message, .. }
            | Fault::SocketHalfOpen { at_message } => {
                rule.matches_socket(identity) && at_message.is_none_or(|at| at == number)
            }
            _ => false,
        };
        match self.set().strike(is_due).last() {
            Some(Fault::SocketCut { in_frame: true, .. }) => SocketPlan::CutInFrame,
            Some(Fault::SocketCut { .. }) => SocketPlan::Cut,
            Some(Fault::SocketHalfOpen { .. }) => SocketPlan::HalfOpen,
            Some(Fault::SocketStall { ms, .. }) => SocketPlan::Stall(Duration::from_millis(*ms)),
            _ => SocketPlan::Pass,
        }
    }

    /// How a socket of this identity is refused, if it is.
    pub(crate) fn init(&self, identity: &str) -> Option<InitPlan> {
        let fails =
            |rule: &Rule| matches!(rule.fault, Fault::InitFailure { .. }) && rule.matches_socket(Some(identity));
        match self.set().strike(fails).last() {
            Some(Fault::InitFailure { status, code, backoff_ms }) => {
                Some(InitPlan { status: *status, code: *code, backoff_ms: *backoff_ms })
            }
            _ => None,
        }
    }

    /// How many events the replay of this object lacks.
    pub(crate) fn gap(&self, object: &str) -> usize {
        let struck = self.set().strike(|rule| rule.matches_object(object));
        struck.into_iter().fold(0, |sum, fault| match fault {
            Fault::ReplayGap { events } => sum.saturating_add(events),
            _ => sum,
        })
    }

    fn set(&self) -> MutexGuard<'_, Set> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Set {
    fn strike(&mut self, matches: impl Fn(&Rule) -> bool) -> Vec<Fault> {
        self.strike_with(matches).map(|(fault, _)| fault).collect()
    }

    /// The faults that match, are not used up, and whose draw says so.
    fn strike_with(&mut self, matches: impl Fn(&Rule) -> bool) -> impl Iterator<Item = (Fault, &mut StdRng)> {
        self.active.iter_mut().filter_map(move |one| {
            let left = one.rule.count.is_none_or(|count| one.hits < count);
            if !left || !matches(&one.rule) || !one.random.random_bool(one.rule.probability) {
                return None;
            }
            one.hits = one.hits.saturating_add(1);
            Some((one.rule.fault, &mut one.random))
        })
    }
}

/// Waits for as long as a fault says, and not at all for most requests.
pub(crate) async fn pause(delay: Duration) {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
}

/// Faults that are set at the same time.
const MAX_FAULTS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: &str) -> Rule {
        Rule::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn a_fault_strikes_as_often_as_it_may_and_counts() {
        let faults = Faults::default();
        let added = faults.add(rule(r#"{"match":{"method":"POST"},"count":2,"fault":{"kind":"drop_after"}}"#)).unwrap();
        let struck: Vec<_> = (0..4).map(|_| faults.request("POST", "/v1/Conversations").drop_after).collect();
        assert_eq!(struck, [true, true, false, false]);
        assert!(!faults.request("GET", "/v1/Conversations").drop_after);
        assert_eq!(faults.list()[0].hits, 2);
        assert!(faults.remove(added.id) && !faults.remove(added.id));
    }

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let draw = |seed: u64| -> Vec<bool> {
            let faults = Faults::default();
            let json = format!(r#"{{"probability":0.5,"seed":{seed},"fault":{{"kind":"webhook_lose"}}}}"#);
            faults.add(rule(&json)).unwrap();
            (0..64).map(|_| faults.webhook("onMessageAdded").lost).collect()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert!(draw(7).contains(&true) && draw(7).contains(&false));
    }

    #[test]
    fn several_faults_add_up() {
        let faults = Faults::default();
        faults.add(rule(r#"{"fault":{"kind":"latency","ms":5}}"#)).unwrap();
        faults.add(rule(r#"{"fault":{"kind":"latency","ms":7}}"#)).unwrap();
        faults.add(rule(r#"{"fault":{"kind":"status","status":429,"retry_after_ms":1500}}"#)).unwrap();
        let plan = faults.request("GET", "/v1/Services");
        assert_eq!(plan.delay, Duration::from_millis(12));
        let retry_after = Some(Duration::from_millis(1500));
        assert_eq!(plan.status, Some(StatusPlan { status: 429, code: 20429, retry_after, after: false }));
    }
}
