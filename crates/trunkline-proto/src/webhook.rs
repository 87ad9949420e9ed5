//! Conversations webhooks as types.
//!
//! [`ConversationsWebhook::parse`] takes the decoded parameters of a request (see [`form`](crate::form)) and gives the
//! event. Twilio adds parameters without notice: what is not known is kept in [`ConversationsWebhook::unknown`], and an
//! event that is not known is [`ConversationsEvent::Unknown`], both no error. Missing is only an error for what makes
//! no sense without it: the SIDs, a message's index, a status.
//!
//! An empty value counts as missing, because Twilio sends some optional parameters empty.
//!
//! Not here: the signature (see [`signature`](crate::signature)), rendering an event to parameters, pre-event answers.
//!
//! Source: `/docs/conversations-classic/conversations-webhooks`.

mod dedupe;
mod event;
mod parameters;
mod payload;

use std::borrow::Cow;

pub use self::dedupe::message_added_key;
pub use self::event::{ConversationsEvent, EventType, Source};
use self::parameters::Parameters;
pub use self::payload::{
    Binding, ConversationChanged, ConversationCreated, ConversationProposed, DeliveryUpdated, MessageAdded,
    MessageChanged, MessageProposed, ParticipantChanged, ParticipantProposed, StateUpdated, UserChanged,
};
use crate::sid::AccountSid;

/// The header with the token that stays the same when Twilio repeats a request.
pub const IDEMPOTENCY_HEADER: &str = "i-twilio-idempotency-token";

/// A webhook of Conversations.
#[derive(Debug, Clone, PartialEq)]
pub struct ConversationsWebhook {
    /// What every webhook has.
    pub common: Common,
    /// What happened, or is about to.
    pub event: ConversationsEvent,
    /// Parameters that are not known here, in the order received.
    pub unknown: Vec<(String, String)>,
}

/// What every webhook has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Common {
    /// The account that it comes from.
    pub account_sid: AccountSid,
    /// What caused it.
    pub source: Option<Source>,
    /// The chat user who caused it; only for the SDK.
    pub client_identity: Option<String>,
    /// How often this request was repeated.
    pub retry_count: Option<u32>,
}

/// Why parameters are no webhook. It names the parameter and never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// A parameter that the event needs is missing or empty.
    #[error("the parameter {name} is missing")]
    MissingParameter {
        /// Its name.
        name: Cow<'static, str>,
    },
    /// A parameter is not what it should be.
    #[error("the parameter {name} is malformed")]
    BadParameter {
        /// Its name.
        name: Cow<'static, str>,
    },
}

impl WebhookError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MissingParameter { .. } => "proto.webhook.missing_parameter",
            Self::BadParameter { .. } => "proto.webhook.bad_parameter",
        }
    }
}

impl ConversationsWebhook {
    /// Reads a webhook from its decoded parameters. Of a name that occurs twice the first value counts; the others are
    /// kept in `unknown`.
    ///
    /// # Errors
    ///
    /// `proto.webhook.missing_parameter`, `proto.webhook.bad_parameter`.
    pub fn parse(params: &[(String, String)]) -> Result<Self, WebhookError> {
        let mut parameters = Parameters::new(params);
        let common = Common {
            account_sid: parameters.required("AccountSid")?,
            source: parameters.kept("Source")?,
            client_identity: parameters.text("ClientIdentity")?,
            retry_count: parameters.parsed("RetryCount")?,
        };
        let event_type = parameters.required_kept("EventType")?;
        let event = ConversationsEvent::parse(event_type, &mut parameters)?;
        Ok(Self { common, event, unknown: parameters.rest() })
    }
}

#[cfg(test)]
mod tests;
