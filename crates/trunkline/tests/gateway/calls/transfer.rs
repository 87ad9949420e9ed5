//! Handing a caller on to somebody else.

use super::*;

async fn ready(world: &World) -> String {
    until("the caller was greeted", async || {
        let live = world.api("/api/v1/calls").await["live"][0].clone();
        let was_greeted = live["turns"][0]["agent"].as_str().is_some_and(|words| !words.is_empty());
        (live["machine"] == "listening" && was_greeted).then(|| live["call"].as_str().unwrap().to_owned())
    })
    .await
}

/// A call to whom a caller is handed, as the emulator has it.
async fn result_of_bob(world: &World) -> Value {
    until_within(Duration::from_mins(1), "whoever took over has hung up", async || {
        let path = format!("/2010-04-01/Accounts/{}/Calls.json?To=%2B15550002222", world.account.account_sid);
        let calls = answer(world.rest(Method::GET, &path)).await.body;
        let sid = calls["calls"][0]["sid"].as_str()?.to_owned();
        let call = world.control(Method::GET, &format!("/calls/{sid}"), Value::Null).await;
        (!call["result"].is_null()).then(|| call["result"].clone())
    })
    .await
}

async fn handed_over(world: &World, order: Value) -> (Value, Value) {
    let steps = [
        listen(),
        json!({"wait_for_speech": {"timeout_ms": 20_000, "expect": ALL}}),
        json!({"wait_for_hang_up": {"timeout_ms": 30_000}}),
    ];
    let placed = world.control(Method::POST, "/calls", json!({"from": ADA, "to": NUMBER, "steps": steps})).await;
    let id = ready(world).await;
    assert_eq!(post(world, &format!("/api/v1/calls/{id}/transfer"), order).await, StatusCode::ACCEPTED);
    let result = result(world, placed["sid"].as_str().unwrap()).await;
    assert!(result["failed"].is_null(), "{result}");
    assert_eq!(past_call(world).await["outcome"], "transferred");
    (result, result_of_bob(world).await)
}

#[tokio::test]
async fn a_caller_is_connected_with_somebody_else_at_once() {
    let world = world(&[]).await;
    let steps = [
        json!({"pause_ms": 500}),
        json!({"say": "you are welcome"}),
        json!({"pause_ms": 1_500}),
        json!({"hang_up": true}),
    ];
    world.control(Method::PUT, &format!("/phones/{BOB}/answering"), json!({"rule": "script", "steps": steps})).await;
    let (caller, bob) = handed_over(&world, json!({"to": BOB})).await;
    assert_eq!(heard(&caller).last(), Some(&WELCOME), "{caller}");
    assert!(heard(&bob).is_empty(), "nobody told them anything: {bob}");
}

#[tokio::test]
async fn whoever_takes_over_is_briefed_first() {
    let world = world(&[]).await;
    let steps = [listen(), json!({"say": "you are welcome"}), json!({"pause_ms": 1_500}), json!({"hang_up": true})];
    world.control(Method::PUT, &format!("/phones/{BOB}/answering"), json!({"rule": "script", "steps": steps})).await;
    let (caller, bob) = handed_over(&world, json!({"to": BOB, "briefing": "Your name is Ada."})).await;
    assert_eq!(heard(&bob), [YOUR_NAME], "{bob}");
    assert_eq!(heard(&caller), [GREETING, WELCOME], "the briefing is not for the caller: {caller}");
}

#[tokio::test]
async fn a_caller_whom_nobody_takes_comes_back_to_the_agent() {
    let world = world(&[("TRUNKLINE_BACK", "You are welcome."), ("TRUNKLINE_TRANSFER_TIMEOUT", "2s")]).await;
    world.control(Method::PUT, &format!("/phones/{BOB}/answering"), json!({"rule": "no_answer"})).await;
    let steps = [
        listen(),
        json!({"wait_for_speech": {"timeout_ms": 20_000, "expect": ALL}}),
        json!({"say": "my name is ada"}),
        listen(),
        json!({"hang_up": true}),
    ];
    let placed = world.control(Method::POST, "/calls", json!({"from": ADA, "to": NUMBER, "steps": steps})).await;
    let id = ready(&world).await;
    assert_eq!(post(&world, &format!("/api/v1/calls/{id}/transfer"), json!({"to": BOB})).await, StatusCode::ACCEPTED);
    let result = result(&world, placed["sid"].as_str().unwrap()).await;
    assert!(result["failed"].is_null(), "{result}");
    let said = heard(&result);
    assert!(said[1] == WELCOME && [NICE, HELLO].contains(&said[2]), "{said:?}");
    let turns = until("the call is over", async || {
        let call = world.api(&format!("/api/v1/calls/{id}")).await;
        (call["outcome"] == "caller").then(|| call["turns"].clone())
    })
    .await;
    let times: Vec<_> = turns.as_array().unwrap().iter().map(|turn| turn["at_ms"].as_u64().unwrap()).collect();
    assert!(times.len() >= 3 && times.is_sorted(), "times go on: {turns}");
}
