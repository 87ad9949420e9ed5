//! Each of our addresses sends at its own rate, and none waits for another.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::support::{ADA, BOB, NUMBER, World, outbox, until};

#[tokio::test]
async fn a_slow_address_keeps_its_rate_and_nobody_else_waits_for_it() {
    let rates = format!("{NUMBER}=2,whatsapp:{NUMBER}=100");
    let world = World::start(&[("TRUNKLINE_SENDER_RATES", &rates)]).await;
    let begun = Instant::now();
    // More than are kept in hand, in conversations of their own.
    for number in 0..16 {
        world.text(&format!("+1555000{:04}", 3000 + number), "text 1").await;
    }
    for number in 0..5 {
        let text = json!({"from": ADA, "body": format!("text {number}"), "channel": "whatsapp"});
        world.control(Method::POST, "/messages", text).await;
    }
    let phone = format!("whatsapp:{ADA}");
    until("WhatsApp is answered", async || (world.answers(&phone).await.len() == 5).then_some(())).await;
    assert!(outbox(&world.data_dir(), "sent") < 5 + 16, "SMS still waits");
    until("SMS is answered too", async || (outbox(&world.data_dir(), "sent") == 5 + 16).then_some(())).await;
    assert!(begun.elapsed() >= Duration::from_secs(7), "{:?}", begun.elapsed());
    for number in 0..16 {
        assert_eq!(world.answers(&format!("+1555000{:04}", 3000 + number)).await, ["answer 1"]);
    }
}

#[tokio::test]
async fn order_and_promises_hold_while_an_address_is_slow() {
    let world = World::start(&[("TRUNKLINE_SENDER_RATES", &format!("{NUMBER}=10"))]).await;
    for number in 0..6 {
        world.text(ADA, &format!("text {number}")).await;
        world.text(BOB, &format!("text {number}")).await;
    }
    let expected: Vec<_> = (0..6).map(|number| format!("answer {number}")).collect();
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    world.expect_answers(ADA, &expected).await;
    world.expect_answers(BOB, &expected).await;
}
