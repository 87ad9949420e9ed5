//! A message as REST answers it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::calls::parse_date;
use crate::sid::AnySid;

/// A message: one text to or from one address.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct ChannelMessage {
    /// Its name, `SM…` or `MM…`.
    pub sid: AnySid,
    /// Who gets it.
    #[serde(default)]
    pub to: Option<String>,
    /// Who sent it.
    #[serde(default)]
    pub from: Option<String>,
    /// What it says.
    #[serde(default)]
    pub body: Option<String>,
    /// `inbound`, `outbound-api`, `outbound-call` or `outbound-reply`.
    #[serde(default)]
    pub direction: Option<String>,
    /// How far it has come, as Twilio writes it.
    #[serde(default)]
    pub status: Option<String>,
    /// Why it failed.
    #[serde(default)]
    pub error_code: Option<u32>,
    /// How many files it has.
    #[serde(default, deserialize_with = "number")]
    pub num_media: u64,
    /// The pool that it was sent from.
    #[serde(default)]
    pub messaging_service_sid: Option<String>,
    /// When Twilio made it.
    #[serde(default, deserialize_with = "date")]
    pub date_created: Option<Timestamp>,
    /// When it left, or came in.
    #[serde(default, deserialize_with = "date")]
    pub date_sent: Option<Timestamp>,
}

impl ChannelMessage {
    /// Whether a person sent it.
    pub fn is_inbound(&self) -> bool {
        self.direction.as_deref() == Some("inbound")
    }
}

impl fmt::Debug for ChannelMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut message = f.debug_struct("ChannelMessage");
        message.field("sid", &self.sid).field("direction", &self.direction).field("status", &self.status);
        message.finish_non_exhaustive()
    }
}

fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.as_deref().and_then(parse_date))
}

/// A number that Twilio writes as text.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.and_then(|text| text.parse().ok()).unwrap_or_default())
}
