//! Audio out of text, as it is made.

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;
use trunkline_core::Pii;

use crate::SpeechError;

/// Pieces of audio that may wait to be taken; an engine waits when there are more.
pub const MAX_PIECES: usize = 64;
/// The longest text that is spoken at once, in bytes.
pub const MAX_TEXT_BYTES: usize = 8 << 10;

/// What to say, and how.
#[derive(Debug, Clone)]
pub struct SynthesisRequest {
    /// The words, at most [`MAX_TEXT_BYTES`].
    pub text: Pii<String>,
    /// The language, as a BCP 47 tag. Default `en-US`.
    pub language: String,
}

impl SynthesisRequest {
    /// `text` in the default language.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: Pii::new(text.into()), language: "en-US".to_owned() }
    }

    /// Whether there is something to say: engines stumble over signs alone.
    #[must_use]
    pub fn has_words(&self) -> bool {
        self.text.expose().chars().any(char::is_alphanumeric)
    }

    /// Refuses a text that is too long.
    ///
    /// # Errors
    /// `speech.too_long`.
    pub fn check(&self) -> Result<(), SpeechError> {
        if self.text.expose().len() > MAX_TEXT_BYTES {
            return Err(SpeechError::TooLong { what: "the text to speak", limit: format!("{MAX_TEXT_BYTES} bytes") });
        }
        Ok(())
    }
}

/// Something that turns text into audio.
#[async_trait]
pub trait Synthesizer: Send + Sync {
    /// Its name, as in metrics.
    fn name(&self) -> &'static str;

    /// Begins to speak one segment.
    ///
    /// # Errors
    /// [`SpeechError`]; the same errors may come out of [`Speech::next`] later.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future or the speech ends the engine's work.
    async fn speak(&self, request: SynthesisRequest) -> Result<Speech, SpeechError>;
}

/// Audio that is being made. Dropping it ends the engine's work.
pub struct Speech {
    pieces: mpsc::Receiver<Result<Bytes, SpeechError>>,
    _running: Option<DropGuard>,
}

impl Speech {
    /// Audio that comes from a task; `running` is cancelled when the speech is dropped.
    pub const fn new(pieces: mpsc::Receiver<Result<Bytes, SpeechError>>, running: DropGuard) -> Self {
        Self { pieces, _running: Some(running) }
    }

    /// Audio that is there already.
    pub fn ready(audio: Bytes) -> Self {
        let (sender, pieces) = mpsc::channel(1);
        // The channel is empty and has room for one.
        drop(sender.try_send(Ok(audio)));
        Self { pieces, _running: None }
    }

    /// The next piece of μ-law, of any size; `None` at the end. An error is the last that comes.
    ///
    /// # Cancel safety
    /// Cancel-safe: no audio is lost.
    pub async fn next(&mut self) -> Option<Result<Bytes, SpeechError>> {
        self.pieces.recv().await
    }
}
