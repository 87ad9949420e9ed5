//! Talking over the other side: how much of the caller's voice goes out before the other side's server drops what it had
//! queued.
//!
//! Measured in audio, not by the clock: from the beginning of the first frame with a voice to the end of the last frame
//! that was sent when the server's `clear` was read. So a machine that is busy measures the same as one that is not.

use trunkline_audio::vad::{SpeechDetector, SpeechEvent};
use trunkline_audio::{FRAME_SAMPLES, g711};

use super::clip::Frame;

/// The caller's voice, as it is sent.
#[derive(Default)]
pub(super) struct Overlap {
    voice: SpeechDetector,
    /// Words were begun that are to silence the other side, and it was not cleared since.
    is_open: bool,
    /// When the first frame of them with a voice began.
    voiced_ms: Option<u64>,
}

impl Overlap {
    /// Words begin that are to silence the other side.
    pub(super) fn begin(&mut self) {
        self.is_open = true;
        self.voiced_ms = None;
    }

    /// The caller's frame that begins at `now_ms`.
    pub(super) fn spoke(&mut self, now_ms: u64, frame: &Frame) {
        let mut samples = [0_i16; FRAME_SAMPLES];
        g711::decode_into(frame, &mut samples);
        if let Some(SpeechEvent::Started { at_ms }) = self.voice.push(now_ms, &samples) {
            self.voiced(at_ms);
        }
    }

    fn voiced(&mut self, at_ms: u64) {
        if self.is_open {
            self.voiced_ms.get_or_insert(at_ms);
        }
    }

    /// The server dropped its queue when the caller had been sent up to `sent_ms`. How much of the voice that is.
    pub(super) fn cleared(&mut self, sent_ms: u64) -> Option<u64> {
        if !std::mem::take(&mut self.is_open) {
            return None;
        }
        self.voiced_ms.take().map(|voiced| sent_ms.saturating_sub(voiced))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_counts_from_the_first_frame_with_a_voice() {
        let mut overlap = Overlap::default();
        overlap.voiced(100);
        overlap.begin();
        overlap.voiced(200);
        overlap.voiced(280);
        assert_eq!(overlap.cleared(300), Some(100));
        assert_eq!(overlap.cleared(400), None, "once");
        overlap.begin();
        assert_eq!(overlap.cleared(500), None, "not before there was a voice");
    }
}
