//! Agents that ask language models: by name and by route, with tools, changed while they answer.

use serde_json::{Value, json};
use trunkline_testing::{Asked, ModelAnswer, ModelServer};

use crate::support::{World, until};

const ADA: &str = "+15550001111";
const BOB: &str = "+15550002222";

/// A model that remembers names, passes people on, and otherwise says who it is and what it was told.
async fn model(name: &'static str) -> ModelServer {
    let script = move |asked: &Asked| {
        if !asked.results().is_empty() {
            return ModelAnswer::say(format!("{name}: {}", asked.results().join("; ")));
        }
        let question = asked.question();
        if let Some(person) = question.strip_prefix("my name is ") {
            return ModelAnswer::call("remember", json!({"name": "name", "value": person}));
        }
        match question {
            "a human please" => ModelAnswer::Call("One moment.".into(), vec![("hand_over".into(), json!({}))]),
            "my bill" => ModelAnswer::call("hand_over_to", json!({"agent": "billing"})),
            "what is my name?" => {
                let known = asked.instructions.split_once("name: ").map(|(_, rest)| rest.lines().next());
                ModelAnswer::say(known.flatten().unwrap_or("I do not know").to_owned())
            }
            other => ModelAnswer::say(format!("{name} heard {other}")),
        }
    };
    ModelServer::start(script).await.unwrap()
}

fn file(main: &ModelServer, billing: &ModelServer, more: &str) -> String {
    format!(
        r#"
[agent]
kind = "chat"
models = "main"

[models.main]
model = "m"
base_url = "{}"

[models.other]
api = "anthropic"
model = "a"
base_url = "{}"

[agents.billing]
kind = "chat"
models = ["other"]
tools = ["remember"]
{more}"#,
        main.base_url(),
        billing.base_url()
    )
}

async fn world(main: &ModelServer, billing: &ModelServer, more: &str) -> World {
    let mut world = World::without_gateway(&[]).await;
    world.set_file(&file(main, billing, more));
    world.start_gateway().await;
    world
}

async fn tools(world: &World) -> Value {
    let id = world.api("/api/v1/conversations").await["conversations"][0]["id"].as_str().unwrap().to_owned();
    world.api(&format!("/api/v1/conversations/{id}/tools")).await["tools"].clone()
}

#[tokio::test]
async fn what_a_model_remembers_it_knows_later_and_its_tool_calls_are_facts() {
    let (main, billing) = (model("main").await, model("billing").await);
    let world = world(&main, &billing, "").await;
    world.text(ADA, "my name is Ada").await;
    world.expect_answers(ADA, &["main: kept"]).await;
    world.text(ADA, "what is my name?").await;
    world.expect_answers(ADA, &["main: kept", "Ada"]).await;
    let tools = tools(&world).await;
    let call = json!([tools[0]["tool"], tools[0]["arguments"], tools[0]["result"], tools[0]["error_code"]]);
    assert_eq!(call, json!(["remember", "{\"name\":\"name\",\"value\":\"Ada\"}", "kept", null]));
    assert_eq!(tools.as_array().unwrap().len(), 1);
    assert_eq!(world.metric("trunkline_tool_calls_total", "tool=\"remember\"").await.to_string(), "1");
    assert_eq!(world.metric("trunkline_model_tokens_total", "kind=\"input\"").await.to_string(), "60");
    // Another person is another person.
    world.text(BOB, "what is my name?").await;
    world.expect_answers(BOB, &["I do not know"]).await;
}

#[tokio::test]
async fn an_agent_hands_over_to_another_one_and_to_a_person() {
    let (main, billing) = (model("main").await, model("billing").await);
    let world = world(&main, &billing, "").await;
    world.text(ADA, "my bill").await;
    world.expect_answers(ADA, &["main: it goes on from here"]).await;
    world.text(ADA, "hello").await;
    world.expect_answers(ADA, &["main: it goes on from here", "billing heard hello"]).await;
    assert_eq!(billing.asked()[0].tools, ["remember"], "this agent has one tool");
    let list = world.api("/api/v1/conversations").await;
    let id = list["conversations"][0]["id"].as_str().unwrap();
    assert_eq!(list["conversations"][0]["agent"], "billing");
    assert_eq!(world.api("/api/v1/agents").await["agents"], json!(["billing", "default"]));
    world.post(&format!("/api/v1/conversations/{id}/agent"), json!({"agent": null})).await;
    world.text(ADA, "hello").await;
    let before = ["main: it goes on from here", "billing heard hello", "main heard hello"];
    world.expect_answers(ADA, &before).await;
    world.text(BOB, "a human please").await;
    world.expect_answers(BOB, &["One moment.main: a colleague has been told"]).await;
    let handed_over = async || {
        let list = world.api("/api/v1/conversations").await;
        (list["conversations"][0]["state"] == "handed_over").then_some(())
    };
    until("a person of ours answers", handed_over).await;
}

#[tokio::test]
async fn routes_choose_and_the_file_is_followed_while_agents_answer() {
    let (main, billing) = (model("main").await, model("billing").await);
    let route = "[[routes]]\nchannel = \"sms\"\nconnector = \"twilio\"\nagent = \"billing\"\n";
    let mut world = world(&main, &billing, route).await;
    world.text(ADA, "one").await;
    world.expect_answers(ADA, &["billing heard one"]).await;

    world.set_file(&file(&main, &billing, "[agents.broken]\nkind = \"chat\"\n"));
    world.text(ADA, "two").await;
    world.expect_answers(ADA, &["billing heard one", "billing heard two"]).await;

    world.set_file(&file(&main, &billing, "[agents.third]\nkind = \"concierge\"\n"));
    until("the change is read", async || {
        let agents = world.api("/api/v1/agents").await;
        (agents["agents"] == json!(["billing", "default", "third"])).then_some(())
    })
    .await;
    world.text(ADA, "three").await;
    world.expect_answers(ADA, &["billing heard one", "billing heard two", "main heard three"]).await;
    // A file that is empty while it is written, or gone, changes nothing.
    world.set_file("\n");
    world.text(ADA, "four").await;
    let four = ["billing heard one", "billing heard two", "main heard three", "main heard four"];
    world.expect_answers(ADA, &four).await;
    assert_eq!(world.api("/api/v1/agents").await["agents"], json!(["billing", "default", "third"]));
}

