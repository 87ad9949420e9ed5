//! A client of Conversations over the socket: a state machine without socket and clock.
//!
//! It connects, learns who it is, opens every conversation that it takes part in and follows it: document, messages and
//! participants. It tells what happens ([`Event`]), each thing once and the messages of a conversation in order, also
//! when the connection is lost in between; and it sends messages, typing and how far it has read.
//!
//! What was said before the client joined is history and is not told. A driver does what
//! [`poll_output`](Client::poll_output) asks for; time is the time since the client was made.
//!
//! | File | Does |
//! |---|---|
//! | `my_conversations` | keeps the set of conversations |
//! | `opening` | opens one conversation, step by step, and reads what was missed |
//! | `following` | turns changes of Sync objects into events |
//! | `command` | sends |
//! | `typing` | who types, and until when |
//!
//! Source: the behaviour of `@twilio/conversations` 3.0.1.

mod command;
mod conversation;
mod event;
mod following;
mod hosts;
mod my_conversations;
mod opening;
mod typing;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use self::conversation::{Conversation, Key, Stage};
pub use self::conversation::{MAX_ALL_PARTICIPANTS, MAX_PARTICIPANTS};
pub use self::event::{Counters, Done, Event, MessageChange, ParticipantChange, Snapshot};
pub use self::following::MAX_DATA_BYTES;
use self::hosts::Hosts;
pub use self::hosts::socket_url;
pub use self::my_conversations::MAX_CONVERSATIONS;
use self::my_conversations::MyConversationsMap;
use self::typing::Typists;
use super::Configuration;
use super::configuration;
use crate::sync::client::{Heard, Subscriptions};
use crate::sync::{Notification, SubscriptionAnswer};
use crate::twilsock::client::codes;
use crate::twilsock::client::{
    Answer, Connection, ConnectionState, Introduction, Loss, Output, RequestError, RequestId, Signal,
};
use crate::twilsock::{HttpRequest, TokenText};

/// After this long without a word from the server it is asked for one.
pub const PROBE_AFTER: Duration = Duration::from_secs(30);

/// If it does not answer for so long, the connection is dropped and made anew.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(15);

/// The waits before something that failed at the start is tried again: this, doubling up to [`MAX_START_RETRY`].
pub const MIN_START_RETRY: Duration = Duration::from_millis(100);
/// See [`MIN_START_RETRY`].
pub const MAX_START_RETRY: Duration = Duration::from_secs(30);

/// What a client needs to know.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// Twilio's region, such as `ie1`; `None` for `us1`.
    pub region: Option<String>,
    /// Twilio's edge location, such as `dublin`; `None` for none.
    pub edge: Option<String>,
    /// Makes ids and jitter.
    pub seed: u64,
    /// The time of its start in milliseconds since 1970. Batches of subscriptions are numbered from it.
    pub started_ms: u64,
}

/// What a driver is to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientOutput {
    /// Open a socket to [`socket_url`]; then [`Client::opened`] or [`Client::closed`].
    Open,
    /// Send these bytes as one binary message.
    Send(Vec<u8>),
    /// Close the socket.
    Close,
    /// Make a token; then [`Client::token`] or [`Client::no_token`].
    NeedToken,
    /// Tell this.
    Event(Event),
}

/// What a Sync object is to this client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Object {
    MyConversations,
    Document(Key),
    Messages(Key),
    Roster(Key),
}

/// What a request was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Purpose {
    Configuration,
    MyMap,
    MyItems,
    Document(Key),
    Messages(Key),
    Roster(Key),
    RosterItems(Key),
    Missed(Key),
    Subscribe(u64),
    Cancel,
    Join,
    Probe,
    Send,
    Tell,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    subscriptions: Subscriptions<Object>,
    hosts: Hosts,
    configuration: Option<Configuration>,
    mine: MyConversationsMap,
    conversations: BTreeMap<Key, Conversation>,
    keys: HashMap<Box<str>, Key>,
    next_key: u32,
    /// Conversations that wait to be opened.
    to_open: VecDeque<Key>,
    /// Conversations that could not be opened, and when they are tried again.
    to_retry: Vec<(Duration, Key)>,
    opening: usize,
    purposes: HashMap<RequestId, Purpose>,
    typists: Typists,
    /// Participants of all conversations.
    participants: usize,
    /// When the start is tried again, and how often it failed.
    start_retry: Option<Duration>,
    start_failures: u32,
    probe_until: Option<Duration>,
    told_state: ConnectionState,
    is_initialized: bool,
    counters: Counters,
    last_error: Option<Loss>,
    last_message: Option<Duration>,
    outputs: VecDeque<ClientOutput>,
}

