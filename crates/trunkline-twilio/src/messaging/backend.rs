//! The backend itself: the contract's thirteen operations.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio_util::task::task_tracker::TaskTrackerToken;
use trunkline_core::messaging::{
    Config, Conversation, ConversationConfig, ConversationId, ConversationalBackend, ErrorCode, MEDIA_TYPES,
    MediaSource, MessageId, MessageStream, MessagingError, NewParticipant, Operation, OutgoingMessage, Participant,
    ParticipantId, Registry, SentMessage, WebhookEvent,
};
use trunkline_core::{Channel, HealthState, HealthStatus, Retry};
use trunkline_proto::form;
use trunkline_proto::rest::ConversationState;
use trunkline_proto::sid::{ContentSid, ConversationSid, MediaSid, ServiceSid};
use trunkline_proto::signature::RequestKind;
use trunkline_proto::webhook::{ConversationsEvent, ConversationsWebhook, EventType};

use super::failure::failed;
use super::start::WebhookRegistration;
use super::streams::Streams;
use super::{convert, participants, start};
use crate::codes;
use crate::realtime::{self, ConnectionState, RealtimeClient};
use crate::rest::{ConversationFilter, ConversationUpdate, NewConversation, NewMessage, RestClient, RestError};
use crate::running::Running;
use crate::settings::Settings;
use crate::signed;

/// The most conversations that a listing holds.
pub const MAX_CONVERSATIONS: usize = 100_000;

/// The longest text of a message on a telephone channel, in characters (Twilio's limits page).
const MAX_CHANNEL_CHARACTERS: usize = 1_600;

/// How long texts go by REST after the outcome of one over the socket was unknown.
const SOCKET_BARRED: Duration = Duration::from_mins(1);

/// A closed conversation cannot be updated.
const CLOSED_ALREADY: u32 = 50377;

/// Makes the provider known as `twilio`.
pub fn register(registry: &mut Registry) {
    registry.register("twilio", Arc::new(|config| Ok(Arc::new(TwilioMessaging::new(config)?))));
}

/// Twilio Conversations as a messaging backend.
#[derive(Debug)]
pub struct TwilioMessaging {
    config: Arc<Config>,
    settings: Settings,
    rest: RestClient,
    running: Running,
    streams: Arc<Streams>,
    /// The service that files are uploaded to, known after start.
    service: Mutex<Option<ServiceSid>>,
    /// The socket that texts are sent over, if that is wanted.
    socket: OnceLock<RealtimeClient>,
    /// The pre-events that somebody here wants to be asked of.
    asked: OnceLock<Vec<EventType>>,
    /// Until then texts go by REST: the outcome of one over the socket was unknown.
    socket_barred: Mutex<Option<Instant>>,
}

impl TwilioMessaging {
    /// Builds a backend, stopped. Nothing is connected yet. The settings are listed in [`SETTINGS`](crate::SETTINGS).
    ///
    /// # Errors
    /// `ErrCodeInvalidConfig` with every problem; `ErrCodeInternalError` if the system offers no usable TLS.
    pub fn new(config: Config) -> Result<Self, MessagingError> {
        let settings = Settings::from_config(&config).map_err(|problems| {
            MessagingError::new(Operation::NewBackend, ErrorCode::InvalidConfig, problems.to_string())
                .with_source(problems)
        })?;
        let rest = RestClient::new(settings.rest.clone()).map_err(|error| failed(Operation::NewBackend, error))?;
        let streams = Streams::new(settings.stream_buffer);
        let service = Mutex::new(settings.rest.service_sid);
        Ok(Self {
            config: Arc::new(config),
            settings,
            rest,
            running: Running::new(),
            streams,
            service,
            socket: OnceLock::new(),
            asked: OnceLock::new(),
            socket_barred: Mutex::default(),
        })
    }

    /// The client underneath, for what the contract has no operation for: reading back, catching up, files.
    pub fn rest(&self) -> &RestClient {
        &self.rest
    }

    /// From now on texts of the backend's own identity go over this client's socket while it is connected. What surely
    /// was not sent over it goes by REST. The first client counts.
    pub fn send_by(&self, client: RealtimeClient) {
        drop(self.socket.set(client));
    }

