//! A recording of both sides of a call, written while it goes on.

use std::io::{Result, Seek, SeekFrom, Write};

use super::PCM;
use crate::SAMPLE_RATE;

/// Bytes before the audio.
const HEADER: u32 = 44;
/// Bytes of one sample of both channels.
const STEP: u16 = 4;
/// How much audio may lack in the header of a file whose writer was killed: two seconds.
const FIX_UP_AFTER: u32 = 2 * SAMPLE_RATE * STEP as u32;
/// The most audio that the header can name, in whole samples: 37 hours.
const MAX_DATA: u32 = (u32::MAX - HEADER) / STEP as u32 * STEP as u32;
/// Samples that are turned into bytes at a time.
const PIECE: usize = 160;

/// Writes two channels of 16 bits at 8 kHz: the first is what came from the caller, the second what was sent to them.
///
/// Nothing is buffered here; give it a `BufWriter` if calls of the system are to be saved. The header is put right every
/// two seconds, so that a writer that is killed leaves a file that plays.
#[derive(Debug)]
pub struct DualWriter<W: Write + Seek> {
    to: W,
    data: u32,
    /// What the header says.
    in_header: u32,
}

impl<W: Write + Seek> DualWriter<W> {
    /// Writes the header of a file without audio, at the writer's present place, which must be its beginning.
    ///
    /// # Errors
    /// What the writer refuses.
    pub fn new(mut to: W) -> Result<Self> {
        to.write_all(&header(0))?;
        Ok(Self { to, data: 0, in_header: 0 })
    }

    /// Appends audio of both sides at once. The shorter side is filled with silence. What is beyond the 37 hours that
    /// the format holds is left out.
    ///
    /// # Errors
    /// What the writer refuses.
    pub fn write(&mut self, caller: &[i16], agent: &[i16]) -> Result<()> {
        let room = ((MAX_DATA - self.data) / u32::from(STEP)) as usize;
        let count = caller.len().max(agent.len()).min(room);
        let mut bytes = [0; PIECE * STEP as usize];
        let side = |samples: &[i16], at: usize| samples.get(at).copied().unwrap_or_default().to_le_bytes();
        for start in (0..count).step_by(PIECE) {
            let end = (start + PIECE).min(count);
            for (at, place) in (start..end).zip(bytes.as_chunks_mut::<{ STEP as usize }>().0) {
                let ([a, b], [c, d]) = (side(caller, at), side(agent, at));
                *place = [a, b, c, d];
            }
            let filled = (end - start) * usize::from(STEP);
            self.to.write_all(bytes.get(..filled).unwrap_or_default())?;
            self.data += u32::try_from(filled).unwrap_or_default();
        }
        if self.data - self.in_header >= FIX_UP_AFTER { self.fix_up() } else { Ok(()) }
    }

    /// How much has been written, in milliseconds.
    pub fn duration_ms(&self) -> u64 {
        u64::from(self.data / u32::from(STEP)) * 1000 / u64::from(SAMPLE_RATE)
    }

    /// Puts the header right, flushes, and gives the writer back, at its end.
    ///
    /// # Errors
    /// What the writer refuses.
    pub fn finish(mut self) -> Result<W> {
        self.fix_up()?;
        Ok(self.to)
    }

    fn fix_up(&mut self) -> Result<()> {
        // Audio first: a header must not promise what is not there.
        self.to.flush()?;
        self.to.seek(SeekFrom::Start(0))?;
        self.to.write_all(&header(self.data))?;
        self.to.seek(SeekFrom::Start(u64::from(HEADER) + u64::from(self.data)))?;
        self.to.flush()?;
        self.in_header = self.data;
        Ok(())
    }
}

fn header(data: u32) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER as usize);
    header.extend(b"RIFF");
    header.extend((HEADER - 8 + data).to_le_bytes());
    header.extend(b"WAVEfmt ");
    header.extend(16_u32.to_le_bytes());
    header.extend(PCM.to_le_bytes());
    header.extend(2_u16.to_le_bytes());
    header.extend(SAMPLE_RATE.to_le_bytes());
    header.extend((SAMPLE_RATE * u32::from(STEP)).to_le_bytes());
    header.extend(STEP.to_le_bytes());
    header.extend(16_u16.to_le_bytes());
    header.extend(b"data");
    header.extend(data.to_le_bytes());
    header
}
