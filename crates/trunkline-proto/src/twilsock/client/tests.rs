use serde_json::json;

use super::*;
use crate::twilsock::{ClientFrame, Reply};

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn outputs(connection: &mut Connection) -> Vec<Output> {
    std::iter::from_fn(|| connection.poll_output()).collect()
}

/// The ids and messages among what is to be sent.
fn sent(outputs: &[Output]) -> Vec<(String, ClientMessage)> {
    let frames = outputs.iter().filter_map(|output| match output {
        Output::Send(bytes) => Some(ClientFrame::decode(bytes).unwrap()),
        _ => None,
    });
    frames.map(|frame| (frame.id, frame.message)).collect()
}

fn reply(id: &str, status: Status, payload: &[u8]) -> Vec<u8> {
    ServerMessage::Reply(Box::new(Reply::of(status))).encode(id, payload)
}

fn opening() -> Connection {
    let mut connection = Connection::new(Introduction::default(), 1);
    connection.start();
    assert!(matches!(outputs(&mut connection)[..], [Output::NeedToken]));
    connection.token(at(0), TokenText("t".into()), at(1000));
    assert!(matches!(outputs(&mut connection)[..], [Output::Open]));
    connection
}

fn init_id(connection: &mut Connection, now: Duration) -> String {
    connection.opened(now);
    let sent = sent(&outputs(connection));
    let [(id, ClientMessage::Init(_))] = &sent[..] else { panic!("{sent:?}") };
    id.clone()
}

fn connected() -> Connection {
    let mut connection = opening();
    let id = init_id(&mut connection, at(0));
    connection.received(at(0), &reply(&id, Status::ok(), b""));
    assert!(matches!(outputs(&mut connection)[..], [Output::Signal(Signal::Connected)]));
    assert_eq!(connection.state(), ConnectionState::Connected);
    connection
}

fn request() -> HttpRequest {
    HttpRequest {
        host: "h".into(),
        path: "/p".into(),
        method: "GET".into(),
        params: BTreeMap::new(),
        headers: BTreeMap::new(),
    }
}

fn lost(outputs: &[Output]) -> &Loss {
    let loss = outputs.iter().find_map(|output| match output {
        Output::Signal(Signal::Lost(loss)) => Some(loss),
        _ => None,
    });
    loss.expect("the connection is lost")
}

#[test]
fn everything_but_replies_is_acknowledged_first() {
    let mut connection = connected();
    let notification = ServerMessage::Notification { message_type: "t".into() };
    connection.received(at(1), &notification.encode("n1", b"{}"));
    let outputs = outputs(&mut connection);
    assert!(matches!(&sent(&outputs)[..], [(id, ClientMessage::Reply { .. })] if id == "n1"));
    assert!(matches!(&outputs[1], Output::Signal(Signal::Notification { message_type, .. }) if message_type == "t"));
    connection.received(at(1), b"not a frame");
    connection.received(at(1), &reply("unknown", Status::ok(), b""));
    assert!(connection.poll_output().is_none());
}

#[test]
fn a_lost_socket_is_opened_again_and_continues() {
    let mut connection = opening();
    let id = init_id(&mut connection, at(0));
    let mut good = Reply::of(Status::ok());
    good.continuation_token = Some("c".into());
    connection.received(at(0), &ServerMessage::Reply(Box::new(good)).encode(&id, b""));
    connection.closed(at(1), "cut");
    let lost_outputs = outputs(&mut connection);
    assert_eq!(lost(&lost_outputs).code, "realtime.disconnected");
    let again = connection.next_deadline().unwrap();
    assert!(again >= at(1) + SECOND.mul_f64(0.8) && again <= at(1) + SECOND.mul_f64(1.2));
    connection.elapsed(again);
    assert!(matches!(outputs(&mut connection)[..], [Output::Open]));
    connection.opened(again);
    let sent = sent(&outputs(&mut connection));
    let [(_, ClientMessage::Init(init))] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(init.continuation_token.as_deref(), Some("c"));
}

#[test]
fn a_refused_token_is_replaced_and_tried_again() {
    let mut connection = opening();
    let id = init_id(&mut connection, at(0));
    let status = Status { error_code: Some(20107), ..Status::new(401, "UNAUTHORIZED") };
    connection.received(at(0), &reply(&id, status, b""));
    let refused = outputs(&mut connection);
    assert_eq!(lost(&refused).twilio_code, Some(20107));
    assert!(refused.iter().any(|output| matches!(output, Output::Close)));
    assert_eq!(connection.state(), ConnectionState::Denied);
    let again = connection.next_deadline().unwrap();
    connection.elapsed(again);
    assert!(matches!(outputs(&mut connection)[..], [Output::NeedToken]));
    connection.token(again, TokenText("u".into()), at(100));
    assert!(matches!(outputs(&mut connection)[..], [Output::Open]));
    let id = init_id(&mut connection, again);
    connection.received(again, &reply(&id, Status::ok(), b""));
    assert_eq!(connection.state(), ConnectionState::Connected);
}

