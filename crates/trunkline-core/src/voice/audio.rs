//! The audio of a call, both ways.

use std::future::poll_fn;
use std::task::{Context, Poll};

use super::VoiceError;

/// Bytes of a frame: 20 ms of G.711 μ-law at 8 kHz.
pub const FRAME_BYTES: usize = 160;

/// 20 ms of G.711 μ-law at 8 kHz, one channel.
pub type AudioFrame = [u8; FRAME_BYTES];

/// What comes out of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudioEvent {
    /// 20 ms of what the person says.
    Frame(AudioFrame),
    /// A key of the telephone.
    Digit(char),
    /// What was sent before the mark of this name was played, or was cleared.
    Mark(String),
    /// The call, or its audio, is over.
    Stopped,
}

/// How a provider moves the audio of one call. It is polled by the task that owns the call: no frame crosses a queue.
pub trait AudioTransport: Send {
    /// The next event; `None` when the connection is closed.
    ///
    /// # Errors
    /// `ErrCodeStreamFailed`: the connection is lost, and nothing more comes.
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<AudioEvent, VoiceError>>>;

    /// Queues audio to be played after what was queued before; whole frames, so a multiple of [`FRAME_BYTES`].
    ///
    /// # Errors
    /// `ErrCodeStreamFailed`, also when the peer reads so slowly that more than the transport's limit is waiting.
    fn audio(&mut self, audio: &[u8]) -> Result<(), VoiceError>;

    /// Queues a mark: it comes back as [`AudioEvent::Mark`].
    ///
    /// # Errors
    /// As [`Self::audio`].
    fn mark(&mut self, name: &str) -> Result<(), VoiceError>;

    /// Drops what was queued and not played, here and at the provider. Goes out ahead of everything that waits here.
    ///
    /// # Errors
    /// As [`Self::audio`].
    fn clear(&mut self) -> Result<(), VoiceError>;

    /// Writes out what is queued.
    ///
    /// # Errors
    /// `ErrCodeStreamFailed`.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), VoiceError>>;

    /// Closes the audio and leaves the call to the provider's next instruction.
    ///
    /// # Errors
    /// `ErrCodeStreamFailed`.
    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<Result<(), VoiceError>>;
}

/// The audio of a call. Dropping it closes the connection.
pub struct AudioStream(Box<dyn AudioTransport>);

impl AudioStream {
    /// Wraps a provider's transport.
    pub fn new(transport: impl AudioTransport + 'static) -> Self {
        Self(Box::new(transport))
    }

    /// The next event; `None` when the connection is closed.
    ///
    /// # Errors
    /// `ErrCodeStreamFailed`.
    ///
    /// # Cancel safety
    /// Cancel-safe: no event is lost.
    pub async fn next(&mut self) -> Option<Result<AudioEvent, VoiceError>> {
        poll_fn(|context| self.0.poll_event(context)).await
    }

    /// Queues audio; [`Self::flush`] sends it. See [`AudioTransport::audio`].
    ///
    /// # Errors
    /// `ErrCodeStreamFailed`.
    pub fn audio(&mut self, audio: &[u8]) -> Result<(), VoiceError> {
        self.0.audio(audio)
    }

    /// Queues a mark. See [`AudioTransport::mark`].
    ///
    /// # Errors
    /// `ErrCodeStreamFailed`.
    pub fn mark(&mut self, name: &str) -> Result<(), VoiceError> {
        self.0.mark(name)
    }

    /// Drops what is queued and not played. See [`AudioTransport::clear`].
    ///
    /// # Errors
    /// `ErrCodeStreamFailed`.
    pub fn clear(&mut self) -> Result<(), VoiceError> {
        self.0.clear()
    }

    /// Writes out what is queued.
    ///
    /// # Errors
    /// `ErrCodeStreamFailed`.
    ///
    /// # Cancel safety
    /// Cancel-safe: what was not written stays queued.
    pub async fn flush(&mut self) -> Result<(), VoiceError> {
        poll_fn(|context| self.0.poll_flush(context)).await
    }

    /// Closes the audio and leaves the call to the provider's next instruction.
    ///
    /// # Errors
    /// `ErrCodeStreamFailed`.
    ///
    /// # Cancel safety
    /// Call it again to go on.
    pub async fn close(&mut self) -> Result<(), VoiceError> {
        poll_fn(|context| self.0.poll_close(context)).await
    }
}
