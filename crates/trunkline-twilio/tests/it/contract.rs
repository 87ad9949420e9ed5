//! The contract's operations.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use trunkline_core::messaging::{
    Binding, ConfigBuilder, ConversationConfig, ConversationId, ConversationState, ConversationalBackend, ErrorCode,
    MediaSource, NewParticipant, OutgoingMessage, ParticipantId, Registry,
};
use trunkline_core::{Channel, HealthState, Pii, Retry};
use trunkline_proto::webhook::EventType;
use trunkline_twilio::{HANDLED_EVENTS, TwilioMessaging, register};

use crate::support::{AC, CH, FakeTwilio, IS, MB, PATIENCE, Reply, Seen, config, conversation, message, page};
use crate::support::{participant, refusal};

const WEBHOOK_URL: &str = "https://gateway.example.com/webhooks/twilio";

fn id() -> ConversationId {
    CH.into()
}

fn text(body: &str) -> OutgoingMessage {
    OutgoingMessage { body: Pii::new(body.to_owned()), ..OutgoingMessage::default() }
}

/// What a healthy account answers to the questions of start and health.
fn well(seen: &Seen) -> Option<Reply> {
    match seen.line().as_str() {
        "GET /v1/Configuration" => Some(Reply::Json(200, json!({"account_sid": AC, "default_chat_service_sid": IS}))),
        "GET /v1/Configuration/Webhooks" => Some(Reply::Json(200, webhooks("https://old.example.com"))),
        "POST /v1/Configuration/Webhooks" => Some(Reply::Json(200, webhooks(WEBHOOK_URL))),
        _ => None,
    }
}

fn webhooks(url: &str) -> Value {
    let filters: Vec<_> = HANDLED_EVENTS.iter().map(EventType::as_str).collect();
    json!({"account_sid": AC, "post_webhook_url": url, "pre_webhook_url": null, "method": "POST", "filters": filters})
}

/// A running backend against a server that answers everything but the start with `script`.
async fn running(
    change: impl Fn(ConfigBuilder) -> ConfigBuilder,
    script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> (Arc<TwilioMessaging>, FakeTwilio) {
    let twilio = FakeTwilio::start(move |seen, _| well(seen).unwrap_or_else(|| script(seen))).await;
    let backend = Arc::new(TwilioMessaging::new(change(config(&twilio.url())).build().unwrap()).unwrap());
    backend.start().await.unwrap();
    (backend, twilio)
}

fn same(builder: ConfigBuilder) -> ConfigBuilder {
    builder
}

#[tokio::test]
async fn the_registry_builds_it_and_start_verifies() {
    let twilio = FakeTwilio::start(|seen, _| well(seen).unwrap_or_else(|| refusal(404, 20404))).await;
    let mut registry = Registry::new();
    register(&mut registry);
    let backend = registry.create("twilio", config(&twilio.url()).build().unwrap()).unwrap();
    assert_eq!(backend.config().provider(), "twilio");
    backend.start().await.unwrap();
    backend.start().await.unwrap();
    assert_eq!(twilio.lines(), ["GET /v1/Configuration"]);

    let bad = config(&twilio.url()).setting("account_sid", "AC1").setting("colour", "blue").build().unwrap();
    let error = registry.create("twilio", bad).err().unwrap();
    assert_eq!(error.code(), ErrorCode::InvalidConfig);
    assert!(error.to_string().contains("account_sid") && error.to_string().contains("colour"), "{error}");
}

#[tokio::test]
async fn start_refuses_with_the_contracts_codes() {
    let start = async |change: fn(ConfigBuilder) -> ConfigBuilder, reply: fn(&Seen) -> Reply| {
        let twilio = FakeTwilio::start(move |seen, _| reply(seen)).await;
        let backend = TwilioMessaging::new(change(config(&twilio.url())).build().unwrap()).unwrap();
        let error = backend.start().await.unwrap_err();
        let refused = backend.get_conversation(&id()).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::NotRunning);
        (error.code(), error.provider_number())
    };
    let with_service = |config: ConfigBuilder| config.setting("chat_service_sid", IS);
    let with_webhook = |config: ConfigBuilder| config.setting("webhook_url", WEBHOOK_URL);
    assert_eq!(start(same, |_| refusal(401, 20003)).await, (ErrorCode::AuthError, Some(20003)));
    assert_eq!(start(with_service, |_| refusal(404, 20404)).await, (ErrorCode::InvalidConfig, None));
    assert_eq!(start(same, |_| refusal(503, 20503)).await, (ErrorCode::NetworkError, Some(20503)));
    let refuses_webhooks = |seen: &Seen| match seen.method.as_str() {
        "POST" => refusal(400, 50367),
        _ => well(seen).unwrap(),
    };
    assert_eq!(start(with_webhook, refuses_webhooks).await, (ErrorCode::InvalidConfig, None));

    let backend = TwilioMessaging::new(config("http://127.0.0.1:9").build().unwrap()).unwrap();
    assert_eq!(backend.start().await.unwrap_err().code(), ErrorCode::NetworkError);
}

