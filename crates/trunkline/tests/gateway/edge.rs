//! What strangers and broken clients send to the webhook.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{ADA, Webhook, World, message_added, rows};

const CONVERSATION: &str = "CH00000000000000000000000000000001";
const MESSAGE: &str = "IM00000000000000000000000000000001";
const BODY: &str = "text 1";

/// How the webhook differs from a good one, the status, and the code in the answer and in the metric.
type Case = (fn(&World, Webhook) -> Webhook, StatusCode, &'static str);

const CASES: &[Case] = &[
    (|_, good| Webhook { key: None, ..good }, StatusCode::FORBIDDEN, "ErrCodeInvalidSignature"),
    (|_, good| Webhook { key: Some("wrong".into()), ..good }, StatusCode::FORBIDDEN, "ErrCodeInvalidSignature"),
    (
        |world, good| Webhook { signed_url: Some(world.gateway_url("/webhooks/other")), ..good },
        StatusCode::FORBIDDEN,
        "ErrCodeInvalidSignature",
    ),
    (
        |_, good| Webhook { signed_url: Some("http://127.0.0.1:1/webhooks/twilio".into()), ..good },
        StatusCode::FORBIDDEN,
        "ErrCodeInvalidSignature",
    ),
    (
        |_, good| Webhook { raw: Some(b"EventType=onMessageAdded&Body=tampered".to_vec()), ..good },
        StatusCode::FORBIDDEN,
        "ErrCodeInvalidSignature",
    ),
    (
        |_, good| Webhook { raw: Some(vec![b'a'; (64 << 10) + 1]), ..good },
        StatusCode::PAYLOAD_TOO_LARGE,
        "edge.body_too_large",
    ),
    (
        |_, good| Webhook { raw: Some(b"Body=%4".to_vec()), ..good },
        StatusCode::BAD_REQUEST,
        "proto.form.broken_percent",
    ),
    (|_, good| Webhook { raw: Some(b"Body=%FF".to_vec()), ..good }, StatusCode::BAD_REQUEST, "proto.form.not_utf8"),
    (
        |_, good| Webhook { raw: Some(b"a=b&".repeat(201)), ..good },
        StatusCode::BAD_REQUEST,
        "proto.form.too_many_parameters",
    ),
    (|_, good| good.with("EventType", ""), StatusCode::BAD_REQUEST, "ErrCodeTwilioInvalidWebhook"),
    (|_, good| good.with("ConversationSid", ""), StatusCode::BAD_REQUEST, "ErrCodeTwilioInvalidWebhook"),
    (|_, good| good.with("MessageSid", ""), StatusCode::BAD_REQUEST, "ErrCodeTwilioInvalidWebhook"),
    (|_, good| good.with("AccountSid", ""), StatusCode::BAD_REQUEST, "ErrCodeTwilioInvalidWebhook"),
    (|_, good| good.with("MessageSid", "IM1"), StatusCode::BAD_REQUEST, "ErrCodeTwilioInvalidWebhook"),
    (
        |_, good| Webhook { content_type: "application/json", raw: Some(b"{}".to_vec()), ..good },
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "edge.content_type",
    ),
    (|_, good| Webhook { method: Method::PUT, ..good }, StatusCode::METHOD_NOT_ALLOWED, "edge.method"),
    (
        |_, good| good.with("AccountSid", "AC00000000000000000000000000000009"),
        StatusCode::FORBIDDEN,
        "edge.other_account",
    ),
];

#[tokio::test]
async fn bad_webhooks_are_refused_with_a_reason_counted_and_leave_nothing() {
    let world = World::start(&[("TRUNKLINE_CATCH_UP", "false")]).await;
    for (change, status, code) in CASES {
        let before = world.metric("twilio_webhook_errors_total", &format!("error_code=\"{code}\"")).await;
        let webhook = change(&world, message_added(&world, CONVERSATION, MESSAGE, ADA, BODY));
        let answer = webhook.send(&world).await;
        assert_eq!(answer.status, *status, "{code}: {}", answer.text);
        assert_eq!(answer.body["code"], *code, "{}", answer.text);
        assert_eq!(answer.body["status"], status.as_u16());
        assert!(answer.body["message"].as_str().is_some_and(|reason| !reason.is_empty()), "{}", answer.text);
        for personal in [BODY, ADA, &world.account.auth_token] {
            assert!(!answer.text.contains(personal), "{}", answer.text);
        }
        let after = world.metric("twilio_webhook_errors_total", &format!("error_code=\"{code}\"")).await;
        assert!((after - before - 1.0).abs() < f64::EPSILON, "{code}: {before} and then {after}");
    }
    assert_eq!(rows(&world.data_dir().join("bus.db"), "log"), 0);
    for table in ["message", "conversation", "contact", "outbox"] {
        assert_eq!(rows(&world.data_dir().join("store.db"), table), 0, "{table}");
    }
    let received = world.metric("twilio_webhook_received_total", "").await;
    let duration = world.metric("twilio_webhook_duration_seconds_count", "").await;
    assert!((received - duration).abs() < f64::EPSILON, "{received} came and {duration} were timed");
}

#[tokio::test]
async fn a_reason_names_the_parameter_that_is_missing() {
    let world = World::start(&[]).await;
    for name in ["EventType", "ConversationSid", "MessageSid"] {
        let answer = message_added(&world, CONVERSATION, MESSAGE, ADA, BODY).with(name, "").send(&world).await;
        assert!(answer.body["message"].as_str().unwrap().contains(name), "{}", answer.text);
    }
}

/// A text whose webhook never came, so that the test can bring it itself.
async fn text_without_webhook(world: &World) -> Webhook {
    let lost = json!({"match": {"event": "onMessageAdded"}, "count": 1, "fault": {"kind": "webhook_lose"}});
    world.fault(lost).await;
    let (conversation, message) = world.text(ADA, BODY).await;
    message_added(world, &conversation, &message, ADA, BODY).with("DateCreated", &jiff::Timestamp::now().to_string())
}

#[tokio::test]
async fn the_same_webhook_again_is_accepted_and_answered_once() {
    let world = World::start(&[]).await;
    let webhook = text_without_webhook(&world).await;
    let other_path = Webhook {
        path: "/webhooks/twilio/conversations/events".into(),
        params: webhook.params.clone(),
        ..Webhook::new(&world, Vec::new())
    };
    for again in [&webhook, &webhook, &other_path, &webhook] {
        let answer = again.send(&world).await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, ""));
    }
    world.expect_answers(ADA, &["answer 1"]).await;
    let retried = webhook.with("RetryCount", "1").send(&world).await;
    assert_eq!(retried.status, StatusCode::OK);
    world.expect_answers(ADA, &["answer 1"]).await;
}

