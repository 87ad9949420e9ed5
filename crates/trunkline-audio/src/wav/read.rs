//! Reads a whole file that somebody hands in.

use super::{EXTENSIBLE, FLOAT, PCM, ULAW};
use crate::resample::{MAX_RATE, MIN_RATE, Resampler, to_sample};
use crate::{SAMPLE_RATE, g711};

/// The largest file, in bytes: ten minutes of 48 kHz, stereo, 16 bits.
pub const MAX_BYTES: usize = 115_200_000;
/// The longest audio, in seconds.
pub const MAX_SECONDS: u64 = 600;

/// Samples that are converted at a time.
const PIECE: usize = 1024;

/// Why a file cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WavError {
    /// It does not begin as a WAV file does.
    #[error("not a WAV file: it does not begin with RIFF and WAVE")]
    NotWav,
    /// The format or the audio is missing, or the file ends before it.
    #[error("the WAV file is incomplete: it has no `{0}` chunk")]
    Incomplete(&'static str),
    /// A kind of audio that is not read.
    #[error(
        "the WAV file has format {format} with {bits} bits; usable are PCM (1) with 8, 16, 24 or 32 bits, float (3) with 32, and μ-law (7) with 8"
    )]
    Format {
        /// The number of the format.
        format: u16,
        /// Bits of one sample.
        bits: u16,
    },
    /// Neither mono nor stereo.
    #[error("the WAV file has {0} channels; usable are 1 and 2")]
    Channels(u16),
    /// A rate that is out of range.
    #[error("the WAV file has {0} samples per second; usable are {MIN_RATE} to {MAX_RATE}")]
    Rate(u32),
    /// More bytes than are read.
    #[error("the WAV file has more than {MAX_BYTES} bytes")]
    TooLarge,
    /// More audio than is read.
    #[error("the WAV file is longer than {MAX_SECONDS} s")]
    TooLong,
}

impl WavError {
    /// Stable across releases; listed in `docs/errors.md`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotWav => "audio.wav.not_wav",
            Self::Incomplete(_) => "audio.wav.incomplete",
            Self::Format { .. } => "audio.wav.format",
            Self::Channels(_) => "audio.wav.channels",
            Self::Rate(_) => "audio.wav.rate",
            Self::TooLarge => "audio.wav.too_large",
            Self::TooLong => "audio.wav.too_long",
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Format {
    kind: u16,
    channels: u16,
    rate: u32,
    bits: u16,
}

/// Reads a file of PCM with 8, 16, 24 or 32 bits, of 32-bit float or of μ-law, mono or stereo, of any usual rate, as
/// mono at 8 kHz. Both channels of a stereo file are mixed. A length in the header that is beyond the end of the file,
/// as programs leave it that write into a pipe, means the rest of the file.
pub fn read(file: &[u8]) -> Result<Vec<i16>, WavError> {
    if file.len() > MAX_BYTES {
        return Err(WavError::TooLarge);
    }
    let mut rest = match file.split_at_checked(12) {
        Some((head, rest)) if head.starts_with(b"RIFF") && head.ends_with(b"WAVE") => rest,
        _ => return Err(WavError::NotWav),
    };
    let mut format = None;
    while let Some((name, length, body)) = chunk_head(rest) {
        let whole = usize::try_from(length).unwrap_or(usize::MAX).min(body.len());
        let (body, after) = body.split_at_checked(whole).unwrap_or((body, &[]));
        match &name {
            b"fmt " => format = Some(read_format(body)?),
            b"data" => return decode(format.ok_or(WavError::Incomplete("fmt "))?, body),
            _ => {}
        }
        // Chunks begin at even places.
        rest = after.get(whole % 2..).unwrap_or_default();
    }
    Err(WavError::Incomplete(if format.is_some() { "data" } else { "fmt " }))
}

fn chunk_head(bytes: &[u8]) -> Option<([u8; 4], u32, &[u8])> {
    let (name, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    Some((*name, u32::from_le_bytes(*length), rest))
}

fn read_format(body: &[u8]) -> Result<Format, WavError> {
    let short = |at: usize| Some(u16::from_le_bytes(*body.get(at..)?.first_chunk()?));
    let long = |at: usize| Some(u32::from_le_bytes(*body.get(at..)?.first_chunk()?));
    let fields = || {
        let kind = match short(0)? {
            EXTENSIBLE => short(24)?,
            format => format,
        };
        Some(Format { kind, channels: short(2)?, rate: long(4)?, bits: short(14)? })
    };
    let format = fields().ok_or(WavError::Incomplete("fmt "))?;
    if !matches!((format.kind, format.bits), (PCM, 8 | 16 | 24 | 32) | (FLOAT, 32) | (ULAW, 8)) {
        return Err(WavError::Format { format: format.kind, bits: format.bits });
    }
    if !matches!(format.channels, 1 | 2) {
        return Err(WavError::Channels(format.channels));
    }
    if !(MIN_RATE..=MAX_RATE).contains(&format.rate) {
        return Err(WavError::Rate(format.rate));
    }
    Ok(format)
}

fn decode(format: Format, data: &[u8]) -> Result<Vec<i16>, WavError> {
    let bytes = usize::from(format.bits / 8);
    let step = bytes * usize::from(format.channels);
    let count = data.len() / step;
    if count as u64 > MAX_SECONDS * u64::from(format.rate) {
        return Err(WavError::TooLong);
    }
    let mut resampler = Resampler::new(format.rate, SAMPLE_RATE).map_err(|_| WavError::Rate(format.rate))?;
    let mut out = Vec::with_capacity(count * SAMPLE_RATE as usize / format.rate as usize + 1);
    let mut piece = Vec::with_capacity(PIECE);
    for samples in data.chunks(step * PIECE) {
        piece.clear();
        piece.extend(samples.chunks_exact(step).map(|sample| {
            let (left, right) = sample.split_at_checked(bytes).unwrap_or((sample, &[]));
            let left = one(format, left);
            if right.is_empty() { left } else { i16::midpoint(left, one(format, right)) }
        }));
        resampler.process(&piece, &mut out);
    }
    resampler.finish(&mut out);
    Ok(out)
}

/// One sample of one channel. Wider ones lose their lowest bits.
fn one(format: Format, bytes: &[u8]) -> i16 {
    match (format.kind, bytes) {
        (ULAW, [code]) => g711::decode(*code),
        (FLOAT, [a, b, c, d]) => to_sample(f32::from_le_bytes([*a, *b, *c, *d]) * 32768.0),
        (_, [byte]) => (i16::from(*byte) - 128) << 8,
        (_, [.., low, high]) => i16::from_le_bytes([*low, *high]),
        _ => 0,
    }
}
