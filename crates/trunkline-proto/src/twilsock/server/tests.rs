//! A socket from its first message to its last, without a socket.

use super::super::client_message::Init;
use super::super::server_message::{BackoffPolicy, ServerFrame};
use super::*;

const START: i64 = 1_800_000_000_000;
const HOUR: i64 = 3_600_000;

fn init() -> Vec<u8> {
    let init = Init {
        token: TokenText("token".to_owned()),
        continuation_token: None,
        metadata: BTreeMap::new(),
        registrations: Vec::new(),
        tweaks: None,
        capabilities: vec!["client_update".to_owned(), "something.new".to_owned()],
    };
    ClientMessage::Init(Box::new(init)).encode("TM1", &[])
}

fn outputs(session: &mut ServerSession) -> Vec<Output> {
    std::iter::from_fn(|| session.poll_output()).collect()
}

/// The messages among what is to be done.
fn sent(session: &mut ServerSession) -> Vec<(String, ServerMessage, String)> {
    let frames = outputs(session).into_iter().filter_map(|output| match output {
        Output::Send(bytes) => Some(bytes),
        _ => None,
    });
    let read = |bytes: Vec<u8>| {
        let frame = ServerFrame::decode(&bytes).unwrap();
        (frame.id, frame.message, String::from_utf8(frame.payload.to_vec()).unwrap())
    };
    frames.map(read).collect()
}

fn grant(expires_at_ms: i64) -> Grant {
    Grant { identity: "alice".to_owned(), expires_at_ms }
}

fn connected(expires_at_ms: i64) -> ServerSession {
    let mut session = ServerSession::new(START);
    session.handle(START, Input::Frame(&init()));
    session.handle(START, Input::Verdict { id: "TM1".to_owned(), verdict: Ok(grant(expires_at_ms)) });
    outputs(&mut session);
    session
}

fn close_code(session: &mut ServerSession) -> u16 {
    match sent(session).pop() {
        Some((_, ServerMessage::Close { status }, _)) => status.code,
        other => panic!("no close: {other:?}"),
    }
}

#[test]
fn a_good_token_connects_and_the_reply_confirms_what_is_known() {
    let mut session = ServerSession::new(START);
    session.handle(START, Input::Frame(&init()));
    let token = TokenText("token".to_owned());
    assert_eq!(outputs(&mut session), [Output::Authenticate { id: "TM1".to_owned(), token }]);
    session.handle(START, Input::Verdict { id: "TM1".to_owned(), verdict: Ok(grant(START + HOUR)) });
    assert_eq!(session.poll_output(), Some(Output::Connected { identity: "alice".to_owned() }));
    let [(id, ServerMessage::Reply(reply), payload)] = &sent(&mut session)[..] else { panic!("no reply") };
    assert_eq!((id.as_str(), reply.status.code, payload.as_str()), ("TM1", 200, ""));
    assert_eq!(reply.capabilities, Some(vec!["client_update".to_owned()]));
    assert_eq!(session.next_deadline(), Some(START + HOUR - TOKEN_WARNING_MS));
}

