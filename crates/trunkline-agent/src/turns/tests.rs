//! Whole calls in virtual time: a script of what the person does, an agent and a far end that are simulated, and the
//! trace of what the machine orders. The names of troubles are those of other systems' users.

use std::collections::VecDeque;
use std::time::Duration;

use trunkline_audio::playout::SegmentId;

use super::*;

mod keys;
mod random;
mod troubles;

const FRAME: u64 = 20;
/// How much audio the driver keeps ahead of playback.
const LEAD: u64 = 200;

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// What the person, or the world, does.
#[derive(Clone, Debug)]
enum Do {
    Speak,
    Quiet,
    Partial(&'static str),
    Final(&'static str),
    Heard,
    Digit(char),
    Greet,
    /// Something is said that may not be interrupted.
    Notice,
    Drain,
    Operator,
    /// The far end stops playing, and plays again.
    Freeze,
    Thaw,
    /// The far end returns no marks from now on.
    LoseMarks,
}

/// What the simulated agent says: after how long, in which sentences, and whether the call ends then.
#[derive(Clone)]
struct Agent {
    think: u64,
    sentences: Vec<(&'static str, u64)>,
    ends_call: bool,
    fails: bool,
    /// Its voice needs this long.
    silent_for: u64,
    /// Its voice makes nothing of a sentence that is to be said again.
    loses_voice: bool,
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            think: 100,
            sentences: vec![("One two three four five.", 1_000), ("Six seven eight nine ten.", 1_000)],
            ends_call: false,
            fails: false,
            silent_for: 0,
            loses_voice: false,
        }
    }
}

struct Work {
    reply: ReplyId,
    from: u64,
    sentences: VecDeque<(String, u64)>,
    segment: Option<(SegmentId, u64)>,
    is_held: bool,
    told: bool,
    again: usize,
}

struct Call {
    machine: TurnMachine,
    agent: Agent,
    work: Option<Work>,
    /// The far end: (frames to play, mark behind them).
    queue: VecDeque<(u64, Option<String>)>,
    frozen: bool,
    loses_marks: bool,
    trace: Vec<String>,
    heard_ms: u64,
    over: bool,
}

impl Call {
    fn new(policy: Policy, agent: Agent) -> Self {
        Self {
            machine: TurnMachine::new(policy),
            agent,
            work: None,
            queue: VecDeque::new(),
            frozen: false,
            loses_marks: false,
            trace: Vec::new(),
            heard_ms: 0,
            over: false,
        }
    }

    fn outputs(&mut self, now: u64) {
        while let Some(output) = self.machine.poll_output() {
            let line = match output {
                Output::Clear => {
                    let marks: Vec<String> = self.queue.drain(..).filter_map(|(_, mark)| mark).collect();
                    for mark in marks.into_iter().filter(|_| !self.loses_marks) {
                        self.machine.handle(ms(now), Input::Mark(mark));
                    }
                    "clear".to_owned()
                }
                Output::Start { reply, kind } => {
                    let is_answer = matches!(kind, ReplyKind::Answer(_));
                    let sentences = if is_answer {
                        self.agent.sentences.iter().map(|(text, length)| ((*text).to_owned(), *length)).collect()
                    } else {
                        VecDeque::from([("Hello there.".to_owned(), 600)])
                    };
                    let from = now + if is_answer { self.agent.think } else { 0 };
                    self.work =
                        Some(Work { reply, from, sentences, segment: None, is_held: false, told: false, again: 0 });
                    match kind {
                        ReplyKind::Answer(texts) => {
                            let texts: Vec<_> = texts.iter().map(|text| text.expose().clone()).collect();
                            format!("answer {}", texts.join("|"))
                        }
                        ReplyKind::Reprompt(number) => format!("reprompt {number}"),
                        ReplyKind::Goodbye(reason) => format!("goodbye {}", reason.as_str()),
                        ReplyKind::Announcement => "announce".to_owned(),
                    }
                }
                Output::Stop { .. } => {
                    self.work = None;
                    "stop".to_owned()
                }
                Output::Hold { .. } => {
                    if let Some(work) = &mut self.work {
                        work.is_held = true;
                        work.segment = None;
                    }
                    "hold".to_owned()
                }
                Output::Resume { again, .. } => {
                    if let Some(work) = &mut self.work {
                        work.is_held = false;
                        work.segment = None;
                        work.again = again.len();
                        for text in again.iter().rev() {
                            work.sentences.push_front((text.expose().clone(), 1_000));
                        }
                    }
                    "resume".to_owned()
                }
                Output::Filler { reply } => {
                    assert!(self.work.as_ref().is_some_and(|work| work.reply == reply));
                    "filler".to_owned()
                }
                Output::Spoken(spoken) => {
                    self.work.take_if(|work| work.reply == spoken.reply);
                    let end = if spoken.is_complete { "" } else { "..." };
                    format!("heard {:?}{end}", spoken.heard.expose())
                }
                Output::Stalled => "stalled".to_owned(),
                Output::HangUp(reason) => {
                    self.over = true;
                    format!("hang up {}", reason.as_str())
                }
            };
            self.trace.push(format!("{now} {line}"));
        }
    }

