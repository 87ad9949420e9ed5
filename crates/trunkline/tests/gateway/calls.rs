//! Calls with real sound: the emulator's scripted caller speaks with flite, the gateway listens with pocketsphinx and
//! answers with flite, and pocketsphinx listens to what the caller heard. A listener with a grammar always hears something
//! of it, so every expectation has its decoys, and the words that were heard are compared.

mod api;
mod held;
mod keys;
mod limits;
mod machines;
mod model;
mod overlap;
mod relay;
mod stalls;
mod transfer;

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use crate::support::{ADA, BOB, CONSOLE_TOKEN, DEADLINE, NUMBER, World, answer, envelopes, until, until_within};

const GREETING: &str = "hello how can i help you";
const GREETING_KNOWN: &str = "hello ada how can i help you";
const NICE: &str = "nice to meet you ada how can i help";
const HELLO: &str = "hello ada good to have you here what can i do for you";
const YOUR_NAME: &str = "your name is ada";
const WHAT_NAME: &str = "you have not told me your name yet what is it";
const APOLOGY: &str = "i am sorry something went wrong on our side please say that again";
const GOODBYE: &str = "goodbye and thank you";
const WELCOME: &str = "you are welcome";
const ALL: [&str; 9] = [GREETING, GREETING_KNOWN, NICE, HELLO, YOUR_NAME, WHAT_NAME, APOLOGY, GOODBYE, WELCOME];

async fn world(env: &[(&str, &str)]) -> World {
    let mut all = vec![("TRUNKLINE_VOICE", "true"), ("TRUNKLINE_CONCIERGE", ""), ("TRUNKLINE_RECORD_CALLS", "true")];
    all.extend_from_slice(env);
    World::start(&all).await
}

fn listen() -> Value {
    json!({"wait_for_speech": {"timeout_ms": 15_000, "expect": ALL}})
}

/// Has a person call the account's number, and follow a script to its end.
async fn call(world: &World, from: &str, steps: &[Value]) -> Value {
    let script = json!({"from": from, "to": NUMBER, "record": true, "steps": steps});
    let placed = world.control(Method::POST, "/calls", script).await;
    result(world, placed["sid"].as_str().unwrap()).await
}

async fn result(world: &World, sid: &str) -> Value {
    until_within(Duration::from_secs(90), "the call ends", async || {
        let call = world.control(Method::GET, &format!("/calls/{sid}"), Value::Null).await;
        (!call["result"].is_null()).then(|| call["result"].clone())
    })
    .await
}

/// What the caller heard, by the ear.
fn heard(result: &Value) -> Vec<&str> {
    let lines = result["transcript"].as_array().unwrap().iter().filter(|line| line["who"] == "agent");
    lines.map(|line| line["text"].as_str().unwrap_or("(nothing)")).collect()
}

async fn post(world: &World, path: &str, body: Value) -> StatusCode {
    let request = world.http.post(world.gateway_url(path)).bearer_auth(CONSOLE_TOKEN).json(&body);
    request.send().await.unwrap().status()
}

async fn past_call(world: &World) -> Value {
    until("the call is over", async || world.api("/api/v1/calls").await["past"].as_array()?.first().cloned()).await
}

