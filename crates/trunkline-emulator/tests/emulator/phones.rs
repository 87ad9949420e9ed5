//! Phones: what people send and get.

use futures_util::StreamExt as _;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{DEADLINE, NUMBER, PERSON, World, until};

const OTHER: &str = "+15550002222";

#[tokio::test]
async fn a_message_reaches_every_phone_but_its_authors() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    world.bind(&conversation, PERSON).await;
    world.bind(&conversation, OTHER).await;
    let messages = format!("{conversation}/Messages");
    world.create(&messages, &[("Body", "from the bot"), ("Author", "bot")]).await;
    world.create(&messages, &[("Body", "as the person"), ("Author", PERSON)]).await;
    world.text(OTHER, "from the other").await;

    let bodies = async |phone: &str| -> Vec<(String, String)> {
        let lines = world.phone(phone).await;
        let text = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
        lines.iter().map(|line| (text(line, "direction"), text(line, "body"))).collect()
    };
    let pairs = |list: &[(&str, &str)]| -> Vec<(String, String)> {
        list.iter().map(|(direction, body)| ((*direction).to_owned(), (*body).to_owned())).collect()
    };
    assert_eq!(bodies(PERSON).await, pairs(&[("received", "from the bot"), ("received", "from the other")]));
    let expect = [("received", "from the bot"), ("received", "as the person"), ("sent", "from the other")];
    assert_eq!(bodies(OTHER).await, pairs(&expect));
    let phones = world.control(Method::GET, "/phones", Value::Null).await.body;
    let counts = json!({"phones": [
        {"address": PERSON, "sent": 0, "received": 2},
        {"address": OTHER, "sent": 1, "received": 2},
    ]});
    assert_eq!(phones, counts);
}

#[tokio::test]
async fn a_line_has_exactly_the_documented_keys() {
    let world = World::start().await;
    let sent = world.text(PERSON, "hello").await;
    let path = format!("/v1/Conversations/{}/Messages", sent.text("conversation_sid"));
    let reply = world.create(&path, &[("Body", "hi"), ("Author", "bot")]).await;
    let lines = until(async || {
        let lines = world.phone(PERSON).await;
        (lines.len() == 2 && lines[1]["status"] == "delivered").then_some(lines)
    })
    .await;
    let mut received = lines[1].clone();
    assert!(received.as_object_mut().unwrap().remove("at").unwrap().as_str().unwrap().ends_with('Z'));
    let expect = json!({
        "direction": "received", "from": NUMBER, "to": PERSON, "body": "hi", "media": [], "status": "delivered",
        "conversation_sid": sent.text("conversation_sid"), "message_sid": reply,
    });
    assert_eq!(received, expect);
    assert_eq!(
        (&lines[0]["direction"], &lines[0]["from"], &lines[0]["to"]),
        (&json!("sent"), &json!(PERSON), &json!(NUMBER))
    );
}

#[tokio::test]
async fn whatsapp_works_with_or_without_its_prefix() {
    let world = World::start().await;
    let text = json!({"from": PERSON, "to": NUMBER, "body": "hello", "channel": "whatsapp"});
    let first = world.control(Method::POST, "/messages", text).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.body);
    let second = world.text(&format!("whatsapp:{PERSON}"), "again").await;
    assert_eq!(first.text("conversation_sid"), second.text("conversation_sid"));
    assert_eq!(world.phone(&format!("whatsapp:{PERSON}")).await.len(), 2);
    assert!(world.phone(PERSON).await.is_empty());
}

#[tokio::test]
async fn watchers_see_new_lines_and_new_statuses() {
    let world = World::start().await;
    let url = world.url(&format!("/emulator/v1/phones/{}/events", PERSON.replace('+', "%2B")));
    let response = world.http.get(url).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = response.bytes_stream();
    let sent = world.text(PERSON, "hello").await;
    world.text(OTHER, "not for this phone").await;
    let path = format!("/v1/Conversations/{}/Messages", sent.text("conversation_sid"));
    world.create(&path, &[("Body", "hi"), ("Author", "bot")]).await;

    let mut text = String::new();
    let mut lines: Vec<Value> = Vec::new();
    while lines.len() < 3 {
        let chunk = tokio::time::timeout(DEADLINE, stream.next()).await.unwrap().unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        lines = text
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(|data| serde_json::from_str(data).unwrap())
            .collect();
    }
    assert!(text.starts_with("event: message\n"), "{text}");
    let seen: Vec<_> =
        lines.iter().map(|line| (line["body"].as_str().unwrap(), line["status"].as_str().unwrap())).collect();
    assert_eq!(seen, [("hello", "delivered"), ("hi", "sent"), ("hi", "delivered")]);
}

#[tokio::test]
async fn bad_texts_are_refused() {
    let world = World::start().await;
    let check = async |body: Value, expect: (u16, u64)| {
        let refused = world.control(Method::POST, "/messages", body.clone()).await;
        assert_eq!(refused.problem(), expect, "{body}");
    };
    check(json!({"body": "x"}), (400, 20001)).await;
    check(json!({"from": "me", "body": "x"}), (400, 20001)).await;
    check(json!({"from": PERSON}), (400, 20001)).await;
    check(json!({"from": PERSON, "body": ""}), (400, 20001)).await;
    check(json!({"from": PERSON, "body": "x", "channel": "fax"}), (400, 20001)).await;
    check(json!({"from": PERSON, "body": "x", "unknown": 1}), (400, 20001)).await;
    check(json!({"from": PERSON, "to": "whatsapp:+15557654321", "body": "x"}), (400, 20001)).await;
    check(json!({"from": PERSON, "to": "+15559999999", "body": "x"}), (404, 20404)).await;
    check(json!({"from": PERSON, "body": "x".repeat(32 * 1024 + 1)}), (400, 50504)).await;
    let file = json!([{"content_type": "image/png", "data": "not base64!"}]);
    check(json!({"from": PERSON, "media": file}), (400, 20001)).await;

    assert!(world.phone(PERSON).await.is_empty());
    // What curl sends without being told a type.
    let plain =
        world.http.post(world.url("/emulator/v1/messages")).header("content-type", "application/x-www-form-urlencoded");
    let plain = plain.body(r#"{"from":"+15550001111","body":"x"}"#);
    assert_eq!(plain.send().await.unwrap().status(), StatusCode::CREATED);
}
