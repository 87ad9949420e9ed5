//! Engines that stall in the middle of a call: connected, and silent.

use super::*;
use crate::support::Stalling;

#[tokio::test]
async fn a_recognizer_that_hangs_is_replaced_and_what_was_said_is_answered() {
    let stalling = Stalling::start("nothing").await;
    let url = format!("ws://{}", stalling.address);
    let world = world(&[
        ("TRUNKLINE_RECOGNIZER", "deepgram,offline"),
        ("DEEPGRAM_API_KEY", "key"),
        ("TRUNKLINE_DEEPGRAM_URL", &url),
    ])
    .await;
    let steps = [
        listen(),
        json!({"say": "my name is ada"}),
        listen(),
        json!({"say": "what is my name"}),
        listen(),
        json!({"hang_up": true}),
    ];
    let result = call(&world, ADA, &steps).await;
    assert!(result["failed"].is_null(), "{result}");
    let said = heard(&result);
    assert!([NICE, HELLO].contains(&said[1]) && said[2] == YOUR_NAME, "{said:?}");
    assert!(stalling.frames() > 0, "it was listening before");
    let failures = world.metric("trunkline_speech_failures_total", "deepgram").await;
    assert!((failures - 1.0).abs() < 0.5, "{failures}");
}

#[tokio::test]
async fn a_voice_that_hangs_in_the_middle_of_a_sentence_is_apologised_for_within_two_seconds() {
    let stalling = Stalling::start("We are open").await;
    let url = format!("http://{}/v1", stalling.address);
    let world = world(&[
        ("TRUNKLINE_SYNTHESIZER", "openai,offline"),
        ("OPENAI_API_KEY", "key"),
        ("OPENAI_BASE_URL", &url),
        ("TRUNKLINE_RECOGNIZER", "offline"),
    ])
    .await;
    let steps = [
        listen(),
        json!({"say": "what time do you open"}),
        json!({"wait_for_speech": {"timeout_ms": 15_000, "expect": ALL, "end_silence_ms": 2_500}}),
        json!({"say": "my name is ada"}),
        listen(),
        json!({"hang_up": true}),
    ];
    let result = call(&world, ADA, &steps).await;
    assert!(result["failed"].is_null(), "{result}");
    assert!(stalling.stalled() > 0, "{result}");
    let past = past_call(&world).await;
    let turns = world.api(&format!("/api/v1/calls/{}", past["call"].as_str().unwrap())).await["turns"].clone();
    let (answer, apology) = (&turns[1], &turns[2]);
    assert_eq!((answer["kind"].as_str(), apology["kind"].as_str()), (Some("answer"), Some("announcement")), "{turns}");
    assert!(apology["agent"].as_str().unwrap().starts_with("I am sorry"), "{turns}");
    let after = apology["at_ms"].as_u64().unwrap() - answer["at_ms"].as_u64().unwrap();
    assert!(after < 4_000, "the voice began, then nothing came for 1.5 s: {turns}");
    assert!([NICE, HELLO].contains(heard(&result).last().unwrap()), "the call went on: {result}");
}
