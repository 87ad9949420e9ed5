//! An answer that is longer than a message: several, in order, each of them once.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ADA, CONSOLE_TOKEN, HttpAgentServer, SENDS, World, answer, outbox, until};

const LONG: &str = "{\"text\":\"First sentence here. Second one follows. And a third. Then more of it.\"}";
const PARTS: [&str; 3] = ["First sentence here.", "Second one follows.", "And a third.…"];

async fn world(agent: &HttpAgentServer, debounce: &str) -> World {
    World::start(&[
        ("TRUNKLINE_AGENT", "http"),
        ("TRUNKLINE_AGENT_URL", &agent.url),
        ("TRUNKLINE_AGENT_SECRET", "a-secret-of-the-tests"),
        ("TRUNKLINE_SMS_CHARS", "20"),
        ("TRUNKLINE_MAX_PARTS", "3"),
        ("TRUNKLINE_DEBOUNCE", debounce),
    ])
    .await
}

async fn agent() -> HttpAgentServer {
    HttpAgentServer::start(([127, 0, 0, 1], 0).into(), &[Some((200, "application/json", LONG))]).await
}

#[tokio::test]
async fn a_long_answer_is_split_and_each_part_is_sent_once_after_a_crash() {
    let agent = agent().await;
    let mut world = world(&agent, "0").await;
    world.fault(json!({"match": {"method": "POST", "path": SENDS}, "count": 1, "fault": {"kind": "drop_after"}})).await;
    world.text(ADA, "text 1").await;
    until("the first part is out", async || (world.answers(ADA).await.len() == 1).then_some(())).await;
    world.stop_gateway().await;
    world.start_gateway().await;
    world.expect_answers(ADA, &PARTS).await;
}

#[tokio::test]
async fn a_long_text_of_an_operator_is_split_and_its_name_holds_for_all_of_it() {
    let agent = agent().await;
    let world = world(&agent, "0").await;
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &PARTS).await;
    let list = world.api("/api/v1/conversations").await;
    let id = list["conversations"][0]["id"].as_str().unwrap().to_owned();
    let say = async |text: &str| {
        let url = world.gateway_url(&format!("/api/v1/conversations/{id}/messages"));
        let wish = json!({"id": "news", "text": text});
        let said = answer(world.http.post(url).bearer_auth(CONSOLE_TOKEN).json(&wish)).await;
        (said.status.as_u16(), said.body)
    };
    world.fault(json!({"match": {"method": "POST", "path": SENDS}, "count": 2, "fault": {"kind": "drop_after"}})).await;
    let text = "One sentence here. Two sentences now. Three and done.";
    let (status, taken) = say(text).await;
    assert_eq!((status, &taken["new"]), (202, &json!(true)), "{taken}");
    let (status, again) = say(text).await;
    assert_eq!((status, &again["new"], &again["outbox_id"]), (202, &json!(false), &taken["outbox_id"]));
    let (status, reused) = say("One sentence here. Two sentences now. Three and other.").await;
    assert_eq!((status, &reused["code"]), (409, &json!("store.command_reused")));
    let (status, refused) = say(&text.repeat(3)).await;
    assert_eq!((status, &refused["code"]), (422, &json!("bus_api.text_too_long")));
    let said = ["One sentence here.", "Two sentences now.", "Three and done."];
    world.expect_answers(ADA, &[PARTS, said].concat()).await;
}

#[tokio::test]
async fn two_answers_do_not_mix() {
    let agent = agent().await;
    let world = world(&agent, "0").await;
    world.text(ADA, "text 1").await;
    world.text(ADA, "text 2").await;
    world.expect_answers(ADA, &[PARTS, PARTS].concat()).await;
}

#[tokio::test]
async fn an_answer_whose_first_part_is_out_is_not_taken_back() {
    let agent = agent().await;
    let world = world(&agent, "50ms").await;
    world.text(ADA, "text 1").await;
    until("the first part is out", async || (!world.answers(ADA).await.is_empty()).then_some(())).await;
    let away = json!({"match": {"method": "POST", "path": SENDS}, "fault": {"kind": "status", "status": 429}});
    let away = world.fault(away).await;
    world.text(ADA, "text 2").await;
    until("the second text was answered", async || (agent.asked().len() == 2).then_some(())).await;
    world.control(Method::DELETE, &format!("/faults/{away}"), Value::Null).await;
    world.expect_answers(ADA, &[PARTS, PARTS].concat()).await;
    assert_eq!(outbox(&world.data_dir(), "superseded"), 0);
}
