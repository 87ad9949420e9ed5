//! The backend itself: the contract's operations, and what a test does with it.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio_util::task::TaskTracker;
use trunkline_core::messaging::{
    Config, Conversation, ConversationConfig, ConversationId, ConversationState, ConversationalBackend, ErrorCode,
    Message, MessageId, MessageStream, MessagingError, NewParticipant, Operation, OutgoingMessage, Participant,
    ParticipantId, Registry, SentMessage, WebhookEvent,
};
use trunkline_core::{HealthState, HealthStatus, Retry};

use super::calls::Call;
use super::rules;
use super::script::Step;
use super::state::{State, text};
use super::streams::{STREAM_BUFFER, STREAM_BUFFER_SETTING, Streams};
use super::webhook::{self, Told};

/// The name in the registry.
pub const PROVIDER: &str = "scripted";
/// The most conversations that are kept.
pub const MAX_CONVERSATIONS: usize = 100_000;
/// The most messages that are kept in one conversation.
pub const MAX_MESSAGES: usize = 100_000;

/// Who speaks when a message names nobody.
const IDENTITY: &str = "agent";
const MAX_BUFFER: usize = 65_536;

/// Makes the provider known as `scripted`: each backend that the registry builds is a new one, stopped and empty. To
/// keep hold of the backend, see [`ScriptedBackend::register_in`].
pub fn register(registry: &mut Registry) {
    registry.register(PROVIDER, Arc::new(|config| Ok(Arc::new(ScriptedBackend::with_config(config)?))));
}

/// A messaging backend in memory that keeps the contract, and fails only when a [`Step`] says so.
///
/// ```
/// use trunkline_core::messaging::{ConversationConfig, ConversationalBackend as _, ErrorCode, Operation};
/// use trunkline_testing::{ScriptedBackend, Step};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let backend = ScriptedBackend::new();
/// backend.start().await?;
/// let conversation = backend.create_conversation(ConversationConfig::default()).await?.id;
/// backend.person_says(&conversation, "+15550001111", "hello")?;
///
/// backend.script(Step::fail(Operation::SendMessage, ErrorCode::RateLimit));
/// let refused = backend.send_message(&conversation, Default::default()).await.unwrap_err();
/// assert_eq!(refused.code(), ErrorCode::RateLimit);
/// assert_eq!(backend.count(Operation::SendMessage), 1);
/// # Ok(())
/// # }
/// ```
pub struct ScriptedBackend {
    config: Arc<Config>,
    state: Mutex<State>,
    streams: Arc<Streams>,
    in_flight: TaskTracker,
}

impl fmt::Debug for ScriptedBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedBackend").finish_non_exhaustive()
    }
}

impl Default for ScriptedBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl ScriptedBackend {
    /// A backend, stopped and empty, with the contract's default configuration.
    pub fn new() -> Self {
        #[expect(clippy::expect_used, reason = "the defaults are valid, which the tests show")]
        let config = Config::builder().provider(PROVIDER).build().expect("valid defaults");
        Self::of(config, STREAM_BUFFER)
    }

    /// A backend, stopped and empty. Its own settings are [`STREAM_BUFFER_SETTING`] and the secret
    /// [`SIGNING_KEY_SETTING`](super::SIGNING_KEY_SETTING); others are not looked at.
    ///
    /// # Errors
    /// `ErrCodeInvalidConfig` if the buffer is not a number from 1 to 65536.
    pub fn with_config(config: Config) -> Result<Self, MessagingError> {
        let buffer = match config.text(STREAM_BUFFER_SETTING).map(str::parse) {
            None => STREAM_BUFFER,
            Some(Ok(size)) if (1..=MAX_BUFFER).contains(&size) => size,
            Some(_) => {
                let why = format!("{STREAM_BUFFER_SETTING} must be a number from 1 to {MAX_BUFFER}");
                return Err(MessagingError::new(Operation::NewBackend, ErrorCode::InvalidConfig, why));
            }
        };
        Ok(Self::of(config, buffer))
    }

    fn of(config: Config, buffer: usize) -> Self {
        let in_flight = TaskTracker::new();
        let state = Mutex::new(State::new());
        Self { config: Arc::new(config), state, streams: Streams::new(buffer), in_flight }
    }

    /// Has the registry give out this very backend as `scripted`, whatever the configuration.
    pub fn register_in(self: &Arc<Self>, registry: &mut Registry) {
        let this = Arc::clone(self);
        registry.register(PROVIDER, Arc::new(move |_| Ok(Arc::clone(&this) as Arc<dyn ConversationalBackend>)));
    }

    /// A person writes in a conversation, which its streams are handed at once. The message, as it is kept.
    ///
    /// # Errors
    /// `ErrCodeConversationNotFound`; `ErrCodeMessageFailed` in a closed conversation or one with [`MAX_MESSAGES`].
    pub fn person_says(
        &self,
        conversation: &ConversationId,
        author: &str,
        body: &str,
    ) -> Result<Message, MessagingError> {
        let (author, body) = (author.to_owned(), text(body));
        let mut state = self.state();
        let message = state.say(Operation::ReceiveMessages, conversation, author, body, None, Timestamp::now())?;
        // Before anybody else can say something: streams are in order.
        self.streams.deliver(&message);
        drop(state);
        Ok(message)
    }

