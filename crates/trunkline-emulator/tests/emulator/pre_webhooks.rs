//! Pre-events: refuse, change, and what happens when nobody answers.

use std::time::Instant;

use reqwest::StatusCode;

use crate::support::{PERSON, Receiver, Script, WEBHOOK_TIMEOUT, World};

async fn world(events: &[&str]) -> (World, Receiver, String) {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    world.configure(&[("PreWebhookUrl", &receiver.url("/pre"))], events).await;
    let conversation = world.conversation().await;
    (world, receiver, conversation)
}

#[tokio::test]
async fn an_empty_answer_changes_nothing() {
    let (world, receiver, conversation) = world(&["onMessageAdd"]).await;
    for body in ["", "{}"] {
        receiver.answer("/pre", 200, body);
        let sent = world.post_aloud(&format!("{conversation}/Messages"), &[("Body", "as it is")]).await;
        assert_eq!((sent.status, sent.text("body").as_str()), (StatusCode::CREATED, "as it is"));
    }
    assert_eq!(receiver.events(), ["onMessageAdd", "onMessageAdd"]);
}

#[tokio::test]
async fn an_answer_replaces_the_fields_it_names() {
    let (world, receiver, conversation) = world(&["onMessageAdd", "onMessageUpdate", "onConversationAdd"]).await;
    receiver.answer("/pre", 200, r#"{"body":"changed","attributes":"{\"by\":\"hook\"}","friendly_name":"Named"}"#);
    let messages = format!("{conversation}/Messages");
    let sent = world.post_aloud(&messages, &[("Body", "original"), ("Author", "ada")]).await;
    assert_eq!(sent.text("body"), "changed");
    assert_eq!(sent.text("author"), "ada");
    assert_eq!(sent.text("attributes"), r#"{"by":"hook"}"#);
    receiver.answer("/pre", 200, r#"{"author":"editor"}"#);
    let updated = world.post_aloud(&format!("{messages}/{}", sent.text("sid")), &[("Body", "edited")]).await;
    assert_eq!((updated.text("body").as_str(), updated.text("author").as_str()), ("edited", "editor"));
    receiver.answer("/pre", 200, r#"{"friendly_name":"Named"}"#);
    let created = world.post_aloud("/v1/Conversations", &[("FriendlyName", "Original")]).await;
    assert_eq!(created.text("friendly_name"), "Named");
}

#[tokio::test]
async fn a_change_that_is_not_valid_is_the_callers_error() {
    let (world, receiver, conversation) = world(&["onMessageAdd"]).await;
    receiver.answer("/pre", 200, r#"{"attributes":"not json"}"#);
    let refused = world.post_aloud(&format!("{conversation}/Messages"), &[("Body", "original")]).await;
    assert_eq!(refused.problem(), (400, 50304));
}

#[tokio::test]
async fn four_and_five_hundreds_refuse() {
    let events = ["onMessageAdd", "onParticipantAdd", "onConversationUpdate", "onConversationRemove"];
    let (world, receiver, conversation) = world(&events).await;
    for status in [400, 404, 500, 503] {
        receiver.answer("/pre", status, "");
        let message = world.post_aloud(&format!("{conversation}/Messages"), &[("Body", "no")]).await;
        assert_eq!(message.problem(), (403, 50056), "{status}");
    }
    let participant = world.post_aloud(&format!("{conversation}/Participants"), &[("Identity", "bot")]).await;
    assert_eq!(participant.problem(), (403, 50056));
    assert_eq!(world.post_aloud(&conversation, &[("FriendlyName", "no")]).await.problem(), (403, 50056));
    assert!(world.get(&format!("{conversation}/Messages")).await.body["messages"].as_array().unwrap().is_empty());
    assert!(world.get(&conversation).await.body["friendly_name"].is_null());
}

#[tokio::test]
async fn nobody_there_is_a_failed_call() {
    let (world, _receiver, conversation) = world(&[]).await;
    world.configure(&[("PreWebhookUrl", "http://127.0.0.1:9/")], &["onMessageAdd"]).await;
    let refused = world.post_aloud(&format!("{conversation}/Messages"), &[("Body", "no")]).await;
    assert_eq!(refused.problem(), (403, 50057));
}

#[tokio::test]
async fn no_answer_in_time_lets_it_through_unchanged() {
    let (world, receiver, conversation) = world(&["onMessageAdd"]).await;
    receiver.script("/pre", Script::Hang);
    let start = Instant::now();
    let sent = world.post_aloud(&format!("{conversation}/Messages"), &[("Body", "patient")]).await;
    assert_eq!((sent.status, sent.text("body").as_str()), (StatusCode::CREATED, "patient"));
    assert!(start.elapsed() >= WEBHOOK_TIMEOUT);
}

#[tokio::test]
async fn silent_rest_calls_ask_nobody_and_texts_always_do() {
    let (world, receiver, conversation) = world(&["onMessageAdd"]).await;
    world.bind(&conversation, PERSON).await;
    world.create(&format!("{conversation}/Messages"), &[("Body", "silent")]).await;
    assert!(receiver.events().is_empty());
    receiver.answer("/pre", 200, r#"{"body":"censored"}"#);
    world.text(PERSON, "rude").await;
    assert_eq!(receiver.events(), ["onMessageAdd"]);
    let messages = world.get(&format!("{conversation}/Messages?Order=desc")).await.body;
    assert_eq!(messages["messages"][0]["body"], "censored");
}
