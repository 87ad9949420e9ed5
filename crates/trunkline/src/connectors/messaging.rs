//! The connector of Programmable Messaging: numbers without Conversations.
//!
//! A message here carries nothing of ours, so that one whose outcome is not known is found by what it is: to whom, from
//! whom, when, and what it says. What the store knows as another message is not it. Mostly the platform is quicker: it
//! tells what becomes of each message at an address that names the outbox row.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use trunkline_core::Retry;
use trunkline_core::event::{MediaRef, MessageReceived, SendMessage};
use trunkline_core::messaging::MessagingError;
use trunkline_proto::messaging::{ChannelMessage, InboundMessage};
use trunkline_store::{ConversationRow, Sent, Store, StoreError};
use trunkline_twilio::rest::{ChannelMessageFilter, ChannelMessages, NewChannelMessage, RestError};
use trunkline_twilio::send_failed;
use url::Url;

use super::twilio::{AUTH_WAIT, from_backend, from_rest, is_outage, not_fetched};
use super::{Connector, ConnectorError, Inbox, ReadBack, codes};
use crate::edge::People;
use crate::edge::from_messaging::{SOURCE, found, place, status_callback};
use crate::media::MediaLinks;
use crate::telemetry::Observed;

/// Messages that are looked through for one of ours.
const MAX_LOOKED_THROUGH: usize = 5_000;
/// Messages that are read back at once, for each of our addresses.
const MAX_INBOX: usize = 20_000;
/// Our clock and the platform's may differ by this much.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(2);
/// What trial accounts put in front of what they send.
const TRIAL_PREFIX: &str = "Sent from your Twilio trial account - ";

/// The connector named `twilio-messaging`.
pub struct MessagingConnector {
    messages: ChannelMessages,
    store: Store,
    account: String,
    people: People,
    numbers: Vec<String>,
    public: Option<Public>,
    observed: Option<Arc<Observed>>,
}

/// Where the provider finds this gateway, and the files that it fetches from here.
pub struct Public {
    /// Scheme, host and prefix.
    pub base: String,
    /// Makes the addresses of files.
    pub links: MediaLinks,
}

impl MessagingConnector {
    /// A connector of `account` that listens to `people` who write to `numbers`, or to those that the store knows.
    /// Without a `public` place nothing is told of what becomes of messages, and no files are sent.
    pub fn new(
        messages: ChannelMessages,
        store: Store,
        account: String,
        people: People,
        numbers: Vec<String>,
        public: Option<Public>,
    ) -> Self {
        Self { messages, store, account, people, numbers, public, observed: None }
    }

    /// Has its sends counted among those of the backend.
    #[must_use]
    pub fn observed(self, observed: Arc<Observed>) -> Self {
        Self { observed: Some(observed), ..self }
    }

    /// The conversation, and our address in it.
    async fn pair(&self, conversation: &str) -> Result<(ConversationRow, String), ConnectorError> {
        let row = self.store.conversation_by_external(SOURCE, conversation).await.map_err(|error| stored(&error))?;
        row.and_then(|row| row.own_address.clone().map(|own| (row, own)))
            .ok_or_else(|| surely(codes::NO_SUCH_PAIR, "nobody has written in this conversation"))
    }

    /// The newest message that can only be the one that was sent for `outbox_id`.
    async fn look_up(&self, conversation: &str, outbox_id: &str) -> Result<Option<String>, ConnectorError> {
        let attempt = self.store.attempt(outbox_id).await.map_err(|error| stored(&error))?;
        let Some(attempt) = attempt else { return Ok(None) };
        if attempt.external_id.is_some() {
            return Ok(attempt.external_id);
        }
        let (row, own) = self.pair(conversation).await?;
        let is_pool = own.starts_with("MG");
        // The time of a message that has not left yet is not known, and a list by time leaves it out.
        let filter =
            ChannelMessageFilter { to: Some(row.address.clone()), from: (!is_pool).then(|| own.clone()), since: None };
        let listed = self.messages.list(&filter, MAX_LOOKED_THROUGH).await.map_err(|error| from_rest(&error))?;
        let since = attempt.since - CLOCK_SKEW;
        let is_recent = |message: &ChannelMessage| message.date_created.is_none_or(|at| at >= since);
        let is_whole = listed.is_complete || listed.items.last().is_none_or(|message| !is_recent(message));
        let same: Vec<_> = listed
            .items
            .into_iter()
            .take_while(is_recent)
            .filter(|message| !message.is_inbound())
            .filter(|message| attempt.is_template || says(message, attempt.body.expose()))
            .map(|message| message.sid.as_str().to_owned())
            .collect();
        let others = self.store.other_messages(&row.id, outbox_id, &same).await.map_err(|error| stored(&error))?;
        match same.into_iter().find(|sid| !others.contains(sid)) {
            None if !is_whole => Err(surely(codes::OUTCOME_UNKNOWN, "too much was said since to tell the outcome")),
            found => Ok(found),
        }
    }

