//! What can be wrong with a message from Twilio.

use super::MAX_MESSAGE;

/// Why a message was refused. It holds nothing of the message.
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
    /// A field is missing, empty or not one of its values.
    #[error("the field {0} is missing")]
    Missing(&'static str),
    /// A message before the setup that says of which call.
    #[error("{0} before setup")]
    BeforeSetup(&'static str),
    /// Another setup on the same socket. It may be about another call, so the socket must be closed.
    #[error("a second setup")]
    SecondSetup,
    /// More custom parameters, or longer ones, than are accepted.
    #[error("more or longer customParameters than are accepted")]
    Parameters,
}

impl Fault {
    /// Stable across releases; listed in `docs/errors.md`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "relay.too_large",
            Self::Binary => "relay.binary",
            Self::NotJson { .. } => "relay.not_json",
            Self::WrongType { .. } => "relay.wrong_type",
            Self::Missing(_) => "relay.missing_field",
            Self::BeforeSetup(_) => "relay.before_setup",
            Self::SecondSetup => "relay.second_setup",
            Self::Parameters => "relay.parameters",
        }
    }

    /// Whether the session may go on without this message.
    pub const fn may_go_on(&self) -> bool {
        match self {
            Self::TooLarge | Self::SecondSetup | Self::Parameters => false,
            Self::Binary | Self::NotJson { .. } | Self::WrongType { .. } | Self::Missing(_) | Self::BeforeSetup(_) => {
                true
            }
        }
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        let at = error.column();
        if error.is_data() { Self::WrongType { at } } else { Self::NotJson { at } }
    }
}
