//! The client's side of a Twilsock connection: a state machine without socket and clock.
//!
//! A driver owns the socket. It tells the machine what happened to it ([`Connection::opened`],
//! [`received`](Connection::received), [`closed`](Connection::closed)) and what time it is, and does what
//! [`poll_output`](Connection::poll_output) asks for. Time is the time since the machine was made.
//!
//! The machine connects again after every loss, for ever, with growing waits. A token that is refused is replaced and
//! tried again with the same waits; the official client gives up there.
//!
//! Not here: what notifications and answers mean.

pub(crate) mod codes;
mod request;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;

pub use self::request::{Answer, MAX_ERROR_BODY, RequestError, RequestId};
use super::backoff::ReconnectBackoff;
use super::server_message::TOKEN_ABOUT_TO_EXPIRE;
use super::{Backoff, ClientMessage, HttpRequest, Init, Registration, ServerFrame, ServerMessage, Status, TokenText};

/// How long a reply may take, and how long opening the socket may.
pub const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a request waits for a connection before it fails.
pub const QUEUE_TIMEOUT: Duration = Duration::from_secs(20);

/// How many requests wait for a connection; the next one fails at once.
pub const MAX_QUEUED: usize = 1000;

/// How many requests may wait for their replies; the next ones wait their turn like those without a connection.
pub const MAX_IN_FLIGHT: usize = 256;

/// The part of a token's life after which it is replaced.
pub const REFRESH_AFTER: f64 = 0.8;

/// How much earlier than that, by chance, in parts of the token's life.
pub const REFRESH_JITTER: f64 = 0.1;

/// What a client says of itself and asks for.
#[derive(Debug, Clone, Default)]
pub struct Introduction {
    /// Texts and numbers under short keys such as `sdk` and `sdkv`.
    pub metadata: BTreeMap<String, Value>,
    /// Kinds of notifications.
    pub message_types: Vec<String>,
}

/// What the driver is to do.
#[derive(Debug)]
pub enum Output {
    /// Open a socket; then [`Connection::opened`] or [`Connection::closed`].
    Open,
    /// Send these bytes as one binary message.
    Send(Vec<u8>),
    /// Close the socket. [`Connection::closed`] need not be called.
    Close,
    /// Make a token; then [`Connection::token`] or [`Connection::no_token`].
    NeedToken,
    /// Something for whoever uses the connection.
    Signal(Signal),
}

/// What happened, for whoever uses the connection.
#[derive(Debug)]
pub enum Signal {
    /// The server accepted the client.
    Connected,
    /// The connection is gone. Requests that were under way have been answered with an error before.
    Lost(Loss),
    /// The server notified.
    Notification {
        /// What kind of thing.
        message_type: String,
        /// JSON.
        payload: Vec<u8>,
    },
    /// A request came to its end.
    Answered {
        /// Which.
        request: RequestId,
        /// How.
        outcome: Result<Answer, RequestError>,
    },
}

/// Why there is no connection. No personal data, no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// A stable code.
    pub code: &'static str,
    /// For people.
    pub reason: String,
    /// Twilio's number, if it gave one.
    pub twilio_code: Option<u32>,
}

/// What the connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// Not started, or shut down.
    Disconnected,
    /// On the way to a connection.
    Connecting,
    /// The server accepted the client.
    Connected,
    /// The server refused the client's token; it is tried again with another one.
    Denied,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Stopped,
    /// A token was asked for.
    WantsToken,
    /// A socket is being opened.
    Opening {
        until: Duration,
    },
    /// `init` was sent.
    Initialising {
        until: Duration,
    },
    Connected,
    /// The next attempt comes then.
    Waiting {
        until: Duration,
    },
}

/// What a reply is awaited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Init,
    Update,
    Request(RequestId),
}

