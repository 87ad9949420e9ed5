//! Ways out to a platform. The pipeline knows connectors by name and nothing of what is behind them.

pub(crate) mod codes;
mod messaging;
mod twilio;
mod webchat;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use trunkline_core::Retry;
use trunkline_core::event::{ConversationUpdated, MediaRef, MessageReceived, SendMessage};
use trunkline_store::Sent;

pub use messaging::{MessagingConnector, Public};
pub use twilio::TwilioConnector;
pub use webchat::WebChatConnector;

/// What SMS and WhatsApp take in one message (Conversations limits page: 1600 characters).
pub const MAX_TEXT_CHARS: usize = 1600;

/// One way out to a platform.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Its name, as envelopes and conversations carry it.
    fn name(&self) -> &str;

    /// The longest text that one message takes, in characters. Default: 1600, what SMS and WhatsApp take.
    fn max_text_chars(&self) -> usize {
        MAX_TEXT_CHARS
    }

    /// Says something. The message carries `outbox_id`, so that [`find_sent`](Self::find_sent) can find it.
    ///
    /// # Errors
    /// With [`Retry::After`] nothing was sent; with [`Retry::Unknown`] it may have been.
    ///
    /// # Cancel safety
    /// Not cancel-safe: it may have been sent.
    async fn send(&self, message: &SendMessage) -> Result<Sent, ConnectorError>;

    /// Looks for the message that carries `outbox_id`, behind index `after` (-1 for the whole conversation).
    ///
    /// # Errors
    /// See [`ConnectorError`]. `None` means that there surely is no such message: where that cannot be told, because
    /// there is more to look through than anyone reads, it is an error with [`Retry::No`].
    ///
    /// # Cancel safety
    /// Cancel-safe.
    async fn find_sent(&self, conversation: &str, outbox_id: &str, after: i64) -> Result<Option<Sent>, ConnectorError>;

    /// The messages of a conversation behind index `after` (-1 for all), oldest first: the oldest `limit` of them.
    ///
    /// # Errors
    /// See [`ConnectorError`].
    ///
    /// # Cancel safety
    /// Cancel-safe.
    async fn messages_after(&self, conversation: &str, after: i64, limit: usize) -> Result<ReadBack, ConnectorError>;

    /// The id of the fact that `received` came, for a message that was read back: the same as by any other way, where
    /// that can be told. Default: the connector's name and the message's.
    fn fact_id(&self, received: &MessageReceived) -> String {
        format!("{}:{}", self.name(), received.metadata.message)
    }

    /// Conversations in which messages can flow, the latest change first, at most `limit`.
    ///
    /// # Errors
    /// See [`ConnectorError`].
    ///
    /// # Cancel safety
    /// Cancel-safe.
    async fn open_conversations(&self, limit: usize) -> Result<Vec<String>, ConnectorError>;

    /// Our address in a conversation, as the provider writes it; `None` where there is none. Default: none.
    ///
    /// # Errors
    /// See [`ConnectorError`].
    ///
    /// # Cancel safety
    /// Has to be cancel-safe.
    async fn sender(&self, conversation: &str) -> Result<Option<String>, ConnectorError> {
        let _platforms_without_addresses = conversation;
        Ok(None)
    }

    /// What a conversation is called, and what the platform keeps beside it. Default: `None`, there is nothing of that.
    ///
    /// # Errors
    /// See [`ConnectorError`].
    ///
    /// # Cancel safety
    /// Has to be cancel-safe.
    async fn describe(&self, conversation: &str) -> Result<Option<ConversationUpdated>, ConnectorError> {
        let _platforms_without_names = conversation;
        Ok(None)
    }

    /// The content of a file that came with a message, of at most `max_bytes`. Default: it has none.
    ///
    /// # Errors
    /// See [`ConnectorError`].
    ///
    /// # Cancel safety
    /// Has to be cancel-safe.
    async fn fetch_media(&self, file: &MediaRef, max_bytes: usize) -> Result<Bytes, ConnectorError> {
        let _platforms_without_files = (file, max_bytes);
        Err(no_files())
    }

    /// Whether it sends files. Default: no.
    ///
    /// # Errors
    /// Why it does not.
    fn takes_files(&self) -> Result<(), ConnectorError> {
        Err(no_files())
    }

    /// Whether it sends templates. Default: no.
    fn takes_templates(&self) -> bool {
        false
    }

    /// Whether messages have places one after the other, so that a place that was skipped may be a message that was
    /// missed. Default: yes.
    fn is_counted(&self) -> bool {
        true
    }

    /// The messages of people in all conversations since `since`, oldest first, on a platform that lists them so: then
    /// no conversation is read back by itself. Default: `None`, it does not.
    ///
    /// # Errors
    /// See [`ConnectorError`].
    ///
    /// # Cancel safety
    /// Cancel-safe.
    async fn inbox(&self, since: Timestamp) -> Result<Option<Inbox>, ConnectorError> {
        let _platforms_with_conversations = since;
        Ok(None)
    }

    /// Closes a conversation for good. Default: the platform keeps no state of it, so that there is nothing to do.
    ///
    /// # Errors
    /// See [`ConnectorError`].
    ///
    /// # Cancel safety
    /// May have taken effect; closing a closed conversation is harmless.
    async fn close(&self, conversation: &str) -> Result<(), ConnectorError> {
        let _platforms_without_states = conversation;
        Ok(())
    }

    /// What the connector says of itself beside whether it works: an object for the console and its API. The default has
    /// nothing to say.
    fn snapshot(&self) -> serde_json::Value {
        serde_json::Value::Object(serde_json::Map::new())
    }

    /// What does not work although texts flow, for people; `None` if all does.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// Shows the person that an answer is on its way, or that it is not. It is called again every few seconds for as
    /// long as a turn lasts, because platforms forget. What it cannot do is left undone: nobody waits for it, and it is
    /// dropped after a second. The default does nothing.
    ///
    /// # Cancel safety
    /// Has to be cancel-safe.
    async fn typing(&self, conversation: &str, is_typing: bool) {
        let _platforms_without_indicators = (conversation, is_typing);
    }
}

