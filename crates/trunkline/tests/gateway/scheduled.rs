//! Texts that agents promise for later: sent once, when it is time, and not to people who want none.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use trunkline_testing::{Asked, ModelAnswer, ModelServer};

use crate::support::{ADA, BOB, CONSOLE_TOKEN, NUMBER, Program, World, answer, free_address, until};

/// Promises what it is asked to (`in 60: tea`, `at 2026-…: tea`), lists, and takes back.
async fn secretary() -> ModelServer {
    let script = |asked: &Asked| {
        if let Some(result) = asked.results().last() {
            return ModelAnswer::say(format!("Result {result}"));
        }
        let question = asked.question();
        match question.split_once(": ") {
            Some((when, text)) => match when.split_once(' ') {
                Some(("at", at)) => ModelAnswer::call("schedule_text", json!({ "text": text, "at": at })),
                Some((_, minutes)) => {
                    let minutes: i64 = minutes.parse().unwrap();
                    ModelAnswer::call("schedule_text", json!({ "text": text, "in_minutes": minutes }))
                }
                None => ModelAnswer::call("cancel_text", json!({ "id": text })),
            },
            None if question == "list" => ModelAnswer::call("scheduled_texts", json!({})),
            None => ModelAnswer::say("Noted."),
        }
    };
    ModelServer::start(script).await.unwrap()
}

/// Sends a text, and waits for its answer: the result of the tool.
async fn says(world: &World, phone: &str, text: &str) -> String {
    let before = world.answers(phone).await.len();
    world.control(Method::POST, "/messages", json!({ "from": phone, "body": text })).await;
    let answer = until("an answer", async || world.answers(phone).await.get(before).cloned()).await;
    answer.trim_start_matches("Result ").to_owned()
}

async fn conversation(world: &World) -> String {
    world.api("/api/v1/conversations").await["conversations"][0]["id"].as_str().unwrap().to_owned()
}

async fn scheduled(world: &World, conversation: &str) -> Vec<Value> {
    let list = world.api(&format!("/api/v1/conversations/{conversation}/scheduled")).await;
    list["scheduled"].as_array().unwrap().clone()
}

async fn until_state(world: &World, conversation: &str, states: &[&str]) -> Vec<Value> {
    until(&format!("the promises are {states:?}"), async || {
        let list = scheduled(world, conversation).await;
        list.iter().map(|one| one["state"].as_str().unwrap()).eq(states.iter().copied()).then_some(list)
    })
    .await
}

fn put_forward(world: &World, minutes: u64) {
    world.gateway().clock().advance(Duration::from_mins(minutes));
}

async fn received(world: &World, phone: &str, text: &str) -> usize {
    world.answers(phone).await.iter().filter(|one| *one == text).count()
}

#[tokio::test]
async fn what_was_promised_is_sent_when_it_is_time_and_once_also_after_a_restart() {
    let model = secretary().await;
    let mut world = World::asking(&model, &[]).await;
    let promised: Value = serde_json::from_str(&says(&world, ADA, "in 60: drink your tea").await).unwrap();
    let again: Value = serde_json::from_str(&says(&world, ADA, "in 60: drink your tea").await).unwrap();
    assert_eq!(promised["id"], again["id"], "the same words for the same time are one promise");
    let later: Value = serde_json::from_str(&says(&world, ADA, "in 600: go to bed").await).unwrap();
    assert!(says(&world, ADA, "at 2020-01-01T00:00:00Z: too late").await.contains("later than now, which is 20"));
    let id = conversation(&world).await;
    let list = until_state(&world, &id, &["waiting", "waiting"]).await;
    assert_eq!((&list[0]["text"], &list[1]["id"]), (&json!("drink your tea"), &later["id"]));
    let told: Value = serde_json::from_str(&says(&world, ADA, "list").await).unwrap();
    assert_eq!(told["waiting"].as_array().unwrap().len(), 2, "{told}");
    assert!(told["now"].as_str().unwrap().ends_with('Z'), "{told}");

    put_forward(&world, 59);
    world.stop_gateway().await;
    world.start_gateway().await;
    assert_eq!(received(&world, ADA, "drink your tea").await, 0);
    put_forward(&world, 61);
    until_state(&world, &id, &["sent", "waiting"]).await;
    until("the text is there", async || (received(&world, ADA, "drink your tea").await > 0).then_some(())).await;
    world.until_idle().await;
    world.stop_gateway().await;
    world.start_gateway().await;
    put_forward(&world, 61);
    world.until_idle().await;
    assert_eq!(received(&world, ADA, "drink your tea").await, 1);

    // Somebody else cannot take it back, and whom it was promised to can.
    let id_of_later = later["id"].as_str().unwrap();
    assert!(says(&world, BOB, &format!("cancel: {id_of_later}")).await.contains("no such text waits"));
    assert_eq!(says(&world, ADA, &format!("cancel: {id_of_later}")).await, "cancelled");
    assert_eq!(until_state(&world, &id, &["sent", "cancelled"]).await[1]["reason"], "agent");
    assert_eq!(world.metric("trunkline_scheduled_texts_total", "outcome=\"agent\"").await.to_string(), "1");
}

