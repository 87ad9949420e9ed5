//! The index: what is found, for whom, and what becomes of what is taken away.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use jiff::Timestamp;
use tempfile::TempDir;
use trunkline_core::event::ConversationPhase;
use trunkline_core::{Channel, ContactAddress, Pii};
use trunkline_store::{Found, NewDocument, NewInbound, NewPassage, PassageKind, Scope, Search, Store, Unindexed};

async fn store() -> (Store, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Store::open(&folder.path().join("store.db")).await.unwrap(), folder)
}

fn passage(title: &str, text: &str) -> NewPassage {
    NewPassage { title: Pii::new(title.into()), text: Pii::new(text.into()), at: None }
}

fn document(collection: &str, title: &str) -> NewDocument {
    NewDocument {
        collection: collection.into(),
        title: title.into(),
        content_type: "text/plain".into(),
        hash: "00".into(),
        size: 1,
    }
}

async fn find(store: &Store, words: &str, scope: Scope) -> Vec<Found> {
    store.search(&Search { words: Pii::new(words.into()), scope, limit: 10, but: None }).await.unwrap()
}

fn texts(found: &[Found]) -> Vec<&str> {
    found.iter().map(|one| one.text.expose().as_str()).collect()
}

/// A text of a person; our names for the conversation and the person.
async fn says(store: &Store, from: &str, conversation: &str, index: u64, text: &str) -> (String, String) {
    let inbound = NewInbound {
        connector: "twilio".into(),
        conversation: conversation.into(),
        message: format!("{conversation}-{index}"),
        index,
        from: ContactAddress::parse(from).unwrap(),
        to: None,
        channel: Channel::Sms,
        body: Pii::new(text.into()),
        media: Vec::new(),
        created_at: Timestamp::now(),
        to_be_answered: true,
        keyword: None,
        traceparent: None,
    };
    let id = store.record_inbound(&inbound).await.unwrap().conversation_id;
    let contact = store.conversation(&id).await.unwrap().unwrap().contact_id;
    (id, contact)
}

/// Puts everything that waits into the index, as it was said.
async fn index(store: &Store) {
    for one in store.unindexed(i64::MAX, 100).await.unwrap() {
        let source = store.source(one.kind, &one.source_id).await.unwrap();
        let passages: Vec<_> = source.said.iter().map(|(_, words, _)| passage("said", words.expose())).collect();
        store.index_source(&one, &passages, 3_600_000).await.unwrap();
    }
}

#[tokio::test]
async fn documents_are_found_by_words_in_their_collection_and_replaced() {
    let (store, _folder) = store().await;
    let tea = [passage("Prices", "A pot of jasmine tea is 4 francs."), passage("Hours", "We open at nine.")];
    store.put_document(&document("shop", "a.md"), &tea).await.unwrap();
    store.put_document(&document("bar", "b.md"), &[passage("", "Tea is served cold.")]).await.unwrap();
    let all = Scope::Collections(Vec::new());
    let shop = Scope::Collections(vec!["shop".into()]);
    assert_eq!(find(&store, "tea", all.clone()).await.len(), 2);
    let found = find(&store, "How much is the Jasmine TEA?", shop.clone()).await;
    assert_eq!(texts(&found), ["A pot of jasmine tea is 4 francs."]);
    assert_eq!(
        (found[0].source.as_str(), found[0].collection.as_str(), found[0].kind),
        ("a.md", "shop", PassageKind::Document)
    );
    assert!(found[0].coverage > 0.6 && found[0].score > 0.0);
    assert_eq!(texts(&find(&store, "opening hours", all.clone()).await), ["We open at nine."]);
    assert_eq!(find(&store, "jasmin", Scope::Collections(vec!["bar".into()])).await, []);

    store.put_document(&document("shop", "a.md"), &[passage("", "Tea is 5 francs.")]).await.unwrap();
    assert_eq!(texts(&find(&store, "tea", shop.clone()).await), ["Tea is 5 francs."]);
    assert_eq!(store.collections().await.unwrap().len(), 2);
    assert_eq!(store.remove_documents("shop", Some("a.md")).await.unwrap(), 1);
    assert!(find(&store, "tea", shop).await.is_empty());
    assert_eq!(store.passage_count().await.unwrap(), 1);
}

