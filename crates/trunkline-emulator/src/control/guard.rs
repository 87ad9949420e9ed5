//! Keeps web pages of other sites out of the control API, which has no credentials.
//!
//! A page elsewhere could point its own name at this machine (DNS rebinding), or post a form here. The first is
//! refused by the `Host` header while the emulator listens on loopback only, the second by the `Origin` header.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, Uri};

use crate::error;
use crate::rest::Problem;
use crate::server::App;

pub(super) async fn own_pages_only(State(app): State<App>, request: Request, next: Next) -> Response {
    if is_welcome(request.headers(), request.uri(), app.loopback) {
        next.run(request).await
    } else {
        Problem(error::FORBIDDEN).into_response()
    }
}

fn is_welcome(headers: &HeaderMap, uri: &Uri, loopback: bool) -> bool {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = header(HOST).or_else(|| uri.authority().map(Authority::as_str));
    let host_is_good = !loopback || host.is_some_and(is_loopback);
    let origin_is_good = match header(ORIGIN) {
        Some(origin) => origin.split_once("://").map(|(_, authority)| authority) == host,
        None => !headers.contains_key(ORIGIN),
    };
    host_is_good && origin_is_good
}

/// Whether a `Host` header names this machine and nothing else can be meant.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for host in ["localhost", "LOCALHOST:8090", "127.0.0.1:8090", "127.1.2.3", "[::1]:8090"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "example.com", "127.0.0.1.example.com", "localhost.example.com:8090", "192.168.0.1", "[::2]"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
