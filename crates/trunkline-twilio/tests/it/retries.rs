//! What is repeated and what is not.

use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::time::timeout;
use trunkline_core::Retry;
use trunkline_twilio::rest::{NewMessage, RestClient, RestConfig, RestError, RetryPolicy};

use crate::support::rest_config;
use crate::support::{CH, FakeTwilio, PATIENCE, Reply, client, conversation, hang_up_after, message, refusal};

fn new() -> NewMessage {
    NewMessage { body: Some("Hello".to_owned()), ..NewMessage::default() }
}

#[tokio::test]
async fn a_read_is_repeated_until_twilio_is_well() {
    for trouble in [500, 502, 503, 504, 429] {
        let twilio = FakeTwilio::start(move |_, number| match number {
            0 | 1 => Reply::Text(trouble, "<html>"),
            _ => Reply::Json(200, conversation("active")),
        })
        .await;
        client(&twilio.url()).fetch_conversation(CH).await.unwrap();
        assert_eq!(twilio.seen().len(), 3, "{trouble}");
    }
}

#[tokio::test]
async fn a_refusal_is_final_for_everything() {
    for status in [400, 401, 403, 404, 409, 422] {
        let twilio = FakeTwilio::start(move |_, _| refusal(status, 20001)).await;
        let client = client(&twilio.url());
        assert_eq!(client.fetch_conversation(CH).await.unwrap_err().retry(), Retry::No, "{status}");
        assert_eq!(client.create_message(CH, &new()).await.unwrap_err().retry(), Retry::No, "{status}");
        assert_eq!(twilio.seen().len(), 2, "{status}");
    }
}

#[tokio::test]
async fn a_create_is_not_repeated_when_it_may_have_happened() {
    for trouble in [500, 502, 503, 504, 408] {
        let twilio = FakeTwilio::start(move |_, _| refusal(trouble, 20500)).await;
        let error = client(&twilio.url()).create_message(CH, &new()).await.unwrap_err();
        assert!(matches!(error, RestError::Unavailable { status, .. } if status == trouble), "{error:?}");
        assert_eq!((error.retry(), twilio.seen().len()), (Retry::Unknown, 1));
    }
}

#[tokio::test]
async fn a_create_is_repeated_when_it_was_throttled() {
    let twilio = FakeTwilio::start(|_, number| match number {
        0 => Reply::RetryAfter("0"),
        1 => Reply::RetryAfter("0.1"),
        _ => Reply::Json(201, message(0)),
    })
    .await;
    let begin = Instant::now();
    client(&twilio.url()).create_message(CH, &new()).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(100), "{:?}", begin.elapsed());
    assert_eq!(twilio.seen().len(), 3);
}

#[tokio::test]
async fn a_lost_answer_is_an_unknown_outcome_and_only_a_read_is_repeated() {
    let (url, count, _tasks) = hang_up_after("").await;
    let client = client(&url);
    let error = client.create_message(CH, &new()).await.unwrap_err();
    assert!(matches!(error, RestError::UnknownOutcome(_)), "{error:?}");
    assert_eq!((error.retry(), error.is_timeout(), *count.borrow()), (Retry::Unknown, false, 1));

    client.fetch_conversation(CH).await.unwrap_err();
    assert_eq!(*count.borrow(), 1 + 4);
}

#[tokio::test]
async fn an_answer_that_is_cut_in_its_body_is_an_unknown_outcome() {
    let (url, count, _tasks) = hang_up_after("HTTP/1.1 201 Created\r\ncontent-length: 1000\r\n\r\n{\"sid\":").await;
    let error = client(&url).create_message(CH, &new()).await.unwrap_err();
    assert!(matches!(error, RestError::UnknownOutcome(_)), "{error:?}");
    assert_eq!(*count.borrow(), 1);
}

