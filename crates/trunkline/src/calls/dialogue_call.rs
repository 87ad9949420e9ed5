//! A call that a model leads by itself: it listens and speaks, and finds out whose turn it is.
//!
//! What was heard is still ours to say: audio goes through the ledger, and a person who speaks over it has the far end
//! cleared at once and the model told how much of its words was heard.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::time::{Instant, sleep_until};
use trunkline_agent::turns::EndReason;
use trunkline_audio::playout::{Generation, Ledger, SegmentId};
use trunkline_audio::vad::{SpeechDetector, SpeechEvent};
use trunkline_audio::{FRAME_MS, FRAME_SAMPLES, g711};
use trunkline_core::Pii;
use trunkline_core::voice::{AudioEvent, AudioFrame, VoiceError};
use trunkline_speech::dialogue::{Dialogue, DialogueEvent, Order};
use trunkline_store::CallTurn;

use super::audio_call::{Start, flush};
use super::keys::Keys;
use super::live_calls::CallOrder;
use super::mouth::LEAD;
use super::{CallContext, Outcome, control_of};

/// Audio that may wait to be sent, in bytes: five minutes. Models speak faster than anyone listens.
const MAX_AUDIO_BYTES: usize = 2_400_000;
/// Words of one turn that are kept, in bytes.
const MAX_WORDS: usize = 16 << 10;
/// How long the far end may say nothing at all before the call is taken as lost.
const DEAD_AFTER: Duration = Duration::from_secs(30);

/// How the model's part of a call ended.
pub(super) enum Ended {
    /// The call is over.
    Call(Outcome),
    /// The model is gone, and the call lives.
    Model,
}

/// An answer of the model.
struct Answer {
    item: String,
    segment: SegmentId,
    generation: Generation,
    words: String,
    turn: CallTurn,
    is_done: bool,
}

struct Call<'a> {
    context: &'a CallContext,
    start: &'a mut Start,
    dialogue: Dialogue,
    ledger: Ledger,
    detector: SpeechDetector,
    keys: Keys,
    /// The tones of keys, as the ledger has them.
    tones: Option<(Generation, SegmentId)>,
    audio: VecDeque<Bytes>,
    waiting: usize,
    answer: Option<Answer>,
    /// The answer that was cut off: what still comes of it is not wanted.
    cut: Option<String>,
    /// What the person said, until an answer to it begins.
    heard: String,
    speech_end: Option<Duration>,
    frames: u64,
    began: Instant,
    last_frame: Instant,
}

/// Has the model lead until the call, or the model, ends.
pub(super) async fn lead(
    context: &CallContext,
    start: &mut Start,
    dialogue: Dialogue,
    began: Instant,
) -> Result<Ended, VoiceError> {
    let mut call = Call {
        context,
        start,
        dialogue,
        ledger: Ledger::new(),
        detector: SpeechDetector::default(),
        keys: Keys::default(),
        tones: None,
        audio: VecDeque::new(),
        waiting: 0,
        answer: None,
        cut: None,
        heard: String::new(),
        speech_end: None,
        frames: 0,
        began,
        last_frame: Instant::now(),
    };
    let ended = call.run().await;
    call.close_answer(true);
    ended
}

