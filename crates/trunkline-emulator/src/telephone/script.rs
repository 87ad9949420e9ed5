//! A person who does what a script says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use trunkline_audio::vad::{SpeechDetector, SpeechEvent, SpeechSettings};
use trunkline_audio::{dtmf, g711};

use super::clip::{Frame, QUIET, Sound, sound_ms};
use super::overlap::Overlap;
use super::party::Said;
use super::report::{Expectation, Report, Who};

/// A step that is ready: everything is spoken and read.
#[derive(Debug, Clone)]
pub(crate) enum Prepared {
    Say {
        text: Option<String>,
        sound: Sound,
    },
    WaitForSpeech {
        timeout_ms: u64,
        expect: Vec<String>,
        end_silence_ms: u64,
    },
    TalkOver {
        after_ms: u64,
        text: Option<String>,
        sound: Sound,
    },
    Digits(VecDeque<char>),
    Pause {
        ms: u64,
    },
    HangUp,
    WaitForHangUp {
        timeout_ms: u64,
    },
    /// The sound of a machine before it records.
    Beep {
        sound: Sound,
    },
}

/// What a script tells while it runs and afterwards.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedReport(Arc<Mutex<Report>>);

impl SharedReport {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Report> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A script while it runs.
pub(crate) struct ScriptRun {
    steps: Vec<Prepared>,
    at: usize,
    /// When the present step began, and how far its sound was played.
    since_ms: Option<u64>,
    played: usize,
    /// When a key was last pressed.
    key_ms: u64,
    machine: bool,
    over: bool,
    ears: Ears,
    overlap: Overlap,
    begun: Option<String>,
    pub(crate) report: SharedReport,
}

/// What the person hears.
struct Ears {
    detector: SpeechDetector,
    keys: dtmf::Detector,
    /// Speech since the last own words: its beginning and the end of its last voice.
    speech: Option<(u64, u64)>,
    /// What was heard of it.
    audio: Vec<u8>,
    voice_end_ms: u64,
    /// Until when there is something that was heard.
    now_ms: u64,
    speaking: bool,
    /// When own words ended to which nobody has answered.
    asked_ms: Option<u64>,
    /// When own words began that are to silence the other side.
    talked_over_ms: Option<u64>,
}

impl ScriptRun {
    pub(crate) fn new(steps: Vec<Prepared>, machine: bool, report: SharedReport) -> Self {
        let ears = Ears {
            detector: SpeechDetector::new(SpeechSettings::default()),
            keys: dtmf::Detector::new(),
            speech: None,
            audio: Vec::new(),
            voice_end_ms: 0,
            now_ms: 0,
            speaking: false,
            asked_ms: None,
            talked_over_ms: None,
        };
        Self {
            steps,
            at: 0,
            since_ms: None,
            played: 0,
            key_ms: 0,
            machine,
            over: false,
            ears,
            overlap: Overlap::default(),
            begun: None,
            report,
        }
    }

    /// Words that were begun since this was last asked.
    pub(crate) fn take_text(&mut self) -> Option<String> {
        self.begun.take()
    }

