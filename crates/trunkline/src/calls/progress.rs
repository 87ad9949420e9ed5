//! Whether a recognizer makes progress: speech went in, and something has to come out.
//!
//! Counted in frames of the call, so that it needs no timer. What was said since words last came is kept, so that the next
//! recognizer hears it too.

use std::collections::VecDeque;
use std::time::Duration;

use trunkline_audio::FRAME_MS;
use trunkline_speech::live::{Frame, MAX_FRAMES};

/// Speech that is shorter proves nothing, in frames: 700 ms.
const MIN_VOICED: u64 = 35;
/// What is kept of the time before speech, in frames: 300 ms.
const PREROLL: usize = 15;

/// What went into a recognizer since something last came out.
#[derive(Debug, Default)]
pub(super) struct Progress {
    is_spoken_to: bool,
    voiced: u64,
    quiet: u64,
    /// At most [`MAX_FRAMES`]; the oldest goes first.
    kept: VecDeque<Frame>,
}

impl Progress {
    /// Speech begins or ends.
    pub(super) const fn speech(&mut self, begins: bool) {
        self.is_spoken_to = begins;
        self.quiet = 0;
    }

    /// A frame goes in. Says whether something should have come out by now.
    pub(super) fn write(&mut self, frame: &Frame, patience: Duration) -> bool {
        let is_open = self.is_spoken_to || self.voiced > 0;
        let most = if is_open { MAX_FRAMES } else { PREROLL };
        while self.kept.len() >= most {
            self.kept.pop_front();
        }
        if self.kept.len() == self.kept.capacity() {
            // Doubling would take as much again as an utterance needs.
            self.kept.reserve_exact(PREROLL);
        }
        self.kept.push_back(*frame);
        if self.is_spoken_to {
            self.voiced += 1;
        } else if self.voiced >= MIN_VOICED {
            self.quiet += 1;
        } else {
            self.voiced = 0;
        }
        u128::from(self.quiet * FRAME_MS) >= patience.as_millis()
    }

    /// Something came out.
    pub(super) fn heard(&mut self) {
        (self.voiced, self.quiet) = (0, 0);
        self.kept.clear();
        // An utterance is as large as everything else of a call.
        self.kept.shrink_to(PREROLL);
    }

    /// What nothing came of, to be heard by somebody else.
    pub(super) fn take(&mut self) -> VecDeque<Frame> {
        (self.voiced, self.quiet) = (0, 0);
        std::mem::take(&mut self.kept)
    }
}
