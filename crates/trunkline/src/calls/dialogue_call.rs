//! A call that a model leads by itself: it listens and speaks, and finds out whose turn it is.
//!
//! What was heard is still ours to say: audio goes through the ledger ([`Answers`]), and a person who speaks over it has
//! the far end cleared at once and the model told how much of its words was heard. So is how a call ends ([`Closing`]).

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use trunkline_agent::turns::EndReason;
use trunkline_audio::vad::{SpeechDetector, SpeechEvent};
use trunkline_audio::{FRAME_MS, FRAME_SAMPLES, g711};
use trunkline_core::Pii;
use trunkline_core::voice::{AudioEvent, AudioFrame, VoiceError};
use trunkline_speech::dialogue::{Dialogue, DialogueEvent, Order};
use trunkline_store::CallTurn;

use super::answers::{Answers, MAX_WORDS, Spoken};
use super::audio_call::{Start, flush};
use super::closing::{Closing, Due};
use super::kept::Kept;
use super::live_calls::CallOrder;
use super::provider::control_of;
use super::{CallContext, Outcome, VoicemailPolicy};

/// How long the far end may say nothing at all before the call is taken as lost.
const DEAD_AFTER: Duration = Duration::from_secs(30);
/// How often what is shown of a call is brought up to date, in frames.
const SHOW_EVERY: u64 = 10;

/// How the model's part of a call ended.
pub(super) enum Ended {
    /// The call is over.
    Call(Outcome),
    /// The model is gone, and the call lives.
    Model,
}

struct Call<'a> {
    context: &'a CallContext,
    start: &'a mut Start,
    dialogue: Dialogue,
    answers: Answers,
    closing: Closing,
    detector: SpeechDetector,
    /// The person speaks, as our detector has it.
    is_spoken_to: bool,
    /// What the person said, until an answer to it begins.
    heard: String,
    /// The newest turn that is over and whose question is not known yet: its words may come late.
    unexplained: Option<CallTurn>,
    speech_end: Option<Duration>,
    hands_over: bool,
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
        answers: Answers::default(),
        closing: Closing::new(context.settings.policy.clone()),
        detector: SpeechDetector::default(),
        is_spoken_to: false,
        heard: String::new(),
        unexplained: None,
        speech_end: None,
        hands_over: false,
        frames: 0,
        began,
        last_frame: Instant::now(),
    };
    let ended = call.run().await;
    call.finish();
    ended
}

