//! Both ends of a relayed conversation, fed with anything. Neither panics, and what one end takes it writes again.
//!
//! The input is a list of messages: a byte that says to whom, two of length, then the message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_proto::relay::{CallerSession, MAX_MALFORMED, ServerSession};

fuzz_target!(|bytes: &[u8]| {
    let (mut server, mut caller) = (ServerSession::new(), CallerSession::new());
    let mut out = Vec::new();
    let mut rejected = 0;
    let mut rest = bytes;
    while let [to, high, low, more @ ..] = rest {
        let length = (usize::from(*high) << 8 | usize::from(*low)).min(more.len());
        let (message, after) = more.split_at(length);
        rest = after;
        let text = String::from_utf8_lossy(message);
        if to % 2 == 0 {
            let _event = server.text(&text).is_ok();
            continue;
        }
        match caller.text(&text) {
            Ok(command) => {
                rejected = 0;
                out.clear();
                server.write(&command, &mut out).expect("what is read can be written");
                let again = std::str::from_utf8(&out).expect("text");
                assert_eq!(caller.text(again), Ok(command));
            }
            Err(refused) => {
                rejected += 1;
                assert_eq!(refused.close.is_some(), rejected >= MAX_MALFORMED);
            }
        }
    }
});
