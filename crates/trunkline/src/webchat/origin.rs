//! Whose pages may open a socket.

use axum::http::{HeaderMap, header};

/// Whether a request comes from the gateway's own pages, from one of the `allowed` origins, or from no page at all:
/// only browsers send an origin, and only they carry strangers' scripts.
pub(super) fn is_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    if allowed.iter().any(|known| known.eq_ignore_ascii_case(origin)) {
        return true;
    }
    // Whether a proxy in front of us speaks TLS is not known here, so the scheme says nothing.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let of_origin = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    of_origin.zip(host).is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_and_allowed_pages_get_in() {
        let allowed = ["https://shop.example.com".to_owned()];
        for (origin, expected) in [
            (None, true),
            (Some("https://shop.example.com"), true),
            (Some("http://gateway.example.com:8080"), true),
            (Some("https://gateway.example.com:8080"), true),
            (Some("http://shop.example.com"), false),
            (Some("https://shop.example.com.evil.example"), false),
            (Some("https://gateway.example.com"), false),
            (Some("null"), false),
            (Some(""), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "gateway.example.com:8080".parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(is_allowed(&headers, &allowed), expected, "{origin:?}");
        }
    }
}
