//! Searching by meaning: what is found, for whom, and that vectors go with their passages.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use jiff::Timestamp;
use tempfile::TempDir;
use trunkline_core::{Channel, ContactAddress, Pii};
use trunkline_store::{
    Found, Meaning, NewDocument, NewInbound, NewPassage, PassageKind, Scope, Search, Store, VectorModel,
};

const TEA: [f32; 3] = [1.0, 0.1, 0.0];
const CAR: [f32; 3] = [0.0, 1.0, 0.1];

async fn store() -> (Store, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Store::open(&folder.path().join("store.db")).await.unwrap(), folder)
}

fn model(name: &str) -> VectorModel {
    VectorModel { name: name.into(), dimensions: 3 }
}

async fn document(store: &Store, collection: &str, title: &str, texts: &[&str]) {
    let passage = |text: &&str| NewPassage { title: Pii::new(String::new()), text: Pii::new((*text).into()), at: None };
    let passages: Vec<_> = texts.iter().map(passage).collect();
    let document = NewDocument {
        collection: collection.into(),
        title: title.into(),
        content_type: "text/plain".into(),
        hash: "00".into(),
        size: 1,
    };
    store.put_document(&document, &passages).await.unwrap();
}

/// A text of a person, in the index; our name for the person.
async fn says(store: &Store, from: &str, text: &str) -> String {
    says_for(store, from, text, 3_600_000).await
}

/// The same, kept for so many milliseconds.
async fn says_for(store: &Store, from: &str, text: &str, keep_ms: i64) -> String {
    let inbound = NewInbound {
        connector: "twilio".into(),
        conversation: format!("CH{from}"),
        message: format!("IM{from}{text}"),
        index: 0,
        from: ContactAddress::parse(from).unwrap(),
        to: None,
        channel: Channel::Sms,
        body: Pii::new(text.into()),
        media: Vec::new(),
        created_at: Timestamp::now(),
        to_be_answered: false,
        keyword: None,
        traceparent: None,
    };
    let id = store.record_inbound(&inbound).await.unwrap().conversation_id;
    for one in store.unindexed(i64::MAX, 100).await.unwrap() {
        let source = store.source(one.kind, &one.source_id).await.unwrap();
        let said = source.said.iter().map(|(_, words, _)| NewPassage {
            title: Pii::new(String::new()),
            text: words.clone(),
            at: None,
        });
        store.index_source(&one, &said.collect::<Vec<_>>(), keep_ms).await.unwrap();
    }
    store.conversation(&id).await.unwrap().unwrap().contact_id
}

/// Gives every passage that waits a vector: of cars if it says so, and of tea otherwise.
async fn embed(store: &Store, model: &VectorModel) -> u64 {
    let waiting = store.unembedded(1_000).await.unwrap();
    let vector = |text: &str| if text.contains("car") { CAR } else { TEA };
    let vectors: Vec<_> =
        waiting.iter().map(|one| (one.id.clone(), Some(vector(one.text.expose()).to_vec()))).collect();
    store.put_vectors(model, &vectors).await.unwrap()
}

fn search(scope: Scope) -> Search {
    Search { words: Pii::new("anything".into()), scope, limit: 10, but: None }
}

fn near(name: &str, vector: [f32; 3]) -> Meaning {
    Meaning { model: model(name), vector: vector.to_vec(), least: 0.5 }
}

async fn by_meaning(store: &Store, vector: [f32; 3], scope: Scope) -> Vec<String> {
    texts(&store.search_by_meaning(&search(scope), &near("m", vector)).await.unwrap())
}

fn texts(found: &[Found]) -> Vec<String> {
    found.iter().map(|one| one.text.expose().clone()).collect()
}

fn all() -> Scope {
    Scope::Collections(Vec::new())
}

fn is_in_files(folder: &TempDir, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder.path()).unwrap().any(|file| {
        let content = std::fs::read(file.unwrap().path()).unwrap();
        content.windows(bytes.len()).any(|part| part == bytes)
    })
}

