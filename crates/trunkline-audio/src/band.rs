//! From 8 to 16 kHz for recognisers whose models heard a full band.
//!
//! A plain resampler leaves 4 to 8 kHz empty, and models that were trained with something there hear hardly a word. So
//! the band is filled with what is at hand: the mirror image of the band below, quieter, and a little noise. It is not
//! what was said, only what such a model needs not to be confused.

use crate::resample::to_sample;

/// Share of the mirror image in the upper band.
const MIRROR: f32 = 0.2;
/// The noise lies between plus and minus this much, in 16-bit steps.
const NOISE: f32 = 4.0;
/// Taps of the half-band filter that are not zero, besides the one in the middle.
const TAPS: usize = 32;
/// Seed of the noise. It is always the same, so that a recording is always heard the same way.
const SEED: u32 = 0x9E37_79B9;

/// One stream on its way from 8 to 16 kHz, 2 ms late.
#[derive(Debug, Clone)]
pub struct BandFill {
    filter: [f32; TAPS],
    /// The last samples of the previous call, then those of this one.
    samples: Vec<f32>,
    noise: u32,
}

impl BandFill {
    /// A new stream.
    pub fn new() -> Self {
        Self { filter: half_band(), samples: vec![0.0; TAPS - 1], noise: SEED }
    }

    /// Takes samples of any number at 8 kHz and appends twice as many at 16 kHz.
    pub fn process(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        self.samples.extend(samples.iter().map(|sample| f32::from(*sample)));
        out.reserve(2 * samples.len());
        for at in 0..samples.len() {
            let window = self.samples.get(at..at + TAPS).unwrap_or_default();
            // Stuffed with zeros, the signal is the band and its mirror image. The filter leaves the band: on samples
            // that were there the samples themselves, between them what lies between.
            let there = window.get(TAPS / 2 - 1).copied().unwrap_or_default();
            let between = dot(window, &self.filter);
            out.push(to_sample(there * (1.0 + MIRROR) + noise(&mut self.noise)));
            out.push(to_sample(between * (1.0 - MIRROR) + noise(&mut self.noise)));
        }
        self.samples.drain(..samples.len());
    }

    /// Appends the last 2 ms. The next sample begins a new stream.
    pub fn finish(&mut self, out: &mut Vec<i16>) {
        self.process(&[0; TAPS / 2], out);
        self.samples.fill(0.0);
        self.noise = SEED;
    }
}

impl Default for BandFill {
    fn default() -> Self {
        Self::new()
    }
}

/// Sums eight lanes side by side; one after the other they would wait for one another.
fn dot(samples: &[f32], taps: &[f32; TAPS]) -> f32 {
    let mut lanes = [0.0; 8];
    for (samples, taps) in samples.as_chunks::<8>().0.iter().zip(taps.as_chunks::<8>().0) {
        for ((lane, sample), tap) in lanes.iter_mut().zip(samples).zip(taps) {
            *lane += sample * tap;
        }
    }
    lanes.iter().sum()
}

/// The taps between samples of a half-band low-pass: a sinc under a Blackman window, with a sum of 1.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn half_band() -> [f32; TAPS] {
    use std::f32::consts::{PI, TAU};
    let mut taps = [0.0; TAPS];
    for (at, tap) in taps.iter_mut().enumerate() {
        let x = at as f32 - (TAPS as f32 - 1.0) / 2.0;
        let turn = TAU * (at as f32 + 0.5) / TAPS as f32;
        let window = 0.42 - 0.5 * turn.cos() + 0.08 * (2.0 * turn).cos();
        *tap = (PI * x).sin() / (PI * x) * window;
    }
    let sum: f32 = taps.iter().sum();
    taps.map(|tap| tap / sum)
}

/// Even noise by a xorshift generator.
#[expect(clippy::cast_precision_loss, reason = "noise")]
fn noise(state: &mut u32) -> f32 {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    (*state as f32 / u32::MAX as f32 * 2.0 - 1.0) * NOISE
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "samples of known size")]
mod tests {
    use std::f64::consts::TAU;

    use super::{BandFill, MIRROR, NOISE};

    fn amplitude(samples: &[i16], hz: f64) -> f64 {
        let (mut real, mut imaginary) = (0.0, 0.0);
        for (at, sample) in samples.iter().enumerate() {
            let turn = TAU * hz * at as f64 / 16000.0;
            real += f64::from(*sample) * turn.cos();
            imaginary += f64::from(*sample) * turn.sin();
        }
        2.0 * real.hypot(imaginary) / samples.len() as f64
    }

    #[test]
    fn the_band_stays_and_its_mirror_image_is_added() {
        let tone: Vec<i16> =
            (0..1700).map(|at| (8000.0 * (TAU * 1000.0 * f64::from(at) / 8000.0).sin()).round() as i16).collect();
        let mut out = Vec::new();
        BandFill::new().process(&tone, &mut out);
        let inner = &out[200..3400];
        let (below, above) = (amplitude(inner, 1000.0), amplitude(inner, 7000.0));
        assert!((below - 8000.0).abs() < 100.0, "{below}");
        assert!((above - 8000.0 * f64::from(MIRROR)).abs() < 100.0, "{above}");
        assert!(amplitude(inner, 3000.0) < 10.0 && amplitude(inner, 5000.0) < 10.0);
    }

    #[test]
    fn silence_becomes_quiet_noise_and_always_the_same() {
        let mut fill = BandFill::new();
        let (mut whole, mut again) = (Vec::new(), Vec::new());
        fill.process(&[0; 320], &mut whole);
        fill.finish(&mut whole);
        fill.process(&[0; 100], &mut again);
        fill.process(&[0; 220], &mut again);
        fill.finish(&mut again);
        assert_eq!(whole, again);
        assert_eq!(whole.len(), 640 + 32);
        assert!(whole.iter().all(|sample| f32::from(sample.abs()) <= NOISE));
        assert!(whole.iter().any(|sample| *sample != 0));
    }
}