    pub(crate) fn beeps(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Prepared::Beep { .. }))
    }

    pub(crate) fn is_machine(&self) -> bool {
        self.machine
    }

    /// 20 ms of what the person says.
    pub(crate) fn speak(&mut self, now_ms: u64, frame: &mut Frame) -> Said {
        let mut said = Said::default();
        if self.over {
            return said;
        }
        // Steps without a length follow one another at once; each ends or waits, so this ends as well.
        while let Some(step) = self.steps.get_mut(self.at) {
            let since = *self.since_ms.get_or_insert(now_ms);
            match step {
                Prepared::Say { text, sound } => {
                    if self.played == 0 {
                        self.begun.clone_from(text);
                        self.ears.flush(&self.report, None);
                    }
                    if !copy(sound, &mut self.played, frame) {
                        return said;
                    }
                    let end = since.saturating_add(sound_ms(sound.len()));
                    self.report.lock().said(Who::Caller, text.clone(), since, end);
                    self.ears.asked_ms = Some(end);
                }
                Prepared::TalkOver { after_ms, text, sound } => {
                    if self.played == 0 {
                        let begun = self.ears.speaking.then_some(self.ears.speech).flatten();
                        let due = begun.is_some_and(|(start, _)| now_ms >= start.saturating_add(*after_ms));
                        if !due {
                            if now_ms.saturating_sub(since) >= TALK_OVER_PATIENCE_MS {
                                return self.fail("nobody spoke long enough to be talked over");
                            }
                            return said;
                        }
                        self.begun.clone_from(text);
                        self.since_ms = Some(now_ms);
                        self.ears.talked_over_ms = Some(now_ms);
                        self.overlap.begin();
                    }
                    if !copy(sound, &mut self.played, frame) {
                        return said;
                    }
                    let begun = self.since_ms.unwrap_or(since);
                    let end = begun.saturating_add(sound_ms(sound.len()));
                    self.report.lock().said(Who::Caller, text.clone(), begun, end);
                    self.ears.flush(&self.report, None);
                    self.ears.asked_ms = Some(end);
                }
                Prepared::Beep { sound } => {
                    if !copy(sound, &mut self.played, frame) {
                        return said;
                    }
                    said.machine_done = true;
                }
                Prepared::WaitForSpeech { timeout_ms, expect, end_silence_ms } => {
                    let quiet = !self.ears.speaking && now_ms.saturating_sub(self.ears.voice_end_ms) >= *end_silence_ms;
                    if self.ears.speech.is_some() && quiet {
                        let step = self.at;
                        let expectation = (!expect.is_empty()).then(|| (step, std::mem::take(expect)));
                        self.ears.flush(&self.report, expectation);
                    } else if now_ms.saturating_sub(since) >= *timeout_ms {
                        return self.fail("the other side did not speak, or did not stop, in time");
                    } else {
                        return said;
                    }
                }
                Prepared::Digits(digits) => {
                    if now_ms.saturating_sub(self.key_ms) < KEY_MS && self.key_ms > 0 {
                        return said;
                    }
                    match digits.pop_front() {
                        Some('w') => self.key_ms = now_ms.saturating_add(PAUSE_MS),
                        Some(digit) => {
                            self.key_ms = now_ms.max(1);
                            said.digit = Some(digit);
                        }
                        None => {
                            self.next();
                            continue;
                        }
                    }
                    return said;
                }
                Prepared::Pause { ms } => {
                    if now_ms.saturating_sub(since) < *ms {
                        return said;
                    }
                }
                Prepared::HangUp => {
                    self.over = true;
                    said.hung_up = true;
                    return said;
                }
                Prepared::WaitForHangUp { timeout_ms } => {
                    if now_ms.saturating_sub(since) >= *timeout_ms {
                        return self.fail("the other side did not hang up in time");
                    }
                    return said;
                }
            }
            let sounded = self.played > 0;
            self.next();
            if sounded || said.machine_done {
                return said;
            }
        }
        self.over = true;
        said.hung_up = true;
        said
    }

    /// 20 ms of what the person said goes out.
    pub(crate) fn spoke(&mut self, now_ms: u64, frame: &Frame) {
        self.overlap.spoke(now_ms, frame);
    }

    /// A server dropped what it had to say when the person's sound had been sent up to `sent_ms`.
    pub(crate) fn cleared(&mut self, sent_ms: u64) {
        if let Some(voiced_ms) = self.overlap.cleared(sent_ms) {
            self.report.lock().cleared_after(voiced_ms);
        }
    }

    /// 20 ms of what the person hears.
    pub(crate) fn hear(&mut self, now_ms: u64, frame: &Frame) {
        self.ears.hear(now_ms, frame, &self.report);
    }

    /// A key that the other side pressed.
    pub(crate) fn key(&mut self, digit: char) {
        self.report.lock().digit(digit);
    }

    /// The call is over: what was heard last goes into the report.
    pub(crate) fn finish(&mut self) {
        // Whoever hangs up falls silent.
        if let Some(Prepared::WaitForSpeech { expect, .. }) = self.steps.get_mut(self.at)
            && self.ears.speech.is_some()
        {
            let expectation = (!expect.is_empty()).then(|| (self.at, std::mem::take(expect)));
            self.ears.flush(&self.report, expectation);
            self.ears.speech = None;
            self.next();
        }
        self.ears.flush(&self.report, None);
        if matches!(self.steps.get(self.at), Some(Prepared::Digits(digits)) if digits.is_empty()) {
            self.next();
        }
        let rest = self.steps.get(self.at);
        let waits = matches!(rest, Some(Prepared::WaitForHangUp { .. } | Prepared::HangUp) | None);
        if !self.over && !waits {
            let step = self.at.saturating_add(1);
            self.report.lock().fail(format!("step {step}: the other side hung up"));
        }
    }

    fn next(&mut self) {
        self.at = self.at.saturating_add(1);
        self.since_ms = None;
        self.played = 0;
    }

    fn fail(&mut self, why: &str) -> Said {
        let step = self.at.saturating_add(1);
        self.report.lock().fail(format!("step {step}: {why}"));
        self.over = true;
        Said { hung_up: true, ..Said::default() }
    }
}

