//! A recording while it is made: 16-bit WAV at 8 kHz, streamed to its file.

use std::fs::File;
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use trunkline_audio::{FRAME_MS, SAMPLE_RATE, g711};
use trunkline_proto::sid::RecordingSid;

use super::callbacks::StatusCallback;
use super::clip::Frame;

/// Which sides of a call are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sides {
    /// Both, the far side left and the near side right.
    Dual,
    /// Both in one channel.
    Mixed,
    /// The far side alone.
    Inbound,
    /// The near side alone.
    Outbound,
}

impl Sides {
    pub(crate) fn channels(self) -> u16 {
        if self == Self::Dual { 2 } else { 1 }
    }

    pub(crate) fn track(self) -> &'static str {
        match self {
            Self::Dual | Self::Mixed => "both",
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// What is done with the time in which a recording is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paused {
    Skip,
    Silence,
}

/// A recording that is being made.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) sid: RecordingSid,
    sides: Sides,
    file: BufWriter<File>,
    bytes: u32,
    frames: u64,
    pub(crate) paused: Option<Paused>,
    failed: bool,
    /// Who hears of it.
    pub(crate) callback: StatusCallback,
}

impl Recorder {
    pub(crate) fn create(sid: RecordingSid, sides: Sides, path: &Path) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(BUFFER_BYTES, File::create(path)?);
        file.write_all(&header(sides.channels(), 0))?;
        Ok(Self {
            sid,
            sides,
            file,
            bytes: 0,
            frames: 0,
            paused: None,
            failed: false,
            callback: StatusCallback::default(),
        })
    }

    /// Adds 20 ms. After a failure, or at the limit, nothing is added any more.
    pub(crate) fn write(&mut self, inbound: &Frame, outbound: &Frame) {
        let silent = match self.paused {
            Some(Paused::Skip) => return,
            Some(Paused::Silence) => true,
            None => false,
        };
        if self.failed || self.bytes >= MAX_BYTES {
            return;
        }
        let mut bytes = [0_u8; MAX_FRAME_BYTES];
        let mut length = 0_usize;
        let mut slots = bytes.chunks_exact_mut(2);
        for (left, right) in inbound.iter().zip(outbound) {
            let (left, right) = if silent { (0, 0) } else { (g711::decode(*left), g711::decode(*right)) };
            let (first, second) = match self.sides {
                Sides::Dual => (left, Some(right)),
                Sides::Mixed => (left.saturating_add(right), None),
                Sides::Inbound => (left, None),
                Sides::Outbound => (right, None),
            };
            for sample in [Some(first), second].into_iter().flatten() {
                if let Some(slot) = slots.next() {
                    slot.copy_from_slice(&sample.to_le_bytes());
                    length = length.saturating_add(2);
                }
            }
        }
        match self.file.write_all(bytes.get(..length).unwrap_or_default()) {
            Ok(()) => {
                self.bytes = self.bytes.saturating_add(u32::try_from(length).unwrap_or_default());
                self.frames = self.frames.saturating_add(1);
            }
            Err(problem) => {
                self.failed = true;
                tracing::warn!(error = %problem, "a recording could not be written");
            }
        }
    }

    /// Milliseconds that were recorded.
    pub(crate) fn milliseconds(&self) -> u64 {
        self.frames.saturating_mul(FRAME_MS)
    }

    /// Writes the lengths. Returns milliseconds and bytes of sound. Blocks.
    pub(crate) fn finish(mut self) -> io::Result<(u64, u64)> {
        self.file.flush()?;
        let file = self.file.get_mut();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header(self.sides.channels(), self.bytes))?;
        file.flush()?;
        Ok((self.milliseconds(), u64::from(self.bytes)))
    }
}

/// The 44 bytes before the samples.
fn header(channels: u16, data: u32) -> Vec<u8> {
    let block = channels.saturating_mul(2);
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend_from_slice(b"RIFF");
    header.extend_from_slice(&data.saturating_add(36).to_le_bytes());
    header.extend_from_slice(b"WAVEfmt ");
    header.extend_from_slice(&16_u32.to_le_bytes());
    header.extend_from_slice(&1_u16.to_le_bytes());
    header.extend_from_slice(&channels.to_le_bytes());
    header.extend_from_slice(&SAMPLE_RATE.to_le_bytes());
    header.extend_from_slice(&SAMPLE_RATE.saturating_mul(u32::from(block)).to_le_bytes());
    header.extend_from_slice(&block.to_le_bytes());
    header.extend_from_slice(&16_u16.to_le_bytes());
    header.extend_from_slice(b"data");
    header.extend_from_slice(&data.to_le_bytes());
    header
}

const HEADER_BYTES: usize = 44;
const BUFFER_BYTES: usize = 32 * 1024;
const MAX_FRAME_BYTES: usize = 640;
/// Longest recording in bytes of sound: four hours of both sides.
const MAX_BYTES: u32 = 4 * 3600 * 32_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telephone::clip::QUIET;

    #[test]
    fn a_dual_recording_has_the_far_side_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("RE.wav");
        let sid = RecordingSid::from_random([1; 16]);
        let mut recorder = Recorder::create(sid, Sides::Dual, &path).unwrap();
        recorder.write(&[0x00; 160], &QUIET);
        recorder.paused = Some(Paused::Skip);
        recorder.write(&QUIET, &QUIET);
        recorder.paused = Some(Paused::Silence);
        recorder.write(&[0x00; 160], &[0x00; 160]);
        assert_eq!(recorder.finish().unwrap(), (40, 1280));
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), HEADER_BYTES + 1280);
        assert_eq!(&bytes[40..44], &1280_u32.to_le_bytes());
        let sample = |at: usize| i16::from_le_bytes([bytes[HEADER_BYTES + at], bytes[HEADER_BYTES + at + 1]]);
        assert_eq!((sample(0), sample(2), sample(640)), (-32124, 0, 0));
    }
}
