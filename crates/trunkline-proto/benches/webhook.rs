//! What it costs to trust and to read a webhook, without any I/O.
//!
//! `cargo bench -p trunkline-proto`

#![allow(clippy::expect_used, missing_docs, reason = "a bench fails by panicking; its entry point is generated")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use trunkline_proto::form;
use trunkline_proto::signature::{Algorithm, RequestKind, SignedRequest, SigningKeys, sign, verify};
use trunkline_proto::webhook::ConversationsWebhook;

const URL: &str = "https://gateway.example.com/webhooks/twilio";
const TOKEN: &str = "2b1c0d9e8f7a6b5c4d3e2f1a0b9c8d7e";
const BODY: &[u8] = b"AccountSid=AC00000000000000000000000000000001&EventType=onMessageAdded&Source=SMS\
&ConversationSid=CH00000000000000000000000000000001&MessageSid=IM00000000000000000000000000000001\
&ParticipantSid=MB00000000000000000000000000000001&Index=3&Author=%2B15005550006\
&Body=Hello%2C+I+would+like+to+know+when+you+are+open+tomorrow%2C+please.&Attributes=%7B%7D\
&DateCreated=2026-11-20T10%3A11%3A12.345Z&RetryCount=0";

fn webhook(c: &mut Criterion) {
    let params = form::decode(BODY).expect("form");
    let signature = sign(Algorithm::HmacSha1, TOKEN.as_bytes(), URL, &params);
    let keys = SigningKeys::new([TOKEN]);
    let request = SignedRequest {
        kind: RequestKind::Form,
        url: URL,
        params: &params,
        body: None,
        signature: Some(&signature),
        settings: None,
    };
    c.bench_function("decode the form", |b| b.iter(|| form::decode(black_box(BODY)).expect("form")));
    c.bench_function("verify the signature", |b| b.iter(|| verify(black_box(&request), &keys).expect("valid")));
    c.bench_function("read the event", |b| b.iter(|| ConversationsWebhook::parse(black_box(&params)).expect("event")));
}

criterion_group!(benches, webhook);
criterion_main!(benches);