#[tokio::test]
async fn start_registers_the_webhook_unless_it_is_registered() {
    let with_webhook = |config: ConfigBuilder| config.setting("webhook_url", WEBHOOK_URL);
    let (_, twilio) = running(with_webhook, |_| refusal(404, 20404)).await;
    let update = twilio.seen().pop().unwrap();
    assert_eq!(update.line(), "POST /v1/Configuration/Webhooks");
    assert_eq!(update.form("PostWebhookUrl"), [WEBHOOK_URL]);
    assert_eq!((update.form("Method"), update.form("Target")), (vec!["POST".to_owned()], vec!["webhook".to_owned()]));
    assert_eq!(update.form("Filters").len(), HANDLED_EVENTS.len());
    assert!(update.form("PreWebhookUrl").is_empty());

    let registered = FakeTwilio::start(|seen, _| match seen.line().as_str() {
        "GET /v1/Configuration/Webhooks" => Reply::Json(200, webhooks(WEBHOOK_URL)),
        _ => well(seen).unwrap(),
    })
    .await;
    let backend = TwilioMessaging::new(with_webhook(config(&registered.url())).build().unwrap()).unwrap();
    backend.start().await.unwrap();
    assert!(!registered.lines().iter().any(|line| line.starts_with("POST")));
}

#[tokio::test]
async fn conversations_are_created_found_listed_and_closed() {
    let (backend, twilio) = running(same, |seen| match (seen.method.as_str(), seen.query.as_deref()) {
        ("POST", _) if !seen.form("State").is_empty() => Reply::Json(200, conversation("closed")),
        ("POST", _) => Reply::Json(201, conversation("active")),
        (_, None) => Reply::Json(200, conversation("inactive")),
        (_, Some(query)) => {
            let next = query.contains("PageSize").then_some("https://x/y?PageToken=2");
            Reply::Json(200, page("conversations", &[conversation("active")], next))
        }
    })
    .await;
    let new = ConversationConfig { friendly_name: Some("A".to_owned()), ..ConversationConfig::default() };
    let created = backend.create_conversation(new).await.unwrap();
    assert_eq!((created.id, created.state), (id(), ConversationState::Active));
    assert_eq!(backend.get_conversation(&id()).await.unwrap().state, ConversationState::Inactive);
    assert_eq!(backend.list_conversations().await.unwrap().len(), 2);
    backend.close_conversation(&id()).await.unwrap();
    assert_eq!(twilio.seen().last().unwrap().form("State"), ["closed"]);

    let broken = ConversationConfig { attributes: Some("[1]".to_owned()), ..ConversationConfig::default() };
    assert_eq!(backend.create_conversation(broken).await.unwrap_err().code(), ErrorCode::InvalidConfig);
}

