//! Commands from outside: adopted once, all or nothing.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use jiff::Timestamp;
use trunkline_core::{Channel, ContactAddress, Pii};
use trunkline_store::{Answer, Claim, NewCommand, NewInbound, Store};

async fn store(folder: &tempfile::TempDir) -> Store {
    Store::open(&folder.path().join("store.db")).await.expect("store")
}

async fn record(store: &Store, message: &str, index: u64) -> Answer {
    let inbound = NewInbound {
        connector: "twilio".into(),
        conversation: "CH1".into(),
        message: message.into(),
        index,
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
    store.record_inbound(&inbound).await.expect("recorded").answer
}

fn command(id: &str, body: &str, in_reply_to: &[&str]) -> NewCommand {
    NewCommand {
        outbox_id: id.into(),
        connector: "twilio".into(),
        conversation: "CH1".into(),
        in_reply_to: in_reply_to.iter().map(|message| (*message).to_owned()).collect(),
        body: Pii::new(body.into()),
        more: Vec::new(),
        content: None,
        media: None,
        author: "my-agent".into(),
        traceparent: None,
    }
}

async fn code(store: &Store, command: &NewCommand) -> &'static str {
    store.adopt(command).await.expect_err("refused").code()
}

#[tokio::test]
async fn a_command_is_adopted_once_and_marks_what_it_answers() {
    let folder = tempfile::tempdir().expect("folder");
    let store = store(&folder).await;
    for (message, index) in [("IM0", 0), ("IM1", 1)] {
        record(&store, message, index).await;
    }
    let first = command("c1", "hi", &["IM0", "IM1"]);
    assert!(store.adopt(&first).await.expect("adopted").is_new);
    assert!(!store.adopt(&first).await.expect("known").is_new);
    for (message, index) in [("IM0", 0), ("IM1", 1)] {
        assert_eq!(record(&store, message, index).await, Answer::Answered);
    }
    assert!(matches!(store.claim("c1").await.expect("claimed"), Claim::Yours(row) if row.body.expose() == "hi"));
    assert_eq!(store.open_outbox(0, Timestamp::MAX, 10).await.expect("rows").len(), 1);
    for reused in [command("c1", "other", &["IM0", "IM1"]), command("c1", "hi", &["IM2"])] {
        assert_eq!(code(&store, &reused).await, "store.command_reused");
    }
    record(&store, "IM2", 2).await;
    let one_more = command("c1", "hi", &["IM0", "IM1", "IM2"]);
    assert_eq!(code(&store, &one_more).await, "store.command_reused", "IM2 would never be answered");
    // Sent and settled, it is still the same command.
    let row = store.outbox_row("c1").await.expect("row");
    store.mark_failed(&row, "gone").await.expect("settled");
    assert!(!store.adopt(&first).await.expect("known").is_new);
}

#[tokio::test]
async fn a_command_that_is_refused_changes_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let store = store(&folder).await;
    assert_eq!(code(&store, &command("c1", "hi", &[])).await, "store.not_found");
    record(&store, "IM0", 0).await;
    record(&store, "IM1", 1).await;
    store.adopt(&command("c1", "hi", &["IM1"])).await.expect("adopted");
    assert_eq!(code(&store, &command("c2", "hi", &["IM0", "IM1"])).await, "store.already_answered");
    assert_eq!(code(&store, &command("c3", "hi", &["IM0", "IM9"])).await, "store.not_found");
    assert_eq!(record(&store, "IM0", 0).await, Answer::Waiting);
    assert_eq!(store.open_outbox(0, Timestamp::MAX, 10).await.expect("rows").len(), 1);
}

#[tokio::test]
async fn a_command_is_never_superseded() {
    let folder = tempfile::tempdir().expect("folder");
    let store = store(&folder).await;
    record(&store, "IM0", 0).await;
    let adopted = store.adopt(&command("c1", "hi", &["IM0"])).await.expect("adopted");
    assert_eq!(store.supersede(&adopted.conversation_id).await.expect("superseded"), 0);
    assert!(matches!(store.claim("c1").await.expect("claimed"), Claim::Yours(_)));
}

#[tokio::test]
async fn no_words_are_an_answer_too_and_make_no_row() {
    let folder = tempfile::tempdir().expect("folder");
    let store = store(&folder).await;
    record(&store, "IM0", 0).await;
    let silence = command("c1", "", &["IM0"]);
    assert!(store.adopt(&silence).await.expect("adopted").is_new);
    assert!(!store.adopt(&silence).await.expect("known").is_new);
    assert_eq!(record(&store, "IM0", 0).await, Answer::Answered);
    assert!(store.open_outbox(0, Timestamp::MAX, 10).await.expect("rows").is_empty());
    assert_eq!(code(&store, &command("c1", "words", &["IM0"])).await, "store.command_reused");
}
