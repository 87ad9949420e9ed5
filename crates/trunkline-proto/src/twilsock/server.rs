//! The server's end of one socket, as a value: what a client says goes in, what is to be done comes out.
//!
//! The first message must be `init`. Whether a token is good is asked for and answered from outside, as are requests;
//! so neither a secret nor a router is here. Every input is followed by draining [`ServerSession::poll_output`] and by
//! looking at [`ServerSession::next_deadline`]. Acknowledgements and telemetry are taken and not answered.
//!
//! Not here: the socket, the clock, and notifications, which are sent beside it as they are.
//!
//! Source: the behaviour of `twilsock` 1.0.2 inside `@twilio/conversations` 3.0.1; Twilio publishes no description.

use std::collections::{BTreeMap, VecDeque};

use super::client_message::{ClientFrame, ClientMessage, HttpRequest, PRODUCT};
use super::server_message::{Backoff, HttpStatus, OfflineStorage, Reply, ServerMessage, TOKEN_ABOUT_TO_EXPIRE};
use super::{Status, TokenText};

/// How long a socket may take to introduce itself, in milliseconds.
pub const INIT_TIMEOUT_MS: i64 = 15_000;

/// How long before its end a token is announced to expire, in milliseconds; Twilio speaks of three minutes.
pub const TOKEN_WARNING_MS: i64 = 180_000;

/// How long a client may take to close the socket after it was told to, in milliseconds.
pub const CLOSE_GRACE_MS: i64 = 5_000;

/// Requests of one socket that are not answered yet; more are refused.
pub const MAX_PENDING_REQUESTS: usize = 512;

/// What a good token grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Who connects.
    pub identity: String,
    /// When the token ends, in milliseconds since 1970.
    pub expires_at_ms: i64,
}

/// Why a token, or a connection, is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// 401 or 403 end the client's attempts; 429 and 500 do not.
    pub status: u16,
    /// Twilio's number for it.
    pub error_code: Option<u32>,
    /// The shortest wait before the next attempt; with 429.
    pub backoff: Option<Backoff>,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body; empty if there is none.
    pub body: Vec<u8>,
}

