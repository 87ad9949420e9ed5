//! What a server's stream plays to a call, and the marks that are to be sent back to it.

use std::collections::VecDeque;

use trunkline_proto::media::{Playback, QueueFull};

use super::clip::Frame;

/// The queue of one stream, with the marks that have returned.
#[derive(Debug, Default)]
pub(crate) struct StreamPlayer {
    playback: Playback,
    /// Marks that returned with the last frame; kept to reuse its room.
    returned: Vec<String>,
    due: VecDeque<String>,
}

impl StreamPlayer {
    pub(crate) fn media(&mut self, audio: &[u8]) -> Result<(), QueueFull> {
        self.playback.push_media(audio)
    }

    pub(crate) fn mark(&mut self, name: String) -> Result<(), QueueFull> {
        self.due.extend(self.playback.push_mark(name)?);
        Ok(())
    }

    /// Forgets the audio; all marks are due.
    pub(crate) fn clear(&mut self) {
        self.due.extend(self.playback.clear());
    }

    /// A mark to be sent back.
    pub(crate) fn next_due(&mut self) -> Option<String> {
        self.due.pop_front()
    }

    /// The next 20 ms. `true` if marks became due.
    pub(crate) fn pull(&mut self, frame: &mut Frame) -> bool {
        self.playback.pull(frame, &mut self.returned);
        self.due.extend(self.returned.drain(..));
        !self.due.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telephone::clip::QUIET;

    #[test]
    fn a_mark_never_comes_before_its_audio_was_due() {
        // A linear generator makes odd sizes.
        let mut seed = 7_u32;
        let mut size = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 20) as usize % 700 + 1
        };
        let mut player = StreamPlayer::default();
        let mut waits = VecDeque::new();
        let (mut queued, mut pulled) = (0_usize, 0_usize);
        for number in 0..500 {
            let bytes = size();
            queued += bytes;
            player.media(&vec![1; bytes]).unwrap();
            player.mark(number.to_string()).unwrap();
            waits.push_back(queued);
            for _ in 0..size() % 5 {
                player.pull(&mut QUIET.clone());
                while let Some(name) = player.next_due() {
                    let wait = waits.pop_front().unwrap();
                    // What is pulled now is only beginning to sound.
                    assert!(pulled >= wait, "mark {name} after {pulled} of {wait} bytes");
                }
                pulled = (pulled + 160).min(queued);
            }
        }
        player.clear();
        assert_eq!(std::iter::from_fn(|| player.next_due()).count(), waits.len());
    }
}
