//! Every key is heard as itself, once, through a telephone; speech is none.

#![expect(clippy::cast_possible_truncation, reason = "samples of known size")]

use super::{Detector, DtmfError, KEYS, MAX_KEYS, Tones};
use crate::{FRAME_SAMPLES, g711};

fn audio(keys: &str) -> Vec<i16> {
    let mut tones = Tones::new(keys).unwrap();
    let mut audio = vec![0; 8_000 * 40];
    let filled = tones.fill(&mut audio);
    audio.truncate(filled);
    audio
}

fn heard(audio: &[i16]) -> String {
    let mut detector = Detector::new();
    let mut heard = String::new();
    for piece in audio.chunks(FRAME_SAMPLES) {
        let mut frame = [0; FRAME_SAMPLES];
        frame[..piece.len()].copy_from_slice(piece);
        heard.extend(detector.push(&frame));
    }
    heard
}

#[test]
fn every_key_is_heard_through_a_telephone_wherever_the_frames_begin() {
    let keys: String = KEYS.iter().flatten().collect();
    for shift in [0, 1, 37, 80, 133, 159] {
        let mut line = vec![0; shift];
        line.extend(audio(&keys).iter().map(|sample| g711::decode(g711::encode(*sample))));
        assert_eq!(heard(&line), keys, "shifted by {shift}");
    }
}

#[test]
fn the_same_key_twice_is_twice_and_a_held_key_is_once() {
    assert_eq!(heard(&audio("11w1#")), "111#");
    let held: Vec<i16> = audio("5")[160..640].to_vec();
    assert_eq!(heard(&held), "5");
}

#[test]
fn quiet_and_noisy_lines_are_heard_and_speech_is_not() {
    let mut seed = 1_u32;
    let noisy = audio("159D").into_iter().map(|sample| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        sample / 8 + i16::try_from(seed >> 24).unwrap() - 128
    });
    assert_eq!(heard(&noisy.collect::<Vec<_>>()), "159D");
    // A voice: a fundamental and its harmonics, strong where the keys are.
    let voice: Vec<i16> = (0..16_000)
        .map(|at| {
            let second = f64::from(at) / 8000.0;
            let hz = 120.0 + 30.0 * (second * 6.0).sin();
            (1..24).map(|k| 900.0 * (std::f64::consts::TAU * hz * f64::from(k) * second).sin()).sum::<f64>() as i16
        })
        .collect();
    assert_eq!(heard(&voice), "");
    assert_eq!(heard(&[0; 1600]), "");
}

#[test]
fn what_is_no_key_is_refused() {
    let error = Tones::new("12x").unwrap_err();
    assert_eq!(error, DtmfError::NoKey { at: 3 });
    assert_eq!(error.to_string(), "character 3 is no key: keys are 0-9, *, #, A-D, and w for a pause");
    assert_eq!(Tones::new(&"1".repeat(MAX_KEYS + 1)).unwrap_err(), DtmfError::TooMany);
    assert_eq!(Tones::new(&"1".repeat(MAX_KEYS)).unwrap().fill(&mut vec![0; 400_000]), MAX_KEYS * 1600);
}
