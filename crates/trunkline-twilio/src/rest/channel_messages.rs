//! Messages of the API of 2010: Programmable Messaging.
//!
//! A message is never created twice from here: when the outcome of a create is not known, the list of what was sent
//! tells.
//!
//! Source: Twilio's description of the API of 2010-04-01, message resource.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use trunkline_proto::messaging::ChannelMessage;
use trunkline_proto::sid::{AccountSid, AnySid};
use url::Url;

use super::calls::{CALLS_API_VERSION, Calls};
use super::client::{Call as Request, Form};
use super::{Listing, RestClient, RestError};

const ALL: &str = "/2010-04-01/Accounts/{account}/Messages.json";
const ONE: &str = "/2010-04-01/Accounts/{account}/Messages/{message}.json";

/// The longest body of a message, in characters.
pub const MAX_CHANNEL_MESSAGE_CHARS: usize = 1_600;

/// A message to be sent. No `Debug`: it holds what is said, and to whom.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NewChannelMessage {
    /// The person's address, on the channel of `from`.
    pub to: String,
    /// Our number or sender, or the Messaging Service (`MG…`) that chooses one.
    pub from: String,
    /// The text, at most [`MAX_CHANNEL_MESSAGE_CHARS`].
    pub body: String,
    /// The template (`HX…`) that is sent in place of the text, and what is filled in.
    pub content: Option<(String, BTreeMap<String, String>)>,
    /// Where the file is that goes along; Twilio fetches it. Not with a template.
    pub media: Option<String>,
    /// Where to post what becomes of it.
    pub status_callback: Option<String>,
}

/// Which messages are listed. `None` is no filter. No `Debug`: it holds addresses.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ChannelMessageFilter {
    /// Who gets it.
    pub to: Option<String>,
    /// Who sent it.
    pub from: Option<String>,
    /// Sent at this moment or later, in whole seconds.
    pub since: Option<Timestamp>,
}

/// The messages of one account. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ChannelMessages {
    api: Calls,
}

impl RestClient {
    /// Programmable Messaging for `account`.
    pub fn channel_messages(&self, account: AccountSid) -> ChannelMessages {
        ChannelMessages { api: self.calls(account, CALLS_API_VERSION) }
    }
}

impl NewChannelMessage {
    fn form(&self) -> Result<Form, RestError> {
        if self.body.is_empty() && self.content.is_none() && self.media.is_none() {
            return Err(RestError::BadArgument("a message without a text or a file"));
        }
        if self.body.chars().nth(MAX_CHANNEL_MESSAGE_CHARS).is_some() {
            return Err(RestError::BadArgument("a text of more than 1600 characters"));
        }
        let mut form = Form::default();
        form.set("To", Some(self.to.as_str()));
        let sender = if self.from.starts_with("MG") { "MessagingServiceSid" } else { "From" };
        form.set(sender, Some(self.from.as_str()));
        match &self.content {
            None => {
                form.set("Body", Some(self.body.as_str()).filter(|body| !body.is_empty()));
                form.set("MediaUrl", self.media.as_deref());
            }
            Some((sid, variables)) => {
                form.set("ContentSid", Some(sid.as_str()));
                let variables = (!variables.is_empty()).then(|| serde_json::json!(variables).to_string());
                form.set("ContentVariables", variables);
            }
        }
        form.set("StatusCallback", self.status_callback.as_deref());
        Ok(form)
    }
}

impl ChannelMessageFilter {
    fn put_into(&self, url: &mut Url) {
        let mut query = url.query_pairs_mut();
        for (name, value) in [("To", &self.to), ("From", &self.from)] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        if let Some(since) = self.since {
            query.append_pair("DateSent>", &since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        }
    }
}

impl ChannelMessages {
    /// Sends a message, as soon as the sender's rate allows. It is never sent a second time when the first may have been
    /// carried out.
    ///
    /// # Errors
    /// `twilio.rest.bad_argument` for what Twilio would refuse anyway. [`RestError::retry`] is `Unknown` when the
    /// message may have been sent.
    ///
    /// # Cancel safety
    /// Not cancel-safe: the message may have been sent.
    pub async fn create(&self, message: &NewChannelMessage) -> Result<ChannelMessage, RestError> {
        let url = self.api.url(&["Messages.json"])?;
        self.api.rest().fetch_at_rate(Request::create(url, ALL, message.form()?)).await
    }

    /// Fetches a message.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn fetch(&self, message: AnySid) -> Result<ChannelMessage, RestError> {
        let url = self.api.url(&["Messages", &format!("{message}.json")])?;
        self.api.rest().fetch(Request::read(url, ONE)).await
    }

    /// Fetches a file of a message from where Twilio says that it is: see [`RestClient::fetch_file`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn fetch_file(&self, url: Url, max_bytes: usize) -> Result<Bytes, RestError> {
        self.api.rest().fetch_file(url, max_bytes).await
    }

    /// Lists messages, the newest first, until `limit` are found.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn list(
        &self,
        filter: &ChannelMessageFilter,
        limit: usize,
    ) -> Result<Listing<ChannelMessage>, RestError> {
        let mut url = self.api.url(&["Messages.json"])?;
        filter.put_into(&mut url);
        self.api.list_at(url, ALL, limit).await
    }

    /// Points the messages of a number of the account at `url`, unless they come there already. Returns whether that
    /// changed anything; `None` if the account has no such number.
    ///
    /// # Cancel safety
    /// May have taken effect; it may be done again.
    pub async fn point_number(&self, number: &str, url: &str) -> Result<Option<bool>, RestError> {
        let Some(present) = self.api.find_number(number).await? else { return Ok(None) };
        if present.sms_application_sid.is_some() {
            tracing::warn!("the number has an application, which answers its messages before the webhook does");
        }
        let is_post = present.sms_method.as_deref().is_none_or(|method| method.eq_ignore_ascii_case("POST"));
        if present.sms_url.as_deref() == Some(url) && is_post {
            return Ok(Some(false));
        }
        self.api.update_messages_of(present.sid, url).await?;
        Ok(Some(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_becomes_a_query_and_a_sender_a_parameter() {
        let mut url = Url::parse("https://h/Messages.json").unwrap();
        let since = "2026-11-28T10:11:12.9Z".parse().unwrap();
        let filter = ChannelMessageFilter { to: Some("+1".into()), since: Some(since), ..Default::default() };
        filter.put_into(&mut url);
        assert_eq!(url.query(), Some("To=%2B1&DateSent%3E=2026-11-28T10%3A11%3A12Z"));
    }

    #[test]
    fn what_twilio_would_refuse_is_not_sent() {
        let new = |body: String| NewChannelMessage { to: "+1".into(), from: "+2".into(), body, ..Default::default() };
        for body in [String::new(), "é".repeat(MAX_CHANNEL_MESSAGE_CHARS + 1)] {
            assert!(matches!(new(body).form(), Err(RestError::BadArgument(_))));
        }
        assert!(new("é".repeat(MAX_CHANNEL_MESSAGE_CHARS)).form().is_ok());
    }
}
