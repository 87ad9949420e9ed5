//! A clock that is put forward, and what happens by itself.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{PERSON, Receiver, World, settings, until};

async fn advance(world: &World, seconds: u64) {
    let moved = world.control(Method::POST, "/clock", json!({"advance_ms": seconds * 1000})).await;
    assert_eq!(moved.status, StatusCode::OK, "{}", moved.body);
}

#[tokio::test]
async fn timers_run_out_when_their_time_has_come() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    world.tell(&receiver, &["onConversationStateUpdated"]).await;
    let timers = [("Timers.Inactive", "PT5M"), ("Timers.Closed", "PT1H")];
    let conversation = format!("/v1/Conversations/{}", world.create("/v1/Conversations", &timers).await);
    world.bind(&conversation, PERSON).await;
    let state = async || world.get(&conversation).await.text("state");
    advance(&world, 299).await;
    assert_eq!(state().await, "active");
    advance(&world, 1).await;
    assert_eq!(state().await, "inactive");
    // The other timer goes on from where it began.
    advance(&world, 55 * 60 - 1).await;
    assert_eq!(state().await, "inactive");
    advance(&world, 2).await;
    assert_eq!(state().await, "closed");
    let told = receiver.wait(2).await;
    for (one, (from, to)) in told.iter().zip([("active", "inactive"), ("inactive", "closed")]) {
        let seen = ["StateFrom", "StateTo", "Reason"].map(|name| one.param(name));
        assert_eq!(seen, [from, to, "TIMER"]);
    }
    // The pair of addresses is free.
    world.bind(&world.conversation().await, PERSON).await;
}

#[tokio::test]
async fn a_message_begins_the_timers_anew() {
    let world = World::start().await;
    let conversation =
        format!("/v1/Conversations/{}", world.create("/v1/Conversations", &[("Timers.Inactive", "PT1M")]).await);
    advance(&world, 59).await;
    world.create(&format!("{conversation}/Messages"), &[("Body", "still here")]).await;
    advance(&world, 59).await;
    assert_eq!(world.get(&conversation).await.text("state"), "active");
    advance(&world, 1).await;
    assert_eq!(world.get(&conversation).await.text("state"), "inactive");
    world.create(&format!("{conversation}/Messages"), &[("Body", "back")]).await;
    assert_eq!(world.get(&conversation).await.text("state"), "active");
    // Without a timer nothing happens.
    world.post(&conversation, &[("Timers.Inactive", "")]).await;
    advance(&world, 3600).await;
    assert_eq!(world.get(&conversation).await.text("state"), "active");
}

#[tokio::test]
async fn a_clock_shows_where_it_is_and_is_set_to_a_time() {
    let world = World::start().await;
    let begin = world.control(Method::GET, "/clock", Value::Null).await.body;
    assert_eq!(begin["offset_ms"], 0);
    let set = world.control(Method::POST, "/clock", json!({"set": "2100-01-01T00:00:00Z"})).await;
    assert!(set.text("now").starts_with("2100-01-01T00:00:0"), "{}", set.body);
    assert!(world.get(&world.conversation().await).await.text("date_created").starts_with("2100-01-01"));
    let back = world.control(Method::POST, "/clock", json!({"set": null})).await;
    assert_eq!(back.body["offset_ms"], 0);
    for wrong in [json!({"set": "tomorrow"}), json!({"advance_ms": i64::MAX}), json!({"advance": 1}), json!({})] {
        assert_eq!(world.control(Method::POST, "/clock", wrong.clone()).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn timers_go_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("emulator.db");
    let world = World::of(settings().data_file(&file)).await;
    let conversation =
        format!("/v1/Conversations/{}", world.create("/v1/Conversations", &[("Timers.Inactive", "PT1M")]).await);
    world.emulator.shutdown().await;
    let world = World::of(settings().data_file(&file)).await;
    advance(&world, 61).await;
    assert_eq!(world.get(&conversation).await.text("state"), "inactive");
}

#[tokio::test]
async fn a_scheduled_message_goes_out_at_its_time_or_is_taken_back() {
    let world = World::start().await;
    let account = world.emulator.account().account_sid;
    let messages = format!("/2010-04-01/Accounts/{account}/Messages");
    let service = world.control(Method::GET, "/account", Value::Null).await.text("messaging_service_sid");
    let now: jiff::Timestamp = world.control(Method::GET, "/clock", Value::Null).await.text("now").parse().unwrap();
    let at = (now + jiff::SignedDuration::from_mins(20)).to_string();
    let form = [
        ("To", PERSON),
        ("MessagingServiceSid", &service),
        ("Body", "later"),
        ("ScheduleType", "fixed"),
        ("SendAt", &at),
    ];
    let one = world.post(&format!("{messages}.json"), &form).await;
    assert_eq!((one.status, one.text("status")), (StatusCode::CREATED, "scheduled".to_owned()), "{}", one.body);
    let other = world.create(&format!("{messages}.json"), &form).await;
    let canceled = world.post(&format!("{messages}/{other}.json"), &[("Status", "canceled")]).await;
    assert_eq!(canceled.text("status"), "canceled");
    let path = format!("{messages}/{other}.json");
    assert_eq!(world.post(&path, &[("Status", "canceled")]).await.problem(), (409, 30409));
    assert_eq!(world.phone(PERSON).await.len(), 0);
    advance(&world, 20 * 60 + 1).await;
    let lines = until(async || Some(world.phone(PERSON).await).filter(|lines| lines.len() == 1)).await;
    assert_eq!(lines[0]["body"], "later");
    let without_service =
        [("To", PERSON), ("From", crate::support::NUMBER), ("Body", "x"), ("ScheduleType", "fixed"), ("SendAt", &at)];
    assert_eq!(world.post(&format!("{messages}.json"), &without_service).await.problem(), (400, 35118));
}
