//! Sound that is whole before it is played: spoken words, files, tones.

use std::collections::VecDeque;
use std::sync::Arc;

use trunkline_audio::g711::SILENCE;
use trunkline_audio::{FRAME_MS, FRAME_SAMPLES};

/// 20 ms of telephone audio, μ-law.
pub(crate) type Frame = [u8; FRAME_SAMPLES];
/// 20 ms in which nobody says anything.
pub(crate) const QUIET: Frame = [SILENCE; FRAME_SAMPLES];

/// μ-law audio that many may play at once.
pub(crate) type Sound = Arc<[u8]>;

/// Milliseconds of μ-law audio.
pub(crate) fn sound_ms(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX) / BYTES_PER_MS
}

/// One sound in a queue.
#[derive(Debug, Clone)]
struct Clip {
    id: u64,
    sound: Sound,
    at: usize,
    /// How often it is still played, this time included.
    left: u32,
}

/// Sounds that are played one after the other.
#[derive(Debug, Default)]
pub(crate) struct Clips {
    queue: VecDeque<Clip>,
    next_id: u64,
    /// The last clip that was played to its end.
    finished: Option<u64>,
}

impl Clips {
    /// Queues a sound; 0 times is [`ENDLESS`]. Returns its number, or nothing if the queue is full.
    pub(crate) fn push(&mut self, sound: Sound, times: u32) -> Option<u64> {
        if self.queue.len() >= MAX_CLIPS {
            return None;
        }
        let id = self.next_id;
        self.next_id = id.saturating_add(1);
        let left = if times == 0 { ENDLESS } else { times };
        self.queue.push_back(Clip { id, sound, at: 0, left });
        Some(id)
    }

    /// Forgets what was not played. Returns how far the clip at the front was played, in milliseconds.
    pub(crate) fn clear(&mut self) -> Option<(u64, u64)> {
        let front = self.queue.front().map(|clip| (clip.id, sound_ms(clip.at)));
        self.queue.clear();
        front
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether this clip has been played to its end.
    pub(crate) fn has_finished(&self, id: u64) -> bool {
        self.finished.is_some_and(|finished| finished >= id)
    }

    /// The next 20 ms. `true` if a clip ended in them.
    pub(crate) fn pull(&mut self, frame: &mut Frame) -> bool {
        let mut ended = false;
        let mut filled = 0;
        while filled < FRAME_SAMPLES {
            let Some(clip) = self.queue.front_mut() else { break };
            let rest = clip.sound.get(clip.at..).unwrap_or_default();
            let room = frame.get_mut(filled..).unwrap_or_default();
            let count = rest.len().min(room.len());
            for (slot, byte) in room.iter_mut().zip(rest) {
                *slot = *byte;
            }
            filled = filled.saturating_add(count);
            clip.at = clip.at.saturating_add(count);
            if clip.at >= clip.sound.len() {
                clip.left = clip.left.saturating_sub(1);
                clip.at = 0;
                if clip.left == 0 || clip.sound.is_empty() {
                    self.finished = Some(clip.id);
                    self.queue.pop_front();
                    ended = true;
                }
            }
        }
        ended
    }
}

/// μ-law bytes in a millisecond.
const BYTES_PER_MS: u64 = FRAME_SAMPLES as u64 / FRAME_MS;
/// What Twilio makes of a loop without end.
const ENDLESS: u32 = 1000;
/// Sounds that wait in one call.
const MAX_CLIPS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clips_follow_one_another_without_a_gap() {
        let mut clips = Clips::default();
        clips.push(vec![1; 100].into(), 2).unwrap();
        let last = clips.push(vec![2; 30].into(), 1).unwrap();
        let mut frame = QUIET;
        assert!(!clips.pull(&mut frame));
        assert_eq!(frame, [1; 160]);
        frame = QUIET;
        assert!(clips.pull(&mut frame));
        assert_eq!((&frame[..40], &frame[40..70], frame[70]), (&[1; 40][..], &[2; 30][..], SILENCE));
        assert!(clips.is_empty() && clips.has_finished(last));
    }

    #[test]
    fn an_empty_sound_ends_at_once() {
        let mut clips = Clips::default();
        let id = clips.push(Sound::default(), 0).unwrap();
        let mut frame = QUIET;
        assert!(clips.pull(&mut frame));
        assert!(clips.has_finished(id) && frame == QUIET);
    }
}
