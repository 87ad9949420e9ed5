//! Sessions: an agent in a conversation, over restarts, until the conversation is closed.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{ADA, BOB, CONSOLE_TOKEN, World, answer, outbox, until};

/// Our name for the conversation with somebody.
async fn with(world: &World, person: &str) -> String {
    let list = world.api("/api/v1/conversations").await;
    let found = list["conversations"].as_array().unwrap().iter().find(|one| one["address"] == person).unwrap();
    found["id"].as_str().unwrap().to_owned()
}

async fn show(world: &World, id: &str) -> Value {
    world.api(&format!("/api/v1/conversations/{id}")).await
}

async fn close(world: &World, id: &str) -> crate::support::Answer {
    let url = world.gateway_url(&format!("/api/v1/conversations/{id}/close"));
    answer(world.http.post(url).bearer_auth(CONSOLE_TOKEN).json(&json!({}))).await
}

async fn gauge(world: &World, name: &str, expected: f64) {
    until(&format!("{name} is {expected}"), async || {
        ((world.metric(name, "").await - expected).abs() < f64::EPSILON).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_session_goes_on_after_a_restart() {
    let mut world = World::start(&[]).await;
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    let id = with(&world, ADA).await;
    let before = show(&world, &id).await["session"].clone();
    assert_eq!((&before["agent"], &before["state"]), (&json!("echo"), &json!("active")), "{before}");
    assert_eq!(before["channels"], json!(["sms"]));
    world.stop_gateway().await;
    world.start_gateway().await;
    world.text(ADA, "text 2").await;
    world.expect_answers(ADA, &["answer 1", "answer 2"]).await;
    let after = show(&world, &id).await["session"].clone();
    assert_eq!((&after["id"], &after["started_at"]), (&before["id"], &before["started_at"]));
    assert!(after["last_activity_at"].as_str() > before["last_activity_at"].as_str(), "{after}");
    let history = world.api(after["history"].as_str().unwrap()).await;
    assert_eq!(history["messages"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn an_operator_closes_a_conversation_and_everything_of_it_ends() {
    let world = World::start(&[]).await;
    let (conversation, _) = world.text(ADA, "text 1").await;
    world.text(BOB, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    world.expect_answers(BOB, &["answer 1"]).await;
    gauge(&world, "twilio_conversation_active", 2.0).await;
    gauge(&world, "twilio_participant_active", 2.0).await;

    // An answer that cannot leave now is not said after the end.
    let sends = json!({"method": "POST", "path": format!("/v1/Conversations/{conversation}/Messages")});
    world.fault(json!({"match": sends, "fault": {"kind": "status", "status": 429}})).await;
    world.text(ADA, "text 2").await;
    until("the answer waits", async || (outbox(&world.data_dir(), "pending") == 1).then_some(())).await;
    let id = with(&world, ADA).await;
    let closed = close(&world, &id).await;
    assert_eq!(closed.status, StatusCode::OK, "{}", closed.text);
    assert_eq!((&closed.body["state"], &closed.body["session"]["state"]), (&json!("closed"), &json!("closed")));
    assert!(closed.body["session"]["closed_at"].is_string(), "{}", closed.text);
    let there = answer(world.rest(Method::GET, &format!("/v1/Conversations/{conversation}"))).await.body;
    assert_eq!(there["state"], "closed");
    assert_eq!(close(&world, &id).await.status, StatusCode::OK, "a second time changes nothing");
    gauge(&world, "twilio_conversation_active", 1.0).await;
    gauge(&world, "twilio_participant_active", 1.0).await;
    until("nothing is left to be sent", async || {
        let open: i64 = ["pending", "sending"].iter().map(|state| outbox(&world.data_dir(), state)).sum();
        (open == 0).then_some(())
    })
    .await;
    world.until_idle().await;
    assert_eq!(world.answers(ADA).await, ["answer 1"]);

    // Twilio begins a new conversation for the next text.
    world.text(ADA, "text 3").await;
    world.expect_answers(ADA, &["answer 1", "answer 3"]).await;
    let nobody = close(&world, "nobody").await;
    assert_eq!((nobody.status, &nobody.body["code"]), (StatusCode::NOT_FOUND, &json!("console.not_found")));
    let url = world.gateway_url(&format!("/api/v1/conversations/{id}/close"));
    assert_eq!(answer(world.http.post(url)).await.status, StatusCode::UNAUTHORIZED);
}
