//! Makes keypad tones.

use std::f32::consts::TAU;

use super::{COLUMNS, KEYS, ROWS};
use crate::SAMPLE_RATE;
use crate::resample::to_sample;

/// How long a key sounds, in milliseconds.
pub const TONE_MS: u32 = 100;
/// The pause after each key, in milliseconds.
pub const PAUSE_MS: u32 = 100;
/// The pause that `w` stands for, in milliseconds.
pub const WAIT_MS: u32 = 500;
/// Keys and pauses of one sequence, at most.
pub const MAX_KEYS: usize = 128;

/// Of each of the two sines: together -7 dB below full scale at their peak.
const AMPLITUDE: f32 = 7300.0;
/// Rise and fall of a tone, so that it does not click.
const RAMP: u32 = SAMPLE_RATE / 500;

/// Why there are no tones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DtmfError {
    /// A character that is no key.
    #[error("character {at} is no key: keys are 0-9, *, #, A-D, and w for a pause")]
    NoKey {
        /// Which one, counted from 1.
        at: usize,
    },
    /// More keys than one sequence may have.
    #[error("more than {MAX_KEYS} keys")]
    TooMany,
}

impl DtmfError {
    /// Stable across releases; listed in `docs/errors.md`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoKey { .. } => "audio.dtmf.no_key",
            Self::TooMany => "audio.dtmf.too_many",
        }
    }
}

/// One key or pause.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// Radians per sample of both sines; none is silence.
    turns: Option<(f32, f32)>,
    sounding: u32,
    whole: u32,
}

/// A sequence of keys as audio, piece by piece.
#[derive(Debug, Clone)]
pub struct Tones {
    parts: Vec<Part>,
    /// The part that is next, and the sample in it.
    part: usize,
    sample: u32,
}

impl Tones {
    /// Reads keys: `0` to `9`, `*`, `#`, `A` to `D`, and `w` for half a second of silence.
    pub fn new(keys: &str) -> Result<Self, DtmfError> {
        let mut parts = Vec::new();
        for (at, key) in keys.chars().enumerate() {
            if at == MAX_KEYS {
                return Err(DtmfError::TooMany);
            }
            parts.push(part(key).ok_or(DtmfError::NoKey { at: at + 1 })?);
        }
        Ok(Self { parts, part: 0, sample: 0 })
    }

    /// Fills as much as there is left, and says how much that was. 0 is the end.
    pub fn fill(&mut self, out: &mut [i16]) -> usize {
        let mut filled = 0;
        for sample in out {
            let Some(part) = self.parts.get(self.part) else { break };
            *sample = part.at(self.sample);
            self.sample += 1;
            if self.sample == part.whole {
                (self.part, self.sample) = (self.part + 1, 0);
            }
            filled += 1;
        }
        filled
    }
}

impl Part {
    #[expect(clippy::cast_precision_loss, reason = "less than a second of samples")]
    fn at(&self, sample: u32) -> i16 {
        let (Some((row, column)), true) = (self.turns, sample < self.sounding) else { return 0 };
        let ramp = (sample.min(self.sounding - sample) as f32 / RAMP as f32).min(1.0);
        let at = sample as f32;
        to_sample(AMPLITUDE * ramp * ((row * at).sin() + (column * at).sin()))
    }
}

#[expect(clippy::cast_precision_loss, reason = "8000 is exact")]
fn part(key: char) -> Option<Part> {
    let samples = |ms: u32| ms * (SAMPLE_RATE / 1000);
    if matches!(key, 'w' | 'W') {
        return Some(Part { turns: None, sounding: 0, whole: samples(WAIT_MS) });
    }
    let key = key.to_ascii_uppercase();
    KEYS.iter().zip(ROWS).find_map(|(keys, row)| {
        let (_, column) = keys.iter().zip(COLUMNS).find(|(one, _)| **one == key)?;
        let turn = |hz: f32| TAU * hz / SAMPLE_RATE as f32;
        let turns = Some((turn(row), turn(column)));
        Some(Part { turns, sounding: samples(TONE_MS), whole: samples(TONE_MS + PAUSE_MS) })
    })
}
