//! The machine itself.

mod due;
mod person;

use std::collections::VecDeque;
use std::time::Duration;

use trunkline_audio::playout::{Generation, Ledger, MarkName, MarkReturned, SegmentId};
use trunkline_core::Pii;

use super::endpoint::Endpoint;
use super::guess::Guess;
use super::reply::{Proof, Reply};
use super::utterance::Utterance;
use super::{EndReason, Input, Output, Policy, ReplyId, ReplyKind};

/// Keys that are kept; more are left out.
const MAX_DIGITS: usize = 64;

/// Who has the floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Nobody.
    Listening,
    /// The person.
    PersonSpeaking,
    /// Nobody, until the reply sounds.
    Thinking,
    /// We.
    Speaking,
    /// The person speaks over our reply; it is not certain that they mean it.
    Held,
    /// We, for the last time.
    Ending,
    /// The call is over.
    Over,
}

impl Phase {
    /// The word in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Listening => "listening",
            Self::PersonSpeaking => "person_speaking",
            Self::Thinking => "thinking",
            Self::Speaking => "speaking",
            Self::Held => "held",
            Self::Ending => "ending",
            Self::Over => "over",
        }
    }
}

#[derive(Debug)]
struct Ending {
    reason: EndReason,
    since: Duration,
}

impl Ending {
    /// Whether the person may still change our mind.
    const fn is_revocable(&self) -> bool {
        matches!(self.reason, EndReason::Agent | EndReason::Silence)
    }
}

/// The turn machine of one call. All times are since the call's start and never go back.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the call")]
pub struct TurnMachine {
    policy: Policy,
    now: Duration,
    ledger: Ledger,
    endpoint: Endpoint,
    /// Since when the detector says that the person speaks.
    speaking_since: Option<Duration>,
    last_words: Duration,
    /// The recognizer gives guesses, so speech without any means something.
    has_partials: bool,
    /// When speech over a reply becomes an interruption.
    interrupt_at: Option<Duration>,
    utterance: Option<Utterance>,
    /// Texts of a turn whose answer was stopped before a word of it was heard.
    unanswered: Vec<Pii<String>>,
    answered_guess: Option<Guess>,
    speech_end: Duration,
    reply: Option<Reply>,
    /// Tones of keys, as the ledger has them.
    tones: Option<(Generation, SegmentId)>,
    held_since: Option<Duration>,
    digits: String,
    digit_at: Option<Duration>,
    /// They were ended by their sign.
    are_digits_complete: bool,
    quiet_since: Duration,
    reprompts: u32,
    ending: Option<Ending>,
    is_over: bool,
    last_reply: u64,
    /// Marks come back on this call, so one that does not means something.
    marks_come_back: bool,
    outputs: VecDeque<Output>,
}

impl TurnMachine {
    /// The machine of a call that begins now.
    pub fn new(policy: Policy) -> Self {
        Self {
            endpoint: Endpoint::new(&policy),
            policy,
            now: Duration::ZERO,
            ledger: Ledger::new(),
            speaking_since: None,
            last_words: Duration::ZERO,
            has_partials: false,
            interrupt_at: None,
            utterance: None,
            unanswered: Vec::new(),
            answered_guess: None,
            speech_end: Duration::ZERO,
            reply: None,
            tones: None,
            held_since: None,
            digits: String::new(),
            digit_at: None,
            are_digits_complete: false,
            quiet_since: Duration::ZERO,
            reprompts: 0,
            ending: None,
            is_over: false,
            last_reply: 0,
            marks_come_back: false,
            outputs: VecDeque::new(),
        }
    }