impl Client {
    /// A client that is not started.
    pub fn new(settings: &ClientSettings) -> Self {
        Self {
            connection: Connection::new(introduction(), settings.seed),
            subscriptions: Subscriptions::new(settings.started_ms),
            hosts: Hosts::new(settings.region.as_deref(), settings.edge.as_deref()),
            configuration: None,
            mine: MyConversationsMap::default(),
            conversations: BTreeMap::new(),
            keys: HashMap::new(),
            next_key: 0,
            to_open: VecDeque::new(),
            to_retry: Vec::new(),
            opening: 0,
            purposes: HashMap::new(),
            typists: Typists::default(),
            participants: 0,
            start_retry: None,
            start_failures: 0,
            probe_until: None,
            told_state: ConnectionState::Disconnected,
            is_initialized: false,
            counters: Counters::default(),
            last_error: None,
            last_message: None,
            outputs: VecDeque::new(),
        }
    }

    /// What to do next; to be asked until there is nothing.
    pub fn poll_output(&mut self) -> Option<ClientOutput> {
        self.outputs.pop_front()
    }

    /// Begins to connect.
    pub fn start(&mut self, now: Duration) {
        self.connection.start();
        self.work(now);
    }

    /// Says goodbye and stays disconnected.
    pub fn stop(&mut self, now: Duration) {
        self.connection.stop();
        self.work(now);
    }

    /// A token, good for `lifetime` from now.
    pub fn token(&mut self, now: Duration, token: TokenText, lifetime: Duration) {
        self.connection.token(now, token, lifetime);
        self.work(now);
    }

    /// No token could be made. `reason` is for people and holds nothing personal.
    pub fn no_token(&mut self, now: Duration, reason: &str) {
        self.connection.no_token(now, reason);
        self.work(now);
    }

    /// The socket is open.
    pub fn opened(&mut self, now: Duration) {
        self.connection.opened(now);
        self.work(now);
    }

    /// The socket could not be opened, or is gone. `reason` is for people and holds nothing personal.
    pub fn closed(&mut self, now: Duration, reason: &str) {
        self.connection.closed(now, reason);
        self.work(now);
    }

    /// A binary message of the server.
    pub fn received(&mut self, now: Duration, bytes: &[u8]) {
        self.connection.received(now, bytes);
        self.work(now);
    }

    /// Time has passed.
    pub fn elapsed(&mut self, now: Duration) {
        self.connection.elapsed(now);
        self.subscriptions.elapsed(now);
        self.end_typing(now);
        if self.start_retry.is_some_and(|at| at <= now) {
            self.start_retry = None;
            self.go_on_starting(now);
        }
        self.probe(now);
        self.work(now);
    }

    /// When [`elapsed`](Self::elapsed) has to be called next.
    pub fn next_deadline(&self) -> Option<Duration> {
        let is_connected = self.connection.state() == ConnectionState::Connected;
        let probe = self.probe_until.unwrap_or_else(|| self.connection.last_received() + PROBE_AFTER);
        let connected = [
            self.subscriptions.next_deadline(),
            self.to_retry.iter().map(|(at, _)| *at).min(),
            self.start_retry,
            Some(probe),
        ];
        let connected = connected.into_iter().flatten().filter(|_| is_connected);
        connected.chain(self.connection.next_deadline()).chain(self.typists.next_end()).min()
    }