#[derive(Debug)]
struct Queued {
    request: RequestId,
    message: HttpRequest,
    body: Vec<u8>,
    until: Duration,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Connection {
    introduction: Introduction,
    random: StdRng,
    phase: Phase,
    /// The last token was refused: the state is told as denied until one is accepted.
    denied: bool,
    token: Option<TokenText>,
    /// The token is not to be used any more.
    is_stale: bool,
    /// A token was asked for and has not come.
    is_token_wanted: bool,
    refresh_at: Option<Duration>,
    /// Before this an announcement of its end is nothing new: the server makes it for short tokens from the beginning.
    heed_end_at: Duration,
    continuation: Option<String>,
    awaited: HashMap<String, Awaited>,
    /// When replies are overdue, oldest first; what was answered stays until its time.
    overdue: VecDeque<(Duration, String)>,
    queue: VecDeque<Queued>,
    last_received: Duration,
    next_id: u64,
    next_request: u64,
    backoff: ReconnectBackoff,
    outputs: VecDeque<Output>,
}

impl Connection {
    /// A connection that is not started. `seed` makes its ids and its jitter.
    pub fn new(introduction: Introduction, seed: u64) -> Self {
        Self {
            introduction,
            random: StdRng::seed_from_u64(seed),
            phase: Phase::Stopped,
            denied: false,
            token: None,
            is_stale: false,
            is_token_wanted: false,
            refresh_at: None,
            heed_end_at: Duration::ZERO,
            continuation: None,
            awaited: HashMap::new(),
            overdue: VecDeque::new(),
            queue: VecDeque::new(),
            last_received: Duration::ZERO,
            next_id: 0,
            next_request: 0,
            backoff: ReconnectBackoff::default(),
            outputs: VecDeque::new(),
        }
    }

    /// What to do next; to be asked until there is nothing.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What the connection is at.
    pub fn state(&self) -> ConnectionState {
        match self.phase {
            Phase::Stopped => ConnectionState::Disconnected,
            Phase::Connected => ConnectionState::Connected,
            _ if self.denied => ConnectionState::Denied,
            _ => ConnectionState::Connecting,
        }
    }

    /// When the server was last heard.
    pub fn last_received(&self) -> Duration {
        self.last_received
    }

    /// Begins to connect.
    pub fn start(&mut self) {
        if self.phase == Phase::Stopped {
            self.want_token();
            self.phase = Phase::WantsToken;
        }
    }

    /// Says goodbye and stays disconnected. Requests under way fail.
    pub fn stop(&mut self) {
        if self.phase == Phase::Connected {
            let id = self.id();
            self.send(&ClientMessage::Close, &id, &[]);
        }
        if matches!(self.phase, Phase::Connected | Phase::Initialising { .. } | Phase::Opening { .. }) {
            self.outputs.push_back(Output::Close);
        }
        self.phase = Phase::Stopped;
        self.fail_in_flight();
        for queued in std::mem::take(&mut self.queue) {
            self.answer(queued.request, Err(RequestError::Stopped));
        }
    }

    /// A token, good for `lifetime` from now.
    pub fn token(&mut self, now: Duration, token: TokenText, lifetime: Duration) {
        self.is_token_wanted = false;
        let part = REFRESH_AFTER - self.random.random_range(0.0..REFRESH_JITTER);
        self.refresh_at = Some(now + lifetime.mul_f64(part));
        self.heed_end_at = now + lifetime / 2;
        self.token = Some(token.clone());
        self.is_stale = false;
        match self.phase {
            Phase::WantsToken => self.open(now),
            Phase::Connected => {
                let id = self.id();
                self.send(&ClientMessage::Update { token }, &id, &[]);
                self.awaits(now, id, Awaited::Update);
            }
            _ => {}
        }
    }

    /// No token could be made.
    pub fn no_token(&mut self, now: Duration, reason: &str) {
        self.is_token_wanted = false;
        self.refresh_at = None;
        let loss = Loss { code: codes::NO_TOKEN, reason: format!("no access token: {reason}"), twilio_code: None };
        match self.phase {
            Phase::WantsToken => self.lose(now, loss),
            // The one in use may still be good; the server tells when it is not.
            Phase::Connected => self.refresh_at = Some(now + REPLY_TIMEOUT),
            _ => {}
        }
    }

    /// The socket is open.
    pub fn opened(&mut self, now: Duration) {
        let (Phase::Opening { .. }, Some(token)) = (self.phase, self.token.clone()) else { return };
        self.last_received = now;
        let id = self.id();
        let init = Init {
            token,
            continuation_token: self.continuation.clone(),
            metadata: self.introduction.metadata.clone(),
            registrations: vec![Registration {
                product: super::client_message::PRODUCT.to_owned(),
                kind: "ers".to_owned(),
                notification_protocol_version: 0,
                message_types: self.introduction.message_types.clone(),
            }],
            tweaks: None,
            capabilities: vec!["client_update".to_owned()],
        };
        self.send(&ClientMessage::Init(Box::new(init)), &id, &[]);
        self.awaited.insert(id, Awaited::Init);
        self.phase = Phase::Initialising { until: now + REPLY_TIMEOUT };
    }

    /// The socket could not be opened, or is gone. `reason` is for people and holds nothing personal.
    pub fn closed(&mut self, now: Duration, reason: &str) {
        if matches!(self.phase, Phase::Opening { .. } | Phase::Initialising { .. } | Phase::Connected) {
            let loss = Loss { code: codes::DISCONNECTED, reason: reason.to_owned(), twilio_code: None };
            self.lose(now, loss);
        }
    }

