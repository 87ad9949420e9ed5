//! Frames of either side: whatever is read is written so that it is read as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_proto::twilsock::{ClientFrame, ClientMessage, ServerFrame};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(frame) = ClientFrame::decode(bytes)
        // What a client measured is not kept.
        && frame.message != ClientMessage::Telemetry
    {
        let written = frame.message.encode(&frame.id, frame.payload);
        let again = ClientFrame::decode(&written).expect("what was written is read");
        assert_eq!((&again.id, &again.message, again.payload), (&frame.id, &frame.message, frame.payload));
    }
    if let Ok(frame) = ServerFrame::decode(bytes) {
        let written = frame.message.encode(&frame.id, frame.payload);
        let again = ServerFrame::decode(&written).expect("what was written is read");
        assert_eq!((&again.id, &again.message, again.payload), (&frame.id, &frame.message, frame.payload));
    }
});
