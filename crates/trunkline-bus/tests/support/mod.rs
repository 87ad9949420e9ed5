//! The conformance suite: what every engine of the bus has to do, whatever it stores its envelopes in.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use jiff::Timestamp;
use trunkline_bus::{Bus, Consumer, ConsumerOptions, Delivery, Published, Subject};
use trunkline_core::Envelope;
use trunkline_core::event::DeadLetter;

/// An engine under test: something that can be opened again with everything that was in it.
#[async_trait]
pub(crate) trait Engine: Send + Sync {
    /// Opens the same storage, as a new process would.
    async fn open(&self) -> Arc<dyn Bus>;
}

/// Longer than any engine needs, shorter than a person's patience.
const PATIENCE: Duration = Duration::from_secs(20);
/// A time in which an envelope would have come if it were to come.
const QUIET: Duration = Duration::from_millis(300);

fn subject() -> Subject {
    Subject::parse("internal.ingress.v1").expect("subject")
}

fn options() -> ConsumerOptions {
    ConsumerOptions::new("lanes", subject())
}

fn envelope(id: &str) -> Envelope {
    Envelope::new(id, "test", "message.received.v1", "CH1", Timestamp::UNIX_EPOCH, &id).expect("envelope")
}

async fn publish_all(bus: &dyn Bus, ids: &[&str]) {
    for id in ids {
        assert_eq!(bus.publish(&subject(), &envelope(id)).await.expect("published"), Published::New, "{id}");
    }
}

async fn next(consumer: &mut Box<dyn Consumer>) -> Delivery {
    tokio::time::timeout(PATIENCE, consumer.next()).await.expect("a delivery in time").expect("a delivery")
}

async fn nothing_comes(consumer: &mut Box<dyn Consumer>) {
    let waited = tokio::time::timeout(QUIET, consumer.next()).await;
    assert!(waited.is_err(), "an unexpected delivery: {:?}", waited.map(|d| d.map(|d| d.envelope.id)));
}

/// Waits until the engine has taken note of acknowledgements that it may take note of later.
async fn backlog_becomes(bus: &dyn Bus, expected: u64) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let backlog = bus.backlog("lanes").await.expect("backlog");
        if backlog == expected {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "the backlog is {backlog}, not {expected}");
        tokio::task::yield_now().await;
    }
}

/// Published in order, delivered in order, acknowledged once and for all, also across a restart.
pub(crate) async fn keeps_order_and_remembers(engine: &dyn Engine) {
    let bus = engine.open().await;
    publish_all(&*bus, &["a", "b", "c"]).await;
    let mut consumer = bus.consume(options()).await.expect("consumer");
    for id in ["a", "b", "c"] {
        let delivery = next(&mut consumer).await;
        assert_eq!((delivery.envelope.id.as_str(), delivery.attempt), (id, 1));
        assert_eq!(delivery.envelope.data::<String>().expect("data"), id);
        delivery.ack().await.expect("acked");
    }
    backlog_becomes(&*bus, 0).await;
    drop(consumer);
    bus.close().await;

    let bus = engine.open().await;
    let mut consumer = bus.consume(options()).await.expect("consumer");
    nothing_comes(&mut consumer).await;
    publish_all(&*bus, &["d"]).await;
    assert_eq!(next(&mut consumer).await.envelope.id, "d");
}

/// The same id on the same subject is kept once, for as long as it is remembered, even after its acknowledgement.
pub(crate) async fn keeps_an_id_once(engine: &dyn Engine) {
    let bus = engine.open().await;
    publish_all(&*bus, &["a"]).await;
    assert_eq!(bus.publish(&subject(), &envelope("a")).await.expect("published"), Published::Duplicate);
    let elsewhere = Subject::parse("internal.egress.v1.main").expect("subject");
    assert_eq!(bus.publish(&elsewhere, &envelope("a")).await.expect("published"), Published::New);

    let mut consumer = bus.consume(options()).await.expect("consumer");
    next(&mut consumer).await.ack().await.expect("acked");
    assert_eq!(bus.publish(&subject(), &envelope("a")).await.expect("published"), Published::Duplicate);
    nothing_comes(&mut consumer).await;
}

/// Many publishers at once: everything arrives, nothing twice.
pub(crate) async fn takes_many_publishers(engine: &dyn Engine) {
    const MANY: usize = 500;
    let bus = engine.open().await;
    let sent = join_all((0..MANY).map(|number| {
        let bus = Arc::clone(&bus);
        async move { bus.publish(&subject(), &envelope(&number.to_string())).await }
    }))
    .await;
    assert!(sent.iter().all(|outcome| matches!(outcome, Ok(Published::New))));
    let mut consumer = bus.consume(options()).await.expect("consumer");
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..MANY {
        let delivery = next(&mut consumer).await;
        assert!(seen.insert(delivery.envelope.id.clone()), "{} came twice", delivery.envelope.id);
        delivery.ack().await.expect("acked");
    }
    nothing_comes(&mut consumer).await;
}

