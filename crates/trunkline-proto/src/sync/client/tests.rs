use super::*;
use crate::sync::event::ChangedItem;
use crate::sync::{Data, ItemKey};

const NOW: Duration = Duration::from_secs(1);

fn added(id: u64) -> Event {
    Event {
        kind: ObjectKind::List,
        object_sid: "ES1".into(),
        id,
        date_created: None,
        revision: None,
        change: Change::ItemAdded(ChangedItem {
            key: ItemKey::Index(id),
            url: None,
            revision: None,
            data: Data::of(&id),
        }),
    }
}

fn established(last_event_id: u64, replay_status: ReplayStatus) -> Outcome {
    Outcome::Established { object_sid: "ES1".into(), replay_status, last_event_id }
}

/// What the subscriptions make of one notification: ids of events, and 0 for a lost object.
fn hear(subscriptions: &mut Subscriptions<u8>, kind: &str, correlation_id: Option<u64>, told: Told) -> Vec<u64> {
    let mut heard = Vec::new();
    subscriptions.hear(NOW, kind, Notification { correlation_id, told: vec![told] }, &mut heard);
    let ids = heard.into_iter().map(|heard| match heard {
        Heard::Event(1, event) => event.id,
        Heard::Event(..) => panic!("events of another object"),
        Heard::Gone(_) => 0,
    });
    ids.collect()
}

fn asked() -> (Subscriptions<u8>, u64) {
    let mut subscriptions = Subscriptions::new(100);
    subscriptions.follow(NOW, "ES1", ObjectKind::List, 5, 1);
    assert!(subscriptions.poll_batch(NOW).is_none(), "requests gather first");
    let batch = subscriptions.poll_batch(NOW + GATHER).unwrap();
    assert_eq!(batch.requests[0].last_event_id, Some(5));
    assert!(subscriptions.poll_batch(NOW + GATHER).is_none());
    (subscriptions, batch.correlation_id)
}

const LIVE: &str = "com.twilio.rtd.cds.list";

#[test]
fn what_is_live_waits_for_what_is_replayed() {
    let (mut subscriptions, correlation) = asked();
    assert_eq!(hear(&mut subscriptions, LIVE, None, Told::Event(added(8))), [0_u64; 0]);
    assert_eq!(hear(&mut subscriptions, LIVE, None, Told::Event(added(7))), [0_u64; 0]);
    assert_eq!(hear(&mut subscriptions, SYNC_EVENT, Some(correlation), Told::Event(added(5))), [0_u64; 0]);
    assert_eq!(hear(&mut subscriptions, SYNC_EVENT, Some(correlation), Told::Event(added(6))), [6]);
    assert_eq!(hear(&mut subscriptions, SYNC_EVENT, Some(correlation), Told::Event(added(7))), [7]);
    let done = Told::Outcome(established(7, ReplayStatus::Completed));
    assert_eq!(hear(&mut subscriptions, SYNC_EVENT, Some(correlation), done), [8]);
    assert_eq!(subscriptions.count(), (1, 1));
    assert_eq!(subscriptions.next_deadline(), None);
}

#[test]
fn after_a_loss_it_goes_on_from_the_last_event() {
    let (mut subscriptions, correlation) = asked();
    let done = Told::Outcome(established(6, ReplayStatus::Completed));
    hear(&mut subscriptions, SYNC_EVENT, Some(correlation), done);
    assert_eq!(hear(&mut subscriptions, LIVE, None, Told::Event(added(9))), [9]);
    subscriptions.lost();
    assert_eq!(subscriptions.poll_batch(NOW * 9), None);
    subscriptions.connected(NOW * 9);
    let batch = subscriptions.poll_batch(NOW * 9).unwrap();
    assert_eq!(batch.requests[0].last_event_id, Some(9));
    let late = Told::Outcome(established(6, ReplayStatus::Completed));
    hear(&mut subscriptions, SYNC_EVENT, Some(correlation), late);
    assert_eq!(subscriptions.count(), (1, 0), "an outcome of an earlier batch is late");
}

