//! Texts that are promised for later.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use jiff::Timestamp;
use trunkline_core::{Channel, ContactAddress, Pii};
use trunkline_store::{NewInbound, NewScheduled, Scheduling, Store};

/// A conversation of one text; our name for it.
async fn conversation(store: &Store) -> String {
    let inbound = NewInbound {
        connector: "twilio".into(),
        conversation: "CH1".into(),
        message: "IM1".into(),
        index: 0,
        from: ContactAddress::parse("+15550001111").expect("address"),
        channel: Channel::Sms,
        body: Pii::new("hello".into()),
        media: Vec::new(),
        created_at: Timestamp::UNIX_EPOCH,
        to: None,
        to_be_answered: true,
        keyword: None,
        traceparent: None,
    };
    store.record_inbound(&inbound).await.expect("recorded");
    store.conversation_by_external("twilio", "CH1").await.expect("read").expect("there").id
}

#[tokio::test]
async fn a_wish_that_comes_again_is_told_what_became_of_it() {
    let folder = tempfile::tempdir().expect("folder");
    let store = Store::open(&folder.path().join("store.db")).await.expect("store");
    let conversation_id = conversation(&store).await;
    let new = |id: &str| NewScheduled {
        id: id.to_owned(),
        conversation_id: conversation_id.clone(),
        body: Pii::new("tea".to_owned()),
        due_at: Timestamp::UNIX_EPOCH,
        traceparent: None,
    };
    let ask = async |id: &str| store.schedule_text(&new(id)).await.expect("asked");
    let waits = |id: &str| Scheduling::Waits(id.to_owned());
    assert_eq!((ask("a").await, ask("a").await, ask("b").await), (waits("a"), waits("a"), waits("a")));
    store.end_scheduled("a", Some("agent")).await.expect("taken back");
    assert_eq!(ask("a").await, Scheduling::TakenBack);
    // The same words are a new promise then, and whoever asks for the first again gets it.
    assert_eq!((ask("b").await, ask("a").await), (waits("b"), waits("b")));
    assert!(store.begin_scheduled("b").await.expect("begun"));
    assert_eq!(ask("b").await, Scheduling::Sent, "it is about to be one");
    store.end_scheduled("b", None).await.expect("sent");
    assert_eq!(ask("b").await, Scheduling::Sent);
    assert!(!store.begin_scheduled("a").await.expect("asked"), "what was taken back is not sent");
}
