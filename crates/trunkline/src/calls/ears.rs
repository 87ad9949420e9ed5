//! Listening, whatever fails: the first recognizer, then the others, then again from the start.
//!
//! A task of its own connects recognizers; frames go from the call to the one that listens without another task between.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, Span};
use trunkline_speech::live::{Frame, MAX_FRAMES};
use trunkline_speech::recognition::{Recognition, RecognitionRequest, Transcript};
use trunkline_speech::{Recognizer, SpeechError};

use super::progress::Progress;
use crate::telemetry::Metrics;

/// How long a recognizer may take to be there. What is said meanwhile is kept for it.
const PATIENCE: Duration = Duration::from_secs(2);
/// The wait before all recognizers are tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// How often all of them are tried before a call is deaf.
const ROUNDS: u32 = 3;

/// A recognizer that listens.
struct Listening {
    engine: &'static str,
    recognition: Recognition,
    /// How long it may take for words.
    patience: Duration,
    /// It has brought words.
    worked: bool,
}

/// The ears of one call. Dropping them ends the recognizer's work.
pub(super) struct Ears {
    listening: Option<Listening>,
    /// What was said while nobody listened, at most [`MAX_FRAMES`]; the oldest goes first.
    early: VecDeque<Frame>,
    progress: Progress,
    /// The recognizer that listens makes no progress.
    is_stalled: bool,
    opened: mpsc::Receiver<Listening>,
    /// Tells that a recognizer ended, and whether it had worked.
    ended: mpsc::Sender<bool>,
    is_deaf: bool,
    metrics: Metrics,
    span: Span,
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
        let (opens, opened) = mpsc::channel(1);
        let (ended, ends) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        // Who has no recognizer is not deaf: keys and the provider's own words are enough for them.
        let is_deaf = recognizers.is_empty();
        let told = metrics.clone();
        let work = async move {
            tokio::select! {
                () = connect(recognizers, request, opens, ends, told) => {}
                () = stopped.cancelled() => {}
            }
        };
        if !is_deaf {
            tasks.spawn(work.in_current_span());
        }
        let early = VecDeque::new();
        let progress = Progress::default();
        Self {
            listening: None,
            early,
            progress,
            is_stalled: false,
            opened,
            ended,
            is_deaf,
            metrics,
            span: Span::current(),
            _running: stop.drop_guard(),
        }
    }

    /// 20 ms of the person; never waits.
    pub(super) fn write(&mut self, frame: &Frame) {
        if let Some(listening) = &self.listening {
            listening.recognition.write(frame);
            self.is_stalled |= self.progress.write(frame, listening.patience);
        } else if !self.is_deaf {
            if self.early.len() == MAX_FRAMES {
                self.early.pop_front();
            }
            self.early.push_back(*frame);
        }
    }

    /// The person begins, or ends, to speak: something is to be heard of it.
    pub(super) const fn speech(&mut self, begins: bool) {
        self.progress.speech(begins);
    }

    /// The next transcript. `None`, once: nobody listens any more.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Transcript> {
        loop {
            if self.is_deaf {
                return std::future::pending().await;
            }
            let Some(listening) = &mut self.listening else {
                let Some(listening) = self.opened.recv().await else {
                    self.is_deaf = true;
                    self.early = VecDeque::new();
                    return None;
                };
                for frame in std::mem::take(&mut self.early) {
                    listening.recognition.write(&frame);
                }
                self.listening = Some(listening);
                continue;
            };
            let engine = listening.engine;
            let error = if std::mem::take(&mut self.is_stalled) {
                // What it did not hear is for the next one, which may be the same, connected anew.
                self.early = self.progress.take();
                listening.worked = false;
                SpeechError::Timeout { engine, after: listening.patience }
            } else {
                match listening.recognition.next().await {
                    Some(Ok(transcript)) => {
                        listening.worked = true;
                        self.progress.heard();
                        return Some(transcript);
                    }
                    Some(Err(error)) => error,
                    None => SpeechError::Ended { engine, reason: "it closed the connection".to_owned() },
                }
            };
            self.span.in_scope(|| failed(&self.metrics, engine, &error));
            let worked = self.listening.take().is_some_and(|listening| listening.worked);
            // There is room: one recognizer listens at a time. Without the task that connects, `opened` ends.
            let _full = self.ended.try_send(worked).is_err();
        }
    }
}

fn failed(metrics: &Metrics, engine: &'static str, error: &SpeechError) {
    metrics.speech_failed(engine, error.code());
    tracing::warn!(engine, error.code = error.code(), %error, "a recognizer failed");
}

