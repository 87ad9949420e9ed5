//! Changing the sample rate of a stream, over the windowed-sinc resampler of `rubato`.
//!
//! Output is aligned with input: the delay of the filter is cut from the beginning and paid at the end, so a whole
//! stream has exactly as many samples as its length asks for. Buffers are reused; nothing is allocated once the output
//! has its capacity.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Async, FixedAsync, Resampler as _, SincInterpolationParameters, SincInterpolationType, WindowFunction};

/// The lowest rate that is accepted, in Hz.
pub const MIN_RATE: u32 = 4000;
/// The highest rate that is accepted, in Hz.
pub const MAX_RATE: u32 = 192_000;

/// Taps of the filter at the lower of both rates. 64 keep 0 to 3.4 kHz of telephone audio and cut its images by more
/// than 60 dB, for 4 ms of look-ahead.
const TAPS: u32 = 64;
/// Blocks of the stream per second.
const BLOCKS_PER_SECOND: u32 = 100;

/// Why there is no resampler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResampleError {
    /// A rate is outside of what is accepted.
    #[error("cannot resample from {from_hz} Hz to {to_hz} Hz: rates are {MIN_RATE} to {MAX_RATE} Hz")]
    Rate {
        /// Of the input, in Hz.
        from_hz: u32,
        /// Of the output, in Hz.
        to_hz: u32,
    },
}

impl ResampleError {
    /// Stable across releases; listed in `docs/errors.md`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Rate { .. } => "audio.resample.rate",
        }
    }
}

/// One stream on its way from one rate to another.
pub struct Resampler {
    /// None where both rates are the same.
    filter: Option<Async<f32>>,
    from_hz: u32,
    to_hz: u32,
    input: Vec<f32>,
    output: Vec<f32>,
    block: usize,
    /// Samples of the filter's delay that are still to be cut.
    to_cut: usize,
    /// All of that delay.
    delay: usize,
    taken: u64,
    given: u64,
}

impl Resampler {
    /// A new stream.
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self, ResampleError> {
        let refused = ResampleError::Rate { from_hz, to_hz };
        let accepted = MIN_RATE..=MAX_RATE;
        if !accepted.contains(&from_hz) || !accepted.contains(&to_hz) {
            return Err(refused);
        }
        let block = (from_hz / BLOCKS_PER_SECOND) as usize;
        let mut delay = 0;
        let filter = if from_hz == to_hz {
            None
        } else {
            // The output falls on this many different places between two samples of the input. A filter for each of
            // them makes interpolation unnecessary.
            let phases = (to_hz / greatest_common_divisor(from_hz, to_hz)).min(MAX_PHASES);
            let taps = TAPS * from_hz.div_ceil(to_hz);
            delay = delay_of(taps, phases, from_hz, to_hz);
            let parameters = SincInterpolationParameters {
                sinc_len: taps as usize,
                f_cutoff: None,
                oversampling_factor: phases as usize,
                interpolation: SincInterpolationType::Nearest,
                window: WindowFunction::BlackmanHarris2,
            };
            let ratio = f64::from(to_hz) / f64::from(from_hz);
            Some(Async::new_sinc(ratio, 1.0, &parameters, block, 1, FixedAsync::Input).map_err(|_| refused)?)
        };
        let room = filter.as_ref().map_or(0, rubato::Resampler::output_frames_max);
        let input = Vec::with_capacity(block);
        Ok(Self {
            filter,
            from_hz,
            to_hz,
            input,
            output: vec![0.0; room],
            block,
            to_cut: delay,
            delay,
            taken: 0,
            given: 0,
        })
    }

    /// Takes samples of any number and appends what is ready. Up to 10 ms wait for the next call.
    pub fn process(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        self.taken += samples.len() as u64;
        if self.filter.is_none() {
            out.extend_from_slice(samples);
            return;
        }
        for sample in samples {
            self.input.push(f32::from(*sample));
            if self.input.len() == self.block {
                self.block(u64::MAX, out);
            }
        }
    }

    /// Appends what is left, so that the output is as long as the input. The next sample begins a new stream.
    pub fn finish(&mut self, out: &mut Vec<i16>) {
        let wanted = (self.taken * u64::from(self.to_hz)).div_ceil(u64::from(self.from_hz));
        while self.filter.is_some() && self.given < wanted {
            self.input.resize(self.block, 0.0);
            let before = self.given;
            self.block(wanted, out);
            if self.given == before && self.to_cut == 0 {
                break;
            }
        }
        self.input.clear();
        (self.taken, self.given) = (0, 0);
        if let Some(filter) = &mut self.filter {
            filter.reset();
            self.to_cut = self.delay;
        }
    }

    /// Runs the filter over a whole block.
    fn block(&mut self, wanted: u64, out: &mut Vec<i16>) {
        let Some(filter) = &mut self.filter else { return };
        let room = self.output.len();
        let made = match (
            InterleavedSlice::new(&self.input, 1, self.block),
            InterleavedSlice::new_mut(&mut self.output, 1, room),
        ) {
            (Ok(input), Ok(mut output)) => {
                filter.process_into_buffer(&input, &mut output, None).map_or(0, |(_, made)| made)
            }
            // Both buffers have the size that the filter has named.
            _ => 0,
        };
        self.input.clear();
        let cut = self.to_cut.min(made);
        self.to_cut -= cut;
        let left = usize::try_from(wanted - self.given).unwrap_or(usize::MAX);
        for sample in self.output.iter().take(made).skip(cut).take(left) {
            out.push(to_sample(*sample));
            self.given += 1;
        }
    }
}

/// Filters of one resampler, at most; rates that have nothing in common share the nearest one.
const MAX_PHASES: u32 = 320;

/// By how many samples the output is late, to the nearest one. Half of the filter, but `rubato` takes its first step
/// before the first sample, and its table of filters begins one place late (measured with version 5.0.1).
fn delay_of(taps: u32, phases: u32, from_hz: u32, to_hz: u32) -> usize {
    // In places between two samples of the output, so that it stays whole numbers.
    let (taps, phases) = (u64::from(taps), u64::from(phases));
    let (from_hz, to_hz) = (u64::from(from_hz), u64::from(to_hz));
    let whole = 2 * from_hz * phases;
    let late = taps * to_hz * phases - whole - 2 * to_hz;
    usize::try_from((late + whole / 2) / whole).unwrap_or_default()
}

/// Rounds and clips. (`round` is a call into the C library on the processors that everybody builds for.)
#[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates, which is the clipping")]
pub(crate) fn to_sample(value: f32) -> i16 {
    (value + 0.5_f32.copysign(value)) as i16
}

const fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests;
