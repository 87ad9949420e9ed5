//! TwiML: what is read can be written, and reads the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_proto::twiml::Response;

fuzz_target!(|bytes: &[u8]| {
    let Ok(first) = Response::parse(bytes) else { return };
    // Escapes can make a text longer than may be read.
    if let Ok(second) = Response::parse(first.response.to_xml().as_bytes()) {
        assert_eq!(first.response, second.response);
    }
});
