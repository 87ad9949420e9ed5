//! The official SDKs' vectors, what was chosen where they disagree, and properties.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

const STRICT: RequestKind = RequestKind::WebSocket { accept_slash_twin: false };
const LENIENT: RequestKind = RequestKind::WebSocket { accept_slash_twin: true };
const TOKEN: &str = "2b1c0d9e8f7a6b5c4d3e2f1a0b9c8d7e";

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
    sdk_disagreements: Disagreements,
}

#[derive(Deserialize)]
struct Disagreements {
    cases: Vec<Disagreement>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    kind: String,
    algorithm: String,
    url: String,
    params: Option<BTreeMap<String, OneOrMany>>,
    body: Option<String>,
    auth_token: String,
    signature: String,
    signed_url: Option<String>,
    valid: bool,
}

#[derive(Deserialize)]
struct Disagreement {
    name: String,
    url: String,
    params: BTreeMap<String, OneOrMany>,
    auth_token: String,
    signature: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

fn file() -> File {
    serde_json::from_str(include_str!("../../tests/data/signature-vectors.json")).unwrap()
}

fn pairs(params: &BTreeMap<String, OneOrMany>) -> Vec<(String, String)> {
    let values = |value: &OneOrMany| match value {
        OneOrMany::One(value) => vec![value.clone()],
        OneOrMany::Many(values) => values.clone(),
    };
    params.iter().flat_map(|(name, value)| values(value).into_iter().map(|v| (name.clone(), v))).collect()
}

fn kind_of(name: &str) -> RequestKind {
    match name {
        "form" => RequestKind::Form,
        "get" => RequestKind::Get,
        "json" => RequestKind::Json,
        "websocket" => STRICT,
        other => panic!("the vectors have a new kind, {other}"),
    }
}

#[test]
fn every_vector_of_the_official_sdks_holds() {
    let vectors = file().vectors;
    assert_eq!(vectors.len(), 49);
    for vector in &vectors {
        let params = vector.params.as_ref().map(pairs).unwrap_or_default();
        let is_shared = vector.algorithm == "HMAC_SHA256";
        let keys = if is_shared {
            SigningKeys::new([]).with_shared_key("k1", &vector.auth_token)
        } else {
            SigningKeys::new([vector.auth_token.as_str()])
        };
        let request = SignedRequest {
            kind: kind_of(&vector.kind),
            url: &vector.url,
            params: &params,
            body: vector.body.as_deref().map(str::as_bytes),
            signature: Some(&vector.signature),
            settings: is_shared.then_some("key=k1,algorithm=HMAC_SHA256"),
        };
        let answer = verify(&request, &keys);
        assert_eq!(answer.is_ok(), vector.valid, "{}: {answer:?}", vector.name);
    }
}

#[test]
fn signing_makes_the_signatures_of_the_valid_vectors() {
    for vector in file().vectors.iter().filter(|vector| vector.valid) {
        let params = vector.params.as_ref().map(pairs).unwrap_or_default();
        let algorithm = if vector.algorithm == "HMAC_SHA256" { Algorithm::HmacSha256 } else { Algorithm::HmacSha1 };
        let url = vector.signed_url.as_ref().unwrap_or(&vector.url);
        assert_eq!(sign(algorithm, vector.auth_token.as_bytes(), url, &params), vector.signature, "{}", vector.name);
    }
}

#[test]
fn where_the_sdks_disagree_only_the_port_and_the_fragment_are_forgiven() {
    let expect = BTreeMap::from([
        ("receiver-host-uppercase", false),
        ("receiver-apostrophe-signed-encoded", false),
        ("receiver-no-path-signed-slash", false),
        ("receiver-space-plus-query", false),
        ("credentials-with-port-signed-without-port", true),
        ("credentials-with-port-signed-as-is", true),
        ("ipv6-with-port-signed-without", true),
        ("url-fragment", true),
    ]);
    let cases = file().sdk_disagreements.cases;
    assert_eq!(cases.len(), expect.len());
    for case in &cases {
        let params = pairs(&case.params);
        let request = form(&case.url, &params, &case.signature);
        let answer = verify(&request, &SigningKeys::new([case.auth_token.as_str()]));
        assert_eq!(Some(&answer.is_ok()), expect.get(case.name.as_str()), "{}", case.name);
    }
}

fn form<'a>(url: &'a str, params: &'a [(String, String)], signature: &'a str) -> SignedRequest<'a> {
    SignedRequest { kind: RequestKind::Form, url, params, body: None, signature: Some(signature), settings: None }
}

