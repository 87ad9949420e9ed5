//! The queue in which Twilio keeps what it was sent.

use std::collections::VecDeque;

use super::{FRAME_BYTES, QUEUE_OVERFLOW};

/// The most audio that is queued, in bytes: ten minutes.
pub const MAX_QUEUED: usize = 10 * 60 * 8000;
/// The most marks that are queued. Twilio names no limit; one per frame of a full queue.
pub const MAX_PENDING_MARKS: usize = MAX_QUEUED / FRAME_BYTES;

/// The byte of silence.
const SILENCE: u8 = 0xFF;
/// Room that an empty queue keeps, in bytes: four seconds.
const KEPT_ROOM: usize = 32_000;

/// Audio or a mark was discarded: the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueFull {
    /// Twilio's number of the warning; none if the stream has been warned already.
    pub warning: Option<u32>,
}

/// Plays what was sent, a frame at a time. Whoever drives it pulls a frame every 20 ms.
#[derive(Debug, Default)]
pub struct Playback {
    audio: VecDeque<u8>,
    /// Names, and how much of the audio comes before them, counted from the first byte ever sent.
    marks: VecDeque<(u64, String)>,
    /// How much has been pulled.
    pulled: u64,
    /// How much of that has been heard: a frame has been when the next one is pulled.
    heard: u64,
    warned: bool,
}

impl Playback {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Queues μ-law bytes of any number. What does not fit into ten minutes is discarded.
    ///
    /// # Errors
    /// Something was discarded.
    pub fn push_media(&mut self, ulaw: &[u8]) -> Result<(), QueueFull> {
        let room = MAX_QUEUED - self.audio.len();
        self.audio.extend(ulaw.iter().take(room));
        if ulaw.len() > room { Err(self.full()) } else { Ok(()) }
    }

    /// Queues a mark behind the audio so far. It is given back at once if nothing is queued or still sounding.
    ///
    /// # Errors
    /// Too many marks are queued; this one is discarded.
    pub fn push_mark(&mut self, name: String) -> Result<Option<String>, QueueFull> {
        if self.marks.is_empty() && self.audio.is_empty() && self.heard == self.pulled {
            return Ok(Some(name));
        }
        if self.marks.len() == MAX_PENDING_MARKS {
            return Err(self.full());
        }
        self.marks.push_back((self.pulled + self.audio.len() as u64, name));
        Ok(None)
    }

    /// Drops the audio and gives back the marks that were waiting, in their order.
    pub fn clear(&mut self) -> impl ExactSizeIterator<Item = String> + use<> {
        self.audio = VecDeque::new();
        // What sounds at this moment is cut too.
        self.heard = self.pulled;
        std::mem::take(&mut self.marks).into_iter().map(|(_, name)| name)
    }

    /// Takes the frame that is to be heard now, filled up with silence, and appends the marks whose audio has been heard
    /// by now. Returns how many bytes of it are audio.
    pub fn pull(&mut self, frame: &mut [u8; FRAME_BYTES], marks: &mut Vec<String>) -> usize {
        self.heard = self.pulled;
        while let Some((_, name)) = self.marks.pop_front_if(|(position, _)| *position <= self.heard) {
            marks.push(name);
        }
        frame.fill(SILENCE);
        let count = self.audio.len().min(FRAME_BYTES);
        for (byte, audio) in frame.iter_mut().zip(self.audio.drain(..count)) {
            *byte = audio;
        }
        self.pulled += count as u64;
        if self.audio.is_empty() && self.audio.capacity() > KEPT_ROOM {
            self.audio.shrink_to(KEPT_ROOM);
        }
        count
    }

    /// Audio that waits, in bytes.
    pub fn queued(&self) -> usize {
        self.audio.len()
    }

    /// Whether audio waits or sounds.
    pub fn is_playing(&self) -> bool {
        !self.audio.is_empty() || self.heard < self.pulled
    }

    fn full(&mut self) -> QueueFull {
        let warning = (!std::mem::replace(&mut self.warned, true)).then_some(QUEUE_OVERFLOW);
        QueueFull { warning }
    }
}
