//! Request signatures: whether a request came from Twilio unchanged.
//!
//! Twilio signs the exact public URL followed by the sorted form parameters with HMAC and sends the result in
//! [`SIGNATURE_HEADER`]. [`sign`] is the sender's half, [`verify`] the receiver's.
//!
//! Where the official SDKs disagree with each other this module chooses as follows:
//!
//! - The URL is compared byte for byte. Neither the host's case, nor percent encoding, nor the order of the query, nor
//!   a missing `/` path is normalised: the receiver knows its own public URL and need not guess.
//! - The port is the one thing that is tried both ways, as in both SDKs: as given, and then without the explicit port
//!   or, if there is none, with `:443` for `https` and `:80` for every other scheme, `wss` too. Only the port is
//!   touched, so credentials and bracketed IPv6 hosts survive (one SDK damages them).
//! - A fragment is never signed by Twilio and is dropped here. Credentials are not signed either, but are *not* dropped
//!   by [`verify`]: a receiver that configures its URL through [`signed_url`] has none.
//! - A WebSocket upgrade may be signed with a trailing `/` that the request does not have. Both SDKs refuse that, one
//!   documentation page advises to accept it: [`RequestKind::WebSocket`] has a switch.
//!
//! Not here: reading headers, knowing the public URL, replay protection.
//!
//! Source: `/docs/usage/security`; behaviour of the Python (9.13.0) and Node (6.2.0) SDKs, whose vectors are in
//! `tests/data/signature-vectors.json`. shared-key signing: `/docs/usage/webhooks/webhook-shared-keys` (public beta).

mod keys;
mod settings;
mod url;

use sha2::{Digest, Sha256};

pub use self::keys::SigningKeys;
use self::keys::{Key, Running};
use self::settings::Settings;
pub use self::url::signed_url;

/// The header with the signature.
pub const SIGNATURE_HEADER: &str = "x-twilio-signature";

/// The header that names algorithm and shared key. Absent for HMAC-SHA1 with the account's token.
pub const SETTINGS_HEADER: &str = "x-twilio-webhooks-signature-settings";

/// The query parameter that carries the hash of a JSON body.
const BODY_HASH_PARAMETER: &str = "bodySHA256";

/// The hash under the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC-SHA1, the rule since ever: 28 characters of Base64.
    #[default]
    HmacSha1,
    /// HMAC-SHA256, with shared-key signing: 44 characters of Base64.
    HmacSha256,
}

/// How the signed text is made from the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestKind {
    /// A form `POST`: URL, then the parameters.
    Form,
    /// A `GET`: the URL alone. Its parameters are in the query, `params` is not looked at.
    Get,
    /// A JSON body: the URL alone, and the body's SHA-256 must equal the query's `bodySHA256`.
    Json,
    /// A WebSocket upgrade: the `wss` URL, then the parameters (normally none).
    WebSocket {
        /// Whether a signature over the same URL with, or without, a trailing `/` in its path is accepted too.
        accept_slash_twin: bool,
    },
}

/// A request as it was received.
#[derive(Clone, Copy)]
pub struct SignedRequest<'a> {
    /// How the signed text is made.
    pub kind: RequestKind,
    /// The public URL that Twilio called, scheme to query.
    pub url: &'a str,
    /// The decoded form parameters, in any order, values untrimmed.
    pub params: &'a [(String, String)],
    /// The raw body; only looked at for [`RequestKind::Json`].
    pub body: Option<&'a [u8]>,
    /// The value of [`SIGNATURE_HEADER`].
    pub signature: Option<&'a str>,
    /// The value of [`SETTINGS_HEADER`].
    pub settings: Option<&'a str>,
}

/// Which key a verified request was signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Accepted {
    /// The account's token at this position, counted from 0 in the order of [`SigningKeys::new`].
    AuthToken {
        /// Position of the token.
        index: usize,
    },
    /// The shared key at this position, counted from 0 in the order they were added.
    SharedKey {
        /// Position of the shared key.
        index: usize,
    },
}

/// Why a request is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// There is no signature, or it is empty.
    #[error("the request has no signature")]
    Missing,
    /// The signature is not Base64 of the right length, or the settings header contradicts itself.
    #[error("the signature or its settings are malformed")]
    Malformed,
    /// No known key makes this signature over this request.
    #[error("the signature does not match the request")]
    Mismatch,
    /// The settings header names an algorithm that is not known here.
    #[error("the signature settings name an unknown algorithm")]
    UnknownAlgorithm,
    /// The settings header names a shared key that is not known here.
    #[error("the signature settings name an unknown key")]
    UnknownKey,
    /// The URL's signature is right, but the JSON body is not the one whose hash is in the URL.
    #[error("the body does not match its signed hash")]
    BodyHash,
}

