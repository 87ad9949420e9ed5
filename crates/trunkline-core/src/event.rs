//! What travels in an [`Envelope`](crate::Envelope): facts in the past tense, commands in the imperative.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Channel;

mod changes;

pub use changes::{ConversationUpdated, MessageRemoved, MessageUpdated, ParticipantChanged};

/// Envelope type of a [`MessageReceived`].
pub const MESSAGE_RECEIVED: &str = "message.received.v1";
/// Envelope type of a [`DeliveryUpdated`].
pub const DELIVERY_UPDATED: &str = "message.delivery.updated.v1";
/// Envelope type of a [`ConversationChanged`].
pub const CONVERSATION_CHANGED: &str = "conversation.changed.v1";
/// Envelope type of a [`MessageUpdated`].
pub const MESSAGE_UPDATED: &str = "message.updated.v1";
/// Envelope type of a [`MessageRemoved`].
pub const MESSAGE_REMOVED: &str = "message.removed.v1";
/// Envelope type of a [`ConversationUpdated`].
pub const CONVERSATION_UPDATED: &str = "conversation.updated.v1";
/// Envelope type of a [`ParticipantChanged`] that joined.
pub const PARTICIPANT_ADDED: &str = "participant.added.v1";
/// Envelope type of a [`ParticipantChanged`] of which something is different now.
pub const PARTICIPANT_UPDATED: &str = "participant.updated.v1";
/// Envelope type of a [`ParticipantChanged`] that left or was removed.
pub const PARTICIPANT_REMOVED: &str = "participant.removed.v1";
/// Envelope type of a [`SendMessage`].
pub const SEND_MESSAGE: &str = "message.send.v1";
/// Envelope type of a [`CallStarted`].
pub const CALL_STARTED: &str = "call.started.v1";
/// Envelope type of a [`TurnCommitted`].
pub const TURN_COMMITTED: &str = "call.turn.committed.v1";
/// Envelope type of a [`TurnSpoken`].
pub const TURN_SPOKEN: &str = "call.turn.spoken.v1";
/// Envelope type of a [`CallEnded`].
pub const CALL_ENDED: &str = "call.ended.v1";
/// Envelope type of a [`DeadLetter`].
pub const DEAD_LETTER: &str = "dead.letter.v1";

/// Fact: a person wrote something. The subject of its envelope is the conversation.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageReceived {
    /// The sender's address as the connector writes it.
    pub from: String,
    /// What they wrote; empty when there is only media.
    pub text: String,
    /// What they sent along.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<MediaRef>,
    /// How it came.
    pub channel: Channel,
    /// The connector's own names for what this belongs to.
    pub metadata: MessageMetadata,
}

/// The connector's names for a message and what it belongs to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageMetadata {
    /// The conversation.
    pub conversation: String,
    /// The message.
    pub message: String,
    /// The participant who wrote it, if the provider told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant: Option<String>,
    /// Its place in the conversation: grows with each message, may skip numbers.
    pub index: u64,
    /// When the provider accepted it.
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("format" = "date-time")))]
    pub created: Timestamp,
    /// Our address that they wrote to, where the provider tells it with the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// A file at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MediaRef {
    /// The provider's name for it.
    pub id: String,
    /// Media type, such as `image/jpeg`.
    pub content_type: String,
    /// Size in bytes.
    pub size: u64,
    /// Its file name, if the sender gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
}

/// Fact: the delivery of a message that we sent went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeliveryUpdated {
    /// The conversation.
    pub conversation: String,
    /// The message.
    pub message: String,
    /// How far it has come.
    pub status: DeliveryStatus,
    /// The provider's error number, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<u32>,
    /// Whose copy of the message it is, where the provider tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant: Option<String>,
    /// The outbox row that the message was sent for, where the receipt names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbox_id: Option<String>,
}

/// How far a message has come. It only moves forward, whatever the order of the receipts: the later variant wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum DeliveryStatus {
    /// The provider has it.
    Created,
    /// Handed to the network.
    Sent,
    /// The network could not deliver it.
    Undelivered,
    /// The provider gave up.
    Failed,
    /// It is on the person's telephone.
    Delivered,
    /// The person saw it.
    Read,
}

impl DeliveryStatus {
    /// The lower-case word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Sent => "sent",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
    }

    /// The status that this word names.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Created, Self::Sent, Self::Undelivered, Self::Failed, Self::Delivered, Self::Read]
            .into_iter()
            .find(|status| status.as_str().eq_ignore_ascii_case(name))
    }
}

