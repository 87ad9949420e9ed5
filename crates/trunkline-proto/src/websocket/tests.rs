use proptest::prelude::*;

use super::*;

/// A message that outlives its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Heard {
    Text(String),
    Binary,
    Ping(Vec<u8>),
    Close(Option<u16>),
}

fn heard(message: Message<'_>) -> Heard {
    match message {
        Message::Text(text) => Heard::Text(text.to_owned()),
        Message::Binary => Heard::Binary,
        Message::Ping(payload) => Heard::Ping(payload.to_vec()),
        Message::Close(code) => Heard::Close(code),
    }
}

/// Reads `bytes` in pieces of this size.
fn read(bytes: &[u8], piece: usize) -> (Vec<Heard>, Result<(), Violation>) {
    let (mut reader, mut all) = (Reader::new(1_000), Vec::new());
    for bytes in bytes.chunks(piece) {
        if let Err(violation) = reader.read(&mut bytes.to_vec(), |message| all.push(heard(message))) {
            return (all, Err(violation));
        }
    }
    (all, Ok(()))
}

/// A client's frame.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut out = vec![first];
    match payload.len() {
        short @ 0..126 => out.push(0x80 | u8::try_from(short).unwrap()),
        length @ 126..=0xffff => {
            out.push(0xfe);
            out.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            out.push(0xff);
            out.extend((length as u64).to_be_bytes());
        }
    }
    out.extend(MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
    out
}

fn texts(all: &[&str]) -> Vec<Heard> {
    all.iter().map(|text| Heard::Text((*text).to_owned())).collect()
}

/// The examples of RFC 6455, section 5.7, that a client may send.
#[test]
fn the_examples_of_the_rfc_are_read() {
    let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(read(&hello, 100), (texts(&["Hello"]), Ok(())));
    let pieces = [masked(0x01, b"Hel"), masked(0x89, b"Hello"), masked(0x80, b"lo")].concat();
    let ping = Heard::Ping(b"Hello".to_vec());
    assert_eq!(read(&pieces, 100), ([vec![ping], texts(&["Hello"])].concat(), Ok(())));
}

#[test]
fn what_the_server_writes_is_as_in_the_rfc() {
    let mut out = Vec::new();
    write_text(b"Hello", &mut out);
    assert_eq!(out, [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    out.clear();
    write_pong(b"Hello", &mut out);
    assert_eq!(out, [0x8a, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    out.clear();
    write_close(Some(1000), &mut out);
    assert_eq!(out, [0x88, 0x02, 0x03, 0xe8]);
    for (length, head) in [
        (125, vec![0x81, 125]),
        (126, vec![0x81, 126, 0, 126]),
        (256, vec![0x81, 126, 1, 0]),
        (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        out.clear();
        write_text(&vec![b'x'; length], &mut out);
        assert_eq!(out[..head.len()], head);
        assert_eq!(out.len(), head.len() + length);
        assert!(out.len() <= written_len(length));
    }
}

#[test]
fn what_a_client_may_not_do_ends_the_socket() {
    let protocol = |bytes: &[u8]| {
        let (_, outcome) = read(bytes, 100);
        let Err(violation @ Violation::Protocol(_)) = outcome else { panic!("{bytes:?}: {outcome:?}") };
        assert_eq!((violation.close_code(), violation.code()), (1002, "websocket.protocol"));
    };
    protocol(&[0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    protocol(&masked(0xc1, b"compressed"));
    protocol(&masked(0x83, b"unknown"));
    protocol(&masked(0x8b, b"unknown"));
    protocol(&masked(0x80, b"of nothing"));
    protocol(&[masked(0x01, b"one"), masked(0x81, b"two")].concat());
    protocol(&masked(0x09, b"a ping in pieces"));
    protocol(&masked(0x89, &[0; 126]));
    protocol(&masked(0x88, &[3]));
    protocol(&masked(0x88, &1005_u16.to_be_bytes()));
    protocol(&[0x81, 0xfe, 0, 125]);
    protocol(&[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
    assert_eq!(read(&masked(0x81, &[0xff]), 100).1, Err(Violation::NotText));
    assert_eq!(read(&masked(0x88, &[3, 232, 0xff]), 100).1, Err(Violation::NotText));
    // Before any of it is waited for, or kept.
    assert_eq!(
        read(&[0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 100).1,
        Err(Violation::TooLong(1_000))
    );
    assert_eq!(read(&masked(0x82, &[0; 1_001])[..8], 100).1, Err(Violation::TooLong(1_000)));
    let pieces = [masked(0x01, &[b'x'; 600]), masked(0x80, &[b'x'; 600])].concat();
    assert_eq!(read(&pieces, 100).1, Err(Violation::TooLong(1_000)));
}

#[test]
fn after_a_close_nothing_is_read() {
    let bytes = [masked(0x88, &[3, 232]), masked(0x81, b"late"), vec![0xff; 9]].concat();
    assert_eq!(read(&bytes, 3), (vec![Heard::Close(Some(1000))], Ok(())));
    assert_eq!(read(&masked(0x88, b""), 100).0, [Heard::Close(None)]);
}

#[test]
fn what_is_kept_is_given_back() {
    let mut reader = Reader::new(100_000);
    let long = masked(0x81, &vec![b'x'; 90_000]);
    for piece in long.chunks(4_096) {
        reader.read(&mut piece.to_vec(), |_| {}).unwrap();
    }
    assert!(reader.partial.capacity() <= USUAL_PARTIAL);
}

proptest! {
    #[test]
    fn messages_are_the_same_wherever_they_are_cut(
        payloads in prop::collection::vec(("[a-zäß]{0,80}", any::<bool>()), 0..8),
        piece in 1..200_usize,
    ) {
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for (payload, is_split) in &payloads {
            if *is_split {
                let (head, tail) = payload.as_bytes().split_at(payload.len() / 2);
                bytes.extend(masked(0x01, head));
                bytes.extend(masked(0x8a, b"pong"));
                bytes.extend(masked(0x80, tail));
            } else {
                bytes.extend(masked(0x81, payload.as_bytes()));
            }
            expected.push(Heard::Text(payload.clone()));
        }
        prop_assert_eq!(read(&bytes, piece), (expected, Ok(())));
    }

    #[test]
    fn nothing_breaks_it(bytes in prop::collection::vec(any::<u8>(), 0..300), piece in 1..40_usize) {
        let (whole, outcome) = read(&bytes, bytes.len().max(1));
        prop_assert_eq!(read(&bytes, piece), (whole, outcome));
    }
}
