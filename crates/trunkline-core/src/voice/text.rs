//! The words of a call, for providers that recognise and speak themselves.

use std::time::Duration;

use async_trait::async_trait;

use super::VoiceError;
use crate::Pii;

/// What comes out of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextEvent {
    /// The person said something.
    Prompt {
        /// The words.
        text: Pii<String>,
        /// In which language, as a BCP 47 tag.
        language: String,
        /// Whether the utterance is complete.
        is_last: bool,
    },
    /// A key of the telephone.
    Digit(char),
    /// The person spoke over the answer.
    Interrupted {
        /// What of the answer was heard.
        heard: Pii<String>,
        /// How long the answer had been playing.
        after: Duration,
    },
    /// The provider could not do what it was told.
    Failed(String),
    /// The call, or its words, are over.
    Stopped,
}

/// What is to be said or done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextCommand {
    /// A piece of what is to be said, spaces and all; `is_last` ends the answer.
    Text {
        /// The piece.
        token: Pii<String>,
        /// Whether the answer is complete.
        is_last: bool,
        /// The language to speak it in, if it is not the usual one.
        language: Option<String>,
        /// Whether the person may speak over it; the call's usual rule if none.
        interruptible: Option<bool>,
    },
    /// Plays a file.
    Play {
        /// Where the provider gets it.
        source: String,
        /// How often; at least once.
        times: u32,
    },
    /// Presses keys.
    Digits(String),
    /// Switches languages.
    Language {
        /// To be spoken.
        speech: Option<String>,
        /// To be listened for.
        transcription: Option<String>,
    },
    /// Ends the words and leaves the call to the provider's next instruction, with data for it.
    End {
        /// What whoever gives that instruction is told.
        handoff: Option<String>,
    },
}

/// The words of one call. Dropping it closes the connection.
#[async_trait]
pub trait TextStream: Send {
    /// The next event; `None` when the connection is closed.
    ///
    /// # Errors
    /// `ErrCodeStreamFailed`: the connection is lost, and nothing more comes.
    ///
    /// # Cancel safety
    /// Cancel-safe: no event is lost.
    async fn next(&mut self) -> Option<Result<TextEvent, VoiceError>>;

    /// Sends a command.
    ///
    /// # Errors
    /// `ErrCodeStreamFailed`, `ErrCodeInvalidConfig` for a command that the provider cannot carry out.
    ///
    /// # Cancel safety
    /// Not cancel-safe: the command may have been sent.
    async fn send(&mut self, command: TextCommand) -> Result<(), VoiceError>;
}
