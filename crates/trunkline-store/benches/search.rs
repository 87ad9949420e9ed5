//! How long a search takes over 50,000 passages: in full text, and by words and meaning together.
//!
//! `cargo bench -p trunkline-store --bench search`. It prints percentiles, which is what recall has a deadline for, and
//! not a mean. Words are drawn as languages use them: a few are everywhere, most are rare. Half of the passages are
//! documents of one collection, half were said by 500 people. Vectors are random, of 384 numbers; no model is asked.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a bench fails by panicking, and prints"
)]

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::runtime::Builder;
use trunkline_core::{Channel, ContactAddress, Pii};
use trunkline_store::{Meaning, NewDocument, NewInbound, NewPassage, Scope, Search, Store, VectorModel, fuse};

/// Passages of documents, and as many that people said.
const HALF: usize = 25_000;
const PER_SOURCE: usize = 50;
const VOCABULARY: usize = 20_000;
const WORDS_OF_A_PASSAGE: usize = 150;
/// The most frequent words, which say nothing.
const STOP_WORDS: usize = 150;
const SEARCHES: usize = 2_000;
/// As a small sentence transformer has.
const DIMENSIONS: usize = 384;
const FOUND: usize = 5;

/// A small generator of our own: the same words in every run.
struct Words(u64);

impl Words {
    /// Between 0 and 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The word of rank `n` is about `1 / n` as frequent as the first.
    fn word(&mut self) -> String {
        let rank = (VOCABULARY as f64).powf(self.next()) as u64;
        Self::of_rank(rank)
    }

    /// A word that says something: the most frequent ones do not, and are left out of searches.
    fn telling(&mut self) -> String {
        let rank = STOP_WORDS as f64 * (VOCABULARY as f64 / STOP_WORDS as f64).powf(self.next());
        Self::of_rank(rank as u64)
    }

    fn of_rank(rank: u64) -> String {
        let mut letters = String::new();
        let mut rest = rank.wrapping_mul(2_654_435_761) % 100_000_007;
        while rest > 0 || letters.len() < 4 {
            letters.push(char::from(b'a' + (rest % 26) as u8));
            rest /= 26;
        }
        letters
    }

    fn words(&mut self, count: usize) -> String {
        (0..count).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }

    fn passages(&mut self) -> Vec<NewPassage> {
        let passage =
            |_| NewPassage { title: Pii::new(self.words(4)), text: Pii::new(self.words(WORDS_OF_A_PASSAGE)), at: None };
        (0..PER_SOURCE).map(passage).collect()
    }
}

async fn fill(store: &Store, words: &mut Words) -> Vec<String> {
    for number in 0..HALF / PER_SOURCE {
        let document = NewDocument {
            collection: "shop".into(),
            title: format!("{number}.md"),
            content_type: "text/markdown".into(),
            hash: String::new(),
            size: 0,
        };
        store.put_document(&document, &words.passages()).await.expect("taken in");
    }
    let mut contacts = Vec::new();
    for number in 0..HALF / PER_SOURCE {
        let inbound = NewInbound {
            connector: "twilio".into(),
            conversation: format!("CH{number}"),
            message: format!("IM{number}"),
            index: 0,
            from: ContactAddress::parse(&format!("+1555{number:07}")).expect("a number"),
            to: None,
            channel: Channel::Sms,
            body: Pii::new("hello".into()),
            media: Vec::new(),
            created_at: Timestamp::now(),
            to_be_answered: false,
            keyword: None,
            traceparent: None,
        };
        let id = store.record_inbound(&inbound).await.expect("recorded").conversation_id;
        contacts.push(store.conversation(&id).await.expect("read").expect("there").contact_id);
        for waiting in store.unindexed(i64::MAX, 1).await.expect("read") {
            store.index_source(&waiting, &words.passages(), 3_600_000).await.expect("indexed");
        }
    }
    contacts
}

fn vector(words: &mut Words) -> Vec<f32> {
    (0..DIMENSIONS).map(|_| (words.next() - 0.5) as f32).collect()
}

async fn embed(store: &Store, model: &VectorModel, words: &mut Words) {
    loop {
        let waiting = store.unembedded(1_000).await.expect("read");
        if waiting.is_empty() {
            return store.load_vectors(model).await.expect("loaded");
        }
        let vectors: Vec<_> = waiting.into_iter().map(|one| (one.id, Some(vector(words)))).collect();
        store.put_vectors(model, &vectors).await.expect("put in");
    }
}

/// By words, and by meaning too if there is a meaning.
async fn find(store: &Store, search: &Search, meaning: Option<&Meaning>) {
    let by_words = store.search(search).await.expect("searched");
    if let Some(meaning) = meaning {
        let by_meaning = store.search_by_meaning(search, meaning).await.expect("searched");
        let _found = fuse(by_words, by_meaning, FOUND);
    }
}

fn question(words: &mut Words, count: usize) -> String {
    (0..count).map(|_| words.telling()).collect::<Vec<_>>().join(" ")
}

fn told(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |share: f64| took.get(((took.len() - 1) as f64 * share) as usize).map_or(0.0, Duration::as_secs_f64) * 1e3;
    println!("{what:<44} p50 {:>7.2} ms   p99 {:>7.2} ms   most {:>7.2} ms", at(0.5), at(0.99), at(1.0));
}

fn main() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("store.db")).await.expect("a store");
        let mut words = Words(7);
        let begun = Instant::now();
        let contacts = fill(&store, &mut words).await;
        let passages = store.passage_count().await.expect("counted");
        println!("{passages} passages in the index after {:.0} s", begun.elapsed().as_secs_f64());
        let model = VectorModel { name: "bench".into(), dimensions: DIMENSIONS };
        let begun = Instant::now();
        embed(&store, &model, &mut words).await;
        println!("{passages} vectors after {:.0} s", begun.elapsed().as_secs_f64());
        for is_hybrid in [false, true] {
            for count in [3, 8] {
                for (name, is_of_a_person) in [("one collection", false), ("one person", true)] {
                    let mut took = Vec::with_capacity(SEARCHES);
                    for number in 0..SEARCHES {
                        let scope = match contacts.get(number % contacts.len()).filter(|_| is_of_a_person) {
                            Some(contact) => Scope::Contact(contact.clone()),
                            None => Scope::Collections(vec!["shop".into()]),
                        };
                        let words_of_it = Pii::new(question(&mut words, count));
                        let search = Search { words: words_of_it, scope, limit: FOUND as u32, but: None };
                        let meaning = Meaning { model: model.clone(), vector: vector(&mut words), least: -1.0 };
                        let begun = Instant::now();
                        find(&store, &search, Some(&meaning).filter(|_| is_hybrid)).await;
                        took.push(begun.elapsed());
                    }
                    let how = if is_hybrid { "and meaning" } else { "of full text" };
                    told(&format!("{count} words {how} in {name}"), took);
                }
            }
        }
    });
}
