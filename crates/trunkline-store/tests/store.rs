//! The store on a real SQLite file: what is recorded once, what commits together, who may send.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use proptest::prelude::*;
use trunkline_core::event::DeliveryStatus;
use trunkline_core::voice::CallDirection;
use trunkline_core::{Channel, ContactAddress, Pii};
use trunkline_store::{
    Answer, CallTurn, Care, Claim, Direction, NewCall, NewInbound, NewToolCall, OpenToolCall, Recorded, Reply,
    ReplyKind, Say, Sent, Store, ToolCallEnd, ToolPlace,
};

struct Fixture {
    store: Store,
    _folder: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().expect("folder");
    let store = Store::open(&folder.path().join("store.db")).await.expect("store");
    Fixture { store, _folder: folder }
}

fn inbound(message: &str, index: u64, from: &str) -> NewInbound {
    let from = ContactAddress::parse(from).expect("address");
    NewInbound {
        connector: "twilio".into(),
        conversation: format!("CH-{}", from.to_wire()),
        message: message.into(),
        index,
        channel: from.channel(),
        from,
        body: Pii::new(format!("text {message}")),
        media: Vec::new(),
        created_at: Timestamp::from_millisecond(1_000 + i64::try_from(index).expect("small")).expect("time"),
        to: None,
        to_be_answered: true,
        keyword: None,
        traceparent: None,
    }
}

fn reply(recorded: &[&Recorded], body: &str) -> Reply {
    Reply {
        conversation_id: recorded[0].conversation_id.clone(),
        answers: recorded.iter().map(|recorded| recorded.message_id.clone()).collect(),
        says: vec![Say::text(Pii::new(body.to_owned()))],
        author: "concierge".into(),
        kind: ReplyKind::Answer,
        memories: BTreeMap::from([("name".to_owned(), "Ada".to_owned())]),
        care: Care::Same,
        tool_calls: Vec::new(),
        accounts_for: Vec::new(),
        turn: None,
        traceparent: None,
    }
}

const ADA: &str = "+15550001111";

#[tokio::test]
async fn a_message_is_recorded_once() {
    let Fixture { store, _folder } = fixture().await;
    let first = store.record_inbound(&inbound("IM0", 0, ADA)).await.expect("recorded");
    assert!(first.is_new);
    assert_eq!((first.answer, first.read_index), (Answer::Waiting, 0));
    let again = store.record_inbound(&inbound("IM0", 0, ADA)).await.expect("recorded");
    assert_eq!(again, Recorded { is_new: false, ..first.clone() });
    assert_eq!(store.waiting(&first.conversation_id, 10).await.expect("waiting").len(), 1);
}

