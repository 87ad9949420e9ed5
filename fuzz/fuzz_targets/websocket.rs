//! The server's end of a WebSocket, fed with anything. It does not panic, keeps no more than a message and a read, and
//! hears the same wherever the bytes are cut.
//!
//! The input is a byte that says how long the pieces are, then what the client sends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_proto::websocket::{Message, Reader, Violation};

fn heard(bytes: &[u8], piece: usize) -> (Vec<String>, Result<(), Violation>) {
    let (mut reader, mut all) = (Reader::new(4_096), Vec::new());
    for bytes in bytes.chunks(piece) {
        let read = reader.read(&mut bytes.to_vec(), |message| {
            if let Message::Ping(payload) = message {
                assert!(payload.len() <= 125);
            }
            all.push(format!("{message:?}"));
        });
        if read.is_err() {
            return (all, read);
        }
    }
    (all, Ok(()))
}

fuzz_target!(|bytes: &[u8]| {
    let [piece, bytes @ ..] = bytes else { return };
    assert_eq!(heard(bytes, usize::from(*piece) + 1), heard(bytes, bytes.len().max(1)));
});
