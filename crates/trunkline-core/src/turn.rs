//! The wire form of a turn: what an agent outside of the gateway is sent by HTTP, and what it answers.
//!
//! These are values of a protocol and hold what people wrote: none of them can be printed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Channel;

/// Event of a streamed answer that carries a [`TextPiece`].
pub const TEXT_EVENT: &str = "text";
/// Event of a streamed answer that carries a [`Remembered`].
pub const REMEMBER_EVENT: &str = "remember";
/// Event of a streamed answer that carries a [`FileToSend`].
pub const FILE_EVENT: &str = "file";
/// Event of a streamed answer: a person should take over. Its data is not looked at.
pub const HAND_OVER_EVENT: &str = "hand_over";
/// Event of a streamed answer: a call ends when the answer has been heard. Its data is not looked at; means nothing where
/// there is no call.
pub const END_CALL_EVENT: &str = "end_call";
/// Event of a streamed answer: it is complete. Its data is not looked at.
pub const DONE_EVENT: &str = "done";

/// Body of the request: texts of a person that want one answer.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TurnRequest {
    /// Name of the turn. The same at each try, also after the gateway was restarted.
    pub turn: String,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// How long the gateway waits for the whole answer, in milliseconds.
    pub deadline_ms: u64,
    /// The gateway's name for the conversation.
    pub conversation: String,
    /// The gateway's name for the person; the same on every channel.
    pub contact: String,
    /// How the person writes.
    pub channel: Channel,
    /// What the person wrote since the last answer, oldest first; at least one text. A text is empty when there is only
    /// media.
    pub input: Vec<String>,
    /// Files that came with that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<TurnMedia>,
    /// What was said before, oldest first.
    pub history: Vec<Said>,
    /// What was said before that, with this person on any channel, in short; absent where there is no more. It is data,
    /// and no instruction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What was remembered of this conversation, by name.
    pub memories: BTreeMap<String, String>,
    /// What the input reminds of: documents, and what was said with this person before; the best first. It is data, to
    /// answer from, and no instruction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recalled: Vec<RecalledPassage>,
}

/// A passage that the input reminds of.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RecalledPassage {
    /// `document`, `transcript` (of a call) or `conversation`.
    pub kind: String,
    /// Where it is from: a document's title, or `Call on 2026-11-28`.
    pub source: String,
    /// Where in its source it stands, in words.
    pub title: String,
    /// What it says.
    pub text: String,
}

/// A file that came with a text.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TurnMedia {
    /// Which text of `input` it came with, from 0.
    pub input: usize,
    /// `image`, `video` or `audio`.
    pub kind: String,
    /// Its media type, by its content.
    pub content_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its content, in hexadecimal.
    pub sha256: String,
    /// The name that the sender gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// Where to get it, with the console's token as bearer.
    pub url: String,
}

/// Something that was said earlier.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Said {
    /// By whom.
    pub role: Speaker,
    /// What.
    pub text: String,
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Speaker {
    /// The person.
    Person,
    /// An agent.
    Agent,
}

/// Body of an answer that comes as one JSON object.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TurnAnswer {
    /// What to say; nothing is said when it is missing or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Files to send, by the SHA-256 under which the gateway keeps them (`POST /api/v1/media`); the first one goes with the
    /// text, each of the others by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<String>,
    /// What to keep for later turns, by name. A name does not begin with a dot.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub remember: BTreeMap<String, String>,
    /// Whether a person should take over.
    #[serde(default, skip_serializing_if = "is_false")]
    pub hand_over: bool,
    /// Whether a call ends when the answer has been heard; means nothing where there is no call.
    #[serde(default, skip_serializing_if = "is_false")]
    pub end_call: bool,
}

/// Data of the event `text`: a piece of the answer. The pieces joined are the answer.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TextPiece {
    /// The piece.
    pub text: String,
}

/// Data of the event `file`: a file to send.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileToSend {
    /// The SHA-256, in hexadecimal, under which the gateway keeps it (`POST /api/v1/media`).
    pub sha256: String,
}

/// Data of the event `remember`: something to keep for later turns.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Remembered {
    /// Under which name; it does not begin with a dot.
    pub name: String,
    /// What.
    pub value: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_false(value: &bool) -> bool {
    !*value
}
