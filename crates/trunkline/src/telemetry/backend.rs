//! The decorator that gives every operation of a backend its span, its counters and its histogram.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};
use tracing::Span;
use tracing::field::Empty;
use trunkline_core::HealthStatus;
use trunkline_core::event::SendMessage;
use trunkline_core::messaging::{
    Config, Conversation, ConversationConfig, ConversationId, ConversationalBackend, MessageStream, MessagingError,
    NewParticipant, Operation, OutgoingMessage, Participant, ParticipantId, SentMessage, WebhookEvent,
};

use super::metrics::seconds;
use super::names::{self, OPERATIONS};
use super::operations::{Operations, Went, outcome};

/// A backend that is watched. Everything that the wrapped one does goes through here.
pub struct Observed {
    inner: Arc<dyn ConversationalBackend>,
    account: String,
    operations: Operations<Operation>,
    operations_total: Counter<u64>,
    operation_duration: Histogram<f64>,
    errors_total: Counter<u64>,
    conversations_total: Counter<u64>,
    messages_total: Counter<u64>,
}

impl Observed {
    /// Wraps `inner`, recording with `meter`. `account` becomes the attribute `twilio.account_sid`.
    pub fn new(inner: Arc<dyn ConversationalBackend>, account: impl Into<String>, meter: &Meter) -> Self {
        let whole = [names::BACKEND_OPERATIONS, names::BACKEND_DURATION, names::BACKEND_ERRORS];
        Self {
            account: account.into(),
            operations: Operations::new(meter, OPERATIONS, whole),
            operations_total: meter.u64_counter(names::OPERATIONS_TOTAL).build(),
            operation_duration: seconds(meter, names::OPERATION_DURATION),
            errors_total: meter.u64_counter(names::ERRORS_TOTAL).build(),
            conversations_total: meter.u64_counter(names::CONVERSATIONS_TOTAL).build(),
            messages_total: meter.u64_counter(names::MESSAGES_TOTAL).build(),
            inner,
        }
    }

    fn span(&self, operation: Operation) -> Span {
        let Some(name) = self.operations.span(operation) else { return Span::none() };
        if !self.inner.config().enable_tracing() {
            return Span::none();
        }
        tracing::info_span!(
            "backend",
            otel.name = name,
            otel.kind = "client",
            otel.status_code = Empty,
            operation = operation.as_str(),
            provider = "twilio",
            conversation_sid = Empty,
            message_sid = Empty,
            twilio.account_sid = self.account.as_str(),
            twilio.operation = operation.as_str(),
            twilio.conversation_sid = Empty,
            twilio.message_sid = Empty,
            conversation.friendly_name = Empty,
            conversation.state = Empty,
            message.channel = Empty,
            message.has_media = Empty,
            webhook.event_type = Empty,
            webhook.conversation_sid = Empty,
            error.code = Empty,
        )
    }

    async fn observe<T>(
        &self,
        operation: Operation,
        span: Span,
        work: impl Future<Output = Result<T, MessagingError>> + Send,
    ) -> Result<T, MessagingError> {
        let (outcome, went) = self.operations.observe(|| self.inner.config(), operation, span, work, log).await;
        if let Some(went) = went {
            self.count(operation, &went);
        }
        outcome
    }

    /// What the package counts besides.
    fn count(&self, operation: Operation, went: &Went) {
        let name = KeyValue::new("operation", operation.as_str());
        let provider = KeyValue::new("provider", "twilio");
        self.operation_duration.record(went.took.as_secs_f64(), std::slice::from_ref(&name));
        self.operations_total.add(1, &[name.clone(), provider.clone(), outcome(went)]);
        match (went.error_code, operation) {
            (Some(code), _) => self.errors_total.add(1, &[name, provider, KeyValue::new("error_code", code)]),
            (None, Operation::CreateConversation) => self.conversations_total.add(1, &[provider]),
            (None, Operation::SendMessage) => self.messages_total.add(1, &[provider]),
            (None, _) => {}
        }
    }

    /// Watches a message that is sent by another way than the backend, as its own are. `work` tells the message's SID.
    pub(crate) async fn watch_send(
        &self,
        message: &SendMessage,
        work: impl Future<Output = Result<String, MessagingError>> + Send,
    ) -> Result<String, MessagingError> {
        let span = self.about(Operation::SendMessage, &ConversationId::new(&message.conversation));
        if let Some(channel) = message.channel {
            span.record("message.channel", channel.as_str());
        }
        span.record("message.has_media", message.media_sha256.is_some());
        let work = async {
            let sid = work.await?;
            Span::current().record("message_sid", sid.as_str());
            Span::current().record("twilio.message_sid", sid.as_str());
            Ok(sid)
        };
        self.observe(Operation::SendMessage, span, work).await
    }

    fn about(&self, operation: Operation, conversation: &ConversationId) -> Span {
        let span = self.span(operation);
        record_conversation(&span, conversation);
        span
    }
}

