//! Dates as this API writes them, `YYYY-MM-DDTHH:MM:SSZ`; reading takes fractions too.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
pub(super) fn serialize<S: Serializer>(date: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    let whole_seconds = date.and_then(|date| Timestamp::from_second(date.as_second()).ok());
    whole_seconds.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    Option::deserialize(deserializer)
}