    fn tell(&mut self, now: u64, input: Input) {
        self.machine.handle(ms(now), input);
        self.outputs(now);
    }

    /// The driver: sends while less than the lead is waiting.
    fn send(&mut self, now: u64) {
        loop {
            let Some(work) = &mut self.work else { return };
            if work.is_held || now < work.from + self.agent.silent_for || self.over {
                return;
            }
            if self.agent.fails {
                let reply = work.reply;
                self.work = None;
                return self.tell(now, Input::ReplyFailed { reply });
            }
            let Some((segment, left)) = work.segment.as_mut() else {
                if self.agent.loses_voice && work.again > 0 {
                    work.again -= 1;
                    work.sentences.pop_front();
                    self.machine.segment_skipped(work.reply);
                    continue;
                }
                let Some((text, length)) = work.sentences.pop_front() else {
                    if !std::mem::replace(&mut work.told, true) {
                        let (reply, ends_call) = (work.reply, self.agent.ends_call);
                        self.tell(now, Input::ReplyComplete { reply, ends_call });
                    }
                    return;
                };
                let begun = self.machine.begin_segment(work.reply, &text).expect("current");
                work.segment = Some((begun, length));
                continue;
            };
            if *left == 0 {
                let mark = self.machine.segment_sent(*segment).expect("current");
                work.segment = None;
                self.queue.push_back((0, Some(mark.as_str().to_owned())));
                continue;
            }
            if self.machine.unheard(ms(now)) >= ms(LEAD) {
                return;
            }
            let may_send = self.machine.audio_sent(ms(now), *segment, 160);
            assert!(may_send, "the driver was told to stop before it sent");
            *left -= FRAME;
            self.queue.push_back((1, None));
        }
    }

    /// The far end plays 20 ms.
    fn play(&mut self, now: u64) {
        if self.frozen {
            return;
        }
        let mut played = false;
        while let Some((frames, mark)) = self.queue.front().cloned() {
            if let Some(mark) = mark {
                self.queue.pop_front();
                if !self.loses_marks {
                    self.tell(now, Input::Mark(mark));
                }
                continue;
            }
            if played {
                break;
            }
            assert_eq!(frames, 1);
            self.queue.pop_front();
            self.heard_ms += FRAME;
            played = true;
        }
    }

    fn run(mut self, until: u64, script: &[(u64, Do)]) -> Vec<String> {
        let mut script = script.iter().cloned().peekable();
        let mut now = 0;
        while now <= until && !self.over {
            self.play(now);
            while let Some((_, what)) = script.next_if(|(at, _)| *at <= now) {
                let input = match what {
                    Do::Speak => Input::SpeechStarted,
                    Do::Quiet => Input::SpeechEnded { at: ms(now - 200) },
                    Do::Partial(text) => Input::Partial(trunkline_core::Pii::new(text.to_owned())),
                    Do::Final(text) => Input::Final(trunkline_core::Pii::new(text.to_owned())),
                    Do::Heard => Input::EndOfUtterance,
                    Do::Digit(digit) => Input::Digit(digit),
                    Do::Greet => Input::Announce { interruptible: true },
                    Do::Notice => Input::Announce { interruptible: false },
                    Do::Drain => Input::EndCall(EndReason::Draining),
                    Do::Operator => Input::EndCall(EndReason::Operator),
                    Do::Freeze => {
                        self.frozen = true;
                        continue;
                    }
                    Do::Thaw => {
                        self.frozen = false;
                        continue;
                    }
                    Do::LoseMarks => {
                        self.loses_marks = true;
                        continue;
                    }
                };
                self.tell(now, input);
            }
            for _ in 0..8 {
                if self.machine.next_deadline().is_some_and(|due| due <= ms(now)) {
                    self.tell(now, Input::Tick);
                }
            }
            assert!(self.machine.next_deadline().is_none_or(|due| due > ms(now)), "a deadline is never done with");
            self.send(now);
            now += FRAME;
        }
        self.trace
    }
}

fn quiet_policy() -> Policy {
    // Most scripts are about one turn: nobody is asked again.
    Policy { reprompt_after: ms(60_000), ..Policy::default() }
}

/// A person says something that the recognizer understands.
fn question(at: u64) -> Vec<(u64, Do)> {
    vec![(at, Do::Speak), (at + 800, Do::Quiet), (at + 840, Do::Final("a question")), (at + 860, Do::Heard)]
}

fn script(parts: &[Vec<(u64, Do)>]) -> Vec<(u64, Do)> {
    let mut all = parts.concat();
    all.sort_by_key(|(at, _)| *at);
    all
}

struct Row {
    trouble: &'static str,
    policy: Policy,
    agent: Agent,
    script: Vec<(u64, Do)>,
    until: u64,
    expect: &'static [&'static str],
}

