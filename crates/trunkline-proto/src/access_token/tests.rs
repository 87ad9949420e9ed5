use proptest::prelude::*;

use super::*;

const SECRET: &[u8] = b"a secret of an API key";
const NOW: i64 = 1_795_222_009;

fn token() -> AccessToken {
    AccessToken {
        account_sid: "AC0123456789abcdef0123456789abcdef".into(),
        key_sid: "SK0123456789abcdef0123456789abcdef".into(),
        identity: "ada".into(),
        chat_service_sid: Some("IS0123456789abcdef0123456789abcdef".into()),
        issued_at: NOW,
        not_before: None,
        expires_at: NOW + 3600,
        region: None,
    }
}

/// A token of the Node helper library 6.2.0: identity `ada`, TTL 3600 s, chat grant, at 1795222009.
const FROM_NODE: &str = include_str!("../../tests/golden/access_token/node.jwt");
/// The same of the Python helper library 9.13.0.
const FROM_PYTHON: &str = include_str!("../../tests/golden/access_token/python.jwt");

#[test]
fn the_helper_libraries_tokens_are_read() {
    for text in [FROM_NODE, FROM_PYTHON] {
        let read = AccessToken::read(text.trim(), SECRET, NOW).unwrap();
        assert_eq!(AccessToken { not_before: None, ..read }, token());
    }
}

#[test]
fn what_is_minted_is_read() {
    let token = AccessToken { region: Some("ie1".into()), not_before: Some(NOW), ..token() };
    assert_eq!(AccessToken::read(&token.mint(SECRET), SECRET, NOW), Ok(token));
}

#[test]
fn nothing_else_is_believed() {
    let text = token().mint(SECRET);
    let read = |text: &str, secret: &[u8], now| AccessToken::read(text, secret, now).unwrap_err();
    assert_eq!(read(&text, b"another secret", NOW), AccessTokenError::Signature);
    assert_eq!(read(&text, SECRET, NOW + 3600), AccessTokenError::Expired);
    let early = AccessToken { not_before: Some(NOW + 61), ..token() };
    assert_eq!(read(&early.mint(SECRET), SECRET, NOW), AccessTokenError::NotYet);
    let long = AccessToken { expires_at: NOW + MAX_LIFETIME_SECONDS + 1, ..token() };
    assert_eq!(read(&long.mint(SECRET), SECRET, NOW), AccessTokenError::TooLong);
    let none = part(&Header { cty: CONTENT_TYPE, typ: "JWT", alg: "none", twr: None });
    let (_, rest) = text.split_once('.').unwrap();
    for broken in [String::new(), "a.b".into(), "..".into(), format!("{none}.{rest}"), "x".repeat(MAX_TOKEN_BYTES + 1)]
    {
        assert_eq!(read(&broken, SECRET, NOW).twilio_code(), 20101, "{broken}");
    }
}

#[test]
fn an_error_repeats_nothing_of_the_token() {
    let error = AccessToken::read("c2VjcmV0.c2VjcmV0.c2VjcmV0", SECRET, NOW).unwrap_err();
    assert_eq!(error.to_string(), "the access token is malformed: its header is no such header");
    assert_eq!(error.code(), "proto.access_token.malformed");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}", now: i64) {
        assert!(AccessToken::read(&text, SECRET, now).is_err());
    }

    #[test]
    fn a_changed_token_is_refused(at in 0usize..400, to in "[A-Za-z0-9]") {
        let text = token().mint(SECRET);
        let at = at % text.len();
        let mut changed = text.clone();
        changed.replace_range(at..=at, &to);
        // The last character of a base64 text carries bits that nobody reads; every other change is seen.
        prop_assume!(changed != text && at + 1 < text.len());
        prop_assert!(AccessToken::read(&changed, SECRET, NOW).is_err());
    }
}