/// What was read back from a conversation.
#[derive(Clone, Default)]
pub struct ReadBack {
    /// Messages of people, oldest first.
    pub messages: Vec<MessageReceived>,
    /// The highest index that was read, also of a message of ours; `None` if there is none behind `after`.
    pub last_index: Option<u64>,
    /// False if there is more behind that.
    pub is_complete: bool,
}

/// What was read back of all conversations together.
#[derive(Clone, Default)]
pub struct Inbox {
    /// Messages of people, oldest first.
    pub messages: Vec<MessageReceived>,
    /// False if there is more than is read at once.
    pub is_complete: bool,
}

/// Why a connector did not do what was asked. No personal data.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message} ({code})")]
pub struct ConnectorError {
    /// Stable code.
    pub code: &'static str,
    /// The provider's error number, if it gave one.
    pub provider_number: Option<u32>,
    /// For people.
    pub message: String,
    /// Whether it may be tried again.
    pub retry: Retry,
    /// Whether the platform could not be reached at all.
    pub unreachable: bool,
}

fn no_files() -> ConnectorError {
    ConnectorError {
        code: codes::NO_FILES,
        provider_number: None,
        message: "this connector has no files".to_owned(),
        retry: Retry::No,
        unreachable: false,
    }
}

/// The connectors of a gateway, by name.
#[derive(Clone, Default)]
pub struct Connectors {
    by_name: Arc<BTreeMap<String, Arc<dyn Connector>>>,
}

impl Connectors {
    /// Gathers connectors; a later one of the same name replaces an earlier one.
    pub fn new(connectors: impl IntoIterator<Item = Arc<dyn Connector>>) -> Self {
        let by_name = connectors.into_iter().map(|connector| (connector.name().to_owned(), connector)).collect();
        Self { by_name: Arc::new(by_name) }
    }

    /// The connector of that name.
    pub fn named(&self, name: &str) -> Option<&Arc<dyn Connector>> {
        self.by_name.get(name)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Connector>> {
        self.by_name.values()
    }
}
