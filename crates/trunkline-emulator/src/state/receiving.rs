//! How phones take messages, and which messages no channel takes.
//!
//! Sources: Twilio's error dictionary and its pages on MMS and WhatsApp media. The codes for files of a wrong kind or size
//! are those of their meaning; Twilio's pages do not say which of them a Conversations receipt has.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::delivery::UNDELIVERED;
use super::limits;
use super::records::{Direction, MediaRef};
use super::{Key, State};
use crate::error::{self, ApiError};

/// What a phone does with messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReceivingRule {
    #[default]
    Deliver,
    /// Delivered, and read at once.
    Read,
    /// Sent, until somebody says what becomes of it.
    Hold,
    /// Sent, and not delivered.
    Undelivered,
    /// Not even sent.
    Failed,
}

/// The rule of a phone, as the control API takes and shows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Receiving {
    pub(crate) rule: ReceivingRule,
    /// Twilio's, of what is not delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error_code: Option<u32>,
}

/// The rule of one phone, as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ReceivingRecord {
    pub(super) phone: String,
    pub(super) receiving: Receiving,
}

/// Which of Twilio's rules are kept that get in the way of tests of something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rules {
    /// Changes that a service, or a conversation, takes in a second; Twilio takes 30. Unlimited if unset.
    pub(crate) mutations_per_second: Option<u32>,
    /// On WhatsApp only templates may be sent more than a day after the person wrote.
    pub(crate) whatsapp_window: bool,
    /// STOP, START and HELP are answered, and who said STOP gets nothing.
    pub(crate) keywords: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self { mutations_per_second: None, whatsapp_window: true, keywords: true }
    }
}

impl State {
    /// How a phone takes messages.
    pub(crate) fn receiving(&self, phone: &str) -> Receiving {
        self.receiving.get(phone).copied().unwrap_or_default()
    }

    pub(crate) fn set_receiving(&mut self, phone: String, receiving: Receiving) -> Result<(), ApiError> {
        if !self.receiving.contains_key(&phone) && self.receiving.len() >= limits::MAX_ANSWERING_RULES {
            return Err(error::FULL);
        }
        self.effects.dirty.insert(Key::Receiving(phone.clone()));
        self.receiving.insert(phone, receiving);
        Ok(())
    }

    /// A phone takes messages as every phone does.
    pub(crate) fn forget_receiving(&mut self, phone: &str) {
        if self.receiving.remove(phone).is_some() {
            self.effects.dirty.insert(Key::Receiving(phone.to_owned()));
        }
    }

    pub(crate) fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
        self.effects.dirty.insert(Key::Rules);
    }

    /// Why a message to a phone fails before it is sent: Twilio's code.
    pub(super) fn refusal(&self, phone: &str, from: &str, media: &[MediaRef], is_template: bool) -> Option<u32> {
        let receiving = self.receiving(phone);
        if receiving.rule == ReceivingRule::Failed {
            return Some(receiving.error_code.unwrap_or(UNDELIVERED));
        }
        if self.has_opted_out(phone, from) {
            return Some(error::OPTED_OUT.code);
        }
        let address: Address = phone.parse().ok()?;
        let is_whatsapp = matches!(address, Address::WhatsApp(_));
        if is_whatsapp && self.rules.whatsapp_window && !is_template && !self.window_is_open(phone, from) {
            return Some(OUTSIDE_WINDOW);
        }
        let (max, too_large, wrong_kind) = if is_whatsapp {
            (MAX_WHATSAPP_MEDIA, WHATSAPP_REFUSED, WHATSAPP_REFUSED)
        } else {
            (MAX_MMS, MMS_TOO_LARGE, MMS_KIND)
        };
        if media.iter().any(|file| !takes(is_whatsapp, &file.content_type)) {
            return Some(wrong_kind);
        }
        let bytes = media.iter().fold(0_u64, |sum, file| sum.saturating_add(file.size));
        (bytes > max).then_some(too_large)
    }

    /// Whether the person wrote to this sender within the last day.
    fn window_is_open(&self, phone: &str, sender: &str) -> bool {
        let Some(lines) = self.phones.get(phone) else { return false };
        let last = lines.values().rev().find(|line| line.direction == Direction::Sent && line.to == sender);
        last.is_some_and(|line| self.now().duration_since(line.at) <= WINDOW)
    }
}

/// Whether a channel takes files of a kind.
fn takes(is_whatsapp: bool, content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let kinds = if is_whatsapp { WHATSAPP_KINDS } else { MMS_KINDS };
    kinds.iter().any(|kind| essence.starts_with(kind))
}

/// How long after a person's message anything may be sent to them on WhatsApp.
const WINDOW: SignedDuration = SignedDuration::from_hours(24);
const OUTSIDE_WINDOW: u32 = 63016;
/// Files of one MMS together, in bytes.
const MAX_MMS: u64 = 5 * 1024 * 1024;
/// Files of one WhatsApp message, in bytes.
const MAX_WHATSAPP_MEDIA: u64 = 16 * 1024 * 1024;
const MMS_TOO_LARGE: u32 = 30019;
const MMS_KIND: u32 = 12300;
const WHATSAPP_REFUSED: u32 = 63005;
const MMS_KINDS: &[&str] = &["image/", "audio/", "video/", "text/", "application/pdf", "application/vcard"];
const WHATSAPP_KINDS: &[&str] = &[
    "image/jpeg",
    "image/png",
    "image/webp",
    "audio/",
    "video/mp4",
    "video/3gpp",
    "text/",
    "application/pdf",
    "application/msword",
    "application/vnd.",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_take_different_files() {
        assert!(takes(true, "image/PNG") && takes(false, "image/gif") && takes(false, "text/plain; charset=utf-8"));
        assert!(!takes(true, "image/gif") && !takes(false, "application/zip") && !takes(true, "application/zip"));
    }

    #[test]
    fn rules_that_are_not_said_are_as_by_default() {
        let rules: Rules = serde_json::from_str(r#"{"mutations_per_second":30}"#).unwrap();
        assert_eq!(rules, Rules { mutations_per_second: Some(30), ..Rules::default() });
        assert!(serde_json::from_str::<Rules>(r#"{"unknown":1}"#).is_err());
    }
}
