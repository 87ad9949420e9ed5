//! Who is subscribed to what. The owner of the state feeds it after each commit, so that what a subscription replays
//! and what comes live afterwards fit together without a gap.
//!
//! A frame is written once and shared. A socket whose queue is full is cut: it comes back and replays.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use trunkline_proto::conversations::TYPING_INDICATOR;
use trunkline_proto::conversations::data::TYPING_TIMEOUT_SECONDS;
use trunkline_proto::sid::ConversationSid;
use trunkline_proto::sync::Outcome;
use trunkline_proto::sync::event::SYNC_EVENT;
use trunkline_proto::twilsock::ServerMessage;

use crate::clock::{Clock, iso_millis};
use crate::journal::{Happening, Journal, Noted};
use crate::state::sync::{Change, News, ObjectId, Outgoing, SocketId, Subscribed};

/// Frames for one socket, in order.
pub(crate) type Frames = Vec<Bytes>;

/// A connected socket, as the hub knows it.
#[derive(Debug, Clone)]
pub(crate) struct SocketHandle {
    pub(crate) id: SocketId,
    pub(crate) identity: String,
    pub(crate) since: Timestamp,
    pub(crate) frames: mpsc::Sender<Frames>,
    /// Ends the socket without a word.
    pub(crate) cut: CancellationToken,
    /// Its token is to end.
    pub(crate) expire: Arc<Notify>,
    /// Messages that were sent to it.
    pub(crate) sent: Arc<AtomicU64>,
}

/// Something about the sockets themselves.
#[derive(Debug)]
pub(crate) enum SocketOrder {
    Connected(SocketHandle),
    Disconnected(SocketId),
    /// An identity is no user any more: its sockets are cut.
    Gone(String),
    List(oneshot::Sender<Vec<ListedSocket>>),
    /// Cuts all sockets, or those of an identity; answers how many.
    Cut(Option<String>, oneshot::Sender<usize>),
    /// Ends the tokens of all sockets, or of an identity's; answers how many.
    Expire(Option<String>, oneshot::Sender<usize>),
}

/// A socket as the control API lists it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ListedSocket {
    id: u64,
    identity: String,
    connected_since: String,
    subscriptions: usize,
    /// Changes that it was told live.
    events: u64,
    /// All messages that it was sent.
    messages: u64,
}

/// All connected sockets and their subscriptions.
pub(crate) struct Hub {
    sockets: HashMap<SocketId, Entry>,
    subscribers: HashMap<ObjectId, BTreeSet<SocketId>>,
    by_identity: HashMap<String, BTreeSet<SocketId>>,
    journal: Arc<Journal>,
    clock: Clock,
    /// Number of the next frame.
    next: u64,
}

struct Entry {
    handle: SocketHandle,
    subscriptions: HashSet<ObjectId>,
    events: u64,
}

impl Hub {
    pub(crate) fn new(journal: Arc<Journal>, clock: Clock) -> Self {
        Self {
            sockets: HashMap::new(),
            subscribers: HashMap::new(),
            by_identity: HashMap::new(),
            journal,
            clock,
            next: 0,
        }
    }

    /// Hands out what happened.
    pub(crate) fn take(&mut self, outgoing: Outgoing) {
        match outgoing {
            Outgoing::Change(change) => self.change(&change),
            Outgoing::Subscribed(subscribed) => self.subscribed(subscribed),
            Outgoing::Cancelled { socket, object } => self.unsubscribe(socket, object),
            Outgoing::Told { socket, payload } => {
                let frame = self.frame(SYNC_EVENT, &payload);
                self.push(socket, vec![frame]);
            }
            Outgoing::Typing { conversation, identity, others } => self.typing(conversation, &identity, &others),
            Outgoing::Noted(noted) => self.journal.add(noted),
            Outgoing::Sockets(SocketOrder::Connected(handle)) => self.connected(handle),
            Outgoing::Sockets(SocketOrder::Disconnected(socket)) => self.disconnected(socket),
            // Whoever asked may have gone.
            Outgoing::Sockets(SocketOrder::Gone(identity)) => {
                self.cut(Some(&identity));
            }
            Outgoing::Sockets(SocketOrder::List(reply)) => drop(reply.send(self.list())),
            Outgoing::Sockets(SocketOrder::Cut(identity, reply)) => {
                reply.send(self.cut(identity.as_deref())).unwrap_or_default();
            }
            Outgoing::Sockets(SocketOrder::Expire(identity, reply)) => {
                let handles = self.of(identity.as_deref());
                for handle in &handles {
                    handle.expire.notify_one();
                }
                reply.send(handles.len()).unwrap_or_default();
            }
        }
    }

    /// Cuts all sockets, or those of an identity, and says how many.
    pub(crate) fn cut(&mut self, identity: Option<&str>) -> usize {
        let handles: Vec<SocketHandle> = self.of(identity).into_iter().cloned().collect();
        for handle in &handles {
            handle.cut.cancel();
            self.disconnected(handle.id);
        }
        handles.len()
    }

    fn of(&self, identity: Option<&str>) -> Vec<&SocketHandle> {
        let is_meant = |handle: &&SocketHandle| identity.is_none_or(|identity| handle.identity == identity);
        self.sockets.values().map(|entry| &entry.handle).filter(is_meant).collect()
    }