    /// Has Twilio ask at `webhook_url` before it does these things, from the next start on. The first call counts.
    pub fn ask_before(&self, events: Vec<EventType>) {
        drop(self.asked.set(events));
    }

    fn asked(&self) -> &[EventType] {
        self.asked.get().map_or(&[], Vec::as_slice)
    }

    /// Sends over the socket; `None` if it was not sent.
    async fn send_over_socket(
        &self,
        conversation: &str,
        message: &NewMessage,
    ) -> Option<Result<SentMessage, MessagingError>> {
        let client = self.socket.get()?;
        let barred = *self.socket_barred.lock().unwrap_or_else(PoisonError::into_inner);
        if barred.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let is_ours = message.author.is_some() && message.author == self.settings.identity;
        let is_text = message.media_sid.is_none() && message.content_sid.is_none();
        if !is_ours || !is_text || client.snapshot().state != ConnectionState::Connected {
            return None;
        }
        if let Err(error) = self.rest.permit_message().await {
            return Some(Err(failed(Operation::SendMessage, error)));
        }
        let said = realtime::NewMessage {
            body: message.body.clone(),
            attributes: message.attributes.clone(),
            ..realtime::NewMessage::default()
        };
        let unknown = || {
            // If it turns out that it was not sent it goes by REST, which may work where the socket does not.
            let until = Instant::now().checked_add(SOCKET_BARRED);
            *self.socket_barred.lock().unwrap_or_else(PoisonError::into_inner) = until;
            MessagingError::new(Operation::SendMessage, ErrorCode::NetworkError, "Twilio did not answer")
                .with_provider(codes::NETWORK_ERROR, None)
                .with_retry(Retry::Unknown)
        };
        match client.send(conversation, said).await {
            Ok(realtime::SentMessage { index, message: Some(sid) }) => {
                Some(Ok(SentMessage { id: MessageId::new(sid), index, created_at: None }))
            }
            Ok(_) => Some(Err(unknown())),
            Err(error) if error.is_unknown() => Some(Err(unknown().with_source(error))),
            Err(error) => {
                tracing::debug!(error.code = error.code(), "a text was not sent over the socket; it goes by REST");
                None
            }
        }
    }

    /// Verifies a webhook's signature and reads it, and does nothing else with it.
    ///
    /// # Errors
    /// `ErrCodeInvalidSignature`, `ErrCodeInvalidWebhook`.
    pub fn read_webhook(&self, event: &WebhookEvent) -> Result<ConversationsWebhook, MessagingError> {
        ConversationsWebhook::parse(&self.verify_webhook(event)?).map_err(|error| {
            invalid_webhook(ErrorCode::InvalidWebhook, "the webhook is not complete").with_source(error)
        })
    }

