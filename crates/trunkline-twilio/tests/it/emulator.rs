//! The backend against a whole local Twilio: texts from a phone, signed webhooks, answers, faults.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use trunkline_core::messaging::{
    Config, ConfigBuilder, ConversationConfig, ConversationId, ConversationalBackend, ErrorCode, MediaSource,
    NewParticipant, OutgoingMessage, ParticipantId, WebhookEvent,
};
use trunkline_core::{HealthState, Pii, Retry};
use trunkline_emulator::Emulator;
use trunkline_proto::form;
use trunkline_twilio::rest::{Class, ERROR_NUMBERS};
use trunkline_twilio::{TwilioMessaging, message_from_rest};

use crate::support::{PATIENCE, wait_until};

pub(crate) const ADA: &str = "+15550001111";

/// A running backend, the emulator that it talks to, and the address that webhooks come to.
pub(crate) struct World {
    pub(crate) emulator: Emulator,
    pub(crate) backend: Arc<TwilioMessaging>,
    http: reqwest::Client,
    _receiver: DropGuard,
}

#[derive(Clone)]
struct Receiver {
    url: String,
    backend: Arc<OnceLock<Arc<TwilioMessaging>>>,
}

async fn receive(State(receiver): State<Receiver>, method: Method, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    let event = WebhookEvent {
        url: receiver.url.clone(),
        method: method.to_string(),
        headers: headers.iter().filter_map(header).collect(),
        params: form::decode(&body).unwrap(),
        body,
        received_at: Timestamp::UNIX_EPOCH,
    };
    match receiver.backend.get().unwrap().handle_webhook(&event).await {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::FORBIDDEN,
    }
}

fn settings(emulator: &Emulator) -> ConfigBuilder {
    let account = emulator.account();
    Config::builder()
        .provider("twilio")
        .setting("account_sid", account.account_sid.as_str())
        .secret("auth_token", account.auth_token.as_str())
        .setting("chat_service_sid", account.chat_service_sid.as_str())
        .setting("identity", account.identity.as_str())
        .setting("phone_number", account.phone_number.as_str())
        .setting("base_url", emulator.url())
}

async fn world() -> World {
    world_with(|config| config).await
}

pub(crate) async fn world_with(change: impl Fn(ConfigBuilder) -> ConfigBuilder) -> World {
    let emulator = Emulator::start_for_tests().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhooks/twilio", listener.local_addr().unwrap());
    let receiver = Receiver { url: url.clone(), backend: Arc::default() };
    let router = Router::new().route("/webhooks/twilio", post(receive)).with_state(receiver.clone());
    let end = CancellationToken::new();
    let ended = end.clone();
    TaskTracker::new().spawn(async move {
        tokio::select! {
            () = ended.cancelled() => {}
            served = axum::serve(listener, router) => served.unwrap(),
        }
    });

    let config = change(settings(&emulator)).setting("webhook_url", url).build().unwrap();
    let backend = Arc::new(TwilioMessaging::new(config).unwrap());
    receiver.backend.set(Arc::clone(&backend)).unwrap();
    backend.start().await.unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    World { emulator, backend, http, _receiver: end.drop_guard() }
}

impl World {
    async fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.emulator.url());
        let answer = self.http.post(url).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        answer.json().await.unwrap()
    }

    /// A person texts; the conversation that it went into.
    pub(crate) async fn text(&self, body: &str) -> ConversationId {
        let answer = self.post("/emulator/v1/messages", json!({"from": ADA, "body": body})).await;
        answer["conversation_sid"].as_str().unwrap().into()
    }

    /// What the person's phone received.
    pub(crate) async fn received(&self) -> Vec<String> {
        let url = format!("{}/emulator/v1/phones/{ADA}/messages", self.emulator.url());
        let phone: Value = self.http.get(url).send().await.unwrap().json().await.unwrap();
        let messages = phone["messages"].as_array().unwrap().iter();
        let received = messages.filter(|message| message["direction"] == "received");
        received.map(|message| message["body"].as_str().unwrap().to_owned()).collect()
    }
}

fn text(body: &str) -> OutgoingMessage {
    OutgoingMessage { body: Pii::new(body.to_owned()), ..OutgoingMessage::default() }
}

