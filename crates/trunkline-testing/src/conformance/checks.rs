//! The list of checks, and what they are made of.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::timeout;
use trunkline_core::Retry;
use trunkline_core::messaging::{
    ConversationConfig, ConversationId, ConversationalBackend, ErrorCode, Message, MessageStream, MessagingError,
    Operation,
};

use super::{Subject, conversations, lifecycle, messages, participants, streams, webhooks};

pub(super) type Ended = Result<(), String>;
type Run = for<'a> fn(&'a dyn Subject) -> Pin<Box<dyn Future<Output = Ended> + Send + 'a>>;

/// A check of the suite.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Check {
    /// Its name, which says what is promised.
    pub name: &'static str,
    /// The operation that it is about.
    pub operation: Operation,
    run: Run,
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("name", &self.name).field("operation", &self.operation).finish_non_exhaustive()
    }
}

impl Check {
    pub(super) async fn run(&self, subject: &dyn Subject) -> Ended {
        (self.run)(subject).await
    }
}

macro_rules! checks {
    ($($operation:ident: $($module:ident::$name:ident),+;)+) => {
        /// Every check, in the order in which they run.
        pub const CHECKS: &[Check] = &[$($(Check {
            name: stringify!($name),
            operation: Operation::$operation,
            run: |subject| Box::pin($module::$name(subject)),
        }),+),+];
    };
}

checks! {
    Start: lifecycle::starting_twice_is_a_success, lifecycle::it_starts_again_after_a_stop;
    Stop: lifecycle::every_operation_refuses_when_stopped, lifecycle::stopping_twice_is_a_success,
        streams::streams_end_at_a_stop;
    CreateConversation: conversations::a_conversation_is_created_as_it_was_asked_for,
        conversations::a_wrong_configuration_is_refused;
    GetConversation: conversations::what_was_created_is_found, conversations::an_unknown_conversation_is_not_found;
    ListConversations: conversations::every_conversation_is_listed_once;
    CloseConversation: conversations::closing_is_final, conversations::closing_twice_is_a_success,
        conversations::an_unknown_conversation_is_not_closed;
    SendMessage: messages::messages_are_received_in_order, messages::an_invalid_message_is_refused,
        messages::nothing_is_sent_to_an_unknown_conversation, messages::nothing_is_sent_to_a_closed_conversation;
    ReceiveMessages: streams::what_a_person_says_arrives_in_order, streams::every_stream_has_every_message,
        streams::a_stream_hears_of_no_other_conversation, streams::streams_end_when_the_conversation_closes,
        streams::a_slow_receiver_loses_nothing_in_silence, streams::no_stream_of_what_is_unknown_or_closed;
    AddParticipant: participants::a_participant_is_added_as_they_are,
        participants::a_participant_who_is_there_already_is_a_success,
        participants::an_invalid_participant_is_refused, participants::nobody_is_added_to_an_unknown_conversation;
    RemoveParticipant: participants::a_participant_leaves_once, participants::nobody_leaves_an_unknown_conversation;
    HandleWebhook: webhooks::a_webhook_reaches_the_streams, webhooks::a_forged_webhook_reaches_nobody,
        webhooks::an_incomplete_webhook_is_refused;
    HealthCheck: lifecycle::health_is_told_running_and_stopped, streams::health_counts_live_conversations;
    GetConfig: lifecycle::the_configuration_stays_the_same;
}

/// How long anything may take that happens by itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// The backend, running.
pub(super) async fn running(subject: &dyn Subject) -> Result<Arc<dyn ConversationalBackend>, String> {
    let backend = subject.backend();
    backend.start().await.map_err(|error| format!("it does not start: {error}"))?;
    Ok(backend)
}

/// The backend, running, with a conversation.
pub(super) async fn with_room(
    subject: &dyn Subject,
) -> Result<(Arc<dyn ConversationalBackend>, ConversationId), String> {
    let backend = running(subject).await?;
    let created = backend.create_conversation(ConversationConfig::default()).await;
    let id = created.map_err(|error| format!("no conversation is created: {error}"))?.id;
    Ok((backend, id))
}

/// The backend, running, with a conversation that the person is in.
pub(super) async fn with_person(
    subject: &dyn Subject,
) -> Result<(Arc<dyn ConversationalBackend>, ConversationId), String> {
    let (backend, id) = with_room(subject).await?;
    let added = backend.add_participant(&id, subject.person()).await;
    added.map_err(|error| format!("the person is not added: {error}"))?;
    Ok((backend, id))
}

/// What an operation gave.
pub(super) fn done<T>(result: Result<T, MessagingError>) -> Result<T, String> {
    result.map_err(|error| format!("{error}"))
}

pub(super) fn ensure(is_so: bool, otherwise: impl FnOnce() -> String) -> Ended {
    if is_so { Ok(()) } else { Err(otherwise()) }
}

/// Whether an operation was refused with that code, under its own name, and not to be tried again.
pub(super) fn refused<T>(result: Result<T, MessagingError>, operation: Operation, code: ErrorCode) -> Ended {
    let error = result.err().ok_or_else(|| format!("{operation} succeeded where {code} was due"))?;
    ensure(error.code() == code, || format!("{code} was due, not: {error}"))?;
    ensure(error.operation() == operation, || format!("the error is of {operation} and says: {error}"))?;
    ensure(error.retry() == Retry::No, || format!("{code} will not go away, but it says {:?}", error.retry()))
}

/// Whether an operation was refused because the backend is stopped.
pub(super) fn not_running<T>(result: Result<T, MessagingError>, operation: Operation) -> Ended {
    let error = result.err().ok_or_else(|| format!("{operation} succeeded on a stopped backend"))?;
    ensure(error.code() == ErrorCode::NotRunning, || format!("ErrCodeNotRunning was due, not: {error}"))?;
    ensure(error.operation() == operation, || format!("the error is of {operation} and says: {error}"))?;
    let is_later = matches!(error.retry(), Retry::After(_));
    ensure(is_later, || format!("nothing happened, it may be tried again; but it says {:?}", error.retry()))
}

/// The next message of a stream; `None` at its end.
pub(super) async fn next(stream: &mut MessageStream) -> Result<Option<Message>, String> {
    timeout(PATIENCE, stream.next()).await.map_err(|_| "a stream neither brought a message nor ended".to_owned())
}

/// Waits until the person has received exactly `expected`.
pub(super) async fn received(subject: &dyn Subject, id: &ConversationId, expected: &[String]) -> Ended {
    let mut found = Vec::new();
    let wait = async {
        loop {
            found = subject.person_received(id).await;
            if found.len() >= expected.len() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let in_time = timeout(PATIENCE, wait).await.is_ok();
    ensure(in_time && found == expected, || format!("the person received {found:?}, not {expected:?}"))
}
