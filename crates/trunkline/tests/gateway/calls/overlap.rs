//! How soon an answer falls silent: in the caller's own audio, so that a busy machine changes nothing.

use super::*;

/// How long a voice must last before it counts; then `clear` has to be on the wire before as much again was said.
const ONSET_MS: u64 = 60;

#[tokio::test]
async fn an_answer_is_cleared_before_the_next_60_ms_of_the_callers_voice() {
    let world = world(&[]).await;
    let talk_over = |text: &str| json!({"talk_over": {"after_ms": 1_200, "say": text}});
    let steps = [
        listen(),
        json!({"say": "what time do you open"}),
        talk_over("what time do you open"),
        talk_over("what time do you open"),
        talk_over("what is my name"),
        listen(),
        json!({"hang_up": true}),
    ];
    let result = call(&world, ADA, &steps).await;
    assert!(result["failed"].is_null(), "{result}");
    let voiced: Vec<_> =
        result["timings"]["clear_voiced_ms"].as_array().unwrap().iter().map(|ms| ms.as_u64().unwrap()).collect();
    assert_eq!(voiced.len(), 3, "every time the far end was cleared: {result}");
    for ms in voiced {
        assert!((ONSET_MS..2 * ONSET_MS).contains(&ms), "cleared after {ms} ms of the caller's voice: {result}");
    }
}
