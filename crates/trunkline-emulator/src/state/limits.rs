//! What a caller may not exceed, and the checks that more than one resource needs.
//!
//! The first block is Twilio's own (Conversations limits page); the second keeps an emulator that a stranger can reach
//! within bounds.

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

use crate::error::{self, ApiError};

/// Friendly name, unique name, identity and address, in characters.
pub(crate) const MAX_NAME_CHARS: usize = 256;
/// Friendly name of a role, in characters.
pub(crate) const MAX_ROLE_NAME_CHARS: usize = 64;
/// Template or sound of a push notification, in characters. Twilio gives no limit; this is that of its bodies.
pub(crate) const MAX_TEMPLATE_CHARS: usize = 1600;
/// Attributes of a conversation, in bytes.
pub(crate) const MAX_CONVERSATION_ATTRIBUTES: usize = 16 * 1024;
/// Attributes of a message or a participant, in bytes.
pub(crate) const MAX_ATTRIBUTES: usize = 4 * 1024;
/// A body that goes out on SMS or WhatsApp, in characters.
pub(crate) const MAX_CHANNEL_BODY_CHARS: usize = 1600;
/// A body between chat participants, and one that a person sends, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 32 * 1024;
/// Participants of one conversation.
pub(crate) const MAX_PARTICIPANTS: usize = 1000;
/// Participants of one conversation that are reached by SMS or WhatsApp.
pub(crate) const MAX_CHANNEL_PARTICIPANTS: usize = 50;
/// Webhooks of one conversation.
pub(crate) const MAX_SCOPED_WEBHOOKS: usize = 5;
/// Keywords of one trigger webhook.
pub(crate) const MAX_TRIGGERS: usize = 20;
/// A webhook's URL, in characters.
pub(crate) const MAX_URL_CHARS: usize = 2048;
/// A file of the media service, in bytes.
pub(crate) const MAX_MEDIA_BYTES: usize = 150 * 1024 * 1024;
/// Files in one text that a person sends.
pub(crate) const MAX_MEDIA_PER_MESSAGE: usize = 10;

/// Conversations that the emulator keeps.
pub(crate) const MAX_CONVERSATIONS: usize = 200_000;
/// Services of the account.
pub(crate) const MAX_SERVICES: usize = 1000;
/// Conversations of one identity that are not closed.
pub(crate) const MAX_CONVERSATIONS_PER_IDENTITY: usize = 1000;
/// Push credentials of the account.
pub(crate) const MAX_CREDENTIALS: usize = 1000;
/// Devices that want push notifications.
pub(crate) const MAX_PUSH_BINDINGS: usize = 10_000;
/// Content templates of the account.
pub(crate) const MAX_CONTENTS: usize = 1000;
/// Messages of Programmable Messaging that are remembered; the oldest that are over go first.
pub(crate) const MAX_CHANNEL_MESSAGES: usize = 200_000;
/// Roles of one service.
pub(crate) const MAX_ROLES_PER_SERVICE: usize = 1000;
/// Users that the emulator keeps.
pub(crate) const MAX_USERS: usize = 200_000;
/// Messages that the emulator keeps, in all conversations together.
pub(crate) const MAX_MESSAGES: usize = 2_000_000;
/// Bytes of all files together.
pub(crate) const MAX_TOTAL_MEDIA_BYTES: usize = 512 * 1024 * 1024;
/// Files of the media service.
pub(crate) const MAX_MEDIA_FILES: usize = 100_000;
/// Address configurations of the account.
pub(crate) const MAX_ADDRESSES: usize = 1000;
/// Lines that one phone shows; the oldest go first.
pub(crate) const MAX_LINES_PER_PHONE: usize = 50_000;

/// Calls that the emulator remembers; the oldest that are over go first.
pub(crate) const MAX_CALLS: usize = 100_000;
/// Warnings and errors that are noted about one call.
pub(crate) const MAX_NOTIFICATIONS_PER_CALL: usize = 100;
/// Streams that one call remembers, and transcriptions.
pub(crate) const MAX_STREAMS_PER_CALL: usize = 20;
/// Recordings that are kept.
pub(crate) const MAX_RECORDINGS: usize = 20_000;
/// Bytes of all recordings together; beyond that none begins.
pub(crate) const MAX_RECORDING_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Numbers of the account.
pub(crate) const MAX_NUMBERS: usize = 1000;
/// Phones that answer by a rule.
pub(crate) const MAX_ANSWERING_RULES: usize = 10_000;

