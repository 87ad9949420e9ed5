//! Numbers without Conversations: messages that come and go by Programmable Messaging.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{ADA, BOB, CONSOLE_TOKEN, NUMBER, Webhook, World, answer, column, envelopes, outbox, until};

/// Sends, for faults.
const MESSAGES: &str = "/2010-04-01/Accounts/*/Messages.json";
const AT: &str = "/webhooks/twilio/messaging";

/// A world whose number has no Conversations, and whose messages are pointed at the gateway.
pub(crate) async fn world(env: &[(&str, &str)]) -> World {
    let mut world = World::without_gateway(env).await;
    world.set("TRUNKLINE_REGISTER_MESSAGING", "true");
    without_conversations(&world).await;
    world.start_gateway_with_webhook().await;
    until("the number's messages come here", async || {
        (!number(&world).await["sms_url"].as_str().unwrap().is_empty()).then_some(())
    })
    .await;
    world
}

async fn without_conversations(world: &World) {
    let list = answer(world.rest(Method::GET, "/v1/Configuration/Addresses")).await.body;
    for one in list["address_configurations"].as_array().unwrap() {
        let path = format!("/v1/Configuration/Addresses/{}", one["sid"].as_str().unwrap());
        let gone = answer(world.rest(Method::DELETE, &path)).await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.text);
    }
}

async fn number(world: &World) -> Value {
    let path = format!("/2010-04-01/Accounts/{}/IncomingPhoneNumbers.json", world.account.account_sid);
    let list = answer(world.rest(Method::GET, &path)).await.body;
    list["incoming_phone_numbers"][0].clone()
}

pub(crate) async fn text(world: &World, from: &str, body: &str) -> String {
    let sent = world.control(Method::POST, "/messages", json!({"from": from, "body": body})).await;
    assert!(sent["conversation_sid"].is_null(), "{sent}");
    sent["message_sid"].as_str().unwrap().to_owned()
}

async fn fail_sends(world: &World, fault: Value) -> u64 {
    world.fault(json!({"match": {"method": "POST", "path": MESSAGES}, "count": 1, "fault": fault})).await
}