#[test]
fn what_is_interrupted_lost_or_refused_is_asked_again() {
    let (mut subscriptions, correlation) = asked();
    hear(&mut subscriptions, SYNC_EVENT, Some(correlation), Told::Event(added(6)));
    let part = Told::Outcome(established(7, ReplayStatus::Interrupted));
    hear(&mut subscriptions, SYNC_EVENT, Some(correlation), part);
    let again = subscriptions.poll_batch(NOW + GATHER).unwrap();
    let answer = SubscriptionAnswer { max_batch_size: None, ttl_in_s: None, estimated_delivery_in_ms: Some(5000) };
    subscriptions.answered(NOW, again.correlation_id, Some(&answer));
    assert_eq!(subscriptions.next_deadline(), Some(NOW + Duration::from_secs(5)));
    subscriptions.elapsed(NOW + Duration::from_secs(5));
    let third = subscriptions.poll_batch(NOW + Duration::from_secs(5)).unwrap();
    assert_eq!(third.retried_requests, 1);
    subscriptions.answered(NOW, third.correlation_id, None);
    assert!(subscriptions.poll_batch(NOW).is_none());
    assert!(subscriptions.poll_batch(NOW + MIN_RETRY).is_some());
}

#[test]
fn a_replay_that_brings_nothing_is_not_asked_for_at_once() {
    let (mut subscriptions, correlation) = asked();
    let part = Told::Outcome(established(7, ReplayStatus::Interrupted));
    hear(&mut subscriptions, SYNC_EVENT, Some(correlation), part);
    assert!(subscriptions.poll_batch(NOW + GATHER).is_none());
    assert!(subscriptions.poll_batch(NOW + NO_PROGRESS).is_some());
}

#[test]
fn what_waits_is_bounded_in_bytes_too() {
    let (mut subscriptions, _) = asked();
    let mut large = added(10);
    if let Change::ItemAdded(item) = &mut large.change {
        item.data = Data::of(&"x".repeat(MAX_WAITING_BYTES / 2));
    }
    hear(&mut subscriptions, LIVE, None, Told::Event(large.clone()));
    assert!(subscriptions.waiting_bytes > MAX_WAITING_BYTES / 2);
    hear(&mut subscriptions, LIVE, None, Told::Event(large));
    assert_eq!(subscriptions.waiting_bytes, 0, "the replay brings them");
    assert_eq!(subscriptions.poll_batch(NOW + GATHER).unwrap().requests[0].last_event_id, Some(5));
}

#[test]
fn a_lost_object_is_told() {
    let (mut subscriptions, correlation) = asked();
    let gone = Outcome::Failed { object_sid: "ES1".into(), status: 404, code: 20404, message: String::new() };
    assert_eq!(hear(&mut subscriptions, SYNC_EVENT, Some(correlation), Told::Outcome(gone)), [0]);
    assert_eq!(subscriptions.count(), (0, 0));
}

#[test]
fn subscriptions_are_renewed_and_cancelled() {
    let (mut subscriptions, correlation) = asked();
    let answer = SubscriptionAnswer { max_batch_size: Some(2), ttl_in_s: Some(60), estimated_delivery_in_ms: None };
    subscriptions.answered(NOW, correlation, Some(&answer));
    let done = Told::Outcome(established(6, ReplayStatus::Completed));
    hear(&mut subscriptions, SYNC_EVENT, Some(correlation), done);
    let renewal = NOW + Duration::from_mins(1);
    assert_eq!(subscriptions.next_deadline(), Some(renewal));
    subscriptions.elapsed(renewal);
    let batch = subscriptions.poll_batch(renewal).unwrap();
    assert_eq!(batch.reason.as_deref(), Some("ttl"));
    subscriptions.leave(renewal, "ES1");
    let cancel = subscriptions.poll_batch(renewal + GATHER).unwrap();
    assert_eq!((cancel.action, cancel.requests.len(), cancel.reason), (Action::Cancel, 1, None));
}

#[test]
fn batches_are_as_large_as_allowed() {
    let mut subscriptions = Subscriptions::new(0);
    for at in 0..250 {
        subscriptions.follow(NOW, &format!("ES{at}"), ObjectKind::List, 0, 1);
    }
    let sizes: Vec<usize> =
        std::iter::from_fn(|| subscriptions.poll_batch(NOW + GATHER)).map(|batch| batch.requests.len()).collect();
    assert_eq!(sizes, [100, 100, 50]);
}

#[test]
fn a_flood_before_the_replay_is_bounded() {
    let (mut subscriptions, _) = asked();
    for id in 10..=10 + MAX_WAITING_EVENTS as u64 {
        hear(&mut subscriptions, LIVE, None, Told::Event(added(id)));
    }
    let again = subscriptions.poll_batch(NOW + GATHER).unwrap();
    assert_eq!(again.requests[0].last_event_id, Some(5));
}
