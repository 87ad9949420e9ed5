//! What Twilio posts about a call: the voice webhook and every callback have the same base.

use std::fmt;

use jiff::Timestamp;

use super::resource::parse_date;
use crate::sid::{AccountSid, CallSid};
use crate::webhook::WebhookError;

/// Where one end of a call is, as far as the network tells.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Geography {
    /// The city.
    pub city: Option<String>,
    /// The state.
    pub state: Option<String>,
    /// The postal code.
    pub zip: Option<String>,
    /// The country, two letters.
    pub country: Option<String>,
}

/// A webhook of a call: what all of them have. What one of them has besides is read by [`CallWebhook::param`].
#[derive(Clone, PartialEq, Eq)]
pub struct CallWebhook {
    /// The call.
    pub call_sid: CallSid,
    /// The account.
    pub account_sid: AccountSid,
    /// Who called.
    pub from: String,
    /// Who was called.
    pub to: String,
    /// How far the call has come, as Twilio writes it.
    pub call_status: Option<String>,
    /// `inbound`, `outbound-api` or `outbound-dial`.
    pub direction: Option<String>,
    /// What answered, where that was asked for.
    pub answered_by: Option<String>,
    /// The name of who called, where that is looked up.
    pub caller_name: Option<String>,
    /// Who has forwarded the call.
    pub forwarded_from: Option<String>,
    /// Where the callback stands among those of its call, from 0.
    pub sequence_number: Option<u64>,
    /// When it happened.
    pub timestamp: Option<Timestamp>,
    /// Where who called is.
    pub from_geography: Geography,
    /// Where who was called is.
    pub to_geography: Geography,
    params: Vec<(String, String)>,
}

impl CallWebhook {
    /// Reads a webhook from its decoded parameters. Of a name that occurs twice the first value counts; an empty value
    /// counts as missing.
    ///
    /// # Errors
    /// `proto.webhook.missing_parameter`, `proto.webhook.bad_parameter`.
    pub fn parse(params: &[(String, String)]) -> Result<Self, WebhookError> {
        let text = |name: &str| value(params, name).map(str::to_owned);
        let missing = |name: &'static str| WebhookError::MissingParameter { name: name.into() };
        let bad = |name: &'static str| WebhookError::BadParameter { name: name.into() };
        let call_sid = value(params, "CallSid").ok_or_else(|| missing("CallSid"))?;
        let account_sid = value(params, "AccountSid").ok_or_else(|| missing("AccountSid"))?;
        let number = |name: &'static str| value(params, name).map(str::parse).transpose().map_err(|_| bad(name));
        let place = |end: &str| Geography {
            city: text(&format!("{end}City")),
            state: text(&format!("{end}State")),
            zip: text(&format!("{end}Zip")),
            country: text(&format!("{end}Country")),
        };
        Ok(Self {
            call_sid: call_sid.parse().map_err(|_| bad("CallSid"))?,
            account_sid: account_sid.parse().map_err(|_| bad("AccountSid"))?,
            from: text("From").unwrap_or_default(),
            to: text("To").unwrap_or_default(),
            call_status: text("CallStatus"),
            direction: text("Direction"),
            answered_by: text("AnsweredBy"),
            caller_name: text("CallerName"),
            forwarded_from: text("ForwardedFrom"),
            sequence_number: number("SequenceNumber")?,
            timestamp: value(params, "Timestamp").and_then(|text| parse_date(text).or_else(|| text.parse().ok())),
            from_geography: place("From"),
            to_geography: place("To"),
            params: params.to_vec(),
        })
    }

    /// The first value of a parameter, unless it is empty.
    pub fn param(&self, name: &str) -> Option<&str> {
        value(&self.params, name)
    }
}

fn value<'a>(params: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let (_, value) = params.iter().find(|(known, _)| known == name)?;
    Some(value.as_str()).filter(|value| !value.is_empty())
}

/// Names, not people.
impl fmt::Debug for CallWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut webhook = f.debug_struct("CallWebhook");
        webhook.field("call_sid", &self.call_sid).field("call_status", &self.call_status);
        webhook.field("direction", &self.direction).finish_non_exhaustive()
    }
}