    /// Where the provider gets a file.
    fn address_of(&self, hash: &str) -> Result<String, ConnectorError> {
        let missing = || surely(codes::NO_PUBLIC_ADDRESS, "no address is known at which the provider gets files");
        let public = self.public.as_ref().ok_or_else(missing)?;
        Ok(format!("{}{}", public.base.trim_end_matches('/'), public.links.path(hash, Timestamp::now())))
    }

    /// Our addresses that people may have written to.
    async fn own_addresses(&self) -> Result<BTreeSet<String>, ConnectorError> {
        let is_pool = |own: &&String| own.starts_with("MG");
        let mut own: BTreeSet<String> = self.numbers.iter().filter(|own| !is_pool(own)).cloned().collect();
        // Whoever names numbers is not read back at others; what is in a pool is told by its messages.
        if own.is_empty() || self.numbers.iter().any(|own| is_pool(&own)) {
            own.extend(self.store.own_addresses(SOURCE).await.map_err(|error| stored(&error))?);
        }
        Ok(own)
    }
}

#[async_trait]
impl Connector for MessagingConnector {
    fn name(&self) -> &str {
        SOURCE
    }

    fn is_counted(&self) -> bool {
        false
    }

    fn fact_id(&self, received: &MessageReceived) -> String {
        InboundMessage::key_of(&received.metadata.message)
    }

    async fn send(&self, message: &SendMessage) -> Result<Sent, ConnectorError> {
        let (row, own) = self.pair(&message.conversation).await?;
        let base = self.public.as_ref().map(|public| public.base.as_str());
        let new = NewChannelMessage {
            to: row.address,
            from: own,
            body: message.text.clone(),
            content: message.content_sid.clone().map(|sid| (sid, message.content_variables.clone())),
            media: message.media_sha256.as_ref().map(|hash| self.address_of(hash)).transpose()?,
            status_callback: base.and_then(|base| status_callback(base, &message.outbox_id)),
        };
        let work = async {
            let sent = self.messages.create(&new).await.map_err(send_failed)?;
            Ok(sent.sid.as_str().to_owned())
        };
        let sent = match &self.observed {
            Some(observed) => observed.watch_send(message, work).await,
            None => work.await,
        };
        let external_id = sent.map_err(|error| not_sent(&error))?;
        Ok(Sent { external_id, index: place(Timestamp::now()) })
    }

    async fn find_sent(&self, conversation: &str, outbox_id: &str, _: i64) -> Result<Option<Sent>, ConnectorError> {
        let found = self.look_up(conversation, outbox_id).await?;
        Ok(found.map(|external_id| Sent { external_id, index: place(Timestamp::now()) }))
    }

    /// The platform keeps no conversations: see [`inbox`](Self::inbox).
    async fn messages_after(&self, _: &str, _: i64, _: usize) -> Result<ReadBack, ConnectorError> {
        Ok(ReadBack { is_complete: true, ..ReadBack::default() })
    }

    async fn open_conversations(&self, _: usize) -> Result<Vec<String>, ConnectorError> {
        Ok(Vec::new())
    }

    async fn sender(&self, conversation: &str) -> Result<Option<String>, ConnectorError> {
        Ok(Some(self.pair(conversation).await?.1))
    }

    async fn fetch_media(&self, file: &MediaRef, max_bytes: usize) -> Result<Bytes, ConnectorError> {
        let url = Url::parse(&file.id).map_err(|_| not_fetched(&RestError::BadArgument("the address of a file")))?;
        self.messages.fetch_file(url, max_bytes).await.map_err(|error| not_fetched(&error))
    }

