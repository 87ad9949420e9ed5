//! Keys and the running MAC. Each key's HMAC state is prepared once, so a request pays for its own bytes only.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

use super::{Algorithm, SignatureError};

/// The longest signature in bytes, that of HMAC-SHA256.
const MAX_MAC_BYTES: usize = 32;

/// The secrets that a request may be signed with.
///
/// The secrets themselves are not kept, only HMAC states derived from them; those are wiped on drop and never printed.
#[derive(Clone)]
pub struct SigningKeys {
    auth_tokens: Vec<Key>,
    shared_keys: Vec<(String, Key)>,
}

impl SigningKeys {
    /// Takes the account's tokens, most likely one first. Several are valid while a token is rotated. Empty tokens are
    /// left out: a request signed with nothing is signed by nobody.
    pub fn new<'a>(auth_tokens: impl IntoIterator<Item = &'a str>) -> Self {
        let auth_tokens = auth_tokens.into_iter().filter(|token| !token.is_empty());
        Self { auth_tokens: auth_tokens.map(|token| Key::new(token.as_bytes())).collect(), shared_keys: Vec::new() }
    }

    /// Adds a shared key under the id that the settings header will name.
    #[must_use]
    pub fn with_shared_key(mut self, id: impl Into<String>, secret: &str) -> Self {
        if !secret.is_empty() {
            self.shared_keys.push((id.into(), Key::new(secret.as_bytes())));
        }
        self
    }

    pub(super) fn auth_tokens(&self) -> &[Key] {
        &self.auth_tokens
    }

    pub(super) fn shared_key(&self, id: &str) -> Option<(usize, &Key)> {
        let index = self.shared_keys.iter().position(|(known, _)| known == id)?;
        self.shared_keys.get(index).map(|(_, key)| (index, key))
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys")
            .field("auth_tokens", &self.auth_tokens.len())
            .field("shared_keys", &self.shared_keys.len())
            .finish()
    }
}

/// One secret, ready for either algorithm.
#[derive(Clone)]
pub(super) struct Key {
    sha1: Hmac<Sha1>,
    sha256: Hmac<Sha256>,
}

impl Key {
    #[expect(clippy::expect_used, reason = "HMAC is defined for keys of every length")]
    pub(super) fn new(secret: &[u8]) -> Self {
        Self {
            sha1: Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"),
            sha256: Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"),
        }
    }

    pub(super) fn start(&self, algorithm: Algorithm) -> Running {
        match algorithm {
            Algorithm::HmacSha1 => Running::Sha1(self.sha1.clone()),
            Algorithm::HmacSha256 => Running::Sha256(self.sha256.clone()),
        }
    }
}

/// A MAC that is being computed.
pub(super) enum Running {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
}

impl Running {
    pub(super) fn update(&mut self, text: &str) {
        match self {
            Self::Sha1(mac) => mac.update(text.as_bytes()),
            Self::Sha256(mac) => mac.update(text.as_bytes()),
        }
    }

    pub(super) fn finish(self) -> String {
        match self {
            Self::Sha1(mac) => STANDARD.encode(mac.finalize().into_bytes()),
            Self::Sha256(mac) => STANDARD.encode(mac.finalize().into_bytes()),
        }
    }

    /// Compares in constant time.
    pub(super) fn matches(self, given: &GivenMac) -> bool {
        match self {
            Self::Sha1(mac) => mac.verify_slice(given.as_bytes()).is_ok(),
            Self::Sha256(mac) => mac.verify_slice(given.as_bytes()).is_ok(),
        }
    }
}

/// A decoded signature of the right length.
pub(super) struct GivenMac {
    bytes: [u8; MAX_MAC_BYTES],
    length: usize,
}

impl GivenMac {
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

pub(super) fn decode_signature(header: &str, algorithm: Algorithm) -> Result<GivenMac, SignatureError> {
    let expected = match algorithm {
        Algorithm::HmacSha1 => 20,
        Algorithm::HmacSha256 => 32,
    };
    let mut bytes = [0; MAX_MAC_BYTES];
    match STANDARD.decode_slice(header, &mut bytes) {
        Ok(length) if length == expected => Ok(GivenMac { bytes, length }),
        _ => Err(SignatureError::Malformed),
    }
}
