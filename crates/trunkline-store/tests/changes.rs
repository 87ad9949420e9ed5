//! Changes that are told late, twice, or before what they change.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use trunkline_core::event::{ConversationPhase, ConversationUpdated, ParticipantChanged};
use trunkline_core::{Channel, ContactAddress, Pii};
use trunkline_store::{Answer, Care, Claim, NewInbound, Presence, Recorded, Reply, ReplyKind, Say, Store};

const CH: &str = "CH1";

async fn open() -> (Store, TempDir) {
    let folder = tempfile::tempdir().expect("folder");
    (Store::open(&folder.path().join("store.db")).await.expect("store"), folder)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("time")
}

async fn record(store: &Store, message: &str, index: u64, created_at: Timestamp) -> Recorded {
    let inbound = NewInbound {
        connector: "twilio".into(),
        conversation: CH.into(),
        message: message.into(),
        index,
        from: ContactAddress::parse("+15550001111").expect("address"),
        to: None,
        channel: Channel::Sms,
        body: Pii::new(format!("text {index}")),
        media: Vec::new(),
        created_at,
        to_be_answered: true,
        traceparent: None,
        keyword: None,
    };
    store.record_inbound(&inbound).await.expect("recorded")
}

async fn reply(store: &Store, answers: &[&Recorded]) -> String {
    let reply = Reply {
        conversation_id: answers[0].conversation_id.clone(),
        answers: answers.iter().map(|recorded| recorded.message_id.clone()).collect(),
        says: vec![Say::text(Pii::new("answer".into()))],
        author: "concierge".into(),
        kind: ReplyKind::Answer,
        memories: std::collections::BTreeMap::new(),
        care: Care::Same,
        tool_calls: Vec::new(),
        accounts_for: Vec::new(),
        turn: None,
        traceparent: None,
    };
    store.commit_reply(&reply).await.expect("committed").remove(0)
}

#[tokio::test]
async fn an_edit_that_comes_late_changes_nothing() {
    let (store, _folder) = open().await;
    let text = |text: &str| Pii::new(text.to_owned());
    assert_eq!(store.edit_message("twilio", CH, "IM0", &text("early"), at(5)).await.expect("done"), None);
    let recorded = record(&store, "IM0", 0, at(1)).await;
    for (words, when) in [("second", 9), ("first", 5)] {
        let edited = store.edit_message("twilio", CH, "IM0", &text(words), at(when)).await.expect("done");
        assert_eq!(edited.as_ref(), Some(&recorded.conversation_id));
    }
    let waiting = store.waiting(&recorded.conversation_id, 9).await.expect("read");
    assert_eq!((waiting[0].body.expose().as_str(), waiting[0].edited_at), ("second", Some(at(9))));
    assert_eq!(store.edit_message("other", CH, "IM0", &text("x"), at(99)).await.expect("done"), None);
}

#[tokio::test]
async fn what_is_removed_is_not_answered_and_takes_an_unsent_answer_with_it() {
    let (store, _folder) = open().await;
    assert_eq!(store.remove_message("twilio", CH, "IM0", at(2)).await.expect("done"), None);
    let gone = record(&store, "IM0", 0, at(1)).await;
    assert_eq!((gone.answer, gone.is_new), (Answer::History, true));
    assert!(!store.reopen(&gone.message_id, 1).await.expect("done"), "nobody has it treated again");

    let (one, two) = (record(&store, "IM1", 1, at(3)).await, record(&store, "IM2", 2, at(4)).await);
    let outbox_id = reply(&store, &[&one, &two]).await;
    let removed = store.remove_message("twilio", CH, "IM1", at(5)).await.expect("done").expect("known");
    assert!(removed.others_wait);
    assert_eq!(store.claim(&outbox_id).await.expect("claim"), Claim::Settled);
    let waiting = store.waiting(&two.conversation_id, 9).await.expect("read");
    assert_eq!(waiting.iter().map(|message| message.id.as_str()).collect::<Vec<_>>(), [two.message_id.as_str()]);

    let outbox_id = reply(&store, &[&two]).await;
    assert!(matches!(store.claim(&outbox_id).await.expect("claim"), Claim::Yours(_)));
    let removed = store.remove_message("twilio", CH, "IM2", at(6)).await.expect("done").expect("known");
    assert!(!removed.others_wait, "it is being sent");
    assert!(matches!(store.claim(&outbox_id).await.expect("claim"), Claim::Unknown(_)));
    let thread = store.messages(&two.conversation_id, 9, None).await.expect("read");
    let words: Vec<_> = thread.iter().map(|message| message.body.expose().as_str()).collect();
    assert_eq!(words, ["", "", "", "answer"]);
}