    /// Verifies the signature of a webhook of any product; the parameters that it covers.
    ///
    /// # Errors
    /// `ErrCodeInvalidSignature`, `ErrCodeInvalidWebhook`.
    pub fn verify_webhook<'a>(&self, event: &'a WebhookEvent) -> Result<Cow<'a, [(String, String)]>, MessagingError> {
        let kind = signed::kind_of(event);
        signed::verify(event, kind, &self.settings.signing_keys).map_err(|error| {
            invalid_webhook(ErrorCode::InvalidSignature, "the webhook's signature is not valid").with_source(error)
        })?;
        // A GET has its parameters where its signature covers them: in the URL.
        match event.url.split_once('?') {
            Some((_, query)) if kind == RequestKind::Get => {
                form::decode(query.as_bytes()).map(Cow::Owned).map_err(|error| {
                    invalid_webhook(ErrorCode::InvalidWebhook, "the webhook's query is malformed").with_source(error)
                })
            }
            None if kind == RequestKind::Get => Ok(Cow::Borrowed(&[])),
            _ => Ok(Cow::Borrowed(&event.params)),
        }
    }

    /// Sends webhooks to `webhook_url` again if they do not come there any more.
    ///
    /// # Errors
    /// `ErrCodeNotRunning`; `ErrCodeInvalidConfig` if Twilio refuses the URL; else as
    /// [`start`](ConversationalBackend::start).
    ///
    /// # Cancel safety
    /// May have taken effect; it may be done again.
    pub async fn register_webhook(&self) -> Result<WebhookRegistration, MessagingError> {
        let _in_flight = self.enter(Operation::HealthCheck)?;
        match &self.settings.webhook_url {
            Some(url) => start::register_webhook(&self.rest, Operation::HealthCheck, url, self.asked()).await,
            None => Ok(WebhookRegistration::NotWanted),
        }
    }

    fn enter(&self, operation: Operation) -> Result<TaskTrackerToken, MessagingError> {
        self.running.enter().ok_or_else(|| {
            let message = "the backend is not running";
            MessagingError::new(operation, ErrorCode::NotRunning, message).with_retry(Retry::After(Duration::ZERO))
        })
    }

    fn service(&self) -> Option<ServiceSid> {
        *self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uploads the one file of a message, if there is one.
    async fn upload(&self, media: Vec<MediaSource>) -> Result<Option<MediaSid>, MessagingError> {
        let invalid = |code, message| Err(MessagingError::new(Operation::SendMessage, code, message));
        let mut media = media.into_iter();
        let Some(file) = media.next() else { return Ok(None) };
        if media.next().is_some() {
            return invalid(ErrorCode::InvalidMessage, "a Twilio message carries one file; send one message each");
        }
        let MediaSource::Bytes { content_type, filename, data } = file else {
            return invalid(ErrorCode::InvalidMessage, "media by URL is not fetched; give its bytes");
        };
        let Some(service) = self.service() else {
            return invalid(ErrorCode::InvalidConfig, "files need a service: set chat_service_sid");
        };
        let uploaded = self.rest.upload_media(service, &content_type, filename.as_deref(), data).await;
        let uploaded = uploaded.map_err(|error| {
            let failure = failed(Operation::SendMessage, error);
            // Whatever became of the file, no message was sent yet.
            match failure.retry() {
                Retry::Unknown => failure.with_retry(Retry::After(Duration::ZERO)),
                Retry::No | Retry::After(_) => failure,
            }
        })?;
        Ok(Some(uploaded.sid))
    }

    async fn find_conversation(&self, operation: Operation, id: &str) -> Result<ConversationSid, MessagingError> {
        match id.parse() {
            Ok(sid) => Ok(sid),
            Err(_) => Ok(self.rest.fetch_conversation(id).await.map_err(|error| failed(operation, error))?.sid),
        }
    }
}

#[async_trait]
impl ConversationalBackend for TwilioMessaging {
    async fn start(&self) -> Result<(), MessagingError> {
        if self.running.is_running() {
            return Ok(());
        }
        let service = start::verify(&self.rest).await?;
        if let Some(url) = &self.settings.webhook_url {
            let found = start::register_webhook(&self.rest, Operation::Start, url, self.asked()).await?;
            if found == WebhookRegistration::Taken {
                tracing::warn!(
                    "webhooks went to another address before; a gateway that still runs there answers as well as this one"
                );
            }
        }
        *self.service.lock().unwrap_or_else(PoisonError::into_inner) = service;
        self.running.start();
        Ok(())
    }

    async fn stop(&self) -> Result<(), MessagingError> {
        self.running.stop();
        let is_drained = self.running.drained(self.config.timeout()).await;
        self.streams.close_all();
        if is_drained {
            return Ok(());
        }
        let message = format!("{} operations did not finish in time", self.running.in_flight());
        Err(MessagingError::new(Operation::Stop, ErrorCode::ShutdownError, message))
    }

    async fn create_conversation(&self, config: ConversationConfig) -> Result<Conversation, MessagingError> {
        let _in_flight = self.enter(Operation::CreateConversation)?;
        if !is_json_object(config.attributes.as_deref()) {
            let message = "attributes must be a JSON object";
            return Err(MessagingError::new(Operation::CreateConversation, ErrorCode::InvalidConfig, message));
        }
        let new = NewConversation {
            friendly_name: config.friendly_name,
            unique_name: config.unique_name,
            attributes: config.attributes,
            state: config.state.map(convert::state_to_rest),
        };
        let created = self.rest.create_conversation(&new).await;
        created.map(convert::conversation).map_err(|error| failed(Operation::CreateConversation, error))
    }

    async fn get_conversation(&self, id: &ConversationId) -> Result<Conversation, MessagingError> {
        let _in_flight = self.enter(Operation::GetConversation)?;
        let found = self.rest.fetch_conversation(id.as_str()).await;
        found.map(convert::conversation).map_err(|error| failed(Operation::GetConversation, error))
    }

