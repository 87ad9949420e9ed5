//! Forms.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_proto::form;

fuzz_target!(|bytes: &[u8]| {
    let _read = form::decode(bytes).is_ok();
});