const MIN_INACTIVE: SignedDuration = SignedDuration::from_mins(1);
const MIN_CLOSED: SignedDuration = SignedDuration::from_mins(10);

/// Attributes must be JSON text of limited length.
pub(crate) fn check_attributes(text: &str, max_bytes: usize) -> Result<(), ApiError> {
    if text.len() > max_bytes {
        return Err(error::ATTRIBUTES_TOO_LONG);
    }
    serde_json::from_str::<serde::de::IgnoredAny>(text).map(|_| ()).map_err(|_| error::ATTRIBUTES_NOT_JSON)
}

/// Names are limited in characters.
pub(crate) fn check_name(text: &str, too_long: ApiError) -> Result<(), ApiError> {
    if text.chars().count() > MAX_NAME_CHARS { Err(too_long) } else { Ok(()) }
}

/// A telephone number in E.164 form.
pub(crate) fn is_phone_number(text: &str) -> bool {
    matches!(text.parse(), Ok(super::address::Address::Sms(_)))
}

/// A URL that a webhook can be sent to.
pub(crate) fn check_url(text: &str) -> Result<(), ApiError> {
    if text.chars().count() > MAX_URL_CHARS {
        return Err(error::WEBHOOK_URL_TOO_LONG);
    }
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(()),
        _ => Err(ApiError::parameter("webhook URL")),
    }
}

/// An ISO 8601 duration of at least one minute, in seconds. An empty one takes the timer away.
pub(crate) fn inactive_seconds(text: &str) -> Result<Option<u32>, ApiError> {
    timer_seconds(text, MIN_INACTIVE, error::INACTIVE_TIMER)
}

/// An ISO 8601 duration of at least ten minutes, in seconds. An empty one takes the timer away.
pub(crate) fn closed_seconds(text: &str) -> Result<Option<u32>, ApiError> {
    timer_seconds(text, MIN_CLOSED, error::CLOSED_TIMER)
}

fn timer_seconds(text: &str, min: SignedDuration, too_short: ApiError) -> Result<Option<u32>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    let span: Span = text.parse().map_err(|_| error::DURATION)?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| error::DURATION)?;
    if duration < min {
        return Err(too_short);
    }
    u32::try_from(duration.as_secs()).map(Some).map_err(|_| error::DURATION)
}

/// A date that a caller gives for a resource.
pub(crate) fn timestamp(text: &str, parameter: &'static str) -> Result<Timestamp, ApiError> {
    text.parse().map_err(|_| ApiError::parameter(parameter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_json_of_limited_length() {
        assert_eq!(check_attributes("{\"a\":[1]}", 100), Ok(()));
        assert_eq!(check_attributes("{a:1}", 100), Err(error::ATTRIBUTES_NOT_JSON));
        assert_eq!(check_attributes("", 100), Err(error::ATTRIBUTES_NOT_JSON));
        assert_eq!(check_attributes("\"aaaa\"", 5), Err(error::ATTRIBUTES_TOO_LONG));
    }

    #[test]
    fn timers_have_a_least_length() {
        assert_eq!(inactive_seconds("PT1M"), Ok(Some(60)));
        assert_eq!(inactive_seconds("PT59S"), Err(error::INACTIVE_TIMER));
        assert_eq!(closed_seconds("P1DT1H"), Ok(Some(25 * 3600)));
        assert_eq!(closed_seconds("PT9M"), Err(error::CLOSED_TIMER));
        assert_eq!(closed_seconds("soon"), Err(error::DURATION));
        assert_eq!(closed_seconds("P1M"), Err(error::DURATION));
        assert_eq!(closed_seconds(""), Ok(None));
    }

    #[test]
    fn webhook_urls_are_http() {
        assert_eq!(check_url("http://127.0.0.1:1/a?b=c#d"), Ok(()));
        assert!(check_url("ftp://example.com").is_err());
        assert!(check_url("example.com").is_err());
        assert_eq!(check_url(&format!("http://a/{}", "b".repeat(3000))), Err(error::WEBHOOK_URL_TOO_LONG));
    }
}
