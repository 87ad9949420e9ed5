//! Speech is found where it is, on clean and on noisy lines.

#![expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "samples of known size")]

use proptest::prelude::*;

use super::{SpeechDetector, SpeechEvent, SpeechSettings, VoiceActivity};
use crate::{FRAME_MS, FRAME_SAMPLES};

/// Something like a vowel: pulses of the vocal cords through two resonances.
fn vowel(at: usize) -> f64 {
    let second = at as f64 / 8000.0;
    let pitch = 130.0 + 10.0 * (second * 4.0).sin();
    (1..26)
        .map(|k| {
            let hz = pitch * f64::from(k);
            let formant = |centre: f64| 1.0 / (1.0 + ((hz - centre) / 120.0).powi(2));
            (formant(600.0) + 0.6 * formant(1400.0) + 0.3 * formant(2500.0))
                * (std::f64::consts::TAU * hz * second).sin()
        })
        .sum::<f64>()
        * 4000.0
}

/// Two seconds: quiet, a voice from 500 to 1300 ms, quiet. Noise of the given amplitude under all of it.
fn line(noise: i32) -> Vec<[i16; FRAME_SAMPLES]> {
    let mut seed = 7_u32;
    let mut samples = (0..16_000).map(|at| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let hiss = if noise == 0 { 0 } else { (seed >> 16).cast_signed() % (2 * noise) - noise };
        let voice = if (4000..10_400).contains(&at) { vowel(at) } else { 0.0 };
        (voice + f64::from(hiss)) as i16
    });
    (0..100).map(|_| std::array::from_fn(|_| samples.next().unwrap())).collect()
}

#[test]
fn speech_is_found_where_it_is() {
    for noise in [0, 20, 150] {
        let mut detector = SpeechDetector::default();
        let mut events = Vec::new();
        for (at, frame) in line(noise).iter().enumerate() {
            events.extend(detector.push(at as u64 * FRAME_MS, frame));
        }
        let [SpeechEvent::Started { at_ms: start }, SpeechEvent::Ended { at_ms: end }] = events[..] else {
            panic!("noise {noise}: {events:?}");
        };
        assert!((480..=560).contains(&start), "noise {noise}: started at {start}");
        assert!((1280..=1460).contains(&end), "noise {noise}: ended at {end}");
    }
}

#[test]
fn what_is_below_the_gate_is_no_speech() {
    let mut detector = SpeechDetector::default();
    for (at, frame) in line(0).iter().enumerate() {
        let quiet = frame.map(|sample| sample / 400);
        assert_eq!(detector.push(at as u64 * FRAME_MS, &quiet), None);
    }
}

#[test]
fn onset_and_hangover_are_as_long_as_set() {
    let decisions = |settings: SpeechSettings, voiced: &str| -> Vec<(u64, SpeechEvent)> {
        let mut detector = SpeechDetector::new(settings);
        let frames = voiced.chars().zip((0_u64..).step_by(20));
        frames.filter_map(|(voice, at)| Some((at, detector.decide(at, voice == '#')?))).collect()
    };
    let default = SpeechSettings::default();
    let (started, ended) = (SpeechEvent::Started { at_ms: 20 }, SpeechEvent::Ended { at_ms: 80 });
    assert_eq!(decisions(default, ".###........."), [(60, started)]);
    assert_eq!(decisions(default, ".###.........."), [(60, started), (260, ended)]);
    assert_eq!(decisions(default, ".##.##.##.#.."), []);
    // A gap shorter than the hangover is part of the speech.
    assert_eq!(decisions(default, ".###.........#.........").len(), 1);
    let quick = SpeechSettings { onset_ms: 20, hangover_ms: 40, ..default };
    let expected = [(0, SpeechEvent::Started { at_ms: 0 }), (40, SpeechEvent::Ended { at_ms: 20 })];
    assert_eq!(decisions(quick, "#.."), expected);
}

#[test]
fn a_call_can_move_between_threads_with_it() {
    fn check<T: Send + 'static>(_: T) {}
    check(SpeechDetector::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_audio_breaks_it(frames in prop::collection::vec(prop::collection::vec(
        prop_oneof![any::<i16>(), Just(i16::MIN), Just(i16::MAX), Just(0)], FRAME_SAMPLES), 1..40)) {
        let mut voice = VoiceActivity::default();
        for frame in frames {
            let frame: [i16; FRAME_SAMPLES] = frame.try_into().unwrap();
            let voiced = voice.is_voice(&frame);
            prop_assert!(!voiced || crate::level::rms_dbfs(&frame) >= super::DEFAULT_GATE_DBFS);
        }
    }
}
