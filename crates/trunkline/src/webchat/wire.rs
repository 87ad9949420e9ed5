//! The frames: JSON objects in WebSocket text messages, each with its `type`. `docs/webchat.md` describes them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trunkline_store::{ChatLine, ChatSide};

/// What a page sends. Fields that are not known are left out.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum FromPage {
    /// The first frame.
    Hello {
        /// The token of an earlier `welcome`.
        #[serde(default)]
        token: Option<String>,
        /// The highest index that the page has.
        #[serde(default)]
        after: Option<u32>,
    },
    /// The visitor writes.
    Message {
        /// The page's own name for it: the same text sent again has the same.
        id: String,
        text: String,
    },
    /// The visitor is typing, or has stopped.
    Typing { on: bool },
}

/// What a page is told.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ToPage<'a> {
    /// The answer to `hello`.
    Welcome {
        token: &'a str,
        conversation: &'a str,
        /// Whether the token of the `hello` opened a conversation that was there.
        resumed: bool,
        /// Whether there is more before the first of `messages` that the page does not have.
        earlier: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        notice: Option<Notice>,
        messages: Vec<Line<'a>>,
    },
    /// A message is safe.
    Accepted { id: &'a str, index: u64 },
    /// A message was not taken.
    Refused {
        id: &'a str,
        code: &'static str,
        message: &'static str,
        /// Whether the same message may be taken later.
        retry: bool,
    },
    /// Something was said.
    Message(Line<'a>),
    /// An answer is being made, or not any more.
    Typing { on: bool },
    /// A frame made no sense.
    Error { code: &'static str, message: &'static str },
}

/// Something that the visitor should know.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Notice {
    pub(super) code: &'static str,
    pub(super) message: &'static str,
}

/// A line of the conversation.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    index: u64,
    /// `visitor` or `agent`.
    from: &'static str,
    /// The page's own name for it, if the visitor wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    text: &'a str,
    time: Timestamp,
}

impl<'a> From<&'a ChatLine> for Line<'a> {
    fn from(line: &'a ChatLine) -> Self {
        let (from, id) = match &line.side {
            ChatSide::Visitor { client_id } => ("visitor", Some(client_id.as_str())),
            ChatSide::Agent { .. } => ("agent", None),
        };
        Self { index: line.index, from, id, text: line.text.expose(), time: line.at }
    }
}