    /// A request inside the socket. It is sent at once, or waits its turn for at most [`QUEUE_TIMEOUT`].
    ///
    /// It is never sent twice: when the socket goes after it was sent, its outcome is unknown.
    pub fn request(&mut self, now: Duration, message: HttpRequest, body: Vec<u8>) -> RequestId {
        let request = RequestId(self.next_request);
        self.next_request += 1;
        if self.phase == Phase::Stopped {
            self.answer(request, Err(RequestError::Stopped));
        } else if self.queue.len() >= MAX_QUEUED {
            self.answer(request, Err(RequestError::QueueFull));
        } else {
            self.queue.push_back(Queued { request, message, body, until: now + QUEUE_TIMEOUT });
            self.send_queued(now);
        }
        request
    }

    /// Drops the connection: whoever uses it has found it dead.
    pub fn give_up(&mut self, now: Duration, loss: Loss) {
        if self.phase == Phase::Connected {
            self.outputs.push_back(Output::Close);
            self.lose(now, loss);
        }
    }

    /// A message of the server.
    pub fn received(&mut self, now: Duration, bytes: &[u8]) {
        // What was on its way when the connection was given up says nothing about the next one.
        if !matches!(self.phase, Phase::Initialising { .. } | Phase::Connected) {
            return;
        }
        // What is not a frame is dropped without acknowledgement, as the official client does.
        let Ok(frame) = ServerFrame::decode(bytes) else { return };
        self.last_received = now;
        if !matches!(frame.message, ServerMessage::Reply(_)) {
            self.send(&ClientMessage::Reply { status: Status::ok() }, &frame.id, &[]);
        }
        match frame.message {
            ServerMessage::Reply(reply) => self.replied(now, &frame.id, *reply, frame.payload),
            ServerMessage::Notification { message_type } if self.phase == Phase::Connected => {
                let payload = frame.payload.to_vec();
                self.outputs.push_back(Output::Signal(Signal::Notification { message_type, payload }));
            }
            ServerMessage::ClientUpdate { client_update_type }
                if client_update_type == TOKEN_ABOUT_TO_EXPIRE && now >= self.heed_end_at =>
            {
                self.want_token();
            }
            ServerMessage::Close { status } => self.closed_by_server(now, status, frame.payload),
            _ => {}
        }
    }

    /// Time has passed.
    pub fn elapsed(&mut self, now: Duration) {
        match self.phase {
            Phase::Waiting { until } if until <= now => {
                if self.is_stale || self.token.is_none() || self.refresh_at.is_some_and(|at| at <= now) {
                    self.phase = Phase::WantsToken;
                    self.want_token();
                } else {
                    self.open(now);
                }
            }
            Phase::Opening { until } | Phase::Initialising { until } if until <= now => {
                self.outputs.push_back(Output::Close);
                self.lose(now, timeout("the server did not answer in time"));
            }
            Phase::Connected if self.refresh_at.is_some_and(|at| at <= now) => {
                self.refresh_at = None;
                self.want_token();
            }
            _ => {}
        }
        while let Some((_, id)) = self.overdue.pop_front_if(|(until, _)| *until <= now) {
            match self.awaited.remove(&id) {
                Some(Awaited::Request(request)) => self.answer(request, Err(RequestError::Timeout)),
                Some(Awaited::Update | Awaited::Init) => {
                    self.give_up(now, timeout("the server did not answer in time"));
                }
                None => {}
            }
        }
        while let Some(queued) = self.queue.pop_front_if(|queued| queued.until <= now) {
            self.answer(queued.request, Err(RequestError::Offline));
        }
        self.send_queued(now);
    }

    /// When [`elapsed`](Self::elapsed) has to be called next.
    pub fn next_deadline(&self) -> Option<Duration> {
        let phase = match self.phase {
            Phase::Waiting { until } | Phase::Opening { until } | Phase::Initialising { until } => Some(until),
            Phase::Connected => self.refresh_at,
            Phase::Stopped | Phase::WantsToken => None,
        };
        let overdue = self.overdue.front().map(|(until, _)| *until);
        let queued = self.queue.front().map(|queued| queued.until);
        [phase, overdue, queued].into_iter().flatten().min()
    }

    fn open(&mut self, now: Duration) {
        self.phase = Phase::Opening { until: now + REPLY_TIMEOUT };
        self.outputs.push_back(Output::Open);
    }

    fn want_token(&mut self) {
        if !std::mem::replace(&mut self.is_token_wanted, true) {
            self.outputs.push_back(Output::NeedToken);
        }
    }

