//! Who wants nothing more gets nothing more, and on WhatsApp silence closes a window that only templates open.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{ADA, Answer, BOB, CONSOLE_TOKEN, HttpAgentServer, NUMBER, World, answer, outbox, until};

/// The gateway confirms keywords, as on numbers where Twilio leaves that to us.
const OURS: &[(&str, &str)] = &[
    ("TRUNKLINE_KEYWORD_REPLIES", "gateway"),
    ("TRUNKLINE_STOP_REPLY", "bye"),
    ("TRUNKLINE_START_REPLY", "hello again"),
];

async fn without_keywords(world: &World) {
    world.control(Method::PUT, "/rules", json!({"keywords": false})).await;
}

async fn conversation(world: &World) -> String {
    let list = world.api("/api/v1/conversations").await;
    list["conversations"][0]["id"].as_str().unwrap().to_owned()
}

async fn say(world: &World, conversation: &str, wish: Value) -> Answer {
    let url = world.gateway_url(&format!("/api/v1/conversations/{conversation}/messages"));
    answer(world.http.post(url).bearer_auth(CONSOLE_TOKEN).json(&wish)).await
}

async fn thread(world: &World, conversation: &str) -> Vec<Value> {
    let thread = world.api(&format!("/api/v1/conversations/{conversation}/messages")).await;
    thread["messages"].as_array().unwrap().clone()
}

async fn whatsapp(world: &World, body: &str) {
    world.control(Method::POST, "/messages", json!({"from": ADA, "body": body, "channel": "whatsapp"})).await;
}

async fn template(world: &World) -> String {
    let body = json!({"language": "en", "types": {"twilio/text": {"body": "News for you: {{1}}"}}});
    let made = answer(world.rest(Method::POST, "/v1/Content").json(&body)).await;
    made.body["sid"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned()
}

#[tokio::test]
async fn stop_is_confirmed_once_and_nothing_is_sent_until_start() {
    let world = World::start(OURS).await;
    without_keywords(&world).await;
    world.fault(json!({"fault": {"kind": "webhook_duplicate", "times": 2}})).await;
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    world.text(ADA, " Stop\n").await;
    world.expect_answers(ADA, &["answer 1", "bye"]).await;
    world.text(ADA, "UNSUBSCRIBE").await;
    world.text(ADA, "text 2").await;
    world.text(ADA, "help").await;
    world.text(BOB, "text 3").await;
    world.expect_answers(BOB, &["answer 3"]).await;
    world.expect_answers(ADA, &["answer 1", "bye"]).await;

    let list = world.api("/api/v1/conversations").await;
    let ada = list["conversations"].as_array().unwrap().iter().find(|one| one["address"] == ADA).unwrap().clone();
    assert_eq!(ada["state"], "opted_out");
    let id = ada["id"].as_str().unwrap();
    let refused = say(&world, id, json!({"text": "are you there?"})).await;
    assert_eq!((refused.status, &refused.body["code"]), (StatusCode::CONFLICT, &json!("compliance.opted_out")));
    assert_eq!(thread(&world, id).await.len(), 7, "what they wrote is kept");

    world.text(ADA, "START").await;
    world.expect_answers(ADA, &["answer 1", "bye", "hello again"]).await;
    world.text(ADA, "text 4").await;
    world.expect_answers(ADA, &["answer 1", "bye", "hello again", "answer 4"]).await;
    let taken = say(&world, id, json!({"text": "good", "id": "one"})).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED, "{}", taken.text);
    let again = say(&world, id, json!({"text": "good", "id": "one"})).await;
    assert_eq!((again.status, &again.body["new"]), (StatusCode::ACCEPTED, &json!(false)));
    world.expect_answers(ADA, &["answer 1", "bye", "hello again", "answer 4", "good"]).await;
}

#[tokio::test]
async fn yes_and_start_are_words_for_whoever_has_not_opted_out() {
    let world = World::start(OURS).await;
    without_keywords(&world).await;
    world.text(ADA, "yes").await;
    world.expect_answers(ADA, &["pardon?"]).await;
    world.text(ADA, "INFO").await;
    let answers = world.answers(ADA).await;
    assert!(answers.len() <= 2, "{answers:?}");
    until("help is told", async || (world.answers(ADA).await.len() == 2).then_some(())).await;
    assert!(world.answers(ADA).await[1].contains("STOP"));
}

#[tokio::test]
async fn on_sms_twilio_confirms_and_the_gateway_stays_silent() {
    let world = World::start(&[]).await;
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    world.text(ADA, "STOP").await;
    world.text(ADA, "text 2").await;
    world.until_idle().await;
    let answers = world.answers(ADA).await;
    assert_eq!(answers.len(), 2, "Twilio's own words, once: {answers:?}");
    world.text(ADA, "START").await;
    world.text(ADA, "text 3").await;
    until("the next answer comes", async || world.answers(ADA).await.contains(&"answer 3".to_owned()).then_some(()))
        .await;
    assert_eq!(world.answers(ADA).await.len(), 4);
}