#[tokio::test]
async fn a_gap_shows_in_the_read_index_until_it_is_filled() {
    let Fixture { store, _folder } = fixture().await;
    assert_eq!(store.record_inbound(&inbound("IM0", 0, ADA)).await.expect("recorded").read_index, 0);
    assert_eq!(store.record_inbound(&inbound("IM2", 2, ADA)).await.expect("recorded").read_index, 0);
    let filled = store.record_inbound(&inbound("IM1", 1, ADA)).await.expect("recorded");
    assert_eq!(filled.read_index, 2);
    let waiting = store.waiting(&filled.conversation_id, 10).await.expect("waiting");
    assert_eq!(waiting.iter().map(|m| m.index).collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
}

#[tokio::test]
async fn history_is_not_waiting() {
    let Fixture { store, _folder } = fixture().await;
    let old = NewInbound { to_be_answered: false, ..inbound("IM0", 0, ADA) };
    let recorded = store.record_inbound(&old).await.expect("recorded");
    assert_eq!(recorded.answer, Answer::History);
    assert!(store.waiting(&recorded.conversation_id, 10).await.expect("waiting").is_empty());
}

#[tokio::test]
async fn a_person_is_one_contact_on_every_channel() {
    let Fixture { store, _folder } = fixture().await;
    for (message, from) in [("IM1", ADA), ("IM2", "whatsapp:+15550001111"), ("IM3", "+15550002222")] {
        store.record_inbound(&inbound(message, 0, from)).await.expect("recorded");
    }
    let rows = store.latest_conversations(10, None).await.expect("list");
    let contact = |address: &str| {
        rows.iter().find(|row| row.conversation.address == address).map(|row| row.conversation.contact_id.clone())
    };
    assert_eq!(rows.len(), 3);
    assert!(contact(ADA).is_some());
    assert_eq!(contact(ADA), contact("whatsapp:+15550001111"));
    assert_ne!(contact(ADA), contact("+15550002222"));
    assert!(rows.iter().any(|row| row.conversation.channel == Channel::Whatsapp.as_str()));
}

#[tokio::test]
async fn a_reply_commits_with_what_it_answers_and_only_once() {
    let Fixture { store, _folder } = fixture().await;
    let recorded = store.record_inbound(&inbound("IM0", 0, ADA)).await.expect("recorded");
    let outbox_id = store.commit_reply(&reply(&[&recorded], "hello")).await.expect("committed").remove(0);
    assert!(store.waiting(&recorded.conversation_id, 10).await.expect("waiting").is_empty());
    assert_eq!(store.memories(&recorded.conversation_id).await.expect("memories")["name"], "Ada");

    let error = store.commit_reply(&reply(&[&recorded], "hello again")).await.expect_err("refused");
    assert_eq!(error.code(), "store.already_answered");
    let open = store.open_outbox(0, Timestamp::MAX, 10).await.expect("open");
    assert_eq!(open.iter().map(|(_, row)| row.id.as_str()).collect::<Vec<_>>(), [outbox_id.as_str()]);
    assert_eq!(open[0].1.conversation, "CH-+15550001111");
}

#[tokio::test]
async fn an_unsent_answer_can_be_taken_back_a_claimed_one_cannot() {
    let Fixture { store, _folder } = fixture().await;
    let first = store.record_inbound(&inbound("IM0", 0, ADA)).await.expect("recorded");
    let taken = store.commit_reply(&reply(&[&first], "one")).await.expect("committed").remove(0);
    assert_eq!(store.supersede(&first.conversation_id).await.expect("superseded"), 1);
    assert_eq!(store.claim(&taken).await.expect("claim"), Claim::Settled);

    let second = store.record_inbound(&inbound("IM1", 1, ADA)).await.expect("recorded");
    assert_eq!(store.waiting(&first.conversation_id, 10).await.expect("waiting").len(), 2);
    let both = store.commit_reply(&reply(&[&first, &second], "both")).await.expect("committed").remove(0);
    assert!(matches!(store.claim(&both).await.expect("claim"), Claim::Yours(row) if row.attempts == 1));
    assert_eq!(store.supersede(&first.conversation_id).await.expect("superseded"), 0);
    let thread = store.messages(&first.conversation_id, 10, None).await.expect("thread");
    assert_eq!(thread.iter().filter(|m| m.direction == Direction::Out).count(), 1);
}

#[tokio::test]
async fn nothing_is_committed_once_a_person_of_ours_has_taken_over() {
    let Fixture { store, _folder } = fixture().await;
    let first = store.record_inbound(&inbound("IM0", 0, ADA)).await.expect("recorded");
    store.set_care(&first.conversation_id, &Care::HandOver).await.expect("taken over");
    let refused = store.commit_reply(&reply(&[&first], "hello")).await.expect_err("refused");
    assert_eq!(refused.code(), "store.handed_over");
    assert_eq!(store.waiting(&first.conversation_id, 10).await.expect("waiting").len(), 1);
    assert!(store.memories(&first.conversation_id).await.expect("memories").is_empty());
}

#[tokio::test]
async fn what_tools_did_is_open_until_an_answer_tells_of_it() {
    let Fixture { store, _folder } = fixture().await;
    let first = store.record_inbound(&inbound("IM0", 0, ADA)).await.expect("recorded");
    let place = ToolPlace::Conversation(&first.conversation_id);
    let new = NewToolCall {
        place,
        turn: "turn-1",
        key: "k",
        tool: "book",
        arguments: "{}",
        acts: true,
        unfinished: "tool.unfinished",
    };
    assert_eq!(store.begin_tool_call(&new).await.expect("begun"), 0);
    assert_eq!(store.begin_tool_call(&NewToolCall { key: "l", ..new.clone() }).await.expect("begun"), 1);
    let looked = NewToolCall { key: "m", acts: false, ..new.clone() };
    assert_eq!(store.begin_tool_call(&looked).await.expect("begun"), 2);
    let end = ToolCallEnd { result: "table 7", error_code: None, duration_ms: 3, effects: None };
    store.end_tool_call("turn-1", 0, &end).await.expect("ended");
    store.end_tool_call("turn-1", 2, &ToolCallEnd { effects: Some("[]"), ..end }).await.expect("ended");
    let open = async || {
        let open = store.open_tool_calls(place, "nobody").await.expect("open");
        let of = |one: OpenToolCall| (one.key, one.result.into_inner(), one.error_code);
        open.into_iter().map(of).collect::<HashSet<_>>()
    };
    let both = HashSet::from([
        ("k".to_owned(), "table 7".to_owned(), None),
        ("l".to_owned(), String::new(), Some("tool.unfinished".to_owned())),
    ]);
    assert_eq!(open().await, both);
    let apology = Reply { kind: ReplyKind::Apology, answers: Vec::new(), ..reply(&[&first], "sorry") };
    store.commit_reply(&apology).await.expect("committed");
    assert_eq!(open().await, both, "an apology tells of nothing");
    store.commit_reply(&Reply { answers: Vec::new(), ..reply(&[&first], "hello") }).await.expect("committed");
    assert_eq!(open().await, both, "who was not told of it does not account for it");
    let accounts_for = vec!["k".to_owned(), "l".to_owned()];
    let answer = Reply { accounts_for, ..reply(&[&first], "You have table 7.") };
    store.commit_reply(&answer).await.expect("committed");
    assert!(open().await.is_empty());
    assert_eq!(store.supersede(&first.conversation_id).await.expect("taken back"), 2);
    assert_eq!(open().await, both, "the answer was taken back");
    store.commit_reply(&apology).await.expect("committed");
    assert!(open().await.is_empty(), "two were given up that were told of it");
    let nowhere = NewToolCall { place: ToolPlace::Call("gone"), ..new };
    assert!(store.begin_tool_call(&nowhere).await.is_err(), "nothing is kept of nobody");
}

#[tokio::test]
async fn whom_we_only_wrote_to_is_not_read_back_and_what_we_wrote_is_known_where_they_answer() {
    let Fixture { store, _folder } = fixture().await;
    let (ada, own) = (ContactAddress::parse(ADA).expect("address"), "+15559990000");
    let begun = store.begin_conversation("messaging", "pair-1", &ada, own).await.expect("begun");
    let words = Reply { says: vec![Say::text(Pii::new("we missed you".into()))], ..Reply::of(&begun.id) };
    store.commit_reply(&words).await.expect("committed");
    assert!(store.own_addresses("messaging").await.expect("addresses").is_empty());

    let answered = store.record_inbound(&inbound("IM0", 0, ADA)).await.expect("recorded");
    let row = store.conversation(&answered.conversation_id).await.expect("read").expect("known");
    let since = Timestamp::now() - jiff::SignedDuration::from_hours(1);
    let said = store.said_by_another_way(&row, since, 5).await.expect("read");
    assert_eq!(said.iter().map(|(_, text)| text.expose().as_str()).collect::<Vec<_>>(), ["we missed you"]);
    let bob = store.record_inbound(&inbound("IM1", 0, "+15550002222")).await.expect("recorded");
    let row = store.conversation(&bob.conversation_id).await.expect("read").expect("known");
    assert!(store.said_by_another_way(&row, since, 5).await.expect("read").is_empty());

    let by_messaging = NewInbound {
        connector: "messaging".into(),
        conversation: "pair-1".into(),
        to: Some(own.to_owned()),
        ..inbound("SM2", 0, ADA)
    };
    store.record_inbound(&by_messaging).await.expect("recorded");
    assert_eq!(store.own_addresses("messaging").await.expect("addresses"), [own]);
}

#[tokio::test]
async fn a_row_is_sent_by_one_and_looked_up_by_the_next() {
    let Fixture { store, _folder } = fixture().await;
    let recorded = store.record_inbound(&inbound("IM0", 0, ADA)).await.expect("recorded");
    let id = store.commit_reply(&reply(&[&recorded], "hello")).await.expect("committed").remove(0);
    let Claim::Yours(row) = store.claim(&id).await.expect("claim") else { unreachable!("nobody else is here") };
    assert!(matches!(store.claim(&id).await.expect("claim"), Claim::Unknown(_)));
    store.release(&id).await.expect("released");
    assert!(matches!(store.claim(&id).await.expect("claim"), Claim::Yours(row) if row.attempts == 2));

    store.mark_sent(&row, &Sent { external_id: "IM1".into(), index: 1 }).await.expect("sent");
    assert_eq!(store.claim(&id).await.expect("claim"), Claim::Settled);
    assert!(store.open_outbox(0, Timestamp::MAX, 10).await.expect("open").is_empty());
    let next = store.record_inbound(&inbound("IM2", 2, ADA)).await.expect("recorded");
    assert_eq!(next.read_index, 2, "our own message is no gap");
}

#[tokio::test]
async fn what_is_read_back_is_recorded_once_and_its_end_is_remembered() {
    let Fixture { store, _folder } = fixture().await;
    store.record_inbound(&inbound("IM2", 2, ADA)).await.expect("recorded");
    let page = [inbound("IM0", 0, ADA), inbound("IM2", 2, ADA), inbound("IM3", 3, ADA)];
    // Messages 1 and 4 are ours: read, and not people's.
    let new = store.record_read_back(&page, 4).await.expect("recorded");
    assert_eq!(new.iter().map(|recorded| recorded.is_new).collect::<Vec<_>>(), [true, false, true]);
    let again = store.record_read_back(&page, 4).await.expect("recorded");
    assert!(again.iter().all(|recorded| !recorded.is_new));
    let row = store.conversation(&new[0].conversation_id).await.expect("read").expect("there");
    assert_eq!(row.read_index, 4);
    let waiting = store.waiting(&row.id, 10).await.expect("waiting");
    assert_eq!(waiting.iter().map(|m| m.index).collect::<Vec<_>>(), [Some(0), Some(2), Some(3)]);
}

#[tokio::test]
async fn a_claim_remembers_what_was_known_before_the_first_try() {
    let Fixture { store, _folder } = fixture().await;
    let recorded = store.record_inbound(&inbound("IM0", 0, ADA)).await.expect("recorded");
    let id = store.commit_reply(&reply(&[&recorded], "hello")).await.expect("committed").remove(0);
    let Claim::Yours(first) = store.claim(&id).await.expect("claim") else { unreachable!("nobody else is here") };
    assert_eq!(first.claimed_after, Some(0));
    store.record_read_back(&[inbound("IM5", 5, ADA)], 5).await.expect("recorded");
    let Claim::Unknown(row) = store.claim(&id).await.expect("claim") else { unreachable!("it was begun") };
    assert_eq!(row.claimed_after, Some(0), "the message may stand at 1 to 4");
}

#[tokio::test]
async fn a_message_that_the_provider_has_told_of_is_not_sent_again() {
    let Fixture { store, _folder } = fixture().await;
    let recorded = store.record_inbound(&inbound("IM0", 0, ADA)).await.expect("recorded");
    let id = store.commit_reply(&reply(&[&recorded], "hello")).await.expect("committed").remove(0);
    assert!(matches!(store.claim(&id).await.expect("claim"), Claim::Yours(_)));
    // The answer to the request broke off; the provider tells of the message while it is looked for.
    assert_eq!(store.attempt(&id).await.expect("attempt").and_then(|attempt| attempt.external_id), None);
    store.note_sent(&id, "SM1").await.expect("noted");
    let listed = ["SM1".to_owned(), "IM0".to_owned()];
    let others = store.other_messages(&recorded.conversation_id, &id, &listed).await.expect("others");
    assert_eq!(others, HashSet::from(["IM0".to_owned()]), "its own message is the one that is looked for");
    // Or just after it was looked for.
    store.release(&id).await.expect("released");
    let Claim::Unknown(row) = store.claim(&id).await.expect("claim") else { unreachable!("it is there") };
    store.mark_sent(&row, &Sent { external_id: "SM1".into(), index: 1 }).await.expect("sent");
    assert_eq!(store.claim(&id).await.expect("claim"), Claim::Settled);
}

#[tokio::test]
async fn answers_are_claimed_in_the_order_of_their_commit() {
    let Fixture { store, _folder } = fixture().await;
    let mut ids = Vec::new();
    for index in 0..2 {
        let recorded = store.record_inbound(&inbound(&format!("IM{index}"), index, ADA)).await.expect("recorded");
        ids.push(store.commit_reply(&reply(&[&recorded], "hello")).await.expect("committed").remove(0));
    }
    assert_eq!(store.claim(&ids[1]).await.expect("claim"), Claim::Behind);
    let Claim::Yours(first) = store.claim(&ids[0]).await.expect("claim") else { unreachable!("the first in line") };
    assert_eq!(store.claim(&ids[1]).await.expect("claim"), Claim::Behind, "the first is on its way");
    store.mark_sent(&first, &Sent { external_id: "IM2".into(), index: 2 }).await.expect("sent");
    assert!(matches!(store.claim(&ids[1]).await.expect("claim"), Claim::Yours(_)));
}

#[tokio::test]
async fn a_thread_is_in_the_order_of_the_provider_whatever_the_clocks_say() {
    let Fixture { store, _folder } = fixture().await;
    let first = store.record_inbound(&inbound("IM0", 0, ADA)).await.expect("recorded");
    let id = store.commit_reply(&reply(&[&first], "answer")).await.expect("committed").remove(0);
    let thread =
        |rows: Vec<trunkline_store::MessageRow>| rows.iter().map(|m| m.body.expose().clone()).collect::<Vec<_>>();
    let queued = store.messages(&first.conversation_id, 10, None).await.expect("thread");
    assert_eq!(thread(queued), ["text IM0", "answer"]);
    // Another text takes the next place before the answer is accepted; its clock is far behind ours.
    store.record_inbound(&inbound("IM1", 1, ADA)).await.expect("recorded");
    let Claim::Yours(row) = store.claim(&id).await.expect("claim") else { unreachable!("nobody else is here") };
    store.mark_sent(&row, &Sent { external_id: "IM2".into(), index: 2 }).await.expect("sent");
    let sent = store.messages(&first.conversation_id, 10, None).await.expect("thread");
    assert_eq!(thread(sent.clone()), ["text IM0", "text IM1", "answer"]);
    let before = store.messages(&first.conversation_id, 10, Some(&sent[2].id)).await.expect("thread");
    assert_eq!(thread(before), ["text IM0", "text IM1"]);
}

#[tokio::test]
async fn conversations_that_wait_are_found() {
    let Fixture { store, _folder } = fixture().await;
    let waits = store.record_inbound(&inbound("IM0", 0, ADA)).await.expect("recorded");
    let answered = store.record_inbound(&inbound("IM1", 0, "+15550002222")).await.expect("recorded");
    store.commit_reply(&reply(&[&answered], "hello")).await.expect("committed");
    let found = store.conversations_waiting(10).await.expect("found");
    assert_eq!(found.iter().map(|row| &row.id).collect::<Vec<_>>(), [&waits.conversation_id]);
}

#[tokio::test]
async fn a_failed_message_shows_its_code() {
    let Fixture { store, _folder } = fixture().await;
    let recorded = store.record_inbound(&inbound("IM0", 0, ADA)).await.expect("recorded");
    let id = store.commit_reply(&reply(&[&recorded], "hello")).await.expect("committed").remove(0);
    let Claim::Yours(row) = store.claim(&id).await.expect("claim") else { unreachable!("nobody else is here") };
    store.mark_failed(&row, "ErrCodeInvalidMessage").await.expect("failed");
    let thread = store.messages(&recorded.conversation_id, 10, None).await.expect("thread");
    let ours = thread.iter().find(|message| message.direction == Direction::Out).expect("ours");
    assert_eq!((ours.status.as_str(), ours.error_code.as_deref()), ("failed", Some("ErrCodeInvalidMessage")));
    assert!(store.conversation_summary(&recorded.conversation_id).await.expect("read").expect("there").failed);
}

#[tokio::test]
async fn lists_are_paged_without_holes() {
    let Fixture { store, _folder } = fixture().await;
    for number in 0..7 {
        store.record_inbound(&inbound(&format!("IM{number}"), 0, &format!("+1555000222{number}"))).await.expect("ok");
    }
    let mut seen = Vec::new();
    let mut before: Option<(i64, String)> = None;
    loop {
        let cursor = before.as_ref().map(|(at, id)| (*at, id.as_str()));
        let page = store.latest_conversations(3, cursor).await.expect("page");
        let Some(last) = page.last() else { break };
        before = Some((last.updated_at.as_millisecond(), last.conversation.id.clone()));
        seen.extend(page.iter().map(|row| row.conversation.id.clone()));
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((count, seen.len()), (7, 7));
}

#[tokio::test]
async fn a_call_is_kept_with_what_was_said_and_the_person_is_known_on_every_channel() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let texted = store.record_inbound(&inbound("IM1", 0, "+15550001111")).await.expect("recorded");
    let mut said = reply(&[&texted], "Hello");
    said.memories.insert("name".into(), "Ada".into());
    store.commit_reply(&said).await.expect("committed");
    let call = NewCall {
        id: "call-1".into(),
        connector: "twilio".into(),
        external_id: "CA1".into(),
        address: ContactAddress::of_call("+15550001111").expect("address"),
        direction: CallDirection::Inbound,
        traceparent: None,
        started_at: Timestamp::now(),
    };
    let (contact, turns) = store.begin_call(&call).await.expect("begun");
    assert_eq!((store.begin_call(&call).await.expect("begun again"), turns), ((contact.clone(), 0), 0));
    let memories = store.memories_of_contact(&contact, None).await.expect("memories");
    assert_eq!(memories.get("name").map(String::as_str), Some("Ada"), "who texted and then calls is known");

    let turn = CallTurn {
        number: 1,
        kind: "answer".into(),
        at_ms: 1_200,
        person: Pii::new("my colour is red".into()),
        agent: Pii::new("Noted".into()),
        latency_ms: Some(40),
        interrupted: true,
    };
    let memories = BTreeMap::from([("colour".to_owned(), "red".to_owned())]);
    store.keep_call_turn("call-1", &contact, &turn, &memories).await.expect("kept");
    store.keep_call_turn("call-1", &contact, &turn, &memories).await.expect("kept again");
    assert_eq!(store.call_turns("call-1").await.expect("turns"), [turn]);
    assert_eq!(store.begin_call(&call).await.expect("goes on").1, 1);
    let known = store.memories_of_contact(&contact, Some(&texted.conversation_id)).await.expect("memories");
    assert_eq!(known.get("colour").map(String::as_str), Some("red"), "who called and then texts is known");
    let said: Vec<_> = store.said_with(&contact, 10).await.expect("said").into_iter().map(|(_, text)| text).collect();
    assert_eq!(said.len(), 4);
    assert_eq!(said[2].expose(), "my colour is red");

    assert!(store.past_calls(10, None).await.expect("calls").is_empty(), "it lives");
    store.end_call("call-1", "agent", Some("call-1.wav")).await.expect("ended");
    store.end_call("call-1", "lost", None).await.expect("the first end counts");
    let past = store.past_calls(10, None).await.expect("calls");
    assert_eq!(past[0].outcome.as_deref(), Some("agent"));
    assert_eq!(store.end_lost_calls().await.expect("nothing is open"), 0);
}

#[tokio::test]
async fn everything_is_there_after_opening_again() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("store.db");
    let store = Store::open(&path).await.expect("store");
    let recorded = store.record_inbound(&inbound("IM0", 0, ADA)).await.expect("recorded");
    store.set_cursor("horizon", 42).await.expect("set");
    store.close().await;
    let store = Store::open(&path).await.expect("store");
    assert_eq!(store.waiting(&recorded.conversation_id, 10).await.expect("waiting").len(), 1);
    assert_eq!(store.cursor("horizon").await.expect("cursor"), Some(42));
    assert_eq!(store.cursor("nothing").await.expect("cursor"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the order of the receipts, the status that stays is the furthest.
    #[test]
    fn a_status_only_moves_forward(order in Just(vec![
        DeliveryStatus::Sent, DeliveryStatus::Delivered, DeliveryStatus::Read, DeliveryStatus::Undelivered,
    ]).prop_shuffle(), take in 1_usize..=4) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async {
            let Fixture { store, _folder } = fixture().await;
            let recorded = store.record_inbound(&inbound("IM0", 0, ADA)).await.expect("recorded");
            let id = store.commit_reply(&reply(&[&recorded], "hello")).await.expect("committed").remove(0);
            let Claim::Yours(row) = store.claim(&id).await.expect("claim") else { unreachable!("alone") };
            prop_assert_eq!(store.advance_status("IM1", order[0], None).await.expect("status"), None);
            store.mark_sent(&row, &Sent { external_id: "IM1".into(), index: 1 }).await.expect("sent");
            for status in &order[..take] {
                let known = store.advance_status("IM1", *status, None).await.expect("status");
                prop_assert_eq!(known.as_ref(), Some(&recorded.conversation_id));
            }
            let furthest = order[..take].iter().max().expect("one").as_str();
            let thread = store.messages(&recorded.conversation_id, 10, None).await.expect("thread");
            let ours = thread.iter().find(|message| message.direction == Direction::Out).expect("ours");
            prop_assert_eq!(ours.status.as_str(), furthest);
            Ok(())
        })?;
    }
}
