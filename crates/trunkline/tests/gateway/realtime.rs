//! Taking part over the socket: the hybrid way, either way alone, both at once, and what happens in between.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ADA, BOB, IDENTITY, Program, World, answer, free_address, outbox, rows, until};

/// A world whose gateway may connect to the socket.
async fn connectable(env: &[(&str, &str)]) -> World {
    let mut world = World::without_gateway(env).await;
    let account = world.account.clone();
    world.set("TWILIO_API_KEY", account.api_key.as_str());
    world.set("TWILIO_API_SECRET", &account.api_secret);
    world.set("TWILIO_CHAT_SERVICE_SID", account.chat_service_sid.as_str());
    for (name, value) in env {
        world.set(name, value);
    }
    world
}

pub(crate) async fn connected(env: &[(&str, &str)]) -> World {
    let mut world = connectable(env).await;
    world.start_gateway().await;
    until("the socket follows its conversations", async || {
        (connector(&world).await["confirmed_subscriptions"] == 1).then_some(())
    })
    .await;
    world
}

pub(crate) async fn connector(world: &World) -> Value {
    world.api("/api/v1/connectors/twilio").await["realtime"].clone()
}

async fn in_conversations(world: &World, count: u64) {
    until("the bot is in its conversations", async || {
        (connector(world).await["open_conversations"] == count).then_some(())
    })
    .await;
}

async fn lose_all_webhooks(world: &World) {
    world.fault(json!({"fault": {"kind": "webhook_lose"}})).await;
}

async fn log(world: &World) -> Vec<Value> {
    world.control(Method::GET, "/log", Value::Null).await["entries"].as_array().unwrap().clone()
}

/// Where in the log this happened first, behind `after`.
fn place(log: &[Value], after: usize, what: &str, fields: &Value) -> usize {
    let fits = |entry: &Value| {
        entry["what"] == what && fields.as_object().unwrap().iter().all(|(key, value)| &entry[key] == value)
    };
    let found = log.iter().skip(after).position(fits);
    found.map_or_else(|| panic!("{what} {fields} does not follow: {log:#?}"), |place| after + place + 1)
}

#[tokio::test]
async fn the_hybrid_way_goes_in_its_order_and_the_first_text_is_answered_too() {
    let world = connected(&[]).await;
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    in_conversations(&world, 1).await;
    world.text(ADA, "text 2").await;
    world.expect_answers(ADA, &["answer 1", "answer 2"]).await;
    let log = log(&world).await;
    let identity = json!({ "identity": IDENTITY });
    let mut at = place(&log, 0, "socket_connected", &identity);
    at = place(&log, at, "text_received", &json!({}));
    at = place(&log, at, "conversation_created", &json!({}));
    let first = place(&log, at, "message_added", &json!({"index": 0, "author": "channel"}));
    at = place(&log, at, "webhook_sent", &json!({"event": "onConversationAdded"}));
    at = place(&log, at, "participant_added", &json!({"chat": true}));
    assert!(first < at, "the first text was there before the bot: {log:#?}");
    at = place(&log, at, "socket_joined", &identity);
    at = place(&log, at, "text_received", &json!({}));
    at = place(&log, at, "socket_notified", &json!({"identity": IDENTITY, "index": 2}));
    place(&log, at, "message_added", &json!({"index": 3}));
    let joins = log.iter().filter(|entry| entry["what"] == "participant_added" && entry["chat"] == true);
    assert_eq!(joins.count(), 1, "several webhooks make one participant");
}

