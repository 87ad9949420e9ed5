//! The JSON of both directions.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::json::{Count, Text};

/// Which side of the call is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Track {
    /// What the caller says.
    Inbound,
    /// What the caller hears.
    Outbound,
}

impl Track {
    /// As in `media` and `start`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }

    /// With the `_track` that `dtmf` has, or without.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "inbound" | "inbound_track" => Some(Self::Inbound),
            "outbound" | "outbound_track" => Some(Self::Outbound),
            _ => None,
        }
    }
}

/// Only what kind of message it is.
#[derive(Deserialize)]
pub(super) struct Kind<'a> {
    #[serde(borrow, default)]
    pub(super) event: Option<Text<'a>>,
}

/// Any message from Twilio. Unknown fields are left alone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FromTwilio<'a> {
    #[serde(borrow, default)]
    pub(super) event: Option<Text<'a>>,
    #[serde(default)]
    pub(super) sequence_number: Option<Count>,
    #[serde(borrow, default)]
    pub(super) stream_sid: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) media: Option<MediaBody<'a>>,
    #[serde(borrow, default)]
    pub(super) start: Option<Box<StartBody<'a>>>,
    #[serde(borrow, default)]
    pub(super) dtmf: Option<DtmfBody<'a>>,
    #[serde(borrow, default)]
    pub(super) mark: Option<MarkBody<'a>>,
}

#[derive(Deserialize)]
pub(super) struct MediaBody<'a> {
    #[serde(borrow, default)]
    pub(super) track: Option<Text<'a>>,
    #[serde(default)]
    pub(super) chunk: Option<Count>,
    #[serde(default)]
    pub(super) timestamp: Option<Count>,
    #[serde(borrow, default)]
    pub(super) payload: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StartBody<'a> {
    #[serde(borrow, default)]
    pub(super) account_sid: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) stream_sid: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) call_sid: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) tracks: Vec<Text<'a>>,
    #[serde(default)]
    pub(super) custom_parameters: BTreeMap<String, String>,
    #[serde(borrow, default)]
    pub(super) media_format: Option<FormatBody<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FormatBody<'a> {
    #[serde(borrow)]
    pub(super) encoding: Text<'a>,
    pub(super) sample_rate: Count,
    pub(super) channels: Count,
}

#[derive(Deserialize)]
pub(super) struct DtmfBody<'a> {
    #[serde(borrow, default)]
    pub(super) digit: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct MarkBody<'a> {
    #[serde(borrow, default)]
    pub(super) name: Option<Text<'a>>,
}

/// Any message to Twilio. Twilio takes no field that it does not know.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ToTwilio<'a> {
    #[serde(borrow)]
    pub(super) event: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) stream_sid: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) media: Option<StrictMedia<'a>>,
    #[serde(borrow, default)]
    pub(super) mark: Option<StrictMark<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StrictMedia<'a> {
    #[serde(borrow)]
    pub(super) payload: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StrictMark<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
}
