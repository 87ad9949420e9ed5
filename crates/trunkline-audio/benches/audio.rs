//! What one frame of 20 ms costs.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use trunkline_audio::band::BandFill;
use trunkline_audio::playout::Ledger;
use trunkline_audio::resample::Resampler;
use trunkline_audio::vad::SpeechDetector;
use trunkline_audio::{FRAME_MS, FRAME_SAMPLES, dtmf, g711, level};

fn frame() -> [i16; FRAME_SAMPLES] {
    let mut seed = 1_u32;
    std::array::from_fn(|_| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16).cast_signed().try_into().unwrap_or(0) / 4
    })
}

fn per_frame(criterion: &mut Criterion) {
    let samples = frame();
    let mut codes = [0; FRAME_SAMPLES];
    g711::encode_into(&samples, &mut codes);

    let mut out = [0; FRAME_SAMPLES];
    criterion.bench_function("decode", |b| b.iter(|| g711::decode_into(black_box(&codes), black_box(&mut out))));
    let mut out = [0; FRAME_SAMPLES];
    criterion.bench_function("encode", |b| b.iter(|| g711::encode_into(black_box(&samples), black_box(&mut out))));
    criterion.bench_function("level", |b| b.iter(|| level::Level::of(black_box(&samples))));

    let mut detector = SpeechDetector::default();
    let mut at_ms = 0;
    criterion.bench_function("vad", |b| {
        b.iter(|| {
            at_ms += FRAME_MS;
            detector.push(at_ms, black_box(&samples))
        });
    });
    let mut keys = dtmf::Detector::new();
    criterion.bench_function("dtmf", |b| b.iter(|| keys.push(black_box(&samples))));

    for (name, from, to) in [("resample 8 to 16", 8000, 16000), ("resample 24 to 8", 24000, 8000)] {
        let Ok(mut resampler) = Resampler::new(from, to) else { continue };
        let input = vec![1000; from as usize / 50];
        let mut out = Vec::with_capacity(1024);
        criterion.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                resampler.process(black_box(&input), &mut out);
            });
        });
    }
    let mut fill = BandFill::new();
    let mut out = Vec::with_capacity(1024);
    criterion.bench_function("band fill", |b| {
        b.iter(|| {
            out.clear();
            fill.process(black_box(&samples), &mut out);
        });
    });

    let mut ledger = Ledger::new();
    let reply = ledger.begin();
    let segment = ledger.segment(reply);
    let mut now = Duration::ZERO;
    criterion.bench_function("ledger", |b| {
        b.iter(|| {
            now += Duration::from_millis(FRAME_MS);
            ledger.sent(now, reply, segment, FRAME_SAMPLES) && ledger.is_playing(now)
        });
    });
}

criterion_group!(benches, per_frame);
criterion_main!(benches);
