//! The Twilio connector: says things through the backend, reads back through the REST client underneath.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use trunkline_core::event::{ConversationUpdated, MediaRef, MessageMetadata, MessageReceived, SendMessage};
use trunkline_core::messaging::{
    ConversationId, ConversationalBackend, ErrorCode, MediaSource, MessagingError, OutgoingMessage,
};
use trunkline_core::{Pii, Retry};
use trunkline_proto::rest::{ConversationState, Message};
use trunkline_proto::sid::ServiceSid;
use trunkline_proto::webhook::message_added_key;
use trunkline_store::Sent;
use trunkline_twilio::realtime::ConnectionState;
use trunkline_twilio::rest::{ConversationFilter, RestClient, RestError};

use super::codes;
use super::{Connector, ConnectorError, ReadBack};
use crate::edge::People;
use crate::edge::changes::object_of;
use crate::edge::from_twilio::{SOURCE, attributes, channel_of, media as media_of, outbox_id};
use crate::media::codes::{PRIVATE_ADDRESS, TOO_LARGE, UNREACHABLE};
use crate::media::{self, MediaFolder};
use crate::realtime::{self, Realtime};

/// Messages that are looked through for one of ours, newest first.
const LOOK_BACK: usize = 10_000;
/// A list has closed conversations among the open ones: this many are read for each that is wanted.
const LISTED_FOR_EACH: usize = 5;
/// Participants of a conversation that are looked through for our address: as many as Twilio allows on channels.
const MAX_PARTICIPANTS: usize = 1000;
/// A backend that has just been started answers after this long.
const START_WAIT: Duration = Duration::from_millis(200);
/// Credentials that are refused now may be mended soon; an answer is not thrown away for that.
pub(super) const AUTH_WAIT: Duration = Duration::from_secs(5);

/// The connector named `twilio`.
pub struct TwilioConnector {
    backend: Arc<dyn ConversationalBackend>,
    rest: RestClient,
    identity: String,
    people: People,
    realtime: Option<Realtime>,
    /// The account's default service, once it was asked for.
    service: OnceLock<ServiceSid>,
    /// Where files are kept.
    folder: MediaFolder,
}

impl TwilioConnector {
    /// A connector that speaks as `identity` and listens to `people`, also over the socket if there is one.
    pub fn new(
        backend: Arc<dyn ConversationalBackend>,
        rest: RestClient,
        identity: impl Into<String>,
        people: People,
        realtime: Option<Realtime>,
        folder: MediaFolder,
    ) -> Self {
        Self { backend, rest, identity: identity.into(), people, realtime, service: OnceLock::new(), folder }
    }

    /// The file that a message sends along.
    async fn files(&self, message: &SendMessage) -> Result<Vec<MediaSource>, ConnectorError> {
        let Some(hash) = &message.media_sha256 else { return Ok(Vec::new()) };
        let read = self.folder.read(hash).await;
        let (data, content_type) = read.ok_or_else(|| ConnectorError {
            code: media::codes::NOT_FOUND,
            provider_number: None,
            message: "the file is gone from the data folder".to_owned(),
            retry: Retry::No,
            unreachable: false,
        })?;
        Ok(vec![MediaSource::Bytes { content_type: content_type.to_owned(), filename: None, data }])
    }

    /// The service that files are in: the configured one, or the account's default.
    async fn service(&self) -> Result<ServiceSid, RestError> {
        if let Some(known) = self.rest.config().service_sid.or_else(|| self.service.get().copied()) {
            return Ok(known);
        }
        let configuration = self.rest.fetch_configuration().await?;
        let service = configuration.default_chat_service_sid.ok_or(RestError::Decode)?;
        Ok(*self.service.get_or_init(|| service))
    }

    fn received(&self, conversation: &str, message: Message) -> Option<MessageReceived> {
        let author = message.author.filter(|author| self.people.include(author))?;
        if outbox_id(&message.attributes).is_some() {
            return None;
        }
        Some(MessageReceived {
            channel: channel_of(&author),
            text: message.body.unwrap_or_default(),
            media: message.media.iter().flatten().map(media_of).collect(),
            metadata: MessageMetadata {
                conversation: conversation.to_owned(),
                message: message.sid.as_str().to_owned(),
                participant: message.participant_sid.map(|sid| sid.as_str().to_owned()),
                index: message.index,
                created: message.date_created?,
                to: None,
            },
            from: author,
        })
    }
}

