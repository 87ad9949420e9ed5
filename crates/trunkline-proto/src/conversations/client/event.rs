//! What a client tells of conversations, and what it says of itself.

use std::time::Duration;

use crate::conversations::{ConversationData, MessageData, ParticipantData};
use crate::twilsock::client::{ConnectionState, Loss, RequestError, RequestId};

/// Something that happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// The state of the connection is another one; with the reason when it was lost.
    ConnectionStateChanged(ConnectionState, Option<Loss>),
    /// Every conversation that the client was in at its start is open.
    Initialized,
    /// The client has learned of a conversation.
    ConversationAdded(Box<ConversationData>),
    /// The client takes part in it: its messages come from now on.
    ConversationJoined(Box<ConversationData>),
    /// A conversation's own fields changed.
    ConversationUpdated(Box<ConversationData>),
    /// The client takes part no longer.
    ConversationLeft {
        /// `CH…`.
        conversation: String,
    },
    /// The conversation does not exist any more.
    ConversationRemoved {
        /// `CH…`.
        conversation: String,
    },
    /// How far the client has read, as the server says.
    ReadHorizonChanged {
        /// `CH…`.
        conversation: String,
        /// The index; `None` for nothing.
        last_read: Option<u64>,
    },
    /// Somebody takes part.
    ParticipantJoined(ParticipantChange),
    /// Something of a participant changed, such as how far they have read.
    ParticipantUpdated(ParticipantChange),
    /// Somebody takes part no longer.
    ParticipantLeft(ParticipantChange),
    /// Somebody wrote.
    MessageAdded(MessageChange),
    /// A message changed.
    MessageUpdated(MessageChange),
    /// A message is gone.
    MessageRemoved {
        /// `CH…`.
        conversation: String,
        /// Its index.
        index: u64,
        /// `IM…`, if the server said so.
        message: Option<String>,
    },
    /// Somebody else types.
    TypingStarted {
        /// `CH…`.
        conversation: String,
        /// Who.
        identity: String,
    },
    /// They type no longer: they wrote, or stopped telling.
    TypingEnded {
        /// `CH…`.
        conversation: String,
        /// Who.
        identity: String,
    },
    /// A command came to its end.
    Done {
        /// Which.
        command: RequestId,
        /// How.
        outcome: Result<Done, RequestError>,
    },
}

/// A participant, and where.
#[derive(Debug, Clone)]
pub struct ParticipantChange {
    /// `CH…`.
    pub conversation: String,
    /// `MB…`.
    pub participant: String,
    /// What they are now, or were.
    pub data: Box<ParticipantData>,
}

/// A message, and where.
#[derive(Debug, Clone)]
pub struct MessageChange {
    /// `CH…`.
    pub conversation: String,
    /// What it is now.
    pub data: Box<MessageData>,
    /// How its author takes part (`chat`, `sms`, `whatsapp`, …), if they still do.
    pub author_kind: Option<String>,
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Done {
    /// A message was sent.
    Sent {
        /// Its index.
        index: u64,
        /// `IM…`, if the server said so.
        message: Option<String>,
    },
    /// What was told is known.
    Told,
}

/// What a client says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The connection's state.
    pub state: ConnectionState,
    /// As whom it is connected; `None` before the first connection.
    pub identity: Option<String>,
    /// Whether everything is open.
    pub is_initialized: bool,
    /// Conversations in which it takes part.
    pub conversations: usize,
    /// Those of them whose messages come.
    pub open_conversations: usize,
    /// Sync objects that it follows, and how many of them the server has confirmed.
    pub subscriptions: (usize, usize),
    /// What it counted since its start.
    pub counters: Counters,
    /// Why it was disconnected last.
    pub last_error: Option<Loss>,
    /// When the last message came, since the start.
    pub last_message: Option<Duration>,
}

/// What a client counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Times it was connected.
    pub connections: u64,
    /// Times the connection was lost.
    pub losses: u64,
    /// Messages that came, its own among them.
    pub messages_received: u64,
    /// Messages that it sent.
    pub messages_sent: u64,
    /// Commands that failed.
    pub commands_failed: u64,
    /// Payloads of the server that made no sense and were left out.
    pub payloads_refused: u64,
    /// Conversations, participants or typists that were left out because of a limit.
    pub over_limit: u64,
}
