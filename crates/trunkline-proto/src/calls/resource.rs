//! Calls, recordings, streams, transcriptions and numbers.

use std::fmt;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde::{Deserialize, Deserializer};

use crate::sid::{AccountSid, AnySid, CallSid, PhoneNumberSid, RecordingSid, StreamSid, TranscriptionSid};

/// A call: one leg.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Call {
    /// Its name.
    pub sid: CallSid,
    /// The account that it belongs to.
    #[serde(default)]
    pub account_sid: Option<AccountSid>,
    /// The leg that this one was dialled from.
    #[serde(default)]
    pub parent_call_sid: Option<CallSid>,
    /// Who was called.
    #[serde(default)]
    pub to: Option<String>,
    /// Who called.
    #[serde(default)]
    pub from: Option<String>,
    /// How far it has come, as Twilio writes it.
    #[serde(default)]
    pub status: Option<String>,
    /// `inbound`, `outbound-api` or `outbound-dial`.
    #[serde(default)]
    pub direction: Option<String>,
    /// What answered, where that was asked for.
    #[serde(default)]
    pub answered_by: Option<String>,
    /// When it was made.
    #[serde(default, deserialize_with = "date")]
    pub date_created: Option<Timestamp>,
    /// When it began.
    #[serde(default, deserialize_with = "date")]
    pub start_time: Option<Timestamp>,
    /// When it ended.
    #[serde(default, deserialize_with = "date")]
    pub end_time: Option<Timestamp>,
    /// How long it lasted, in seconds.
    #[serde(default, deserialize_with = "number")]
    pub duration: Option<u64>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut call = f.debug_struct("Call");
        call.field("sid", &self.sid).field("status", &self.status).field("direction", &self.direction);
        call.finish_non_exhaustive()
    }
}

/// What was recorded of a call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Recording {
    /// Its name.
    pub sid: RecordingSid,
    /// The call.
    #[serde(default)]
    pub call_sid: Option<CallSid>,
    /// `in-progress`, `paused`, `stopped`, `processing`, `completed` or `absent`.
    #[serde(default)]
    pub status: Option<String>,
    /// One for both sides together, two for each by itself.
    #[serde(default)]
    pub channels: Option<u8>,
    /// What began it.
    #[serde(default)]
    pub source: Option<String>,
    /// When it was made.
    #[serde(default, deserialize_with = "date")]
    pub date_created: Option<Timestamp>,
    /// When it begins.
    #[serde(default, deserialize_with = "date")]
    pub start_time: Option<Timestamp>,
    /// How long it is, in seconds.
    #[serde(default, deserialize_with = "number")]
    pub duration: Option<u64>,
}

/// A stream that was begun by REST.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CallStream {
    /// Its name.
    pub sid: StreamSid,
    /// The call.
    #[serde(default)]
    pub call_sid: Option<CallSid>,
    /// What it was called.
    #[serde(default)]
    pub name: Option<String>,
    /// `in-progress` or `stopped`.
    #[serde(default)]
    pub status: Option<String>,
}

/// A transcription that runs beside a call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CallTranscription {
    /// Its name.
    pub sid: TranscriptionSid,
    /// The call.
    #[serde(default)]
    pub call_sid: Option<CallSid>,
    /// What it was called.
    #[serde(default)]
    pub name: Option<String>,
    /// `in-progress` or `stopped`.
    #[serde(default)]
    pub status: Option<String>,
}

/// A number of the account, and where its calls go.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct IncomingPhoneNumber {
    /// Its name.
    pub sid: PhoneNumberSid,
    /// The number.
    #[serde(default)]
    pub phone_number: Option<String>,
    /// Asked what to do with a call.
    #[serde(default)]
    pub voice_url: Option<String>,
    /// Of `voice_url`.
    #[serde(default)]
    pub voice_method: Option<String>,
    /// An application that answers instead of `voice_url`.
    #[serde(default, deserialize_with = "empty_is_none")]
    pub voice_application_sid: Option<AnySid>,
    /// A trunk that answers instead of `voice_url`.
    #[serde(default, deserialize_with = "empty_is_none")]
    pub trunk_sid: Option<AnySid>,
    /// Asked what to do with a message.
    #[serde(default)]
    pub sms_url: Option<String>,
    /// Of `sms_url`.
    #[serde(default)]
    pub sms_method: Option<String>,
    /// An application that answers instead of `sms_url`.
    #[serde(default, deserialize_with = "empty_is_none")]
    pub sms_application_sid: Option<AnySid>,
    /// Told how calls end.
    #[serde(default)]
    pub status_callback: Option<String>,
    /// Of `status_callback`.
    #[serde(default)]
    pub status_callback_method: Option<String>,
}

impl fmt::Debug for IncomingPhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingPhoneNumber").field("sid", &self.sid).finish_non_exhaustive()
    }
}

/// RFC 2822. A date that cannot be read is no date.
pub(crate) fn parse_date(text: &str) -> Option<Timestamp> {
    rfc2822::parse(text).ok().map(|date| date.timestamp())
}

fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.as_deref().and_then(parse_date))
}

/// A number that Twilio writes as text.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.and_then(|text| text.parse().ok()))
}

fn empty_is_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<AnySid>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.and_then(|text| text.parse().ok()))
}