#[test]
fn the_slash_twin_of_a_handshake_is_accepted_on_request_only() {
    let (bare, slash) = ("wss://gateway.example.com/media", "wss://gateway.example.com/media/");
    let keys = SigningKeys::new([TOKEN]);
    for (asked, signed) in [(bare, slash), (slash, bare)] {
        let signature = sign(Algorithm::HmacSha1, TOKEN.as_bytes(), signed, &[]);
        let request = |kind| SignedRequest { kind, ..form(asked, &[], &signature) };
        assert_eq!(verify(&request(STRICT), &keys), Err(SignatureError::Mismatch));
        assert_eq!(verify(&request(LENIENT), &keys), Ok(Accepted::AuthToken { index: 0 }));
    }
}

#[test]
fn during_rotation_the_token_that_signed_is_named() {
    let params = [("A".to_owned(), "1".to_owned())];
    let keys = SigningKeys::new(["new", "old"]);
    for (index, token) in ["new", "old"].into_iter().enumerate() {
        let signature = sign(Algorithm::HmacSha1, token.as_bytes(), "https://h/x", &params);
        assert_eq!(verify(&form("https://h/x", &params, &signature), &keys), Ok(Accepted::AuthToken { index }));
    }
}

#[test]
fn the_settings_header_chooses_hash_and_key() {
    let keys = SigningKeys::new([TOKEN]).with_shared_key("k1", "one").with_shared_key("k2", "two");
    let check = |secret: &str, algorithm, settings, expect: Result<Accepted, SignatureError>| {
        let signature = sign(algorithm, secret.as_bytes(), "https://h/x", &[]);
        let request = SignedRequest { settings: Some(settings), ..form("https://h/x", &[], &signature) };
        assert_eq!(verify(&request, &keys), expect, "{settings}");
    };
    check("two", Algorithm::HmacSha256, "key=k2,algorithm=HMAC_SHA256", Ok(Accepted::SharedKey { index: 1 }));
    check("one", Algorithm::HmacSha1, "key=k1,algorithm=hmac_sha1", Ok(Accepted::SharedKey { index: 0 }));
    check(TOKEN, Algorithm::HmacSha256, "algorithm=HMAC_SHA256", Ok(Accepted::AuthToken { index: 0 }));
    check("two", Algorithm::HmacSha256, "key=k1,algorithm=HMAC_SHA256", Err(SignatureError::Mismatch));
    check("two", Algorithm::HmacSha256, "key=k3,algorithm=HMAC_SHA256", Err(SignatureError::UnknownKey));
    check("two", Algorithm::HmacSha256, "key=k2,algorithm=HMAC_SHA512", Err(SignatureError::UnknownAlgorithm));
    check("two", Algorithm::HmacSha256, "", Err(SignatureError::Malformed));
}

#[test]
fn a_missing_or_broken_signature_has_its_own_code() {
    let check = |signature, expect: SignatureError, code| {
        let request = SignedRequest { signature, ..form("https://h/x", &[], "") };
        assert_eq!(verify(&request, &SigningKeys::new([TOKEN])), Err(expect));
        assert_eq!(expect.code(), code);
    };
    check(None, SignatureError::Missing, "proto.signature.missing");
    check(Some(""), SignatureError::Missing, "proto.signature.missing");
    for broken in ["AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAB=", "not base64!", "é"] {
        check(Some(broken), SignatureError::Malformed, "proto.signature.malformed");
    }
    let long = "A".repeat(10_000);
    check(Some(long.as_str()), SignatureError::Malformed, "proto.signature.malformed");
}

