//! Machines that answer calls of ours.

use super::*;

async fn called(world: &World, rule: Value) -> (Value, Value) {
    world.control(Method::PUT, &format!("/phones/{BOB}/answering"), rule).await;
    let request = world.http.post(world.gateway_url("/api/v1/calls")).bearer_auth(CONSOLE_TOKEN);
    let placed = answer(request.json(&json!({"to": BOB}))).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{}", placed.text);
    let result = result(world, placed.body["provider_call"].as_str().unwrap()).await;
    (result, past_call(world).await)
}

fn machine() -> Value {
    json!({"rule": "machine", "greeting": "I am not at home. Please leave a message after the tone.", "beep": true})
}

#[tokio::test]
async fn a_message_is_left_after_the_beep() {
    let world = world(&[
        ("TRUNKLINE_MACHINE_DETECTION", "detect_message_end"),
        ("TRUNKLINE_VOICEMAIL", "leave_message"),
        ("TRUNKLINE_GREETING", "Hello! How can I help you?"),
    ])
    .await;
    let (result, past) = called(&world, machine()).await;
    let lines = result["transcript"].as_array().unwrap();
    let greeting = lines.iter().find(|line| line["who"] == "caller").unwrap();
    // Until it is known that a machine listens, it is talked to.
    let message = lines.iter().rev().find(|line| line["who"] == "agent").unwrap();
    // The tone comes 300 ms after the greeting and lasts a moment; nothing was said into either.
    let after = message["start_ms"].as_u64().unwrap() - greeting["end_ms"].as_u64().unwrap();
    assert!(after >= 500, "the message began {after} ms after the greeting: {result}");
    let length = message["end_ms"].as_u64().unwrap() - message["start_ms"].as_u64().unwrap();
    assert!(length > 1_200, "all of it was recorded: {result}");
    assert_eq!((past["outcome"].as_str(), result["hung_up_by"].as_str()), (Some("agent"), Some("rest")), "{past}");
    let kinds: Vec<_> = envelopes(&world.data_dir().join("bus.db"), "log")
        .into_iter()
        .filter(|fact| fact["type"] == "call.answered_by.v1")
        .map(|fact| fact["data"]["about"].clone())
        .collect();
    assert_eq!(kinds, ["machine"]);
}

#[tokio::test]
async fn a_machine_is_hung_up_on_unless_a_message_is_wanted() {
    let world = world(&[("TRUNKLINE_MACHINE_DETECTION", "enable")]).await;
    let (result, past) = called(&world, machine()).await;
    assert_eq!(past["outcome"], "machine", "{past}");
    let said: u64 = result["transcript"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["who"] == "agent")
        .map(|line| line["end_ms"].as_u64().unwrap() - line["start_ms"].as_u64().unwrap())
        .sum();
    assert!(said < 2_000, "no more than was said before it was known: {result}");
}

#[tokio::test]
async fn a_person_who_answers_is_talked_to() {
    let world = world(&[("TRUNKLINE_MACHINE_DETECTION", "enable")]).await;
    let steps = [json!({"say": "hello"}), listen(), json!({"hang_up": true})];
    let (result, past) = called(&world, json!({"rule": "script", "steps": steps})).await;
    assert!(result["failed"].is_null(), "{result}");
    assert_eq!(heard(&result), [GREETING], "{result}");
    assert_eq!(past["outcome"], "caller", "{past}");
}