    /// A webhook that tells of a message, rightly signed. Handled twice, the message is kept once and handed on twice.
    pub fn webhook(&self, conversation: &ConversationId, message: &str, author: &str, body: &str) -> WebhookEvent {
        let (author, body) = (author.to_owned(), body.to_owned());
        webhook::make(&self.config, &Told { conversation: conversation.clone(), id: message.into(), author, body })
    }

    /// Adds a step; steps of one operation are played in the order in which they are given.
    pub fn script(&self, step: Step) {
        self.state().script.add(step);
    }

    /// Forgets all steps.
    pub fn clear_script(&self) {
        self.state().script.clear();
    }

    /// Whether every step with a fixed number of calls has been used up.
    pub fn is_script_played(&self) -> bool {
        self.state().script.is_played()
    }

    /// What a health check says while the backend runs. `reason` is left out when healthy.
    pub fn set_health(&self, health: HealthState, reason: &str) {
        let well = HealthStatus::healthy();
        self.state().health = if health == HealthState::Healthy { well } else { well.because(health, reason) };
    }

    /// Everything said in a conversation, oldest first; nothing if there is no such conversation.
    pub fn messages(&self, conversation: &ConversationId) -> Vec<Message> {
        let mut state = self.state();
        state.room(Operation::GetConversation, conversation).map_or_else(|_| Vec::new(), |room| room.messages.clone())
    }

    /// The texts that were not written by `person`, oldest first: what they have received.
    pub fn received_by(&self, conversation: &ConversationId, person: &str) -> Vec<String> {
        let messages = self.messages(conversation);
        let others = messages.into_iter().filter(|message| message.author.expose() != person);
        others.map(|message| message.body.into_inner()).collect()
    }

    /// Who is in a conversation; nobody if there is no such conversation.
    pub fn participants(&self, conversation: &ConversationId) -> Vec<Participant> {
        let mut state = self.state();
        let room = state.room(Operation::GetConversation, conversation);
        room.map_or_else(|_| Vec::new(), |room| room.participants.clone())
    }

    /// The calls that have ended, oldest first: the last [`MAX_CALLS`](super::MAX_CALLS).
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.all()
    }

    /// How many of them were of `operation`.
    pub fn count(&self, operation: Operation) -> usize {
        self.calls().iter().filter(|call| call.operation == operation).count()
    }

    /// Forgets the calls.
    pub fn forget_calls(&self) {
        self.state().calls.clear();
    }

    /// Panics unless the calls that have ended were of these operations, in this order.
    #[track_caller]
    pub fn assert_calls(&self, expected: &[Operation]) {
        let found: Vec<_> = self.calls().iter().map(|call| call.operation).collect();
        assert_eq!(found, expected, "calls of the scripted backend");
    }

    /// Panics unless `operation` was called so many times.
    #[track_caller]
    pub fn assert_called(&self, operation: Operation, times: usize) {
        assert_eq!(self.count(operation), times, "calls of {operation}");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, operation: Operation) -> Result<(), MessagingError> {
        if self.state().is_running {
            return Ok(());
        }
        let error = MessagingError::new(operation, ErrorCode::NotRunning, "the backend is not running");
        Err(error.with_retry(Retry::After(Duration::ZERO)))
    }

    /// Plays the next step around `work`, and remembers the call.
    async fn play<T>(
        &self,
        operation: Operation,
        conversation: Option<&ConversationId>,
        work: impl Future<Output = Result<T, MessagingError>> + Send,
    ) -> Result<T, MessagingError> {
        let step = self.state().script.next(operation);
        if let Some(step) = &step
            && !step.delay.is_zero()
        {
            tokio::time::sleep(step.delay).await;
        }
        let failure = step.as_ref().and_then(Step::error);
        let result = match failure {
            Some(error) if step.is_some_and(|step| step.is_after) => work.await.and(Err(error)),
            Some(error) => Err(error),
            None => work.await,
        };
        let error = result.as_ref().err().map(MessagingError::code);
        self.state().calls.add(Call { operation, conversation: conversation.cloned(), error });
        result
    }

    /// As [`play`](Self::play), for what only a running backend does.
    async fn running<T>(
        &self,
        operation: Operation,
        conversation: Option<&ConversationId>,
        work: impl Work<T>,
    ) -> Result<T, MessagingError> {
        // The token comes first: a stop that begins after this waits for it.
        let _in_flight = self.in_flight.token();
        let entered = self.enter(operation);
        self.play(operation, conversation, async move {
            entered?;
            work(&mut self.state(), Timestamp::now())
        })
        .await
    }
}