#[tokio::test]
async fn closing_what_is_closed_is_a_success() {
    let (backend, _twilio) = running(same, |_| refusal(400, 50377)).await;
    backend.close_conversation(&id()).await.unwrap();
    let (backend, _twilio) = running(same, |_| refusal(404, 20404)).await;
    let error = backend.close_conversation(&id()).await.unwrap_err();
    assert_eq!((error.code(), error.provider_number()), (ErrorCode::ConversationNotFound, Some(20404)));
}

#[tokio::test]
async fn a_message_is_sent_as_the_identity_with_its_attributes() {
    let with_identity = |config: ConfigBuilder| config.setting("identity", "bot");
    let (backend, twilio) = running(with_identity, |_| Reply::Json(201, message(7))).await;
    let outgoing = OutgoingMessage { attributes: Some(r#"{"id":"1"}"#.to_owned()), ..text("Hello") };
    let sent = backend.send_message(&id(), outgoing).await.unwrap();
    assert_eq!((sent.index, sent.id.as_str().len()), (7, 34));
    backend.send_message(&id(), OutgoingMessage { author: Some("ada".to_owned()), ..text("Hi") }).await.unwrap();
    let seen = twilio.seen();
    let [.., first, second] = &seen[..] else { panic!("two messages") };
    assert_eq!((first.form("Author"), first.form("Body")), (vec!["bot".to_owned()], vec!["Hello".to_owned()]));
    assert_eq!(first.form("Attributes"), [r#"{"id":"1"}"#]);
    assert_eq!(second.form("Author"), ["ada"]);
}

#[tokio::test]
async fn a_file_is_uploaded_and_then_referred_to() {
    let (backend, twilio) = running(same, |seen| {
        if seen.path.ends_with("/Media") {
            Reply::Json(201, json!({"sid": "ME00000000000000000000000000000001", "size": 3}))
        } else {
            Reply::Json(201, message(0))
        }
    })
    .await;
    let file = || MediaSource::Bytes {
        content_type: "image/png".to_owned(),
        filename: None,
        data: bytes::Bytes::from_static(b"png"),
    };
    backend.send_message(&id(), OutgoingMessage { media: vec![file()], ..text("") }).await.unwrap();
    let seen = twilio.seen();
    let [.., upload, create] = &seen[..] else { panic!("two requests") };
    assert_eq!(upload.line(), format!("POST /v1/Services/{IS}/Media"));
    assert_eq!(create.form("MediaSid"), ["ME00000000000000000000000000000001"]);
    assert!(create.form("Body").is_empty());

    for media in [vec![file(), file()], vec![MediaSource::Url("https://h/x.png".to_owned())]] {
        let error = backend.send_message(&id(), OutgoingMessage { media, ..text("x") }).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidMessage);
    }
    assert_eq!(twilio.seen().len(), seen.len());
}

#[tokio::test]
async fn an_upload_without_an_answer_leaves_the_message_certainly_unsent() {
    let (backend, _twilio) = running(same, |_| refusal(503, 20503)).await;
    let data = bytes::Bytes::from_static(b"png");
    let file = MediaSource::Bytes { content_type: "image/png".to_owned(), filename: None, data };
    let error = backend.send_message(&id(), OutgoingMessage { media: vec![file], ..text("") }).await.unwrap_err();
    assert_eq!(error.retry(), Retry::After(Duration::ZERO));
    assert_eq!(backend.send_message(&id(), text("x")).await.unwrap_err().retry(), Retry::Unknown);
}

#[tokio::test]
async fn a_message_that_cannot_be_sent_is_refused_before_it_leaves() {
    let (backend, twilio) = running(same, |_| Reply::Json(201, message(0))).await;
    let long = OutgoingMessage { channel: Some(Channel::Sms), ..text(&"x".repeat(1_601)) };
    let broken = OutgoingMessage { attributes: Some("{".to_owned()), ..text("x") };
    for outgoing in [text(""), long, broken] {
        assert_eq!(backend.send_message(&id(), outgoing).await.unwrap_err().code(), ErrorCode::InvalidMessage);
    }
    assert_eq!(twilio.seen().len(), 1);
    let error = backend.send_message(&"../Services".into(), text("x")).await;
    error.unwrap();
    assert!(twilio.lines()[1].ends_with("/v1/Conversations/..%2FServices/Messages"), "{:?}", twilio.lines());
    assert_eq!(backend.send_message(&"..".into(), text("x")).await.unwrap_err().code(), ErrorCode::InvalidMessage);
}

fn sms(address: &str) -> NewParticipant {
    let address = Pii::new(address.to_owned());
    NewParticipant {
        binding: Some(Binding { channel: Channel::Sms, address, proxy_address: Some("+15005550001".to_owned()) }),
        ..NewParticipant::default()
    }
}

#[tokio::test]
async fn a_participant_who_is_there_already_is_a_success_if_it_is_the_same() {
    let there = [
        participant(Some("bot"), &json!(null)),
        participant(None, &json!({"type": "sms", "address": "+15005550006", "proxy_address": "+15005550001"})),
    ];
    let (backend, _twilio) = running(same, move |seen| match seen.method.as_str() {
        "POST" if seen.form("Identity").is_empty() => refusal(409, 50416),
        "POST" => refusal(409, 50433),
        _ => Reply::Json(200, page("participants", &there, None)),
    })
    .await;
    let bot = |identity: &str| NewParticipant { identity: Some(identity.to_owned()), ..NewParticipant::default() };
    assert_eq!(backend.add_participant(&id(), bot("bot")).await.unwrap().identity.as_deref(), Some("bot"));
    let found = backend.add_participant(&id(), sms("+15005550006")).await.unwrap();
    assert_eq!(found.binding.unwrap().address.expose(), "+15005550006");
    for other in [bot("another"), sms("+15005550007")] {
        let error = backend.add_participant(&id(), other).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidParticipant);
        assert!(matches!(error.provider_number(), Some(50433 | 50416)));
    }
}

#[tokio::test]
async fn whatsapp_addresses_get_their_prefix_and_our_number_is_the_default() {
    let with_number = |config: ConfigBuilder| config.setting("phone_number", "+15005550001");
    let (backend, twilio) = running(with_number, |_| Reply::Json(201, participant(None, &json!(null)))).await;
    let address = Pii::new("+15005550006".to_owned());
    let binding = Some(Binding { channel: Channel::Whatsapp, address, proxy_address: None });
    backend.add_participant(&id(), NewParticipant { binding, ..NewParticipant::default() }).await.unwrap();
    let seen = twilio.seen().pop().unwrap();
    assert_eq!(seen.form("MessagingBinding.Address"), ["whatsapp:+15005550006"]);
    assert_eq!(seen.form("MessagingBinding.ProxyAddress"), ["whatsapp:+15005550001"]);

    let both = NewParticipant { identity: Some("a".to_owned()), ..sms("+15005550006") };
    for useless in [NewParticipant::default(), both, sms("")] {
        let error = backend.add_participant(&id(), useless).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidParticipant);
    }
}

#[tokio::test]
async fn removing_tells_a_missing_participant_from_a_missing_conversation() {
    let remove = async |conversation_reply: fn() -> Reply| {
        let (backend, _twilio) = running(same, move |seen| match seen.method.as_str() {
            "DELETE" => refusal(404, 20404),
            _ => conversation_reply(),
        })
        .await;
        backend.remove_participant(&id(), &ParticipantId::new(MB)).await.unwrap_err().code()
    };
    assert_eq!(remove(|| Reply::Json(200, conversation("active"))).await, ErrorCode::ParticipantNotFound);
    assert_eq!(remove(|| refusal(404, 20404)).await, ErrorCode::ConversationNotFound);

    let (backend, _twilio) = running(same, |_| Reply::Text(204, "")).await;
    backend.remove_participant(&id(), &ParticipantId::new(MB)).await.unwrap();
}

#[tokio::test]
async fn stop_finishes_what_is_in_flight_and_refuses_the_rest() {
    let (backend, twilio) = running(same, |seen| match seen.method.as_str() {
        "POST" => Reply::WhenOpened(message(0)),
        _ => Reply::Json(200, conversation("active")),
    })
    .await;
    let mut stream = backend.receive_messages(&id()).await.unwrap();
    let tasks = TaskTracker::new();
    let sending = tasks.spawn({
        let backend = Arc::clone(&backend);
        async move { backend.send_message(&id(), text("x")).await }
    });
    twilio.asked(3).await;

    let stopping = tasks.spawn({
        let backend = Arc::clone(&backend);
        async move { backend.stop().await }
    });
    let refused = timeout(PATIENCE, async {
        loop {
            // Until the stop has begun, this succeeds.
            if let Err(error) = backend.get_conversation(&id()).await {
                return error;
            }
        }
    });
    assert_eq!(refused.await.unwrap().code(), ErrorCode::NotRunning);
    assert!(!stopping.is_finished() && !sending.is_finished());

    twilio.open_gate();
    sending.await.unwrap().unwrap();
    stopping.await.unwrap().unwrap();
    assert!(timeout(PATIENCE, stream.next()).await.unwrap().is_none());

    backend.start().await.unwrap();
    backend.get_conversation(&id()).await.unwrap();
}

#[tokio::test]
async fn stop_gives_up_after_its_time() {
    let brief = |config: ConfigBuilder| config.timeout(Duration::from_millis(600));
    let (backend, twilio) = running(brief, |seen| {
        if seen.path.ends_with("/Media") {
            Reply::WhenOpened(json!({"sid": "ME00000000000000000000000000000001", "size": 3}))
        } else {
            Reply::Never
        }
    })
    .await;
    let data = bytes::Bytes::from_static(b"png");
    let file = MediaSource::Bytes { content_type: "image/png".to_owned(), filename: None, data };
    let sending = TaskTracker::new().spawn({
        let backend = Arc::clone(&backend);
        async move { backend.send_message(&id(), OutgoingMessage { media: vec![file], ..text("") }).await }
    });
    twilio.asked(2).await;

    let mut stopping = std::pin::pin!(backend.stop());
    timeout(Duration::from_millis(100), &mut stopping).await.unwrap_err();
    // The message's own request has its whole time from here on, so it outlasts the stop.
    twilio.open_gate();
    let error = stopping.await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ShutdownError);
    assert_eq!(sending.await.unwrap().unwrap_err().retry(), Retry::Unknown);
}