/// What is not settled within its lease comes again, with a higher attempt; an extended lease lasts longer.
pub(crate) async fn redelivers_after_the_lease(engine: &dyn Engine) {
    let bus = engine.open().await;
    publish_all(&*bus, &["a", "b"]).await;
    let mut consumer =
        bus.consume(ConsumerOptions { lease: Duration::from_millis(400), ..options() }).await.expect("consumer");
    let first = next(&mut consumer).await;
    let second = next(&mut consumer).await;
    assert_eq!((first.envelope.id.as_str(), second.envelope.id.as_str()), ("a", "b"));
    second.ack().await.expect("acked");
    drop(first);
    let again = next(&mut consumer).await;
    assert_eq!((again.envelope.id.as_str(), again.attempt), ("a", 2));
    // Half a lease, extended, half a lease: still ours.
    assert!(tokio::time::timeout(Duration::from_millis(250), consumer.next()).await.is_err());
    again.extend();
    assert!(tokio::time::timeout(Duration::from_millis(250), consumer.next()).await.is_err());
    again.ack().await.expect("acked");
    nothing_comes(&mut consumer).await;
}

/// A negative acknowledgement brings it again after the wait, behind nothing.
pub(crate) async fn redelivers_after_a_nak(engine: &dyn Engine) {
    let bus = engine.open().await;
    publish_all(&*bus, &["a"]).await;
    let mut consumer = bus.consume(options()).await.expect("consumer");
    next(&mut consumer).await.nak(Duration::from_millis(150)).await.expect("naked");
    assert!(tokio::time::timeout(Duration::from_millis(50), consumer.next()).await.is_err(), "it came too early");
    let again = next(&mut consumer).await;
    assert_eq!((again.envelope.id.as_str(), again.attempt), ("a", 2));
    again.ack().await.expect("acked");
}

/// What was delivered but not acknowledged comes again to the next life of the consumer; what was, does not.
pub(crate) async fn survives_a_restart(engine: &dyn Engine) {
    let bus = engine.open().await;
    publish_all(&*bus, &["a", "b", "c"]).await;
    let mut consumer = bus.consume(options()).await.expect("consumer");
    let _a = next(&mut consumer).await;
    next(&mut consumer).await.ack().await.expect("acked");
    backlog_becomes(&*bus, 2).await;
    drop(consumer);
    bus.close().await;

    let bus = engine.open().await;
    let mut consumer = bus.consume(options()).await.expect("consumer");
    for id in ["a", "c"] {
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.envelope.id, id);
        delivery.ack().await.expect("acked");
    }
    nothing_comes(&mut consumer).await;
}

/// At the bound of unsettled deliveries the consumer waits, and goes on when one is settled.
pub(crate) async fn bounds_what_is_in_flight(engine: &dyn Engine) {
    let bus = engine.open().await;
    publish_all(&*bus, &["a", "b", "c"]).await;
    let mut consumer = bus.consume(ConsumerOptions { max_in_flight: 2, ..options() }).await.expect("consumer");
    let first = next(&mut consumer).await;
    let _second = next(&mut consumer).await;
    nothing_comes(&mut consumer).await;
    first.ack().await.expect("acked");
    assert_eq!(next(&mut consumer).await.envelope.id, "c");
}

/// A durable name belongs to one consumer at a time.
pub(crate) async fn one_consumer_per_name(engine: &dyn Engine) {
    let bus = engine.open().await;
    let first = bus.consume(options()).await.expect("consumer");
    assert_eq!(bus.consume(options()).await.err().expect("refused").code(), "bus.consumer_busy");
    drop(first);
    assert!(bus.consume(options()).await.is_ok());
}

/// A consumer that is forgotten has no backlog and, if it comes back, begins at the beginning. Not while it is running.
pub(crate) async fn forgets_a_consumer(engine: &dyn Engine) {
    let bus = engine.open().await;
    publish_all(&*bus, &["a", "b"]).await;
    let mut consumer = bus.consume(options()).await.expect("consumer");
    next(&mut consumer).await.ack().await.expect("acked");
    next(&mut consumer).await.nak(Duration::ZERO).await.expect("later");
    let durable = options().durable;
    assert_eq!(bus.forget(&durable).await.expect_err("busy").code(), "bus.consumer_busy");
    drop(consumer);
    bus.forget(&durable).await.expect("forgotten");
    bus.forget(&durable).await.expect("nobody knows it");
    assert_eq!(bus.backlog(&durable).await.expect("backlog"), 0);
    let mut consumer = bus.consume(options()).await.expect("consumer");
    for id in ["a", "b"] {
        let delivery = next(&mut consumer).await;
        assert_eq!((delivery.envelope.id.as_str(), delivery.attempt), (id, 1));
    }
}

