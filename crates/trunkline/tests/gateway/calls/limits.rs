//! What a call may and may not take: lines, time, the gateway's own.

use super::*;

#[tokio::test]
async fn who_waits_for_a_line_gets_it_when_it_is_free() {
    let world = world(&[("TRUNKLINE_MAX_CALLS", "1"), ("TRUNKLINE_CALL_OVERFLOW", "queue")]).await;
    let first =
        json!({"from": BOB, "to": NUMBER, "steps": [listen(), json!({"pause_ms": 2_000}), json!({"hang_up": true})]});
    world.control(Method::POST, "/calls", first).await;
    until("the first call is up", async || {
        (world.api("/api/v1/calls").await["live"].as_array()?.len() == 1).then_some(())
    })
    .await;
    let wait = "all our lines are busy please hold on";
    let expect: Vec<_> = ALL.into_iter().chain([wait]).collect();
    let listen = || json!({"wait_for_speech": {"timeout_ms": 30_000, "expect": expect}});
    let result =
        call(&world, ADA, &[listen(), listen(), json!({"say": "my name is ada"}), listen(), json!({"hang_up": true})])
            .await;
    assert!(result["failed"].is_null(), "{result}");
    let said = heard(&result);
    assert_eq!(said[..2], [wait, GREETING], "{said:?}");
    assert!([NICE, HELLO].contains(&said[2]), "{said:?}");
}

#[tokio::test]
async fn a_call_that_lasts_too_long_ends_with_a_goodbye_that_is_heard() {
    let world = world(&[("TRUNKLINE_MAX_CALL_DURATION", "4s"), ("TRUNKLINE_GOODBYE", "Goodbye, and thank you.")]).await;
    let steps = [listen(), listen(), json!({"wait_for_hang_up": {"timeout_ms": 10_000}})];
    let result = call(&world, ADA, &steps).await;
    assert!(result["failed"].is_null(), "{result}");
    assert_eq!(heard(&result), [GREETING, GOODBYE], "{result}");
    assert_eq!(past_call(&world).await["outcome"], "max_duration");
}

#[tokio::test]
async fn the_provider_records_a_call_that_comes_in_if_it_is_to() {
    let world = world(&[("TRUNKLINE_PROVIDER_RECORDING", "dual")]).await;
    let result = call(&world, ADA, &[listen(), json!({"hang_up": true})]).await;
    assert!(result["failed"].is_null(), "{result}");
    let told = until("the recording is told of", async || {
        let facts = envelopes(&world.data_dir().join("bus.db"), "log");
        facts.into_iter().find(|fact| fact["type"] == "recording.completed.v1")
    })
    .await;
    let recording = told["data"]["about"].as_str().unwrap();
    let path = format!("/2010-04-01/Accounts/{}/Recordings/{recording}.json", world.account.account_sid);
    let kept = answer(world.rest(Method::GET, &path)).await.body;
    assert_eq!((kept["channels"].as_u64(), kept["status"].as_str()), (Some(2), Some("completed")), "{kept}");
}

#[tokio::test]
async fn what_the_provider_transcribes_is_shown_while_the_call_lives() {
    let world = world(&[]).await;
    let script = json!({"from": ADA, "to": NUMBER, "steps": [
        listen(),
        json!({"say": "my name is ada"}),
        listen(),
        json!({"pause_ms": 5_000}),
        json!({"hang_up": true}),
    ]});
    let placed = world.control(Method::POST, "/calls", script).await;
    let sid = placed["sid"].as_str().unwrap();
    until("the call is up", async || {
        (world.api("/api/v1/calls").await["live"][0]["machine"] == "speaking").then_some(())
    })
    .await;
    let path = format!("/2010-04-01/Accounts/{}/Calls/{sid}/Transcriptions.json", world.account.account_sid);
    let url = world.gateway_url("/webhooks/twilio/voice/transcription");
    let form =
        [("StatusCallbackUrl", url.as_str()), ("Track", "inbound_track"), ("Hints", "my name is ada,you are welcome")];
    let begun = answer(world.rest(Method::POST, &path).form(&form)).await;
    assert!(begun.status.is_success(), "{}", begun.text);
    let line = until("the transcript is shown", async || {
        let live = world.api("/api/v1/calls").await["live"][0].clone();
        live["transcript"].as_array()?.first().cloned()
    })
    .await;
    assert_eq!(
        (line["text"].as_str(), line["side"].as_str()),
        (Some("my name is ada"), Some("inbound_track")),
        "{line}"
    );
    result(&world, sid).await;
    let kinds: Vec<_> =
        envelopes(&world.data_dir().join("bus.db"), "log").into_iter().map(|fact| fact["type"].clone()).collect();
    assert!(kinds.contains(&json!("transcription.completed.v1")), "{kinds:?}");
}

#[tokio::test]
async fn who_gets_no_line_may_leave_a_message() {
    let world = world(&[("TRUNKLINE_MAX_CALLS", "1"), ("TRUNKLINE_CALL_OVERFLOW", "message")]).await;
    let first =
        json!({"from": BOB, "to": NUMBER, "steps": [listen(), json!({"wait_for_hang_up": {"timeout_ms": 60_000}})]});
    world.control(Method::POST, "/calls", first).await;
    until("the first call is up", async || {
        (world.api("/api/v1/calls").await["live"].as_array()?.len() == 1).then_some(())
    })
    .await;
    let asked = "all our lines are busy please leave a message after the tone";
    let expect: Vec<_> = ALL.into_iter().chain([asked]).collect();
    let steps = [
        json!({"wait_for_speech": {"timeout_ms": 15_000, "expect": expect, "end_silence_ms": 1_500}}),
        json!({"say": "my name is ada"}),
        json!({"pause_ms": 500}),
        json!({"hang_up": true}),
    ];
    let result = call(&world, ADA, &steps).await;
    assert!(result["failed"].is_null(), "{result}");
    assert_eq!(heard(&result), [asked], "{result}");
    let told = until("the message is told of", async || {
        let facts = envelopes(&world.data_dir().join("bus.db"), "log");
        facts.into_iter().find(|fact| fact["type"] == "recording.completed.v1")
    })
    .await;
    let recording = told["data"]["about"].as_str().unwrap();
    let path = format!("/2010-04-01/Accounts/{}/Recordings/{recording}.wav", world.account.account_sid);
    let file = world.rest(Method::GET, &path).send().await.unwrap().bytes().await.unwrap();
    assert!(file.len() > 16_000, "at least a second: {} bytes", file.len());
}
