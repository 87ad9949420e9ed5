use std::future::poll_fn;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex, join, simplex};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Bytes, Message as Theirs};

use super::*;

/// Our end, and a client of a library at the other, with so many bytes in between.
async fn pair(room: usize) -> (CallSocket<DuplexStream>, WebSocketStream<DuplexStream>) {
    let (ours, theirs) = duplex(room);
    (CallSocket::server(ours, &[]), WebSocketStream::from_raw_socket(theirs, Role::Client, None).await)
}

/// What is received until there is something, or it is over.
async fn receive(socket: &mut CallSocket<DuplexStream>) -> (Vec<Option<String>>, Result<bool, SocketError>) {
    let mut all = Vec::new();
    loop {
        let open = poll_fn(|context| socket.poll_receive(context, |text| all.push(text.map(str::to_owned)))).await;
        if !matches!(open, Ok(true)) || !all.is_empty() {
            return (all, open);
        }
    }
}

async fn send(socket: &mut CallSocket<DuplexStream>, texts: &[&str]) {
    let mut sent = 0;
    while sent < texts.len() {
        let rest = || texts[sent..].iter().map(|text| text.as_bytes());
        sent += poll_fn(|context| socket.poll_send(context, rest())).await.unwrap();
    }
    poll_fn(|context| socket.poll_flush(context)).await.unwrap();
}

#[tokio::test]
async fn texts_go_both_ways_and_pings_are_answered_unseen() {
    let (mut ours, mut theirs) = pair(4096).await;
    for message in [Theirs::Ping(Bytes::from_static(b"p")), Theirs::text("hello"), Theirs::binary(vec![1])] {
        theirs.send(message).await.unwrap();
    }
    let (all, open) = receive(&mut ours).await;
    assert_eq!(all, [Some("hello".to_owned()), None]);
    assert!(open.unwrap());
    send(&mut ours, &["there", ""]).await;
    assert_eq!(theirs.next().await.unwrap().unwrap(), Theirs::Pong(Bytes::from_static(b"p")));
    assert_eq!(theirs.next().await.unwrap().unwrap(), Theirs::text("there"));
    assert_eq!(theirs.next().await.unwrap().unwrap(), Theirs::text(""));
}

#[tokio::test]
async fn what_was_read_with_the_handshake_comes_first() {
    // "Hello", masked, and the first byte of what comes next: the example of RFC 6455, section 5.7.
    let early = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58, 0x81];
    let (ours, mut theirs) = duplex(4096);
    let mut ours = CallSocket::server(ours, &early);
    theirs.write_all(&[0x80, 0, 0, 0, 0]).await.unwrap();
    assert_eq!(receive(&mut ours).await.0, [Some("Hello".to_owned())]);
    assert_eq!(receive(&mut ours).await.0, [Some(String::new())]);
}

#[tokio::test]
async fn a_peer_that_does_not_read_has_the_writer_wait_and_gets_everything_in_order() {
    let (mut ours, mut theirs) = pair(64).await;
    let long = "x".repeat(5_000);
    let texts: Vec<_> = (0..20).map(|number| format!("{number}{long}")).collect();
    let all: Vec<_> = texts.iter().map(String::as_str).collect();
    let received = async {
        for text in &texts {
            assert_eq!(theirs.next().await.unwrap().unwrap(), Theirs::text(text));
        }
    };
    tokio::join!(send(&mut ours, &all), received);
    assert!(ours.rest.capacity() <= USUAL_REST);
}

#[tokio::test]
async fn a_close_is_told_and_answered() {
    let (mut ours, mut theirs) = pair(4096).await;
    theirs.close(None).await.unwrap();
    assert!(matches!(receive(&mut ours).await, (all, Ok(false)) if all.is_empty()));
    send(&mut ours, &["late"]).await;
    assert!(matches!(theirs.next().await, Some(Ok(Theirs::Close(None)))), "it was answered with what was said");
    poll_fn(|context| ours.poll_close(context)).await.unwrap();
    assert!(theirs.next().await.is_none());

    let (mut ours, mut theirs) = pair(4096).await;
    poll_fn(|context| ours.poll_close(context)).await.unwrap();
    assert!(matches!(theirs.next().await, Some(Ok(Theirs::Close(Some(frame)))) if u16::from(frame.code) == NORMAL));
}

#[tokio::test]
async fn what_is_against_the_rules_ends_the_socket_with_its_reason() {
    let (mut ours, mut theirs) = pair(2 * MAX_SOCKET_MESSAGE).await;
    theirs.send(Theirs::text("x".repeat(MAX_SOCKET_MESSAGE + 1))).await.unwrap();
    let (_, outcome) = receive(&mut ours).await;
    assert!(matches!(outcome, Err(SocketError::Violation(Violation::TooLong(_)))));
    assert!(matches!(receive(&mut ours).await, (_, Ok(false))), "nothing more comes");
    // The reason is out already, and nothing follows it.
    send(&mut ours, &["late"]).await;
    assert!(matches!(theirs.next().await, Some(Ok(Theirs::Close(Some(frame)))) if u16::from(frame.code) == 1009));

    let (ours, mut theirs) = duplex(4096);
    let mut ours = CallSocket::server(ours, &[]);
    theirs.write_all(&[0xff; 64]).await.unwrap();
    assert!(matches!(receive(&mut ours).await, (_, Err(SocketError::Violation(Violation::Protocol(_))))));

    let (ours, theirs) = duplex(4096);
    drop(theirs);
    let (_, outcome) = receive(&mut CallSocket::server(ours, &[])).await;
    assert_eq!(outcome.unwrap_err().code(), "socket.lost", "it ended without a close");
}

#[tokio::test]
async fn a_peer_that_only_asks_for_pongs_makes_nothing_grow() {
    // It says as much as it likes, and reads nothing.
    let (incoming, mut says) = simplex(1 << 20);
    let (_unread, outgoing) = simplex(64);
    let mut ours = CallSocket::server(join(incoming, outgoing), &[]);
    let ping = [[0x89, 0xe4, 0, 0, 0, 0].as_slice(), &[7; 100]].concat();
    says.write_all(&ping.repeat(1_000)).await.unwrap();
    says.shutdown().await.unwrap();
    let mut reads = 0;
    while poll_fn(|context| ours.poll_receive(context, |_| panic!("a ping is no text"))).await.is_ok() {
        assert!(ours.rest.len() < MAX_PONGS + 128);
        reads += 1;
    }
    assert!(reads > 20);
}