    fn list(&self) -> Vec<ListedSocket> {
        let listed = |entry: &Entry| ListedSocket {
            id: entry.handle.id.0,
            identity: entry.handle.identity.clone(),
            connected_since: iso_millis(entry.handle.since),
            subscriptions: entry.subscriptions.len(),
            events: entry.events,
            messages: entry.handle.sent.load(Ordering::Relaxed),
        };
        let mut sockets: Vec<_> = self.sockets.values().map(listed).collect();
        sockets.sort_by_key(|socket| socket.id);
        sockets
    }

    fn connected(&mut self, handle: SocketHandle) {
        self.note(None, Happening::SocketConnected { identity: handle.identity.clone() });
        self.by_identity.entry(handle.identity.clone()).or_default().insert(handle.id);
        self.sockets.insert(handle.id, Entry { handle, subscriptions: HashSet::new(), events: 0 });
    }

    fn disconnected(&mut self, socket: SocketId) {
        let Some(entry) = self.sockets.remove(&socket) else { return };
        for object in &entry.subscriptions {
            forget(&mut self.subscribers, object, socket);
        }
        forget(&mut self.by_identity, &entry.handle.identity, socket);
        self.note(None, Happening::SocketClosed { identity: entry.handle.identity });
    }

    fn subscribed(&mut self, subscribed: Subscribed) {
        let Subscribed { socket, object, object_sid, correlation_id, payloads, is_whole } = subscribed;
        let Some(entry) = self.sockets.get_mut(&socket) else { return };
        let payloads = if entry.subscriptions.len() >= MAX_SUBSCRIPTIONS && !entry.subscriptions.contains(&object) {
            let message = "Too many subscriptions of one connection".to_owned();
            vec![Outcome::Failed { object_sid, status: 429, code: 20429, message }.encode(correlation_id)]
        } else {
            if is_whole {
                entry.subscriptions.insert(object);
                self.subscribers.entry(object).or_default().insert(socket);
            }
            payloads
        };
        let frames = payloads.iter().map(|payload| self.frame(SYNC_EVENT, payload)).collect();
        self.push(socket, frames);
    }

    fn unsubscribe(&mut self, socket: SocketId, object: ObjectId) {
        if let Some(entry) = self.sockets.get_mut(&socket) {
            entry.subscriptions.remove(&object);
        }
        forget(&mut self.subscribers, &object, socket);
    }

    fn change(&mut self, change: &Change) {
        let Some(subscribers) = self.subscribers.get(&change.object) else { return };
        let subscribers: Vec<SocketId> = subscribers.iter().copied().collect();
        let frame = self.frame(change.object.kind().live_type(), &change.payload(None));
        let news = change.news();
        for socket in &subscribers {
            if let Some(entry) = self.sockets.get_mut(socket) {
                entry.events = entry.events.saturating_add(1);
                let identity = || entry.handle.identity.clone();
                match news {
                    Some(News::Joined(sid)) => {
                        let what = Happening::SocketJoined { identity: identity() };
                        self.note(Some(sid), what);
                    }
                    Some(News::Message(sid, index)) => {
                        let what = Happening::SocketNotified { identity: identity(), index };
                        self.note(Some(sid), what);
                    }
                    None => {}
                }
            }
            self.push(*socket, vec![frame.clone()]);
        }
        if change.ends_object() {
            for socket in subscribers {
                self.unsubscribe(socket, change.object);
            }
        }
    }

    fn typing(&mut self, conversation: ConversationSid, identity: &str, others: &[String]) {
        let payload = json!({
            "channel_sid": conversation,
            "identity": identity,
            "typing_timeout": TYPING_TIMEOUT_SECONDS,
        });
        let frame = self.frame(TYPING_INDICATOR, payload.to_string().as_bytes());
        let sockets = others.iter().filter_map(|other| self.by_identity.get(other)).flatten();
        for socket in sockets.copied().collect::<Vec<_>>() {
            self.push(socket, vec![frame.clone()]);
        }
    }

    fn frame(&mut self, message_type: &str, payload: &[u8]) -> Bytes {
        self.next = self.next.saturating_add(1);
        let message = ServerMessage::Notification { message_type: message_type.to_owned() };
        message.encode(&format!("NT{}", self.next), payload).into()
    }

    fn push(&mut self, socket: SocketId, frames: Frames) {
        let Some(entry) = self.sockets.get(&socket) else { return };
        if entry.handle.frames.try_send(frames).is_err() {
            tracing::info!(socket = socket.0, "a socket does not read and is cut");
            entry.handle.cut.cancel();
            self.disconnected(socket);
        }
    }

    fn note(&self, conversation: Option<ConversationSid>, what: Happening) {
        self.journal.add(Noted { at: self.clock.now(), conversation, call: None, what });
    }
}

/// Takes a socket out of a set, and the set away with its last socket.
fn forget<K: std::hash::Hash + Eq>(sets: &mut HashMap<K, BTreeSet<SocketId>>, key: &K, socket: SocketId) {
    if let Some(set) = sets.get_mut(key) {
        set.remove(&socket);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}

/// Subscriptions of one socket: a thousand conversations with three objects each, and a hundred users, fit.
const MAX_SUBSCRIPTIONS: usize = 4096;
/// Entries that wait for one socket to read; beyond that it is cut.
pub(crate) const SOCKET_QUEUE: usize = 1024;
