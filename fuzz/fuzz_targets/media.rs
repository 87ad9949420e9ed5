//! Both ends of a media stream, fed with anything. Neither panics, the queue stays within its limit, and what one end
//! writes the other reads.
//!
//! The input is a list of messages: a byte that says to whom, two of length, then the message.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use trunkline_proto::media::{
    CallFacts, CallerSession, Command, Event, FRAME_BYTES, Limits, MAX_PENDING_MARKS, MAX_QUEUED, Playback,
    ServerSession, Track,
};

fuzz_target!(|bytes: &[u8]| {
    let mut server = ServerSession::new(Limits::default());
    let mut caller = CallerSession::new(CallFacts {
        account_sid: "AC1".to_owned(),
        call_sid: "CA1".to_owned(),
        stream_sid: "MZ1".to_owned(),
        tracks: vec![Track::Inbound],
        custom_parameters: BTreeMap::new(),
    });
    let mut playback = Playback::new();
    let (mut frame, mut marks, mut out) = ([0; FRAME_BYTES], Vec::new(), Vec::new());
    let mut rest = bytes;
    while let [to, high, low, more @ ..] = rest {
        let length = (usize::from(*high) << 8 | usize::from(*low)).min(more.len());
        let (message, after) = more.split_at(length);
        rest = after;
        out.clear();
        let text = String::from_utf8_lossy(message);
        match to % 6 {
            0 | 1 => {
                if let Ok(Event::Media(media)) = server.text(&text) {
                    let room = media.payload.decoded_len();
                    out.clear();
                    assert!(media.payload.decode_onto(&mut out).is_err() || out.len() == room);
                }
            }
            2 => match caller.text(&text) {
                Ok(Command::Media(payload)) => {
                    if payload.decode_onto(&mut out).is_ok() {
                        let _full = playback.push_media(&out).is_err();
                    }
                }
                Ok(Command::Mark(name)) => {
                    let _full = playback.push_mark(name.into_owned()).is_err();
                }
                Ok(Command::Clear) => assert!(playback.clear().len() <= MAX_PENDING_MARKS),
                Err(_) => {}
            },
            3 => {
                marks.clear();
                assert!(playback.pull(&mut frame, &mut marks) <= FRAME_BYTES);
            }
            4 => {
                caller.write_start(&mut out);
                let _started = server.text(std::str::from_utf8(&out).expect("text")).is_ok();
                out.clear();
                caller.write_media(Track::Inbound, 0, message, &mut out);
                let _heard = server.text(std::str::from_utf8(&out).expect("text")).is_ok();
            }
            _ => {
                if server.write_mark(&text, &mut out) && server.stream_sid() == "MZ1" {
                    let command = caller.text(std::str::from_utf8(&out).expect("text"));
                    assert_eq!(command, Ok(Command::Mark(text)));
                }
            }
        }
        assert!(playback.queued() <= MAX_QUEUED);
    }
});