#[tokio::test]
async fn nothing_is_sent_to_who_says_stop_or_where_it_is_over_and_an_operator_takes_back() {
    let model = secretary().await;
    let world = World::asking(&model, &[("TRUNKLINE_KEYWORD_REPLIES", "gateway")]).await;
    says(&world, ADA, "in 60: one").await;
    let ada = conversation(&world).await;
    world.text(ADA, "STOP").await;
    assert_eq!(until_state(&world, &ada, &["cancelled"]).await[0]["reason"], "opted_out");

    says(&world, BOB, "in 60: two").await;
    let bob = conversation(&world).await;
    let second: Value = serde_json::from_str(&says(&world, BOB, "in 90: three").await).unwrap();
    let path = format!("/api/v1/conversations/{bob}/scheduled/{}", second["id"].as_str().unwrap());
    for status in [StatusCode::OK, StatusCode::NOT_FOUND] {
        let request = world.http.delete(world.gateway_url(&path)).bearer_auth(CONSOLE_TOKEN);
        let taken = answer(request).await;
        assert_eq!(taken.status, status, "{}", taken.text);
    }
    world.post(&format!("/api/v1/conversations/{bob}/close"), json!({})).await;
    let list = until_state(&world, &bob, &["cancelled", "cancelled"]).await;
    assert_eq!((&list[0]["reason"], &list[1]["reason"]), (&json!("closed"), &json!("operator")));
    put_forward(&world, 120);
    world.until_idle().await;
    for (phone, text) in [(ADA, "one"), (BOB, "two"), (BOB, "three")] {
        assert_eq!(received(&world, phone, text).await, 0, "{text}");
    }
}

#[tokio::test]
async fn a_person_has_so_many_promises_and_no_more() {
    let model = secretary().await;
    let world = World::asking(&model, &[]).await;
    for number in 0..20 {
        assert!(says(&world, ADA, &format!("in 60: number {number}")).await.contains("id"));
    }
    assert!(says(&world, ADA, "in 60: one more").await.contains("20 texts wait for this person"));
    assert!(says(&world, BOB, "in 60: another's").await.contains("id"));
}

#[tokio::test]
async fn a_closed_window_on_whatsapp_is_shown_as_a_failed_message() {
    let model = secretary().await;
    let world = World::asking(&model, &[("TRUNKLINE_WHATSAPP_WINDOW", "3s")]).await;
    let on_whatsapp = format!("whatsapp:{ADA}");
    let begun = std::time::Instant::now();
    says(&world, &on_whatsapp, "in 60: drink your tea").await;
    let id = conversation(&world).await;
    until("the window is closed", async || (begun.elapsed() > Duration::from_secs(6)).then_some(())).await;
    put_forward(&world, 61);
    until_state(&world, &id, &["sent"]).await;
    let failed = until("it is shown as failed", async || {
        let thread = world.api(&format!("/api/v1/conversations/{id}/messages")).await;
        let last = thread["messages"].as_array().unwrap().last().unwrap().clone();
        (last["status"] == "failed").then_some(last)
    })
    .await;
    assert_eq!(
        (&failed["text"], &failed["error_code"]),
        (&json!("drink your tea"), &json!("compliance.window_closed"))
    );
    assert_eq!(received(&world, &on_whatsapp, "drink your tea").await, 0);
}