#[tokio::test]
async fn a_text_is_answered_once_and_the_answer_is_followed_to_the_telephone() {
    let world = world(&[]).await;
    text(&world, ADA, "text 1").await;
    text(&world, BOB, "text 2").await;
    text(&world, ADA, "text 3").await;
    world.expect_answers(ADA, &["answer 1", "answer 3"]).await;
    world.expect_answers(BOB, &["answer 2"]).await;
    assert_eq!(world.metric("twilio_message_send_total", r#"outcome="ok""#).await.to_bits(), 3_f64.to_bits());
    let list = world.api("/api/v1/conversations").await;
    assert_eq!(list["conversations"].as_array().unwrap().len(), 2, "{list}");
    let of_ada = list["conversations"].as_array().unwrap().iter().find(|one| one["address"] == ADA).unwrap();
    assert_eq!((&of_ada["connector"], &of_ada["channel"]), (&json!("twilio-messaging"), &json!("sms")));
    let id = of_ada["id"].as_str().unwrap();
    until("the answers are delivered", async || {
        let thread = world.api(&format!("/api/v1/conversations/{id}/messages")).await;
        let lines = thread["messages"].as_array().unwrap();
        let out: Vec<_> = lines.iter().filter(|line| line["direction"] == "out").collect();
        (out.len() == 2 && out.iter().all(|line| line["status"] == "delivered")).then_some(())
    })
    .await;
    let name = of_ada["external_id"].as_str().unwrap();
    assert!([ADA, NUMBER].iter().all(|number| !name.contains(number.trim_start_matches('+'))), "{name}");
}

#[tokio::test]
async fn whatever_becomes_of_requests_and_webhooks_there_is_one_answer() {
    let world = world(&[]).await;
    let double = json!({"match": {"event": "message_document"}, "fault": {"kind": "webhook_duplicate", "times": 2}});
    world.fault(double).await;
    let double = json!({"match": {"event": "message_status"}, "fault": {"kind": "webhook_duplicate", "times": 1}});
    world.fault(double).await;
    let faults = [
        json!({"kind": "drop_before"}),
        json!({"kind": "drop_after"}),
        json!({"kind": "status", "status": 503}),
        json!({"kind": "status", "status": 503, "after": true}),
        json!({"kind": "status", "status": 429}),
        json!({"kind": "truncate"}),
        json!({"kind": "wrong_json"}),
    ];
    let mut expected = Vec::new();
    for (number, fault) in faults.into_iter().enumerate() {
        let id = fail_sends(&world, fault).await;
        text(&world, ADA, &format!("text {number}")).await;
        expected.push(format!("answer {number}"));
        let all: Vec<_> = expected.iter().map(String::as_str).collect();
        world.expect_answers(ADA, &all).await;
        assert_eq!(world.fault_hits(id).await, 1);
    }
}

#[tokio::test]
async fn the_same_words_twice_are_two_answers_also_when_the_outcome_is_not_known() {
    let world = world(&[]).await;
    // Nothing is told of what becomes of them: the list of messages is all there is to look at.
    world.fault(json!({"match": {"event": "message_status"}, "fault": {"kind": "webhook_lose"}})).await;
    text(&world, ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    fail_sends(&world, json!({"kind": "drop_before"})).await;
    text(&world, ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1", "answer 1"]).await;
    fail_sends(&world, json!({"kind": "drop_after"})).await;
    text(&world, ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1", "answer 1", "answer 1"]).await;
    assert_eq!(outbox(&world.data_dir(), "sent"), 3);
}

#[tokio::test]
async fn an_answer_that_was_sent_before_a_crash_is_found_by_the_next_process() {
    let mut world = world(&[("TRUNKLINE_SETTLE", "3s"), ("TRUNKLINE_DRAIN", "100ms")]).await;
    world.fault(json!({"match": {"event": "message_status"}, "fault": {"kind": "webhook_lose"}})).await;
    fail_sends(&world, json!({"kind": "drop_after"})).await;
    text(&world, ADA, "text 1").await;
    until("the answer was made and its fate is unknown", async || {
        (outbox(&world.data_dir(), "sending") == 1 && world.answers(ADA).await.len() == 1).then_some(())
    })
    .await;
    world.stop_gateway().await;
    world.set("TRUNKLINE_SETTLE", "50ms");
    world.start_gateway_with_webhook().await;
    until("the answer is settled", async || (outbox(&world.data_dir(), "sent") == 1).then_some(())).await;
    world.expect_answers(ADA, &["answer 1"]).await;
}

#[tokio::test]
async fn what_was_written_while_nobody_listened_is_answered_in_order() {
    let mut world = world(&[("TRUNKLINE_MESSAGING_NUMBERS", NUMBER)]).await;
    text(&world, ADA, "text 0").await;
    world.expect_answers(ADA, &["answer 0"]).await;
    world.stop_gateway().await;
    for number in 1..=3 {
        text(&world, ADA, &format!("text {number}")).await;
    }
    text(&world, BOB, "text 9").await;
    world.start_gateway_with_webhook().await;
    world.expect_answers(ADA, &["answer 0", "answer 1", "answer 2", "answer 3"]).await;
    world.expect_answers(BOB, &["answer 9"]).await;
    let caught_up = world.metric("trunkline_caught_up_messages_total", "").await;
    assert!((caught_up - 4.0).abs() < f64::EPSILON, "{caught_up}");
}

#[tokio::test]
async fn a_status_only_moves_forward_and_an_error_keeps_its_number() {
    let world = world(&[]).await;
    world.fault(json!({"match": {"event": "message_status"}, "fault": {"kind": "webhook_lose"}})).await;
    text(&world, ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    let store = world.data_dir().join("store.db");
    let sid = column(&store, "SELECT external_id FROM message WHERE direction = 'out'").remove(0);
    for (status, code, expected) in [
        ("sent", "", "sent -"),
        ("undelivered", "30003", "undelivered 30003"),
        ("queued", "", "undelivered 30003"),
        ("sent", "", "undelivered 30003"),
        ("delivered", "", "delivered -"),
        ("read", "", "read -"),
        ("delivered", "", "read -"),
    ] {
        let account = world.account.account_sid.to_string();
        let params = [("AccountSid", account.as_str()), ("MessageSid", &sid), ("From", NUMBER), ("To", ADA)];
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let hook = Webhook { path: format!("{AT}/status"), ..Webhook::new(&world, params) };
        let told = hook.with("MessageStatus", status).with("ErrorCode", code).send(&world).await;
        assert_eq!(told.status, StatusCode::OK, "{}", told.text);
        world.until_idle().await;
        let found = "SELECT status || ' ' || COALESCE(error_code, '-') FROM message WHERE direction = 'out'";
        assert_eq!(column(&store, found), [expected], "after {status}");
    }
}

#[tokio::test]
async fn what_is_not_signed_or_not_ours_is_turned_away() {
    let world = world(&[("TRUNKLINE_MESSAGING_NUMBERS", NUMBER)]).await;
    let account = world.account.account_sid.to_string();
    let params = [
        ("AccountSid", account.as_str()),
        ("MessageSid", "SM00000000000000000000000000000001"),
        ("From", ADA),
        ("To", NUMBER),
        ("Body", "text 1"),
    ];
    let hook = || {
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Webhook { path: AT.to_owned(), ..Webhook::new(&world, params) }
    };
    let forged = Webhook { key: Some("another".to_owned()), ..hook() }.send(&world).await;
    assert_eq!((forged.status, forged.body["code"].as_str()), (StatusCode::FORBIDDEN, Some("ErrCodeInvalidSignature")));
    let other = hook().with("AccountSid", "AC00000000000000000000000000000009").send(&world).await;
    assert_eq!((other.status, other.body["code"].as_str()), (StatusCode::FORBIDDEN, Some("edge.other_account")));
    let without = hook().with("From", "").send(&world).await;
    assert_eq!(without.body["code"], "proto.webhook.missing_parameter");
    for (name, value) in [("To", "+15559998888"), ("From", "12345"), ("From", NUMBER)] {
        let ignored = hook().with(name, value).send(&world).await;
        assert_eq!(ignored.status, StatusCode::OK, "{name} {value}");
        assert!(ignored.text.ends_with("<Response/>"), "{}", ignored.text);
    }
    assert!(envelopes(&world.data_dir().join("bus.db"), "log").is_empty());
    let taken = hook().send(&world).await;
    assert_eq!(taken.headers["content-type"], "text/xml; charset=utf-8");
    world.expect_answers(ADA, &["answer 1"]).await;
}

#[tokio::test]
async fn a_number_that_also_has_conversations_is_answered_once() {
    let world = World::start(&[]).await;
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    let sid = number(&world).await["sid"].as_str().unwrap().to_owned();
    let path = format!("/2010-04-01/Accounts/{}/IncomingPhoneNumbers/{sid}.json", world.account.account_sid);
    let pointed = answer(world.rest(Method::POST, &path).form(&[("SmsUrl", world.gateway_url(AT))])).await;
    assert_eq!(pointed.status, StatusCode::OK, "{}", pointed.text);
    world.text(ADA, "text 2").await;
    until("it was told by both ways", async || {
        (world.metric("twilio_webhook_processed_total", "message.received").await > 0.0).then_some(())
    })
    .await;
    world.expect_answers(ADA, &["answer 1", "answer 2"]).await;
}

#[tokio::test]
async fn a_pair_that_was_closed_begins_anew_with_the_next_text() {
    let world = world(&[]).await;
    text(&world, ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    let list = world.api("/api/v1/conversations").await;
    let id = list["conversations"][0]["id"].as_str().unwrap().to_owned();
    let session = async || world.api(&format!("/api/v1/conversations/{id}")).await["session"].clone();
    let first = session().await;
    let url = world.gateway_url(&format!("/api/v1/conversations/{id}/close"));
    let closed = answer(world.http.post(url).bearer_auth(CONSOLE_TOKEN)).await;
    assert_eq!(closed.body["session"]["state"], "closed", "{}", closed.text);
    text(&world, ADA, "text 2").await;
    world.expect_answers(ADA, &["answer 1", "answer 2"]).await;
    let second = session().await;
    assert_eq!((&first["state"], &second["state"]), (&json!("active"), &json!("active")));
    assert_ne!(first["id"], second["id"]);
}

#[tokio::test]
async fn a_person_on_two_channels_has_two_conversations_and_is_one_contact() {
    let world = world(&[]).await;
    text(&world, ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    let on_whatsapp = json!({"from": ADA, "body": "text 2", "channel": "whatsapp"});
    world.control(Method::POST, "/messages", on_whatsapp).await;
    let address = format!("whatsapp:{ADA}");
    world.expect_answers(&address, &["answer 2"]).await;
    world.expect_answers(ADA, &["answer 1"]).await;
    let store = world.data_dir().join("store.db");
    let found = column(&store, "SELECT channel || ' ' || own_address FROM conversation ORDER BY channel");
    assert_eq!(found, [format!("sms {NUMBER}"), format!("whatsapp whatsapp:{NUMBER}")]);
    assert_eq!(column(&store, "SELECT DISTINCT contact_id FROM conversation").len(), 1);
}

#[tokio::test]
async fn keywords_hold_and_a_template_is_sent_once_although_its_answer_is_lost() {
    let replies = [("TRUNKLINE_KEYWORD_REPLIES", "gateway"), ("TRUNKLINE_STOP_REPLY", "bye")];
    let world = world(&replies).await;
    world.control(Method::PUT, "/rules", json!({"keywords": false})).await;
    text(&world, ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    let list = world.api("/api/v1/conversations").await;
    let id = list["conversations"][0]["id"].as_str().unwrap().to_owned();
    let say = async |wish: Value| {
        let url = world.gateway_url(&format!("/api/v1/conversations/{id}/messages"));
        answer(world.http.post(url).bearer_auth(CONSOLE_TOKEN).json(&wish)).await
    };
    let body = json!({"language": "en", "types": {"twilio/text": {"body": "News for you: {{1}}"}}});
    let made = answer(world.rest(Method::POST, "/v1/Content").json(&body)).await;
    let content = made.body["sid"].as_str().unwrap();
    fail_sends(&world, json!({"kind": "drop_after"})).await;
    let sent = say(json!({"content_sid": content, "content_variables": {"1": "hi"}, "text": "Reminder"})).await;
    assert_eq!(sent.status, StatusCode::ACCEPTED, "{}", sent.text);
    world.expect_answers(ADA, &["answer 1", "News for you: hi"]).await;

    text(&world, ADA, "stop").await;
    world.expect_answers(ADA, &["answer 1", "News for you: hi", "bye"]).await;
    let refused = say(json!({"text": "are you there?"})).await;
    assert_eq!((refused.status, &refused.body["code"]), (StatusCode::CONFLICT, &json!("compliance.opted_out")));
    text(&world, ADA, "text 2").await;
    world.until_idle().await;
    world.expect_answers(ADA, &["answer 1", "News for you: hi", "bye"]).await;
}

#[tokio::test]
async fn a_stop_that_nobody_heard_is_heeded_when_it_is_read_back() {
    let mut world = world(&[("TRUNKLINE_KEYWORD_REPLIES", "gateway"), ("TRUNKLINE_STOP_REPLY", "bye")]).await;
    world.control(Method::PUT, "/rules", json!({"keywords": false})).await;
    text(&world, ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    world.stop_gateway().await;
    text(&world, ADA, "stop").await;
    text(&world, BOB, "STOP").await;
    world.start_gateway_with_webhook().await;
    world.expect_answers(ADA, &["answer 1", "bye"]).await;
    world.expect_answers(BOB, &["bye"]).await;
    text(&world, ADA, "text 2").await;
    world.until_idle().await;
    world.expect_answers(ADA, &["answer 1", "bye"]).await;
}
