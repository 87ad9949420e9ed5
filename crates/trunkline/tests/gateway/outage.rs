//! The provider or the gateway is away for a while, or answers badly: nothing is lost and nothing is said twice.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{ADA, BOB, IDENTITY, SENDS, Webhook, World, answer, outbox, until};

#[tokio::test]
async fn replies_wait_while_the_provider_is_away_and_arrive_once_in_order() {
    let mut world = World::start(&[]).await;
    world.text(ADA, "text 0").await;
    let (conversation, _) = world.text(BOB, "text 0").await;
    world.expect_answers(ADA, &["answer 0"]).await;
    world.expect_answers(BOB, &["answer 0"]).await;

    // Replies cannot leave any more, and then everything is gone.
    world.fault(json!({"match": {"method": "POST", "path": SENDS}, "fault": {"kind": "drop_before"}})).await;
    for number in 1..=3 {
        world.text(ADA, &format!("text {number}")).await;
        world.text(BOB, &format!("text {number}")).await;
    }
    let sent = outbox(&world.data_dir(), "sent");
    until("six replies are committed", async || {
        let all: i64 = ["pending", "sending", "sent"].iter().map(|state| outbox(&world.data_dir(), state)).sum();
        (all - sent == 6).then_some(())
    })
    .await;
    world.stop_emulator().await;

    assert_eq!(world.get("/healthz").await.status, StatusCode::OK);
    let account = world.account.account_sid.to_string();
    let inactive = [
        ("AccountSid", account.as_str()),
        ("EventType", "onConversationStateUpdated"),
        ("ConversationSid", &conversation),
        ("StateFrom", "active"),
        ("StateTo", "inactive"),
    ];
    let inactive = inactive.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let accepted = Webhook::new(&world, inactive.into()).send(&world).await;
    assert_eq!(accepted.status, StatusCode::OK, "{}", accepted.text);
    assert_eq!(outbox(&world.data_dir(), "sent"), sent);

    world.start_emulator().await;
    let expected = ["answer 0", "answer 1", "answer 2", "answer 3"];
    world.expect_answers(ADA, &expected).await;
    world.expect_answers(BOB, &expected).await;
}

#[tokio::test]
async fn more_replies_than_a_lane_holds_arrive_in_order() {
    let world = World::start(&[]).await;
    let away = json!({"match": {"method": "POST", "path": SENDS}, "fault": {"kind": "status", "status": 429}});
    let away = world.fault(away).await;
    for number in 0..270 {
        world.text(ADA, &format!("text {number}")).await;
    }
    until("all replies are committed", async || {
        let open: i64 = ["pending", "sending"].iter().map(|state| outbox(&world.data_dir(), state)).sum();
        (open == 270).then_some(())
    })
    .await;
    world.control(Method::DELETE, &format!("/faults/{away}"), Value::Null).await;
    let expected: Vec<_> = (0..270).map(|number| format!("answer {number}")).collect();
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    world.expect_answers(ADA, &expected).await;
}

#[tokio::test]
async fn texts_while_the_gateway_is_away_are_answered_after_its_start() {
    let mut world = World::start(&[]).await;
    world.text(ADA, "text 0").await;
    world.expect_answers(ADA, &["answer 0"]).await;
    world.stop_gateway().await;
    for number in 1..=3 {
        world.text(ADA, &format!("text {number}")).await;
    }
    world.text(BOB, "text 9").await;
    world.until_webhooks_are_delivered().await;
    world.start_gateway().await;
    world.expect_answers(ADA, &["answer 0", "answer 1", "answer 2", "answer 3"]).await;
    world.expect_answers(BOB, &["answer 9"]).await;
    let caught_up = world.metric("trunkline_caught_up_messages_total", "").await;
    assert!((caught_up - 4.0).abs() < f64::EPSILON, "{caught_up}");
}