#[tokio::test]
async fn a_text_comes_in_and_its_answer_goes_out() {
    let world = world().await;
    let backend = &world.backend;
    assert_eq!(backend.health_check().await.unwrap().state, HealthState::Healthy);

    let conversation = world.text("hello").await;
    let mut messages = backend.receive_messages(&conversation).await.unwrap();
    assert_eq!(world.text("is anybody there?").await, conversation);
    let message = timeout(PATIENCE, messages.next()).await.unwrap().unwrap();
    // The first text may still have been on its way when the stream was opened.
    let message = match message.index {
        0 => timeout(PATIENCE, messages.next()).await.unwrap().unwrap(),
        _ => message,
    };
    assert_eq!((message.index, message.body.expose().as_str()), (1, "is anybody there?"));
    assert_eq!(message.author.expose(), ADA);

    let sent = backend.send_message(&conversation, text("yes")).await.unwrap();
    assert_eq!(sent.index, 2);
    wait_until(async || world.received().await == ["yes"]).await;

    backend.close_conversation(&conversation).await.unwrap();
    backend.close_conversation(&conversation).await.unwrap();
    assert!(timeout(PATIENCE, messages.next()).await.unwrap().is_none());
    let error = backend.receive_messages(&conversation).await.err().unwrap();
    assert_eq!(error.code(), ErrorCode::ChannelFailed);
    // The pair of addresses is free again: the next text opens a new conversation.
    assert_ne!(world.text("again").await, conversation);
    backend.stop().await.unwrap();
}

#[tokio::test]
async fn participants_join_once_and_leave_once() {
    let world = world().await;
    let backend = &world.backend;
    let conversation = backend.create_conversation(ConversationConfig::default()).await.unwrap().id;
    let bot = || NewParticipant { identity: Some("bot".to_owned()), ..NewParticipant::default() };
    let first = backend.add_participant(&conversation, bot()).await.unwrap();
    assert_eq!(backend.add_participant(&conversation, bot()).await.unwrap().id, first.id);

    backend.remove_participant(&conversation, &first.id).await.unwrap();
    let error = backend.remove_participant(&conversation, &first.id).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ParticipantNotFound);
    let nowhere = ConversationId::new("CH00000000000000000000000000000009");
    let error = backend.remove_participant(&nowhere, &ParticipantId::new("bot")).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ConversationNotFound);
    assert_eq!(backend.add_participant(&nowhere, bot()).await.unwrap_err().code(), ErrorCode::ConversationNotFound);
    assert_eq!(backend.send_message(&nowhere, text("x")).await.unwrap_err().code(), ErrorCode::ConversationNotFound);
}

#[tokio::test]
async fn every_conversation_and_every_message_is_found_again() {
    let world = world().await;
    let backend = &world.backend;
    for number in 0..120 {
        let unique_name = Some(format!("room {number}/a"));
        backend.create_conversation(ConversationConfig { unique_name, ..ConversationConfig::default() }).await.unwrap();
    }
    assert_eq!(backend.list_conversations().await.unwrap().len(), 120);
    let room = backend.get_conversation(&"room 7/a".into()).await.unwrap();
    assert_eq!(room.unique_name.as_deref(), Some("room 7/a"));

    for number in 0..120 {
        backend.send_message(&room.id, text(&format!("number {number}"))).await.unwrap();
    }
    let found = backend.rest().messages_after(room.id.as_str(), Some(4), 1_000).await.unwrap();
    assert!(found.is_complete);
    let found: Vec<_> = found.items.into_iter().map(message_from_rest).collect();
    assert_eq!(found.iter().map(|message| message.index).collect::<Vec<_>>(), (5..120).collect::<Vec<_>>());
    assert_eq!(found[0].body.expose(), "number 5");
    assert_eq!(found[0].author.expose(), world.emulator.account().identity.as_str());
}

