//! Keypad tones: a pair of sines per key, made by [`Tones`] and heard by [`Detector`].
//!
//! Source: ITU-T Q.23 (frequencies), Q.24 (what a receiver accepts).

mod detector;
mod tones;

pub use self::detector::Detector;
pub use self::tones::{DtmfError, MAX_KEYS, PAUSE_MS, TONE_MS, Tones, WAIT_MS};

/// Frequencies of the rows, in Hz.
const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
/// Frequencies of the columns, in Hz.
const COLUMNS: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
/// Keys by row and column.
const KEYS: [[char; 4]; 4] = [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

#[cfg(test)]
mod tests;