    /// Tells what happened at `now`; what to do about it comes out of [`Self::poll_output`].
    pub fn handle(&mut self, now: Duration, input: Input) {
        self.now = self.now.max(now);
        if self.is_over {
            return;
        }
        match input {
            Input::SpeechStarted => self.speech_started(),
            Input::SpeechEnded { at } => self.speech_ended(at),
            Input::Partial(text) => self.words(text.expose(), false),
            Input::Final(text) => self.words(text.expose(), true),
            Input::EndOfUtterance => self.end_of_utterance(),
            Input::Digit(digit) => self.digit(digit),
            Input::ReplyComplete { reply, ends_call } => self.reply_complete(reply, ends_call),
            Input::ReplyFailed { reply } => self.reply_failed(reply),
            Input::Mark(name) => {
                let returned = self.ledger.mark_returned(self.now, &name);
                self.marks_come_back |= matches!(returned, Some(MarkReturned::Heard(_)));
            }
            Input::Announce { interruptible } => {
                self.stop_reply();
                self.start(ReplyKind::Announcement);
                if let Some(reply) = &mut self.reply {
                    reply.is_interruptible = interruptible;
                }
            }
            Input::EndCall(reason) => self.end_call(reason),
            Input::Tick => {}
        }
        self.advance();
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Tick`] is due, if nothing happens before.
    pub fn next_deadline(&mut self) -> Option<Duration> {
        if self.is_over {
            return None;
        }
        let deadlines = [
            Some(self.policy.max_duration).filter(|_| self.ending.is_none()),
            self.interrupt_due(),
            self.verdict_due(),
            self.commit_due(),
            self.unanswered_due(),
            self.digits_due(),
            self.finish_due(),
            self.filler_due(),
            self.stall_due(),
            self.reprompt_due(),
            self.goodbye_due(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Who has the floor.
    pub fn phase(&mut self) -> Phase {
        let now = self.now;
        if self.is_over {
            Phase::Over
        } else if self.ending.is_some() {
            Phase::Ending
        } else if self.held_since.is_some() {
            Phase::Held
        } else if self.reply.is_some() && self.ledger.is_playing(now) {
            Phase::Speaking
        } else if self.speaking_since.is_some() {
            Phase::PersonSpeaking
        } else if self.reply.is_some() {
            Phase::Thinking
        } else {
            Phase::Listening
        }
    }

    /// Whether audio of this reply may be sent now.
    pub fn may_send(&self, reply: ReplyId) -> bool {
        self.held_since.is_none() && self.current(reply).is_some()
    }

    /// A sentence of a reply is about to be spoken. None: the reply may not go on now.
    pub fn begin_segment(&mut self, reply: ReplyId, text: &str) -> Option<SegmentId> {
        if !self.may_send(reply) {
            return None;
        }
        let reply = self.reply.as_mut()?;
        Some(reply.begin_segment(&mut self.ledger, text))
    }

    /// Enters audio that is about to be sent, in samples at 8 kHz. `false`: it is stale and must not be.
    pub fn audio_sent(&mut self, now: Duration, segment: SegmentId, samples: usize) -> bool {
        self.now = self.now.max(now);
        if self.held_since.is_some() {
            return false;
        }
        let Some(reply) = self.reply.as_mut().filter(|reply| reply.holds(segment)) else { return false };
        if !self.ledger.sent(self.now, reply.generation, segment, samples) {
            return false;
        }
        reply.sent(self.now);
        true
    }

    /// Enters tones of keys that are about to be sent, in samples at 8 kHz: they take their time among what is said, and
    /// are no words of ours.
    pub fn tones_sent(&mut self, now: Duration, samples: usize) {
        self.now = self.now.max(now);
        if let Some((generation, segment)) = self.tones
            && self.ledger.sent(self.now, generation, segment, samples)
        {
            return;
        }
        // Beside a reply they must not make its audio stale; without one, or while it is held, they are by themselves.
        let generation = self.reply.as_ref().map(|reply| reply.generation);
        let generation = generation.filter(|one| self.ledger.is_current(*one)).unwrap_or_else(|| self.ledger.begin());
        let segment = self.ledger.segment(generation);
        self.ledger.sent(self.now, generation, segment, samples);
        self.tones = Some((generation, segment));
    }

    /// All audio of a segment was sent: the mark that is to follow it.
    pub fn segment_sent(&mut self, segment: SegmentId) -> Option<MarkName> {
        let reply = self.reply.as_mut().filter(|reply| reply.holds(segment))?;
        reply.segment_sent(segment);
        Some(self.ledger.mark(segment))
    }

    /// The playing time of what was sent and cannot have been heard by `now`.
    pub fn unheard(&mut self, now: Duration) -> Duration {
        self.ledger.unheard(now)
    }

    /// A sentence that was to be spoken again gave no audio: the reply does not wait for it.
    pub fn segment_skipped(&mut self, reply: ReplyId) {
        if let Some(reply) = self.reply.as_mut().filter(|it| it.id == reply) {
            reply.segment_skipped();
        }
    }

    /// Whether the person, or a new turn, may end what is being said.
    fn may_stop_reply(&self) -> bool {
        self.ending.as_ref().is_none_or(Ending::is_revocable)
            && self.reply.as_ref().is_some_and(|reply| reply.is_interruptible)
    }

    fn current(&self, id: ReplyId) -> Option<&Reply> {
        self.reply.as_ref().filter(|reply| reply.id == id && !self.is_over)
    }

    fn reply_complete(&mut self, id: ReplyId, ends_call: bool) {
        let Some(reply) = self.reply.as_mut().filter(|reply| reply.id == id) else { return };
        reply.is_complete = true;
        if ends_call && self.ending.is_none() {
            self.ending = Some(Ending { reason: EndReason::Agent, since: self.now });
        }
    }

    fn reply_failed(&mut self, id: ReplyId) {
        let Some(reply) = self.current(id) else { return };
        let is_answer = !reply.answers.is_empty();
        self.stop_reply();
        if is_answer {
            self.unanswered.clear();
        }
        if let Some(ending) = &self.ending {
            self.hang_up(ending.reason);
        }
    }

    fn end_call(&mut self, reason: EndReason) {
        match reason {
            EndReason::Operator => {
                self.stop_reply();
                self.hang_up(reason);
            }
            EndReason::Agent if self.reply.is_none() => self.hang_up(reason),
            EndReason::Agent => self.ending = Some(Ending { reason, since: self.now }),
            EndReason::Silence | EndReason::MaxDuration | EndReason::Draining | EndReason::Failure => {
                self.goodbye(reason);
            }
        }
    }

    fn goodbye(&mut self, reason: EndReason) {
        self.stop_reply();
        self.unanswered.clear();
        self.start(ReplyKind::Goodbye(reason));
        let ending = Ending { reason, since: self.now };
        if let Some(reply) = &mut self.reply {
            reply.is_interruptible = ending.is_revocable();
        }
        self.ending = Some(ending);
    }

    fn hang_up(&mut self, reason: EndReason) {
        self.is_over = true;
        self.outputs.push_back(Output::HangUp(reason));
    }

    fn start(&mut self, kind: ReplyKind) {
        self.last_reply += 1;
        let id = ReplyId(self.last_reply);
        let generation = self.ledger.begin();
        let asked = match &kind {
            ReplyKind::Answer(_) => self.speech_end,
            ReplyKind::Reprompt(_) | ReplyKind::Goodbye(_) | ReplyKind::Announcement => self.now,
        };
        self.reply = Some(Reply::new(id, &kind, generation, self.now, asked));
        self.outputs.push_back(Output::Start { reply: id, kind });
    }

    /// Ends the reply where it is.
    fn stop_reply(&mut self) {
        // What was held was cleared before its end; that nothing of it plays any more does not make it heard.
        let was_held = self.held_since.take().is_some();
        self.interrupt_at = None;
        let now = self.now;
        let Some(mut reply) = self.reply.take() else { return };
        let was_heard = !was_held && reply.has_been_played(&mut self.ledger, now);
        if !self.ledger.unheard(now).is_zero() {
            self.outputs.push_front(Output::Clear);
        }
        self.ledger.clear(now);
        let spoken = reply.spoken(&mut self.ledger, now, was_heard, Proof::Time);
        if spoken.heard.expose().is_empty() {
            // Nobody heard an answer: its question is still open.
            self.unanswered.append(&mut reply.answers);
        }
        self.outputs.push_back(Output::Stop { reply: reply.id });
        self.outputs.push_back(Output::Spoken(spoken));
        self.quiet_since = now;
    }

    fn hold(&mut self) {
        self.interrupt_at = None;
        let now = self.now;
        let Some(reply) = &self.reply else { return };
        let id = reply.id;
        if reply.has_been_played(&mut self.ledger, now) {
            // All of it has been heard; only its marks are on their way.
            return;
        }
        if !self.ledger.unheard(now).is_zero() {
            self.outputs.push_front(Output::Clear);
        }
        self.ledger.clear(now);
        self.held_since = Some(now);
        self.outputs.push_back(Output::Hold { reply: id });
        if self.utterance.as_ref().is_some_and(Utterance::asks_for_floor) {
            self.take_floor();
        }
    }

    fn resume(&mut self) {
        self.held_since = None;
        self.quiet_since = self.now;
        let now = self.now;
        let Some(reply) = &mut self.reply else { return };
        if let Some(ending) = self.ending.as_mut().filter(|_| !reply.has_sound()) {
            // It could not be made meanwhile.
            ending.since = now;
        }
        let again = reply.rewind(&mut self.ledger, now, Proof::Time);
        self.outputs.push_back(Output::Resume { reply: reply.id, again });
    }

    /// Does what is due.
    fn advance(&mut self) {
        let now = self.now;
        let is_due = |due: Option<Duration>| due.is_some_and(|due| due <= now);
        if self.ending.is_none() && now >= self.policy.max_duration {
            self.goodbye(EndReason::MaxDuration);
        }
        if is_due(self.interrupt_due()) {
            self.hold();
        }
        if is_due(self.verdict_due()) {
            if let Some(reply) = self.reply.as_mut().filter(|_| self.speaking_since.is_some()) {
                reply.ignores_speech = true;
            }
            self.utterance = None;
            self.resume();
        }
        if is_due(self.commit_due()) {
            if self.utterance.as_ref().is_some_and(Utterance::has_words) {
                self.commit();
            } else {
                self.utterance = None;
                self.quiet_since = now;
            }
        }
        if is_due(self.digits_due()) {
            self.commit();
        }
        if is_due(self.stall_due()) {
            self.stalled();
        }
        if is_due(self.finish_due()) {
            self.finish();
        }
        if is_due(self.unanswered_due()) {
            self.commit();
        }
        if is_due(self.filler_due())
            && let Some(reply) = &mut self.reply
        {
            reply.has_filler = true;
            self.outputs.push_back(Output::Filler { reply: reply.id });
        }
        if is_due(self.reprompt_due()) {
            if self.reprompts < self.policy.max_reprompts {
                self.reprompts += 1;
                self.start(ReplyKind::Reprompt(self.reprompts));
            } else {
                self.goodbye(EndReason::Silence);
            }
        }
        if is_due(self.goodbye_due())
            && let Some(reason) = self.ending.as_ref().map(|ending| ending.reason)
        {
            self.stop_reply();
            self.hang_up(reason);
        }
    }

    fn stalled(&mut self) {
        self.outputs.push_back(Output::Stalled);
        let now = self.now;
        self.outputs.push_front(Output::Clear);
        self.ledger.clear(now);
        let Some(reply) = self.reply.as_mut().filter(|reply| !reply.was_stalled) else { return self.finish_as(false) };
        reply.was_stalled = true;
        let again = reply.rewind(&mut self.ledger, now, Proof::Mark);
        self.outputs.push_back(Output::Resume { reply: reply.id, again });
    }

    fn finish(&mut self) {
        let now = self.now;
        let proved = self.reply.as_ref().is_some_and(|reply| reply.all_heard(&mut self.ledger, now));
        // Where no mark ever comes back, the clock is all there is.
        self.finish_as(proved || !self.marks_come_back);
    }

    fn finish_as(&mut self, is_complete: bool) {
        let now = self.now;
        let Some(reply) = self.reply.take() else { return };
        self.held_since = None;
        // The clock of a far end that returns marks is disproved by one that is missing.
        let proof = if self.marks_come_back { Proof::Mark } else { Proof::Time };
        self.outputs.push_back(Output::Spoken(reply.spoken(&mut self.ledger, now, is_complete, proof)));
        self.endpoint.went_well(&self.policy);
        self.quiet_since = now;
        if let Some(ending) = &self.ending {
            self.hang_up(ending.reason);
        }
    }
}
