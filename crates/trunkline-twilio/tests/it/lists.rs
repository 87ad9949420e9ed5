//! Lists over several pages.

use serde_json::{Value, json};
use trunkline_proto::rest::Message;
use trunkline_twilio::rest::{ConversationFilter, MAX_WALKED, Order, RestError};

use crate::support::{CH, FakeTwilio, Reply, Seen, client, conversation, message, page, participant};

/// A page of `size` messages counted from `newest` down, and where the next is.
fn descending(seen: &Seen, newest: u64, size: u64) -> Value {
    let query = seen.query.as_deref().unwrap();
    let page_number: u64 = query.split_once("Page=").map_or(0, |(_, rest)| rest.parse().unwrap());
    let first = (newest + 1).saturating_sub(page_number * size);
    let items: Vec<_> = (first.saturating_sub(size)..first).rev().map(message).collect();
    let next = format!("https://conversations.twilio.com/v1/else?PageToken=t&Page={}", page_number + 1);
    page("messages", &items, (first > size).then_some(&*next))
}

#[tokio::test]
async fn every_page_is_followed_on_the_configured_host() {
    let twilio = FakeTwilio::start(|_, number| {
        let next = ["https://elsewhere.example/v1/x?PageToken=1", "https://elsewhere.example/v1/x?PageToken=2"];
        let items = [conversation("active"), conversation("closed")];
        Reply::Json(200, page("conversations", &items, next.get(number).copied()))
    })
    .await;
    let filter = ConversationFilter { start_date: Some("2026-11-20".to_owned()), ..ConversationFilter::default() };
    let found = client(&twilio.url()).list_conversations(&filter, 1_000).await.unwrap();
    assert_eq!((found.items.len(), found.is_complete), (6, true));
    let seen = twilio.seen();
    assert!(seen.iter().all(|seen| seen.line() == "GET /v1/Conversations"));
    let queries: Vec<_> = seen.iter().map(|seen| seen.query.as_deref().unwrap()).collect();
    assert_eq!(queries, ["StartDate=2026-11-20&PageSize=100", "PageToken=1", "PageToken=2"]);
}

#[tokio::test]
async fn a_limit_ends_a_list_and_says_so() {
    let twilio = FakeTwilio::start(|seen, _| Reply::Json(200, descending(seen, 9, 4))).await;
    let client = client(&twilio.url());
    let found = client.list_messages(CH, Order::Descending, 4, 6).await.unwrap();
    let indices: Vec<_> = found.items.iter().map(|message| message.index).collect();
    assert_eq!((indices, found.is_complete), (vec![9, 8, 7, 6, 5, 4], false));
    assert_eq!(twilio.seen().len(), 2);
    assert_eq!(twilio.seen()[0].query.as_deref(), Some("Order=desc&PageSize=4"));
    assert!(client.list_messages(CH, Order::Descending, 4, 10).await.unwrap().is_complete);
}

#[tokio::test]
async fn messages_after_an_index_come_oldest_first_and_stop_at_the_known_one() {
    let twilio = FakeTwilio::start(|seen, _| Reply::Json(200, descending(seen, 9, 4))).await;
    let client = client(&twilio.url());
    let indices = async |after, limit| {
        let found = client.messages_after(CH, after, limit).await.unwrap();
        (found.items.iter().map(|message| message.index).collect::<Vec<_>>(), found.is_complete)
    };
    assert_eq!(indices(Some(6), 100).await, (vec![7, 8, 9], true));
    assert_eq!(twilio.seen().len(), 1);
    assert_eq!(indices(Some(9), 100).await, (vec![], true));
    assert_eq!(indices(None, 100).await, ((0..10).collect(), true));
}

#[tokio::test]
async fn of_more_messages_than_the_limit_the_oldest_come_and_the_rest_when_asked_again() {
    let twilio = FakeTwilio::start(|seen, _| Reply::Json(200, descending(seen, 9, 4))).await;
    let client = client(&twilio.url());
    let (mut found, mut after) = (Vec::new(), Some(2));
    loop {
        let listing = client.messages_after(CH, after, 3).await.unwrap();
        found.push(listing.items.iter().map(|message| message.index).collect::<Vec<_>>());
        if listing.is_complete {
            break;
        }
        after = listing.items.last().map(|message| message.index);
    }
    assert_eq!(found, [vec![3, 4, 5], vec![6, 7, 8], vec![9]]);
    let all = client.messages_after(CH, None, 10).await.unwrap();
    assert_eq!((all.items.len(), all.is_complete), (10, true));
    let none = client.messages_after(CH, Some(8), 0).await.unwrap();
    assert_eq!((none.items.len(), none.is_complete), (0, false));
}

#[tokio::test]
async fn a_message_that_comes_between_two_pages_shows_none_twice() {
    let twilio = FakeTwilio::start(|seen, number| Reply::Json(200, descending(seen, 9 + number as u64, 4))).await;
    let found = client(&twilio.url()).messages_after(CH, Some(3), 100).await.unwrap();
    let indices: Vec<_> = found.items.iter().map(|message| message.index).collect();
    assert_eq!((indices, found.is_complete), ((4..10).collect(), true));
}

#[tokio::test]
async fn an_index_that_is_too_far_down_is_reached_from_the_oldest() {
    let newest = MAX_WALKED as u64 + 500;
    let twilio = FakeTwilio::start(move |seen, _| {
        let query = seen.query.as_deref().unwrap();
        if query.starts_with("Order=asc") {
            return Reply::Json(200, page("messages", &(0..100).map(message).collect::<Vec<_>>(), None));
        }
        Reply::Json(200, descending(seen, newest, 100))
    })
    .await;
    let found = client(&twilio.url()).messages_after(CH, Some(5), 3).await.unwrap();
    let indices: Vec<_> = found.items.iter().map(|message| message.index).collect();
    assert_eq!((indices, found.is_complete), (vec![6, 7, 8], false));
    assert_eq!(twilio.seen().len(), MAX_WALKED / 100 + 2);
}

#[tokio::test]
async fn a_look_up_stops_where_it_is_told_to() {
    let twilio = FakeTwilio::start(|seen, _| Reply::Json(200, descending(seen, 9, 4))).await;
    let client = client(&twilio.url());
    let mut seen = Vec::new();
    let stop = |message: &Message| {
        seen.push(message.index);
        message.index == 4
    };
    let found = client.messages_until(CH, stop, 100).await.unwrap();
    let indices: Vec<_> = found.items.iter().map(|message| message.index).collect();
    assert_eq!((indices, found.is_complete), (vec![9, 8, 7, 6, 5], true));
    assert_eq!(seen, [9, 8, 7, 6, 5, 4]);
    assert_eq!(twilio.seen().len(), 2, "no page after the last that was needed");
    let bounded = client.messages_until(CH, |_| false, 5).await.unwrap();
    assert_eq!((bounded.items.len(), bounded.is_complete), (5, false));
    assert!(client.messages_until(CH, |_| false, 10).await.unwrap().is_complete);
}

#[tokio::test]
async fn a_page_that_follows_itself_is_an_error_and_not_a_loop() {
    let twilio = FakeTwilio::start(|seen, _| {
        let same = format!("https://h/x?{}", seen.query.as_deref().unwrap());
        Reply::Json(200, page("participants", &[participant(Some("a"), &json!(null))], Some(&same)))
    })
    .await;
    let error = client(&twilio.url()).list_participants(CH, 100).await.unwrap_err();
    assert!(matches!(error, RestError::Decode), "{error:?}");
    assert_eq!(twilio.seen().len(), 1);
}
