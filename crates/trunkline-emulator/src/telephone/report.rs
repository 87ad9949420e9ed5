//! What came of a script: who said what when, how fast the other side was, and what failed.

use serde::Serialize;

/// Whose words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Who {
    /// The script.
    Caller,
    /// The other side.
    Agent,
}

/// One stretch of speech. Times are milliseconds since the call was answered.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Utterance {
    who: Who,
    /// As it was written, or as it was understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    start_ms: u64,
    end_ms: u64,
    /// Whether it was one of the phrases that the step expects.
    #[serde(skip_serializing_if = "Option::is_none")]
    matched: Option<bool>,
    /// The step that waited for it, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<usize>,
}

/// Something that was heard and is to be understood.
#[derive(Debug)]
pub(crate) struct Expectation {
    /// The step, counted from 0.
    pub(crate) step: usize,
    pub(crate) phrases: Vec<String>,
    /// μ-law.
    pub(crate) audio: Vec<u8>,
}

/// What a script tells.
#[derive(Debug, Default)]
pub(crate) struct Report {
    transcript: Vec<Utterance>,
    /// Place in the transcript → what is to be understood of it.
    expectations: Vec<(usize, Expectation)>,
    digits: String,
    pub(crate) answered_ms: Option<u64>,
    first_audio_ms: Option<u64>,
    gaps_ms: Vec<u64>,
    clear_ms: Vec<u64>,
    clear_voiced_ms: Vec<u64>,
    failed: Option<String>,
}

/// The result as the control API shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ScriptResult {
    transcript: Vec<Utterance>,
    timings: Timings,
    /// Keys that the other side pressed.
    digits: String,
    pub(crate) recording_url: Option<String>,
    pub(crate) hung_up_by: Option<super::plane::HungUpBy>,
    /// What went over the stream, if the call was handed to a server.
    pub(crate) streamed: super::plane::Streamed,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
#[expect(clippy::struct_field_names, reason = "the unit belongs to the names of the JSON")]
struct Timings {
    /// From dialling to the answer.
    answered_ms: Option<u64>,
    /// From the answer to the first speech of the other side.
    first_audio_ms: Option<u64>,
    /// From the end of each of the caller's words to the answer's first speech.
    gaps_ms: Vec<u64>,
    /// From talking over to silence.
    clear_ms: Vec<u64>,
    /// From the first frame of talking over that has a voice to the last that was sent when the other side's server
    /// dropped its queue, in milliseconds of audio.
    clear_voiced_ms: Vec<u64>,
}

impl Report {
    pub(crate) fn said(&mut self, who: Who, text: Option<String>, start_ms: u64, end_ms: u64) {
        if self.transcript.len() < MAX_UTTERANCES {
            self.transcript.push(Utterance { who, text, start_ms, end_ms, matched: None, step: None });
        }
    }

    pub(crate) fn heard(&mut self, start_ms: u64, end_ms: u64, expectation: Option<Expectation>) {
        let place = self.transcript.len();
        self.said(Who::Agent, None, start_ms, end_ms);
        if let (true, Some(expectation)) = (self.transcript.len() > place, expectation) {
            self.expectations.push((place, expectation));
        }
    }

    pub(crate) fn digit(&mut self, digit: char) {
        if self.digits.len() < MAX_DIGITS {
            self.digits.push(digit);
        }
    }

    pub(crate) fn first_audio(&mut self, at_ms: u64) {
        self.first_audio_ms.get_or_insert(at_ms);
    }

    pub(crate) fn gap(&mut self, ms: u64) {
        if self.gaps_ms.len() < MAX_UTTERANCES {
            self.gaps_ms.push(ms);
        }
    }

    pub(crate) fn cleared(&mut self, ms: u64) {
        if self.clear_ms.len() < MAX_UTTERANCES {
            self.clear_ms.push(ms);
        }
    }

    pub(crate) fn cleared_after(&mut self, voiced_ms: u64) {
        if self.clear_voiced_ms.len() < MAX_UTTERANCES {
            self.clear_voiced_ms.push(voiced_ms);
        }
    }

    pub(crate) fn fail(&mut self, why: String) {
        self.failed.get_or_insert(why);
    }

    /// What is still to be understood.
    pub(crate) fn take_expectations(&mut self) -> Vec<(usize, Expectation)> {
        std::mem::take(&mut self.expectations)
    }

    /// What was understood; nothing if it was none of the phrases.
    pub(crate) fn understood(&mut self, place: usize, step: usize, text: Option<String>) {
        if let Some(utterance) = self.transcript.get_mut(place) {
            utterance.step = Some(step.saturating_add(1));
            utterance.matched = Some(text.as_ref().is_some_and(|text| !text.is_empty()));
            utterance.text = text.filter(|text| !text.is_empty());
        }
    }

    /// The result so far. Utterances are in the order of their beginnings.
    pub(crate) fn result(&self) -> ScriptResult {
        let mut transcript = self.transcript.clone();
        transcript.sort_by_key(|utterance| utterance.start_ms);
        ScriptResult {
            transcript,
            timings: Timings {
                answered_ms: self.answered_ms,
                first_audio_ms: self.first_audio_ms,
                gaps_ms: self.gaps_ms.clone(),
                clear_ms: self.clear_ms.clone(),
                clear_voiced_ms: self.clear_voiced_ms.clone(),
            },
            digits: self.digits.clone(),
            recording_url: None,
            hung_up_by: None,
            streamed: super::plane::Streamed::default(),
            failed: self.failed.clone(),
        }
    }
}

/// Utterances of one script that are written down.
const MAX_UTTERANCES: usize = 2000;
/// Keys of the other side that are written down.
const MAX_DIGITS: usize = 1000;