impl Ears {
    fn hear(&mut self, now_ms: u64, frame: &Frame, report: &SharedReport) {
        self.now_ms = now_ms.saturating_add(trunkline_audio::FRAME_MS);
        let mut samples = [0_i16; trunkline_audio::FRAME_SAMPLES];
        g711::decode_into(frame, &mut samples);
        match self.detector.push(now_ms, &samples) {
            Some(SpeechEvent::Started { at_ms }) => {
                self.speaking = true;
                let start = self.speech.map_or(at_ms, |(start, _)| start);
                self.speech = Some((start, now_ms));
                let mut report = report.lock();
                report.first_audio(at_ms);
                if let Some(asked) = self.asked_ms.take() {
                    report.gap(at_ms.saturating_sub(asked));
                }
            }
            Some(SpeechEvent::Ended { at_ms }) => {
                self.speaking = false;
                self.voice_end_ms = at_ms;
                self.speech = self.speech.map(|(start, _)| (start, at_ms));
                if let Some(talked_over) = self.talked_over_ms.take() {
                    report.lock().cleared(at_ms.saturating_sub(talked_over));
                }
            }
            None => {}
        }
        if self.speech.is_none() && self.audio.len() > PREROLL_BYTES {
            let surplus = self.audio.len().saturating_sub(PREROLL_BYTES);
            self.audio.drain(..surplus);
        }
        if self.audio.len() < MAX_HEARD_BYTES {
            self.audio.extend_from_slice(frame);
        }
        if *frame != QUIET
            && let Some(digit) = self.keys.push(&samples)
        {
            report.lock().digit(digit);
        }
    }

    /// Writes down what was heard so far, and what it is expected to be.
    fn flush(&mut self, report: &SharedReport, expectation: Option<(usize, Vec<String>)>) {
        let audio = std::mem::take(&mut self.audio);
        let Some((start, end)) = self.speech.take() else { return };
        let end = if self.speaking { self.now_ms } else { end };
        let expectation = expectation.map(|(step, phrases)| Expectation { step, phrases, audio });
        report.lock().heard(start, end, expectation);
        if self.speaking {
            // The rest of it is another entry.
            self.speech = Some((end, end));
        }
    }
}

/// Plays on. `true` when the sound is over; then the frame holds its end.
fn copy(sound: &[u8], played: &mut usize, frame: &mut Frame) -> bool {
    let rest = sound.get(*played..).unwrap_or_default();
    for (slot, byte) in frame.iter_mut().zip(rest) {
        *slot = *byte;
    }
    *played = played.saturating_add(frame.len()).max(1);
    *played >= sound.len()
}

/// How long a key takes, with the pause after it.
const KEY_MS: u64 = 200;
/// What `w` stands for.
const PAUSE_MS: u64 = 500;
/// How long a script waits for somebody to talk over.
const TALK_OVER_PATIENCE_MS: u64 = 30_000;
/// What is kept of the time before speech: 300 ms.
const PREROLL_BYTES: usize = 2400;
/// What is kept of one utterance: a minute.
const MAX_HEARD_BYTES: usize = 480_000;