#[test]
fn every_problem_of_a_file_is_told_under_its_table() {
    use trunkline::config::{AgentsSettings, Reader};
    let file = r#"
[agent]
kind = "chat"
models = "nobody"
[models.bad]
api = "smoke"
model = ""
base_url = "ftp://x"
api_key = "env:TRUNKLINE_TEST_NOT_SET"
[agents.default]
kind = "concierge"
[agents.a]
kind = "chat"
[agents.b]
kind = "chatt"
[agents.c]
kind = "http"
url = "nowhere"
colour = "red"
[agents.d]
kind = "http"
url = "nowhere"
[tools."bad name"]
url = "x"
description = "d"
method = "LOOK"
[mcp.both]
command = ["a"]
url = "http://x"
[[routes]]
agent = "nobody"
[routes.attribute]
"a.b.c.d.e.f.g.h.i" = 1
tier = ["gold"]
"#;
    let reader = Reader::new([]).with_file(file).unwrap();
    let error = AgentsSettings::load(&reader).unwrap_err();
    let mut keys: Vec<_> = error.problems().iter().map(|problem| problem.key.as_str()).collect();
    keys.sort_unstable();
    let leaky = "[tools.t]\nurl = \"http://x\"\ndescription = \"d\"\nheaders = \"authorization: sk-leaked\"\n";
    let reader_of_leaky = Reader::new([]).with_file(leaky).unwrap();
    let told = AgentsSettings::load(&reader_of_leaky).unwrap_err().to_string();
    assert!(told.contains("tools.t") && told.contains("expected a map") && !told.contains("sk-leaked"), "{told}");
    let expected = [
        "agent.models",
        "agents.a.models",
        "agents.b.kind",
        "agents.c",
        "agents.d.url",
        "agents.default",
        "mcp.both",
        "models.bad.api",
        "models.bad.api_key",
        "models.bad.base_url",
        "models.bad.model",
        "routes[0].agent",
        "routes[0].attribute.a.b.c.d.e.f.g.h.i",
        "routes[0].attribute.tier",
        "tools.bad name.method",
        "tools.bad name.name",
        "tools.bad name.url",
    ];
    assert_eq!(keys, expected);
}

/// A model that looks in memory when it is asked where something was said, and texts the address when it is asked to.
async fn clerk() -> ModelServer {
    let script = |asked: &Asked| {
        if let Some(result) = asked.results().last() {
            return ModelAnswer::say(format!("I found {result}."));
        }
        match asked.question() {
            "where did i leave my umbrella" => ModelAnswer::call("search_memory", json!({"query": "umbrella"})),
            "text me the address" => ModelAnswer::call("send_text", json!({"text": "1 High Street"})),
            _ => ModelAnswer::say("Noted."),
        }
    };
    ModelServer::start(script).await.unwrap()
}

#[tokio::test]
async fn a_caller_is_sent_a_text_and_what_they_said_before_is_found() {
    let clerk = clerk().await;
    let mut world = World::without_gateway(&[("TRUNKLINE_VOICE", "true"), ("TRUNKLINE_RELAY_NUMBERS", "*")]).await;
    world.set_file(&format!("[agent]\nkind = \"chat\"\nmodel = \"m\"\nbase_url = \"{}\"\n", clerk.base_url()));
    world.start_gateway().await;
    world.text(ADA, "my umbrella is at the zoo").await;
    world.expect_answers(ADA, &["Noted."]).await;
    let id = world.api("/api/v1/conversations").await["conversations"][0]["id"].as_str().unwrap().to_owned();
    world.post(&format!("/api/v1/conversations/{id}/close"), json!({})).await;
    until("what was said can be found", async || {
        let found = world.api("/api/v1/transcripts/search?q=umbrella").await;
        found.to_string().contains("zoo").then_some(())
    })
    .await;

    let listen = json!({"wait_for_speech": {"timeout_ms": 15_000}});
    let steps = json!([
        listen, {"say": "where did i leave my umbrella"}, listen, {"say": "text me the address"}, listen, {"hang_up": true},
    ]);
    world
        .control(reqwest::Method::POST, "/calls", json!({"from": ADA, "to": crate::support::NUMBER, "steps": steps}))
        .await;
    let past = until("the call is over", async || {
        let calls = world.api("/api/v1/calls").await;
        calls["past"].as_array().unwrap().iter().find(|call| call["ended"].is_string()).cloned()
    })
    .await;
    let call = world.api(&format!("/api/v1/calls/{}", past["call"].as_str().unwrap())).await;
    let tools: Vec<_> = call["tools"].as_array().unwrap().iter().map(|tool| tool["tool"].as_str().unwrap()).collect();
    assert_eq!(tools, ["search_memory", "send_text"], "{call}");
    assert!(call["tools"][0]["result"].as_str().unwrap().contains("at the zoo"), "{call}");
    until("the text is there", async || world.answers(ADA).await.contains(&"1 High Street".to_owned()).then_some(()))
        .await;
    let texts = world.answers(ADA).await;
    assert_eq!(texts.iter().filter(|text| *text == "1 High Street").count(), 1);
}