#[tokio::test]
async fn what_is_near_is_found_in_its_scope_and_nowhere_else() {
    let (store, _folder) = store().await;
    document(&store, "shop", "a", &["jasmine", "a red car"]).await;
    document(&store, "bar", "b", &["a car park"]).await;
    let ada = says(&store, "+15550001111", "my car is blue").await;
    let bob = says(&store, "+15550002222", "a car has hit mine").await;
    assert_eq!((embed(&store, &model("m")).await, store.unembedded_count().await.unwrap()), (5, 0));

    assert_eq!(by_meaning(&store, TEA, all()).await, ["jasmine"]);
    let mut cars = by_meaning(&store, CAR, all()).await;
    cars.sort();
    assert_eq!(cars, ["a car park", "a red car"]);
    assert_eq!(by_meaning(&store, CAR, Scope::Collections(vec!["bar".into()])).await, ["a car park"]);
    assert!(by_meaning(&store, CAR, Scope::Collections(vec!["none".into()])).await.is_empty());
    assert_eq!(by_meaning(&store, CAR, Scope::Contact(ada.clone())).await, ["my car is blue"]);
    assert_eq!(by_meaning(&store, CAR, Scope::Contact(bob)).await, ["a car has hit mine"]);
    assert!(by_meaning(&store, TEA, Scope::Contact(ada.clone())).await.is_empty());
    assert_eq!(by_meaning(&store, CAR, Scope::Kinds(vec![PassageKind::Conversation])).await.len(), 2);
    assert!(by_meaning(&store, CAR, Scope::Kinds(vec![PassageKind::Transcript])).await.is_empty());

    // The conversation that goes on is left out, and so is what another model would have to say.
    let found = store.search_by_meaning(&search(Scope::Contact(ada.clone())), &near("m", CAR)).await.unwrap();
    assert!(found[0].score > 0.99 && found[0].coverage < 0.01, "{found:?}");
    let but = Search { but: Some(found[0].source_id.clone()), ..search(Scope::Contact(ada.clone())) };
    assert!(store.search_by_meaning(&but, &near("m", CAR)).await.unwrap().is_empty());
    for scope in [all(), Scope::Contact(ada)] {
        assert!(store.search_by_meaning(&search(scope), &near("other", CAR)).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn what_a_person_said_stays_found_when_they_turn_out_to_be_somebody_known() {
    let (store, _folder) = store().await;
    let ada = says(&store, "+15550001111", "my car is blue").await;
    let also_ada = says(&store, "+15550003333", "my car is fast").await;
    embed(&store, &model("m")).await;
    store.link_contacts(&ada, &also_ada).await.unwrap();
    assert_eq!(by_meaning(&store, CAR, Scope::Contact(ada.clone())).await.len(), 2);
    store.unlink_address(&ada, "+15550003333", None).await.unwrap();
    assert_eq!(by_meaning(&store, CAR, Scope::Contact(ada)).await, ["my car is blue"]);
    assert_eq!(store.unembedded_count().await.unwrap(), 0, "nothing is embedded anew");
}

#[tokio::test]
async fn vectors_go_with_their_passages() {
    let (store, folder) = store().await;
    document(&store, "shop", "a", &["a red car"]).await;
    document(&store, "shop", "b", &["a green car"]).await;
    let ada = says(&store, "+15550001111", "my car is blue").await;
    embed(&store, &model("m")).await;
    assert_eq!(by_meaning(&store, CAR, all()).await.len(), 2);

    // One that takes its place waits anew, and the old one is not found although it was just looked at.
    document(&store, "shop", "a", &["a yellow car"]).await;
    assert_eq!(by_meaning(&store, CAR, all()).await, ["a green car"]);
    assert_eq!(store.unembedded_count().await.unwrap(), 1);
    embed(&store, &model("m")).await;
    assert_eq!(by_meaning(&store, CAR, all()).await.len(), 2);
    store.remove_documents("shop", None).await.unwrap();
    assert!(by_meaning(&store, CAR, all()).await.is_empty());

    let length = f64::from(CAR[1]).hypot(f64::from(CAR[2]));
    #[expect(clippy::cast_possible_truncation, reason = "at most 1")]
    let numbers = CAR.map(|number| (f64::from(number) / length) as f32);
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    assert!(is_in_files(&folder, &bytes));
    store.erase_contact(&ada).await.unwrap();
    assert!(by_meaning(&store, CAR, Scope::Contact(ada)).await.is_empty());
    assert_eq!(by_meaning(&store, CAR, Scope::Kinds(vec![PassageKind::Conversation])).await, [""; 0]);
    assert!(store.wipe().await.unwrap());
    assert!(!is_in_files(&folder, &bytes), "a vector is left in a file");
}

#[tokio::test]
async fn a_passage_that_is_gone_stays_gone_and_what_no_vector_is_waits_no_more() {
    let (store, _folder) = store().await;
    document(&store, "shop", "a", &["a red car", "a green car", "a yellow car", "a blue car"]).await;
    let waiting = store.unembedded(10).await.unwrap();
    assert_eq!((waiting.len(), waiting[0].text.expose().as_str()), (4, "a blue car"), "the newest comes first");
    let vectors: Vec<_> = [Some(CAR.to_vec()), None, Some(vec![0.0; 3]), Some(vec![1.0; 4])].into();
    let vectors: Vec<_> = waiting.iter().map(|one| one.id.clone()).zip(vectors).collect();
    assert_eq!(store.put_vectors(&model("m"), &vectors).await.unwrap(), 1);
    assert_eq!((store.unembedded_count().await.unwrap(), by_meaning(&store, CAR, all()).await.len()), (0, 1));

    document(&store, "shop", "b", &["a car that goes"]).await;
    let waiting = store.unembedded(10).await.unwrap();
    store.remove_documents("shop", None).await.unwrap();
    let late = vec![(waiting[0].id.clone(), Some(CAR.to_vec()))];
    assert_eq!(store.put_vectors(&model("m"), &late).await.unwrap(), 0);
    assert!(by_meaning(&store, CAR, all()).await.is_empty());
}

#[tokio::test]
async fn what_is_kept_no_more_waits_for_no_vector() {
    let (store, _folder) = store().await;
    says_for(&store, "+15550001111", "my car is blue", 1).await;
    while !store.unembedded(10).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.unembedded_count().await.unwrap(), 0);
    assert_eq!(store.prune_passages().await.unwrap(), 1, "it was still in the index");
    says(&store, "+15550002222", "my car is red").await;
    assert_eq!((store.unembedded(10).await.unwrap().len(), store.unembedded_count().await.unwrap()), (1, 1));
}

#[tokio::test]
async fn another_model_embeds_everything_anew() {
    let (store, _folder) = store().await;
    document(&store, "shop", "a", &["a red car", "jasmine"]).await;
    embed(&store, &model("m")).await;
    assert_eq!(store.await_vectors(&model("m")).await.unwrap(), 0);
    assert_eq!(store.await_vectors(&model("n")).await.unwrap(), 2);
    assert!(by_meaning(&store, CAR, all()).await.is_empty(), "what waits is not found by its old vector");
    embed(&store, &model("n")).await;
    let found = store.search_by_meaning(&search(all()), &near("n", CAR)).await.unwrap();
    assert_eq!(texts(&found), ["a red car"]);
    assert!(by_meaning(&store, CAR, all()).await.is_empty());
    store.load_vectors(&model("n")).await.unwrap();
    assert_eq!(store.search_by_meaning(&search(all()), &near("n", TEA)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_taken_out_of_the_table_is_looked_behind() {
    let (store, _folder) = store().await;
    let texts: Vec<_> = (0..900).map(|number| format!("car {number}")).collect();
    document(&store, "shop", "many", &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    embed(&store, &model("m")).await;
    document(&store, "shop", "one", &["the last car"]).await;
    embed(&store, &model("m")).await;
    assert_eq!(by_meaning(&store, CAR, all()).await.len(), 10);
    store.remove_documents("shop", Some("many")).await.unwrap();
    assert_eq!(by_meaning(&store, CAR, all()).await, ["the last car"]);
    store.load_vectors(&model("m")).await.unwrap();
    assert_eq!(by_meaning(&store, CAR, all()).await, ["the last car"]);
}
