//! Tones through the resampler: the same tone comes out, as long as it went in, and nothing beside it.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "samples of known size")]

use std::f64::consts::TAU;

use proptest::prelude::*;

use super::{ResampleError, Resampler};

fn tone(rate: u32, hz: f64, seconds: f64) -> Vec<i16> {
    let count = (f64::from(rate) * seconds).round() as u32;
    (0..count).map(|at| (10_000.0 * (TAU * hz * f64::from(at) / f64::from(rate)).sin()).round() as i16).collect()
}

fn resampled(from: u32, to: u32, samples: &[i16], piece: usize) -> Vec<i16> {
    let mut resampler = Resampler::new(from, to).unwrap();
    let mut out = Vec::new();
    for samples in samples.chunks(piece) {
        resampler.process(samples, &mut out);
    }
    resampler.finish(&mut out);
    out
}

#[test]
fn a_tone_stays_the_tone_in_place_and_in_length() {
    for (from, to) in
        [(8000, 16000), (16000, 8000), (8000, 24000), (24000, 8000), (22050, 8000), (44100, 8000), (48000, 8000)]
    {
        let out = resampled(from, to, &tone(from, 1000.0, 0.5), 160);
        assert_eq!(out.len(), to as usize / 2, "{from} to {to}");
        // Whole periods of the tone, without the ends.
        let inner: Vec<(f64, f64)> = (0..to)
            .map(|at| TAU * 1000.0 * f64::from(at) / f64::from(to))
            .zip(out.iter().map(|sample| f64::from(*sample)))
            .skip(240)
            .take(2400)
            .collect();
        let fit = |wave: fn(f64) -> f64| inner.iter().map(|(turn, sample)| sample * wave(*turn)).sum::<f64>() / 1200.0;
        let (sine, cosine) = (fit(f64::sin), fit(f64::cos));
        let amplitude = sine.hypot(cosine);
        assert!((amplitude - 10_000.0).abs() < 50.0, "{from} to {to}: amplitude {amplitude}");
        let late = cosine.atan2(sine).abs() / (TAU * 1000.0 / f64::from(to));
        assert!(late < 0.51, "{from} to {to}: {late} samples out of place");
        let rest = |(turn, sample): &(f64, f64)| (sample - sine * turn.sin() - cosine * turn.cos()).abs();
        let worst = inner.iter().map(rest).fold(0.0, f64::max);
        assert!(worst < 20.0, "{from} to {to}: {worst} of 10000 is something else");
    }
}

#[test]
fn what_the_lower_rate_cannot_hold_is_gone() {
    for from in [16000, 24000, 44100, 48000] {
        let out = resampled(from, 8000, &tone(from, 5500.0, 0.5), 160);
        let loudest = out[200..out.len() - 200].iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!(loudest < 20, "from {from}: {loudest} of 10000 is left");
    }
}

#[test]
fn equal_rates_copy_and_loud_input_clips() {
    assert_eq!(resampled(8000, 8000, &[1, -2, 3], 2), [1, -2, 3]);
    let square: Vec<i16> = (0..1600).map(|at| if at / 40 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
    let out = resampled(8000, 16000, &square, 160);
    assert!(out.contains(&i16::MAX) && out.contains(&i16::MIN));
}

#[test]
fn a_finished_stream_leaves_nothing_for_the_next() {
    let mut resampler = Resampler::new(8000, 16000).unwrap();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for out in [&mut first, &mut second] {
        resampler.process(&tone(8000, 700.0, 0.1), out);
        resampler.finish(out);
    }
    assert_eq!(first, second);
}

#[test]
fn rates_out_of_range_are_refused() {
    for (from_hz, to_hz) in [(0, 8000), (8000, 0), (8000, 1_000_000), (3999, 8000)] {
        let error = Resampler::new(from_hz, to_hz).err().unwrap();
        assert_eq!(error, ResampleError::Rate { from_hz, to_hz });
        assert_eq!(error.code(), "audio.resample.rate");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn how_it_is_cut_into_pieces_makes_no_difference(
        samples in prop::collection::vec(any::<i16>(), 0..2000), piece in 1_usize..500,
        from in prop::sample::select(vec![8000, 16000, 22050, 24000]),
    ) {
        let to = if from == 8000 { 16000 } else { 8000 };
        let out = resampled(from, to, &samples, piece);
        prop_assert_eq!(out.len() as u64, (samples.len() as u64 * u64::from(to)).div_ceil(u64::from(from)));
        prop_assert_eq!(out, resampled(from, to, &samples, 2000));
    }
}
