//! The scripted backend keeps the contract, and breaks it as the script says.
#![expect(clippy::unwrap_used, reason = "a test that finds something else fails here")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use tokio::time::Instant;
use trunkline_core::messaging::{
    Binding, Config, ConversationConfig, ConversationId, ConversationalBackend, ErrorCode, NewParticipant, Operation,
    OutgoingMessage, ParticipantId, Registry, WebhookEvent,
};
use trunkline_core::{Channel, HealthState, Pii, Retry};
use trunkline_testing::conformance::{self, CHECKS, Subject};
use trunkline_testing::{PROVIDER, STREAM_BUFFER_SETTING, ScriptedBackend, Step, register};

const ADA: &str = "+15550001111";

/// The scripted backend, with something wrong if a check is to fail.
struct Scripted {
    backend: Arc<ScriptedBackend>,
    is_mute: bool,
}

impl Scripted {
    fn new() -> Self {
        let config = Config::builder().provider(PROVIDER).setting(STREAM_BUFFER_SETTING, "16").build().unwrap();
        Self { backend: Arc::new(ScriptedBackend::with_config(config).unwrap()), is_mute: false }
    }
}

#[async_trait]
impl Subject for Scripted {
    fn backend(&self) -> Arc<dyn ConversationalBackend> {
        self.backend.clone()
    }

    fn person(&self) -> NewParticipant {
        let address = Pii::new(ADA.to_owned());
        let binding = Some(Binding { channel: Channel::Sms, address, proxy_address: None });
        NewParticipant { binding, ..NewParticipant::default() }
    }

    async fn person_says(&self, conversation: &ConversationId, body: &str) {
        assert!(!self.is_mute, "the person cannot speak");
        self.backend.person_says(conversation, ADA, body).unwrap();
    }

    async fn person_received(&self, conversation: &ConversationId) -> Vec<String> {
        self.backend.received_by(conversation, ADA)
    }

    fn unknown(&self) -> (ConversationId, ParticipantId) {
        ("nowhere".into(), "nobody".into())
    }

    fn flood(&self) -> usize {
        40
    }

    fn webhook(&self, conversation: &ConversationId, body: &str) -> Option<WebhookEvent> {
        Some(self.backend.webhook(conversation, "m-1", ADA, body))
    }

    fn incomplete_webhook(&self) -> Option<WebhookEvent> {
        Some(self.backend.webhook(&"nowhere".into(), "m-1", ADA, ""))
    }
}

fn text(body: &str) -> OutgoingMessage {
    OutgoingMessage { body: Pii::new(body.to_owned()), ..OutgoingMessage::default() }
}

async fn with_room() -> (Arc<ScriptedBackend>, ConversationId) {
    let backend = Arc::new(ScriptedBackend::new());
    backend.start().await.unwrap();
    let id = backend.create_conversation(ConversationConfig::default()).await.unwrap().id;
    (backend, id)
}

#[tokio::test]
async fn it_keeps_the_contract() {
    let verdict = conformance::check(async || Scripted::new()).await;
    verdict.assert_passed();
    assert_eq!(verdict.outcomes().len(), CHECKS.len());
    let operations: std::collections::HashSet<_> = CHECKS.iter().map(|check| check.operation).collect();
    assert_eq!(operations.len(), 13);
}

#[tokio::test]
async fn every_check_that_fails_is_named() {
    let verdict = conformance::check(async || {
        let subject = Scripted { is_mute: true, ..Scripted::new() };
        subject.backend.script(Step::fail(Operation::HealthCheck, ErrorCode::NetworkError).always());
        subject.backend.script(Step::fail(Operation::CloseConversation, ErrorCode::CloseFailed).always());
        subject
    });
    let verdict = verdict.await;
    let failed: Vec<_> = verdict.failed().map(|outcome| outcome.check).collect();
    for name in ["closing_is_final", "what_a_person_says_arrives_in_order", "health_is_told_running_and_stopped"] {
        assert!(failed.contains(&name), "{failed:?}");
    }
    assert!(!failed.contains(&"messages_are_received_in_order"), "{failed:?}");
    let told = verdict.to_string();
    assert!(told.contains("what_a_person_says_arrives_in_order (receive_messages): the person cannot speak"), "{told}");
    assert!(told.contains("closing_is_final (close_conversation): close_conversation: the script says so"), "{told}");
}

