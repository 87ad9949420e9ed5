#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::sync::PoisonError;

use tempfile::TempDir;
use trunkline_core::Pii;

use crate::{Meaning, NewDocument, NewPassage, Scope, Search, Store, VectorModel};

fn model() -> VectorModel {
    VectorModel { name: "m".into(), dimensions: 2 }
}

async fn store() -> (Store, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Store::open(&folder.path().join("store.db")).await.unwrap(), folder)
}

/// A document with one passage, which has its vector.
async fn document(store: &Store, title: &str) {
    let passage = NewPassage { title: Pii::new(String::new()), text: Pii::new(title.into()), at: None };
    let document = NewDocument {
        collection: "shop".into(),
        title: title.into(),
        content_type: "text/plain".into(),
        hash: "00".into(),
        size: 1,
    };
    store.put_document(&document, &[passage]).await.unwrap();
    let waiting = store.unembedded(1).await.unwrap();
    store.put_vectors(&model(), &[(waiting[0].id.clone(), Some(vec![1.0, 0.0]))]).await.unwrap();
}

fn in_memory(store: &Store) -> usize {
    store.codes.read().unwrap_or_else(PoisonError::into_inner).count(&model().key())
}

async fn found(store: &Store) -> Vec<String> {
    let scope = Scope::Collections(Vec::new());
    let search = Search { words: Pii::new("anything".into()), scope, limit: 10, but: None };
    let meaning = Meaning { model: model(), vector: vec![1.0, 0.0], least: 0.5 };
    let found = store.search_by_meaning(&search, &meaning).await.unwrap();
    let mut found: Vec<_> = found.iter().map(|one| one.text.expose().clone()).collect();
    found.sort();
    found
}

#[tokio::test]
async fn what_was_read_before_all_was_forgotten_is_not_kept_and_hides_nothing() {
    let (store, _folder) = store().await;
    document(&store, "a").await;
    document(&store, "b").await;
    let key = model().key();
    store.load(&key).await.unwrap();
    document(&store, "c").await;
    document(&store, "d").await;

    // A search has read the newer ones, and one of them is taken out before it has added them.
    let (since, vectors) = store.newer(&key).await.unwrap().unwrap();
    assert_eq!(vectors.len(), 2);
    store.remove_documents("shop", Some("d")).await.unwrap();
    assert!(store.wipe().await.unwrap());
    store.codes.write().unwrap_or_else(PoisonError::into_inner).add(&key, since, vectors);
    assert_eq!(in_memory(&store), 0, "what is gone is in memory no more");
    assert_eq!(found(&store).await, ["a", "b", "c"]);
    assert_eq!(in_memory(&store), 3);
}

#[tokio::test]
async fn where_memory_has_others_than_the_table_all_are_loaded_anew() {
    let (store, _folder) = store().await;
    document(&store, "a").await;
    document(&store, "b").await;
    store.load_vectors(&model()).await.unwrap();
    store.codes.write().unwrap_or_else(PoisonError::into_inner).forget(&HashSet::from([1]));
    assert_eq!(found(&store).await, ["b"]);
    store.load_vectors(&model()).await.unwrap();
    assert_eq!(found(&store).await, ["a", "b"]);
    store.remove_documents("shop", Some("a")).await.unwrap();
    store.load_vectors(&model()).await.unwrap();
    assert_eq!(in_memory(&store), 1);
}
