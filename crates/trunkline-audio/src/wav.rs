//! WAV files: prompts and test callers are read, recordings are written.
//!
//! Source: the RIFF WAVE description of Microsoft and IBM (1991), `WAVEFORMATEXTENSIBLE` of 2001.

mod dual;
mod read;

pub use self::dual::DualWriter;
pub use self::read::{MAX_BYTES, MAX_SECONDS, WavError, read};

/// Integer PCM.
const PCM: u16 = 1;
/// 32-bit floating point.
const FLOAT: u16 = 3;
/// G.711 μ-law.
const ULAW: u16 = 7;
/// The real format is in the extension.
const EXTENSIBLE: u16 = 0xFFFE;

#[cfg(test)]
mod tests;