    async fn list_conversations(&self) -> Result<Vec<Conversation>, MessagingError> {
        let _in_flight = self.enter(Operation::ListConversations)?;
        let found = self.rest.list_conversations(&ConversationFilter::default(), MAX_CONVERSATIONS).await;
        let found = found.map_err(|error| failed(Operation::ListConversations, error))?;
        if !found.is_complete {
            tracing::warn!(limit = MAX_CONVERSATIONS, "there are more conversations than are listed");
        }
        Ok(found.items.into_iter().map(convert::conversation).collect())
    }

    async fn close_conversation(&self, id: &ConversationId) -> Result<(), MessagingError> {
        let _in_flight = self.enter(Operation::CloseConversation)?;
        let sid = self.find_conversation(Operation::CloseConversation, id.as_str()).await?;
        let update = ConversationUpdate { state: Some(ConversationState::Closed), ..ConversationUpdate::default() };
        match self.rest.update_conversation(sid.as_str(), &update).await {
            Ok(_) | Err(RestError::Refused { code: CLOSED_ALREADY, .. }) => {
                self.streams.close(sid);
                Ok(())
            }
            Err(error) => Err(failed(Operation::CloseConversation, error)),
        }
    }

    async fn send_message(&self, id: &ConversationId, message: OutgoingMessage) -> Result<SentMessage, MessagingError> {
        let _in_flight = self.enter(Operation::SendMessage)?;
        if let Some(problem) = problem_of(&message) {
            return Err(MessagingError::new(Operation::SendMessage, ErrorCode::InvalidMessage, problem));
        }
        let content_sid = template(message.content_sid.as_deref())?;
        let variables = message.content_variables.expose();
        let variables = (content_sid.is_some() && !variables.is_empty()).then(|| serde_json::to_string(variables));
        let new = NewMessage {
            author: message.author.or_else(|| self.settings.identity.clone()),
            body: Some(message.body.into_inner()).filter(|body| !body.is_empty() && content_sid.is_none()),
            attributes: message.attributes,
            media_sid: self.upload(message.media).await?,
            content_sid,
            content_variables: variables.and_then(Result::ok),
        };
        if let Some(sent) = self.send_over_socket(id.as_str(), &new).await {
            return sent;
        }
        let created = self.rest.create_message(id.as_str(), &new).await;
        created.map(|sent| convert::sent(&sent)).map_err(|error| failed(Operation::SendMessage, error))
    }

    async fn receive_messages(&self, id: &ConversationId) -> Result<MessageStream, MessagingError> {
        let _in_flight = self.enter(Operation::ReceiveMessages)?;
        let refused = |message| Err(MessagingError::new(Operation::ReceiveMessages, ErrorCode::ChannelFailed, message));
        let sid = self.find_conversation(Operation::ReceiveMessages, id.as_str()).await?;
        // First subscribe, then look: a conversation that closes in between ends the stream.
        let Some(stream) = self.streams.subscribe(sid) else { return refused("there are too many streams") };
        let found = self.rest.fetch_conversation(sid.as_str()).await;
        let found = found.map_err(|error| failed(Operation::ReceiveMessages, error))?;
        if found.state == ConversationState::Closed {
            return refused("the conversation is closed");
        }
        // A stop in between may have closed all streams before this one was opened.
        let _still_running = self.enter(Operation::ReceiveMessages)?;
        Ok(Box::pin(stream))
    }

    async fn add_participant(
        &self,
        id: &ConversationId,
        participant: NewParticipant,
    ) -> Result<Participant, MessagingError> {
        let _in_flight = self.enter(Operation::AddParticipant)?;
        participants::add(&self.rest, id.as_str(), participant, self.settings.phone_number.as_deref()).await
    }

    async fn remove_participant(&self, id: &ConversationId, participant: &ParticipantId) -> Result<(), MessagingError> {
        let _in_flight = self.enter(Operation::RemoveParticipant)?;
        participants::remove(&self.rest, id.as_str(), participant.as_str()).await
    }