#[async_trait]
impl Connector for TwilioConnector {
    fn name(&self) -> &str {
        SOURCE
    }

    fn fact_id(&self, received: &MessageReceived) -> String {
        let sid = &received.metadata.message;
        sid.parse().map_or_else(|_| format!("{SOURCE}:{sid}"), message_added_key)
    }

    async fn send(&self, message: &SendMessage) -> Result<Sent, ConnectorError> {
        let conversation = ConversationId::new(&message.conversation);
        let outgoing = OutgoingMessage {
            body: Pii::new(message.text.clone()),
            author: Some(self.identity.clone()),
            attributes: Some(attributes(&message.outbox_id)),
            channel: message.channel,
            media: self.files(message).await?,
            content_sid: message.content_sid.clone(),
            content_variables: Pii::new(message.content_variables.clone()),
        };
        let sent = self.backend.send_message(&conversation, outgoing).await.map_err(|error| from_backend(&error))?;
        Ok(Sent { external_id: sent.id.as_str().to_owned(), index: sent.index })
    }

    async fn close(&self, conversation: &str) -> Result<(), ConnectorError> {
        let closed = self.backend.close_conversation(&ConversationId::new(conversation)).await;
        closed.map_err(|error| from_backend(&error))
    }

    async fn find_sent(&self, conversation: &str, wanted: &str, after: i64) -> Result<Option<Sent>, ConnectorError> {
        let is_ours = |message: &Message| {
            message.author.as_ref() == Some(&self.identity) && outbox_id(&message.attributes).as_deref() == Some(wanted)
        };
        let is_before = |message: &Message| u64::try_from(after).is_ok_and(|after| message.index <= after);
        let mut found = None;
        let stop = |message: &Message| {
            if is_ours(message) {
                found = Some(Sent { external_id: message.sid.as_str().to_owned(), index: message.index });
            }
            found.is_some() || is_before(message)
        };
        let newest =
            self.rest.messages_until(conversation, stop, LOOK_BACK).await.map_err(|error| from_rest(&error))?;
        if found.is_some() {
            return Ok(found);
        }
        if newest.is_complete {
            return Ok(None);
        }
        Err(ConnectorError {
            code: codes::OUTCOME_UNKNOWN,
            provider_number: None,
            message: format!("the outcome cannot be told: more than {LOOK_BACK} messages came since"),
            retry: Retry::No,
            unreachable: false,
        })
    }

    async fn messages_after(&self, conversation: &str, after: i64, limit: usize) -> Result<ReadBack, ConnectorError> {
        let after = u64::try_from(after).ok();
        let found = self.rest.messages_after(conversation, after, limit).await.map_err(|error| from_rest(&error))?;
        let last_index = found.items.last().map(|message| message.index);
        let is_complete = found.is_complete;
        let messages = found.items.into_iter().filter_map(|message| self.received(conversation, message)).collect();
        Ok(ReadBack { messages, last_index, is_complete })
    }

    async fn open_conversations(&self, limit: usize) -> Result<Vec<String>, ConnectorError> {
        let filter = ConversationFilter::default();
        let listed = limit.saturating_mul(LISTED_FOR_EACH);
        let listing = self.rest.list_conversations(&filter, listed).await.map_err(|error| from_rest(&error))?;
        let mut open: Vec<_> =
            listing.items.into_iter().filter(|conversation| conversation.state != ConversationState::Closed).collect();
        open.sort_by_key(|conversation| std::cmp::Reverse(conversation.date_updated));
        open.truncate(limit);
        let open: Vec<String> = open.into_iter().map(|conversation| conversation.sid.as_str().to_owned()).collect();
        if let Some(realtime) = &self.realtime {
            realtime.coverage().look(&open).await;
        }
        Ok(open)
    }

    async fn sender(&self, conversation: &str) -> Result<Option<String>, ConnectorError> {
        let listed =
            self.rest.list_participants(conversation, MAX_PARTICIPANTS).await.map_err(|error| from_rest(&error))?;
        let bound = listed.items.into_iter().filter_map(|participant| participant.messaging_binding?.proxy_address);
        let own: BTreeSet<_> = bound.collect();
        // With several it depends on who writes.
        Ok(own.first().filter(|_| own.len() == 1).cloned())
    }