impl Call<'_> {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    async fn run(&mut self) -> Result<Ended, VoiceError> {
        let over = self.began + self.context.settings.policy.max_duration;
        loop {
            self.pump()?;
            if !flush(&mut self.start.stream).await? {
                return Ok(Ended::Call(Outcome::Lost));
            }
            let dead = self.last_frame + DEAD_AFTER;
            let due = if self.waiting > 0 || self.keys.are_waiting() {
                Instant::now() + Duration::from_millis(FRAME_MS)
            } else {
                dead
            };
            tokio::select! {
                biased;
                far = self.start.stream.next() => match far {
                    Some(Ok(AudioEvent::Frame(frame))) => self.frame(&frame)?,
                    Some(Ok(AudioEvent::Digit(digit))) => {
                        self.dialogue.order(Order::Say(Pii::new(format!("(The caller pressed the key {digit}.)"))));
                    }
                    Some(Ok(AudioEvent::Mark(name))) => {
                        let now = self.now();
                        let _known = self.ledger.mark_returned(now, &name);
                    }
                    Some(Ok(AudioEvent::Stopped)) | None => return Ok(Ended::Call(Outcome::Caller)),
                    Some(Err(error)) => return Err(error),
                },
                order = self.start.orders.recv() => {
                    if let Some(outcome) = self.order(order) {
                        return Ok(Ended::Call(outcome));
                    }
                }
                event = self.dialogue.next() => match event {
                    Some(Ok(event)) => self.event(event)?,
                    Some(Err(error)) => {
                        self.context.pipeline.metrics.speech_failed("speech-model", error.code());
                        tracing::warn!(error.code = error.code(), %error, "the model that led a call failed");
                        return Ok(Ended::Model);
                    }
                    None => return Ok(Ended::Model),
                },
                () = sleep_until(due.min(over)) => {
                    if Instant::now() >= over {
                        return Ok(Ended::Call(Outcome::Ended(EndReason::MaxDuration)));
                    }
                    if self.last_frame.elapsed() > DEAD_AFTER {
                        return Ok(Ended::Call(Outcome::Lost));
                    }
                }
            }
        }
    }

    fn order(&mut self, order: Option<CallOrder>) -> Option<Outcome> {
        match order? {
            CallOrder::HangUp => Some(Outcome::Ended(EndReason::Operator)),
            CallOrder::Drain => Some(Outcome::Ended(EndReason::Draining)),
            CallOrder::Say(text) => {
                self.dialogue.order(Order::Say(Pii::new(format!("(Say to the caller: {})", text.expose()))));
                None
            }
            CallOrder::Digits(digits) => {
                self.keys.press(&digits);
                None
            }
            order => {
                let (outcome, control) = control_of(&self.context.settings, order)?;
                self.start.control = Some(control);
                Some(outcome)
            }
        }
    }

    fn frame(&mut self, frame: &AudioFrame) -> Result<(), VoiceError> {
        self.last_frame = Instant::now();
        let mut linear = [0_i16; FRAME_SAMPLES];
        g711::decode_into(frame, &mut linear);
        let at_ms = self.frames * FRAME_MS;
        self.frames += 1;
        self.dialogue.write(frame);
        if let Some(recording) = &mut self.start.recording {
            recording.heard(frame);
        }
        let now = self.now();
        match self.detector.push(at_ms, &linear) {
            Some(SpeechEvent::Started { .. }) => self.interrupt()?,
            Some(SpeechEvent::Ended { .. }) => self.speech_end = Some(now),
            None => {}
        }
        if self.frames.is_multiple_of(10) {
            let machine = if self.ledger.is_playing(now) { "speaking" } else { "listening" };
            self.start.live.show(machine, trunkline_audio::level::rms_dbfs(&linear));
        }
        Ok(())
    }

    /// The person speaks over the model.
    fn interrupt(&mut self) -> Result<(), VoiceError> {
        let now = self.now();
        if self.waiting == 0 && !self.ledger.is_playing(now) {
            return Ok(());
        }
        self.context.pipeline.metrics.call_cleared();
        self.start.stream.clear()?;
        self.ledger.clear(now);
        self.keys.clear();
        self.audio.clear();
        self.waiting = 0;
        if let Some(recording) = &mut self.start.recording {
            recording.cleared();
        }
        if let Some(answer) = &self.answer {
            let heard = Duration::from_millis(self.ledger.heard(now, answer.segment).heard_ms);
            if !answer.is_done {
                self.dialogue.order(Order::Cancel);
            }
            self.dialogue.order(Order::Truncate { item: answer.item.clone(), heard });
            self.cut = Some(answer.item.clone());
        }
        self.close_answer(true);
        Ok(())
    }

    fn event(&mut self, event: DialogueEvent) -> Result<(), VoiceError> {
        match event {
            DialogueEvent::SpeechStarted => self.interrupt()?,
            DialogueEvent::SpeechEnded => self.speech_end = Some(self.now()),
            DialogueEvent::Heard(text) => {
                if self.heard.len() + text.expose().len() < MAX_WORDS {
                    self.heard.push_str(text.expose());
                }
                // The words come when the answer to them is under way.
                if let Some(answer) = self.answer.as_mut().filter(|answer| answer.turn.person.expose().is_empty()) {
                    answer.turn.person = Pii::new(std::mem::take(&mut self.heard));
                    self.start.live.show_turn(&answer.turn);
                }
            }
            DialogueEvent::Audio { item, .. } | DialogueEvent::Said { item, .. }
                if self.cut.as_ref() == Some(&item) => {}
            DialogueEvent::Audio { item, audio } => {
                self.answer(item);
                if self.waiting + audio.len() <= MAX_AUDIO_BYTES {
                    self.waiting += audio.len();
                    self.audio.push_back(audio);
                }
            }
            DialogueEvent::Said { item, text } => {
                self.answer(item);
                if let Some(answer) = self.answer.as_mut().filter(|answer| answer.words.len() < MAX_WORDS) {
                    answer.words.push_str(text.expose());
                }
            }
            DialogueEvent::Done => {
                if let Some(answer) = &mut self.answer {
                    answer.is_done = true;
                }
            }
        }
        Ok(())
    }

    /// The answer that `item` belongs to; a new one ends the one before.
    fn answer(&mut self, item: String) {
        if self.answer.as_ref().is_some_and(|answer| answer.item == item) {
            return;
        }
        self.close_answer(false);
        let now = self.now();
        let generation = self.ledger.begin();
        let segment = self.ledger.segment(generation);
        self.start.known.turns += 1;
        let latency = self.speech_end.take().map(|end| now.saturating_sub(end));
        if let Some(latency) = latency {
            self.context.pipeline.metrics.call_turn(latency, false);
        }
        let turn = CallTurn {
            number: self.start.known.turns,
            kind: "answer".to_owned(),
            at_ms: i64::try_from(now.as_millis()).unwrap_or(i64::MAX),
            person: Pii::new(std::mem::take(&mut self.heard)),
            agent: Pii::new(String::new()),
            latency_ms: latency.map(|latency| i64::try_from(latency.as_millis()).unwrap_or(i64::MAX)),
            interrupted: false,
        };
        self.start.journal.began(&turn);
        self.start.live.show_turn(&turn);
        self.context.pipeline.live.calls_changed();
        self.answer = Some(Answer { item, segment, generation, words: String::new(), turn, is_done: false });
    }

    /// Keeps what was heard of the answer.
    fn close_answer(&mut self, is_cut: bool) {
        let Some(answer) = self.answer.take() else { return };
        let now = self.now();
        let heard = self.ledger.heard(now, answer.segment);
        let mut turn = answer.turn;
        let is_whole = !is_cut || (answer.is_done && heard.heard_ms >= heard.sent_ms && self.waiting == 0);
        turn.interrupted = !is_whole;
        turn.agent = Pii::new(if is_whole {
            answer.words
        } else {
            let part = portion(&answer.words, heard.heard_ms, heard.sent_ms.max(estimate(&answer.words)));
            part.to_owned()
        });
        self.start.journal.spoke(&turn, std::collections::BTreeMap::new());
        self.start.live.show_turn(&turn);
        self.context.pipeline.live.calls_changed();
    }

    /// Sends what may be sent now.
    fn pump(&mut self) -> Result<(), VoiceError> {
        let now = self.now();
        self.pump_keys(now)?;
        if self.keys.are_waiting() {
            // What the model says waits for the keys.
            return Ok(());
        }
        while let Some(answer) = &self.answer {
            let is_last = answer.is_done && self.waiting > 0;
            if (self.waiting < FRAME_SAMPLES && !is_last) || self.ledger.unheard(now) >= LEAD {
                return Ok(());
            }
            if !self.ledger.sent(now, answer.generation, answer.segment, FRAME_SAMPLES) {
                return Ok(());
            }
            let segment = answer.segment;
            let frame = self.next_frame();
            self.start.stream.audio(&frame)?;
            if let Some(recording) = &mut self.start.recording {
                recording.sent(&frame);
            }
            if self.waiting == 0 {
                let mark = self.ledger.mark(segment);
                self.start.stream.mark(mark.as_str())?;
            }
        }
        Ok(())
    }

    fn pump_keys(&mut self, now: Duration) -> Result<(), VoiceError> {
        while self.ledger.unheard(now) < LEAD {
            let Some(frame) = self.keys.next_frame() else { break };
            let tones = self.tones.filter(|(generation, _)| self.ledger.is_current(*generation));
            let (generation, segment) = tones.unwrap_or_else(|| {
                let beside = self.answer.as_ref().map(|answer| answer.generation);
                let beside = beside.filter(|generation| self.ledger.is_current(*generation));
                let generation = beside.unwrap_or_else(|| self.ledger.begin());
                (generation, self.ledger.segment(generation))
            });
            self.tones = Some((generation, segment));
            self.ledger.sent(now, generation, segment, FRAME_SAMPLES);
            self.start.stream.audio(&frame)?;
            if let Some(recording) = &mut self.start.recording {
                recording.sent(&frame);
            }
        }
        Ok(())
    }

    fn next_frame(&mut self) -> AudioFrame {
        let mut frame = [g711::SILENCE; FRAME_SAMPLES];
        let mut room = frame.as_mut_slice();
        while let (Some(piece), false) = (self.audio.front_mut(), room.is_empty()) {
            let part = piece.len().min(room.len());
            let (head, rest) = room.split_at_mut(part);
            piece.copy_to_slice(head);
            room = rest;
            self.waiting -= part;
            if piece.is_empty() {
                self.audio.pop_front();
            }
        }
        frame
    }
}

/// How long words take to be spoken, in milliseconds, for audio that was not made to its end.
fn estimate(words: &str) -> u64 {
    55 * words.chars().count() as u64
}

/// The first `heard` of `whole` of a text.
fn portion(text: &str, heard: u64, whole: u64) -> &str {
    let letters = text.chars().count() as u64;
    let kept = usize::try_from(letters.saturating_mul(heard) / whole.max(1)).unwrap_or(usize::MAX);
    let end = text.char_indices().nth(kept).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or_default().trim_end()
}