/// Connects one recognizer after the other, the next when the last has ended.
async fn connect(
    recognizers: Vec<Arc<dyn Recognizer>>,
    request: RecognitionRequest,
    opens: mpsc::Sender<Listening>,
    mut ends: mpsc::Receiver<bool>,
    metrics: Metrics,
) {
    let mut failures = 0;
    while failures < ROUNDS {
        for recognizer in &recognizers {
            let engine = recognizer.name();
            let opened = tokio::time::timeout(PATIENCE, recognizer.open(request.clone())).await;
            match opened.unwrap_or(Err(SpeechError::Timeout { engine, after: PATIENCE })) {
                Ok(recognition) => {
                    let patience = recognizer.patience();
                    let listening = Listening { engine, recognition, patience, worked: false };
                    if opens.send(listening).await.is_err() {
                        return;
                    }
                    match ends.recv().await {
                        Some(true) => failures = 0,
                        Some(false) => {}
                        None => return,
                    }
                }
                Err(error) => failed(&metrics, engine, &error),
            }
        }
        failures += 1;
        tokio::time::sleep(AGAIN).await;
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use trunkline_core::Pii;
    use trunkline_speech::live;

    use super::*;

    /// Hears a frame's first byte, and ends after as many words as it was given.
    struct Byte(TaskTracker, usize);

    #[async_trait]
    impl Recognizer for Byte {
        fn name(&self) -> &'static str {
            "byte"
        }

        async fn open(&self, _: RecognitionRequest) -> Result<Recognition, SpeechError> {
            let (audio, mut source) = live::channel();
            let (words, transcripts) = mpsc::channel(4);
            let most = self.1;
            self.0.spawn(
                async move {
                    for _ in 0..most {
                        let Some(frame) = source.next().await else { return };
                        let text = Pii::new(frame[0].to_string());
                        drop(words.send(Ok(Transcript::Final { text, confidence: None })).await);
                    }
                }
                .instrument(Span::none()),
            );
            Ok(Recognition::new(audio, transcripts, CancellationToken::new().drop_guard()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn another_recognizer_goes_on_where_one_ended_and_nothing_said_meanwhile_is_lost() {
        let tasks = TaskTracker::new();
        let recognizers: Vec<Arc<dyn Recognizer>> =
            vec![Arc::new(Byte(tasks.clone(), 1)), Arc::new(Byte(tasks.clone(), 2)), Arc::new(Byte(tasks.clone(), 0))];
        let metrics = Metrics::new(&opentelemetry::global::meter("test"));
        let mut ears = Ears::open(&tasks, recognizers, RecognitionRequest::default(), metrics);
        for said in 1..=3_u8 {
            ears.write(&[said; 160]);
            let heard = ears.next().await;
            assert!(matches!(&heard, Some(Transcript::Final { text, .. }) if *text.expose() == said.to_string()));
            if said == 1 {
                // Its end is noticed when the next words are awaited; until then they are its own.
                let end = tokio::time::timeout(Duration::from_millis(1), ears.next()).await;
                assert!(end.is_err(), "{end:?}");
            }
        }
    }

    /// Hears nothing and does not end.
    struct Hung(TaskTracker);

    #[async_trait]
    impl Recognizer for Hung {
        fn name(&self) -> &'static str {
            "hung"
        }

        async fn open(&self, _: RecognitionRequest) -> Result<Recognition, SpeechError> {
            let (audio, mut source) = live::channel();
            let (words, transcripts) = mpsc::channel(4);
            let work = async move {
                while source.next().await.is_some() {}
                drop(words);
            };
            self.0.spawn(work.instrument(Span::none()));
            Ok(Recognition::new(audio, transcripts, CancellationToken::new().drop_guard()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_recognizer_of_which_nothing_comes_is_replaced_and_what_was_said_is_heard() {
        let tasks = TaskTracker::new();
        let recognizers: Vec<Arc<dyn Recognizer>> =
            vec![Arc::new(Hung(tasks.clone())), Arc::new(Byte(tasks.clone(), 400))];
        let metrics = Metrics::new(&opentelemetry::global::meter("test"));
        let mut ears = Ears::open(&tasks, recognizers, RecognitionRequest::default(), metrics);
        assert!(tokio::time::timeout(Duration::from_millis(1), ears.next()).await.is_err(), "it listens");
        (0..1_000).for_each(|_| ears.write(&[0xff; 160]));
        // A cough of which nothing is heard proves nothing, and neither does silence.
        ears.speech(true);
        (0..20).for_each(|_| ears.write(&[1; 160]));
        ears.speech(false);
        (0..200).for_each(|_| ears.write(&[0xff; 160]));
        assert!(!ears.is_stalled);
        ears.speech(true);
        (0..100).for_each(|_| ears.write(&[7; 160]));
        ears.speech(false);
        (0..99).for_each(|_| ears.write(&[0xff; 160]));
        assert!(!ears.is_stalled, "less than two seconds");
        ears.write(&[0xff; 160]);
        let mut words = 0;
        while words < 100 {
            let heard = ears.next().await;
            let Some(Transcript::Final { text, .. }) = heard else { panic!("{heard:?}") };
            words += usize::from(text.expose() == "7");
        }
    }
}
