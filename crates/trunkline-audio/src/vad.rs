//! Whether somebody speaks: a decision per frame, and from it when speech began and ended.
//!
//! The decision is `WebRTC`'s (six sub-bands, a Gaussian model that follows the line's noise), in the pure Rust of
//! `earshot` 0.1. The binding to the C original is not `Send` and would need `unsafe` here; later versions of `earshot`
//! are a neural network that costs ten times as much and wants 16 kHz.

use earshot::{VoiceActivityDetector, VoiceActivityModel, VoiceActivityProfile};

use crate::level::rms_dbfs;
use crate::{FRAME_MS, FRAME_SAMPLES};

/// Quieter frames are never speech, unless the settings say otherwise.
pub const DEFAULT_GATE_DBFS: f32 = -50.0;
/// How long speech must last before it counts, in milliseconds, unless the settings say otherwise.
pub const DEFAULT_ONSET_MS: u64 = 60;
/// How long it must be quiet before speech is over, in milliseconds, unless the settings say otherwise.
pub const DEFAULT_HANGOVER_MS: u64 = 200;

/// Decides frame by frame.
pub struct VoiceActivity {
    detector: VoiceActivityDetector,
    gate_dbfs: f32,
}

impl VoiceActivity {
    /// A new stream; frames below the gate are never speech.
    pub fn new(gate_dbfs: f32) -> Self {
        let detector =
            VoiceActivityDetector::new_with_model(VoiceActivityModel::WRTC, VoiceActivityProfile::VERY_AGGRESSIVE);
        Self { detector, gate_dbfs }
    }

    /// Whether there is a voice in this frame. Frames come in order; each adjusts the model of the line's noise.
    pub fn is_voice(&mut self, frame: &[i16; FRAME_SAMPLES]) -> bool {
        // The length is one that the detector takes, so it does not fail.
        let voiced = self.detector.predict_8khz(frame).unwrap_or(false);
        voiced && rms_dbfs(frame) >= self.gate_dbfs
    }
}

impl Default for VoiceActivity {
    fn default() -> Self {
        Self::new(DEFAULT_GATE_DBFS)
    }
}

/// What counts as speech.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpeechSettings {
    /// How long a voice must be heard without a break, in milliseconds. Default 60.
    pub onset_ms: u64,
    /// How long none must be heard, in milliseconds. Default 200.
    pub hangover_ms: u64,
    /// The level below which a frame is quiet. Default -50 dBFS.
    pub gate_dbfs: f32,
}

impl Default for SpeechSettings {
    fn default() -> Self {
        Self { onset_ms: DEFAULT_ONSET_MS, hangover_ms: DEFAULT_HANGOVER_MS, gate_dbfs: DEFAULT_GATE_DBFS }
    }
}

/// Speech, as soon as it is certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpeechEvent {
    /// Somebody speaks.
    Started {
        /// When the first frame of it began, in milliseconds of the stream.
        at_ms: u64,
    },
    /// Nobody speaks any more.
    Ended {
        /// When the last frame with a voice ended, in milliseconds of the stream.
        at_ms: u64,
    },
}

/// Finds speech in a stream of frames.
pub struct SpeechDetector {
    voice: VoiceActivity,
    settings: SpeechSettings,
    speaking: bool,
    /// When the present run of voiced frames began; of frames that follow one another.
    run_start_ms: Option<u64>,
    /// When the last voiced frame ended.
    voice_end_ms: u64,
}

impl SpeechDetector {
    /// A new stream.
    pub fn new(settings: SpeechSettings) -> Self {
        let voice = VoiceActivity::new(settings.gate_dbfs);
        Self { voice, settings, speaking: false, run_start_ms: None, voice_end_ms: 0 }
    }

    /// Hears the frame that began at `at_ms` of the stream.
    pub fn push(&mut self, at_ms: u64, frame: &[i16; FRAME_SAMPLES]) -> Option<SpeechEvent> {
        let voiced = self.voice.is_voice(frame);
        self.decide(at_ms, voiced)
    }

    /// The same with a decision that was made elsewhere.
    pub fn decide(&mut self, at_ms: u64, voiced: bool) -> Option<SpeechEvent> {
        let end_ms = at_ms.saturating_add(FRAME_MS);
        if voiced {
            let start_ms = *self.run_start_ms.get_or_insert(at_ms);
            self.voice_end_ms = end_ms;
            if !self.speaking && end_ms.saturating_sub(start_ms) >= self.settings.onset_ms {
                self.speaking = true;
                return Some(SpeechEvent::Started { at_ms: start_ms });
            }
            return None;
        }
        self.run_start_ms = None;
        if self.speaking && end_ms.saturating_sub(self.voice_end_ms) >= self.settings.hangover_ms {
            self.speaking = false;
            return Some(SpeechEvent::Ended { at_ms: self.voice_end_ms });
        }
        None
    }

    /// Whether speech has begun and not ended.
    pub fn is_speaking(&self) -> bool {
        self.speaking
    }
}

impl Default for SpeechDetector {
    fn default() -> Self {
        Self::new(SpeechSettings::default())
    }
}

#[cfg(test)]
mod tests;