#[tokio::test]
async fn a_caller_is_promised_a_text_to_their_telephone() {
    let model = secretary().await;
    let world = World::asking(&model, &[("TRUNKLINE_VOICE", "true"), ("TRUNKLINE_RELAY_NUMBERS", "*")]).await;
    let listen = json!({ "wait_for_speech": { "timeout_ms": 15_000 } });
    let steps = json!([listen, { "say": "in 60: call the plumber" }, listen, { "hang_up": true }]);
    world.control(Method::POST, "/calls", json!({ "from": ADA, "to": NUMBER, "steps": steps })).await;
    let conversation = until("a conversation is there", async || {
        let list = world.api("/api/v1/conversations").await;
        Some(list["conversations"][0]["id"].as_str()?.to_owned())
    })
    .await;
    until_state(&world, &conversation, &["waiting"]).await;
    put_forward(&world, 61);
    until("the text is there", async || (received(&world, ADA, "call the plumber").await == 1).then_some(())).await;
}

#[tokio::test]
async fn a_gateway_that_is_killed_sends_what_was_promised_once() {
    let model = secretary().await;
    let mut world = World::asking(&model, &[]).await;
    says(&world, ADA, "in 60: drink your tea").await;
    let id = conversation(&world).await;
    world.stop_gateway().await;
    // Killed when it had made the message and had not said so.
    let store = rusqlite::Connection::open(world.data_dir().join("store.db")).unwrap();
    store.execute("UPDATE scheduled_text SET due_at = 0", []).unwrap();
    let address = free_address().await;
    world.set("TRUNKLINE_LISTEN", &address.to_string());
    world.set("TWILIO_WEBHOOK_URL", &format!("http://{address}/webhooks/twilio"));
    for _ in 0..3 {
        let mut program = Program::start("gateway", world.folder.path(), world.env(), &["serve"]);
        program.told("gateway").await;
        until("the text is there", async || (received(&world, ADA, "drink your tea").await > 0).then_some(())).await;
        drop(program);
        store.execute("UPDATE scheduled_text SET state = 'sending'", []).unwrap();
    }
    // What became of its conversation since does not undo it.
    store.execute("UPDATE conversation SET state = 'closed', closed_at = 1", []).unwrap();
    world.set("TRUNKLINE_LISTEN", "127.0.0.1:0");
    world.start_gateway_with_webhook().await;
    until_state(&world, &id, &["sent"]).await;
    world.until_idle().await;
    assert_eq!(received(&world, ADA, "drink your tea").await, 1);
}

#[tokio::test]
async fn a_promise_that_cannot_be_kept_now_holds_up_no_other_one() {
    let model = secretary().await;
    let world = World::asking(&model, &[]).await;
    says(&world, ADA, "in 60: one").await;
    let first = conversation(&world).await;
    says(&world, BOB, "in 61: two").await;
    let store = rusqlite::Connection::open(world.data_dir().join("store.db")).unwrap();
    // The row cannot be read.
    store.execute("UPDATE conversation SET handed_over_at = 'x' WHERE id = ?1", [&first]).unwrap();
    put_forward(&world, 62);
    until("the later one is there", async || (received(&world, BOB, "two").await == 1).then_some(())).await;
    assert_eq!(received(&world, ADA, "one").await, 0);
    store.execute("UPDATE conversation SET handed_over_at = NULL WHERE id = ?1", [&first]).unwrap();
    until("the first is there", async || (received(&world, ADA, "one").await == 1).then_some(())).await;
}