impl Call<'_> {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    async fn run(&mut self) -> Result<Ended, VoiceError> {
        loop {
            self.pump()?;
            if !flush(&mut self.start.stream).await? {
                return Ok(Ended::Call(Outcome::Lost));
            }
            self.keep_heard();
            if let Some(outcome) = self.close() {
                return Ok(Ended::Call(outcome));
            }
            let due = self.due();
            tokio::select! {
                biased;
                far = self.start.stream.next() => match far {
                    Some(Ok(AudioEvent::Frame(frame))) => self.frame(&frame)?,
                    Some(Ok(AudioEvent::Digit(digit))) => {
                        self.person();
                        self.tell(format!("(The caller pressed the key {digit}.)"));
                    }
                    Some(Ok(AudioEvent::Mark(name))) => {
                        let now = self.now();
                        self.answers.mark_returned(now, &name);
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
                () = sleep_until(due) => {
                    if self.last_frame.elapsed() > DEAD_AFTER {
                        return Ok(Ended::Call(Outcome::Lost));
                    }
                }
            }
        }
    }

    /// When to look again although nothing happens.
    fn due(&self) -> Instant {
        let rule = (self.began + self.closing.next_due()).max(Instant::now() + Duration::from_millis(FRAME_MS));
        let due = rule.min(self.last_frame + DEAD_AFTER);
        if self.answers.have_audio() { due.min(Instant::now() + Duration::from_millis(FRAME_MS)) } else { due }
    }

    /// Does what the rules of an end ask for.
    fn close(&mut self) -> Option<Outcome> {
        let now = self.now();
        let settings = &self.context.settings;
        let was_heard = self.answers.were_heard(now, settings.policy.hang_up_grace);
        let is_busy = self.is_spoken_to || !self.answers.are_over(now);
        match self.closing.take(now, is_busy, was_heard)? {
            Due::Ask => self.say(&settings.reprompt),
            Due::Goodbye(_) => self.say(&settings.goodbye),
            Due::HangUp(_) if self.hands_over => return Some(Outcome::HandedOver),
            Due::HangUp(reason) => return Some(Outcome::Ended(reason)),
        }
        None
    }

    /// Has the model say something.
    fn say(&self, text: &str) {
        self.tell(format!("(Say to the caller: {text})"));
    }

    fn tell(&self, text: String) {
        if !self.dialogue.order(Order::Say(Pii::new(text))) {
            tracing::warn!("a model that leads a call has more orders than it can take; one is left out");
        }
    }

    fn order(&mut self, order: Option<CallOrder>) -> Option<Outcome> {
        match order? {
            CallOrder::HangUp => Some(Outcome::Ended(EndReason::Operator)),
            CallOrder::Drain => {
                self.end(EndReason::Draining);
                self.say(&self.context.settings.draining);
                None
            }
            CallOrder::Machine => match self.context.settings.voicemail {
                VoicemailPolicy::HangUp => Some(Outcome::Machine),
                VoicemailPolicy::LeaveMessage => {
                    self.say(&self.context.settings.greeting);
                    self.closing.leave(self.began.elapsed());
                    None
                }
                VoicemailPolicy::Talk => None,
            },
            CallOrder::Say(text) => {
                self.say(text.expose());
                None
            }
            CallOrder::Digits(digits) => {
                self.answers.keys.press(&digits);
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
            Some(SpeechEvent::Started { .. }) => {
                self.is_spoken_to = true;
                self.interrupt()?;
            }
            Some(SpeechEvent::Ended { .. }) => {
                self.is_spoken_to = false;
                self.speech_end = Some(now);
            }
            None => {}
        }
        if self.frames.is_multiple_of(SHOW_EVERY) {
            let machine = if self.answers.is_playing(now) { "speaking" } else { "listening" };
            self.start.live.show(machine, trunkline_audio::level::rms_dbfs(&linear));
        }
        Ok(())
    }

    fn end(&mut self, reason: EndReason) {
        let now = self.now();
        self.closing.end(now, reason);
    }

    /// The person does something. That may have changed our mind about the end.
    fn person(&mut self) {
        let now = self.now();
        self.closing.person(now);
        self.hands_over &= !self.closing.may_interrupt();
    }

    /// The person speaks, maybe over the model.
    fn interrupt(&mut self) -> Result<(), VoiceError> {
        let now = self.now();
        if !self.closing.may_interrupt() {
            return Ok(());
        }
        self.person();
        if self.answers.are_over(now) {
            return Ok(());
        }
        self.context.pipeline.metrics.call_cleared();
        self.start.stream.clear()?;
        if let Some(recording) = &mut self.start.recording {
            recording.cleared();
        }
        for spoken in self.answers.cut(now) {
            if !spoken.is_made {
                self.dialogue.order(Order::Cancel);
            }
            self.dialogue.order(Order::Truncate { item: spoken.item.clone(), heard: spoken.heard });
            self.keep(spoken);
        }
        Ok(())
    }

    fn event(&mut self, event: DialogueEvent) -> Result<(), VoiceError> {
        match event {
            DialogueEvent::SpeechStarted => self.interrupt()?,
            DialogueEvent::SpeechEnded => self.speech_end = Some(self.now()),
            DialogueEvent::Heard(text) => self.explained(text),
            DialogueEvent::Audio { item, .. } | DialogueEvent::Said { item, .. } if self.answers.is_cut(&item) => {}
            DialogueEvent::Audio { item, audio } => {
                self.answer(&item);
                self.answers.hear(&item, audio);
            }
            DialogueEvent::Said { item, text } => {
                self.answer(&item);
                self.answers.words(&item, text.expose());
            }
            DialogueEvent::Done => {
                self.answers.made();
                self.closing.made();
            }
            DialogueEvent::EndsCall => self.end(EndReason::Agent),
            DialogueEvent::HandsOver => {
                self.hands_over = self.context.settings.transfer_to.is_some();
                self.end(EndReason::Agent);
            }
        }
        Ok(())
    }

    /// What the person said is known; often only when the answer to it is under way, or over.
    fn explained(&mut self, text: Pii<String>) {
        if let Some(turn) = self.answers.unexplained() {
            turn.person = text;
            self.start.live.show_turn(turn);
        } else if let Some(mut turn) = self.unexplained.take() {
            turn.person = text;
            self.start.journal.spoke(&turn, Kept::default());
            self.start.live.show_turn(&turn);
        } else if self.heard.len() + text.expose().len() < MAX_WORDS {
            self.heard.push_str(text.expose());
        }
    }

    /// Has `item` be said; if it is new, as a turn of its own.
    fn answer(&mut self, item: &str) {
        let now = self.now();
        self.closing.sounds(now);
        if self.answers.holds(item) {
            return;
        }
        let latency = self.speech_end.take().map(|end| now.saturating_sub(end));
        if let Some(latency) = latency {
            self.context.pipeline.metrics.call_turn(latency, false);
        }
        let person = std::mem::take(&mut self.heard);
        let turn = self.turn(person, latency);
        if let Some(oldest) = self.answers.begin(now, item.to_owned(), turn) {
            self.keep(oldest);
        }
    }

    fn turn(&mut self, person: String, latency: Option<Duration>) -> CallTurn {
        self.start.known.turns += 1;
        let turn = CallTurn {
            number: self.start.known.turns,
            kind: "answer".to_owned(),
            at_ms: i64::try_from(self.now().as_millis()).unwrap_or(i64::MAX),
            person: Pii::new(person),
            agent: Pii::new(String::new()),
            latency_ms: latency.map(|latency| i64::try_from(latency.as_millis()).unwrap_or(i64::MAX)),
            interrupted: false,
        };
        self.start.journal.began(&turn);
        self.start.live.show_turn(&turn);
        self.context.pipeline.live.calls_changed();
        turn
    }

    /// Keeps the answers that were heard to their end.
    fn keep_heard(&mut self) {
        let now = self.now();
        while let Some(spoken) = self.answers.take_heard(now) {
            self.keep(spoken);
        }
    }

    /// Keeps what was heard of an answer.
    fn keep(&mut self, spoken: Spoken) {
        let turn = spoken.turn;
        self.start.journal.spoke(&turn, Kept::default());
        self.start.live.show_turn(&turn);
        self.context.pipeline.live.calls_changed();
        self.unexplained = (turn.latency_ms.is_some() && turn.person.expose().is_empty()).then_some(turn);
    }

    /// Keeps what is left when the call, or the model, is over.
    fn finish(&mut self) {
        let now = self.now();
        for spoken in self.answers.end(now) {
            self.keep(spoken);
        }
        let unanswered = std::mem::take(&mut self.heard);
        if !unanswered.is_empty() {
            let turn = self.turn(unanswered, None);
            self.start.journal.spoke(&turn, Kept::default());
        }
    }

    /// Sends what may be sent now.
    fn pump(&mut self) -> Result<(), VoiceError> {
        let now = self.now();
        while let Some((frame, mark)) = self.answers.next_frame(now) {
            self.start.stream.audio(&frame)?;
            if let Some(recording) = &mut self.start.recording {
                recording.sent(&frame);
            }
            if let Some(mark) = mark {
                self.start.stream.mark(mark.as_str())?;
            }
        }
        Ok(())
    }
}
