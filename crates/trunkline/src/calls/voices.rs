//! Speaking, whatever fails: the first voice, then the others, then what was spoken before.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use trunkline_core::Pii;
use trunkline_speech::synthesis::{MAX_PIECES, SynthesisRequest};
use trunkline_speech::{SpeechError, Synthesizer};

use crate::telemetry::Metrics;

/// How long a voice may take for its first sound, and between pieces of it.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// The longest prompt that is kept, in bytes: 30 s.
const MAX_PROMPT_BYTES: usize = 240_000;
/// Prompts that a gateway has; fewer if some are the same.
const PROMPTS: usize = 6;
/// Prompts that are kept.
const MAX_PROMPTS: usize = 64;

/// The voices of a gateway, best first, and what is said again and again.
pub(super) struct Voices {
    engines: Vec<Arc<dyn Synthesizer>>,
    language: String,
    prompts: Mutex<HashMap<String, Bytes>>,
    is_preparing: AtomicBool,
    metrics: Metrics,
}

impl Voices {
    pub(super) fn new(engines: Vec<Arc<dyn Synthesizer>>, language: String, metrics: Metrics) -> Self {
        Self { engines, language, prompts: Mutex::default(), is_preparing: AtomicBool::new(false), metrics }
    }

    /// Whether prompts may be prepared now: nobody else does, and some may be missing.
    pub(super) fn begins_to_prepare(&self) -> bool {
        let is_complete = self.prompts.lock().unwrap_or_else(PoisonError::into_inner).len() >= PROMPTS;
        !is_complete && !self.engines.is_empty() && !self.is_preparing.swap(true, Ordering::Relaxed)
    }

    /// What could be prepared is.
    pub(super) fn has_prepared(&self) {
        self.is_preparing.store(false, Ordering::Relaxed);
    }

    /// Speaks `text` now, so that it is there when it is needed.
    pub(super) async fn prepare(&self, text: &str) {
        if self.prompt(text).is_some() {
            return;
        }
        let mut audio = BytesMut::new();
        for voice in &self.engines {
            audio.clear();
            match self.try_voice(voice, text, |piece| audio.extend_from_slice(&piece)).await {
                Ok(()) if audio.len() <= MAX_PROMPT_BYTES => {
                    let mut prompts = self.prompts.lock().unwrap_or_else(PoisonError::into_inner);
                    if prompts.len() < MAX_PROMPTS {
                        prompts.insert(text.to_owned(), audio.freeze());
                    }
                    return;
                }
                Ok(()) => return,
                Err(_) => {}
            }
        }
    }

    fn prompt(&self, text: &str) -> Option<Bytes> {
        self.prompts.lock().unwrap_or_else(PoisonError::into_inner).get(text).cloned()
    }

    async fn try_voice(
        &self,
        voice: &Arc<dyn Synthesizer>,
        text: &str,
        mut take: impl FnMut(Bytes),
    ) -> Result<(), SpeechError> {
        let late = |_| SpeechError::Timeout { engine: voice.name(), after: PATIENCE };
        let mut request = SynthesisRequest::new(text);
        request.language.clone_from(&self.language);
        let outcome = async {
            let mut speech = tokio::time::timeout(PATIENCE, voice.speak(request)).await.map_err(late)??;
            while let Some(piece) = tokio::time::timeout(PATIENCE, speech.next()).await.map_err(late)? {
                take(piece?);
            }
            Ok(())
        };
        let outcome = outcome.await;
        if let Err(error) = &outcome {
            self.metrics.speech_failed(voice.name(), SpeechError::code(error));
            tracing::warn!(engine = voice.name(), error.code = error.code(), %error, "a voice failed");
        }
        outcome
    }

    /// Begins to speak. A voice that fails before its first sound is replaced by the next; one that fails later ends the
    /// sentence with an error.
    pub(super) fn speak(self: &Arc<Self>, tasks: &TaskTracker, text: &str) -> Voiced {
        let (sender, pieces) = mpsc::channel(MAX_PIECES);
        if let Some(prompt) = self.prompt(text) {
            // The channel is new and has room.
            drop(sender.try_send(Ok(prompt)));
            return Voiced { pieces, _running: None };
        }
        let (voices, text) = (Arc::clone(self), Pii::new(text.to_owned()));
        let stop = CancellationToken::new();
        let ended = stop.clone();
        let work = async move {
            tokio::select! {
                () = voices.speak_by_any(&text, &sender) => {}
                () = ended.cancelled() => {}
            }
        };
        tasks.spawn(work.in_current_span());
        Voiced { pieces, _running: Some(stop.drop_guard()) }
    }

    async fn speak_by_any(&self, text: &Pii<String>, pieces: &mpsc::Sender<Result<Bytes, SpeechError>>) {
        let mut last = SpeechError::Config("no voice is configured".to_owned());
        for voice in &self.engines {
            let mut request = SynthesisRequest::new(text.expose().as_str());
            request.language.clone_from(&self.language);
            match forward(voice, request, pieces).await {
                Ok(()) => return,
                Err((has_sound, error)) => {
                    self.metrics.speech_failed(voice.name(), error.code());
                    tracing::warn!(engine = voice.name(), error.code = error.code(), %error, "a voice failed");
                    last = error;
                    if has_sound {
                        break;
                    }
                }
            }
        }
        // The call may be over.
        drop(pieces.send(Err(last)).await);
    }
}

/// Passes on what a voice makes. An error says whether there was sound before it.
async fn forward(
    voice: &Arc<dyn Synthesizer>,
    request: SynthesisRequest,
    pieces: &mpsc::Sender<Result<Bytes, SpeechError>>,
) -> Result<(), (bool, SpeechError)> {
    let late = SpeechError::Timeout { engine: voice.name(), after: PATIENCE };
    let Ok(opened) = tokio::time::timeout(PATIENCE, voice.speak(request)).await else { return Err((false, late)) };
    let mut speech = opened.map_err(|error| (false, error))?;
    let mut has_sound = false;
    loop {
        let Ok(piece) = tokio::time::timeout(PATIENCE, speech.next()).await else { return Err((has_sound, late)) };
        match piece {
            None => return Ok(()),
            Some(Err(error)) => return Err((has_sound, error)),
            Some(Ok(piece)) => {
                has_sound = true;
                if pieces.send(Ok(piece)).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
}

/// A sentence that is being spoken. Dropping it ends the voice's work.
pub(super) struct Voiced {
    pieces: mpsc::Receiver<Result<Bytes, SpeechError>>,
    _running: Option<DropGuard>,
}

impl Voiced {
    /// The next piece of μ-law; `None` at the end. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, SpeechError>> {
        self.pieces.recv().await
    }
}
