use trunkline_store::{NewDocument, NewPassage};

use super::*;

#[tokio::test]
async fn what_is_not_found_in_time_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store.db")).await.unwrap();
    let document = NewDocument {
        collection: "shop".into(),
        title: "prices.md".into(),
        content_type: "text/markdown".into(),
        hash: String::new(),
        size: 0,
    };
    let text = Pii::new("A pot of jasmine tea is 4 francs.".to_owned());
    let passages = [NewPassage { title: Pii::new("Prices".to_owned()), text, at: None }];
    store.put_document(&document, &passages).await.unwrap();
    let settings = RecallSettings {
        call_deadline: Duration::from_secs(10),
        text_deadline: Duration::from_secs(5),
        collections: Some(Vec::new()),
        passages: 5,
    };
    let recall = Recall::new(Finder::new(store, None), settings, Metrics::new(&opentelemetry::global::meter("test")));
    let asked = [Pii::new("how much is tea?".to_owned())];
    let found = recall.passages(Way::Text, "nobody", None, &asked).await;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].source.expose().as_str(), found[0].kind.as_str()), ("prices.md", "document"));
    // The deadline passes before the database can answer as often as it is asked.
    tokio::time::pause();
    let late = recall.passages(Way::Text, "nobody", None, &asked);
    let (late, ()) = tokio::join!(biased; late, tokio::time::advance(Duration::from_secs(6)));
    assert!(late.is_empty());
}

#[test]
fn the_latest_words_count() {
    let long = [Pii::new("ä".repeat(2_000)), Pii::new("tea".to_owned())];
    let words = words(&long);
    assert!(words.expose().len() <= MAX_WORDS && words.expose().ends_with(" tea"));
}