#[test]
fn without_keys_nothing_is_believed() {
    let signature = sign(Algorithm::HmacSha1, b"", "https://h/x", &[]);
    for keys in [SigningKeys::new([]), SigningKeys::new([""])] {
        assert_eq!(verify(&form("https://h/x", &[], &signature), &keys), Err(SignatureError::Mismatch));
    }
}

#[test]
fn a_json_body_needs_its_hash_and_its_bytes() {
    let check = |url: &str, body: Option<&[u8]>, expect| {
        let signature = sign(Algorithm::HmacSha1, TOKEN.as_bytes(), url, &[]);
        let request = SignedRequest { kind: RequestKind::Json, body, ..form(url, &[], &signature) };
        assert_eq!(verify(&request, &SigningKeys::new([TOKEN])), expect, "{url}");
    };
    let url = format!("https://h/x?{BODY_HASH_PARAMETER}={}", body_sha256(b"{}"));
    check(&url, Some(b"{}"), Ok(Accepted::AuthToken { index: 0 }));
    check(&url, Some(b"{ }"), Err(SignatureError::BodyHash));
    check(&url, None, Err(SignatureError::BodyHash));
    check("https://h/x", Some(b"{}"), Err(SignatureError::BodyHash));
}

#[test]
fn keys_are_never_printed() {
    let keys = SigningKeys::new([TOKEN]).with_shared_key("k1", "hidden-secret");
    assert_eq!(format!("{keys:?}"), "SigningKeys { auth_tokens: 1, shared_keys: 1 }");
}

/// Unique names, so that one changed byte always changes the signed text.
fn params() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::btree_map("[A-Za-z.]{1,10}", ".{0,20}", 1..12)
        .prop_map(|map| map.into_iter().collect::<Vec<_>>())
        .prop_shuffle()
}

proptest! {
    #[test]
    fn what_was_signed_is_accepted(params in params(), token in "[0-9a-f]{32}", path in "[a-z/]{0,20}") {
        let url = format!("https://gateway.example.com/{path}");
        for (algorithm, settings) in [(Algorithm::HmacSha1, ""), (Algorithm::HmacSha256, "algorithm=HMAC_SHA256")] {
            let signature = sign(algorithm, token.as_bytes(), &url, &params);
            let request = SignedRequest { settings: Some(settings), ..form(&url, &params, &signature) };
            let answer = verify(&request, &SigningKeys::new(["other", &token]));
            prop_assert_eq!(answer, Ok(Accepted::AuthToken { index: 1 }));
        }
    }

    #[test]
    fn any_change_is_refused(params in params(), at: prop::sample::Index, bit in 0..8_u8) {
        let url = "https://gateway.example.com/hook";
        let keys = SigningKeys::new([TOKEN]);
        let signature = sign(Algorithm::HmacSha1, TOKEN.as_bytes(), url, &params);

        let mut changed = params.clone();
        let position = at.index(changed.len());
        changed[position].1.push('x');
        prop_assert!(verify(&form(url, &changed, &signature), &keys).is_err());
        changed.remove(position);
        prop_assert!(verify(&form(url, &changed, &signature), &keys).is_err());

        prop_assert!(verify(&form("https://gateway.example.com/hooK", &params, &signature), &keys).is_err());

        let mut bytes = signature.clone().into_bytes();
        let position = at.index(bytes.len());
        bytes[position] ^= 1 << bit;
        if let Ok(forged) = String::from_utf8(bytes) {
            prop_assert!(verify(&form(url, &params, &forged), &keys).is_err());
        }
    }

    #[test]
    fn no_header_makes_it_panic(url in ".{0,60}", signature in ".{0,60}", settings in ".{0,60}") {
        let request = SignedRequest { settings: Some(&settings), ..form(&url, &[], &signature) };
        prop_assert!(verify(&request, &SigningKeys::new([TOKEN])).is_err());
    }
}
