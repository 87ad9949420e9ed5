//! The log of web chats on a real SQLite file: what is added once, in which order it is read, whose token is whose.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use trunkline_core::Pii;
use trunkline_store::{ChatLine, ChatSide, Store, StoreError};

const CHAT: &str = "chat-1";

struct Fixture {
    store: Store,
    folder: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().expect("folder");
    let store = Store::open(&folder.path().join("store.db")).await.expect("store");
    store.begin_chat(CHAT, "hash of 1").await.expect("begun");
    Fixture { store, folder }
}

impl Fixture {
    async fn says(&self, chat: &str, side: ChatSide, text: &str) -> ChatLine {
        self.store.add_chat_line(chat, &side, &Pii::new(text.to_owned())).await.expect("added")
    }
}

fn visitor(id: &str) -> ChatSide {
    ChatSide::Visitor { client_id: id.to_owned() }
}

fn agent(id: &str) -> ChatSide {
    ChatSide::Agent { outbox_id: id.to_owned() }
}

fn told(lines: &[ChatLine]) -> Vec<(u64, &str)> {
    lines.iter().map(|line| (line.index, line.text.expose().as_str())).collect()
}

#[tokio::test]
async fn a_line_is_added_once_whoever_repeats_it() {
    let fixture = fixture().await;
    let first = fixture.says(CHAT, visitor("a"), "hello").await;
    let answer = fixture.says(CHAT, agent("out-1"), "hi").await;
    assert_eq!((first.index, answer.index), (0, 1));
    // The first text stands, whatever comes under its name later.
    let again = fixture.says(CHAT, visitor("a"), "something else").await;
    assert_eq!((again.index, again.text.expose().as_str(), again.at), (0, "hello", first.at));
    assert_eq!(fixture.says(CHAT, agent("out-1"), "hi").await, answer);
    let lines = fixture.store.chat_lines_after(CHAT, -1, 10).await.expect("lines");
    assert_eq!(told(&lines), [(0, "hello"), (1, "hi")]);
    assert_eq!(fixture.store.chat_line_of_outbox(CHAT, "out-1").await.expect("found"), Some(answer));
    assert_eq!(fixture.store.chat_line_of_outbox(CHAT, "out-2").await.expect("not found"), None);
}

#[tokio::test]
async fn chats_do_not_mix_and_a_chat_that_was_never_begun_takes_nothing() {
    let fixture = fixture().await;
    fixture.store.begin_chat("chat-2", "hash of 2").await.expect("begun");
    fixture.says(CHAT, visitor("a"), "one").await;
    assert_eq!(fixture.says("chat-2", visitor("a"), "two").await.index, 0);
    assert_eq!(fixture.store.chat_of_token("hash of 2").await.expect("read").as_deref(), Some("chat-2"));
    assert_eq!(fixture.store.chat_of_token("hash of 3").await.expect("read"), None);
    let nowhere = fixture.store.add_chat_line("chat-3", &visitor("a"), &Pii::new("three".to_owned())).await;
    assert!(matches!(nowhere, Err(StoreError::NotFound { what: "chat" })), "{nowhere:?}");
    fixture.says(CHAT, visitor("b"), "later").await;
    let latest = fixture.store.latest_chats(10).await.expect("list");
    assert_eq!(latest.len(), 2);
    assert_eq!(fixture.store.latest_chats(1).await.expect("list").len(), 1);
}

#[tokio::test]
async fn both_ends_of_a_long_chat_can_be_read() {
    let fixture = fixture().await;
    for number in 0..5 {
        fixture.says(CHAT, visitor(&format!("m{number}")), &format!("text {number}")).await;
    }
    let oldest = fixture.store.chat_lines_after(CHAT, 0, 2).await.expect("lines");
    assert_eq!(told(&oldest), [(1, "text 1"), (2, "text 2")]);
    let newest = fixture.store.latest_chat_lines(CHAT, 0, 2).await.expect("lines");
    assert_eq!(told(&newest), [(3, "text 3"), (4, "text 4")]);
    assert!(fixture.store.latest_chat_lines(CHAT, 4, 2).await.expect("lines").is_empty());
}

#[tokio::test]
async fn many_who_write_at_once_leave_no_gap_and_all_is_there_after_a_restart() {
    let Fixture { store, folder } = fixture().await;
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..40 {
        let store = store.clone();
        writers.spawn(async move {
            let side = if number % 2 == 0 { visitor(&number.to_string()) } else { agent(&number.to_string()) };
            store.add_chat_line(CHAT, &side, &Pii::new("x".to_owned())).await.expect("added").index
        });
    }
    let mut indexes = writers.join_all().await;
    indexes.sort_unstable();
    assert_eq!(indexes, (0..40).collect::<Vec<_>>());
    store.close().await;
    let store = Store::open(&folder.path().join("store.db")).await.expect("store");
    assert_eq!(store.chat_lines_after(CHAT, -1, 100).await.expect("lines").len(), 40);
}
