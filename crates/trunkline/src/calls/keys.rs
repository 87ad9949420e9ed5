//! Keys that somebody has pressed in a call: their tones wait here and go out like everything else that is said, a little
//! ahead of playback. They are no words of ours, and a far end that is cleared forgets them too.

use std::collections::VecDeque;

use trunkline_audio::dtmf::Tones;
use trunkline_audio::{FRAME_SAMPLES, g711};
use trunkline_core::voice::AudioFrame;

/// Sequences of keys that may wait; more are left out.
const MAX_WAITING: usize = 16;

/// Tones that are still to be sent.
#[derive(Debug, Default)]
pub(super) struct Keys(VecDeque<Tones>);

impl Keys {
    /// Presses keys, after those that wait.
    pub(super) fn press(&mut self, digits: &str) {
        // Whoever orders keys has them checked.
        let Ok(tones) = Tones::new(digits) else { return };
        if self.0.len() < MAX_WAITING {
            self.0.push_back(tones);
        } else {
            tracing::warn!("keys are pressed faster than they sound; some are left out");
        }
    }

    /// Whether tones wait for their time.
    pub(super) fn are_waiting(&self) -> bool {
        !self.0.is_empty()
    }

    /// What was not sent is not wanted any more.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The next 20 ms; the last one is filled up with silence.
    pub(super) fn next_frame(&mut self) -> Option<AudioFrame> {
        let mut linear = [0_i16; FRAME_SAMPLES];
        while let Some(tones) = self.0.front_mut() {
            if tones.fill(&mut linear) == 0 {
                self.0.pop_front();
                continue;
            }
            let mut frame = [g711::SILENCE; FRAME_SAMPLES];
            g711::encode_into(&linear, &mut frame);
            return Some(frame);
        }
        None
    }
}
