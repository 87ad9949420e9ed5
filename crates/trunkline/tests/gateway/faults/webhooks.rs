//! Webhooks that are lost, late, doubled, out of order or not signed well.

use serde_json::{Value, json};

use super::{Person, Stage, Way};

/// A quiet pass looks for what was missed this often.
const PASSES: (&str, &str) = ("TRUNKLINE_CATCH_UP_INTERVAL", "300ms");

/// One fault, by both ways and at each event that the gateway hears of.
async fn strike(fault: Value) {
    let mut stage = Box::pin(Stage::set_up(Way::Conversations, &[PASSES])).await;
    for (event, count, person) in [
        ("onMessageAdded", 1, Person::Known),
        ("onMessageAdded", 2, Person::Known),
        ("onMessageAdded", 2, Person::New),
        ("onConversationAdded", 1, Person::New),
        ("onDeliveryUpdated", 2, Person::Known),
    ] {
        stage.strike(person, json!({"match": {"event": event}, "count": count, "fault": fault})).await;
    }
    stage.strike(Person::New, json!({"fault": fault})).await;
    drop(stage);

    // Twilio counts nothing here: texts are in the order in which they come to be known.
    let mut stage = Box::pin(Stage::set_up(Way::Messaging, &[PASSES])).await;
    for (event, count) in [("message_document", 1), ("message_document", 2), ("message_status", 2)] {
        stage.strike(Person::Patient, json!({"match": {"event": event}, "count": count, "fault": fault})).await;
    }
    stage.strike(Person::Patient, json!({"fault": fault})).await;
}

#[tokio::test]
async fn webhooks_that_come_several_times() {
    strike(json!({"kind": "webhook_duplicate", "times": 2})).await;
}

#[tokio::test]
async fn webhooks_that_are_late() {
    strike(json!({"kind": "webhook_delay", "ms": 400})).await;
}

#[tokio::test]
async fn webhooks_that_overtake_each_other() {
    strike(json!({"kind": "webhook_reorder", "window_ms": 400})).await;
}

#[tokio::test]
async fn webhooks_that_never_come() {
    strike(json!({"kind": "webhook_lose"})).await;
}

#[tokio::test]
async fn webhooks_with_a_wrong_signature() {
    strike(json!({"kind": "webhook_wrong_signature"})).await;
}