/// Too many deliveries make a dead letter; so does a consumer that gives up; a replay brings it back once.
pub(crate) async fn buries_and_replays(engine: &dyn Engine) {
    let bus = engine.open().await;
    publish_all(&*bus, &["poison", "hopeless"]).await;
    let mut consumer = bus.consume(ConsumerOptions { max_deliveries: 2, ..options() }).await.expect("consumer");
    for _ in 0..2 {
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.envelope.id, "poison");
        delivery.nak(Duration::ZERO).await.expect("naked");
    }
    let hopeless = next(&mut consumer).await;
    assert_eq!(hopeless.envelope.id, "hopeless");
    hopeless.bury("test.hopeless", "nothing helps").await.expect("buried");
    nothing_comes(&mut consumer).await;
    backlog_becomes(&*bus, 0).await;

    let letters = bus.dead_letters(10).await.expect("letters");
    let told: Vec<_> =
        letters.iter().map(|l| (l.letter.envelope.id.as_str(), l.letter.code.as_str(), l.letter.attempts)).collect();
    assert_eq!(told, [("poison", "bus.too_many_deliveries", 3), ("hopeless", "test.hopeless", 1)]);
    assert_eq!(letters[1].letter.reason, "nothing helps");
    assert_eq!(bus.dead_letter_count().await.expect("count"), 2);

    bus.replay(&letters[1].id).await.expect("replayed");
    let replayed = next(&mut consumer).await;
    assert_eq!((replayed.envelope.id.as_str(), replayed.envelope.replay), ("hopeless;replay=1", 1));
    assert_eq!(replayed.envelope.data::<String>().expect("data"), "hopeless");
    replayed.ack().await.expect("acked");
    assert_eq!(bus.replay(&letters[1].id).await.expect_err("gone").code(), "bus.no_such_dead_letter");
    assert_eq!(bus.dead_letter_count().await.expect("count"), 1);
}

/// Burying the same envelope twice keeps it once: whoever buries may crash and do it again.
pub(crate) async fn buries_once(engine: &dyn Engine) {
    let bus = engine.open().await;
    let letter = DeadLetter {
        code: "test.code".into(),
        reason: "reason".into(),
        attempts: 3,
        origin: subject().as_str().into(),
        envelope: envelope("a"),
        context: std::collections::BTreeMap::new(),
    };
    bus.bury(&letter).await.expect("buried");
    bus.bury(&letter).await.expect("buried");
    assert_eq!(bus.dead_letter_count().await.expect("count"), 1);
}

/// What is buried again after a replay is listed again and can be replayed again, also if it was buried as it was
/// before the replay.
pub(crate) async fn replays_again(engine: &dyn Engine) {
    let bus = engine.open().await;
    publish_all(&*bus, &["a"]).await;
    let mut consumer = bus.consume(options()).await.expect("consumer");
    next(&mut consumer).await.bury("test.first", "reason").await.expect("buried");
    for round in 1..=3 {
        let letters = bus.dead_letters(10).await.expect("letters");
        assert_eq!(letters.len(), 1, "round {round}");
        bus.replay(&letters[0].id).await.expect("replayed");
        let replayed = next(&mut consumer).await;
        assert_eq!((replayed.envelope.id.as_str(), replayed.envelope.replay), (&*format!("a;replay={round}"), round));
        replayed.ack().await.expect("acked");
        assert_eq!(bus.dead_letter_count().await.expect("count"), 0);
        let original = DeadLetter { code: "test.again".into(), ..letters[0].letter.clone() };
        assert_eq!(original.envelope.replay, 0);
        bus.bury(&original).await.expect("buried");
    }
    nothing_comes(&mut consumer).await;
    assert_eq!(bus.dead_letters(10).await.expect("letters")[0].letter.code, "test.again");
}

/// A delivery that is buried is done for its consumer: it does not come again to the next life either.
pub(crate) async fn remembers_what_was_buried(engine: &dyn Engine) {
    let bus = engine.open().await;
    publish_all(&*bus, &["a", "b", "c"]).await;
    let mut consumer = bus.consume(options()).await.expect("consumer");
    let first = next(&mut consumer).await;
    next(&mut consumer).await.bury("test.code", "reason").await.expect("buried");
    assert_eq!(bus.backlog("lanes").await.expect("backlog"), 2);
    drop((first, consumer));
    bus.close().await;

    let bus = engine.open().await;
    let mut consumer = bus.consume(options()).await.expect("consumer");
    for id in ["a", "c"] {
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.envelope.id, id);
        delivery.ack().await.expect("acked");
    }
    nothing_comes(&mut consumer).await;
    backlog_becomes(&*bus, 0).await;
}

/// A closed bus says so.
pub(crate) async fn says_when_it_is_closed(engine: &dyn Engine) {
    let bus = engine.open().await;
    bus.probe().await.expect("writes");
    bus.close().await;
    assert_eq!(bus.publish(&subject(), &envelope("a")).await.expect_err("closed").code(), "bus.closed");
    assert_eq!(bus.probe().await.expect_err("closed").code(), "bus.closed");
}

/// What is too large is refused, and nothing else suffers.
pub(crate) async fn refuses_giants(engine: &dyn Engine) {
    let bus = engine.open().await;
    let text = "x".repeat(1 << 20);
    let giant = Envelope::new("giant", "test", "t", "c", Timestamp::UNIX_EPOCH, &text).expect("envelope");
    assert_eq!(bus.publish(&subject(), &giant).await.expect_err("refused").code(), "bus.too_large");
    publish_all(&*bus, &["a"]).await;
}
