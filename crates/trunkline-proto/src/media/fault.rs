//! What can be wrong with a message.

use super::MAX_MESSAGE;

/// Why a message of the stream was refused. It holds nothing of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The message is larger than any that the protocol has.
    #[error("a message of more than {MAX_MESSAGE} bytes")]
    TooLarge,
    /// A binary frame; the protocol has text only.
    #[error("a binary frame; messages are JSON in text frames")]
    Binary,
    /// The message is not JSON.
    #[error("not JSON, at byte {at}")]
    NotJson {
        /// Where reading stopped.
        at: usize,
    },
    /// A field has a type that it cannot have.
    #[error("a field of another type than the protocol gives it, before byte {at}")]
    WrongType {
        /// Where reading stopped.
        at: usize,
    },
    /// A field is missing or empty.
    #[error("the field {0} is missing")]
    Missing(&'static str),
    /// An identifier that is none.
    #[error("the field {0} is not an identifier: 1 to 64 letters, digits, - and _")]
    NotAnId(&'static str),
    /// A message that needs a stream, before its start.
    #[error("{0} before start")]
    BeforeStart(&'static str),
    /// Another start on a stream that has begun. It may be about another call, so the stream must end.
    #[error("a second start")]
    SecondStart,
    /// A message after the end of the stream.
    #[error("{0} after stop")]
    AfterStop(&'static str),
    /// The message names another stream.
    #[error("the streamSid is not the one that start has given")]
    WrongStream,
    /// Audio in a form that was not asked for. Nothing of this stream can be used.
    #[error("the media format is not audio/x-mulaw with 8000 Hz and one channel")]
    Format,
    /// More custom parameters, or longer ones, than the limits allow.
    #[error("more or longer customParameters than are accepted")]
    Parameters,
}

impl Fault {
    /// Stable across releases; listed in `docs/errors.md`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "media.too_large",
            Self::Binary => "media.binary",
            Self::NotJson { .. } => "media.not_json",
            Self::WrongType { .. } => "media.wrong_type",
            Self::Missing(_) => "media.missing_field",
            Self::NotAnId(_) => "media.not_an_id",
            Self::BeforeStart(_) => "media.before_start",
            Self::SecondStart => "media.second_start",
            Self::AfterStop(_) => "media.after_stop",
            Self::WrongStream => "media.wrong_stream",
            Self::Format => "media.format",
            Self::Parameters => "media.parameters",
        }
    }

    /// Whether the stream may go on without this message.
    pub const fn may_go_on(&self) -> bool {
        match self {
            Self::TooLarge | Self::SecondStart | Self::Format | Self::Parameters => false,
            Self::Binary
            | Self::NotJson { .. }
            | Self::WrongType { .. }
            | Self::Missing(_)
            | Self::NotAnId(_)
            | Self::BeforeStart(_)
            | Self::AfterStop(_)
            | Self::WrongStream => true,
        }
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        let at = error.column();
        if error.is_data() { Self::WrongType { at } } else { Self::NotJson { at } }
    }
}