/// What the session is told.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input<'a> {
    /// A WebSocket message arrived.
    Frame(&'a [u8]),
    /// What became of [`Output::Authenticate`].
    Verdict {
        /// Its id.
        id: String,
        /// What the token grants, or why it does not.
        verdict: Result<Grant, Refusal>,
    },
    /// What became of [`Output::Request`].
    Answered {
        /// Its id.
        id: String,
        /// The answer.
        answer: Answer,
    },
    /// The token is to end now, whatever it says.
    TokenEnds,
    /// Time has passed, perhaps up to the deadline.
    Timeout,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Output {
    /// Send these bytes as a binary message.
    Send(Vec<u8>),
    /// Say whether this token is good.
    Authenticate {
        /// For the verdict.
        id: String,
        /// The token.
        token: TokenText,
    },
    /// The client is connected as this identity. Comes once.
    Connected {
        /// Who it is.
        identity: String,
    },
    /// Carry out this request.
    Request {
        /// For the answer.
        id: String,
        /// The request.
        request: Box<HttpRequest>,
        /// Its body.
        payload: Vec<u8>,
    },
    /// Close the socket. Nothing comes after it.
    Close,
}

#[derive(Debug)]
enum Phase {
    /// Nobody has introduced themselves. `asked`: the token is being looked at.
    New {
        until_ms: i64,
        asked: bool,
    },
    Connected {
        identity: String,
        expires_at_ms: i64,
        warned: bool,
    },
    /// The client was told to go.
    Leaving {
        until_ms: i64,
    },
    Closed,
}

/// One socket, as its server sees it.
#[derive(Debug)]
pub struct ServerSession {
    phase: Phase,
    /// Confirmed in the reply to `init`.
    capabilities: Vec<String>,
    pending: usize,
    /// Number of the next message that is no reply.
    next: u64,
    outputs: VecDeque<Output>,
}

impl ServerSession {
    /// A socket that was just opened. Times are in milliseconds since 1970.
    pub fn new(now_ms: i64) -> Self {
        Self {
            phase: Phase::New { until_ms: now_ms.saturating_add(INIT_TIMEOUT_MS), asked: false },
            capabilities: Vec::new(),
            pending: 0,
            next: 0,
            outputs: VecDeque::new(),
        }
    }

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Timeout`] is due, in milliseconds since 1970.
    pub fn next_deadline(&self) -> Option<i64> {
        match self.phase {
            Phase::New { until_ms, .. } | Phase::Leaving { until_ms } => Some(until_ms),
            Phase::Connected { expires_at_ms, warned: true, .. } => Some(expires_at_ms),
            Phase::Connected { expires_at_ms, .. } => Some(expires_at_ms.saturating_sub(TOKEN_WARNING_MS)),
            Phase::Closed => None,
        }
    }

    /// Takes in what happened at `now_ms`.
    pub fn handle(&mut self, now_ms: i64, input: Input<'_>) {
        match input {
            Input::Frame(bytes) => self.frame(now_ms, bytes),
            Input::Verdict { id, verdict } => self.verdict(now_ms, &id, verdict),
            Input::Answered { id, answer } => self.answered(&id, &answer),
            Input::TokenEnds => self.expire(now_ms),
            Input::Timeout => {}
        }
        self.pass_time(now_ms);
    }

    fn frame(&mut self, now_ms: i64, bytes: &[u8]) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        let Ok(frame) = ClientFrame::decode(bytes) else {
            return self.leave(now_ms, Status::new(417, "PROTOCOL_ERROR"));
        };
        let id = frame.id;
        match (frame.message, &mut self.phase) {
            (ClientMessage::Close, _) => self.close(),
            // Acknowledgements, telemetry, and whatever comes after the end.
            (ClientMessage::Reply { .. } | ClientMessage::Telemetry, _)
            | (_, Phase::Leaving { .. } | Phase::Closed) => {}
            (ClientMessage::Init(init), Phase::New { asked, .. }) if !*asked => {
                *asked = true;
                self.capabilities =
                    init.capabilities.into_iter().filter(|one| CAPABILITIES.contains(&one.as_str())).collect();
                self.outputs.push_back(Output::Authenticate { id, token: init.token });
            }
            (ClientMessage::Update { token }, Phase::Connected { .. }) => {
                self.outputs.push_back(Output::Authenticate { id, token });
            }
            (ClientMessage::Request(request), Phase::Connected { .. }) => {
                if self.pending >= MAX_PENDING_REQUESTS {
                    return self.reply(&id, &Reply::of(Status::new(429, "TOO_MANY_REQUESTS")), &[]);
                }
                self.pending = self.pending.saturating_add(1);
                self.outputs.push_back(Output::Request { id, request, payload: frame.payload.to_vec() });
            }
            (
                ClientMessage::PutNotificationContext { .. } | ClientMessage::DeleteNotificationContext { .. },
                Phase::Connected { .. },
            ) => self.reply(&id, &Reply::of(Status::ok()), &[]),
            _ => self.leave(now_ms, Status::new(406, "NOT_ACCEPTABLE")),
        }
    }

    fn verdict(&mut self, now_ms: i64, id: &str, verdict: Result<Grant, Refusal>) {
        let grant = match (verdict, &mut self.phase) {
            (_, Phase::Leaving { .. } | Phase::Closed) => return,
            (Ok(grant), Phase::Connected { identity, .. }) if grant.identity != *identity => {
                let refusal = Refusal { status: 403, error_code: None, backoff: None };
                return self.refuse(now_ms, id, &refusal);
            }
            (Ok(grant), _) => grant,
            (Err(refusal), _) => return self.refuse(now_ms, id, &refusal),
        };
        let mut reply = Reply::of(Status::ok());
        let is_new = matches!(self.phase, Phase::New { .. });
        if is_new {
            reply.capabilities = Some(std::mem::take(&mut self.capabilities));
            reply.continuation_token = Some(format!("CT-{id}"));
            let storage_id = format!("{PRODUCT}-{}", grant.identity);
            reply.offline_storage = Some(BTreeMap::from([(PRODUCT.to_owned(), OfflineStorage { storage_id })]));
            self.outputs.push_back(Output::Connected { identity: grant.identity.clone() });
        }
        let Grant { identity, expires_at_ms } = grant;
        self.phase = Phase::Connected { identity, expires_at_ms, warned: false };
        self.reply(id, &reply, &[]);
    }

    fn refuse(&mut self, now_ms: i64, id: &str, refusal: &Refusal) {
        let word = match refusal.status {
            401 => "UNAUTHORIZED",
            403 => "FORBIDDEN",
            429 => "TOO_MANY_REQUESTS",
            _ => "INTERNAL_SERVER_ERROR",
        };
        let status = Status { error_code: refusal.error_code, ..Status::new(refusal.status, word) };
        let payload = refusal.backoff.and_then(|backoff| serde_json::to_vec(&backoff).ok()).unwrap_or_default();
        self.reply(id, &Reply::of(status), &payload);
        self.phase = Phase::Leaving { until_ms: now_ms.saturating_add(CLOSE_GRACE_MS) };
    }

    fn answered(&mut self, id: &str, answer: &Answer) {
        self.pending = self.pending.saturating_sub(1);
        if !matches!(self.phase, Phase::Connected { .. }) {
            return;
        }
        let word = if (200..300).contains(&answer.status) { "OK" } else { "ERROR" };
        let reply = Reply {
            http_status: Some(HttpStatus { code: answer.status, status: word.to_owned() }),
            http_headers: Some(BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())])),
            ..Reply::of(Status::ok())
        };
        self.reply(id, &reply, &answer.body);
    }

    fn expire(&mut self, now_ms: i64) {
        if matches!(self.phase, Phase::Connected { .. }) {
            self.leave(now_ms, Status { error_code: Some(20104), ..Status::new(410, "TOKEN_EXPIRED") });
        }
    }

    fn pass_time(&mut self, now_ms: i64) {
        match &mut self.phase {
            Phase::New { until_ms, .. } | Phase::Leaving { until_ms } if now_ms >= *until_ms => self.close(),
            Phase::Connected { expires_at_ms, .. } if now_ms >= *expires_at_ms => self.expire(now_ms),
            Phase::Connected { expires_at_ms, warned, .. }
                if !*warned && now_ms >= expires_at_ms.saturating_sub(TOKEN_WARNING_MS) =>
            {
                *warned = true;
                let message = ServerMessage::ClientUpdate { client_update_type: TOKEN_ABOUT_TO_EXPIRE.to_owned() };
                self.send(&message);
            }
            _ => {}
        }
    }

    fn leave(&mut self, now_ms: i64, status: Status) {
        self.send(&ServerMessage::Close { status });
        self.phase = Phase::Leaving { until_ms: now_ms.saturating_add(CLOSE_GRACE_MS) };
    }

    fn close(&mut self) {
        self.phase = Phase::Closed;
        self.outputs.push_back(Output::Close);
    }

    fn reply(&mut self, id: &str, reply: &Reply, payload: &[u8]) {
        let frame = ServerMessage::Reply(Box::new(reply.clone())).encode(id, payload);
        self.outputs.push_back(Output::Send(frame));
    }

    fn send(&mut self, message: &ServerMessage) {
        self.next = self.next.saturating_add(1);
        self.outputs.push_back(Output::Send(message.encode(&format!("SM{}", self.next), &[])));
    }
}

/// What a client may be confirmed to do.
const CAPABILITIES: [&str; 3] = ["client_update", "offline_storage", "telemetry.v1"];

#[cfg(test)]
mod tests;
