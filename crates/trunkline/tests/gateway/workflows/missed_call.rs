//! The example: a call that is not answered, a text, an hour, another call.

use std::time::Duration;

use super::*;
use crate::support::{ADA, BOB};

const SORRY: &str = "Sorry that we missed each other. Write back here, or we call again in an hour.";

/// Calls without engines of speech: nobody is to be understood here.
pub(super) const VOICE: [(&str, &str); 3] =
    [("TRUNKLINE_VOICE", "true"), ("TRUNKLINE_RECOGNIZER", "none"), ("TRUNKLINE_SYNTHESIZER", "none")];

async fn world() -> World {
    let text = std::fs::read_to_string(examples().join("missed-call.toml")).unwrap();
    start(&[&text], &VOICE).await
}

/// The run that began, once it waits for the person.
async fn waiting(world: &World) -> String {
    until("the run waits", async || {
        let runs = runs(world, "missed-call").await;
        let run = runs.first().filter(|run| run["state"] == "waiting")?;
        Some(run["run"].as_str().unwrap().to_owned())
    })
    .await
}

#[tokio::test]
async fn who_does_not_write_back_is_called_again_once() {
    let world = world().await;
    call_in_vain(&world, &world.gateway_url(""), BOB).await;
    let id = waiting(&world).await;
    world.expect_answers(BOB, &[SORRY]).await;
    assert_eq!(calls_to(&world, BOB).await, 1);
    world.gateway().clock().advance(Duration::from_mins(59));
    world.until_idle().await;
    assert_eq!(run(&world, &id).await["state"], "waiting");
    // The second call is not answered either, and that is told at once.
    world.control(Method::PUT, &format!("/phones/{BOB}/answering"), json!({"rule": "busy", "ring_ms": 1})).await;
    world.gateway().clock().advance(Duration::from_mins(2));
    let done = until_run(&world, &id, "done").await;
    assert_eq!(step(&done, "reply")["branch"], "time", "{done}");
    assert_eq!(calls_to(&world, BOB).await, 2);
    // The call that the workflow placed fails too, and does not start it again.
    until("the second call has failed", async || {
        let calls = world.api("/api/v1/calls").await;
        (calls["live"].as_array()?.is_empty() && calls["past"].as_array()?.len() == 2).then_some(())
    })
    .await;
    world.until_idle().await;
    assert_eq!(runs(&world, "missed-call").await.len(), 1);
    assert_eq!(world.answers(BOB).await, [SORRY]);
    assert!(world.metric("trunkline_workflow_runs_total", "outcome=\"done\"").await >= 1.0);
    assert!(world.metric("trunkline_workflow_steps_total", "kind=\"place_call\"").await >= 1.0);
    assert!(world.metric("trunkline_workflow_first_step_seconds_count", "").await >= 1.0);
}

#[tokio::test]
async fn who_writes_back_is_not_called_again() {
    let world = world().await;
    call_in_vain(&world, &world.gateway_url(""), ADA).await;
    let id = waiting(&world).await;
    world.text(BOB, "text 1").await;
    world.expect_answers(BOB, &["answer 1"]).await;
    assert_eq!(run(&world, &id).await["state"], "waiting", "somebody else's text is not the answer");
    world.text(ADA, "text 2").await;
    let done = until_run(&world, &id, "done").await;
    assert_eq!(step(&done, "reply")["branch"], "event", "{done}");
    assert_eq!(step(&done, "reply")["output"]["event"]["data"]["text"], "text 2");
    assert_eq!(step(&done, "call-back")["state"], "skipped");
    world.expect_answers(ADA, &[SORRY, "answer 2"]).await;
    world.gateway().clock().advance(Duration::from_hours(2));
    world.until_idle().await;
    assert_eq!(calls_to(&world, ADA).await, 1);
}
