//! What one message over the socket costs the client, without any I/O.
//!
//! `cargo bench -p trunkline-proto --bench realtime`

#![allow(clippy::expect_used, missing_docs, reason = "a bench fails by panicking; its entry point is generated")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use trunkline_proto::conversations::client::{Client, ClientOutput, ClientSettings, Event};
use trunkline_proto::sync::event::SYNC_EVENT;
use trunkline_proto::sync::{Notification, ObjectKind};
use trunkline_proto::twilsock::{
    ClientFrame, ClientMessage, HttpStatus, Reply, ServerFrame, ServerMessage, Status, TokenText,
};

const SECOND: Duration = Duration::from_secs(1);
/// Messages that one client is told of before it is replaced: its indexes only go up.
const MESSAGES: u64 = 1000;

/// Message number `index` of the conversation `CH1`.
fn message_added(index: u64) -> Vec<u8> {
    let event = json!({
        "event_type": "list_item_added",
        "event": {
            "id": index + 2, "list_sid": "ES1", "item_index": index, "item_revision": "0",
            "item_url": "https://cds.us1.twilio.com/v3/Services/default/Lists/ES1/Items/1",
            "date_created": "2026-11-21T00:00:00.000Z",
            "item_data": {
                "sid": "IM00000000000000000000000000000001", "index": index, "author": "ada",
                "text": "Hello, I would like to know when you are open tomorrow, please.", "type": "text",
                "timestamp": "2026-11-21T00:00:00.000Z", "dateUpdated": "2026-11-21T00:00:00.000Z",
                "lastUpdatedBy": null, "attributes": "{}", "memberSid": "MB00000000000000000000000000000001",
                "subject": null,
            },
        },
    });
    let message = ServerMessage::Notification { message_type: ObjectKind::List.live_type().to_owned() };
    message.encode("TM00000000000000000000000000000001", event.to_string().as_bytes())
}

/// What a server answers that knows one conversation, with ada and the bot.
fn answer(path: &str) -> Value {
    let object =
        |sid: &str| json!({"sid": sid, "last_event_id": 1, "links": {"items": format!("https://c/Items/{sid}")}});
    let items = |items: Value| json!({"items": items, "meta": {}});
    let path = path.split('?').next().unwrap_or_default();
    match path.rsplit('/').next().unwrap_or_default() {
        "Configuration" => json!({
            "identity": "bot", "sync_objects": {"my_user_info": "US1.info", "my_conversations": "US1.channels"},
            "links": {"my_conversations": "https://a/mine", "conversations": "https://a/all", "typing": "https://a/t"},
        }),
        "US1.channels" => object("MPmine"),
        "MPmine" => {
            items(json!([{"key": "CH1", "last_event_id": 1, "data": {"status": "joined", "channel": "CH1.channel"}}]))
        }
        "CH1.channel" => json!({"sid": "ET1", "last_event_id": 1, "data": {
            "sid": "CH1", "messages": "CH1.messages", "roster": "CH1.roster",
        }}),
        "CH1.messages" => object("ES1"),
        "CH1.roster" => object("MP1"),
        "MP1" => items(json!([
            {"key": "MB1", "last_event_id": 1, "data": {"identity": "ada", "type": "chat"}},
            {"key": "MB2", "last_event_id": 1, "data": {"identity": "bot", "type": "chat"}},
        ])),
        _ => json!({"max_batch_size": 100, "ttl_in_s": 3600, "estimated_delivery_in_ms": 5000}),
    }
}

/// A client that follows the conversation.
fn started() -> Client {
    let mut client = Client::new(&ClientSettings { region: None, edge: None, seed: 1, started_ms: 1 });
    client.start(Duration::ZERO);
    settle(&mut client, Duration::ZERO);
    for step in 1..4 {
        client.elapsed(SECOND * step);
        settle(&mut client, SECOND * step);
    }
    let snapshot = client.snapshot();
    assert_eq!((snapshot.open_conversations, snapshot.subscriptions), (1, (4, 4)), "the conversation is open");
    client
}

fn settle(client: &mut Client, now: Duration) {
    while let Some(output) = client.poll_output() {
        match output {
            ClientOutput::Open => client.opened(now),
            ClientOutput::NeedToken => client.token(now, TokenText("token".to_owned()), 3600 * SECOND),
            ClientOutput::Send(bytes) => serve(client, now, &bytes),
            _ => {}
        }
    }
}

fn serve(client: &mut Client, now: Duration, bytes: &[u8]) {
    let frame = ClientFrame::decode(bytes).expect("the client writes frames");
    let mut reply = Reply::of(Status::ok());
    let (mut body, mut established) = (Vec::new(), Vec::new());
    match frame.message {
        ClientMessage::Init(_) => {}
        ClientMessage::Request(request) => {
            reply.http_status = Some(HttpStatus { code: 200, status: "OK".to_owned() });
            body = serde_json::to_vec(&answer(&request.path)).expect("JSON");
            let batch: Value = serde_json::from_slice(frame.payload).unwrap_or_default();
            for request in batch.get("requests").and_then(Value::as_array).into_iter().flatten() {
                let event = json!({
                    "event_type": "subscription_established", "correlation_id": batch.get("correlation_id"),
                    "event": {"object_sid": request.get("object_sid"), "replay_status": "completed", "last_event_id": 1},
                });
                let message = ServerMessage::Notification { message_type: SYNC_EVENT.to_owned() };
                established.push(message.encode("TM1", event.to_string().as_bytes()));
            }
        }
        _ => return,
    }
    client.received(now, &ServerMessage::Reply(Box::new(reply)).encode(&frame.id, &body));
    for notification in established {
        client.received(now, &notification);
    }
}

fn realtime(c: &mut Criterion) {
    let frame = message_added(0);
    c.bench_function("decode a frame with a message", |b| {
        b.iter(|| {
            let frame = ServerFrame::decode(black_box(&frame)).expect("frame");
            Notification::decode(frame.payload).expect("notification")
        });
    });
    let frames: Vec<Vec<u8>> = (0..MESSAGES).map(message_added).collect();
    let mut group = c.benchmark_group("client");
    group.throughput(criterion::Throughput::Elements(MESSAGES));
    group.bench_function("hear 1000 messages and acknowledge each", |b| {
        let hear = |mut client: Client| {
            let (mut events, mut acknowledged) = (0, 0);
            for frame in &frames {
                client.received(10 * SECOND, black_box(frame));
                while let Some(output) = client.poll_output() {
                    match output {
                        ClientOutput::Event(Event::MessageAdded(_)) => events += 1,
                        ClientOutput::Send(_) => acknowledged += 1,
                        _ => {}
                    }
                }
            }
            assert_eq!((events, acknowledged), (MESSAGES, MESSAGES));
            client
        };
        b.iter_batched(started, hear, BatchSize::SmallInput);
    });
    group.finish();
}

criterion_group!(benches, realtime);
criterion_main!(benches);