#[tokio::test]
async fn what_a_person_said_is_found_for_them_alone_and_follows_them() {
    let (store, folder) = store().await;
    let (_, ada) = says(&store, "+15550001111", "CH1", 0, "my locker is 1789").await;
    let (_, bob) = says(&store, "+15550002222", "CH2", 0, "my locker is 1848").await;
    index(&store).await;
    let of = |contact: &str| Scope::Contact(contact.to_owned());
    assert_eq!(texts(&find(&store, "locker", of(&ada)).await), ["my locker is 1789"]);
    assert_eq!(texts(&find(&store, "locker", of(&bob)).await), ["my locker is 1848"]);
    assert!(find(&store, "locker", Scope::Collections(Vec::new())).await.is_empty());
    let kinds = Scope::Kinds(vec![PassageKind::Conversation]);
    assert_eq!(find(&store, "locker", kinds.clone()).await.len(), 2);

    assert!(store.link_contacts(&ada, &bob).await.unwrap().changed);
    assert_eq!(find(&store, "locker", of(&ada)).await.len(), 2);
    let split = store.unlink_address(&ada, "+15550002222", None).await.unwrap();
    assert!(split.changed);
    assert_eq!(texts(&find(&store, "locker", of(&ada)).await), ["my locker is 1789"]);
    assert_eq!(texts(&find(&store, "locker", of(&split.contact_id)).await), ["my locker is 1848"]);

    let erased = store.erase_contact(&ada).await.unwrap();
    assert_eq!((erased.utterances, erased.conversations.len()), (1, 1));
    assert_eq!(texts(&find(&store, "locker", kinds).await), ["my locker is 1848"]);
    store.empty_erasure(&erased.id).await.unwrap();
    // That the files are to be wiped is known until they are, and whose they were is not.
    let left = store.erasures().await.unwrap();
    assert_eq!((left.len(), left[0].id == erased.id), (1, true));
    assert!(left[0].identifiers.is_empty() && left[0].conversations.is_empty());
    assert!(store.wipe().await.unwrap());
    store.finish_erasure(&erased.id).await.unwrap();
    assert!(store.erasures().await.unwrap().is_empty());
    let held = std::fs::read(folder.path().join("store.db")).unwrap();
    assert!(!held.windows(4).any(|part| part == b"1789"));
    assert!(held.windows(4).any(|part| part == b"1848"));
}

#[tokio::test]
async fn words_that_are_changed_or_taken_away_leave_the_index_at_once() {
    let (store, _folder) = store().await;
    let (conversation, ada) = says(&store, "+15550001111", "CH1", 0, "my locker is 1789").await;
    index(&store).await;
    let of = Scope::Contact(ada);
    let text = Pii::new("my locker is 1848".to_owned());
    store.edit_message("twilio", "CH1", "CH1-0", &text, Timestamp::now()).await.unwrap();
    assert!(find(&store, "locker", of.clone()).await.is_empty());
    index(&store).await;
    assert_eq!(texts(&find(&store, "locker", of.clone()).await), ["my locker is 1848"]);
    store.remove_message("twilio", "CH1", "CH1-0", Timestamp::now()).await.unwrap();
    index(&store).await;
    assert!(find(&store, "locker", of.clone()).await.is_empty());
    // What has changed since it was read is not put into the index, and comes again.
    says(&store, "+15550001111", "CH1", 1, "a new locker").await;
    let stale = Unindexed { kind: PassageKind::Conversation, source_id: conversation, at: 7 };
    store.index_source(&stale, &[passage("", "an old locker")], 1_000).await.unwrap();
    assert!(find(&store, "locker", of.clone()).await.is_empty());
    assert_eq!(store.unindexed(i64::MAX, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_too_old_is_not_found_and_goes() {
    let (store, _folder) = store().await;
    let (_, ada) = says(&store, "+15550001111", "CH1", 0, "my locker is 1789").await;
    let waiting = store.unindexed(i64::MAX, 10).await.unwrap();
    store.index_source(&waiting[0], &[passage("", "my locker is 1789")], 0).await.unwrap();
    assert!(find(&store, "locker", Scope::Contact(ada)).await.is_empty());
    assert_eq!(store.passage_count().await.unwrap(), 0);
    assert_eq!(store.prune_passages().await.unwrap(), 0);
}

#[tokio::test]
async fn a_conversation_waits_for_quiet_unless_it_is_closed() {
    let (store, _folder) = store().await;
    says(&store, "+15550001111", "CH1", 0, "my locker is 1789").await;
    says(&store, "+15550002222", "CH2", 0, "my locker is 1848").await;
    assert!(store.unindexed(0, 10).await.unwrap().is_empty());
    store.set_conversation_state("twilio", "CH1", ConversationPhase::Closed).await.unwrap();
    assert_eq!(store.unindexed(0, 10).await.unwrap().len(), 1);
    assert_eq!(store.unindexed(Timestamp::now().as_millisecond() + 1, 10).await.unwrap().len(), 2);
    while store.forget_said().await.unwrap() > 0 {}
    assert!(store.unindexed(i64::MAX, 10).await.unwrap().is_empty());
}
