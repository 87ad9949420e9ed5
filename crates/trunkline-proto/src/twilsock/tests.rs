use proptest::prelude::*;
use serde_json::json;

use super::*;

fn init() -> ClientMessage {
    ClientMessage::Init(Box::new(Init {
        token: TokenText("secret".into()),
        continuation_token: None,
        metadata: [("sdk".to_owned(), json!("JS"))].into(),
        registrations: Vec::new(),
        tweaks: None,
        capabilities: vec!["client_update".into()],
    }))
}

#[test]
fn a_frame_counts_bytes() {
    let frame = ServerMessage::Notification { message_type: "größe".into() }.encode("1", "\"ß\"".as_bytes());
    let text = String::from_utf8(frame.clone()).unwrap();
    let header = r#"{"method":"notification","id":"1","payload_size":4,"payload_type":"application/json","message_type":"größe"}"#;
    assert_eq!(text, format!("TWILSOCK V3.0 {}\r\n{header}\r\n\"ß\"", header.len()));
    let read = ServerFrame::decode(&frame).unwrap();
    assert_eq!(read.payload, "\"ß\"".as_bytes());
    assert!(read.is_json());
}

#[test]
fn what_a_client_says_is_read_as_said() {
    let request = HttpRequest {
        host: "aim.us1.twilio.com".into(),
        path: "/Client/v2/Configuration".into(),
        method: "GET".into(),
        params: [("a".to_owned(), Params::One("b".into())), ("c".to_owned(), Params::Many(vec!["d".into()]))].into(),
        headers: [("Content-Type".to_owned(), client_message::JSON.to_owned())].into(),
    };
    for message in [
        init(),
        ClientMessage::Update { token: TokenText("secret".into()) },
        ClientMessage::Request(Box::new(request)),
        ClientMessage::Reply { status: Status::ok() },
        ClientMessage::Close,
        ClientMessage::Telemetry,
        ClientMessage::PutNotificationContext { notification_ctx_id: "c".into() },
        ClientMessage::DeleteNotificationContext { notification_ctx_id: "c".into() },
        ClientMessage::Other { method: "new".into() },
    ] {
        let bytes = message.encode("TM1", b"{}");
        let frame = ClientFrame::decode(&bytes).unwrap();
        assert_eq!((frame.id.as_str(), &frame.message, frame.payload), ("TM1", &message, &b"{}"[..]));
    }
}

#[test]
fn what_a_server_says_is_read_as_said() {
    let mut reply =
        Reply::of(Status { description: Some("d".into()), error_code: Some(20104), ..Status::new(401, "X") });
    reply.http_status = Some(HttpStatus { code: 200, status: "OK".into() });
    reply.continuation_token = Some("c".into());
    for message in [
        ServerMessage::Reply(Box::new(reply)),
        ServerMessage::Notification { message_type: "t".into() },
        ServerMessage::ClientUpdate { client_update_type: server_message::TOKEN_ABOUT_TO_EXPIRE.into() },
        ServerMessage::Close { status: Status::new(410, "TOKEN_EXPIRED") },
        ServerMessage::Other { method: "ping".into() },
    ] {
        let bytes = message.encode("7", b"");
        let frame = ServerFrame::decode(&bytes).unwrap();
        assert_eq!((frame.id.as_str(), &frame.message, frame.payload), ("7", &message, &b""[..]));
    }
}

#[test]
fn a_broken_frame_says_what_is_wrong() {
    let whole = ServerMessage::Close { status: Status::ok() }.encode("1", b"{}");
    let text = |text: &str| ServerFrame::decode(text.as_bytes()).unwrap_err();
    assert_eq!(text(""), FrameError::Preamble);
    assert_eq!(text("TWILSOCK V2.0 2\r\n{}\r\n"), FrameError::Preamble);
    assert_eq!(text("TWILSOCK V3.0 x\r\n{}\r\n"), FrameError::Preamble);
    assert_eq!(text("TWILSOCK V3.0 9999999999\r\n"), FrameError::TooLong);
    assert_eq!(text("TWILSOCK V3.0 70000\r\n"), FrameError::TooLong);
    assert_eq!(text("TWILSOCK V3.0 2\r\n{}\r\n"), FrameError::Header);
    assert_eq!(text("TWILSOCK V3.0 9\r\n{}\r\n"), FrameError::Length);
    let size = r#"{"method":"close","id":"1","payload_size":99999999}"#;
    assert_eq!(text(&format!("TWILSOCK V3.0 {}\r\n{size}\r\n", size.len())), FrameError::TooLong);
    for cut in 0..whole.len() {
        assert!(ServerFrame::decode(&whole[..cut]).is_err(), "{cut}");
    }
    let mut longer = whole;
    longer.push(b' ');
    assert_eq!(ServerFrame::decode(&longer), Err(FrameError::Length));
    assert_eq!(FrameError::Length.code(), "proto.twilsock.length");
}

#[test]
fn a_token_is_not_printed() {
    assert!(!format!("{:?}", init()).contains("secret"));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(head in "(TWILSOCK V3.0 [0-9]{1,3}\r\n)?", rest: Vec<u8>) {
        let bytes = [head.as_bytes(), &rest].concat();
        let _ = (ClientFrame::decode(&bytes).is_ok(), ServerFrame::decode(&bytes).is_ok());
    }

    #[test]
    fn every_payload_comes_back(id in ".{0,20}", payload: Vec<u8>) {
        let bytes = ServerMessage::Notification { message_type: "t".into() }.encode(&id, &payload);
        let frame = ServerFrame::decode(&bytes).unwrap();
        prop_assert_eq!((frame.id, frame.payload), (id, payload.as_slice()));
    }
}