#[tokio::test]
async fn a_caller_is_understood_answered_remembered_and_heard_out() {
    let world = world(&[]).await;
    let result = call(
        &world,
        ADA,
        &[
            listen(),
            json!({"say": "my name is ada"}),
            listen(),
            json!({"say": "what is my name"}),
            listen(),
            json!({"say": "goodbye"}),
            listen(),
            json!({"wait_for_hang_up": {"timeout_ms": 10_000}}),
        ],
    )
    .await;
    assert!(result["failed"].is_null(), "{result}");
    let said = heard(&result);
    assert_eq!(said[0], GREETING);
    assert!([NICE, HELLO].contains(&said[1]), "{said:?}");
    assert_eq!(said[2..], [YOUR_NAME, GOODBYE], "the goodbye was heard whole before the line was dropped");
    assert_eq!(result["hung_up_by"], "rest");

    let past = past_call(&world).await;
    assert_eq!(past["outcome"], "agent");
    let id = past["call"].as_str().unwrap();
    let turns = world.api(&format!("/api/v1/calls/{id}")).await["turns"].clone();
    let people: Vec<_> = turns.as_array().unwrap().iter().map(|turn| turn["person"].as_str().unwrap()).collect();
    assert_eq!(people, ["", "my name is Ada", "what is my name", "goodbye"]);
    assert_eq!(turns[2]["agent"], "Your name is Ada.");
    assert!(turns.as_array().unwrap().iter().all(|turn| turn["interrupted"] == false), "{turns}");
    assert!(turns[2]["latency_ms"].as_u64().is_some(), "{turns}");

    let recording = world.http.get(world.gateway_url(past["recording"].as_str().unwrap())).bearer_auth(CONSOLE_TOKEN);
    let recording = recording.send().await.unwrap();
    assert_eq!(recording.headers()["content-type"], "audio/wav");
    let file = recording.bytes().await.unwrap();
    let channels = u16::from_le_bytes([file[22], file[23]]);
    assert_eq!((&file[..4], channels), (&b"RIFF"[..], 2));
    assert!(file.len() > 10 * 8_000 * 4, "more than ten seconds: {} bytes", file.len());

    // Facts of the call are on the bus, in order, and nobody takes them for trouble.
    let kinds: Vec<_> = envelopes(&world.data_dir().join("bus.db"), "log")
        .into_iter()
        .filter(|envelope| envelope["subject"] == id)
        .map(|envelope| envelope["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "call.turn.committed.v1").count(), 4, "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| *kind == "call.turn.spoken.v1").count(), 4, "{kinds:?}");
    assert!(kinds.contains(&"call.started.v1".to_owned()) && kinds.contains(&"call.ended.v1".to_owned()), "{kinds:?}");
    assert_eq!(world.api("/api/v1/status").await["dead_letters"], 0);
}

#[tokio::test]
async fn who_talks_over_an_answer_silences_it_at_once_and_is_answered() {
    let world = world(&[]).await;
    let result = call(
        &world,
        ADA,
        &[
            listen(),
            json!({"say": "what time do you open"}),
            json!({"talk_over": {"after_ms": 1_500, "say": "what is my name"}}),
            listen(),
            json!({"hang_up": true}),
        ],
    )
    .await;
    assert!(result["failed"].is_null(), "{result}");
    assert_eq!(heard(&result).last(), Some(&WHAT_NAME), "{result}");
    let past = past_call(&world).await;
    let turns = world.api(&format!("/api/v1/calls/{}", past["call"].as_str().unwrap())).await["turns"].clone();
    assert_eq!(turns[1]["interrupted"], true, "{turns}");
    let remembered = turns[1]["agent"].as_str().unwrap();
    assert!(
        remembered.starts_with("We are open") && !remembered.contains("Saturday"),
        "only what was heard: {remembered}"
    );
    assert!(world.metric("trunkline_call_clears_total", "").await >= 1.0);
}

