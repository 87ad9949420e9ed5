//! The forms of a URL that a signature may cover. Slices of the received text only: nothing is decoded or rebuilt.

/// A candidate is this many pieces of text, to be hashed one after the other.
pub(super) const PIECES: usize = 5;

/// What Twilio signs of a configured webhook URL: everything but its credentials and its fragment.
pub fn signed_url(configured: &str) -> String {
    let parts = Parts::of(configured);
    let head = match parts.authority_at {
        Some(at) => {
            let (scheme, authority) = parts.head.split_at(at);
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            [scheme, host].concat()
        }
        None => parts.head.to_owned(),
    };
    [&head, parts.port, parts.path, parts.query].concat()
}

pub(super) fn without_fragment(url: &str) -> &str {
    url.split_once('#').map_or(url, |(before, _)| before)
}

/// The raw value of the first query parameter called `name`.
pub(super) fn query_value<'a>(url: &'a str, name: &str) -> Option<&'a str> {
    let query = Parts::of(url).query.strip_prefix('?')?;
    query.split('&').find_map(|piece| piece.split_once('=').filter(|(key, _)| *key == name)).map(|(_, value)| value)
}

/// Every form to try, the most likely first: as received, with the port added or removed, and the same with the
/// trailing slash of the path added or removed if `slash_twin`.
pub(super) fn candidates(url: &str, slash_twin: bool) -> impl Iterator<Item = [&str; PIECES]> {
    let parts = Parts::of(url);
    let own = (parts.path, "");
    let twin = match parts.path.strip_suffix('/') {
        Some(shorter) => (shorter, ""),
        None => (parts.path, "/"),
    };
    let paths = [Some(own), slash_twin.then_some(twin)];
    paths.into_iter().flatten().flat_map(move |(path, slash)| {
        let ports = [Some(parts.port), parts.port_twin];
        ports.into_iter().flatten().map(move |port| [parts.head, port, path, slash, parts.query])
    })
}

/// A URL cut where the rules need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parts<'a> {
    /// Scheme, credentials and host.
    head: &'a str,
    /// Where the authority starts in `head`; `None` for a text without a scheme.
    authority_at: Option<usize>,
    /// `:8443`, or empty.
    port: &'a str,
    /// What may stand in the port's place; `None` if the authority is not understood.
    port_twin: Option<&'a str>,
    path: &'a str,
    /// With its `?`, or empty.
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Self {
        let (before_query, query) = cut(without_fragment(url), '?');
        let Some(scheme_length) = before_query.find("://") else {
            return Self { head: before_query, authority_at: None, port: "", port_twin: None, path: "", query };
        };
        let authority_at = scheme_length + "://".len();
        let (scheme, rest) = before_query.split_at(authority_at);
        let (authority, path) = cut(rest, '/');
        let (port, port_twin) = match port_of(authority) {
            Some("") if scheme.eq_ignore_ascii_case("https://") => ("", Some(":443")),
            Some("") => ("", Some(":80")),
            Some(port) => (port, Some("")),
            None => ("", None),
        };
        let (head, _) = before_query.split_at(authority_at + authority.len() - port.len());
        Self { head, authority_at: Some(authority_at), port, port_twin, path, query }
    }
}

/// The explicit port with its colon, empty if there is none, `None` if what follows the host is not a port.
fn port_of(authority: &str) -> Option<&str> {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (_, after_brackets) = cut(host, ']');
    let (_, port) = cut(if after_brackets.is_empty() { host } else { after_brackets }, ':');
    match port.strip_prefix(':') {
        None => Some(""),
        Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(port),
        Some(_) => None,
    }
}

/// Splits before the first `at`, which stays with the second half.
fn cut(text: &str, at: char) -> (&str, &str) {
    text.find(at).map_or((text, ""), |index| text.split_at(index))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(url: &str, slash_twin: bool, expect: &[&str]) {
        let forms: Vec<String> = candidates(url, slash_twin).map(|pieces| pieces.concat()).collect();
        assert_eq!(forms, expect, "{url}");
    }

    #[test]
    fn the_port_is_tried_both_ways() {
        check("https://h/x", false, &["https://h/x", "https://h:443/x"]);
        check("HTTPS://h/x", false, &["HTTPS://h/x", "HTTPS://h:443/x"]);
        check("http://h/x", false, &["http://h/x", "http://h:80/x"]);
        check("wss://h/x", false, &["wss://h/x", "wss://h:80/x"]);
        check("https://h:8443/x?a=b:9", false, &["https://h:8443/x?a=b:9", "https://h/x?a=b:9"]);
        check("https://h", false, &["https://h", "https://h:443"]);
        check("https://h?a=1", false, &["https://h?a=1", "https://h:443?a=1"]);
    }

    #[test]
    fn credentials_and_ipv6_survive() {
        check("https://u:p@h:8443/x", false, &["https://u:p@h:8443/x", "https://u:p@h/x"]);
        check("https://u:p@h/x", false, &["https://u:p@h/x", "https://u:p@h:443/x"]);
        check("https://[2001:db8::1]:8443/x", false, &["https://[2001:db8::1]:8443/x", "https://[2001:db8::1]/x"]);
        check("https://[::1]/x", false, &["https://[::1]/x", "https://[::1]:443/x"]);
    }

    #[test]
    fn the_fragment_goes_and_what_is_not_understood_stays() {
        check("https://h/x?q#rc=3", false, &["https://h/x?q", "https://h:443/x?q"]);
        check("/x?q", false, &["/x?q"]);
        check("https://h:/x", false, &["https://h:/x"]);
        check("https://h:1a/x", false, &["https://h:1a/x"]);
        check("https://a:b:c/x", false, &["https://a:b:c/x"]);
        check("", false, &[""]);
    }

    #[test]
    fn the_slash_twin_is_tried_last() {
        check("wss://h/m?a", true, &["wss://h/m?a", "wss://h:80/m?a", "wss://h/m/?a", "wss://h:80/m/?a"]);
        check("wss://h:1/m/", true, &["wss://h:1/m/", "wss://h/m/", "wss://h:1/m", "wss://h/m"]);
    }

    #[test]
    fn what_twilio_signs_has_no_credentials_and_no_fragment() {
        assert_eq!(signed_url("https://u:p@h:8443/x?a=@b#rc=3"), "https://h:8443/x?a=@b");
        assert_eq!(signed_url("https://u:p%40@[::1]/x"), "https://[::1]/x");
        assert_eq!(signed_url("https://h/a@b:c"), "https://h/a@b:c");
        assert_eq!(signed_url("nonsense@x#y"), "nonsense@x");
    }

    #[test]
    fn the_first_value_of_a_query_parameter_counts() {
        assert_eq!(query_value("https://h/x?a=1&b=2&b=3#b=4", "b"), Some("2"));
        assert_eq!(query_value("https://h/x?ab=1&b", "b"), None);
        assert_eq!(query_value("https://h/x", "b"), None);
    }

    proptest! {
        #[test]
        fn the_first_candidate_is_the_url_itself(url in "[^#]{0,60}") {
            prop_assert_eq!(candidates(&url, true).next().map(|pieces| pieces.concat()), Some(url));
        }

        #[test]
        fn no_text_makes_it_panic(url in ".{0,60}") {
            prop_assert!(candidates(&url, true).count() >= 2);
            let _ = signed_url(&url);
            let _ = query_value(&url, "a");
        }
    }
}
