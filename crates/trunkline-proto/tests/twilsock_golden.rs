//! Frames of the official SDK are read, and written back as they were.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that finds something else fails here")]

use serde_json::Value;
use trunkline_proto::twilsock::{ClientFrame, ClientMessage};

/// Header and payload of a frame, taken apart without the code that is tested.
fn parts(frame: &[u8]) -> (Value, &[u8]) {
    let line = frame.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let length: usize = std::str::from_utf8(&frame["TWILSOCK V3.0 ".len()..line - 2]).unwrap().parse().unwrap();
    let header = &frame[line..line + length];
    (serde_json::from_slice(header).unwrap(), &frame[line + length + 2..])
}

fn check(name: &str, frame: &[u8], expect: impl Fn(&ClientMessage, &[u8]) -> bool) {
    let read = ClientFrame::decode(frame).unwrap();
    assert!(expect(&read.message, read.payload), "{name}: {read:?}");
    // What a client measured is not kept.
    if read.message != ClientMessage::Telemetry {
        let written = read.message.encode(&read.id, read.payload);
        assert_eq!(parts(&written), parts(frame), "{name}");
    }
}

type Expectation = Box<dyn Fn(&ClientMessage, &[u8]) -> bool>;

#[test]
fn frames_of_the_official_sdk_are_read_and_written_back() {
    macro_rules! golden {
        ($name:literal) => {
            ($name, include_bytes!(concat!("golden/twilsock/", $name, ".frame")).as_slice())
        };
    }
    let requests = |path: &'static str, body: &'static str| {
        move |message: &ClientMessage, payload: &[u8]| {
            let ClientMessage::Request(request) = message else { return false };
            request.path.ends_with(path) && std::str::from_utf8(payload).unwrap().contains(body)
        }
    };
    let all: [(_, Expectation); 10] = [
        (golden!("init"), Box::new(|message, _| matches!(message, ClientMessage::Init(_)))),
        (golden!("update"), Box::new(|message, _| matches!(message, ClientMessage::Update { .. }))),
        (
            golden!("reply"),
            Box::new(|message, _| matches!(message, ClientMessage::Reply { status } if status.is_success())),
        ),
        (golden!("close"), Box::new(|message, _| *message == ClientMessage::Close)),
        (golden!("telemetry-v1"), Box::new(|message, _| *message == ClientMessage::Telemetry)),
        (golden!("message-configuration"), Box::new(requests("/Client/v2/Configuration", ""))),
        (golden!("message-items"), Box::new(requests("/Items", ""))),
        (golden!("message-send"), Box::new(requests("/Messages", "Grüße, 世界 🎉"))),
        (golden!("message-subscriptions"), Box::new(requests("/v4/Subscriptions", "\"action\":\"establish\""))),
        (golden!("message-typing"), Box::new(requests("/Typing", "ChannelSid=CH"))),
    ];
    for ((name, frame), expect) in all {
        check(name, frame, expect);
    }
}