#[tokio::test]
async fn who_texted_and_then_calls_is_known_and_the_other_way_round() {
    let world = world(&[]).await;
    world.text(ADA, "my name is Ada").await;
    until("the text is answered", async || (!world.answers(ADA).await.is_empty()).then_some(())).await;
    let result =
        call(&world, ADA, &[listen(), json!({"say": "what is my name"}), listen(), json!({"hang_up": true})]).await;
    assert_eq!(heard(&result), [GREETING_KNOWN, YOUR_NAME], "{result}");
    let stranger =
        call(&world, BOB, &[listen(), json!({"say": "my name is ada"}), listen(), json!({"hang_up": true})]).await;
    assert_eq!(heard(&stranger)[0], GREETING, "{stranger}");
    until("the call is over", async || (world.api("/api/v1/calls").await["past"].as_array()?.len() == 2).then_some(()))
        .await;
    world.text(BOB, "what is my name?").await;
    until("the caller is known", async || {
        world.answers(BOB).await.contains(&"Your name is Ada.".to_owned()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_leaves_nothing_behind() {
    let world = world(&[]).await;
    let result = call(&world, ADA, &[json!({"say": "what time do you open"}), json!({"hang_up": true})]).await;
    assert_eq!(result["hung_up_by"], "phone", "{result}");
    let begun = std::time::Instant::now();
    until("everything of the call is gone", async || {
        let live = world.api("/api/v1/calls").await["live"].as_array()?.len();
        let sessions = world.metric("twilio_session_active", "").await + world.metric("trunkline_calls_live", "").await;
        (live == 0 && sessions < 0.5).then_some(())
    })
    .await;
    // The gauges of the backend are brought up to date every other second.
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(past_call(&world).await["outcome"], "caller");
}

#[tokio::test]
async fn a_call_is_placed_and_hung_up_from_the_console() {
    let world = world(&[]).await;
    let steps =
        [listen(), json!({"say": "my name is ada"}), listen(), json!({"wait_for_hang_up": {"timeout_ms": 20_000}})];
    let rule = json!({"rule": "script", "steps": steps});
    world.control(Method::PUT, &format!("/phones/{BOB}/answering"), rule).await;
    let request =
        world.http.post(world.gateway_url("/api/v1/calls")).bearer_auth(CONSOLE_TOKEN).json(&json!({"to": BOB}));
    let placed = answer(request).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{}", placed.text);
    let id = placed.body["call"].as_str().unwrap().to_owned();
    let shown = until("the second turn is shown", async || {
        let call = world.api(&format!("/api/v1/calls/{id}")).await;
        (call["turns"].as_array()?.len() >= 2 && call["turns"][1]["agent"] != "").then_some(call)
    })
    .await;
    assert_eq!(shown["direction"], "outbound");
    assert_eq!(shown["turns"][1]["person"], "my name is Ada");
    assert_eq!(post(&world, &format!("/api/v1/calls/{id}/hang_up"), json!({})).await, StatusCode::ACCEPTED);
    let result = result(&world, placed.body["provider_call"].as_str().unwrap()).await;
    assert!(result["failed"].is_null(), "{result}");
    assert_eq!(past_call(&world).await["outcome"], "operator");
    for (path, body) in [
        ("/api/v1/calls", json!({"to": "911"})),
        ("/api/v1/calls", json!({"to": BOB, "colour": "red"})),
        ("/api/v1/calls/none/say", json!({"text": " "})),
        ("/api/v1/calls/none/digits", json!({"digits": "x"})),
    ] {
        assert!(post(&world, path, body).await.is_client_error(), "{path}");
    }
    assert_eq!(post(&world, "/api/v1/calls/none/hang_up", json!({})).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn strangers_open_no_socket() {
    let world = world(&[]).await;
    for path in ["/media/guess", "/relay/guess"] {
        let url = format!("ws://{}{path}", world.gateway().address());
        let Err(Error::Http(refused)) = tokio_tungstenite::connect_async(url).await else {
            panic!("{path} was opened")
        };
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    }
    let form = [("CallSid", "CA00000000000000000000000000000001"), ("From", ADA), ("To", NUMBER)];
    let unsigned = answer(world.http.post(world.gateway_url("/webhooks/twilio/voice")).form(&form)).await;
    assert_eq!(unsigned.status, StatusCode::FORBIDDEN);
    assert!(world.api("/api/v1/calls").await["live"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn the_provider_listens_and_speaks_at_a_relayed_number() {
    let world = world(&[("TRUNKLINE_RELAY_NUMBERS", "*")]).await;
    let result = call(
        &world,
        ADA,
        &[
            listen(),
            json!({"say": "my name is ada"}),
            listen(),
            json!({"say": "what is my name"}),
            listen(),
            json!({"hang_up": true}),
        ],
    )
    .await;
    assert!(result["failed"].is_null(), "{result}");
    assert_eq!(heard(&result).last(), Some(&YOUR_NAME), "{result}");
}

#[tokio::test]
async fn a_gateway_that_stops_says_goodbye_to_its_callers() {
    let mut world = world(&[("TRUNKLINE_DRAIN", "8s"), ("TRUNKLINE_CALL_DRAINING", "Goodbye, and thank you.")]).await;
    let steps = [listen(), listen(), json!({"wait_for_hang_up": {"timeout_ms": 20_000}})];
    let script = json!({"from": ADA, "to": NUMBER, "steps": steps});
    let placed = world.control(Method::POST, "/calls", script).await;
    until("the call is up", async || {
        let live = world.api("/api/v1/calls").await["live"].clone();
        (live[0]["machine"] == "listening").then_some(())
    })
    .await;
    tokio::time::timeout(DEADLINE, world.stop_gateway()).await.unwrap();
    let result = result(&world, placed["sid"].as_str().unwrap()).await;
    assert_eq!(heard(&result).last(), Some(&GOODBYE), "{result}");
}

#[tokio::test]
async fn beyond_the_limit_a_caller_hears_an_apology() {
    let world = world(&[("TRUNKLINE_MAX_CALLS", "1")]).await;
    let long =
        json!({"from": ADA, "to": NUMBER, "steps": [listen(), json!({"wait_for_hang_up": {"timeout_ms": 60_000}})]});
    world.control(Method::POST, "/calls", long).await;
    until("the first call is up", async || {
        (world.api("/api/v1/calls").await["live"].as_array()?.len() == 1).then_some(())
    })
    .await;
    let second = call(&world, BOB, &[json!({"wait_for_hang_up": {"timeout_ms": 20_000}})]).await;
    assert!(second["failed"].is_null(), "{second}");
    assert!(!second["transcript"].as_array().unwrap().is_empty(), "the apology was spoken: {second}");
    assert_eq!(world.api("/api/v1/calls").await["live"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_a_person_said_is_remembered_though_they_talk_over_the_answer() {
    let world = world(&[]).await;
    let steps = [
        listen(),
        json!({"say": "my name is ada"}),
        json!({"talk_over": {"after_ms": 600, "say": "what is my name"}}),
        listen(),
        json!({"hang_up": true}),
    ];
    let result = call(&world, ADA, &steps).await;
    assert!(result["failed"].is_null(), "{result}");
    assert_eq!(heard(&result).last(), Some(&YOUR_NAME), "{result}");
}

#[tokio::test]
async fn a_relayed_call_that_lasts_too_long_is_ended_once() {
    let world = world(&[("TRUNKLINE_RELAY_NUMBERS", "*"), ("TRUNKLINE_MAX_CALL_DURATION", "3s")]).await;
    let result = call(&world, ADA, &[json!({"wait_for_hang_up": {"timeout_ms": 20_000}})]).await;
    assert!(result["failed"].is_null(), "{result}");
    let past = past_call(&world).await;
    assert_eq!(past["outcome"], "max_duration");
    let turns = world.api(&format!("/api/v1/calls/{}", past["call"].as_str().unwrap())).await["turns"].clone();
    let kinds: Vec<_> = turns.as_array().unwrap().iter().map(|turn| turn["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["announcement", "goodbye"]);
}

#[tokio::test]
async fn a_call_without_any_voice_ends_soon_and_says_why() {
    let world = world(&[("TRUNKLINE_SYNTHESIZER", "none")]).await;
    let result = call(&world, ADA, &[json!({"wait_for_hang_up": {"timeout_ms": 20_000}})]).await;
    assert!(result["failed"].is_null(), "{result}");
    let past = past_call(&world).await;
    assert_eq!(past["outcome"], "failure");
    let turns = world.api(&format!("/api/v1/calls/{}", past["call"].as_str().unwrap())).await["turns"].clone();
    assert!(turns.as_array().unwrap().len() <= 5, "{turns}");
}
