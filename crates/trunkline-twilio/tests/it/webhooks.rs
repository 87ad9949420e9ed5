//! Webhooks in, messages out.

use std::error::Error as _;

use bytes::Bytes;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use serde_json::json;
use tokio::time::timeout;
use trunkline_core::messaging::{ConversationalBackend, ErrorCode, MessageStream, WebhookEvent};
use trunkline_proto::signature::{Algorithm, sign};
use trunkline_proto::webhook::EventType;
use trunkline_twilio::TwilioMessaging;

use crate::support::{AC, CH, FakeTwilio, IS, PATIENCE, Reply, TOKEN, config, conversation, refusal};

const URL: &str = "https://gateway.example.com/webhooks/twilio";

fn webhook(event: &str, more: &[(&str, &str)]) -> WebhookEvent {
    let common = [("AccountSid", AC), ("EventType", event), ("ConversationSid", CH), ("Source", "SMS")];
    let pairs = common.into_iter().chain(more.iter().copied());
    let params: Vec<_> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let signature = sign(Algorithm::HmacSha1, TOKEN.as_bytes(), URL, &params);
    WebhookEvent {
        url: URL.to_owned(),
        method: "POST".to_owned(),
        headers: vec![("x-twilio-signature".to_owned(), signature)],
        params,
        body: Bytes::new(),
        received_at: Timestamp::UNIX_EPOCH,
    }
}

fn message_added(index: &str) -> WebhookEvent {
    let message = ("MessageSid", "IM00000000000000000000000000000001");
    webhook("onMessageAdded", &[message, ("Index", index), ("Author", "+15005550006"), ("Body", "Hello")])
}

/// A running backend whose account is well and whose conversation is in `state`.
async fn running(state: &'static str, buffer: &str) -> (TwilioMessaging, FakeTwilio) {
    let twilio = FakeTwilio::start(move |seen, _| match seen.line().as_str() {
        "GET /v1/Configuration" => Reply::Json(200, json!({"account_sid": AC, "default_chat_service_sid": IS})),
        line if line.ends_with(CH) || line.ends_with("by-name") => Reply::Json(200, conversation(state)),
        _ => refusal(404, 20404),
    })
    .await;
    let config = config(&twilio.url())
        .secrets("auth_token", vec!["the-new-token".into(), TOKEN.into()])
        .secrets("shared_keys", vec!["k1:shared".into()])
        .setting("stream_buffer_size", buffer);
    let backend = TwilioMessaging::new(config.build().unwrap()).unwrap();
    backend.start().await.unwrap();
    (backend, twilio)
}

async fn next(stream: &mut MessageStream) -> Option<u64> {
    timeout(PATIENCE, stream.next()).await.unwrap().map(|message| message.index)
}

#[tokio::test]
async fn a_message_reaches_the_streams_of_its_conversation() {
    let (backend, _twilio) = running("active", "8").await;
    let mut by_sid = backend.receive_messages(&CH.into()).await.unwrap();
    let mut by_name = backend.receive_messages(&"by-name".into()).await.unwrap();
    backend.handle_webhook(&message_added("3")).await.unwrap();
    let message = timeout(PATIENCE, by_sid.next()).await.unwrap().unwrap();
    assert_eq!((message.index, message.conversation.as_str()), (3, CH));
    assert_eq!((message.body.expose().as_str(), message.author.expose().as_str()), ("Hello", "+15005550006"));
    assert_eq!(next(&mut by_name).await, Some(3));
    assert_eq!(backend.health_check().await.unwrap().active_conversations, 1);
    drop((by_sid, by_name));
    assert_eq!(backend.health_check().await.unwrap().active_conversations, 0);
}

#[tokio::test]
async fn a_stream_ends_when_its_conversation_does() {
    let (backend, _twilio) = running("active", "8").await;
    let closed = [("StateFrom", "active"), ("StateTo", "closed")];
    let inactive = [("StateFrom", "active"), ("StateTo", "inactive")];
    for ending in [webhook("onConversationStateUpdated", &closed), webhook("onConversationRemoved", &[])] {
        let mut stream = backend.receive_messages(&CH.into()).await.unwrap();
        backend.handle_webhook(&webhook("onConversationStateUpdated", &inactive)).await.unwrap();
        backend.handle_webhook(&message_added("1")).await.unwrap();
        backend.handle_webhook(&ending).await.unwrap();
        assert_eq!((next(&mut stream).await, next(&mut stream).await), (Some(1), None));
    }
}

