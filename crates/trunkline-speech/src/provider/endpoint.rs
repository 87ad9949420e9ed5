//! Where a provider is, and the header that opens its door.

use reqwest::header::{HeaderName, HeaderValue};
use trunkline_core::Secret;
use url::{Host, Url};

use crate::SpeechError;

/// An address and a key. `Debug` does not show the key.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    base: Url,
    credential: Option<(HeaderName, HeaderValue)>,
}

impl Endpoint {
    /// `base_url` is `http`, `https`, `ws` or `wss`; which of them only says whether it is encrypted. An empty key sends
    /// no credential.
    pub(crate) fn new(base_url: &str, header: HeaderName, prefix: &str, key: &Secret) -> Result<Self, SpeechError> {
        let base = Url::parse(base_url.trim())
            .map_err(|error| SpeechError::Config(format!("the base URL cannot be read: {error}")))?;
        if !matches!(base.scheme(), "http" | "https" | "ws" | "wss") {
            return Err(config(
                "the base URL must begin with https:// or wss:// (http:// or ws:// without encryption)",
            ));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(config("the base URL must not hold a name or password: the key has a setting of its own"));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(config("the base URL must not have a query or a fragment"));
        }
        let key = key.expose().trim();
        let credential = if key.is_empty() {
            None
        } else {
            if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(config("the key holds a character that no key has: only visible ASCII can be sent"));
            }
            let mut value = HeaderValue::from_str(&format!("{prefix}{key}"))
                .map_err(|_| config("the key cannot be sent in a header"))?;
            value.set_sensitive(true);
            Some((header, value))
        };
        Ok(Self { base, credential })
    }

    /// The same, and refuses to be without a key.
    pub(crate) fn with_key(
        base_url: &str,
        header: HeaderName,
        prefix: &str,
        key: &Secret,
    ) -> Result<Self, SpeechError> {
        let endpoint = Self::new(base_url, header, prefix, key)?;
        if endpoint.credential.is_none() {
            return Err(config("the key of the provider is missing"));
        }
        Ok(endpoint)
    }

    /// An address for requests, below the base.
    pub(crate) fn http(&self, path: &[&str]) -> Url {
        self.below(path, if self.is_encrypted() { "https" } else { "http" })
    }

    /// An address for a WebSocket, below the base.
    pub(crate) fn socket(&self, path: &[&str]) -> Url {
        self.below(path, if self.is_encrypted() { "wss" } else { "ws" })
    }

    /// The header that holds the key, if there is one.
    pub(crate) const fn credential(&self) -> Option<&(HeaderName, HeaderValue)> {
        self.credential.as_ref()
    }

    /// Whether it is this machine, which no proxy leads to.
    pub(crate) fn is_loopback(&self) -> bool {
        match self.base.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    fn is_encrypted(&self) -> bool {
        matches!(self.base.scheme(), "https" | "wss")
    }

    fn below(&self, path: &[&str], scheme: &str) -> Url {
        let mut url = self.base.clone();
        // All four schemes are of the kind that may stand for each other and have a path.
        url.set_scheme(scheme).ok();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }
}

fn config(problem: &str) -> SpeechError {
    SpeechError::Config(problem.to_owned())
}

#[cfg(test)]
mod tests {
    use reqwest::header::AUTHORIZATION;

    use super::*;

    #[test]
    fn addresses_lie_below_the_base_and_take_the_scheme_that_is_needed() {
        let endpoint = Endpoint::new("wss://speech.example/v1/", AUTHORIZATION, "Token ", &"k3y".into()).expect("good");
        assert_eq!(endpoint.http(&["a", "b/../c?"]).as_str(), "https://speech.example/v1/a/b%2F..%2Fc%3F");
        assert_eq!(endpoint.socket(&["listen"]).as_str(), "wss://speech.example/v1/listen");
        let plain = Endpoint::new("http://127.0.0.1:9", AUTHORIZATION, "", &"".into()).expect("good");
        assert_eq!(plain.socket(&["x"]).as_str(), "ws://127.0.0.1:9/x");
        assert!(plain.credential().is_none());
    }

    #[test]
    fn the_key_is_not_shown() {
        let endpoint = Endpoint::new("https://x.example", AUTHORIZATION, "Token ", &"k3y".into()).expect("good");
        assert!(!format!("{endpoint:?}").contains("k3y"));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_key() {
        for (base, key) in [
            ("nonsense", "k3y"),
            ("ftp://x.example", "k3y"),
            ("https://me:k3y@x.example", "k3y"),
            ("https://x.example?key=k3y", "k3y"),
            ("https://x.example", "k3y\nother: header"),
            ("https://x.example", ""),
        ] {
            let refused = Endpoint::with_key(base, AUTHORIZATION, "", &key.into()).expect_err(base);
            assert_eq!(refused.code(), "speech.config");
            assert!(!refused.to_string().contains("k3y"), "{refused}");
        }
    }
}