    fn takes_files(&self) -> Result<(), ConnectorError> {
        self.address_of("").map(drop)
    }

    fn takes_templates(&self) -> bool {
        true
    }

    async fn inbox(&self, since: Timestamp) -> Result<Option<Inbox>, ConnectorError> {
        let mut inbox = Inbox { messages: Vec::new(), is_complete: true };
        for own in self.own_addresses().await? {
            let filter = ChannelMessageFilter { to: Some(own), from: None, since: Some(since) };
            let listed = self.messages.list(&filter, MAX_INBOX).await.map_err(|error| from_rest(&error))?;
            inbox.is_complete &= listed.is_complete;
            // Times are whole seconds; the list has the order within one.
            let mut of_second: BTreeMap<i64, u64> = BTreeMap::new();
            for message in listed.items.iter().rev() {
                let second = message.date_sent.or(message.date_created).map_or(0, Timestamp::as_second);
                let number = of_second.entry(second).or_default();
                let is_ours = message.from.as_ref().is_some_and(|from| self.numbers.contains(from));
                let found = found(&self.account, message, &self.people, *number).filter(|_| !is_ours);
                inbox.messages.extend(found);
                *number += 1;
            }
        }
        Ok(Some(inbox))
    }
}

/// Whether a message says this. Trial accounts put words of their own in front.
fn says(message: &ChannelMessage, text: &str) -> bool {
    let body = message.body.as_deref().unwrap_or_default();
    body.strip_prefix(TRIAL_PREFIX).unwrap_or(body).trim() == text.trim()
}

/// Nothing will change by trying again.
fn surely(code: &'static str, message: &str) -> ConnectorError {
    let message = message.to_owned();
    ConnectorError { code, provider_number: None, message, retry: Retry::No, unreachable: false }
}

/// Nothing was asked of the platform yet.
fn stored(error: &StoreError) -> ConnectorError {
    ConnectorError {
        code: error.code(),
        provider_number: None,
        message: error.to_string(),
        retry: Retry::After(Duration::ZERO),
        unreachable: false,
    }
}

fn not_sent(error: &MessagingError) -> ConnectorError {
    let rest = std::error::Error::source(error).and_then(|source| source.downcast_ref::<RestError>());
    let Some(error) = rest else { return from_backend(error) };
    ConnectorError {
        code: error.code(),
        provider_number: error.twilio_code(),
        message: error.to_string(),
        retry: match error {
            RestError::Auth { .. } => Retry::After(AUTH_WAIT),
            _ => error.retry(),
        },
        unreachable: is_outage(error),
    }
}

#[cfg(test)]
mod tests {
    use trunkline_core::Secret;
    use trunkline_twilio::rest::{Credentials, Endpoints, RestClient, RestConfig};

    use super::*;

    #[tokio::test]
    async fn without_a_public_place_files_are_refused_and_links_name_the_place() {
        let data = tempfile::tempdir().unwrap();
        let account = "AC00000000000000000000000000000001";
        let credentials = Credentials::auth_token(account.parse().unwrap(), Secret::new("a-token-of-the-tests"));
        let config = RestConfig::new(credentials, Endpoints::all_at("http://127.0.0.1:9").unwrap());
        let messages = RestClient::new(config).unwrap().channel_messages(account.parse().unwrap());
        let store = Store::open(&data.path().join("store.db")).await.unwrap();
        let connector = |public: Option<Public>| {
            let people = People::new("bot", None, true);
            MessagingConnector::new(messages.clone(), store.clone(), account.to_owned(), people, Vec::new(), public)
        };
        let refused = connector(None).takes_files().unwrap_err();
        assert_eq!((refused.code, refused.retry), ("connector.no_public_address", Retry::No));
        let public =
            Public { base: "https://gw.example.com/in/".to_owned(), links: MediaLinks::open(data.path()).unwrap() };
        let connector = connector(Some(public));
        connector.takes_files().unwrap();
        let address = connector.address_of("ab").unwrap();
        assert!(address.starts_with("https://gw.example.com/in/files/ab?until="), "{address}");
    }
}