    fn replied(&mut self, now: Duration, id: &str, mut reply: super::Reply, payload: &[u8]) {
        match self.awaited.remove(id) {
            None => {}
            Some(Awaited::Init) if reply.status.is_success() => {
                self.continuation = reply.continuation_token.take();
                self.phase = Phase::Connected;
                self.denied = false;
                self.backoff.reset();
                self.outputs.push_back(Output::Signal(Signal::Connected));
                self.send_queued(now);
            }
            Some(Awaited::Update) if reply.status.is_success() => {}
            Some(Awaited::Init | Awaited::Update) => {
                self.hint(payload);
                if reply.status.code != 500 {
                    let id = self.id();
                    self.send(&ClientMessage::Close, &id, &[]);
                }
                self.outputs.push_back(Output::Close);
                self.refused(now, reply.status);
            }
            Some(Awaited::Request(request)) => {
                let outcome = request::outcome(reply, payload);
                self.answer(request, outcome);
                self.send_queued(now);
            }
        }
    }

    fn closed_by_server(&mut self, now: Duration, status: Status, payload: &[u8]) {
        self.hint(payload);
        self.outputs.push_back(Output::Close);
        self.refused(now, status);
    }

    /// The server wants the client no more, for the reason in `status`.
    fn refused(&mut self, now: Duration, status: Status) {
        if matches!(status.code, 401 | 403 | 410) {
            self.is_stale = true;
            self.denied = status.code != 410;
        }
        let words = status.description.unwrap_or(status.status);
        // Texts of the server are cut: they end in logs and on pages.
        let words: String = words.chars().take(MAX_REASON_CHARS).collect();
        self.lose(
            now,
            Loss {
                code: codes::REFUSED,
                reason: format!("the server ended the connection with {}: {words}", status.code),
                twilio_code: status.error_code,
            },
        );
    }

    fn hint(&mut self, payload: &[u8]) {
        if let Ok(Backoff { backoff_policy }) = serde_json::from_slice(payload) {
            self.backoff.at_least(Duration::from_millis(backoff_policy.reconnect_min_ms));
        }
    }

    fn lose(&mut self, now: Duration, loss: Loss) {
        self.fail_in_flight();
        let wait = self.backoff.next(&mut self.random);
        self.phase = Phase::Waiting { until: now + wait };
        self.outputs.push_back(Output::Signal(Signal::Lost(loss)));
    }

    fn fail_in_flight(&mut self) {
        self.overdue.clear();
        let mut requests: Vec<RequestId> = std::mem::take(&mut self.awaited)
            .into_values()
            .filter_map(|awaited| match awaited {
                Awaited::Request(request) => Some(request),
                Awaited::Init | Awaited::Update => None,
            })
            .collect();
        requests.sort_unstable();
        for request in requests {
            self.answer(request, Err(RequestError::Disconnected));
        }
    }

    fn send_queued(&mut self, now: Duration) {
        while self.phase == Phase::Connected && self.awaited.len() < MAX_IN_FLIGHT {
            let Some(queued) = self.queue.pop_front() else { return };
            let id = self.id();
            self.send(&ClientMessage::Request(Box::new(queued.message)), &id, &queued.body);
            self.awaits(now, id, Awaited::Request(queued.request));
        }
    }

    fn awaits(&mut self, now: Duration, id: String, awaited: Awaited) {
        self.overdue.push_back((now + REPLY_TIMEOUT, id.clone()));
        self.awaited.insert(id, awaited);
        if self.overdue.len() > 2 * MAX_IN_FLIGHT {
            self.overdue.retain(|(_, id)| self.awaited.contains_key(id));
        }
    }

    fn send(&mut self, message: &ClientMessage, id: &str, body: &[u8]) {
        self.outputs.push_back(Output::Send(message.encode(id, body)));
    }

    fn answer(&mut self, request: RequestId, outcome: Result<Answer, RequestError>) {
        self.outputs.push_back(Output::Signal(Signal::Answered { request, outcome }));
    }

    /// `TM` and a UUID of version 4, as the official client makes them.
    fn id(&mut self) -> String {
        self.next_id += 1;
        let [high, low]: [u64; 2] = [self.random.random(), self.next_id];
        format!("TM{:08x}-{:04x}-4{:03x}-8000-{low:012x}", high >> 32, (high >> 16) & 0xffff, high & 0xfff)
    }
}

/// How much of a server's reason is kept.
const MAX_REASON_CHARS: usize = 200;

fn timeout(reason: &str) -> Loss {
    Loss { code: codes::TIMEOUT, reason: reason.to_owned(), twilio_code: None }
}

#[cfg(test)]
mod tests;