#[tokio::test]
async fn without_a_webhook_the_socket_is_enough() {
    let world = connected(&[]).await;
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    in_conversations(&world, 1).await;
    lose_all_webhooks(&world).await;
    for number in 2..=20 {
        world.text(ADA, &format!("text {number}")).await;
    }
    let expected: Vec<_> = (1..=20).map(|number| format!("answer {number}")).collect();
    world.expect_answers(ADA, &expected.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert!(world.metric("twilio_realtime_messages_total", "").await >= 19.0);
}

#[tokio::test]
async fn with_a_refused_token_the_webhooks_are_enough_and_the_state_says_why() {
    let mut world = connectable(&[]).await;
    world.fault(json!({"fault": {"kind": "init_failure", "status": 401, "code": 20107}})).await;
    world.start_gateway().await;
    let state = until("the socket is refused", async || {
        let state = connector(&world).await;
        (state["state"] == "error").then_some(state)
    })
    .await;
    assert_eq!(state["last_error"]["twilio_code"], 20107);
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    let whole = world.api("/api/v1/connectors/twilio").await;
    assert_eq!(whole["status"], "degraded");
    assert!(whole["trouble"].as_str().unwrap().contains("401"), "{whole}");
    assert!(world.gateway().is_ready(), "texts flow all the same");
    world.control(Method::DELETE, "/faults", Value::Null).await;
    until("it is tried again", async || (connector(&world).await["state"] == "connected").then_some(())).await;
    in_conversations(&world, 1).await;
}

const PARTICIPANTS: &str = "/v1/**/Participants";

#[tokio::test]
async fn joining_is_tried_again() {
    let world = connected(&[("TWILIO_MAX_RETRIES", "0")]).await;
    world
        .fault(json!({"match": {"method": "POST", "path": PARTICIPANTS}, "count": 2,
                      "fault": {"kind": "status", "status": 503, "code": 20503}}))
        .await;
    world.text(ADA, "text 1").await;
    in_conversations(&world, 1).await;
    assert_eq!(world.metric("twilio_participation_total", r#"outcome="later""#).await.to_bits(), 2_f64.to_bits());
}

/// The effect was there, and its answer was not: the next try finds that it is done. Without a socket, because that
/// would tell of the joining before the next try.
#[tokio::test]
async fn being_there_already_is_success() {
    let mut world = connectable(&[("TWILIO_MAX_RETRIES", "0")]).await;
    world.fault(json!({"fault": {"kind": "init_failure", "status": 401, "code": 20107}})).await;
    world.start_gateway().await;
    world
        .fault(json!({"match": {"method": "POST", "path": PARTICIPANTS}, "count": 1, "fault": {"kind": "drop_after"}}))
        .await;
    world.text(BOB, "text 1").await;
    until("the next try says so", async || {
        (world.metric("twilio_participation_total", r#"outcome="present""#).await > 0.0).then_some(())
    })
    .await;
    world.expect_answers(BOB, &["answer 1"]).await;
}

#[tokio::test]
async fn what_nobody_was_told_of_is_found_and_joined() {
    let mut world = connectable(&[]).await;
    world.text(ADA, "text 1").await;
    world.start_gateway().await;
    world.expect_answers(ADA, &["answer 1"]).await;
    in_conversations(&world, 1).await;
    assert_eq!(connector(&world).await["missing_conversations"], 0);
}

/// One answer at the phone, whatever becomes of the first try over the socket.
async fn answers_once_when(fault: Value) {
    let world = connected(&[("TRUNKLINE_SEND_BY", "socket")]).await;
    world.text(ADA, "text 1").await;
    in_conversations(&world, 1).await;
    world.expect_answers(ADA, &["answer 1"]).await;
    let path = "/Client/v2/Services/*/Conversations/*/Messages";
    let id = world.fault(json!({"match": {"method": "POST", "path": path}, "count": 1, "fault": fault})).await;
    world.text(ADA, "text 2").await;
    world.expect_answers(ADA, &["answer 1", "answer 2"]).await;
    assert_eq!(world.fault_hits(id).await, 1, "the answer went over the socket");
    world.text(ADA, "text 3").await;
    world.expect_answers(ADA, &["answer 1", "answer 2", "answer 3"]).await;
}

#[tokio::test]
async fn an_answer_over_the_socket_is_seen_once() {
    let world = connected(&[("TRUNKLINE_SEND_BY", "socket")]).await;
    world.text(ADA, "text 1").await;
    in_conversations(&world, 1).await;
    world.text(ADA, "text 2").await;
    world.expect_answers(ADA, &["answer 1", "answer 2"]).await;
    assert!(connector(&world).await["counters"]["messages_sent"].as_u64().unwrap() >= 1);
}

#[tokio::test]
async fn an_answer_is_seen_once_when_the_socket_breaks_after_it() {
    answers_once_when(json!({"kind": "drop_after"})).await;
}

#[tokio::test]
async fn an_answer_is_seen_once_when_the_socket_breaks_before_it() {
    answers_once_when(json!({"kind": "drop_before"})).await;
}

#[tokio::test]
async fn an_answer_is_seen_once_when_the_service_has_trouble_after_it() {
    answers_once_when(json!({"kind": "status", "status": 504, "after": true})).await;
}

#[tokio::test]
async fn an_answer_goes_by_rest_when_the_service_behind_the_socket_asks_to_slow_down() {
    answers_once_when(json!({"kind": "status", "status": 429, "code": 20429})).await;
}

#[tokio::test]
async fn without_the_socket_nothing_is_kept_for_its_sake() {
    let mut world = connected(&[]).await;
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    let kept = |world: &World| rows(&world.data_dir().join("bus.db"), "consumer WHERE durable = 'participation'");
    assert_eq!(kept(&world), 1);
    world.stop_gateway().await;
    world.set("TRUNKLINE_REALTIME", "false");
    world.start_gateway().await;
    assert_eq!(kept(&world), 0);
}

#[tokio::test]
async fn killed_in_a_burst_over_the_socket_it_answers_each_text_once() {
    const PHONES: usize = 10;
    const TEXTS: usize = 300;
    let mut world = connectable(&[]).await;
    let address = free_address().await;
    world.set("TRUNKLINE_LISTEN", &address.to_string());
    world.set("TWILIO_WEBHOOK_URL", &format!("http://{address}/webhooks/twilio"));
    let start = async |world: &World| {
        let mut gateway = Program::start("serve", world.folder.path(), world.env(), &["serve"]);
        gateway.told("gateway").await;
        gateway
    };
    let phone = |number: usize| format!("+1555000{:04}", number % PHONES);
    let mut gateway = start(&world).await;
    for number in 0..PHONES {
        world.text(&phone(number), &format!("text {number}")).await;
    }
    let sent = |count: usize| {
        let folder = world.data_dir();
        async move || (outbox(&folder, "sent") >= i64::try_from(count).unwrap()).then_some(())
    };
    until("the first texts are answered", sent(PHONES)).await;
    let sockets = async || world.control(Method::GET, "/realtime", Value::Null).await["sockets"].clone();
    until("the bot is in all conversations", async || {
        let subscribed = 1 + 3 * u64::try_from(PHONES).unwrap();
        (sockets().await[0]["subscriptions"] == subscribed).then_some(())
    })
    .await;
    lose_all_webhooks(&world).await;
    for number in PHONES..TEXTS {
        world.text(&phone(number), &format!("text {number}")).await;
        if number == TEXTS / 2 {
            drop(gateway);
            gateway = start(&world).await;
        }
    }
    until("all texts are answered", sent(TEXTS)).await;
    let mut answers = BTreeMap::new();
    for number in 0..PHONES {
        answers.insert(phone(number), world.answers(&phone(number)).await);
    }
    for (at, (phone, answers)) in answers.iter().enumerate() {
        let expected: Vec<_> = (at..TEXTS).step_by(PHONES).map(|number| format!("answer {number}")).collect();
        assert_eq!(answers, &expected, "{phone}");
    }
    drop(gateway);
}

#[tokio::test]
async fn the_settings_of_the_socket_are_checked_together() {
    let mut world = World::without_gateway(&[]).await;
    world.set("TRUNKLINE_REALTIME", "true");
    world.set("TWILIO_TOKEN_TTL", "1m");
    world.set("TRUNKLINE_SEND_BY", "pigeon");
    world.set("TRUNKLINE_SOCKET_URL", "http://example.com");
    let finished = Program::run(world.folder.path(), world.env(), &["serve"]).await;
    assert_eq!(finished.code, Some(64), "{}", finished.stderr);
    for name in
        ["TRUNKLINE_REALTIME", "TWILIO_API_KEY", "TWILIO_TOKEN_TTL", "TRUNKLINE_SEND_BY", "TRUNKLINE_SOCKET_URL"]
    {
        assert!(finished.stderr.contains(name), "{name}: {}", finished.stderr);
    }
}

#[tokio::test]
async fn a_connector_that_does_not_exist_is_not_found() {
    let world = World::start(&[]).await;
    let url = world.gateway_url("/api/v1/connectors/telegraph");
    let missing = answer(world.http.get(url).bearer_auth(crate::support::CONSOLE_TOKEN)).await;
    assert_eq!(missing.status, 404);
    assert_eq!(world.api("/api/v1/connectors/twilio").await["realtime"], Value::Null);
}
