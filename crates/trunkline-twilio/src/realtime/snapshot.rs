//! What a real-time client says of itself.

use jiff::Timestamp;
use trunkline_proto::conversations::client::{Counters, Snapshot};
use trunkline_proto::twilsock::client::{ConnectionState, Loss};

/// The state of a real-time client at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealtimeSnapshot {
    /// The connection's state.
    pub state: ConnectionState,
    /// As whom it is connected; `None` before the first connection.
    pub identity: Option<String>,
    /// Whether every conversation is open that it was in at its start.
    pub is_initialized: bool,
    /// Conversations in which it takes part.
    pub conversations: usize,
    /// Those of them whose messages come.
    pub open_conversations: usize,
    /// Sync objects that it follows.
    pub subscriptions: usize,
    /// Those of them that the server has confirmed.
    pub confirmed_subscriptions: usize,
    /// What it counted since its start.
    pub counters: Counters,
    /// Why it was disconnected last.
    pub last_error: Option<Loss>,
    /// When the last message came.
    pub last_message: Option<Timestamp>,
}

impl RealtimeSnapshot {
    pub(super) fn new(snapshot: Snapshot, started: Timestamp) -> Self {
        let (subscriptions, confirmed_subscriptions) = snapshot.subscriptions;
        let moment = |since| Timestamp::checked_add(started, since).ok();
        Self {
            state: snapshot.state,
            identity: snapshot.identity,
            is_initialized: snapshot.is_initialized,
            conversations: snapshot.conversations,
            open_conversations: snapshot.open_conversations,
            subscriptions,
            confirmed_subscriptions,
            counters: snapshot.counters,
            last_error: snapshot.last_error,
            last_message: snapshot.last_message.and_then(moment),
        }
    }
}
