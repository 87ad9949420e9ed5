//! What Twilio posts about a message: that it came in, and what became of one that went out.

use std::fmt;

use crate::sid::{AccountSid, AnySid};
use crate::webhook::WebhookError;

/// Files of one message that are read; Twilio's limit is 10.
pub const MAX_MEDIA: usize = 10;

/// The longest idempotency token that is used; Twilio's are UUIDs. A longer one is ignored.
const MAX_TOKEN_BYTES: usize = 128;

/// A person wrote to a number or sender of the account.
#[derive(Clone, PartialEq, Eq)]
pub struct InboundMessage {
    /// The account.
    pub account_sid: AccountSid,
    /// The message, `SM…` or `MM…`.
    pub message_sid: AnySid,
    /// Who wrote it.
    pub from: String,
    /// Which address of the account it came to.
    pub to: String,
    /// The text; empty for media alone.
    pub body: String,
    /// The pool of senders that `to` belongs to.
    pub messaging_service_sid: Option<String>,
    /// Address and media type of each file.
    pub media: Vec<(String, String)>,
    /// The person's name, where the channel tells it.
    pub profile_name: Option<String>,
}

/// What became of a message that the account sent.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageStatusUpdate {
    /// The account.
    pub account_sid: AccountSid,
    /// The message.
    pub message_sid: AnySid,
    /// How far it has come, as Twilio writes it: `queued`, `sent`, `delivered`, …
    pub status: String,
    /// Why it failed.
    pub error_code: Option<u32>,
    /// The account's address.
    pub from: String,
    /// The person's address.
    pub to: String,
}

impl InboundMessage {
    /// Reads a webhook from its decoded parameters. Of a name that occurs twice the first value counts; an empty value
    /// counts as missing.
    ///
    /// # Errors
    /// `proto.webhook.missing_parameter`, `proto.webhook.bad_parameter`.
    pub fn parse(params: &[(String, String)]) -> Result<Self, WebhookError> {
        let params = Params(params);
        let files = params.text("NumMedia").and_then(|count| count.parse().ok()).unwrap_or(0_usize).min(MAX_MEDIA);
        let file = |number: usize| {
            let url = params.text(&format!("MediaUrl{number}"))?;
            let kind = params.text(&format!("MediaContentType{number}")).unwrap_or("application/octet-stream");
            Some((url.to_owned(), kind.to_owned()))
        };
        Ok(Self {
            account_sid: params.account()?,
            message_sid: params.message()?,
            from: params.required("From")?.to_owned(),
            to: params.required("To")?.to_owned(),
            body: params.text("Body").unwrap_or_default().to_owned(),
            messaging_service_sid: params.text("MessagingServiceSid").map(str::to_owned),
            media: (0..files).filter_map(file).collect(),
            profile_name: params.text("ProfileName").map(str::to_owned),
        })
    }

    /// The key under which the message is published once. Never the token: the same message may be found by reading the
    /// list of messages, where there is none.
    pub fn dedupe_key(&self) -> String {
        Self::key_of(self.message_sid.as_str())
    }

    /// The key of the message `sid`, however it was seen.
    pub fn key_of(sid: &str) -> String {
        format!("{sid}:received")
    }
}

impl MessageStatusUpdate {
    /// Reads a status callback from its decoded parameters, as [`InboundMessage::parse`] does.
    ///
    /// # Errors
    /// `proto.webhook.missing_parameter`, `proto.webhook.bad_parameter`.
    pub fn parse(params: &[(String, String)]) -> Result<Self, WebhookError> {
        let params = Params(params);
        let status = params.text("MessageStatus").or_else(|| params.text("SmsStatus"));
        let bad = |_| WebhookError::BadParameter { name: "ErrorCode".into() };
        Ok(Self {
            account_sid: params.account()?,
            message_sid: params.message()?,
            status: status.ok_or(WebhookError::MissingParameter { name: "MessageStatus".into() })?.to_owned(),
            error_code: params.text("ErrorCode").map(str::parse).transpose().map_err(bad)?,
            from: params.text("From").unwrap_or_default().to_owned(),
            to: params.text("To").unwrap_or_default().to_owned(),
        })
    }

    /// The key under which this step is published once: the token if there is one, else the message and its status.
    pub fn dedupe_key(&self, idempotency_token: Option<&str>) -> String {
        let token = idempotency_token.filter(|token| !token.is_empty() && token.len() <= MAX_TOKEN_BYTES);
        match token {
            Some(token) => format!("{token}:status"),
            None => format!("{}:status:{}", self.message_sid, self.status),
        }
    }
}

struct Params<'a>(&'a [(String, String)]);

impl<'a> Params<'a> {
    fn text(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    fn required(&self, name: &'static str) -> Result<&'a str, WebhookError> {
        self.text(name).ok_or(WebhookError::MissingParameter { name: name.into() })
    }

    fn account(&self) -> Result<AccountSid, WebhookError> {
        let bad = |_| WebhookError::BadParameter { name: "AccountSid".into() };
        self.required("AccountSid")?.parse().map_err(bad)
    }

    fn message(&self) -> Result<AnySid, WebhookError> {
        let sid = self.text("MessageSid").or_else(|| self.text("SmsSid"));
        let bad = |_| WebhookError::BadParameter { name: "MessageSid".into() };
        sid.ok_or(WebhookError::MissingParameter { name: "MessageSid".into() })?.parse().map_err(bad)
    }
}

/// Names, not people.
impl fmt::Debug for InboundMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut message = f.debug_struct("InboundMessage");
        message.field("message_sid", &self.message_sid).field("media", &self.media.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for MessageStatusUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut update = f.debug_struct("MessageStatusUpdate");
        update.field("message_sid", &self.message_sid).field("status", &self.status);
        update.field("error_code", &self.error_code).finish_non_exhaustive()
    }
}
