//! Access tokens: from a stranger, and with claims that are signed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_proto::access_token::AccessToken;

const SECRET: &[u8] = b"secret";
const NOW: i64 = 1_800_000_000;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _read = AccessToken::read(text, SECRET, NOW).is_ok();
    let token = AccessToken {
        account_sid: text.to_owned(),
        key_sid: "SK00000000000000000000000000000001".to_owned(),
        identity: text.chars().rev().collect(),
        chat_service_sid: (text.len() % 2 == 0).then(|| text.to_owned()),
        issued_at: NOW,
        not_before: None,
        expires_at: NOW + 1,
        region: None,
    };
    if let Ok(read) = AccessToken::read(&token.mint(SECRET), SECRET, NOW) {
        assert_eq!((read.identity, read.expires_at), (token.identity, token.expires_at));
    }
});
