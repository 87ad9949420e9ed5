//! The settings header of shared-key signing: `key=<id>,algorithm=HMAC_SHA256`.

use super::{Algorithm, SignatureError};

/// What the header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings<'a> {
    pub(super) algorithm: Algorithm,
    /// The shared key to use; `None` for the account's tokens.
    pub(super) key: Option<&'a str>,
}

impl<'a> Settings<'a> {
    /// Reads the header's value. Without an algorithm it means HMAC-SHA1 with the account's token, whatever else it
    /// says; with an algorithm but no key, that algorithm with the account's token. Settings with other names are
    /// ignored, the same setting twice is refused.
    pub(super) fn parse(header: &'a str) -> Result<Self, SignatureError> {
        let (mut algorithm, mut key) = (None, None);
        for setting in header.split(',') {
            let Some((name, value)) = setting.split_once('=') else { continue };
            let slot = match name.trim() {
                "algorithm" => &mut algorithm,
                "key" => &mut key,
                _ => continue,
            };
            if slot.replace(value.trim()).is_some() {
                return Err(SignatureError::Malformed);
            }
        }
        let Some(name) = algorithm else { return Ok(Self { algorithm: Algorithm::HmacSha1, key: None }) };
        let algorithm = if name.eq_ignore_ascii_case("HMAC_SHA1") {
            Algorithm::HmacSha1
        } else if name.eq_ignore_ascii_case("HMAC_SHA256") {
            Algorithm::HmacSha256
        } else {
            return Err(SignatureError::UnknownAlgorithm);
        };
        Ok(Self { algorithm, key: key.filter(|id| !id.is_empty()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, algorithm: Algorithm, key: Option<&str>) {
        assert_eq!(Settings::parse(header), Ok(Settings { algorithm, key }), "{header:?}");
    }

    #[test]
    fn algorithm_and_key_are_read() {
        check("", Algorithm::HmacSha1, None);
        check("key=abc,algorithm=HMAC_SHA256", Algorithm::HmacSha256, Some("abc"));
        check("algorithm=hmac_sha256, key=abc", Algorithm::HmacSha256, Some("abc"));
        check("key=abc,algorithm=HMAC_SHA1", Algorithm::HmacSha1, Some("abc"));
        check("algorithm=HMAC_SHA256", Algorithm::HmacSha256, None);
        check("key=,algorithm=HMAC_SHA256,version=2,flag", Algorithm::HmacSha256, None);
        check("key=abc", Algorithm::HmacSha1, None);
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        for header in ["algorithm=", "algorithm=HMAC_MD5", "key=a,algorithm=none"] {
            assert_eq!(Settings::parse(header), Err(SignatureError::UnknownAlgorithm), "{header:?}");
        }
        let twice = "algorithm=HMAC_SHA1,algorithm=HMAC_SHA256";
        assert_eq!(Settings::parse(twice), Err(SignatureError::Malformed));
    }
}
