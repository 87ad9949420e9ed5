//! Telephone audio as values: samples come in, samples and facts go out.
//!
//! All of it is mono at [`SAMPLE_RATE`], in frames of [`FRAME_MS`], as 16-bit samples unless it says otherwise. Nothing
//! here reads a clock: time is an argument, counted from the start of the call.
//!
//! | Module | Holds |
//! |---|---|
//! | [`g711`] | μ-law bytes to samples and back |
//! | [`resample`] | 8 kHz from and to the rates of models and files |
//! | [`band`] | 16 kHz for recognisers that expect a full band |
//! | [`level`] | how loud a frame is |
//! | [`dtmf`] | keypad tones, made and heard |
//! | [`vad`] | whether somebody speaks, since when and until when |
//! | [`wav`] | files: prompts in, recordings out |
//! | [`playout`] | how much of what was sent has been heard |

#![forbid(unsafe_code)]

pub mod band;
pub mod dtmf;
pub mod g711;
pub mod level;
pub mod playout;
pub mod resample;
pub mod vad;
pub mod wav;

/// Samples per second of telephone audio.
pub const SAMPLE_RATE: u32 = 8000;
/// Samples in a frame; with μ-law also its bytes.
pub const FRAME_SAMPLES: usize = 160;
/// Milliseconds in a frame.
pub const FRAME_MS: u64 = 20;