/// What an operation does at once.
trait Work<T>: FnOnce(&mut State, Timestamp) -> Result<T, MessagingError> + Send {}
impl<T, F: FnOnce(&mut State, Timestamp) -> Result<T, MessagingError> + Send> Work<T> for F {}

#[async_trait]
impl ConversationalBackend for ScriptedBackend {
    async fn start(&self) -> Result<(), MessagingError> {
        self.play(Operation::Start, None, async {
            self.in_flight.reopen();
            self.state().is_running = true;
            Ok(())
        })
        .await
    }

    async fn stop(&self) -> Result<(), MessagingError> {
        self.play(Operation::Stop, None, async {
            self.state().is_running = false;
            self.in_flight.close();
            let ended = tokio::time::timeout(self.config.timeout(), self.in_flight.wait()).await;
            self.streams.close_all();
            let late = |_| MessagingError::new(Operation::Stop, ErrorCode::ShutdownError, "calls did not end in time");
            ended.map_err(late)
        })
        .await
    }

    async fn create_conversation(&self, config: ConversationConfig) -> Result<Conversation, MessagingError> {
        let work = |state: &mut State, now| {
            rules::conversation(&config)?;
            state.create(config, now)
        };
        self.running(Operation::CreateConversation, None, work).await
    }

    async fn get_conversation(&self, id: &ConversationId) -> Result<Conversation, MessagingError> {
        let work = |state: &mut State, _| Ok(state.room(Operation::GetConversation, id)?.conversation.clone());
        self.running(Operation::GetConversation, Some(id), work).await
    }

    async fn list_conversations(&self) -> Result<Vec<Conversation>, MessagingError> {
        self.running(Operation::ListConversations, None, |state: &mut State, _| Ok(state.conversations())).await
    }

    async fn close_conversation(&self, id: &ConversationId) -> Result<(), MessagingError> {
        let work = |state: &mut State, now| {
            let conversation = &mut state.room(Operation::CloseConversation, id)?.conversation;
            if conversation.state != ConversationState::Closed {
                conversation.state = ConversationState::Closed;
                conversation.updated_at = Some(now);
            }
            self.streams.close(&conversation.id);
            Ok(())
        };
        self.running(Operation::CloseConversation, Some(id), work).await
    }

    async fn send_message(&self, id: &ConversationId, message: OutgoingMessage) -> Result<SentMessage, MessagingError> {
        let work = |state: &mut State, now| {
            rules::message(&message)?;
            let author = message.author.clone().unwrap_or_else(|| IDENTITY.to_owned());
            let sent = state.say(Operation::SendMessage, id, author, message, None, now)?;
            Ok(SentMessage { id: sent.id, index: sent.index, created_at: sent.created_at })
        };
        self.running(Operation::SendMessage, Some(id), work).await
    }

    async fn receive_messages(&self, id: &ConversationId) -> Result<MessageStream, MessagingError> {
        let work = |state: &mut State, _| {
            let conversation = &state.room(Operation::ReceiveMessages, id)?.conversation;
            if conversation.state == ConversationState::Closed {
                let why = "the conversation is closed";
                return Err(MessagingError::new(Operation::ReceiveMessages, ErrorCode::ChannelFailed, why));
            }
            let stream: MessageStream = Box::pin(self.streams.open(&conversation.id));
            Ok(stream)
        };
        self.running(Operation::ReceiveMessages, Some(id), work).await
    }

    async fn add_participant(
        &self,
        id: &ConversationId,
        participant: NewParticipant,
    ) -> Result<Participant, MessagingError> {
        let work = |state: &mut State, _| {
            rules::participant(&participant)?;
            state.add(id, participant)
        };
        self.running(Operation::AddParticipant, Some(id), work).await
    }

    async fn remove_participant(&self, id: &ConversationId, participant: &ParticipantId) -> Result<(), MessagingError> {
        let work = |state: &mut State, _| state.remove(id, participant);
        self.running(Operation::RemoveParticipant, Some(id), work).await
    }

    async fn handle_webhook(&self, event: &WebhookEvent) -> Result<(), MessagingError> {
        let work = |state: &mut State, now| {
            let Some(Told { conversation, id, author, body }) = webhook::read(&self.config, event)? else {
                return Ok(());
            };
            let id: Option<MessageId> = Some(id);
            let told = state.say(Operation::HandleWebhook, &conversation, author, text(&body), id, now);
            let message = told.map_err(|error| {
                let why = "the webhook is about no open conversation";
                MessagingError::new(Operation::HandleWebhook, ErrorCode::InvalidWebhook, why).with_source(error)
            })?;
            self.streams.deliver(&message);
            Ok(())
        };
        self.running(Operation::HandleWebhook, None, work).await
    }

    async fn health_check(&self) -> Result<HealthStatus, MessagingError> {
        self.play(Operation::HealthCheck, None, async {
            let state = self.state();
            let health = state.health.clone().with_active_conversations(self.streams.conversations());
            if state.is_running {
                return Ok(health);
            }
            Ok(health.because(HealthState::Unhealthy, "the backend is not running"))
        })
        .await
    }

    fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config)
    }
}
