//! Listening, whatever fails: the first recognizer, then the others, then again from the start.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use trunkline_speech::live::{self, AudioSink, AudioSource, Frame};
use trunkline_speech::recognition::{MAX_TRANSCRIPTS, RecognitionRequest, Transcript};
use trunkline_speech::{Recognizer, SpeechError};

use crate::telemetry::Metrics;

/// How long a recognizer may take to be there. What is said meanwhile is kept for it.
const PATIENCE: Duration = Duration::from_secs(2);
/// The wait before all recognizers are tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// How often all of them are tried before a call is deaf.
const ROUNDS: u32 = 3;

/// The ears of one call. Dropping them ends the recognizer's work.
pub(super) struct Ears {
    audio: AudioSink,
    transcripts: mpsc::Receiver<Transcript>,
    is_deaf: bool,
    _running: DropGuard,
}

impl Ears {
    /// Begins to connect a recognizer. Audio may be written at once.
    pub(super) fn open(
        tasks: &TaskTracker,
        recognizers: Vec<Arc<dyn Recognizer>>,
        request: RecognitionRequest,
        metrics: Metrics,
    ) -> Self {
        let (audio, source) = live::channel();
        let (sender, transcripts) = mpsc::channel(MAX_TRANSCRIPTS);
        let stop = CancellationToken::new();
        let ended = stop.clone();
        // Who has no recognizer is not deaf: keys and the provider's own words are enough for them.
        let is_deaf = recognizers.is_empty();
        let work = async move {
            tokio::select! {
                () = listen(recognizers, request, source, sender, metrics) => {}
                () = ended.cancelled() => {}
            }
        };
        if !is_deaf {
            tasks.spawn(work.in_current_span());
        }
        Self { audio, transcripts, is_deaf, _running: stop.drop_guard() }
    }

    /// 20 ms of the person; never waits.
    pub(super) fn write(&self, frame: &Frame) {
        if !self.is_deaf {
            self.audio.write(frame);
        }
    }

    /// The next transcript. `None`, once: nobody listens any more.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Transcript> {
        if self.is_deaf {
            return std::future::pending().await;
        }
        let transcript = self.transcripts.recv().await;
        self.is_deaf = transcript.is_none();
        transcript
    }
}

async fn listen(
    recognizers: Vec<Arc<dyn Recognizer>>,
    request: RecognitionRequest,
    mut source: AudioSource,
    transcripts: mpsc::Sender<Transcript>,
    metrics: Metrics,
) {
    let mut failures = 0;
    while failures < ROUNDS {
        for recognizer in &recognizers {
            match listen_with(recognizer, request.clone(), &mut source, &transcripts).await {
                Ok(()) => return,
                Err((worked, error)) => {
                    metrics.speech_failed(recognizer.name(), error.code());
                    tracing::warn!(engine = recognizer.name(), error.code = error.code(), %error, "a recognizer failed");
                    if worked {
                        failures = 0;
                    }
                }
            }
        }
        failures += 1;
        tokio::time::sleep(AGAIN).await;
    }
}

/// Listens with one recognizer until the call ends. An error says whether it had brought words before.
async fn listen_with(
    recognizer: &Arc<dyn Recognizer>,
    request: RecognitionRequest,
    source: &mut AudioSource,
    transcripts: &mpsc::Sender<Transcript>,
) -> Result<(), (bool, SpeechError)> {
    let late = SpeechError::Timeout { engine: recognizer.name(), after: PATIENCE };
    let Ok(opened) = tokio::time::timeout(PATIENCE, recognizer.open(request)).await else { return Err((false, late)) };
    let mut recognition = opened.map_err(|error| (false, error))?;
    let mut worked = false;
    loop {
        tokio::select! {
            frame = source.next() => match frame {
                Some(frame) => recognition.write(&frame),
                None => return Ok(()),
            },
            heard = recognition.next() => match heard {
                Some(Ok(transcript)) => {
                    worked = true;
                    if transcripts.send(transcript).await.is_err() {
                        return Ok(());
                    }
                }
                Some(Err(error)) => return Err((worked, error)),
                None => {
                    let reason = "it closed the connection".to_owned();
                    return Err((worked, SpeechError::Ended { engine: recognizer.name(), reason }));
                }
            },
        }
    }
}
