//! Users and the conversations that they are in, by REST.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Received, Receiver, Socket, World};

#[tokio::test]
async fn a_user_is_made_with_the_first_sight_of_an_identity() {
    let world = World::start().await;
    assert_eq!(world.get("/v1/Users/alice").await.problem(), (404, 20404));
    let conversation = world.conversation().await;
    world.create(&format!("{conversation}/Participants"), &[("Identity", "alice")]).await;
    let alice = world.get("/v1/Users/alice").await;
    let sid = alice.text("sid");
    assert_eq!(alice.body["attributes"], "{}");
    let changed =
        world.post(&format!("/v1/Users/{sid}"), &[("FriendlyName", "Alice"), ("Attributes", "{\"a\":1}")]).await;
    assert_eq!(
        (changed.text("friendly_name"), changed.text("attributes")),
        ("Alice".to_owned(), "{\"a\":1}".to_owned())
    );
    let bob = world.create("/v1/Users", &[("Identity", "bob")]).await;
    assert_eq!(world.post("/v1/Users", &[("Identity", "bob")]).await.problem(), (409, 50201));
    let service = world.emulator.account().chat_service_sid;
    let page = world.get(&format!("/v1/Services/{service}/Users?PageSize=1")).await;
    assert_eq!(page.body["users"][0]["sid"], sid.as_str());
    let next = page.body["meta"]["next_page_url"].as_str().unwrap().to_owned();
    assert_eq!(world.get(&next).await.body["users"][0]["sid"], bob.as_str());
    // The same person is the same user after a reset.
    world.control(reqwest::Method::POST, "/reset", json!({})).await;
    assert_eq!(world.create("/v1/Users", &[("Identity", "alice")]).await, sid);
}

#[tokio::test]
async fn a_read_horizon_counts_what_is_unread() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    let participant = world.create(&format!("{conversation}/Participants"), &[("Identity", "alice")]).await;
    for body in ["zero", "one", "two"] {
        world.create(&format!("{conversation}/Messages"), &[("Body", body)]).await;
    }
    let own = format!("/v1/Users/alice/Conversations/{}", conversation.rsplit('/').next().unwrap());
    assert_eq!(world.get(&own).await.body["unread_messages_count"], json!(null));
    let read = [("LastReadMessageIndex", "0"), ("NotificationLevel", "muted")];
    let read = world.post(&own, &read).await;
    assert_eq!(read.status, StatusCode::OK);
    assert_eq!((&read.body["unread_messages_count"], &read.body["notification_level"]), (&json!(2), &json!("muted")));
    let path = format!("{conversation}/Participants/{participant}");
    assert_eq!(world.get(&path).await.body["last_read_message_index"], 0);
    world.post(&path, &[("LastReadMessageIndex", "null")]).await;
    assert_eq!(world.get(&own).await.body["unread_messages_count"], json!(null));
    let listed = world.get("/v1/Users/alice/Conversations").await;
    assert_eq!(listed.body["conversations"][0]["participant_sid"], participant.as_str());
    assert_eq!(world.get("/v1/Users/alice/Conversations/CH0").await.problem(), (404, 20404));
}

#[tokio::test]
async fn webhooks_are_told_of_users() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    world.tell(&receiver, &["onUserAdded", "onUserUpdated"]).await;
    // Silent, as every REST call that does not ask for webhooks.
    let conversation = world.conversation().await;
    world.create(&format!("{conversation}/Participants"), &[("Identity", "silent")]).await;
    let mut alice = Socket::connect(&world, "alice").await;
    let service = world.emulator.account().chat_service_sid;
    let path = format!("/Client/v2/Services/{service}/Users/alice");
    assert_eq!(alice.request("POST", &path, json!({"friendly_name": "Alice"})).await.0, 200);
    world.post_aloud("/v1/Users", &[("Identity", "bob"), ("FriendlyName", "Bob")]).await;
    let told = receiver.wait(3).await;
    let seen = |one: &Received| {
        let param = |name: &str| one.param(name).to_owned();
        [param("EventType"), param("Source"), param("Identity"), param("FriendlyName")]
    };
    let mut seen: Vec<_> = told.iter().map(seen).collect();
    seen.sort();
    assert_eq!(
        seen,
        [
            ["onUserAdded", "API", "bob", "Bob"],
            ["onUserAdded", "SDK", "alice", ""],
            ["onUserUpdated", "SDK", "alice", "Alice"],
        ]
    );
}
