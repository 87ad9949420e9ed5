//! How a phone answers, and what scripts are made of: the JSON of the control API, and its limits.

use std::f32::consts::TAU;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use trunkline_audio::{SAMPLE_RATE, g711};

use super::clip::Sound;
use super::script::Prepared;
use super::studio::{MAX_PHRASES, Studio, StudioError};
use super::wav;
use crate::error::ApiError;

/// How a phone answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnsweringRule {
    rule: Answering,
    /// How long it rings before that. Default [`RING_MS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ring_ms: Option<u64>,
    /// What a machine says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    greeting: Option<String>,
    /// Whether a machine beeps afterwards. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beep: Option<bool>,
    /// What a script does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<Step>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answering {
    /// Answers and stays silent.
    Answer,
    Busy,
    NoAnswer,
    Reject,
    Machine,
    Script,
}

/// One step of a script.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    Say(String),
    /// A WAV file in base64.
    Play(String),
    WaitForSpeech(WaitForSpeech),
    TalkOver(TalkOver),
    Digits(String),
    PauseMs(u64),
    HangUp(bool),
    WaitForHangUp(WaitForHangUp),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaitForSpeech {
    #[serde(default = "patience")]
    timeout_ms: u64,
    #[serde(default)]
    expect: Vec<String>,
    #[serde(default = "end_silence")]
    end_silence_ms: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TalkOver {
    after_ms: u64,
    say: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaitForHangUp {
    #[serde(default = "patience")]
    timeout_ms: u64,
}

impl AnsweringRule {
    pub(crate) fn kind(&self) -> Answering {
        self.rule
    }

    pub(crate) fn ring_ms(&self) -> u64 {
        self.ring_ms.unwrap_or(RING_MS)
    }

    /// What a silent phone does.
    pub(crate) fn silent() -> Self {
        Self { rule: Answering::Answer, ring_ms: None, greeting: None, beep: None, steps: None }
    }

    /// A rule can be carried out, or what is wrong with it.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        let fits = |present: bool, kind: Answering| !present || self.rule == kind;
        if !fits(self.greeting.is_some(), Answering::Machine) || !fits(self.beep.is_some(), Answering::Machine) {
            return Err(ApiError::parameter("greeting and beep are for the rule machine"));
        }
        if !fits(self.steps.is_some(), Answering::Script) || (self.rule == Answering::Script && self.steps.is_none()) {
            return Err(ApiError::parameter("steps are for the rule script, which needs them"));
        }
        if self.ring_ms() > MAX_WAIT_MS {
            return Err(ApiError::parameter("ring_ms must be at most 600000"));
        }
        check_steps(self.steps.as_deref().unwrap_or_default())
    }

    /// The steps of a script or a machine, ready.
    pub(crate) async fn prepare(&self, studio: &Studio) -> Result<Vec<Prepared>, ApiError> {
        if self.rule != Answering::Machine {
            return prepare(self.steps.as_deref().unwrap_or_default(), studio).await;
        }
        let greeting = self.greeting.as_deref().unwrap_or(GREETING);
        let sound = studio.speak(greeting).await.map_err(unspeakable)?;
        let mut steps = vec![Prepared::Say { text: Some(greeting.to_owned()), sound }];
        if self.beep.unwrap_or(true) {
            steps.push(Prepared::Pause { ms: 300 });
            steps.push(Prepared::Beep { sound: beep() });
        }
        steps.push(Prepared::WaitForHangUp { timeout_ms: MACHINE_MS });
        Ok(steps)
    }
}

/// Steps are within their limits, or which one is not.
pub(crate) fn check_steps(steps: &[Step]) -> Result<(), ApiError> {
    if steps.len() > MAX_STEPS {
        return Err(ApiError::parameter("steps must be at most 200"));
    }
    for (number, step) in (1_usize..).zip(steps) {
        let wrong = match step {
            Step::Say(text) => (text.len() > MAX_SAY_BYTES).then_some("say must be at most 2000 bytes"),
            Step::TalkOver(step) => (step.say.len() > MAX_SAY_BYTES || step.after_ms > MAX_WAIT_MS)
                .then_some("talk_over must say at most 2000 bytes, after at most 600000 ms"),
            Step::Digits(digits) => {
                let good = digits.len() <= MAX_DIGITS && digits.chars().all(|key| "0123456789*#ABCDw".contains(key));
                (!good).then_some("digits must be at most 100 of 0-9, *, #, A-D, w")
            }
            Step::PauseMs(ms) => (*ms > MAX_WAIT_MS).then_some("pause_ms must be at most 600000"),
            Step::WaitForSpeech(step) => {
                let long = step.timeout_ms > MAX_WAIT_MS || step.end_silence_ms > MAX_WAIT_MS;
                (long || step.expect.len() > MAX_PHRASES)
                    .then_some("wait_for_speech must take at most 600000 ms and 500 phrases")
            }
            Step::WaitForHangUp(step) => {
                (step.timeout_ms > MAX_WAIT_MS).then_some("wait_for_hang_up must take at most 600000 ms")
            }
            Step::Play(_) | Step::HangUp(true) => None,
            Step::HangUp(false) => Some("hang_up must be true"),
        };
        if let Some(wrong) = wrong {
            let message = format!("Invalid parameter: step {number}: {wrong}");
            return Err(ApiError { message: message.into(), ..ApiError::parameter("") });
        }
    }
    Ok(())
}

/// Speaks and reads everything that the steps need.
pub(crate) async fn prepare(steps: &[Step], studio: &Studio) -> Result<Vec<Prepared>, ApiError> {
    let mut prepared = Vec::with_capacity(steps.len());
    let mut bytes = 0_usize;
    for step in steps {
        let step = match step {
            Step::Say(text) => {
                let sound = studio.speak(text).await.map_err(unspeakable)?;
                Prepared::Say { text: Some(text.clone()), sound }
            }
            Step::Play(data) => {
                let file = STANDARD.decode(data).map_err(|_| ApiError::parameter("play is not base64"))?;
                let sound = wav::read(&file).map_err(|_| ApiError::parameter("play is not a WAV file"))?;
                Prepared::Say { text: None, sound }
            }
            Step::WaitForSpeech(step) => Prepared::WaitForSpeech {
                timeout_ms: step.timeout_ms,
                expect: step.expect.clone(),
                end_silence_ms: step.end_silence_ms,
            },
            Step::TalkOver(step) => {
                let sound = studio.speak(&step.say).await.map_err(unspeakable)?;
                Prepared::TalkOver { after_ms: step.after_ms, text: Some(step.say.clone()), sound }
            }
            Step::Digits(digits) => Prepared::Digits(digits.chars().collect()),
            Step::PauseMs(ms) => Prepared::Pause { ms: *ms },
            Step::HangUp(_) => Prepared::HangUp,
            Step::WaitForHangUp(step) => Prepared::WaitForHangUp { timeout_ms: step.timeout_ms },
        };
        if let Prepared::Say { sound, .. } | Prepared::TalkOver { sound, .. } = &step {
            bytes = bytes.saturating_add(sound.len());
        }
        if bytes > MAX_SCRIPT_BYTES {
            return Err(ApiError::parameter("the steps make more than 30 minutes of sound"));
        }
        prepared.push(step);
    }
    Ok(prepared)
}

fn unspeakable(problem: StudioError) -> ApiError {
    ApiError { message: problem.to_string().into(), ..ApiError::new(503, 20503, "") }
}

/// A second of 1000 Hz.
pub(crate) fn beep() -> Sound {
    let step = TAU * 1000.0 / 8000.0;
    let mut phase = 0.0_f32;
    let samples = (0..SAMPLE_RATE).map(|_| {
        phase = (phase + step) % TAU;
        #[expect(clippy::cast_possible_truncation, reason = "a sine of 8000 fits")]
        let sample = (phase.sin() * 8000.0) as i16;
        g711::encode(sample)
    });
    samples.collect()
}

fn patience() -> u64 {
    10_000
}

fn end_silence() -> u64 {
    700
}

/// How long a phone rings unless its rule says otherwise.
const RING_MS: u64 = 100;
const GREETING: &str = "Hello. You have reached our answering machine. Please leave a message after the tone.";
/// How long a machine records.
const MACHINE_MS: u64 = 120_000;
/// Steps of one script.
const MAX_STEPS: usize = 200;
const MAX_SAY_BYTES: usize = 2000;
const MAX_DIGITS: usize = 100;
/// Longest time of one step.
const MAX_WAIT_MS: u64 = 600_000;
/// Sound of one script: thirty minutes.
const MAX_SCRIPT_BYTES: usize = 30 * 60 * 8000;
