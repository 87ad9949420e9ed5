//! Hears keypad tones, frame by frame.

use std::f32::consts::TAU;

use super::{COLUMNS, KEYS, ROWS};
use crate::{FRAME_SAMPLES, SAMPLE_RATE};

/// Frames that must agree before a key counts, and frames without it before the next one can.
const FRAMES: u8 = 2;
/// The quietest tone, as amplitude: about -43 dB below full scale.
const MIN_AMPLITUDE: f32 = 230.0;
/// How much louder one of both tones may be: 8 dB, as power.
const MAX_TWIST: f32 = 6.3;
/// How much louder a tone must be than the others of its group: 6 dB, as power.
const MIN_LEAD: f32 = 4.0;
/// Share of the frame's energy that both tones must have. Speech has less in two places.
const MIN_SHARE: f32 = 0.7;

/// Listens to one stream of 20 ms frames at 8 kHz. A key counts once, after 40 ms of it, however long it is held.
#[derive(Debug, Clone)]
pub struct Detector {
    rows: [f32; 4],
    columns: [f32; 4],
    /// What the last frame held, and for how many frames it has been so.
    last: Option<char>,
    frames: u8,
    /// The key that is held and has been told.
    held: Option<char>,
}

impl Detector {
    /// A new stream.
    pub fn new() -> Self {
        Self { rows: ROWS.map(coefficient), columns: COLUMNS.map(coefficient), last: None, frames: 0, held: None }
    }

    /// Hears a frame, and says which key has been pressed if one was recognised with it.
    pub fn push(&mut self, frame: &[i16; FRAME_SAMPLES]) -> Option<char> {
        let heard = self.key(frame);
        self.frames = if heard == self.last { self.frames.saturating_add(1) } else { 1 };
        self.last = heard;
        if self.frames < FRAMES || heard == self.held {
            return None;
        }
        self.held = heard;
        heard
    }

    #[expect(clippy::cast_precision_loss, reason = "160")]
    fn key(&self, frame: &[i16; FRAME_SAMPLES]) -> Option<char> {
        const HALF: f32 = FRAME_SAMPLES as f32 / 2.0;
        let energy: f32 = frame.iter().map(|sample| f32::from(*sample) * f32::from(*sample)).sum();
        // Two tones of the least amplitude have this much.
        if energy < 2.0 * HALF * MIN_AMPLITUDE * MIN_AMPLITUDE {
            return None;
        }
        let (row, low) = loudest(frame, &self.rows)?;
        let (column, high) = loudest(frame, &self.columns)?;
        let least = (HALF * MIN_AMPLITUDE).powi(2);
        let is_pair = low.min(high) >= least && low.max(high) <= MAX_TWIST * low.min(high);
        // A sine of amplitude a has the energy a²·n/2 and the power (a·n/2)².
        let is_pure = (low + high) / HALF >= MIN_SHARE * energy;
        if is_pair && is_pure { KEYS.get(row)?.get(column).copied() } else { None }
    }
}

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(clippy::cast_precision_loss, reason = "8000 is exact")]
fn coefficient(hz: f32) -> f32 {
    2.0 * (TAU * hz / SAMPLE_RATE as f32).cos()
}

/// Which tone of a group leads, and with which power.
fn loudest(frame: &[i16; FRAME_SAMPLES], group: &[f32; 4]) -> Option<(usize, f32)> {
    let powers = goertzel(frame, group);
    let (at, most) = powers.iter().copied().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let is_leading = powers.iter().enumerate().all(|(other, power)| other == at || power * MIN_LEAD <= most);
    is_leading.then_some((at, most))
}

/// The powers of four frequencies. Side by side they do not wait for one another.
fn goertzel(frame: &[i16; FRAME_SAMPLES], coefficients: &[f32; 4]) -> [f32; 4] {
    let (mut last, mut before) = ([0.0_f32; 4], [0.0_f32; 4]);
    for sample in frame {
        let sample = f32::from(*sample);
        for ((last, before), coefficient) in last.iter_mut().zip(&mut before).zip(coefficients) {
            let now = sample + coefficient * *last - *before;
            (*before, *last) = (*last, now);
        }
    }
    let mut powers = *coefficients;
    for ((power, last), before) in powers.iter_mut().zip(last).zip(before) {
        *power = last * last + before * before - *power * last * before;
    }
    powers
}