#[tokio::test]
async fn failures_come_before_or_after_the_effect() {
    let (backend, id) = with_room().await;
    let limit = Retry::After(Duration::from_secs(1));
    backend.script(Step::fail(Operation::SendMessage, ErrorCode::RateLimit).retry(limit).times(2));
    backend.script(Step::fail(Operation::SendMessage, ErrorCode::NetworkError).after_effect());
    let mut errors = Vec::new();
    for number in 0..4 {
        let sent = backend.send_message(&id, text(&number.to_string())).await;
        errors.push(sent.err().map(|error| (error.code(), error.retry())));
    }
    let throttled = Some((ErrorCode::RateLimit, limit));
    assert_eq!(errors, [throttled, throttled, Some((ErrorCode::NetworkError, Retry::Unknown)), None]);
    assert!(backend.is_script_played());
    assert_eq!(backend.received_by(&id, ADA), ["2", "3"]);
    assert_eq!(backend.calls()[2].error, Some(ErrorCode::RateLimit));
    backend.assert_called(Operation::SendMessage, 4);
    backend.forget_calls();
    backend.close_conversation(&id).await.unwrap();
    backend.assert_calls(&[Operation::CloseConversation]);
}

#[tokio::test(start_paused = true)]
async fn a_delay_takes_its_time_and_a_stop_waits_for_it() {
    let (backend, id) = with_room().await;
    backend.script(Step::delay(Operation::SendMessage, Duration::from_secs(3)));
    let began = Instant::now();
    let (sent, stopped) = tokio::join!(backend.send_message(&id, text("late")), backend.stop());
    sent.unwrap();
    stopped.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(3));

    backend.start().await.unwrap();
    backend.script(Step::delay(Operation::SendMessage, Duration::from_mins(1)));
    let (sent, stopped) = tokio::join!(backend.send_message(&id, text("later")), backend.stop());
    sent.unwrap();
    assert_eq!(stopped.unwrap_err().code(), ErrorCode::ShutdownError);
}

#[tokio::test]
async fn health_is_what_it_was_told() {
    let (backend, _) = with_room().await;
    backend.set_health(HealthState::Degraded, "rate limited");
    let status = backend.health_check().await.unwrap();
    assert_eq!((status.state, status.reasons), (HealthState::Degraded, vec!["rate limited".to_owned()]));
    backend.set_health(HealthState::Healthy, "");
    assert_eq!(backend.health_check().await.unwrap().state, HealthState::Healthy);
}

#[tokio::test]
async fn a_webhook_that_comes_twice_is_kept_once() {
    let (backend, id) = with_room().await;
    let mut stream = backend.receive_messages(&id).await.unwrap();
    let webhook = backend.webhook(&id, "m-1", ADA, "hello");
    for _ in 0..2 {
        backend.handle_webhook(&webhook).await.unwrap();
        assert_eq!(stream.next().await.unwrap().index, 0);
    }
    assert_eq!(backend.messages(&id).len(), 1);
}

#[tokio::test]
async fn the_registry_gives_out_new_ones_or_the_same_one() {
    let mut registry = Registry::new();
    register(&mut registry);
    let config = || Config::builder().provider(PROVIDER).build().unwrap();
    let made = registry.create(PROVIDER, config()).unwrap();
    assert_eq!(made.config().provider(), PROVIDER);
    let bad = Config::builder().provider(PROVIDER).setting(STREAM_BUFFER_SETTING, "0").build().unwrap();
    assert_eq!(registry.create(PROVIDER, bad).err().unwrap().code(), ErrorCode::InvalidConfig);

    let (backend, id) = with_room().await;
    backend.register_in(&mut registry);
    let same = registry.create(PROVIDER, config()).unwrap();
    same.send_message(&id, text("hello")).await.unwrap();
    assert_eq!(backend.received_by(&id, ADA), ["hello"]);
}
