//! Calls in which anything happens at any time: whatever it is, time goes on.

use super::*;

/// Deadlines that may be due at one instant.
const MAX_TICKS: usize = 16;
/// Nobody may have to wait longer than this for the machine to do something.
const SOON: u64 = 30_000;

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A driver that does what it is told, or does it late, or badly.
struct Random {
    dice: Dice,
    machine: TurnMachine,
    now: u64,
    reply: Option<ReplyId>,
    segment: Option<SegmentId>,
    marks: Vec<String>,
    /// Segments of the reply are to be said again.
    again: usize,
    is_complete: bool,
    is_speaking: bool,
    is_over: bool,
}

impl Random {
    fn new(seed: u64) -> Self {
        let policy = Policy { max_duration: Duration::from_hours(1_000), ..Policy::default() };
        Self {
            dice: Dice(seed),
            machine: TurnMachine::new(policy),
            now: 0,
            reply: None,
            segment: None,
            marks: Vec::new(),
            again: 0,
            is_complete: false,
            is_speaking: false,
            is_over: false,
        }
    }

    fn outputs(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Start { reply, .. } => {
                    assert_eq!(self.reply, None, "one reply at a time");
                    self.reply = Some(reply);
                    (self.segment, self.again, self.is_complete) = (None, 0, false);
                }
                Output::Hold { .. } => self.segment = None,
                Output::Resume { again, .. } => (self.segment, self.again) = (None, again.len()),
                Output::Spoken(_) => self.reply = None,
                Output::HangUp(_) => self.is_over = true,
                Output::Clear | Output::Stop { .. } | Output::Filler { .. } | Output::Stalled => {}
            }
        }
    }

    fn tell(&mut self, input: Input) {
        self.machine.handle(ms(self.now), input);
        self.outputs();
        let mut ticks = 0;
        while self.machine.next_deadline().is_some_and(|due| due <= ms(self.now)) {
            ticks += 1;
            assert!(ticks <= MAX_TICKS, "time stands still at {} in {:?}", self.now, self.machine);
            self.machine.handle(ms(self.now), Input::Tick);
            self.outputs();
        }
    }

    /// Time passes, deadline by deadline.
    fn pass(&mut self, time: u64) {
        let end = self.now + time;
        while let Some(due) = self.machine.next_deadline().filter(|due| *due <= ms(end)) {
            self.now = self.now.max(u64::try_from(due.as_micros().div_ceil(1_000)).unwrap());
            self.tell(Input::Tick);
        }
        self.now = self.now.max(end);
    }

    fn words(&mut self) -> trunkline_core::Pii<String> {
        let words = ["mm-hm", "a question", "a question and more", "stop", ""];
        trunkline_core::Pii::new(words[usize::try_from(self.dice.roll(5)).unwrap()].to_owned())
    }

    /// The driver says a part of the reply.
    fn speak(&mut self) {
        let Some(reply) = self.reply.filter(|reply| self.machine.may_send(*reply)) else { return };
        let Some(segment) = self.segment else {
            if self.again > 0 && self.dice.roll(3) == 0 {
                self.again -= 1;
                self.machine.segment_skipped(reply);
            } else if self.again > 0 || !self.is_complete {
                self.again = self.again.saturating_sub(1);
                self.segment = self.machine.begin_segment(reply, "Some words of ours.");
            }
            return;
        };
        if self.dice.roll(2) == 0 {
            self.machine.audio_sent(ms(self.now), segment, 1_600);
            return;
        }
        self.segment = None;
        if let Some(mark) = self.machine.segment_sent(segment) {
            self.marks.push(mark.as_str().to_owned());
        }
    }

    fn anything(&mut self) {
        match self.dice.roll(28) {
            0..=2 => {
                self.is_speaking = true;
                self.tell(Input::SpeechStarted);
            }
            3..=6 => {
                self.is_speaking = false;
                let at = ms(self.now.saturating_sub(200));
                self.tell(Input::SpeechEnded { at });
            }
            7 | 8 => {
                let words = self.words();
                self.tell(Input::Partial(words));
            }
            9 | 10 => {
                let words = self.words();
                self.tell(Input::Final(words));
            }
            11 => self.tell(Input::EndOfUtterance),
            12 => self.tell(Input::Digit('5')),
            13 => self.tell(Input::Digit('#')),
            14 | 15 => {
                if let Some(reply) = self.reply.filter(|_| self.segment.is_none() && self.again == 0) {
                    self.is_complete = true;
                    let ends_call = self.dice.roll(8) == 0;
                    self.tell(Input::ReplyComplete { reply, ends_call });
                }
            }
            16 if self.dice.roll(4) == 0 => {
                if let Some(reply) = self.reply {
                    self.tell(Input::ReplyFailed { reply });
                }
            }
            17 | 18 => {
                if let Some(mark) = self.marks.pop() {
                    self.tell(Input::Mark(mark));
                }
            }
            19 if self.dice.roll(3) == 0 => {
                let interruptible = self.dice.roll(2) == 0;
                self.tell(Input::Announce { interruptible });
            }
            20 if self.dice.roll(10) == 0 => {
                let reasons = [EndReason::Agent, EndReason::Silence, EndReason::Draining, EndReason::Failure];
                let reason = reasons[usize::try_from(self.dice.roll(4)).unwrap()];
                self.tell(Input::EndCall(reason));
            }
            _ => self.speak(),
        }
        self.tell(Input::Tick);
    }

    /// Whether the driver owes the machine nothing.
    fn is_machines_turn(&self) -> bool {
        self.reply.is_none() || (self.is_complete && self.segment.is_none() && self.again == 0)
    }
}

#[test]
fn time_never_stands_still_and_no_call_is_forgotten() {
    let mut checked = 0_u32;
    for seed in 0..600 {
        let mut call = Random::new(seed);
        for _ in 0..300 {
            if call.is_over {
                break;
            }
            call.anything();
            let time = [0, 20, 200, 1_000, 4_000];
            let time = time[usize::try_from(call.dice.roll(5)).unwrap()];
            call.pass(time);
            if !call.is_over && !call.is_speaking && call.is_machines_turn() {
                checked += 1;
                let due = call.machine.next_deadline();
                assert!(
                    due.is_some_and(|due| due <= ms(call.now + SOON)),
                    "seed {seed}: nothing is due at {} but {due:?} in {:?}",
                    call.now,
                    call.machine
                );
            }
        }
    }
    assert!(checked > 10_000, "the calls ended too early to show anything: {checked}");
}
