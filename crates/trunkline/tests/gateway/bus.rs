//! A bus that cannot write: nothing is accepted, and nothing is lost.

use reqwest::StatusCode;
use rusqlite::Connection;
use serde_json::json;

use crate::support::{ADA, World, message_added, until};

#[tokio::test]
async fn while_the_bus_cannot_write_webhooks_are_refused_and_afterwards_nothing_is_missing() {
    let world = World::start(&[]).await;
    let file = world.data_dir().join("bus.db");
    let mut other = Connection::open(&file).unwrap();
    let transaction = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    transaction.execute("INSERT OR REPLACE INTO probe VALUES (9, 9)", []).unwrap();

    // Its webhook is brought by the test, and only once.
    world.fault(json!({"match": {"event": "onMessageAdded"}, "count": 1, "fault": {"kind": "webhook_lose"}})).await;
    let (conversation, message) = world.text(ADA, "text 1").await;
    let now = jiff::Timestamp::now().to_string();
    let webhook = message_added(&world, &conversation, &message, ADA, "text 1").with("DateCreated", &now);
    let refused = webhook.send(&world).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.text);
    assert_eq!(refused.body["code"], "bus.unavailable");
    let readiness = world.get("/readyz").await;
    assert_eq!(readiness.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(readiness.text.contains("bus"), "{}", readiness.text);
    assert_eq!(world.get("/healthz").await.status, StatusCode::OK);
    assert_eq!(world.answers(ADA).await.len(), 0);

    transaction.rollback().unwrap();
    until("the gateway is ready again", async || (world.get("/readyz").await.status == StatusCode::OK).then_some(()))
        .await;
    world.expect_answers(ADA, &["answer 1"]).await;
    let caught_up = world.metric("trunkline_caught_up_messages_total", "").await;
    assert!((caught_up - 1.0).abs() < f64::EPSILON, "{caught_up}");
}

#[tokio::test]
async fn without_its_data_folder_the_gateway_takes_nothing() {
    let world = World::start(&[]).await;
    std::fs::rename(world.data_dir(), world.folder.path().join("gone")).unwrap();
    let readiness = until("the gateway notices", async || {
        let readiness = world.get("/readyz").await;
        (readiness.status == StatusCode::SERVICE_UNAVAILABLE).then_some(readiness)
    })
    .await;
    assert!(readiness.text.contains("was removed"), "{}", readiness.text);
    let now = jiff::Timestamp::now().to_string();
    let conversation = "CH00000000000000000000000000000001";
    let message = "IM00000000000000000000000000000001";
    let webhook = message_added(&world, conversation, message, ADA, "text 1").with("DateCreated", &now);
    let refused = webhook.send(&world).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.text);
    assert_eq!(refused.body["code"], "edge.data_lost");
}