#[tokio::test]
async fn a_create_waits_for_a_server_that_was_not_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let retry =
        RetryPolicy { max_retries: 20, delay: Duration::from_millis(200), backoff: 1.0, ..RetryPolicy::default() };
    let config = RestConfig { retry, ..rest_config(&format!("http://{address}")) };
    let client = RestClient::new(config).unwrap();

    let error = client.without_retries().create_message(CH, &new()).await.unwrap_err();
    assert!(matches!(error, RestError::Unreachable(_)), "{error:?}");
    assert_eq!(error.retry(), Retry::After(Duration::ZERO));

    let create = new();
    let mut create = std::pin::pin!(client.create_message(CH, &create));
    // The port is closed, so whoever is still at it after this time is repeating.
    timeout(Duration::from_millis(30), &mut create).await.unwrap_err();
    let twilio = FakeTwilio::start_on(TcpListener::bind(address).await.unwrap(), |_, _| Reply::Json(201, message(0)));
    timeout(PATIENCE, create).await.unwrap().unwrap();
    assert_eq!(twilio.seen().len(), 1);
}

#[tokio::test]
async fn a_silent_server_costs_an_attempt_its_time_and_a_create_its_certainty() {
    let twilio = FakeTwilio::start(|_, _| Reply::WhenOpened(message(0))).await;
    let config = RestConfig { attempt_timeout: Duration::from_millis(40), ..rest_config(&twilio.url()) };
    let client = RestClient::new(config).unwrap();
    let error = client.create_message(CH, &new()).await.unwrap_err();
    assert!(matches!(error, RestError::UnknownOutcome(_)) && error.is_timeout(), "{error:?}");
    assert_eq!(twilio.seen().len(), 1);
    let error = client.fetch_conversation(CH).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(twilio.seen().len(), 1 + 4);
}

#[tokio::test]
async fn the_operations_time_bounds_attempts_and_waits_together() {
    let twilio = FakeTwilio::start(|_, _| Reply::WhenOpened(message(0))).await;
    let config = RestConfig { operation_timeout: Duration::from_millis(80), ..rest_config(&twilio.url()) };
    let begin = Instant::now();
    RestClient::new(config).unwrap().fetch_conversation(CH).await.unwrap_err();
    assert!(begin.elapsed() < PATIENCE / 2, "{:?}", begin.elapsed());

    let twilio = FakeTwilio::start(|_, _| Reply::RetryAfter("3600")).await;
    let error = client(&twilio.url()).fetch_conversation(CH).await.unwrap_err();
    assert_eq!(error.retry(), Retry::After(Duration::from_hours(1)));
    assert_eq!(twilio.seen().len(), 1);
}

#[tokio::test]
async fn a_delete_that_finds_nothing_the_second_time_has_succeeded() {
    let twilio = FakeTwilio::start(|_, number| refusal(if number == 0 { 503 } else { 404 }, 20404)).await;
    client(&twilio.url()).delete_conversation(CH).await.unwrap();
    assert_eq!(twilio.seen().len(), 2);
    assert!(client(&twilio.url()).delete_conversation(CH).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn an_outage_is_not_answered_with_a_storm() {
    let twilio = FakeTwilio::start(|_, _| refusal(503, 20503)).await;
    let client = client(&twilio.url());
    for _ in 0..50 {
        client.fetch_conversation(CH).await.unwrap_err();
    }
    assert_eq!(twilio.seen().len(), 10, "then it was left alone");
    assert_eq!(client.open_circuits().len(), 1);
}

#[tokio::test]
async fn repetitions_stay_a_small_share_of_all_requests() {
    let twilio = FakeTwilio::start(|_, number| match number % 2 {
        0 => refusal(503, 20503),
        _ => Reply::Json(200, conversation("active")),
    })
    .await;
    let client = client(&twilio.url());
    let mut failed = 0;
    for _ in 0..50 {
        failed += usize::from(client.fetch_conversation(CH).await.is_err());
    }
    // The last one was earned by ten that needed none.
    assert_eq!((twilio.seen().len(), failed), (50 + 20 + 1, 15));
}
