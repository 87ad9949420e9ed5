//! One person for a language model: a name told by text is in what the model is told on WhatsApp and in a call.

use reqwest::Method;
use serde_json::{Value, json};
use trunkline_testing::{Asked, ModelAnswer, ModelServer};

use crate::support::{ADA, BOB, NUMBER, World, until};

/// What the model is told of somebody whose name was kept.
const KNOWN: &str = "What is remembered of this person:\n<data>\nname: Ada\n</data>";

/// A model that keeps names, and knows those that it is told; it knows nothing by itself.
async fn model() -> ModelServer {
    let script = |asked: &Asked| {
        if !asked.results().is_empty() {
            return ModelAnswer::say("Nice to meet you.");
        }
        if let Some(name) = asked.question().strip_prefix("my name is ") {
            return ModelAnswer::call("remember", json!({ "name": "name", "value": name }));
        }
        let name = asked.instructions.lines().find_map(|line| line.strip_prefix("name: "));
        ModelAnswer::say(name.map_or("I do not know you yet.".to_owned(), |name| format!("You are {name}.")))
    };
    ModelServer::start(script).await.unwrap()
}

/// Questions with these words, as the model was sent them.
fn asked(model: &ModelServer, words: &str) -> Vec<Asked> {
    model.asked().into_iter().filter(|asked| asked.question() == words).collect()
}

async fn whatsapp(world: &World, from: &str, body: &str) -> Vec<String> {
    let from = format!("whatsapp:{from}");
    let before = world.answers(&from).await.len();
    world.control(Method::POST, "/messages", json!({ "from": from, "body": body })).await;
    until("an answer on WhatsApp", async || {
        let answers = world.answers(&from).await;
        (answers.len() > before).then_some(answers)
    })
    .await
}

#[tokio::test]
async fn a_model_is_told_on_every_channel_what_it_kept_on_one() {
    let model = model().await;
    let mut world = World::without_gateway(&[("TRUNKLINE_VOICE", "true"), ("TRUNKLINE_RELAY_NUMBERS", "*")]).await;
    world.set_file(&format!("[agent]\nkind = \"chat\"\nmodel = \"m\"\nbase_url = \"{}\"\n", model.base_url()));
    world.start_gateway().await;

    world.text(ADA, "my name is Ada").await;
    world.expect_answers(ADA, &["Nice to meet you."]).await;
    let first = asked(&model, "my name is Ada");
    assert_eq!(first.len(), 2, "asked, and told what the tool gave");
    assert!(first[0].tools.contains(&"remember".to_owned()), "{:?}", first[0].tools);
    assert!(!first[0].instructions.contains(KNOWN), "{}", first[0].instructions);
    assert_eq!(first[1].results(), ["kept"]);

    assert_eq!(whatsapp(&world, ADA, "who am I?").await, ["You are Ada."]);
    let second = asked(&model, "who am I?");
    assert_eq!(second.len(), 1);
    assert!(second[0].instructions.contains(KNOWN), "{}", second[0].instructions);
    assert_eq!(second[0].said.len(), 1, "another conversation: only what is remembered comes along");
    // Who has the other telephone is somebody else, also for the model.
    assert_eq!(whatsapp(&world, BOB, "who am I then?").await, ["I do not know you yet."]);
    assert!(!asked(&model, "who am I then?")[0].instructions.contains("Ada"));

    let listen = json!({ "wait_for_speech": { "timeout_ms": 15_000 } });
    let steps = json!([listen, { "say": "do you know me" }, listen, { "hang_up": true }]);
    world.control(Method::POST, "/calls", json!({ "from": ADA, "to": NUMBER, "steps": steps })).await;
    let past = until("the call is over", async || {
        let calls = world.api("/api/v1/calls").await;
        calls["past"].as_array().unwrap().iter().find(|call| call["ended"].is_string()).cloned()
    })
    .await;
    let turns = world.api(&format!("/api/v1/calls/{}", past["call"].as_str().unwrap())).await["turns"].clone();
    let said: Vec<_> = turns.as_array().unwrap().iter().map(|turn| turn["agent"].as_str().unwrap()).collect();
    assert_eq!(said, ["Hello Ada! How can I help you?", "You are Ada."], "{turns}");
    let third = asked(&model, "do you know me");
    assert!(third.len() == 1 && third[0].instructions.contains(KNOWN), "{third:?}");
    assert!(third[0].instructions.contains("You are on the telephone"), "{}", third[0].instructions);

    let people = world.api("/api/v1/contacts?query=ada").await["contacts"].clone();
    assert_eq!(people.as_array().map(Vec::len), Some(1), "one person: {people}");
    assert_eq!(people[0]["name"], Value::from("Ada"));
}
