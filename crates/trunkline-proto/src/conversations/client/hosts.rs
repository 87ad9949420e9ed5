//! Addresses of requests inside the socket.

use std::collections::BTreeMap;

use crate::twilsock::HttpRequest;
use crate::twilsock::client_message::JSON;

/// Where the socket is, for a region and an edge location; `us1` without.
///
/// With an edge the host follows the scheme of Twilio's REST hosts (`tsock.dublin.ie1.twilio.com`); the official client
/// has no setting for it.
pub fn socket_url(region: Option<&str>, edge: Option<&str>) -> String {
    format!("wss://{}/v3/wsconnect", host("tsock", region, edge))
}

fn host(product: &str, region: Option<&str>, edge: Option<&str>) -> String {
    let region = region.unwrap_or("us1");
    match edge {
        Some(edge) => format!("{product}.{edge}.{region}.twilio.com"),
        None => format!("{product}.{region}.twilio.com"),
    }
}

/// The hosts of the services behind the socket.
#[derive(Debug)]
pub(super) struct Hosts {
    conversations: String,
    sync: String,
}

impl Hosts {
    pub(super) fn new(region: Option<&str>, edge: Option<&str>) -> Self {
        Self { conversations: host("aim", region, edge), sync: host("cds", region, edge) }
    }

    /// The address of a path of the Conversations service.
    pub(super) fn conversations(&self, path: &str) -> String {
        format!("https://{}{path}", self.conversations)
    }

    /// The address of a path of the Sync service.
    pub(super) fn sync(&self, path: &str) -> String {
        format!("https://{}{path}", self.sync)
    }

    pub(super) fn get(&self, url: &str) -> HttpRequest {
        let mut request = self.to("GET", url);
        request.headers.insert("Content-Type".to_owned(), JSON.to_owned());
        request
    }

    pub(super) fn post_json(&self, url: &str) -> HttpRequest {
        let mut request = self.to("POST", url);
        request.headers.insert("Content-Type".to_owned(), JSON.to_owned());
        request
    }

    /// A request to an absolute address; one without host goes to the Conversations service.
    pub(super) fn to(&self, method: &str, url: &str) -> HttpRequest {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, path) = match address.find('/').and_then(|slash| address.split_at_checked(slash)) {
            Some((host, path)) if url.contains("://") => (host, path),
            _ => (self.conversations.as_str(), address),
        };
        let params = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), crate::twilsock::Params::One(value.to_owned()))
        });
        HttpRequest {
            host: host.to_owned(),
            path: path.to_owned(),
            method: method.to_owned(),
            params: params.collect(),
            headers: BTreeMap::new(),
        }
    }
}

/// Escapes a text for a path or a query.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            escaped.extend([byte >> 4, byte & 0x0f].map(|half| char::from(hex_digit(half))));
        }
    }
    escaped
}

fn hex_digit(half: u8) -> u8 {
    if half < 10 { b'0' + half } else { b'A' + half - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twilsock::Params;

    #[test]
    fn an_address_is_taken_apart() {
        let hosts = Hosts::new(Some("ie1"), Some("dublin"));
        let request = hosts.get("https://h:99/v3/Maps/MP1/Items?a=b%20c");
        assert_eq!((request.host.as_str(), request.path.as_str()), ("h:99", "/v3/Maps/MP1/Items"));
        assert_eq!(request.params["a"], Params::One("b%20c".into()));
        assert_eq!(hosts.get("/x").host, "aim.dublin.ie1.twilio.com");
        assert_eq!(hosts.sync("/v4"), "https://cds.dublin.ie1.twilio.com/v4");
    }

    #[test]
    fn the_socket_is_where_the_region_is() {
        assert_eq!(socket_url(None, None), "wss://tsock.us1.twilio.com/v3/wsconnect");
        assert_eq!(socket_url(Some("ie1"), Some("dublin")), "wss://tsock.dublin.ie1.twilio.com/v3/wsconnect");
    }

    #[test]
    fn texts_are_escaped() {
        assert_eq!(escaped("üser a/b"), "%C3%BCser%20a%2Fb");
    }
}
