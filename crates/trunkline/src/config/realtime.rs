//! The settings of the socket.

use std::time::Duration;

use trunkline_core::ConfigError;
use trunkline_twilio::realtime::{ApiKeyTokens, MIN_TOKEN_TTL, RealtimeSettings};
use url::Url;

use super::table as key;
use super::{Reader, RealtimeConfig};

/// The path of the socket at `TWILIO_BASE_URL`.
const SOCKET_PATH: &str = "/v3/wsconnect";

/// Reads them; `None` if the socket is switched off, or if what it needs is not there and not demanded.
pub(super) fn realtime(reader: &Reader, problems: &mut ConfigError) -> Option<RealtimeConfig> {
    let is_demanded = match reader.text_or_default(&key::REALTIME) {
        "false" => return None,
        "true" => true,
        "auto" => false,
        _ => {
            problems.add(reader.name_of(&key::REALTIME), "must be true, false or auto");
            return None;
        }
    };
    let sends = match reader.text_or_default(&key::SEND_BY) {
        "rest" => false,
        "socket" => true,
        _ => {
            problems.add(reader.name_of(&key::SEND_BY), "must be rest or socket");
            false
        }
    };
    let ttl = reader.duration(&key::TOKEN_TTL, MIN_TOKEN_TTL..=Duration::from_hours(24), problems);
    let socket_url = socket_url(reader, problems);
    let needed = [&key::ACCOUNT_SID, &key::API_KEY, &key::API_SECRET, &key::CHAT_SERVICE_SID];
    let missing: Vec<String> = needed
        .into_iter()
        .filter(|setting| reader.text(setting).is_none())
        .map(|setting| reader.name_of(setting))
        .collect();
    if !missing.is_empty() {
        if is_demanded || sends {
            let wanted = if is_demanded { &key::REALTIME } else { &key::SEND_BY };
            problems.add(reader.name_of(wanted), format!("needs {} as well", missing.join(", ")));
        }
        return None;
    }
    // What is no SID is told by the backend, which has the same settings.
    let sid = |setting| reader.text(setting).unwrap_or_default();
    let tokens = ApiKeyTokens::new(
        sid(&key::ACCOUNT_SID).parse().ok()?,
        sid(&key::API_KEY).parse().ok()?,
        reader.secret(&key::API_SECRET),
        sid(&key::CHAT_SERVICE_SID).parse().ok()?,
        reader.text_or_default(&key::IDENTITY),
    );
    let region = reader.text(&key::REGION).map(str::to_owned);
    Some(RealtimeConfig {
        tokens: tokens.ttl(ttl).region(region.clone()),
        connection: RealtimeSettings {
            url: socket_url,
            region,
            edge: reader.text(&key::EDGE).map(str::to_owned),
            ..RealtimeSettings::default()
        },
        sends,
    })
}

fn socket_url(reader: &Reader, problems: &mut ConfigError) -> Option<String> {
    if let Some(text) = reader.text(&key::SOCKET_URL) {
        let usable = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "ws" | "wss") && url.has_host());
        if usable.is_none() {
            problems.add(reader.name_of(&key::SOCKET_URL), "must be a ws:// or wss:// URL");
        }
        return Some(text.to_owned());
    }
    let base = reader.text(&key::BASE_URL)?.trim_end_matches('/');
    // What is no such URL is told by the backend.
    let rest = base.strip_prefix("http")?;
    Some(format!("ws{rest}{SOCKET_PATH}"))
}
