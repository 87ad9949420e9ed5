//! Somebody waits, and is taken back: one call, whatever happens in it.

use super::*;

/// The caller's recorded side: how many of its 20 ms have sound.
fn voiced(file: &[u8]) -> usize {
    let left: Vec<i16> = file[44..].chunks_exact(4).map(|both| i16::from_le_bytes([both[0], both[1]])).collect();
    left.chunks_exact(160).filter(|frame| frame.iter().any(|sample| sample.unsigned_abs() > 1_000)).count()
}

async fn greeted(world: &World) -> String {
    until("the caller was greeted", async || {
        let live = world.api("/api/v1/calls").await["live"][0].clone();
        let was_greeted = live["turns"][0]["agent"].as_str().is_some_and(|words| !words.is_empty());
        let is_quiet = live["machine"] != "speaking" && was_greeted;
        is_quiet.then(|| live["call"].as_str().map(str::to_owned)).flatten()
    })
    .await
}

async fn on_hold(world: &World, id: &str) -> Value {
    until("the call is shown as held", async || {
        let live = world.api("/api/v1/calls").await["live"][0].clone();
        (live["call"] == *id && live["machine"] == "on_hold").then_some(live)
    })
    .await
}

async fn taken_back(world: &World, id: &str) {
    until("the caller is taken back", async || {
        (post(world, &format!("/api/v1/calls/{id}/resume"), json!({})).await == StatusCode::ACCEPTED).then_some(())
    })
    .await;
}

async fn held_and_taken_back(env: &[(&str, &str)]) {
    let world = world(env).await;
    let is_relayed = !env.is_empty();
    let script = json!({"from": ADA, "to": NUMBER, "steps": [
        listen(),
        json!({"say": "what is my name"}),
        // Where the provider speaks, nobody here knows when the answer was heard.
        if is_relayed { json!({"pause_ms": 0}) } else { json!({"wait_for_speech": {"timeout_ms": 15_000}}) },
        json!({"pause_ms": 6_000}),
        json!({"say": "my name is ada"}),
        listen(),
        json!({"hang_up": true}),
    ]});
    let placed = world.control(Method::POST, "/calls", script).await;
    until("the first question is answered", async || {
        let live = world.api("/api/v1/calls").await["live"][0].clone();
        (live["turns"][1]["agent"] != "" && live["turns"][1].is_object()).then_some(())
    })
    .await;
    let id = greeted(&world).await;
    assert_eq!(post(&world, &format!("/api/v1/calls/{id}/hold"), json!({})).await, StatusCode::ACCEPTED);
    let shown = on_hold(&world, &id).await;
    assert!(world.api("/api/v1/calls").await["past"].as_array().unwrap().is_empty(), "it is not over");
    let refused = post(&world, &format!("/api/v1/calls/{id}/say"), json!({"text": "hello"})).await;
    assert_eq!(refused, StatusCode::CONFLICT, "nobody would hear it");
    let before = shown["turns"].as_array().unwrap().last().unwrap()["at_ms"].as_u64().unwrap();
    taken_back(&world, &id).await;
    let result = result(&world, placed["sid"].as_str().unwrap()).await;
    assert!(result["failed"].is_null(), "{result}");
    assert!(heard(&result).iter().any(|said| [NICE, HELLO].contains(said)), "{result}");
    let past = past_call(&world).await;
    assert_eq!((past["call"].as_str().unwrap(), past["outcome"].as_str().unwrap()), (id.as_str(), "caller"));
    let turns = world.api(&format!("/api/v1/calls/{id}")).await["turns"].clone();
    let times: Vec<_> = turns.as_array().unwrap().iter().map(|turn| turn["at_ms"].as_u64().unwrap()).collect();
    assert!(times.is_sorted() && *times.last().unwrap() > before + 1_000, "times go on: {times:?}");
    let kinds: Vec<_> = envelopes(&world.data_dir().join("bus.db"), "log")
        .into_iter()
        .filter(|envelope| envelope["subject"] == *id)
        .map(|envelope| envelope["type"].as_str().unwrap().to_owned())
        .collect();
    for kind in ["call.started.v1", "call.ended.v1"] {
        assert_eq!(kinds.iter().filter(|known| *known == kind).count(), 1, "{kinds:?}");
    }
    if !is_relayed {
        // One file has what was said before and after.
        let request = world.http.get(world.gateway_url(past["recording"].as_str().unwrap())).bearer_auth(CONSOLE_TOKEN);
        let file = request.send().await.unwrap().bytes().await.unwrap();
        assert!(voiced(&file) > 60, "two sentences: {} frames have sound", voiced(&file));
        assert_eq!(std::fs::read_dir(world.data_dir().join("recordings")).unwrap().count(), 1);
    }
}

#[tokio::test]
async fn a_caller_is_held_and_taken_back_in_one_call() {
    held_and_taken_back(&[]).await;
}

#[tokio::test]
async fn a_relayed_caller_is_held_and_taken_back_in_one_call() {
    held_and_taken_back(&[("TRUNKLINE_RELAY_NUMBERS", "*")]).await;
}

#[tokio::test]
async fn who_hangs_up_on_hold_has_left() {
    let world = world(&[]).await;
    let script =
        json!({"from": ADA, "to": NUMBER, "steps": [listen(), json!({"pause_ms": 4_000}), json!({"hang_up": true})]});
    world.control(Method::POST, "/calls", script).await;
    let id = greeted(&world).await;
    assert_eq!(post(&world, &format!("/api/v1/calls/{id}/hold"), json!({})).await, StatusCode::ACCEPTED);
    on_hold(&world, &id).await;
    let past = past_call(&world).await;
    assert_eq!((past["call"].as_str().unwrap(), past["outcome"].as_str().unwrap()), (id.as_str(), "caller"));
}

#[tokio::test]
async fn who_waits_is_told_when_the_gateway_stops() {
    let mut world = world(&[("TRUNKLINE_DRAIN", "8s"), ("TRUNKLINE_CALL_DRAINING", "Goodbye, and thank you.")]).await;
    let steps = [listen(), listen(), json!({"wait_for_hang_up": {"timeout_ms": 20_000}})];
    let placed = world.control(Method::POST, "/calls", json!({"from": ADA, "to": NUMBER, "steps": steps})).await;
    let id = greeted(&world).await;
    assert_eq!(post(&world, &format!("/api/v1/calls/{id}/hold"), json!({})).await, StatusCode::ACCEPTED);
    on_hold(&world, &id).await;
    tokio::time::timeout(DEADLINE, world.stop_gateway()).await.unwrap();
    let result = result(&world, placed["sid"].as_str().unwrap()).await;
    assert_eq!(heard(&result).last(), Some(&GOODBYE), "{result}");
}