impl SignatureError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "proto.signature.missing",
            Self::Malformed => "proto.signature.malformed",
            Self::Mismatch => "proto.signature.mismatch",
            Self::UnknownAlgorithm => "proto.signature.unknown_algorithm",
            Self::UnknownKey => "proto.signature.unknown_key",
            Self::BodyHash => "proto.signature.body_hash",
        }
    }
}

/// Signs a request: the value for [`SIGNATURE_HEADER`].
///
/// `url` is taken as it is but for its fragment; see [`signed_url`] for what Twilio signs of a configured URL. `params`
/// are the decoded form parameters in any order, empty for GET, JSON and WebSocket requests.
pub fn sign(algorithm: Algorithm, key: &[u8], url: &str, params: &[(String, String)]) -> String {
    let mut running = Key::new(key).start(algorithm);
    running.update(url::without_fragment(url));
    for (name, value) in in_signing_order(params) {
        running.update(name);
        running.update(value);
    }
    running.finish()
}

/// The value of the `bodySHA256` query parameter for a JSON body: lower-case hexadecimal SHA-256.
pub fn body_sha256(body: &[u8]) -> String {
    Sha256::digest(body)
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0x0f])
        .filter_map(|n| char::from_digit(n.into(), 16))
        .collect()
}

/// Checks that a request was signed with one of `keys`. All comparisons of secrets take constant time.
///
/// # Errors
///
/// `proto.signature.missing`, `proto.signature.malformed`, `proto.signature.mismatch`,
/// `proto.signature.unknown_algorithm`, `proto.signature.unknown_key`, `proto.signature.body_hash`.
pub fn verify(request: &SignedRequest<'_>, keys: &SigningKeys) -> Result<Accepted, SignatureError> {
    let signature = request.signature.filter(|value| !value.is_empty()).ok_or(SignatureError::Missing)?;
    let settings = Settings::parse(request.settings.unwrap_or_default())?;
    let given = keys::decode_signature(signature, settings.algorithm)?;

    let params = match request.kind {
        RequestKind::Form | RequestKind::WebSocket { .. } => in_signing_order(request.params),
        RequestKind::Get | RequestKind::Json => Vec::new(),
    };
    let slash_twin = matches!(request.kind, RequestKind::WebSocket { accept_slash_twin: true });
    let is_signed_with = |key: &Key, pieces: [&str; url::PIECES]| {
        let mut running: Running = key.start(settings.algorithm);
        for piece in pieces {
            running.update(piece);
        }
        for (name, value) in &params {
            running.update(name);
            running.update(value);
        }
        running.matches(&given)
    };

    let candidates = || url::candidates(request.url, slash_twin);
    let accepted = match settings.key {
        Some(id) => {
            let (index, key) = keys.shared_key(id).ok_or(SignatureError::UnknownKey)?;
            candidates().any(|pieces| is_signed_with(key, pieces)).then_some(Accepted::SharedKey { index })
        }
        None => candidates().find_map(|pieces| {
            let index = keys.auth_tokens().iter().position(|key| is_signed_with(key, pieces))?;
            Some(Accepted::AuthToken { index })
        }),
    };
    let accepted = accepted.ok_or(SignatureError::Mismatch)?;
    if request.kind == RequestKind::Json {
        check_body_hash(request)?;
    }
    Ok(accepted)
}

/// The hash itself is public and already covered by the signature, so this comparison leaks nothing.
fn check_body_hash(request: &SignedRequest<'_>) -> Result<(), SignatureError> {
    let body = request.body.ok_or(SignatureError::BodyHash)?;
    let expected = url::query_value(request.url, BODY_HASH_PARAMETER).ok_or(SignatureError::BodyHash)?;
    if body_sha256(body) == expected { Ok(()) } else { Err(SignatureError::BodyHash) }
}

/// Sorted by name, then by value, in byte order; identical pairs once.
fn in_signing_order(params: &[(String, String)]) -> Vec<&(String, String)> {
    let mut ordered: Vec<_> = params.iter().collect();
    ordered.sort_unstable();
    ordered.dedup();
    ordered
}

#[cfg(test)]
mod tests;
