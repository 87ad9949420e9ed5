//! Words out of audio, while it is spoken.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;
use trunkline_core::Pii;

use crate::live::{AudioSink, Frame};
use crate::{SpeechError, Vocabulary};

/// Transcripts that may wait to be taken; an engine waits when there are more.
pub const MAX_TRANSCRIPTS: usize = 64;

/// What to listen for.
#[derive(Debug, Clone)]
pub struct RecognitionRequest {
    /// The language, as a BCP 47 tag. Default `en-US`.
    pub language: String,
    /// What is likely to be said.
    pub vocabulary: Vocabulary,
}

impl Default for RecognitionRequest {
    fn default() -> Self {
        Self { language: "en-US".to_owned(), vocabulary: Vocabulary::new() }
    }
}

/// Something that was heard.
#[derive(Debug, Clone, PartialEq)]
pub enum Transcript {
    /// The engine's guess so far of the utterance under way; the next one replaces it.
    Partial(Pii<String>),
    /// An utterance, or a piece of one, that will not change any more.
    Final {
        /// The words.
        text: Pii<String>,
        /// How sure the engine is, from 0 to 1, if it tells.
        confidence: Option<f32>,
    },
    /// The engine is sure that the person has finished speaking.
    EndOfUtterance,
}

/// Something that turns audio into words.
#[async_trait]
pub trait Recognizer: Send + Sync {
    /// Its name, as in metrics.
    fn name(&self) -> &'static str;

    /// How long after the end of speech something must have been heard; whoever takes longer makes no progress. Default
    /// 2 s, for engines that hear while somebody speaks.
    fn patience(&self) -> Duration {
        Duration::from_secs(2)
    }

    /// Begins to listen. Audio may be written at once, also while the engine is still being connected.
    ///
    /// # Errors
    /// [`SpeechError`]; the same errors may come out of [`Recognition::next`] later.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future or the recognition ends the engine's work.
    async fn open(&self, request: RecognitionRequest) -> Result<Recognition, SpeechError>;
}

/// [`Recognizer::patience`] with an engine that begins to hear when an utterance is over.
pub const UTTERANCE_PATIENCE: Duration = Duration::from_secs(10);

/// A recognition that is under way. Dropping it ends it.
pub struct Recognition {
    audio: AudioSink,
    transcripts: mpsc::Receiver<Result<Transcript, SpeechError>>,
    _running: DropGuard,
}

impl Recognition {
    /// Joins the ends of a recognition. `running` is cancelled when the recognition is dropped.
    pub const fn new(
        audio: AudioSink,
        transcripts: mpsc::Receiver<Result<Transcript, SpeechError>>,
        running: DropGuard,
    ) -> Self {
        Self { audio, transcripts, _running: running }
    }

    /// Adds 20 ms of what the caller says; never waits.
    pub fn write(&self, frame: &Frame) {
        self.audio.write(frame);
    }

    /// How many frames the engine was too slow for.
    pub fn dropped(&self) -> u64 {
        self.audio.dropped()
    }

    /// The next transcript, or `None` when the engine has ended. An error is the last that comes.
    ///
    /// # Cancel safety
    /// Cancel-safe: no transcript is lost.
    pub async fn next(&mut self) -> Option<Result<Transcript, SpeechError>> {
        self.transcripts.recv().await
    }
}