#[test]
fn a_refusal_is_told_with_its_hint_and_the_socket_ends() {
    let mut session = ServerSession::new(START);
    session.handle(START, Input::Frame(&init()));
    outputs(&mut session);
    let backoff = Some(Backoff { backoff_policy: BackoffPolicy { reconnect_min_ms: 700 } });
    let refusal = Refusal { status: 429, error_code: Some(20429), backoff };
    session.handle(START, Input::Verdict { id: "TM1".to_owned(), verdict: Err(refusal) });
    let [(_, ServerMessage::Reply(reply), payload)] = &sent(&mut session)[..] else { panic!("no reply") };
    assert_eq!((reply.status.code, reply.status.error_code), (429, Some(20429)));
    assert_eq!(payload, r#"{"backoff_policy":{"reconnect_min_ms":700}}"#);
    session.handle(START + CLOSE_GRACE_MS, Input::Timeout);
    assert_eq!(outputs(&mut session), [Output::Close]);
}

#[test]
fn nothing_comes_before_init_and_init_has_its_time() {
    let mut session = ServerSession::new(START);
    session.handle(START, Input::Frame(&ClientMessage::Update { token: TokenText(String::new()) }.encode("TM1", &[])));
    assert_eq!(close_code(&mut session), 406);
    let mut session = ServerSession::new(START);
    assert_eq!(session.next_deadline(), Some(START + INIT_TIMEOUT_MS));
    session.handle(START + INIT_TIMEOUT_MS, Input::Timeout);
    assert_eq!(outputs(&mut session), [Output::Close]);
}

#[test]
fn what_is_no_frame_ends_the_socket() {
    for bytes in [b"".as_slice(), b"GET / HTTP/1.1", b"TWILSOCK V3.0 2\r\n{}\r\n"] {
        let mut session = connected(START + HOUR);
        session.handle(START, Input::Frame(bytes));
        assert_eq!(close_code(&mut session), 417);
    }
}

#[test]
fn a_token_is_announced_to_end_and_ends_and_an_update_moves_both() {
    let mut session = connected(START + HOUR);
    session.handle(START + HOUR - TOKEN_WARNING_MS, Input::Timeout);
    assert!(matches!(&sent(&mut session)[..], [(_, ServerMessage::ClientUpdate { client_update_type }, _)]
        if client_update_type == TOKEN_ABOUT_TO_EXPIRE));
    let update = ClientMessage::Update { token: TokenText("next".to_owned()) }.encode("TM2", &[]);
    session.handle(START + HOUR - 1, Input::Frame(&update));
    session.handle(START + HOUR - 1, Input::Verdict { id: "TM2".to_owned(), verdict: Ok(grant(START + 2 * HOUR)) });
    assert!(matches!(&sent(&mut session)[..], [(id, ServerMessage::Reply(_), _)] if id == "TM2"));
    session.handle(START + HOUR + 1, Input::Timeout);
    assert_eq!(outputs(&mut session), []);
    session.handle(START + 2 * HOUR, Input::Timeout);
    assert_eq!(close_code(&mut session), 410);
}

#[test]
fn a_short_token_is_announced_at_once() {
    let mut session = ServerSession::new(START);
    session.handle(START, Input::Frame(&init()));
    session.handle(START, Input::Verdict { id: "TM1".to_owned(), verdict: Ok(grant(START + 1000)) });
    let messages: Vec<_> = sent(&mut session).into_iter().map(|(_, message, _)| message).collect();
    assert!(matches!(messages[..], [ServerMessage::Reply(_), ServerMessage::ClientUpdate { .. }]), "{messages:?}");
}

#[test]
fn a_token_of_somebody_else_is_refused() {
    let mut session = connected(START + HOUR);
    let other = Ok(Grant { identity: "bob".to_owned(), expires_at_ms: START + HOUR });
    session.handle(START, Input::Verdict { id: "TM2".to_owned(), verdict: other });
    let [(_, ServerMessage::Reply(reply), _)] = &sent(&mut session)[..] else { panic!("no reply") };
    assert_eq!(reply.status.code, 403);
}

#[test]
fn requests_are_handed_on_up_to_a_limit_and_answers_carry_both_statuses() {
    let mut session = connected(START + HOUR);
    let request = HttpRequest {
        host: "aim.us1.twilio.com".to_owned(),
        path: "/Client/v2/Configuration".to_owned(),
        method: "GET".to_owned(),
        params: BTreeMap::new(),
        headers: BTreeMap::new(),
    };
    let frame = ClientMessage::Request(Box::new(request)).encode("TM2", &[]);
    for _ in 0..MAX_PENDING_REQUESTS {
        session.handle(START, Input::Frame(&frame));
    }
    assert!(outputs(&mut session).iter().all(|output| matches!(output, Output::Request { .. })));
    session.handle(START, Input::Frame(&frame));
    let [(_, ServerMessage::Reply(reply), _)] = &sent(&mut session)[..] else { panic!("no reply") };
    assert_eq!((reply.status.code, reply.http_status.is_none()), (429, true));
    let answer = Answer { status: 404, body: b"{}".to_vec() };
    session.handle(START, Input::Answered { id: "TM2".to_owned(), answer });
    let [(_, ServerMessage::Reply(reply), payload)] = &sent(&mut session)[..] else { panic!("no reply") };
    assert_eq!((reply.status.code, reply.http_status.as_ref().unwrap().code, payload.as_str()), (200, 404, "{}"));
    session.handle(START, Input::Frame(&frame));
    assert!(matches!(outputs(&mut session)[..], [Output::Request { .. }]));
}

#[test]
fn acknowledgements_and_telemetry_have_no_answer_and_close_is_final() {
    let mut session = connected(START + HOUR);
    session.handle(START, Input::Frame(&ClientMessage::Reply { status: Status::ok() }.encode("SM1", &[])));
    session.handle(START, Input::Frame(&ClientMessage::Telemetry.encode("TM3", &[])));
    assert_eq!(outputs(&mut session), []);
    session.handle(START, Input::Frame(&ClientMessage::Close.encode("TM4", &[])));
    assert_eq!(outputs(&mut session), [Output::Close]);
    session.handle(START, Input::Frame(&init()));
    assert_eq!((outputs(&mut session), session.next_deadline()), (vec![], None));
}