    async fn describe(&self, conversation: &str) -> Result<Option<ConversationUpdated>, ConnectorError> {
        let told = self.rest.fetch_conversation(conversation).await.map_err(|error| from_rest(&error))?;
        Ok(Some(ConversationUpdated {
            conversation: conversation.to_owned(),
            friendly_name: told.friendly_name,
            unique_name: told.unique_name,
            attributes: Some(object_of(&told.attributes)),
            changed: told.date_updated.or(told.date_created).unwrap_or(Timestamp::UNIX_EPOCH),
        }))
    }

    async fn fetch_media(&self, file: &MediaRef, max_bytes: usize) -> Result<Bytes, ConnectorError> {
        let bytes = async {
            let media = file.id.parse().map_err(|_| RestError::BadArgument("the name of a file"))?;
            self.rest.download_media(self.service().await?, media, max_bytes).await
        };
        bytes.await.map_err(|error| not_fetched(&error))
    }

    fn takes_files(&self) -> Result<(), ConnectorError> {
        Ok(())
    }

    fn takes_templates(&self) -> bool {
        true
    }

    fn snapshot(&self) -> serde_json::Value {
        serde_json::json!({ "identity": self.identity, "realtime": self.realtime.as_ref().map(realtime::status) })
    }

    fn trouble(&self) -> Option<String> {
        if let Some(host) = self.rest.open_circuits().first() {
            return Some(format!("{host} does not answer; it is left alone for a moment and tried again"));
        }
        if self.rest.is_throttled() {
            return Some("Twilio asked to slow down within the last minute".to_owned());
        }
        let realtime = self.realtime.as_ref()?;
        let snapshot = realtime.client().snapshot();
        let reason = |otherwise| snapshot.last_error.as_ref().map_or(otherwise, |loss| loss.reason.as_str()).to_owned();
        if snapshot.state != ConnectionState::Connected {
            return Some(format!("no real-time connection: {}", reason("connecting")));
        }
        if !snapshot.is_initialized {
            return Some(format!("the real-time connection is not set up: {}", reason("its conversations are opened")));
        }
        let missing = realtime.coverage().lasting();
        (missing > 0).then(|| format!("our identity is not in {missing} of the open conversations"))
    }

    async fn typing(&self, conversation: &str, is_typing: bool) {
        let Some(realtime) = self.realtime.as_ref().filter(|_| is_typing) else { return };
        // A hint: whoever does not get it misses nothing.
        if realtime.client().snapshot().state == ConnectionState::Connected
            && let Err(error) = realtime.client().typing(conversation).await
        {
            tracing::debug!(error.code = error.code(), "typing could not be told");
        }
    }
}

pub(super) fn from_backend(error: &MessagingError) -> ConnectorError {
    let rest = std::error::Error::source(error).and_then(|source| source.downcast_ref::<RestError>());
    ConnectorError {
        code: error.code().as_str(),
        provider_number: error.provider_number(),
        message: error.to_string(),
        retry: match error.code() {
            ErrorCode::AuthError => Retry::After(AUTH_WAIT),
            ErrorCode::NotRunning => Retry::After(START_WAIT),
            _ => error.retry(),
        },
        unreachable: rest.is_some_and(is_outage),
    }
}

/// Why a file that a person sent is not there.
pub(super) fn not_fetched(error: &RestError) -> ConnectorError {
    let code = match error {
        RestError::TooLong => TOO_LARGE,
        RestError::PrivateAddress => PRIVATE_ADDRESS,
        _ => UNREACHABLE,
    };
    ConnectorError { code, ..from_rest(error) }
}

pub(super) fn from_rest(error: &RestError) -> ConnectorError {
    ConnectorError {
        code: error.code(),
        provider_number: error.twilio_code(),
        message: error.to_string(),
        retry: match error {
            RestError::Auth { .. } => Retry::After(AUTH_WAIT),
            // Reading has no effect: it may always be repeated.
            _ if error.retry() == Retry::Unknown => Retry::After(Duration::ZERO),
            _ => error.retry(),
        },
        unreachable: is_outage(error),
    }
}

pub(super) const fn is_outage(error: &RestError) -> bool {
    matches!(
        error,
        RestError::Unreachable(_)
            | RestError::UnknownOutcome(_)
            | RestError::Unavailable { .. }
            | RestError::CircuitOpen { .. }
    )
}
