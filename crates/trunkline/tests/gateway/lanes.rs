//! One conversation at a time: bursts, order, and who is never answered.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{ADA, BOB, IDENTITY, World, answer, until};

#[tokio::test]
async fn a_burst_within_the_debounce_has_one_answer_that_covers_all_of_it() {
    let world = World::start(&[("TRUNKLINE_DEBOUNCE", "700ms")]).await;
    for number in 1..=3 {
        world.text(ADA, &format!("text {number}")).await;
    }
    world.expect_answers(ADA, &["answer 1\nanswer 2\nanswer 3"]).await;
}

#[tokio::test]
async fn without_a_debounce_each_text_has_its_answer_in_order() {
    let world = World::start(&[]).await;
    for number in 1..=3 {
        world.text(ADA, &format!("text {number}")).await;
        world.text(BOB, &format!("text {}", 10 + number)).await;
    }
    world.expect_answers(ADA, &["answer 1", "answer 2", "answer 3"]).await;
    world.expect_answers(BOB, &["answer 11", "answer 12", "answer 13"]).await;
}

#[tokio::test]
async fn webhooks_out_of_order_are_answered_in_the_order_of_the_texts() {
    let world = World::start(&[]).await;
    let fault = json!({"match": {"event": "onMessageAdded"}, "seed": 3,
                       "fault": {"kind": "webhook_reorder", "window_ms": 300}});
    world.fault(fault).await;
    for number in 0..12 {
        world.text(ADA, &format!("text {number}")).await;
    }
    let expected: Vec<_> = (0..12).map(|number| format!("answer {number}")).collect();
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    world.expect_answers(ADA, &expected).await;
}

#[tokio::test]
async fn doubled_webhooks_are_answered_once() {
    let world = World::start(&[]).await;
    world.fault(json!({"fault": {"kind": "webhook_duplicate", "times": 3}})).await;
    world.text(ADA, "text 1").await;
    world.text(ADA, "text 2").await;
    world.expect_answers(ADA, &["answer 1", "answer 2"]).await;
}

#[tokio::test]
async fn a_lost_webhook_is_made_up_for_by_the_next_one() {
    let world = World::start(&[]).await;
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    let lost = json!({"match": {"event": "onMessageAdded"}, "count": 1, "fault": {"kind": "webhook_lose"}});
    world.fault(lost).await;
    world.text(ADA, "text 2").await;
    world.text(ADA, "text 3").await;
    world.expect_answers(ADA, &["answer 1", "answer 2", "answer 3"]).await;
}

#[tokio::test]
async fn a_lost_webhook_is_made_up_for_by_a_quiet_pass() {
    let world = World::start(&[("TRUNKLINE_CATCH_UP_INTERVAL", "250ms")]).await;
    world.fault(json!({"match": {"event": "onMessageAdded"}, "count": 1, "fault": {"kind": "webhook_lose"}})).await;
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
}

#[tokio::test]
async fn the_bot_and_the_system_are_never_answered() {
    let world = World::start(&[]).await;
    let (conversation, _) = world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    let path = format!("/v1/Conversations/{conversation}/Messages");
    for (author, body) in [(IDENTITY, "text 7"), ("system", "text 8")] {
        let form = [("Author", author), ("Body", body)];
        let request = world.rest(Method::POST, &path).header("X-Twilio-Webhook-Enabled", "true").form(&form);
        assert_eq!(answer(request).await.status, StatusCode::CREATED);
    }
    // Both reach the phone, and a text behind them shows that nothing was answered before it.
    world.text(ADA, "text 2").await;
    world.expect_answers(ADA, &["answer 1", "text 7", "text 8", "answer 2"]).await;
}

#[tokio::test]
async fn a_closed_conversation_is_followed_by_a_new_one() {
    let world = World::start(&[]).await;
    let (closed, _) = world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    let request = world.rest(Method::POST, &format!("/v1/Conversations/{closed}"));
    let request = request.header("X-Twilio-Webhook-Enabled", "true").form(&[("State", "closed")]);
    assert_eq!(answer(request).await.status, StatusCode::OK);
    until("the gateway knows that it is closed", async || {
        let list = world.api("/api/v1/conversations").await;
        (list["conversations"][0]["state"] == "closed").then_some(())
    })
    .await;
    let (next, _) = world.text(ADA, "text 2").await;
    assert_ne!(next, closed);
    world.expect_answers(ADA, &["answer 1", "answer 2"]).await;
}

#[tokio::test]
async fn each_channel_is_answered_on_itself() {
    let world = World::start(&[]).await;
    world.text(ADA, "text 1").await;
    let whatsapp = json!({"from": ADA, "body": "text 2", "channel": "whatsapp"});
    world.control(Method::POST, "/messages", whatsapp).await;
    world.expect_answers(ADA, &["answer 1"]).await;
    world.expect_answers(&format!("whatsapp:{ADA}"), &["answer 2"]).await;
    let list = world.api("/api/v1/conversations").await;
    let mut channels: Vec<_> = list["conversations"].as_array().unwrap().iter().map(|one| &one["channel"]).collect();
    channels.sort_by_key(|channel| channel.as_str());
    assert_eq!(channels, ["sms", "whatsapp"]);
}