/// Errors are warnings, what happens once in the life of a conversation or a backend is information, the rest is
/// detail. Webhooks that are turned away are the edge's to report: it knows how many lines are enough.
fn log(operation: Operation, error: Option<&MessagingError>) {
    let name = operation.as_str();
    match (operation, error) {
        (Operation::HandleWebhook, Some(error)) => {
            tracing::debug!(operation = name, error.code = error.code().as_str(), %error, "the backend refused");
        }
        (_, Some(error)) => {
            tracing::warn!(operation = name, error.code = error.code().as_str(), %error, "the backend refused");
        }
        (
            Operation::Start
            | Operation::Stop
            | Operation::CreateConversation
            | Operation::CloseConversation
            | Operation::AddParticipant
            | Operation::RemoveParticipant,
            None,
        ) => tracing::info!(operation = name, "the backend is done"),
        (_, None) => tracing::debug!(operation = name, "the backend is done"),
    }
}

fn record_conversation(span: &Span, conversation: &ConversationId) {
    span.record("conversation_sid", conversation.as_str());
    span.record("twilio.conversation_sid", conversation.as_str());
}

#[async_trait]
impl ConversationalBackend for Observed {
    async fn start(&self) -> Result<(), MessagingError> {
        self.observe(Operation::Start, self.span(Operation::Start), self.inner.start()).await
    }

    async fn stop(&self) -> Result<(), MessagingError> {
        self.observe(Operation::Stop, self.span(Operation::Stop), self.inner.stop()).await
    }

    async fn create_conversation(&self, config: ConversationConfig) -> Result<Conversation, MessagingError> {
        let span = self.span(Operation::CreateConversation);
        if let Some(name) = &config.friendly_name {
            span.record("conversation.friendly_name", name.as_str());
        }
        span.record("conversation.state", config.state.map_or("active", |state| state.as_str()));
        let work = async {
            let created = self.inner.create_conversation(config).await?;
            record_conversation(&Span::current(), &created.id);
            Ok(created)
        };
        self.observe(Operation::CreateConversation, span, work).await
    }

    async fn get_conversation(&self, id: &ConversationId) -> Result<Conversation, MessagingError> {
        let span = self.about(Operation::GetConversation, id);
        self.observe(Operation::GetConversation, span, self.inner.get_conversation(id)).await
    }

    async fn list_conversations(&self) -> Result<Vec<Conversation>, MessagingError> {
        let span = self.span(Operation::ListConversations);
        self.observe(Operation::ListConversations, span, self.inner.list_conversations()).await
    }

    async fn close_conversation(&self, id: &ConversationId) -> Result<(), MessagingError> {
        let span = self.about(Operation::CloseConversation, id);
        self.observe(Operation::CloseConversation, span, self.inner.close_conversation(id)).await
    }

    async fn send_message(&self, id: &ConversationId, message: OutgoingMessage) -> Result<SentMessage, MessagingError> {
        let span = self.about(Operation::SendMessage, id);
        if let Some(channel) = message.channel {
            span.record("message.channel", channel.as_str());
        }
        span.record("message.has_media", !message.media.is_empty());
        let work = async {
            let sent = self.inner.send_message(id, message).await?;
            Span::current().record("message_sid", sent.id.as_str());
            Span::current().record("twilio.message_sid", sent.id.as_str());
            Ok(sent)
        };
        self.observe(Operation::SendMessage, span, work).await
    }

    async fn receive_messages(&self, id: &ConversationId) -> Result<MessageStream, MessagingError> {
        let span = self.about(Operation::ReceiveMessages, id);
        self.observe(Operation::ReceiveMessages, span, self.inner.receive_messages(id)).await
    }

    async fn add_participant(
        &self,
        id: &ConversationId,
        participant: NewParticipant,
    ) -> Result<Participant, MessagingError> {
        let span = self.about(Operation::AddParticipant, id);
        self.observe(Operation::AddParticipant, span, self.inner.add_participant(id, participant)).await
    }

    async fn remove_participant(&self, id: &ConversationId, participant: &ParticipantId) -> Result<(), MessagingError> {
        let span = self.about(Operation::RemoveParticipant, id);
        self.observe(Operation::RemoveParticipant, span, self.inner.remove_participant(id, participant)).await
    }

    async fn handle_webhook(&self, event: &WebhookEvent) -> Result<(), MessagingError> {
        let span = self.span(Operation::HandleWebhook);
        if let Some(event_type) = event.param("EventType") {
            span.record("webhook.event_type", event_type);
        }
        if let Some(conversation) = event.param("ConversationSid") {
            span.record("webhook.conversation_sid", conversation);
            span.record("conversation_sid", conversation);
            span.record("twilio.conversation_sid", conversation);
        }
        if let Some(message) = event.param("MessageSid") {
            span.record("message_sid", message);
            span.record("twilio.message_sid", message);
        }
        self.observe(Operation::HandleWebhook, span, self.inner.handle_webhook(event)).await
    }

    async fn health_check(&self) -> Result<HealthStatus, MessagingError> {
        self.observe(Operation::HealthCheck, self.span(Operation::HealthCheck), self.inner.health_check()).await
    }

    fn config(&self) -> Arc<Config> {
        self.inner.config()
    }
}