#[tokio::test]
async fn people_and_names_are_what_was_told_last() {
    let (store, _folder) = open().await;
    let told = |seconds: i64, role: &str| ParticipantChanged {
        conversation: CH.into(),
        participant: "MB1".into(),
        identity: None,
        channel: Some(Channel::Sms),
        address: Some("+15550001111".into()),
        own_address: Some("+15550009999".into()),
        role: Some(role.into()),
        read_index: None,
        changed: at(seconds),
    };
    let note = async |presence, told: ParticipantChanged| {
        store.note_participant("twilio", presence, &told).await.expect("noted")
    };
    assert_eq!(note(Presence::Updated, told(5, "new")).await, None);
    note(Presence::Added, told(1, "old")).await;
    let people = store.participants("twilio", CH).await.expect("read");
    assert_eq!((people[0].role.as_deref(), people[0].joined_at), (Some("new"), Some(at(1))));
    assert!(store.is_bound_elsewhere("twilio-messaging", "+15550001111", "+15550009999", at(8)).await.expect("read"));
    assert!(!store.is_bound_elsewhere("twilio", "+15550001111", "+15550009999", at(8)).await.expect("read"));
    note(Presence::Removed, told(6, "new")).await;
    note(Presence::Updated, told(7, "newer")).await;
    assert!(store.participants("twilio", CH).await.expect("read").is_empty());
    assert!(!store.is_bound_elsewhere("twilio-messaging", "+15550001111", "+15550009999", at(8)).await.expect("read"));
    let before = store.is_bound_elsewhere("twilio-messaging", "+15550001111", "+15550009999", at(5)).await;
    assert!(before.expect("read"), "what was written then went there");

    let recorded = record(&store, "IM0", 0, at(1)).await;
    let named = |name: &str, seconds: i64| ConversationUpdated {
        attributes: None,
        conversation: CH.into(),
        friendly_name: Some(name.into()),
        unique_name: None,
        changed: at(seconds),
    };
    for (name, seconds) in [("second", 9), ("first", 5)] {
        store.name_conversation("twilio", &named(name, seconds)).await.expect("named");
    }
    let summary = store.conversation_summary(&recorded.conversation_id).await.expect("read").expect("one");
    assert_eq!(summary.friendly_name.as_deref(), Some("second"));
    assert_eq!(store.attributes_of_conversation("twilio", CH).await.expect("read"), None);

    // Attributes stay where a name is told without them, and what is told late changes nothing.
    let told = |tier: Option<&str>, seconds: i64| {
        let attributes = tier.map(|tier| serde_json::Map::from_iter([("tier".to_owned(), tier.into())]));
        ConversationUpdated { attributes, ..named("second", seconds) }
    };
    for told in [told(Some("gold"), 10), told(None, 11), told(Some("iron"), 9)] {
        store.name_conversation("twilio", &told).await.expect("noted");
    }
    let kept = store.attributes_of_conversation("twilio", CH).await.expect("read").expect("told");
    assert_eq!(kept.get("tier").and_then(|tier| tier.as_str()), Some("gold"));
    let summary = store.conversation_summary(&recorded.conversation_id).await.expect("read").expect("one");
    assert_eq!(summary.attributes, kept);
}

#[tokio::test]
async fn a_closed_conversation_says_nothing_more_and_begins_anew_with_a_later_text() {
    let (store, _folder) = open().await;
    let now = Timestamp::now();
    let first = record(&store, "IM0", 0, now).await;
    let id = first.conversation_id.clone();
    store.open_session(&id, "concierge").await.expect("opened");
    let outbox_id = reply(&store, &[&first]).await;
    assert!(matches!(store.claim(&outbox_id).await.expect("claim"), Claim::Yours(_)));
    record(&store, "IM1", 1, now).await;
    let closed = store.set_conversation_state("twilio", CH, ConversationPhase::Closed).await.expect("closed");
    assert_eq!(closed.as_deref(), Some(id.as_str()));
    assert!(store.waiting(&id, 9).await.expect("read").is_empty());
    assert_eq!(store.active_counts().await.expect("read"), (0, 0));
    store.release(&outbox_id).await.expect("released");
    assert_eq!(store.claim(&outbox_id).await.expect("claim"), Claim::Settled);
    let session = store.session(&id).await.expect("read").expect("one");
    assert!(!session.is_active && session.closed_at.is_some());

    record(&store, "IM2", 2, now - SignedDuration::from_secs(9)).await;
    let state = async || store.conversation(&id).await.expect("read").expect("one").state;
    assert_eq!(state().await, "closed", "it only came late");
    record(&store, "IM3", 3, now + SignedDuration::from_secs(9)).await;
    assert_eq!(state().await, "active");
    store.open_session(&id, "concierge").await.expect("opened");
    let again = store.session(&id).await.expect("read").expect("one");
    assert!(again.is_active && again.id != session.id);
}

#[tokio::test]
async fn a_summary_is_not_kept_of_what_has_changed_meanwhile() {
    let (store, _folder) = open().await;
    let recorded = record(&store, "IM0", 0, at(1)).await;
    record(&store, "IM1", 1, at(2)).await;
    let id = recorded.conversation_id.as_str();
    let text = |text: &str| Pii::new(text.to_owned());
    let keep = async |before, upto, words: &str, read_at| {
        store.keep_summary(id, before, upto, (&text(words), "m"), read_at).await.expect("done")
    };
    let unsaid = async |upto| {
        let rows = store.unsummarised(id, upto, 9).await.expect("read");
        rows.into_iter().map(|row| row.text.into_inner()).collect::<Vec<_>>()
    };
    assert_eq!(unsaid(None).await, ["text 0", "text 1"]);
    let read_at = Timestamp::now();
    store.edit_message("twilio", CH, "IM0", &text("changed"), at(3)).await.expect("edited");
    assert!(!keep(None, 0, "text 0", read_at).await, "its message has other words by now");
    let later = Timestamp::now() + SignedDuration::from_secs(1);
    assert!(keep(None, 0, "changed", later).await);
    assert!(!keep(None, 1, "again", later).await, "there is one already");
    assert!(!keep(Some(1), 1, "again", later).await, "and it goes up to another message");
    assert_eq!(unsaid(Some(0)).await, ["text 1"]);
    assert!(keep(Some(0), 2, "both", later).await);

    // The words that are taken away are in it: it goes.
    assert!(store.summary_of_conversation(id).await.expect("read").is_some());
    store.remove_message("twilio", CH, "IM1", at(4)).await.expect("removed");
    assert_eq!(store.summary_of_conversation(id).await.expect("read"), None);
    assert_eq!(unsaid(None).await, ["changed", ""]);
    assert!(!store.keep_summary("nobody", None, 1, (&text("x"), "m"), later).await.expect("done"));
}
