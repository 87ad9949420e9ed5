//! A file of the media service, `https://mcs.us1.twilio.com/v1/Services/{IS}/Media/{ME}`.
//!
//! That service has no published description; the shape is the one its answers are known to have.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Links;
use crate::sid::{AnySid, MediaSid, ServiceSid};

/// A file that can be attached to messages by its SID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// Its identifier.
    pub sid: MediaSid,
    /// The service it belongs to.
    #[serde(default)]
    pub service_sid: Option<ServiceSid>,
    /// When it was uploaded.
    #[serde(default, with = "super::date")]
    pub date_created: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default, with = "super::date")]
    pub date_updated: Option<Timestamp>,
    /// Its size in bytes.
    #[serde(default, deserialize_with = "super::null_as_default")]
    pub size: u64,
    /// Its MIME type.
    #[serde(default)]
    pub content_type: Option<String>,
    /// The name it was uploaded under.
    #[serde(default)]
    pub filename: Option<String>,
    /// Who uploaded it.
    #[serde(default)]
    pub author: Option<String>,
    /// `media` for a file.
    #[serde(default)]
    pub category: Option<String>,
    /// The message it is attached to.
    #[serde(default)]
    pub message_sid: Option<AnySid>,
    /// The conversation it is attached in.
    #[serde(default)]
    pub channel_sid: Option<AnySid>,
    /// Its absolute address.
    #[serde(default)]
    pub url: Option<String>,
    /// `content` and `content_direct_temporary`: where its bytes are. Either may be `null` until it is ready.
    #[serde(default, deserialize_with = "links_without_null")]
    pub links: Links,
    /// Whether it came as multipart.
    #[serde(default, deserialize_with = "super::null_as_default")]
    pub is_multipart_upstream: bool,
}

fn links_without_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Links, D::Error> {
    let links = Option::<std::collections::BTreeMap<String, Option<String>>>::deserialize(deserializer)?;
    Ok(links.into_iter().flatten().filter_map(|(name, url)| Some((name, url?))).collect())
}
