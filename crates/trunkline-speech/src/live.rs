//! Audio that must not wait.
//!
//! A caller is listened to as they speak. When whoever listens is slow, the oldest audio is dropped and counted: late
//! words are worse than lost ones, and memory stays bounded.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use trunkline_audio::FRAME_SAMPLES;

/// 20 ms of μ-law.
pub type Frame = [u8; FRAME_SAMPLES];

/// What a queue of live audio holds at most: 5 s. It bridges the time in which a provider is connected.
pub const MAX_FRAMES: usize = 250;

#[derive(Default)]
struct State {
    frames: VecDeque<Frame>,
    dropped: u64,
    is_over: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

impl Shared {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The end that the call writes to. Dropping it ends the audio.
pub struct AudioSink(Arc<Shared>);

/// The end that an engine reads from.
pub struct AudioSource(Arc<Shared>);

/// A queue of live audio, at most [`MAX_FRAMES`] long.
pub fn channel() -> (AudioSink, AudioSource) {
    let shared = Arc::new(Shared::default());
    (AudioSink(Arc::clone(&shared)), AudioSource(shared))
}

impl AudioSink {
    /// Adds a frame; never waits. The oldest frame goes when the queue is full.
    pub fn write(&self, frame: &Frame) {
        self.0.with(|state| {
            if state.frames.len() == MAX_FRAMES {
                state.frames.pop_front();
                state.dropped += 1;
            }
            state.frames.push_back(*frame);
        });
        self.0.changed.notify_one();
    }

    /// How many frames were dropped so far.
    pub fn dropped(&self) -> u64 {
        self.0.with(|state| state.dropped)
    }
}

impl Drop for AudioSink {
    fn drop(&mut self) {
        self.0.with(|state| state.is_over = true);
        self.0.changed.notify_one();
    }
}

impl AudioSource {
    /// The next frame, or `None` when the call has ended.
    ///
    /// # Cancel safety
    /// Cancel-safe: no frame is lost.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            let changed = self.0.changed.notified();
            let (frame, is_over) = self.0.with(|state| (state.frames.pop_front(), state.is_over));
            if frame.is_some() || is_over {
                return frame;
            }
            changed.await;
        }
    }

    /// Moves everything that is there to the end of `bytes`. Returns how many frames.
    pub fn take(&mut self, bytes: &mut Vec<u8>) -> usize {
        self.0.with(|state| {
            let count = state.frames.len();
            for frame in state.frames.drain(..) {
                bytes.extend_from_slice(&frame);
            }
            count
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_audio_goes_first_and_the_end_is_seen_after_the_rest() {
        let (sink, mut source) = channel();
        for index in 0..MAX_FRAMES + 3 {
            sink.write(&[u8::try_from(index % 256).expect("small"); FRAME_SAMPLES]);
        }
        assert_eq!(sink.dropped(), 3);
        assert_eq!(source.next().await.expect("a frame")[0], 3);
        drop(sink);
        let mut rest = Vec::new();
        assert_eq!(source.take(&mut rest), MAX_FRAMES - 1);
        assert!(source.next().await.is_none());
    }
}