#[tokio::test]
async fn a_webhook_by_get_works() {
    let world = World::start(&[]).await;
    let webhook = Webhook { method: Method::GET, ..text_without_webhook(&world).await };
    let params = webhook.params.clone();
    let unsigned = Webhook { method: Method::GET, key: None, ..Webhook::new(&world, params) };
    assert_eq!(unsigned.send(&world).await.status, StatusCode::FORBIDDEN);
    assert_eq!(webhook.send(&world).await.status, StatusCode::OK);
    world.expect_answers(ADA, &["answer 1"]).await;
}

#[tokio::test]
async fn a_question_before_the_fact_passes_and_leaves_nothing() {
    let world = World::start(&[("TRUNKLINE_CATCH_UP", "false")]).await;
    let question = message_added(&world, CONVERSATION, MESSAGE, ADA, BODY).with("EventType", "onMessageAdd");
    let answer = question.with("MessageSid", "").send(&world).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, ""));
    let processed = world.metric("twilio_webhook_processed_total", "event_type=\"onMessageAdd\"").await;
    assert!((processed - 1.0).abs() < f64::EPSILON);
    assert_eq!(rows(&world.data_dir().join("bus.db"), "log"), 0);
    assert_eq!(rows(&world.data_dir().join("store.db"), "message"), 0);
}

#[tokio::test]
async fn during_a_rotation_both_tokens_sign() {
    let mut world = World::without_gateway(&[]).await;
    let tokens = format!("{},the-token-before", world.account.auth_token);
    world.set("TWILIO_AUTH_TOKEN", &tokens);
    world.start_gateway().await;
    let webhook = Webhook { key: Some("the-token-before".into()), ..text_without_webhook(&world).await };
    assert_eq!(webhook.send(&world).await.status, StatusCode::OK);
    world.expect_answers(ADA, &["answer 1"]).await;
}
