//! Agents are reminded of what was said before, by this person and nobody else, on every channel.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    ADA, BOB, CONSOLE_TOKEN, HttpAgentServer, NUMBER, World, answer, free_address, until, until_within,
};

async fn said(world: &World, words: &str) -> Vec<Value> {
    world.api(&format!("/api/v1/transcripts/search?q={words}")).await["passages"].as_array().unwrap().clone()
}

async fn call(world: &World, from: &str, words: &str) {
    let listen = json!({ "wait_for_speech": { "timeout_ms": 15_000 } });
    let steps = [listen.clone(), json!({ "say": words }), listen, json!({ "hang_up": true })];
    let script = json!({ "from": from, "to": NUMBER, "steps": steps });
    let placed = world.control(Method::POST, "/calls", script).await;
    let sid = placed["sid"].as_str().unwrap();
    until_within(std::time::Duration::from_secs(90), "the call ends", async || {
        let call = world.control(Method::GET, &format!("/calls/{sid}"), Value::Null).await;
        (!call["result"].is_null()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_question_about_a_past_call_is_answered_with_its_source_and_forgotten_with_the_person() {
    let world = World::start(&[
        ("TRUNKLINE_VOICE", "true"),
        ("TRUNKLINE_RELAY_NUMBERS", "*"),
        ("TRUNKLINE_CONCIERGE", ""),
        ("TRUNKLINE_SEARCH_QUIET", "0"),
    ])
    .await;
    call(&world, ADA, "the invoice for the harpsichord is number forty two").await;
    let found =
        until("the call is in the index", async || said(&world, "harpsichord%20invoice").await.first().cloned()).await;
    assert_eq!(found["kind"], "transcript", "{found}");
    assert!(found["title"].as_str().unwrap().starts_with("Call on "), "{found}");

    world.text(ADA, "which number was the harpsichord invoice?").await;
    let told = until("she is reminded", async || {
        world.answers(ADA).await.into_iter().find(|answer| answer.starts_with("According to our call on "))
    })
    .await;
    assert!(told.contains("you said: the invoice for the harpsichord is number forty two"), "{told}");

    // Somebody else asks the very same, and is told nothing of it.
    world.text(BOB, "which number was the harpsichord invoice?").await;
    until("he is answered", async || (!world.answers(BOB).await.is_empty()).then_some(())).await;
    world.until_idle().await;
    assert!(
        world.answers(BOB).await.iter().all(|answer| !answer.contains("forty two")),
        "{:?}",
        world.answers(BOB).await
    );

    let ada = world.api("/api/v1/contacts?query=0001111").await["contacts"][0]["id"].as_str().unwrap().to_owned();
    let erase = world.http.delete(world.gateway_url(&format!("/api/v1/contacts/{ada}"))).bearer_auth(CONSOLE_TOKEN);
    let erased = answer(erase).await;
    assert_eq!(erased.status, StatusCode::OK, "{}", erased.text);
    let left = said(&world, "harpsichord%20forty").await;
    assert!(left.iter().all(|one| !one["text"].as_str().unwrap().contains("forty")), "{left:?}");
    world.text(ADA, "which number was the harpsichord invoice?").await;
    until("she is answered as a stranger", async || (world.answers(ADA).await.len() >= 2).then_some(())).await;
    world.until_idle().await;
    assert!(!world.answers(ADA).await.last().unwrap().contains("forty two"));
}

#[tokio::test]
async fn an_agent_elsewhere_is_given_what_fits_and_what_was_taken_away_is_not_found() {
    let agent =
        HttpAgentServer::start(free_address().await, &[Some((200, "application/json", r#"{"text":"ok"}"#))]).await;
    let world = World::start(&[
        ("TRUNKLINE_AGENT", "http"),
        ("TRUNKLINE_AGENT_URL", &agent.url),
        ("TRUNKLINE_SEARCH_QUIET", "0"),
    ])
    .await;
    world.text(ADA, "my locker has the number 1789").await;
    world.expect_answers(ADA, &["ok"]).await;
    until("it is in the index", async || said(&world, "locker").await.first().cloned()).await;
    let document = world.http.post(world.gateway_url("/api/v1/knowledge/gym/documents?title=lockers.txt"));
    answer(document.bearer_auth(CONSOLE_TOKEN).header("content-type", "text/plain").body("A locker is 2 francs."))
        .await;
    let ask = json!({ "from": format!("whatsapp:{ADA}"), "body": "what was my locker?" });
    world.control(Method::POST, "/messages", ask).await;
    let asked = until("the agent is asked", async || {
        agent.asked().into_iter().map(|(_, body)| body).find(|body| body["channel"] == "whatsapp")
    })
    .await;
    let recalled = asked["recalled"].as_array().unwrap().clone();
    let kinds: Vec<_> = recalled.iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"document") && kinds.contains(&"conversation"), "{recalled:?}");
    assert!(recalled.iter().any(|one| one["source"] == "lockers.txt" && one["text"] == "A locker is 2 francs."));
    assert!(
        recalled.iter().any(|one| one["source"].as_str().unwrap().starts_with("SMS on ")
            && one["text"].as_str().unwrap().contains("Person: my locker has the number 1789")),
        "{recalled:?}"
    );
    let first = &agent.asked()[0].1;
    assert!(first["recalled"].is_null(), "nothing was known then: {first}");

    // The person takes their message away at the platform.
    let list = world.api("/api/v1/conversations").await;
    let sms = list["conversations"].as_array().unwrap().iter().find(|one| one["channel"] == "sms").unwrap().clone();
    let thread = world.api(&format!("/api/v1/conversations/{}/messages", sms["id"].as_str().unwrap())).await;
    let (conversation, message) =
        (sms["external_id"].as_str().unwrap(), thread["messages"][0]["external_id"].as_str().unwrap());
    let gone = world
        .rest(Method::DELETE, &format!("/v1/Conversations/{conversation}/Messages/{message}"))
        .header("x-twilio-webhook-enabled", "true")
        .send()
        .await
        .unwrap();
    assert!(gone.status().is_success());
    until("it is not found any more", async || {
        let found = said(&world, "locker%201789").await;
        found.iter().all(|one| !one["text"].as_str().unwrap().contains("1789")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn nothing_is_indexed_or_recalled_where_that_is_switched_off() {
    let world = World::start(&[
        ("TRUNKLINE_CONCIERGE", ""),
        ("TRUNKLINE_SEARCH_QUIET", "0"),
        ("TRUNKLINE_SEARCH_RETENTION", "0"),
        ("TRUNKLINE_RECALL_TEXT_DEADLINE", "0"),
    ])
    .await;
    world.text(ADA, "my locker has the number 1789").await;
    until("she is answered", async || (!world.answers(ADA).await.is_empty()).then_some(())).await;
    world.until_idle().await;
    let waiting = || crate::support::rows(&world.data_dir().join("store.db"), "unindexed");
    until("nothing waits for the index", async || (waiting() == 0).then_some(())).await;
    assert!(said(&world, "locker").await.is_empty());
    assert!(world.metric("trunkline_recall_total", "").await < 0.5);
}