/// Fact: a conversation came to be, changed its state, or went away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConversationChanged {
    /// The conversation.
    pub conversation: String,
    /// What it is now.
    pub state: ConversationPhase,
    /// Its name for people, where the provider tells it with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub friendly_name: Option<String>,
    /// What its platform keeps beside it, where it is told with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<serde_json::Map<String, serde_json::Value>>,
    /// Whether it has just come to be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub created: bool,
}

/// What a conversation can still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ConversationPhase {
    /// Messages flow.
    Active,
    /// Quiet; the next message makes it active.
    Inactive,
    /// Final: nothing can be sent any more.
    Closed,
}

impl ConversationPhase {
    /// The lower-case word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Closed => "closed",
        }
    }
}

/// Command: say something in a conversation. From outside, the envelope's id names the command, so that it is carried out
/// once; from the gateway it is the id of the outbox row.
#[derive(Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SendMessage {
    /// The connector that can reach the conversation.
    pub connector: String,
    /// The conversation, as the connector names it.
    pub conversation: String,
    /// What to say.
    pub text: String,
    /// A template that is sent in place of the text, as the provider names it (`HX…`). The text is then what the history
    /// of the conversation shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_sid: Option<String>,
    /// What is filled in there, by the names of its places.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub content_variables: BTreeMap<String, String>,
    /// A file that is sent along: the SHA-256, in hexadecimal, under which the gateway keeps it (`POST /api/v1/media`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_sha256: Option<String>,
    /// How the person writes, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// The outbox row; the message carries it, so that an unknown outcome can be looked up. Left out by who is outside of
    /// the gateway, which makes the row.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub outbox_id: String,
    /// The messages that this answers, as the connector names them; each must wait for its answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_reply_to: Vec<String>,
}

/// Fact: a call began. The subject of its envelope, and of those of its turns, is the call.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CallStarted {
    /// The gateway's name for the call.
    pub call: String,
    /// The provider's name for it.
    pub provider_call: String,
    /// `inbound` or `outbound`.
    pub direction: String,
    /// The person's address.
    pub person: String,
    /// The gateway's name for the person; the same on every channel.
    pub contact: String,
}

/// Fact: the provider told how a call goes. The type of its envelope is the event's name and a version:
/// `call.ringing.v1`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CallProgressed {
    /// The gateway's name for the call, if it knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// The provider's name for it.
    pub provider_call: String,
    /// What happened: `call.initiated`, `call.ringing`, `call.answered`, `call.completed`, `call.failed`,
    /// `call.answered_by`, `call.returned`, `stream.started`, `stream.ended`, `stream.failed`, `recording.started`,
    /// `recording.completed`, `recording.failed`, `transcription.completed`.
    pub event: String,
    /// The status that the call has now, as the provider writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// How long it lasted, in seconds, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<u64>,
    /// The recording, the stream, or who answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// What was said, of a transcription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The person's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// `inbound` or `outbound`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
}

/// Whether an envelope of this type is a fact of a call; nobody needs to act on those.
pub fn is_of_call(kind: &str) -> bool {
    ["call.", "stream.", "recording.", "transcription."].iter().any(|prefix| kind.starts_with(prefix))
}

/// Fact: the person said something in a call, and it is being answered.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TurnCommitted {
    /// The gateway's name for the call.
    pub call: String,
    /// The turn's number in the call, from 1.
    pub turn: u64,
    /// Since the call's start, in milliseconds.
    pub at_ms: u64,
    /// What the person said; empty where we spoke first.
    pub text: String,
}

/// Fact: we said something in a call, and this much of it was heard.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TurnSpoken {
    /// The gateway's name for the call.
    pub call: String,
    /// The turn's number in the call, from 1.
    pub turn: u64,
    /// What was heard.
    pub heard: String,
    /// Whether the person spoke over it.
    pub interrupted: bool,
    /// From the end of the person's speech to the first sound, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
}

/// Fact: a call is over.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CallEnded {
    /// The gateway's name for the call.
    pub call: String,
    /// Why: `caller`, `agent`, `silence`, `max_duration`, `draining`, `operator`, `transferred`, `failure`, `not_connected`.
    pub outcome: String,
    /// How long it lasted, in milliseconds.
    pub duration_ms: u64,
    /// How many turns it had.
    pub turns: u64,
}

/// Fact: something could not be dealt with and waits for an operator.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeadLetter {
    /// Stable code of the last failure.
    pub code: String,
    /// The last failure in words; no personal data.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// The bus subject that it came from, and goes back to on replay.
    pub origin: String,
    /// The envelope as it was.
    pub envelope: crate::Envelope,
    /// Room for what the one who buried it knows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, String>,
}
