//! Where utterances begin and end, by our own detector, for engines that take them one at a time.

use std::collections::VecDeque;

use trunkline_audio::vad::{SpeechDetector, SpeechEvent, SpeechSettings};
use trunkline_audio::{FRAME_MS, FRAME_SAMPLES, g711};

use crate::live::Frame;

/// The silence that ends an utterance. Shorter ones are pauses within it.
const END_SILENCE_MS: u64 = 450;
/// What was heard before speech was certain and belongs to it, in frames of 20 ms.
const PRE_ROLL: usize = 20;
/// An utterance that is longer is cut, in frames of 20 ms.
const MAX_UTTERANCE: usize = 1_000;
/// The most audio of an utterance, in bytes of μ-law.
pub(crate) const MAX_UTTERANCE_BYTES: usize = (MAX_UTTERANCE + PRE_ROLL) * FRAME_SAMPLES;

/// Finds utterances in a call.
pub(crate) struct Utterances {
    detector: SpeechDetector,
    before: VecDeque<Frame>,
    frames: u64,
    /// Frames of the utterance under way; 0 between utterances.
    length: usize,
}

impl Utterances {
    pub(crate) fn new() -> Self {
        let settings = SpeechSettings { hangover_ms: END_SILENCE_MS, ..SpeechSettings::default() };
        Self {
            detector: SpeechDetector::new(settings),
            before: VecDeque::with_capacity(PRE_ROLL),
            frames: 0,
            length: 0,
        }
    }

    /// Hears 20 ms and adds to `speech` what is now known to belong to an utterance. Says whether it has ended.
    pub(crate) fn hear(&mut self, frame: &Frame, speech: &mut Vec<u8>) -> bool {
        let mut linear = [0_i16; FRAME_SAMPLES];
        g711::decode_into(frame, &mut linear);
        let event = self.detector.push(self.frames * FRAME_MS, &linear);
        self.frames += 1;
        if self.length > 0 || self.detector.is_speaking() {
            for earlier in self.before.drain(..) {
                speech.extend_from_slice(&earlier);
            }
            speech.extend_from_slice(frame);
            self.length += 1;
            let has_ended = matches!(event, Some(SpeechEvent::Ended { .. })) || self.length >= MAX_UTTERANCE;
            if has_ended {
                self.length = 0;
            }
            return has_ended;
        }
        if self.before.len() == PRE_ROLL {
            self.before.pop_front();
        }
        self.before.push_back(*frame);
        false
    }
}
