//! From pieces of audio, as voices and models make them, to the frames of a call.

use std::collections::VecDeque;

use bytes::{Buf as _, Bytes};
use trunkline_audio::{FRAME_SAMPLES, g711};
use trunkline_core::voice::AudioFrame;

/// Takes the next frame from `audio`, of which `left` bytes are left; the last one is filled up with silence.
pub(super) fn next_frame(audio: &mut VecDeque<Bytes>, left: &mut usize) -> AudioFrame {
    let mut frame = [g711::SILENCE; FRAME_SAMPLES];
    let mut room = frame.as_mut_slice();
    while let (Some(piece), false) = (audio.front_mut(), room.is_empty()) {
        let part = piece.len().min(room.len());
        let (head, rest) = room.split_at_mut(part);
        piece.copy_to_slice(head);
        room = rest;
        *left -= part;
        if piece.is_empty() {
            audio.pop_front();
        }
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_size_become_whole_frames_and_the_last_is_filled_up() {
        let mut audio: VecDeque<_> = [100, 0, 150, 80].map(|length| Bytes::from(vec![1; length])).into();
        let mut left = 330;
        assert_eq!(next_frame(&mut audio, &mut left), [1; FRAME_SAMPLES]);
        assert_eq!(next_frame(&mut audio, &mut left), [1; FRAME_SAMPLES]);
        let last = next_frame(&mut audio, &mut left);
        assert_eq!((&last[..10], &last[10..]), ([1; 10].as_slice(), [g711::SILENCE; 150].as_slice()));
        assert!(left == 0 && audio.is_empty());
    }
}