    /// What the client says of itself.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            state: self.connection.state(),
            identity: self.configuration.as_ref().map(|configuration| configuration.identity.clone()),
            is_initialized: self.is_initialized,
            conversations: self.conversations.len(),
            open_conversations: self
                .conversations
                .values()
                .filter(|conversation| conversation.stage == Stage::Open)
                .count(),
            subscriptions: self.subscriptions.count(),
            counters: self.counters,
            last_error: self.last_error.clone(),
            last_message: self.last_message,
        }
    }

    /// The conversations in which the client takes part.
    pub fn conversations(&self) -> impl Iterator<Item = &str> {
        self.conversations.values().map(|conversation| &*conversation.sid)
    }

    fn identity(&self) -> &str {
        self.configuration.as_ref().map_or("", |configuration| &configuration.identity)
    }

    fn tell(&mut self, event: Event) {
        self.outputs.push_back(ClientOutput::Event(event));
    }

    /// Does everything that can be done now.
    fn work(&mut self, now: Duration) {
        loop {
            self.ask(now);
            let Some(output) = self.connection.poll_output() else { break };
            match output {
                Output::Open => self.outputs.push_back(ClientOutput::Open),
                Output::Send(bytes) => self.outputs.push_back(ClientOutput::Send(bytes)),
                Output::Close => self.outputs.push_back(ClientOutput::Close),
                Output::NeedToken => self.outputs.push_back(ClientOutput::NeedToken),
                Output::Signal(signal) => self.signal(now, signal),
            }
        }
        self.tell_state(None);
    }

    /// Makes the requests that are due.
    fn ask(&mut self, now: Duration) {
        if self.connection.state() != ConnectionState::Connected {
            return;
        }
        self.open_next(now);
        while let Some(batch) = self.subscriptions.poll_batch(now) {
            let purpose = match batch.action {
                crate::sync::Action::Establish => Purpose::Subscribe(batch.correlation_id),
                crate::sync::Action::Cancel => Purpose::Cancel,
            };
            let body = serde_json::to_vec(&batch).unwrap_or_default();
            let request = self.hosts.post_json(&self.hosts.sync("/v4/Subscriptions"));
            self.request(now, request, body, purpose);
        }
    }

    fn signal(&mut self, now: Duration, signal: Signal) {
        match signal {
            Signal::Connected => {
                self.counters.connections += 1;
                self.probe_until = None;
                self.tell_state(None);
                self.subscriptions.connected(now);
                self.go_on_starting(now);
            }
            Signal::Lost(loss) => {
                self.counters.losses += 1;
                self.probe_until = None;
                self.start_retry = None;
                self.subscriptions.lost();
                self.last_error = Some(loss.clone());
                self.tell_state(Some(loss));
            }
            Signal::Notification { message_type, payload } => self.notified(now, &message_type, &payload),
            Signal::Answered { request, outcome } => {
                if let Some(purpose) = self.purposes.remove(&request) {
                    self.answered(now, request, &purpose, outcome);
                }
            }
        }
    }

    fn tell_state(&mut self, loss: Option<Loss>) {
        let state = self.connection.state();
        if loss.is_some() || state != self.told_state {
            self.told_state = state;
            self.tell(Event::ConnectionStateChanged(state, loss));
        }
    }

    fn notified(&mut self, now: Duration, message_type: &str, payload: &[u8]) {
        if message_type == super::TYPING_INDICATOR {
            return self.somebody_types(now, payload);
        }
        let Ok(notification) = Notification::decode(payload) else {
            self.counters.payloads_refused += 1;
            return;
        };
        let mut heard = Vec::new();
        self.subscriptions.hear(now, message_type, notification, &mut heard);
        for heard in heard {
            match heard {
                Heard::Event(object, event) => self.changed(now, object, event),
                Heard::Gone(Object::MyConversations) => {
                    self.mine = MyConversationsMap::default();
                    self.go_on_starting(now);
                }
                Heard::Gone(Object::Document(key) | Object::Messages(key) | Object::Roster(key)) => {
                    self.reopen(now, key);
                }
            }
        }
    }

    fn request(&mut self, now: Duration, request: HttpRequest, body: Vec<u8>, purpose: Purpose) -> RequestId {
        let id = self.connection.request(now, request, body);
        self.purposes.insert(id, purpose);
        id
    }

    /// Takes the next step of the start, wherever it stopped.
    fn go_on_starting(&mut self, now: Duration) {
        if self.connection.state() != ConnectionState::Connected {
            return;
        }
        let is_under_way =
            |purpose: &Purpose| matches!(purpose, Purpose::Configuration | Purpose::MyMap | Purpose::MyItems);
        if self.purposes.values().any(is_under_way) {
            return;
        }
        match &self.configuration {
            None => {
                let request = self.hosts.get(&self.hosts.conversations(configuration::PATH));
                self.request(now, request, Vec::new(), Purpose::Configuration);
            }
            Some(_) if !self.mine.is_complete() => self.read_my_conversations(now),
            Some(_) => {}
        }
    }

    fn start_failed(&mut self, now: Duration, error: Option<&RequestError>) {
        let reason = error.map_or_else(|| "the answer makes no sense".to_owned(), ToString::to_string);
        self.last_error = Some(Loss {
            code: codes::START,
            reason: format!("the client's own objects cannot be opened: {reason}"),
            twilio_code: None,
        });
        let wait = MIN_START_RETRY.saturating_mul(1_u32.checked_shl(self.start_failures).unwrap_or(u32::MAX));
        self.start_failures = (self.start_failures + 1).min(30);
        self.start_retry = Some(now + wait.min(MAX_START_RETRY));
    }

    fn answered(
        &mut self,
        now: Duration,
        request: RequestId,
        purpose: &Purpose,
        outcome: Result<Answer, RequestError>,
    ) {
        match *purpose {
            Purpose::Configuration => match outcome.as_ref().map(|answer| serde_json::from_slice(&answer.body).ok()) {
                Ok(Some(configuration)) => {
                    self.configuration = Some(configuration);
                    self.start_failures = 0;
                    self.go_on_starting(now);
                }
                Ok(None) => self.start_failed(now, None),
                Err(error) => self.start_failed(now, Some(error)),
            },
            Purpose::MyMap => self.my_map_opened(now, &outcome),
            Purpose::MyItems => self.my_items_came(now, &outcome),
            Purpose::Document(key) => self.document_opened(now, key, &outcome),
            Purpose::Messages(key) => self.messages_opened(now, key, &outcome),
            Purpose::Roster(key) => self.roster_opened(now, key, &outcome),
            Purpose::RosterItems(key) => self.roster_came(now, key, &outcome),
            Purpose::Missed(key) => self.missed_came(now, key, &outcome),
            Purpose::Subscribe(correlation) => {
                let answer: Option<SubscriptionAnswer> =
                    outcome.ok().and_then(|answer| serde_json::from_slice(&answer.body).ok());
                self.subscriptions.answered(now, correlation, answer.as_ref());
            }
            Purpose::Probe => self.probe_until = None,
            // Both are done over if they did not work: the next reply, or the next event of the map, tells.
            Purpose::Cancel | Purpose::Join => {}
            Purpose::Send | Purpose::Tell => self.command_done(request, purpose, outcome),
        }
    }

    /// Asks a server that has been silent for long whether it is there.
    fn probe(&mut self, now: Duration) {
        if self.connection.state() != ConnectionState::Connected {
            return;
        }
        match self.probe_until {
            Some(until) if until <= now => {
                self.probe_until = None;
                self.connection.give_up(
                    now,
                    Loss {
                        code: codes::SILENT,
                        reason: "the server has been silent for too long".to_owned(),
                        twilio_code: None,
                    },
                );
            }
            None if self.connection.last_received() + PROBE_AFTER <= now => {
                self.probe_until = Some(now + PROBE_TIMEOUT);
                let request = self.hosts.get(&self.hosts.conversations(configuration::PATH));
                self.request(now, request, Vec::new(), Purpose::Probe);
            }
            _ => {}
        }
    }
}

fn introduction() -> Introduction {
    let metadata =
        [("ver", env!("CARGO_PKG_VERSION")), ("env", "Rust"), ("type", "conversations"), ("sdk", "trunkline")];
    let types = [
        super::TYPING_INDICATOR,
        crate::sync::event::SYNC_EVENT,
        crate::sync::ObjectKind::Document.live_type(),
        crate::sync::ObjectKind::List.live_type(),
        crate::sync::ObjectKind::Map.live_type(),
    ];
    Introduction {
        metadata: metadata.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect(),
        message_types: types.map(str::to_owned).to_vec(),
    }
}

#[cfg(test)]
mod tests;