#[tokio::test]
async fn health_tells_well_from_odd_from_ill() {
    let with_webhook = |config: ConfigBuilder| config.setting("webhook_url", WEBHOOK_URL);
    let (backend, _twilio) = running(same, |_| refusal(404, 20404)).await;
    let status = backend.health_check().await.unwrap();
    assert_eq!((status.state, status.reasons.len()), (HealthState::Healthy, 0));
    backend.stop().await.unwrap();
    assert_eq!(backend.health_check().await.unwrap().state, HealthState::Unhealthy);

    // The webhook points elsewhere again, whatever was registered.
    let (backend, _twilio) = running(with_webhook, |_| refusal(404, 20404)).await;
    assert_eq!(backend.health_check().await.unwrap().state, HealthState::Degraded);

    for (reply, state) in [
        (401, HealthState::Unhealthy),
        (429, HealthState::Degraded),
        (503, HealthState::Unhealthy),
        (400, HealthState::Degraded),
    ] {
        let twilio = FakeTwilio::start(move |seen, number| match number {
            0 => well(seen).unwrap(),
            _ => refusal(reply, 20001),
        })
        .await;
        let backend = TwilioMessaging::new(config(&twilio.url()).build().unwrap()).unwrap();
        backend.start().await.unwrap();
        let status = backend.health_check().await.unwrap();
        assert_eq!((status.state, status.reasons.len()), (state, 1), "{reply}");
        assert_eq!(twilio.seen().len(), 2);
    }
}