#[tokio::test]
async fn what_the_provider_took_while_only_it_and_not_we_could_be_reached_is_read_back() {
    let mut world = World::start(&[]).await;
    world.text(ADA, "text 0").await;
    world.expect_answers(ADA, &["answer 0"]).await;
    // The webhook of the next text is lost, and the reply to another person shows that the provider is away and back.
    world.fault(json!({"match": {"event": "onMessageAdded"}, "count": 1, "fault": {"kind": "webhook_lose"}})).await;
    world.text(ADA, "text 1").await;
    world.fault(json!({"match": {"method": "POST", "path": SENDS}, "fault": {"kind": "drop_before"}})).await;
    world.text(BOB, "text 5").await;
    until("a reply waits", async || (outbox(&world.data_dir(), "sending") == 1).then_some(())).await;
    world.stop_emulator().await;
    world.start_emulator().await;
    world.expect_answers(BOB, &["answer 5"]).await;
    world.expect_answers(ADA, &["answer 0", "answer 1"]).await;
}

/// One text while sends fail in a way; the phone has one answer in the end.
async fn once(fault: Value, count: u64) -> World {
    let world = World::start(&[]).await;
    let fault = json!({"match": {"method": "POST", "path": SENDS}, "count": count, "fault": fault});
    let fault = world.fault(fault).await;
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    assert_eq!(world.fault_hits(fault).await, count);
    let path = world.api("/api/v1/conversations").await["conversations"][0]["external_id"].clone();
    let path = format!("/v1/Conversations/{}/Messages", path.as_str().unwrap());
    let list = answer(world.rest(Method::GET, &path)).await.body;
    let ours = list["messages"].as_array().unwrap().iter().filter(|message| message["author"] == IDENTITY);
    assert_eq!(ours.count(), 1);
    world
}

async fn sends(world: &World, outcome: &str) -> f64 {
    world.metric("trunkline_sends_total", &format!("outcome=\"{outcome}\"")).await
}

#[tokio::test]
async fn a_dropped_answer_is_looked_up_and_not_sent_again() {
    let world = once(json!({"kind": "drop_after"}), 1).await;
    assert!((sends(&world, "unknown").await - 1.0).abs() < f64::EPSILON);
    assert!((sends(&world, "found").await - 1.0).abs() < f64::EPSILON);
    assert!(sends(&world, "sent").await.abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_dropped_request_is_looked_up_and_sent_again() {
    let world = once(json!({"kind": "drop_before"}), 2).await;
    assert!((sends(&world, "unknown").await - 2.0).abs() < f64::EPSILON);
    assert!((sends(&world, "sent").await - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn an_error_of_the_provider_is_an_unknown_outcome() {
    let world = once(json!({"kind": "status", "status": 500}), 2).await;
    assert!((sends(&world, "unknown").await - 2.0).abs() < f64::EPSILON);
    assert!((sends(&world, "sent").await - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_throttled_send_is_made_later() {
    let begun = std::time::Instant::now();
    let world = once(json!({"kind": "status", "status": 429, "retry_after_ms": 1000}), 2).await;
    // Retry-After was waited for, twice.
    assert!(begun.elapsed() >= std::time::Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!((sends(&world, "sent").await - 1.0).abs() < f64::EPSILON);
    assert!(sends(&world, "unknown").await.abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_provider_that_is_not_there_yet_does_not_keep_the_gateway_from_starting() {
    let mut world = World::without_gateway(&[]).await;
    world.stop_emulator().await;
    let server = trunkline::Server::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let base = format!("http://{}", server.address());
    let settings = world.settings(server.address());
    let telemetry = trunkline::telemetry::Telemetry::new(&settings.telemetry).unwrap();
    let gateway = trunkline::Gateway::start(settings, server, &telemetry).await.unwrap();
    assert!(!gateway.is_ready());
    let health = answer(world.http.get(format!("{base}/readyz"))).await;
    assert_eq!(health.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(health.text.contains("connector"), "{}", health.text);
    world.start_emulator().await;
    until("the gateway is ready", async || gateway.is_ready().then_some(())).await;
    gateway.stop().await;
}
