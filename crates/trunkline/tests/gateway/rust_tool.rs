//! The example of a tool in Rust, as a program of its own: a model asks for it, and the person is told what it gave.

use serde_json::json;
use trunkline_testing::{Asked, ModelAnswer, ModelServer};

use crate::support::{ADA, Program, World, free_address, until};

/// Asks where the order is that the person names, and says what the tool gave.
async fn clerk() -> ModelServer {
    let script = |asked: &Asked| match (asked.results().last(), asked.question().parse::<u32>()) {
        (Some(result), _) => ModelAnswer::say(format!("I am told: {result}.")),
        (None, Ok(number)) => ModelAnswer::call("order_status", json!({ "number": number })),
        (None, Err(_)) => ModelAnswer::call("order_status", json!({ "number": "the blue one" })),
    };
    ModelServer::start(script).await.unwrap()
}

#[tokio::test]
async fn the_example_of_a_tool_in_rust_answers_people() {
    let clerk = clerk().await;
    let mut world = World::without_gateway(&[
        ("TRUNKLINE_AGENT", "chat"),
        ("TRUNKLINE_MODEL", "m"),
        ("OPENAI_BASE_URL", clerk.base_url()),
    ])
    .await;
    let address = free_address().await;
    world.set("TRUNKLINE_LISTEN", &address.to_string());
    world.set("TWILIO_WEBHOOK_URL", &format!("http://{address}/webhooks/twilio"));
    let mut program = Program::example("order_status", world.folder.path(), world.env());
    let gateway = program.told("gateway").await;
    until("the example is ready", async || {
        let ready = world.http.get(format!("{gateway}/readyz")).send().await.ok()?;
        ready.status().is_success().then_some(())
    })
    .await;

    let mut expected = Vec::new();
    for (text, answer) in [
        ("7", "I am told: order 7 is on its way."),
        ("9", "I am told: error: there is no such order."),
        ("the blue one", "I am told: error: the arguments are not what the tool takes: invalid type, expected u32."),
    ] {
        world.text(ADA, text).await;
        expected.push(answer);
        until(answer, async || (world.answers(ADA).await == expected).then_some(())).await;
    }
    let asked = clerk.asked();
    assert_eq!(asked.len(), 6, "each question, and each with what the tool gave");
    let tool =
        &asked[0].body["tools"].as_array().unwrap().iter().find(|tool| tool["function"]["name"] == "order_status");
    let function = &tool.unwrap()["function"];
    assert_eq!(function["description"], "Where an order is, by the number on the receipt.");
    assert_eq!(function["parameters"]["properties"]["number"]["description"], "The number on the receipt.");
}
