//! The wire form of everything on the bus: a CloudEvents 1.0 JSON envelope.
//!
//! Source: CloudEvents specification 1.0.2, JSON event format, structured mode; `traceparent` is its distributed
//! tracing extension.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The `specversion` that is written and accepted.
pub const SPEC_VERSION: &str = "1.0";

/// One message on the bus. `id` is the dedupe key: the bus keeps one envelope for each id of a subject.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Envelope {
    /// Version of CloudEvents.
    #[cfg_attr(feature = "schema", schemars(extend("const" = SPEC_VERSION)))]
    specversion: String,
    /// The dedupe key.
    pub id: String,
    /// Who published it: a connector's name, or a component of the gateway.
    pub source: String,
    /// What it is, with its version: see [`crate::event`].
    #[serde(rename = "type")]
    pub kind: String,
    /// The conversation or call that it belongs to, as the connector names it. Order is kept per subject.
    pub subject: String,
    /// When it happened.
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("format" = "date-time")))]
    pub time: Timestamp,
    /// W3C trace context of the span that published it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// How often an operator has put it back: 0 for an original. An extension attribute.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub replay: u32,
    /// The payload, kept as it came.
    #[cfg_attr(feature = "schema", schemars(with = "serde_json::Value"))]
    data: Box<RawValue>,
}

impl Envelope {
    /// Builds an envelope around `data`.
    pub fn new<T: Serialize>(
        id: impl Into<String>,
        source: impl Into<String>,
        kind: impl Into<String>,
        subject: impl Into<String>,
        time: Timestamp,
        data: &T,
    ) -> Result<Self, EnvelopeError> {
        Ok(Self {
            specversion: SPEC_VERSION.to_owned(),
            id: id.into(),
            source: source.into(),
            kind: kind.into(),
            subject: subject.into(),
            time,
            traceparent: None,
            replay: 0,
            data: serde_json::value::to_raw_value(data).map_err(EnvelopeError::Data)?,
        })
    }

    /// The same envelope, with the trace that it belongs to.
    #[must_use]
    pub fn with_traceparent(mut self, traceparent: Option<String>) -> Self {
        self.traceparent = traceparent;
        self
    }

    /// The envelope for one more treatment: its id is new, so that the bus takes it, and it says that it is a replay.
    #[must_use]
    pub fn replayed(self) -> Self {
        let next = self.replay + 1;
        self.as_replay(next)
    }

    /// The envelope as its `replay`-th repetition; 0 is the original.
    #[must_use]
    pub fn as_replay(mut self, replay: u32) -> Self {
        let original = self.id.split_once(";replay=").map_or(self.id.as_str(), |(original, _)| original);
        self.id = if replay == 0 { original.to_owned() } else { format!("{original};replay={replay}") };
        self.replay = replay;
        self
    }

    /// Reads an envelope from its JSON.
    pub fn from_json(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let envelope: Self = serde_json::from_slice(bytes).map_err(EnvelopeError::Envelope)?;
        if envelope.specversion != SPEC_VERSION {
            return Err(EnvelopeError::Version);
        }
        Ok(envelope)
    }

    /// Writes the envelope as JSON.
    pub fn to_json(&self) -> Result<Vec<u8>, EnvelopeError> {
        serde_json::to_vec(self).map_err(EnvelopeError::Envelope)
    }

    /// Reads the payload as `T`.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, EnvelopeError> {
        serde_json::from_str(self.data.get()).map_err(EnvelopeError::Data)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// An envelope that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The envelope is not CloudEvents JSON.
    #[error("not a CloudEvents 1.0 JSON envelope at line {} column {}", .0.line(), .0.column())]
    Envelope(#[source] serde_json::Error),
    /// Another major version of CloudEvents.
    #[error("specversion is not {SPEC_VERSION}")]
    Version,
    /// The payload does not fit its type.
    #[error("the data does not fit the type of the envelope, at line {} column {}", .0.line(), .0.column())]
    Data(#[source] serde_json::Error),
}

impl EnvelopeError {
    /// Stable across releases; listed in `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Envelope(_) => "core.envelope.malformed",
            Self::Version => "core.envelope.version",
            Self::Data(_) => "core.envelope.data",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_survives_its_json() {
        let sent = Envelope::new("IM1:added", "twilio", "message.received.v1", "CH1", Timestamp::UNIX_EPOCH, &["a"])
            .expect("envelope")
            .with_traceparent(Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()));
        let json = sent.to_json().expect("json");
        let read = Envelope::from_json(&json).expect("read");
        assert_eq!(read.id, "IM1:added");
        assert_eq!(read.traceparent, sent.traceparent);
        assert_eq!(read.data::<Vec<String>>().expect("data"), ["a"]);
        let value: serde_json::Value = serde_json::from_slice(&json).expect("value");
        assert_eq!(value["specversion"], "1.0");
        assert_eq!(value["type"], "message.received.v1");
    }

    #[test]
    fn each_replay_has_its_own_id() {
        let first = Envelope::new("a", "s", "t", "c", Timestamp::UNIX_EPOCH, &()).expect("envelope").replayed();
        assert_eq!((first.id.as_str(), first.replay), ("a;replay=1", 1));
        let second = first.replayed();
        assert_eq!((second.id.as_str(), second.replay), ("a;replay=2", 2));
    }

    #[test]
    fn another_version_is_refused() {
        let json = br#"{"specversion":"0.3","id":"1","source":"s","type":"t","subject":"c","time":"2026-01-01T00:00:00Z","data":{}}"#;
        assert_eq!(Envelope::from_json(json).expect_err("refused").code(), "core.envelope.version");
        assert_eq!(Envelope::from_json(b"{").expect_err("refused").code(), "core.envelope.malformed");
    }
}