#[test]
fn a_hint_of_the_server_holds() {
    let mut connection = opening();
    let id = init_id(&mut connection, at(0));
    let hint = json!({"backoff_policy": {"reconnect_min_ms": 7000}}).to_string();
    connection.received(at(0), &reply(&id, Status::new(429, "TOO_MANY_REQUESTS"), hint.as_bytes()));
    assert_eq!(connection.next_deadline(), Some(at(7)));
}

#[test]
fn a_silent_server_is_given_up() {
    let mut opening = opening();
    assert_eq!(opening.next_deadline(), Some(REPLY_TIMEOUT));
    opening.elapsed(REPLY_TIMEOUT);
    assert_eq!(lost(&outputs(&mut opening)).code, "realtime.timeout");
    let mut connection = connected();
    let asked = connection.request(at(0), request(), Vec::new());
    connection.elapsed(REPLY_TIMEOUT);
    let answered = outputs(&mut connection).pop().unwrap();
    let Output::Signal(Signal::Answered { request, outcome: Err(error) }) = answered else { panic!("{answered:?}") };
    assert_eq!((request, error.is_unknown(), error.code()), (asked, true, "realtime.no_answer"));
}

#[test]
fn a_token_is_renewed_before_its_end_and_when_the_server_says_so() {
    let mut connection = connected();
    let refresh = connection.next_deadline().unwrap();
    assert!(refresh > at(700) && refresh <= at(800), "{refresh:?}");
    connection.elapsed(refresh);
    assert!(matches!(outputs(&mut connection)[..], [Output::NeedToken]));
    let update = ServerMessage::ClientUpdate { client_update_type: TOKEN_ABOUT_TO_EXPIRE.into() };
    connection.received(refresh, &update.encode("u", b""));
    assert_eq!(outputs(&mut connection).len(), 1, "it is only acknowledged: a token is on its way");
    connection.token(refresh, TokenText("u".into()), at(1000));
    let updates = sent(&outputs(&mut connection));
    let [(id, ClientMessage::Update { token })] = &updates[..] else { panic!("{updates:?}") };
    assert_eq!(token.0, "u");
    connection.received(refresh, &reply(id, Status::new(401, "UNAUTHORIZED"), b""));
    assert_eq!(connection.state(), ConnectionState::Denied);
}

#[test]
fn a_short_token_is_not_renewed_for_ever() {
    let mut connection = connected();
    let update = ServerMessage::ClientUpdate { client_update_type: TOKEN_ABOUT_TO_EXPIRE.into() };
    connection.received(at(499), &update.encode("u", b""));
    assert_eq!(sent(&outputs(&mut connection)).len(), 1, "it is only acknowledged");
    connection.received(at(500), &update.encode("v", b""));
    assert!(outputs(&mut connection).iter().any(|output| matches!(output, Output::NeedToken)));
}

#[test]
fn an_expired_token_is_replaced() {
    let mut connection = connected();
    let close = ServerMessage::Close { status: Status::new(410, "TOKEN_EXPIRED") };
    connection.received(at(1), &close.encode("c", b""));
    drop(outputs(&mut connection));
    assert_eq!(connection.state(), ConnectionState::Connecting);
    connection.elapsed(connection.next_deadline().unwrap());
    assert!(matches!(outputs(&mut connection)[..], [Output::NeedToken]));
}

#[test]
fn requests_wait_for_the_connection_in_order_and_not_for_ever() {
    let mut connection = opening();
    let first = connection.request(at(0), request(), Vec::new());
    let id = init_id(&mut connection, at(1));
    let second = connection.request(at(1), request(), Vec::new());
    connection.received(at(2), &reply(&id, Status::ok(), b""));
    let sent = sent(&outputs(&mut connection));
    assert_eq!(sent.len(), 2);
    connection.closed(at(3), "cut");
    let failed: Vec<_> = outputs(&mut connection)
        .into_iter()
        .filter_map(|output| match output {
            Output::Signal(Signal::Answered { request, outcome }) => Some((request, outcome.unwrap_err())),
            _ => None,
        })
        .collect();
    assert_eq!(failed, [(first, RequestError::Disconnected), (second, RequestError::Disconnected)]);
    let third = connection.request(at(3), request(), Vec::new());
    connection.elapsed(at(3) + QUEUE_TIMEOUT);
    let offline = outputs(&mut connection).into_iter().any(|output| {
        matches!(output, Output::Signal(Signal::Answered { request, outcome: Err(RequestError::Offline) }) if request == third)
    });
    assert!(offline);
}

#[test]
fn a_full_queue_says_so() {
    let mut connection = opening();
    for _ in 0..MAX_QUEUED {
        connection.request(at(0), request(), Vec::new());
    }
    assert!(connection.poll_output().is_none());
    connection.request(at(0), request(), Vec::new());
    let Some(Output::Signal(Signal::Answered { outcome, .. })) = connection.poll_output() else { panic!() };
    assert_eq!(outcome.unwrap_err(), RequestError::QueueFull);
}

#[test]
fn stopping_says_goodbye() {
    let mut connection = connected();
    connection.stop();
    let outputs = outputs(&mut connection);
    assert!(matches!(&sent(&outputs)[..], [(_, ClientMessage::Close)]));
    assert!(matches!(outputs.last(), Some(Output::Close)));
    assert_eq!((connection.state(), connection.next_deadline().is_some()), (ConnectionState::Disconnected, false));
}
