//! What one frame of audio costs at our end of a media stream, without any I/O.
//!
//! `cargo bench -p trunkline-proto --bench media`

#![allow(clippy::expect_used, missing_docs, reason = "a bench fails by panicking; its entry point is generated")]

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use trunkline_proto::media::{CallFacts, CallerSession, Event, FRAME_BYTES, Limits, Playback, ServerSession, Track};

fn media(criterion: &mut Criterion) {
    let mut caller = CallerSession::new(CallFacts {
        account_sid: "AC11111111111111111111111111111111".to_owned(),
        call_sid: "CA22222222222222222222222222222222".to_owned(),
        stream_sid: "MZ18ad3ab5a668481ce02b83e7395059f0".to_owned(),
        tracks: vec![Track::Inbound],
        custom_parameters: BTreeMap::new(),
    });
    let mut server = ServerSession::new(Limits::default());
    let mut out = Vec::new();
    caller.write_start(&mut out);
    server.text(str::from_utf8(&out).expect("text")).expect("a start");

    let ulaw: [u8; FRAME_BYTES] = std::array::from_fn(|at| u8::try_from(at * 7 % 256).expect("a byte"));
    out.clear();
    caller.write_media(Track::Inbound, 1_000_000, &ulaw, &mut out);
    let frame = String::from_utf8(out.clone()).expect("text");
    let mut bytes = [0; FRAME_BYTES];
    criterion.bench_function("media parse and decode", |b| {
        b.iter(|| match server.text(black_box(&frame)) {
            Ok(Event::Media(media)) => media.payload.decode_into(&mut bytes),
            other => panic!("{other:?}"),
        });
    });
    criterion.bench_function("media encode and write", |b| {
        b.iter(|| {
            out.clear();
            server.write_media(black_box(&ulaw), &mut out)
        });
    });
    let reply = String::from_utf8(out.clone()).expect("text");
    criterion.bench_function("caller reads media", |b| b.iter(|| caller.text(black_box(&reply)).is_ok()));
    criterion.bench_function("caller writes media", |b| {
        b.iter(|| {
            out.clear();
            caller.write_media(Track::Inbound, 1_000_000, black_box(&ulaw), &mut out);
        });
    });
    let mut playback = Playback::new();
    let mut marks = Vec::new();
    criterion.bench_function("playback", |b| {
        b.iter(|| playback.push_media(black_box(&ulaw)).is_ok() && playback.pull(&mut bytes, &mut marks) > 0);
    });
}

criterion_group!(benches, media);
criterion_main!(benches);