#[tokio::test]
async fn a_lost_answer_is_not_sent_again_and_can_be_looked_up() {
    let world = world().await;
    let backend = &world.backend;
    let conversation = world.text("hello").await;
    let fault = json!({
        "match": {"method": "POST", "path": "/v1/Services/*/Conversations/*/Messages"}, "count": 1,
        "fault": {"kind": "drop_after"}
    });
    world.post("/emulator/v1/faults", fault).await;
    let attributes = Some(r#"{"outbox_id":"42"}"#.to_owned());
    let error = backend.send_message(&conversation, OutgoingMessage { attributes, ..text("once") }).await.unwrap_err();
    assert_eq!((error.code(), error.retry()), (ErrorCode::NetworkError, Retry::Unknown));

    let found = backend.rest().messages_after(conversation.as_str(), None, 100).await.unwrap();
    let carried = found.items.iter().filter(|message| message.attributes.contains("42")).count();
    assert_eq!(carried, 1);
    wait_until(async || world.received().await == ["once"]).await;
}

#[tokio::test]
async fn a_file_reaches_the_phone_and_comes_back_whole() {
    let world = world().await;
    let backend = &world.backend;
    let conversation = world.text("send me a picture").await;
    let data = Bytes::from_static(b"\x89PNG not really");
    let file = MediaSource::Bytes {
        content_type: "image/png".to_owned(),
        filename: Some("cat.png".to_owned()),
        data: data.clone(),
    };
    backend.send_message(&conversation, OutgoingMessage { media: vec![file], ..text("") }).await.unwrap();
    let found = backend.rest().messages_after(conversation.as_str(), Some(0), 10).await.unwrap();
    let media = &found.items[0].media.as_ref().unwrap()[0];
    assert_eq!((media.content_type.as_deref(), media.size), (Some("image/png"), Some(data.len() as u64)));
    let service = backend.rest().config().service_sid.unwrap();
    assert_eq!(backend.rest().download_media(service, media.sid, 1 << 20).await.unwrap(), data);
}

#[tokio::test]
async fn the_api_key_is_as_good_as_the_token_and_a_wrong_token_is_not() {
    let world = world().await;
    let account = world.emulator.account();
    let by_key = settings(&world.emulator)
        .setting("api_key", account.api_key.as_str())
        .secret("api_secret", account.api_secret.as_str());
    TwilioMessaging::new(by_key.build().unwrap()).unwrap().start().await.unwrap();

    let wrong = settings(&world.emulator).secret("auth_token", "wrong");
    let error = TwilioMessaging::new(wrong.build().unwrap()).unwrap().start().await.unwrap_err();
    assert_eq!((error.code(), error.provider_number()), (ErrorCode::AuthError, Some(20003)));
    let elsewhere = settings(&world.emulator).setting("chat_service_sid", "IS00000000000000000000000000000009");
    let error = TwilioMessaging::new(elsewhere.build().unwrap()).unwrap().start().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidConfig);
}

#[tokio::test]
async fn every_error_number_becomes_the_code_and_the_second_try_that_the_table_says() {
    let world = world().await;
    let patient = settings(&world.emulator).retry(0, Duration::ZERO, 1.0).build().unwrap();
    let backend = TwilioMessaging::new(patient).unwrap();
    backend.start().await.unwrap();
    let conversation = world.text("hello").await;
    for known in ERROR_NUMBERS {
        let (status, retry) = match known.class {
            Class::Refused | Class::Undelivered => (400, Retry::No),
            Class::Auth => (401, Retry::No),
            Class::Conflict => (409, Retry::After(Duration::ZERO)),
            Class::Throttled => (429, Retry::After(Duration::from_secs(7))),
            Class::Unavailable => (503, Retry::Unknown),
            class => panic!("{class:?} is new"),
        };
        let fault = json!({
            "match": {"method": "POST", "path": "/v1/Services/*/Conversations/*/Messages"}, "count": 1,
            "fault": {"kind": "status", "status": status, "code": known.number, "retry_after_ms": 7_000}
        });
        world.post("/emulator/v1/faults", fault).await;
        let error = backend.send_message(&conversation, text("x")).await.unwrap_err();
        assert_eq!((error.provider_number(), error.retry()), (Some(known.number), retry), "{known:?}");
        if let Some(code) = known.code {
            assert_eq!(error.code(), code, "{known:?}");
        }
    }
    assert!(world.received().await.is_empty());
    let health = backend.health_check().await.unwrap();
    assert_eq!(health.state, HealthState::Degraded, "it was asked to slow down");
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_left_alone_and_tried_again() {
    let world = world().await;
    let quick = settings(&world.emulator).retry(0, Duration::ZERO, 1.0).build().unwrap();
    let backend = TwilioMessaging::new(quick).unwrap();
    backend.start().await.unwrap();
    let conversation = world.text("hello").await;
    world.post("/emulator/v1/faults", json!({"match": {"path": "/v1/**"}, "fault": {"kind": "drop_before"}})).await;
    for _ in 0..10 {
        assert_eq!(backend.get_conversation(&conversation).await.unwrap_err().code(), ErrorCode::NetworkError);
    }
    let error = backend.send_message(&conversation, text("x")).await.unwrap_err();
    let Retry::After(wait) = error.retry() else { panic!("nothing was sent: {error}") };
    assert!(!wait.is_zero(), "{error}");
    assert_eq!(backend.health_check().await.unwrap().state, HealthState::Unhealthy);

    let faults = format!("{}/emulator/v1/faults", world.emulator.url());
    assert!(world.http.delete(faults).send().await.unwrap().status().is_success());
    wait_until(async || backend.send_message(&conversation, text("x")).await.is_ok()).await;
    wait_until(async || world.received().await == ["x"]).await;
    assert_eq!(backend.health_check().await.unwrap().state, HealthState::Healthy);
}
