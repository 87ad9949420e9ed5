//! What a call says: replies as the turn machine starts, stops, holds and resumes them, and what was heard of each.

use std::sync::Arc;
use std::time::Duration;

use trunkline_agent::turns::{EndReason, Input, Output, Phase, ReplyId, ReplyKind, Spoken};
use trunkline_agent::{Role, Turn, Utterance};
use trunkline_audio::FRAME_SAMPLES;
use trunkline_core::voice::{AudioFrame, VoiceError};
use trunkline_core::{Channel, Pii};
use trunkline_store::CallTurn;

use super::super::journal::turn_id;
use super::super::kept::Kept;
use super::super::mouth::{LEAD, Made, Mouth, Pumped};
use super::super::thinking::{ANSWER_DEADLINE, Grain, Thinking};
use super::super::{Outcome, VoicemailPolicy};
use super::Call;
use crate::telemetry::traceparent;

/// Replies that may fail one after the other before the call ends.
const MAX_FAILURES: u32 = 2;
/// What an agent sees of a call and of what was before, in utterances.
const MAX_HISTORY: usize = 60;

impl Call<'_> {
    /// A machine answered, as it turns out when we have begun to talk to it.
    pub(super) fn machine_listens(&mut self) {
        let now = self.now();
        match self.context.settings.voicemail {
            VoicemailPolicy::HangUp => self.outcome = Some(Outcome::Machine),
            VoicemailPolicy::LeaveMessage => {
                let message = self.context.settings.greeting_for(&self.memories);
                self.announce(vec![message], false);
                self.machine.handle(now, Input::EndCall(EndReason::Agent));
            }
            VoicemailPolicy::Talk => {}
        }
    }

    pub(super) fn made(&mut self, now: Duration, made: Made) {
        let Some(mouth) = &mut self.mouth else { return };
        let reply = mouth.id;
        let Err(code) = mouth.take(made) else { return };
        self.context.pipeline.metrics.call_reply_failed(code);
        self.failures += 1;
        let is_goodbye = self.machine.phase() == Phase::Ending;
        self.machine.handle(now, Input::ReplyFailed { reply });
        if self.failures > MAX_FAILURES {
            // Not even an apology can be said.
            self.machine.handle(now, Input::EndCall(EndReason::Failure));
        } else if !is_goodbye {
            let apology = self.context.settings.apology.clone();
            self.announce(vec![apology], true);
        }
    }

    /// Says something that is no answer.
    pub(super) fn announce(&mut self, texts: Vec<String>, interruptible: bool) {
        let now = self.now();
        self.announcement = Some(texts);
        self.machine.handle(now, Input::Announce { interruptible });
    }

    pub(super) fn do_outputs(&mut self) -> Result<(), VoiceError> {
        while let Some(output) = self.machine.poll_output() {
            self.span.clone().in_scope(|| self.carry_out(output))?;
        }
        Ok(())
    }

    fn carry_out(&mut self, output: Output) -> Result<(), VoiceError> {
        match output {
            Output::Clear | Output::Stalled => self.clear(&output)?,
            Output::Start { reply, kind } => self.start(reply, kind),
            Output::Stop { reply } => {
                self.stopped = self.mouth.take_if(|mouth| mouth.id == reply);
                if let Some(mouth) = &mut self.stopped {
                    mouth.silence();
                }
            }
            Output::Hold { .. } => {
                if let Some(mouth) = &mut self.mouth {
                    mouth.hold();
                }
            }
            Output::Resume { again, .. } => {
                if let Some(mouth) = &mut self.mouth {
                    mouth.resume(again);
                }
            }
            Output::Filler { .. } => {
                let filler = self.context.settings.filler.clone();
                if let Some(mouth) = self.mouth.as_mut().filter(|mouth| !filler.is_empty() && mouth.says_nothing()) {
                    mouth.say_first(filler);
                }
            }
            Output::Spoken(spoken) => self.spoken(&spoken),
            Output::HangUp(reason) => self.outcome = Some(self.end(reason)),
        }
        Ok(())
    }

    fn end(&self, reason: EndReason) -> Outcome {
        if self.hands_over { Outcome::HandedOver } else { Outcome::Ended(reason) }
    }

    fn clear(&mut self, output: &Output) -> Result<(), VoiceError> {
        if *output == Output::Stalled {
            self.context.pipeline.metrics.call_stalled();
            tracing::warn!("the far end of a call makes no progress");
            return Ok(());
        }
        self.context.pipeline.metrics.call_cleared();
        self.keys.clear();
        if let Some(recording) = &mut self.recording {
            recording.cleared();
        }
        self.stream.clear()
    }

    fn start(&mut self, reply: ReplyId, kind: ReplyKind) {
        let settings = &self.context.settings;
        let (label, said, mouth) = match kind {
            ReplyKind::Answer(texts) => {
                let said: Vec<_> = texts.iter().map(|text| text.expose().as_str()).collect();
                let said = said.join("\n");
                let turn = self.turn(texts);
                let tasks = &self.context.tasks;
                let thinking = Thinking::begin(
                    tasks,
                    Arc::clone(&self.agent),
                    (self.context.pipeline.recall.clone(), self.context.pipeline.summaries.clone()),
                    turn,
                    Grain::Sentences,
                    self.journal.settled(),
                );
                ("answer", said, Mouth::thinking(reply, thinking))
            }
            ReplyKind::Announcement => {
                let texts = self.announcement.take().unwrap_or_default();
                ("announcement", String::new(), Mouth::saying(reply, texts))
            }
            ReplyKind::Reprompt(_) => ("reprompt", String::new(), Mouth::saying(reply, [settings.reprompt.clone()])),
            ReplyKind::Goodbye(reason) => {
                let text = if reason == EndReason::Draining { &settings.draining } else { &settings.goodbye };
                ("goodbye", String::new(), Mouth::saying(reply, [text.clone()]))
            }
        };
        self.mouth = Some(mouth);
        self.turns += 1;
        let turn = CallTurn {
            number: self.turns,
            kind: label.to_owned(),
            at_ms: i64::try_from(self.now().as_millis()).unwrap_or(i64::MAX),
            person: Pii::new(said),
            agent: Pii::new(String::new()),
            latency_ms: None,
            interrupted: false,
        };
        self.journal.began(&turn);
        self.live.show_turn(&turn);
        self.context.pipeline.live.calls_changed();
        self.open.insert(reply.number(), turn);
    }

    fn turn(&self, input: Vec<Pii<String>>) -> Turn {
        let history = self.history.iter().skip(self.history.len().saturating_sub(MAX_HISTORY)).cloned();
        Turn {
            id: turn_id(self.live.session.id(), self.turns + 1),
            attempt: 1,
            deadline: ANSWER_DEADLINE,
            traceparent: traceparent(),
            conversation: self.live.session.id().to_string(),
            contact: self.contact.clone(),
            channel: Channel::Voice,
            input,
            attachments: Vec::new(),
            recalled: Vec::new(),
            summary: None,
            history: history.collect(),
            memories: self.memories.clone(),
        }
    }

    /// What was said, and how much of it was heard, is what is remembered.
    pub(super) fn spoken(&mut self, spoken: &Spoken) {
        let Some(mut turn) = self.open.remove(&spoken.reply.number()) else { return };
        let mut kept = Kept::default();
        let mouth = self.mouth.take_if(|mouth| mouth.id == spoken.reply);
        if let Some(mouth) = mouth.or_else(|| self.stopped.take_if(|mouth| mouth.id == spoken.reply)) {
            kept = mouth.kept;
            self.hands_over |= kept.hands_over && self.context.settings.transfer_to.is_some();
        }
        if spoken.is_complete {
            self.failures = 0;
        }
        turn.agent = spoken.heard.clone();
        turn.interrupted = !spoken.is_complete && !spoken.heard.expose().is_empty();
        turn.latency_ms = spoken.latency.map(|latency| i64::try_from(latency.as_millis()).unwrap_or(i64::MAX));
        if turn.kind == "answer" {
            if let Some(latency) = spoken.latency {
                self.context.pipeline.metrics.call_turn(latency, turn.interrupted);
            }
            if !spoken.heard.expose().is_empty() {
                // Words whose answer nobody heard are asked again, and come with that turn.
                self.remember(Role::Person, &turn.person);
            }
        }
        self.remember(Role::Agent, &spoken.heard);
        self.memories.extend(kept.memories.clone());
        if let Some(agent) = kept.next_agent.as_deref().and_then(|name| self.context.pipeline.agents.named(name)) {
            self.agent = agent;
        }
        self.journal.spoke(&turn, kept);
        self.live.show_turn(&turn);
        self.context.pipeline.live.calls_changed();
        if self.hands_over {
            self.outcome = Some(Outcome::HandedOver);
        }
    }

    fn remember(&mut self, role: Role, text: &Pii<String>) {
        if !text.expose().is_empty() {
            self.history.push(Utterance { role, text: text.clone() });
        }
    }

    /// Sends what may be sent.
    pub(super) fn pump(&mut self) -> Result<(), VoiceError> {
        let now = self.now();
        if self.keys.are_waiting() {
            // What else is said waits for the keys.
            return self.pump_keys(now);
        }
        let Some(mouth) = &mut self.mouth else { return Ok(()) };
        let recording = &mut self.recording;
        let mut sent = |frame: &AudioFrame| {
            if let Some(recording) = recording.as_mut() {
                recording.sent(frame);
            }
        };
        let context = self.context;
        let tools = (&context.voices, &context.tasks, &self.span);
        let pumped = mouth.pump(now, &mut self.machine, &mut self.stream, &mut sent, tools)?;
        if pumped == Pumped::Complete && mouth.report() {
            let (reply, ends_call) = (mouth.id, mouth.kept.ends_call);
            self.machine.handle(now, Input::ReplyComplete { reply, ends_call });
            self.do_outputs()?;
        }
        Ok(())
    }

    /// Sends the tones of keys, in their place among what is said.
    fn pump_keys(&mut self, now: Duration) -> Result<(), VoiceError> {
        while self.machine.unheard(now) < LEAD {
            let Some(frame) = self.keys.next_frame() else { break };
            self.machine.tones_sent(now, FRAME_SAMPLES);
            self.stream.audio(&frame)?;
            if let Some(recording) = &mut self.recording {
                recording.sent(&frame);
            }
        }
        Ok(())
    }
}
