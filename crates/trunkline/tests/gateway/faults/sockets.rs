//! Sockets that break, fall silent or are refused, with webhooks and, where the socket recovers, without them.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Person, Stage, Way};
use crate::support::{IDENTITY, until_within};

/// Longer than a silent server is waited for.
const LONG_SILENCE: Duration = Duration::from_secs(90);
/// A quiet pass looks for what was missed this often.
const PASSES: (&str, &str) = ("TRUNKLINE_CATCH_UP_INTERVAL", "300ms");

fn rule(count: u64, fault: &Value) -> Value {
    json!({"match": {"identity": IDENTITY}, "count": count, "fault": fault})
}

/// A fault at the bot's socket, while webhooks come too.
async fn beside_webhooks(faults: &[Value]) {
    let mut stage = Box::pin(Stage::set_up(Way::Socket, &[])).await;
    for fault in faults {
        stage.strike(Person::Known, rule(1, fault)).await;
        stage.strike(Person::New, rule(2, fault)).await;
    }
}

/// The same when nothing but the socket tells of texts.
async fn without_webhooks(faults: &[Value]) {
    let mut stage = Box::pin(Stage::set_up(Way::Socket, &[])).await;
    for fault in faults {
        let phone = stage.next_person(Person::Known).await;
        let deaf = stage.world.fault(json!({"fault": {"kind": "webhook_lose"}})).await;
        let struck = stage.world.fault(rule(1, fault)).await;
        stage.text(&phone, 2).await;
        stage.text(&phone, 3).await;
        stage.expect(&phone, 1..=3).await;
        stage.struck(struck).await;
        stage.end(deaf).await;
        stage.nothing_is_left(&phone, 1).await;
        stage.in_conversations().await;
    }
}

#[tokio::test]
async fn sockets_that_are_cut() {
    let faults = [json!({"kind": "socket_cut"}), json!({"kind": "socket_cut", "in_frame": true})];
    beside_webhooks(&faults).await;
    without_webhooks(&faults).await;
}

#[tokio::test]
async fn sockets_that_stall() {
    let faults = [json!({"kind": "socket_stall", "ms": 1000})];
    beside_webhooks(&faults).await;
    without_webhooks(&faults).await;
}

#[tokio::test]
async fn sockets_that_hear_and_say_nothing_any_more() {
    let mut stage = Box::pin(Stage::set_up(Way::Socket, &[])).await;
    let phone = stage.next_person(Person::Known).await;
    let silent = stage.world.fault(rule(1, &json!({"kind": "socket_half_open"}))).await;
    stage.text(&phone, 2).await;
    stage.text(&phone, 3).await;
    // The answer was handed to the socket, and the one who sends it waits for 30 s to hear of it.
    let both = async || (stage.world.answers(&phone).await.len() >= 3).then_some(());
    until_within(LONG_SILENCE, "the answers come", both).await;
    stage.struck(silent).await;
    stage.nothing_is_left(&phone, 1).await;
}

#[tokio::test]
async fn sockets_that_are_refused() {
    let mut stage = Box::pin(Stage::set_up(Way::Socket, &[])).await;
    for fault in [
        json!({"kind": "init_failure", "status": 401, "code": 20107}),
        json!({"kind": "init_failure", "status": 403}),
        json!({"kind": "init_failure", "status": 429, "backoff_ms": 200}),
        json!({"kind": "init_failure", "status": 500}),
    ] {
        let refused = stage.world.fault(rule(1, &fault)).await;
        stage.cut_sockets().await;
        let phone = stage.next_person(Person::New).await;
        stage.text(&phone, 2).await;
        stage.text(&phone, 3).await;
        stage.expect(&phone, 2..=3).await;
        stage.struck(refused).await;
        stage.in_conversations().await;
        stage.nothing_is_left(&phone, 2).await;
    }
}

#[tokio::test]
async fn replays_that_lack_events() {
    let mut stage = Box::pin(Stage::set_up(Way::Socket, &[PASSES])).await;
    for events in [1, 2] {
        let phone = stage.next_person(Person::Known).await;
        let deaf = stage.world.fault(json!({"fault": {"kind": "webhook_lose"}})).await;
        let gap = stage.world.fault(json!({"fault": {"kind": "replay_gap", "events": events}})).await;
        // Both texts are there before the socket is back.
        let away = json!({"kind": "init_failure", "status": 429, "backoff_ms": 1000});
        stage.world.fault(rule(1, &away)).await;
        stage.cut_sockets().await;
        stage.text(&phone, 2).await;
        stage.text(&phone, 3).await;
        stage.expect(&phone, 1..=3).await;
        stage.struck(gap).await;
        stage.end(deaf).await;
        stage.nothing_is_left(&phone, 1).await;
    }
}
