//! WAV files as telephone audio.

use trunkline_audio::{g711, wav};

use super::clip::Sound;

/// A file that is no sound, or too long a one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the file is no WAV that can be played, or too long")]
pub(crate) struct BadWav;

/// Reads a file of any rate as μ-law.
pub(crate) fn read(file: &[u8]) -> Result<Sound, BadWav> {
    let samples = wav::read(file).map_err(|_| BadWav)?;
    Ok(samples.iter().map(|sample| g711::encode(*sample)).collect())
}
