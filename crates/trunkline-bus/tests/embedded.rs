//! The embedded engine against the conformance suite, and what only it can get wrong.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use support::Engine;
use trunkline_bus::{Bus, ConsumerOptions, EmbeddedBus, EmbeddedOptions, Subject};
use trunkline_core::Envelope;

struct Embedded {
    folder: tempfile::TempDir,
}

impl Embedded {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("folder") }
    }

    fn options(&self) -> EmbeddedOptions {
        EmbeddedOptions::new(self.folder.path().join("bus.db"))
    }
}

#[async_trait]
impl Engine for Embedded {
    async fn open(&self) -> Arc<dyn Bus> {
        Arc::new(EmbeddedBus::open(&self.options()).expect("bus"))
    }
}

macro_rules! conformance {
    ($($name:ident),+ $(,)?) => {
        $(#[tokio::test]
        async fn $name() {
            support::$name(&Embedded::new()).await;
        })+
    };
}

conformance!(
    keeps_order_and_remembers,
    keeps_an_id_once,
    takes_many_publishers,
    redelivers_after_the_lease,
    redelivers_after_a_nak,
    survives_a_restart,
    bounds_what_is_in_flight,
    one_consumer_per_name,
    forgets_a_consumer,
    buries_and_replays,
    buries_once,
    replays_again,
    remembers_what_was_buried,
    says_when_it_is_closed,
    refuses_giants,
);

fn envelope(id: usize, text: &str) -> Envelope {
    Envelope::new(id.to_string(), "test", "t", "c", Timestamp::UNIX_EPOCH, &text).expect("envelope")
}

#[tokio::test]
async fn a_full_file_refuses_and_keeps_what_it_has() {
    let engine = Embedded::new();
    let options = EmbeddedOptions { max_file_bytes: 256 << 10, ..engine.options() };
    let bus = EmbeddedBus::open(&options).expect("bus");
    let subject = Subject::parse("internal.ingress.v1").expect("subject");
    let text = "x".repeat(20_000);
    let mut kept = 0;
    let error = loop {
        match bus.publish(&subject, &envelope(kept, &text)).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 100, "the limit does not hold");
    };
    assert_eq!(error.code(), "bus.full");
    bus.close().await;

    let bus = engine.open().await;
    let mut consumer = bus.consume(ConsumerOptions::new("lanes", subject)).await.expect("consumer");
    let mut held = Vec::new();
    for id in 0..kept {
        let delivery = consumer.next().await.expect("delivery");
        assert_eq!(delivery.envelope.id, id.to_string());
        held.push(delivery);
    }
    assert!(kept > 3, "{kept}");
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let engine = Embedded::new();
    let file = rusqlite::Connection::open(engine.options().path).expect("file");
    file.pragma_update(None, "user_version", 99).expect("version");
    drop(file);
    let error = EmbeddedBus::open(&engine.options()).err().expect("refused");
    assert_eq!(error.code(), "bus.unavailable");
    assert!(error.to_string().contains("version 99"), "{error}");
}

/// Runs `sql` on the file as someone else.
fn alter(engine: &Embedded, sql: &str) {
    let file = rusqlite::Connection::open(engine.options().path).expect("file");
    file.busy_timeout(Duration::from_secs(10)).expect("timeout");
    file.execute_batch(sql).expect("altered");
}

#[tokio::test]
async fn what_could_not_be_buried_comes_again() {
    let engine = Embedded::new();
    let bus = engine.open().await;
    let subject = Subject::parse("internal.ingress.v1").expect("subject");
    for id in 0..2 {
        bus.publish(&subject, &envelope(id, "a")).await.expect("published");
    }
    let options = ConsumerOptions { lease: Duration::from_secs(1), ..ConsumerOptions::new("lanes", subject.clone()) };
    let mut consumer = bus.consume(options).await.expect("consumer");
    let (first, second) = (consumer.next().await.expect("delivery"), consumer.next().await.expect("delivery"));

    alter(&engine, "ALTER TABLE dead_letter RENAME TO away");
    assert_eq!(first.bury("test", "test").await.expect_err("cannot be written").code(), "bus.unavailable");
    second.ack().await.expect("acked");
    // Written after the acknowledgement: both are on disk now.
    bus.probe().await.expect("writes");
    assert_eq!(bus.backlog("lanes").await.expect("backlog"), 1, "the floor has moved over what was not buried");

    alter(&engine, "ALTER TABLE away RENAME TO dead_letter");
    let again = tokio::time::timeout(Duration::from_secs(10), consumer.next()).await.expect("in time").expect("again");
    assert_eq!((again.envelope.id.as_str(), again.attempt), ("0", 2));
    again.bury("test", "test").await.expect("buried");
    bus.probe().await.expect("writes");
    assert_eq!(bus.backlog("lanes").await.expect("backlog"), 0);
    assert_eq!(bus.dead_letter_count().await.expect("count"), 1);
}

#[tokio::test]
async fn a_consumer_that_cannot_be_registered_is_told_why() {
    let engine = Embedded::new();
    let bus = engine.open().await;
    let subject = Subject::parse("internal.ingress.v1").expect("subject");
    alter(&engine, "ALTER TABLE consumer RENAME TO away");
    let refused = bus.consume(ConsumerOptions::new("lanes", subject.clone())).await.err().expect("refused");
    assert_eq!(refused.code(), "bus.unavailable");
    alter(&engine, "ALTER TABLE away RENAME TO consumer");
    assert!(bus.consume(ConsumerOptions::new("lanes", subject)).await.is_ok());
}

#[tokio::test]
async fn a_replay_by_another_process_is_noticed() {
    let engine = Embedded::new();
    let bus = engine.open().await;
    let subject = Subject::parse("internal.ingress.v1").expect("subject");
    bus.publish(&subject, &envelope(1, "a")).await.expect("published");
    let mut consumer = bus.consume(ConsumerOptions::new("lanes", subject)).await.expect("consumer");
    consumer.next().await.expect("delivery").bury("test", "test").await.expect("buried");

    let operator = engine.open().await;
    let letters = operator.dead_letters(1).await.expect("letters");
    operator.replay(&letters[0].id).await.expect("replayed");
    let again = tokio::time::timeout(Duration::from_secs(10), consumer.next()).await.expect("in time");
    assert_eq!(again.expect("delivery").envelope.id, "1;replay=1");
}