    async fn handle_webhook(&self, event: &WebhookEvent) -> Result<(), MessagingError> {
        let _in_flight = self.enter(Operation::HandleWebhook)?;
        match self.read_webhook(event)?.event {
            ConversationsEvent::OnMessageAdded(added) => {
                let conversation = added.conversation_sid;
                let slow = self.streams.deliver(conversation, &convert::message_from_event(added));
                if slow > 0 {
                    tracing::warn!(conversation.id = %conversation, streams = slow, "receivers were too slow, their streams end");
                }
            }
            ConversationsEvent::OnConversationStateUpdated(updated)
                if updated.state_to == ConversationState::Closed =>
            {
                self.streams.close(updated.conversation_sid);
            }
            ConversationsEvent::OnConversationRemoved(removed) => self.streams.close(removed.conversation_sid),
            _ => {}
        }
        Ok(())
    }

    async fn health_check(&self) -> Result<HealthStatus, MessagingError> {
        let mut status = HealthStatus::healthy().with_active_conversations(self.streams.conversations());
        if !self.running.is_running() {
            status = status.because(HealthState::Unhealthy, "the backend is not running");
        }
        let rest = self.rest.without_retries();
        let trouble = match &self.settings.webhook_url {
            Some(url) => match rest.fetch_webhooks().await {
                Ok(present) if start::is_registered(&present, url, self.asked()) => None,
                Ok(_) => Some((HealthState::Degraded, "webhooks are not all sent to webhook_url")),
                Err(error) => Some(health_of(&error)),
            },
            None => rest.fetch_configuration().await.err().map(|error| health_of(&error)),
        };
        let mut status = trouble.into_iter().fold(status, |status, (state, reason)| status.because(state, reason));
        if status.reasons.is_empty() && self.rest.is_throttled() {
            status = status.because(HealthState::Degraded, "Twilio asked to slow down within the last minute");
        }
        for host in self.rest.open_circuits() {
            status =
                status.because(HealthState::Degraded, format!("{host} does not answer and is left alone for a while"));
        }
        Ok(status)
    }

    fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config)
    }
}

fn invalid_webhook(code: ErrorCode, message: &str) -> MessagingError {
    MessagingError::new(Operation::HandleWebhook, code, message).with_provider(codes::INVALID_WEBHOOK, None)
}

fn health_of(error: &RestError) -> (HealthState, &'static str) {
    match error {
        RestError::Throttled { .. } => (HealthState::Degraded, "Twilio asks to slow down"),
        RestError::Auth { .. } => (HealthState::Unhealthy, "Twilio does not accept the credentials"),
        RestError::Refused { .. } | RestError::Decode | RestError::TooLong => {
            (HealthState::Degraded, "Twilio's answer was not what was expected")
        }
        _ => (HealthState::Unhealthy, "Twilio cannot be reached"),
    }
}

/// The template that a message names.
fn template(sid: Option<&str>) -> Result<Option<ContentSid>, MessagingError> {
    let Some(sid) = sid else { return Ok(None) };
    sid.parse().map(Some).map_err(|_| {
        let message = "content_sid must be HX and 32 hexadecimal digits";
        MessagingError::new(Operation::SendMessage, ErrorCode::InvalidMessage, message)
    })
}

/// What is wrong with a message that Twilio need not be asked about.
fn problem_of(message: &OutgoingMessage) -> Option<&'static str> {
    let is_on_telephone = matches!(message.channel, Some(Channel::Sms | Channel::Whatsapp));
    let is_unsent = |file: &MediaSource| match file {
        MediaSource::Bytes { content_type, .. } => !is_sent(content_type),
        _ => false,
    };
    if message.media.iter().any(is_unsent) {
        Some("files of this type are not sent")
    } else if message.content_sid.is_some() && !message.media.is_empty() {
        Some("a template carries no files")
    } else if message.body.expose().is_empty() && message.media.is_empty() && message.content_sid.is_none() {
        Some("a message needs a text, a file or a template")
    } else if is_on_telephone && message.body.expose().chars().count() > MAX_CHANNEL_CHARACTERS {
        Some("the text is longer than 1600 characters")
    } else if !is_json_object(message.attributes.as_deref()) {
        Some("attributes must be a JSON object")
    } else {
        None
    }
}

/// Whether files of a type are sent: pictures, films and sound that telephones show.
fn is_sent(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    MEDIA_TYPES.iter().any(|sent| sent.eq_ignore_ascii_case(essence))
}

fn is_json_object(text: Option<&str>) -> bool {
    text.is_none_or(|text| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok())
}