#[tokio::test]
async fn a_slow_receiver_loses_its_stream_and_never_the_webhook() {
    let (backend, _twilio) = running("active", "2").await;
    let mut slow = backend.receive_messages(&CH.into()).await.unwrap();
    for index in ["0", "1", "2", "3"] {
        backend.handle_webhook(&message_added(index)).await.unwrap();
    }
    assert_eq!((next(&mut slow).await, next(&mut slow).await, next(&mut slow).await), (Some(0), Some(1), None));
}

#[tokio::test]
async fn no_stream_is_opened_where_none_can_be() {
    let (backend, _twilio) = running("closed", "2").await;
    let code = async |id: &str| backend.receive_messages(&id.into()).await.err().unwrap().code();
    assert_eq!(code(CH).await, ErrorCode::ChannelFailed);
    assert_eq!(code("CH00000000000000000000000000000009").await, ErrorCode::ConversationNotFound);
    assert_eq!(code("nobody").await, ErrorCode::ConversationNotFound);
    assert_eq!(backend.health_check().await.unwrap().active_conversations, 0);
}

#[tokio::test]
async fn what_is_not_signed_by_a_known_key_is_refused_and_reaches_nobody() {
    let (backend, _twilio) = running("active", "8").await;
    let mut stream = backend.receive_messages(&CH.into()).await.unwrap();
    let check = async |change: fn(&mut WebhookEvent), source: &str| {
        let mut event = message_added("0");
        change(&mut event);
        let error = backend.handle_webhook(&event).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidSignature);
        assert_eq!(error.provider_code(), Some("ErrCodeTwilioInvalidWebhook"));
        assert_eq!(error.source().unwrap().to_string(), source);
    };
    let mismatch = "the signature does not match the request";
    check(|event| event.headers.clear(), "the request has no signature").await;
    check(|event| event.params[5].1.push('0'), mismatch).await;
    check(|event| event.url.push('/'), mismatch).await;
    check(|event| event.method = "GET".to_owned(), mismatch).await;
    let json = |event: &mut WebhookEvent| {
        event.params.clear();
        event.headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("x-twilio-signature".to_owned(), sign(Algorithm::HmacSha1, TOKEN.as_bytes(), URL, &[])),
        ];
    };
    check(json, "the body does not match its signed hash").await;
    backend.handle_webhook(&message_added("7")).await.unwrap();
    assert_eq!(next(&mut stream).await, Some(7));
}

#[tokio::test]
async fn what_is_signed_but_not_complete_is_invalid() {
    let (backend, _twilio) = running("active", "8").await;
    let error = backend.handle_webhook(&webhook("onMessageAdded", &[])).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidWebhook);
    assert_eq!(error.source().unwrap().to_string(), "the parameter MessageSid is missing");
    backend.handle_webhook(&webhook("onSomethingNew", &[])).await.unwrap();
}

#[tokio::test]
async fn a_get_has_its_parameters_in_its_signed_url() {
    let (backend, _twilio) = running("active", "8").await;
    let mut event = message_added("0");
    event.method = "GET".to_owned();
    event.url = format!("{URL}?AccountSid={AC}&EventType=onConversationRemoved&ConversationSid={CH}");
    event.headers[0].1 = sign(Algorithm::HmacSha1, TOKEN.as_bytes(), &event.url, &[]);
    // What came in the body is not signed and not looked at.
    let read = backend.read_webhook(&event).unwrap();
    assert_eq!(read.event.event_type(), EventType::OnConversationRemoved);
}

#[tokio::test]
async fn a_shared_key_is_known_by_its_id() {
    let (backend, _twilio) = running("active", "8").await;
    let mut event = message_added("0");
    event.headers = vec![
        ("x-twilio-signature".to_owned(), sign(Algorithm::HmacSha256, b"shared", URL, &event.params)),
        ("x-twilio-webhooks-signature-settings".to_owned(), "key=k1,algorithm=HMAC_SHA256".to_owned()),
    ];
    backend.handle_webhook(&event).await.unwrap();
}
