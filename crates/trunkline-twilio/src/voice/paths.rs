//! What the gateway serves to Twilio, below `webhook_url`.

/// Asked what to do with a call that comes in.
pub const VOICE: &str = "/webhooks/twilio/voice";
/// Told how calls go.
pub const STATUS: &str = "/webhooks/twilio/voice/status";
/// Told of streams.
pub const STREAM: &str = "/webhooks/twilio/voice/stream";
/// Asked what to do when a stream or a transfer is over.
pub const ACTION: &str = "/webhooks/twilio/voice/action";
/// Told of recordings.
pub const RECORDING: &str = "/webhooks/twilio/voice/recording";
/// Told what answered.
pub const MACHINE: &str = "/webhooks/twilio/voice/amd";
/// Told what is said, where Twilio transcribes.
pub const TRANSCRIPTION: &str = "/webhooks/twilio/voice/transcription";
/// Asked what whoever takes a call over is told; a token follows.
pub const BRIEFING: &str = "/webhooks/twilio/voice/briefing/";
/// The socket of a call's audio; a token follows.
pub const MEDIA: &str = "/media/";
/// The socket of a call's words; a token follows.
pub const RELAY: &str = "/relay/";

/// The public address of the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    base: String,
}

impl Places {
    /// `base` is an http or https URL.
    pub(super) fn new(base: &str) -> Self {
        Self { base: base.trim_end_matches('/').to_owned() }
    }

    pub(super) fn of(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// With the session in the query: a webhook may come before its call has a name here.
    pub(super) fn about(&self, path: &str, session: &str) -> String {
        format!("{}{path}?session={session}", self.base)
    }

    /// `wss` where webhooks are https.
    pub(super) fn socket(&self, path: &str, token: &str) -> String {
        let base = self.base.strip_prefix("http").unwrap_or(&self.base);
        format!("ws{base}{path}{token}")
    }
}

/// The value of a query parameter that needs no decoding: a session's id or a word of ours.
pub(super) fn query<'a>(url: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = url.split_once('?')?;
    let pair = |pair: &'a str| pair.split_once('=').filter(|(known, _)| *known == name);
    query.split('&').find_map(pair).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_follow_from_the_base() {
        let places = Places::new("https://gateway.example.com/");
        assert_eq!(places.of(VOICE), "https://gateway.example.com/webhooks/twilio/voice");
        assert_eq!(places.socket(MEDIA, "t"), "wss://gateway.example.com/media/t");
        assert_eq!(Places::new("http://127.0.0.1:1").socket(RELAY, "t"), "ws://127.0.0.1:1/relay/t");
        let about = places.about(STATUS, "s-1");
        assert_eq!((query(&about, "session"), query(&about, "wait")), (Some("s-1"), None));
    }
}