#[tokio::test]
async fn an_answer_that_is_made_meanwhile_is_not_sent() {
    let agent = HttpAgentServer::start(([127, 0, 0, 1], 0).into(), &[None]).await;
    let world = World::start(&[
        ("TRUNKLINE_AGENT", "http"),
        ("TRUNKLINE_AGENT_URL", &agent.url),
        ("TRUNKLINE_AGENT_SECRET", "a-secret-of-the-tests"),
        ("TRUNKLINE_TURN_TIMEOUT", "1s"),
        ("TRUNKLINE_TURN_ATTEMPTS", "1"),
        ("TRUNKLINE_APOLOGY", "sorry"),
    ])
    .await;
    world.text(ADA, "is anybody there?").await;
    until("the agent thinks", async || (!agent.asked().is_empty()).then_some(())).await;
    world.text(ADA, "STOP").await;
    world.until_idle().await;
    let answers = world.answers(ADA).await;
    assert_eq!(answers.len(), 1, "Twilio's words alone: {answers:?}");
    assert_eq!(agent.asked().len(), 1, "no agent reads the keyword");
}

#[tokio::test]
async fn who_opted_out_at_twilio_is_known_by_the_first_refusal() {
    let world = World::start(OURS).await;
    without_keywords(&world).await;
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    let refusal = json!({"rule": "failed", "error_code": 21610});
    world.control(Method::PUT, &format!("/phones/{ADA}/receiving"), refusal).await;
    let id = conversation(&world).await;
    assert_eq!(say(&world, &id, json!({"text": "news"})).await.status, StatusCode::ACCEPTED);
    until("the person counts as opted out", async || {
        (world.api("/api/v1/conversations").await["conversations"][0]["state"] == "opted_out").then_some(())
    })
    .await;
    let refused = say(&world, &id, json!({"text": "more news"})).await;
    assert_eq!(refused.body["code"], "compliance.opted_out");
    assert_eq!(thread(&world, &id).await.last().unwrap()["error_code"], "21610");
    world.control(Method::PUT, &format!("/phones/{ADA}/receiving"), json!({"rule": "deliver"})).await;
    world.text(ADA, "START").await;
    world.text(ADA, "text 2").await;
    until("they are answered again", async || {
        world.answers(ADA).await.ends_with(&["hello again".to_owned(), "answer 2".to_owned()]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_closed_window_refuses_texts_and_takes_templates() {
    let world = World::start(&[("TRUNKLINE_WHATSAPP_WINDOW", "1ms")]).await;
    let phone = format!("whatsapp:{ADA}");
    whatsapp(&world, "text 1").await;
    let refused = async || {
        let list = world.api("/api/v1/conversations").await;
        (list["conversations"][0]["state"] == "failed").then_some(())
    };
    until("the answer is refused", refused).await;
    let id = conversation(&world).await;
    assert_eq!(thread(&world, &id).await.last().unwrap()["error_code"], "compliance.window_closed");
    let late = say(&world, &id, json!({"text": "late"})).await;
    assert_eq!((late.status, &late.body["code"]), (StatusCode::CONFLICT, &json!("compliance.window_closed")));
    let bad = say(&world, &id, json!({"content_sid": "HX1"})).await;
    assert_eq!(bad.body["code"], "bus_api.bad_template");

    let content = template(&world).await;
    let sent = say(&world, &id, json!({"content_sid": content, "content_variables": {"1": "hi"}})).await;
    assert_eq!(sent.status, StatusCode::ACCEPTED, "{}", sent.text);
    world.expect_answers(&phone, &["News for you: hi"]).await;
}

#[tokio::test]
async fn a_configured_template_takes_the_place_of_what_comes_too_late() {
    let mut world = World::without_gateway(&[("TRUNKLINE_WHATSAPP_WINDOW", "1ms")]).await;
    let content = template(&world).await;
    world.set("TRUNKLINE_WHATSAPP_TEMPLATE", &content);
    world.set("TRUNKLINE_WHATSAPP_TEMPLATE_VARIABLES", r#"{"1":"{text}"}"#);
    world.start_gateway().await;
    whatsapp(&world, "text 1").await;
    world.expect_answers(&format!("whatsapp:{ADA}"), &["News for you: answer 1"]).await;
}

#[tokio::test]
async fn what_twilio_finds_too_late_goes_once_more_as_a_template() {
    let mut world = World::without_gateway(&[]).await;
    let content = template(&world).await;
    world.set("TRUNKLINE_WHATSAPP_TEMPLATE", &content);
    world.set("TRUNKLINE_WHATSAPP_TEMPLATE_VARIABLES", r#"{"1":"{text}"}"#);
    world.start_gateway().await;
    let phone = format!("whatsapp:{ADA}");
    whatsapp(&world, "text 1").await;
    world.expect_answers(&phone, &["answer 1"]).await;
    world.control(Method::POST, "/clock", json!({"advance_ms": 25 * 3_600_000_u64})).await;
    let id = conversation(&world).await;
    assert_eq!(say(&world, &id, json!({"text": "are you there?"})).await.status, StatusCode::ACCEPTED);
    until("the template arrives", async || {
        world.answers(&phone).await.contains(&"News for you: are you there?".to_owned()).then_some(())
    })
    .await;
    world.until_idle().await;
    let messages = thread(&world, &id).await;
    let late: Vec<_> = messages.iter().filter(|message| message["text"] == "are you there?").collect();
    assert_eq!(late.len(), 2);
    assert_eq!((&late[0]["status"], &late[0]["error_code"]), (&json!("failed"), &json!("63016")));
    assert!(late[1]["error_code"].is_null(), "{messages:?}");
    assert_eq!(outbox(&world.data_dir(), "failed"), 0);

    // A template that is refused too is refused for good.
    let refusal = json!({"rule": "failed", "error_code": 63016});
    world.control(Method::PUT, &format!("/phones/{phone}/receiving"), refusal).await;
    assert_eq!(say(&world, &id, json!({"text": "still?"})).await.status, StatusCode::ACCEPTED);
    until("both were refused", async || {
        let messages = thread(&world, &id).await;
        (messages.iter().filter(|message| message["error_code"] == "63016").count() == 3).then_some(())
    })
    .await;
    world.until_idle().await;
    assert_eq!(thread(&world, &id).await.len(), messages.len() + 2);
}

#[tokio::test]
async fn stop_is_about_the_number_that_it_was_written_to() {
    let world = World::start(OURS).await;
    without_keywords(&world).await;
    let other = "+15557770000";
    let made =
        [("Type", "sms"), ("Address", other), ("AutoCreation.Enabled", "true"), ("AutoCreation.Type", "default")];
    let made = answer(world.rest(Method::POST, "/v1/Configuration/Addresses").form(&made)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    world.text(ADA, "stop").await;
    world.expect_answers(ADA, &["bye"]).await;
    world.control(Method::POST, "/messages", json!({"from": ADA, "to": other, "body": "text 1"})).await;
    world.expect_answers(ADA, &["bye", "answer 1"]).await;
    world.text(ADA, "text 2").await;
    world.until_idle().await;
    world.expect_answers(ADA, &["bye", "answer 1"]).await;
}

#[tokio::test]
async fn who_came_back_stays_although_an_older_stop_is_read_later() {
    let world = World::start(OURS).await;
    without_keywords(&world).await;
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    world.fault(json!({"match": {"event": "onMessageAdded"}, "count": 1, "fault": {"kind": "webhook_lose"}})).await;
    world.text(ADA, "STOP").await;
    world.text(ADA, "START").await;
    world.text(ADA, "text 2").await;
    until("the last text is answered", async || {
        world.answers(ADA).await.contains(&"answer 2".to_owned()).then_some(())
    })
    .await;
    world.until_idle().await;
    assert!(!world.answers(ADA).await.contains(&"bye".to_owned()), "{:?}", world.answers(ADA).await);
    let list = world.api("/api/v1/conversations").await;
    assert_eq!(list["conversations"][0]["state"], "idle");
}

#[tokio::test]
async fn what_a_network_says_of_one_person_is_not_taken_for_another() {
    let world = World::start(OURS).await;
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    let list = world.api("/api/v1/conversations").await;
    let sid = list["conversations"][0]["external_id"].as_str().unwrap().to_owned();
    let form = [("MessagingBinding.Address", BOB), ("MessagingBinding.ProxyAddress", NUMBER)];
    let path = format!("/v1/Conversations/{sid}/Participants");
    let added = answer(world.rest(Method::POST, &path).form(&form)).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text);
    let blocked = json!({"rule": "undelivered", "error_code": 21610});
    world.control(Method::PUT, &format!("/phones/{BOB}/receiving"), blocked).await;
    world.text(ADA, "text 2").await;
    world.expect_answers(ADA, &["answer 1", "answer 2"]).await;
    world.until_idle().await;
    world.text(ADA, "text 3").await;
    world.expect_answers(ADA, &["answer 1", "answer 2", "answer 3"]).await;
}