fn rows() -> Vec<Row> {
    let row = |trouble, script, expect| Row {
        trouble,
        policy: quiet_policy(),
        agent: Agent::default(),
        script,
        until: 8_000,
        expect,
    };
    vec![
        row(
            "a turn without trouble",
            question(0),
            &["860 answer a question", "2960 heard \"One two three four five. Six seven eight nine ten.\""],
        ),
        row(
            "1, 2: the caller interrupts and the far end's queue is emptied at once",
            script(&[question(0), vec![(1_600, Do::Speak), (1_900, Do::Partial("no stop")), (2_000, Do::Operator)]]),
            &[
                "860 answer a question",
                "1600 clear",
                "1600 hold",
                "1900 stop",
                "1900 heard \"One two\"...",
                "2000 hang up operator",
            ],
        ),
        row(
            "3, 4: audio that was sent and not heard is not remembered",
            script(&[
                question(0),
                vec![(2_100, Do::Speak), (2_300, Do::Partial("wait a moment")), (2_400, Do::Operator)],
            ]),
            &[
                "860 answer a question",
                "2100 clear",
                "2100 hold",
                "2300 stop",
                "2300 heard \"One two three four five.\"...",
                "2400 hang up operator",
            ],
        ),
        row(
            "10: speech while nothing plays interrupts nothing, and is heard",
            script(&[question(0), question(3_500)]),
            &[
                "860 answer a question",
                "2960 heard \"One two three four five. Six seven eight nine ten.\"",
                "4360 answer a question",
                "6460 heard \"One two three four five. Six seven eight nine ten.\"",
            ],
        ),
        row(
            "a back-channel stops nothing for good",
            script(&[
                question(0),
                vec![(1_600, Do::Speak), (2_000, Do::Quiet), (2_100, Do::Final("mm-hm")), (2_100, Do::Heard)],
            ]),
            &[
                "860 answer a question",
                "1600 clear",
                "1600 hold",
                "2700 resume",
                "4700 heard \"One two three four five. Six seven eight nine ten.\"",
            ],
        ),
        row(
            "a cough stops nothing for good",
            script(&[question(0), vec![(1_600, Do::Speak), (1_900, Do::Quiet)]]),
            &[
                "860 answer a question",
                "1600 clear",
                "1600 hold",
                "2600 resume",
                "4600 heard \"One two three four five. Six seven eight nine ten.\"",
            ],
        ),
        row(
            "a pause for thought is one utterance",
            vec![
                (0, Do::Speak),
                (700, Do::Quiet),
                (740, Do::Partial("my number is")),
                (1_000, Do::Speak),
                (1_800, Do::Quiet),
                (1_840, Do::Final("my number is five")),
            ],
            &["2200 answer my number is five", "4300 heard \"One two three four five. Six seven eight nine ten.\""],
        ),
        row(
            "who goes on before the answer sounds is answered once, for both",
            vec![
                (0, Do::Speak),
                (800, Do::Quiet),
                (840, Do::Final("my name is Ada")),
                (860, Do::Heard),
                (900, Do::Speak),
                (1_300, Do::Partial("and")),
                (1_700, Do::Quiet),
                (1_740, Do::Final("and I am late")),
                (1_760, Do::Heard),
            ],
            &[
                "860 answer my name is Ada",
                "900 hold",
                "1300 stop",
                "1300 heard \"\"...",
                "1760 answer my name is Ada|and I am late",
                "3860 heard \"One two three four five. Six seven eight nine ten.\"",
            ],
        ),
        Row {
            trouble: "7: the goodbye is heard whole before the line is dropped",
            agent: Agent { ends_call: true, ..Agent::default() },
            ..row(
                "",
                question(0),
                &[
                    "860 answer a question",
                    "2960 heard \"One two three four five. Six seven eight nine ten.\"",
                    "2960 hang up agent",
                ],
            )
        },
        Row {
            trouble: "7: who speaks during the goodbye keeps the line",
            agent: Agent { ends_call: true, sentences: vec![("Bye bye now.", 1_000)], ..Agent::default() },
            until: 2_500,
            ..row(
                "",
                script(&[question(0), vec![(1_400, Do::Speak), (1_600, Do::Partial("one more thing"))]]),
                &["860 answer a question", "1400 clear", "1400 hold", "1600 stop", "1600 heard \"Bye bye\"..."],
            )
        },
        Row {
            trouble: "8: a goodbye whose marks are lost ends the call all the same",
            agent: Agent { ends_call: true, sentences: vec![("Bye bye now.", 1_000)], ..Agent::default() },
            ..row(
                "",
                script(&[question(0), vec![(1_500, Do::Freeze)]]),
                &["860 answer a question", "4960 heard \"Bye bye now.\"", "4960 hang up agent"],
            )
        },
        Row {
            trouble: "8: silence is asked about, and then ends the call with a goodbye",
            policy: Policy { reprompt_after: ms(1_000), ..Policy::default() },
            ..row(
                "",
                vec![(0, Do::Greet)],
                &[
                    "0 announce",
                    "600 heard \"Hello there.\"",
                    "1600 reprompt 1",
                    "2200 heard \"Hello there.\"",
                    "3200 reprompt 2",
                    "3800 heard \"Hello there.\"",
                    "4800 goodbye silence",
                    "5400 heard \"Hello there.\"",
                    "5400 hang up silence",
                ],
            )
        },
        row(
            "11: a far end that makes no progress is given up, and the sentence said again",
            script(&[vec![(0, Do::Greet)], question(700), vec![(1_800, Do::Freeze), (4_700, Do::Thaw)]]),
            &[
                "0 announce",
                "600 heard \"Hello there.\"",
                "1560 answer a question",
                "4660 clear",
                "4660 stalled",
                "4660 resume",
                "6700 heard \"One two three four five. Six seven eight nine ten.\"",
            ],
        ),
        Row {
            trouble: "a slow agent has something said meanwhile",
            agent: Agent { think: 3_000, ..Agent::default() },
            ..row(
                "",
                question(0),
                &[
                    "860 answer a question",
                    "2860 filler",
                    "5860 heard \"One two three four five. Six seven eight nine ten.\"",
                ],
            )
        },
        Row {
            trouble: "an agent that fails leaves the person the floor",
            agent: Agent { fails: true, ..Agent::default() },
            ..row("", question(0), &["860 answer a question", "960 stop", "960 heard \"\"..."])
        },
        row(
            "keys stop the answer and are one input",
            script(&[question(0), vec![(1_500, Do::Digit('4')), (1_700, Do::Digit('2')), (1_900, Do::Digit('#'))]]),
            &[
                "860 answer a question",
                "1500 clear",
                "1500 stop",
                "1500 heard \"One two\"...",
                "1900 answer 42",
                "4000 heard \"One two three four five. Six seven eight nine ten.\"",
            ],
        ),
        row(
            "noise without an end does not keep us silent",
            script(&[question(0), vec![(700, Do::Partial("a")), (1_600, Do::Speak)]]),
            &[
                "860 answer a question",
                "1600 clear",
                "1600 hold",
                "5600 resume",
                "7600 heard \"One two three four five. Six seven eight nine ten.\"",
            ],
        ),
        row(
            "a gateway that stops says goodbye over whatever is being said",
            script(&[question(0), vec![(1_500, Do::Drain), (1_600, Do::Speak), (1_700, Do::Partial("but why"))]]),
            &[
                "860 answer a question",
                "1500 clear",
                "1500 stop",
                "1500 heard \"One two\"...",
                "1500 goodbye draining",
                "2100 heard \"Hello there.\"",
                "2100 hang up draining",
            ],
        ),
        row(
            "an operator does not wait",
            script(&[question(0), vec![(1_500, Do::Operator)]]),
            &["860 answer a question", "1500 clear", "1500 stop", "1500 heard \"One two\"...", "1500 hang up operator"],
        ),
        Row {
            trouble: "no call lasts for ever",
            policy: Policy { max_duration: ms(1_000), ..quiet_policy() },
            ..row(
                "",
                vec![(0, Do::Greet)],
                &[
                    "0 announce",
                    "600 heard \"Hello there.\"",
                    "1000 goodbye max_duration",
                    "1600 heard \"Hello there.\"",
                    "1600 hang up max_duration",
                ],
            )
        },
    ]
}

#[test]
fn every_trouble_has_its_end() {
    let mut wrong = Vec::new();
    for row in rows().into_iter().chain(troubles::rows()) {
        let trace = Call::new(row.policy, row.agent).run(row.until, &row.script);
        if trace != row.expect {
            wrong.push(format!("{}\n  got      {trace:#?}\n  expected {:#?}", row.trouble, row.expect));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
