//! Keys, both ways.

use trunkline_audio::{FRAME_SAMPLES, dtmf};

use super::*;

/// The keys that sound on our side of a recording.
fn keys_in(file: &[u8]) -> String {
    let samples: Vec<i16> = file[44..].chunks_exact(4).map(|both| i16::from_le_bytes([both[2], both[3]])).collect();
    let mut detector = dtmf::Detector::new();
    samples.chunks_exact(FRAME_SAMPLES).filter_map(|frame| detector.push(frame.try_into().unwrap())).collect()
}

#[tokio::test]
async fn keys_that_are_pressed_while_an_answer_plays_have_their_place_in_what_is_sent() {
    let world = world(&[]).await;
    let script = json!({"from": ADA, "to": NUMBER, "steps": [
        listen(),
        json!({"say": "what time do you open"}),
        json!({"wait_for_speech": {"timeout_ms": 20_000, "end_silence_ms": 1_500}}),
        json!({"hang_up": true}),
    ]});
    let placed = world.control(Method::POST, "/calls", script).await;
    let id = until("the answer plays", async || {
        let live = world.api("/api/v1/calls").await["live"][0].clone();
        let answers = live["machine"] == "speaking" && live["turns"][1]["kind"] == "answer";
        answers.then(|| live["call"].as_str().unwrap().to_owned())
    })
    .await;
    let status = post(&world, &format!("/api/v1/calls/{id}/digits"), json!({"digits": "12#"})).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let result = result(&world, placed["sid"].as_str().unwrap()).await;
    assert!(result["failed"].is_null(), "{result}");
    assert_eq!(result["digits"], "12#", "{result}");
    let past = past_call(&world).await;
    let turns = world.api(&format!("/api/v1/calls/{id}")).await["turns"].clone();
    assert_eq!(turns[1]["interrupted"], false, "{turns}");
    assert!(turns[1]["agent"].as_str().unwrap().contains("Saturday"), "all of the answer was heard: {turns}");
    let request = world.http.get(world.gateway_url(past["recording"].as_str().unwrap())).bearer_auth(CONSOLE_TOKEN);
    let file = request.send().await.unwrap().bytes().await.unwrap();
    assert_eq!(keys_in(&file), "12#", "they are recorded as a part of what we sent");
}

#[tokio::test]
async fn keys_of_the_person_are_a_turn() {
    let world = world(&[]).await;
    let steps = [listen(), json!({"digits": "42#"}), listen(), json!({"hang_up": true})];
    let result = call(&world, ADA, &steps).await;
    assert!(result["failed"].is_null(), "{result}");
    let past = past_call(&world).await;
    let turns = world.api(&format!("/api/v1/calls/{}", past["call"].as_str().unwrap())).await["turns"].clone();
    assert_eq!(turns[1]["person"], "42", "{turns}");
    assert_ne!(turns[1]["agent"], "", "{turns}");
}
