//! What a client missed comes, once and in order, however it interleaves with what happens meanwhile.

use serde_json::{Value, json};

use crate::support::{Socket, World, settings};

/// A conversation with alice in it, and its messages' list.
async fn with_alice(world: &World) -> (String, String) {
    let conversation = world.conversation().await;
    world.create(&format!("{conversation}/Participants"), &[("Identity", "alice")]).await;
    let list = format!("/v3/Lists/{}.messages", conversation.rsplit('/').next().unwrap());
    (conversation, list)
}

async fn say(world: &World, conversation: &str, body: &str) -> String {
    world.create(&format!("{conversation}/Messages"), &[("Body", body)]).await
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_between_replay_and_live() {
    const MESSAGES: u64 = 120;
    let world = World::start().await;
    let (conversation, list) = with_alice(&world).await;
    let write = async {
        for number in 0..MESSAGES {
            say(&world, &conversation, &number.to_string()).await;
        }
    };
    let listen = async |delay: u64| {
        let mut alice = Socket::connect(&world, "alice").await;
        // Each listener begins at another moment, and is behind by the time between opening and subscribing.
        for _ in 0..delay {
            alice.get("/Client/v2/Configuration").await;
        }
        let opened = alice.get(&list).await;
        alice.get("/Client/v2/Configuration").await;
        let known = alice.get(&format!("{list}/Items?Order=desc&PageSize=10")).await;
        let first = known["items"][0]["index"].as_u64().map_or(0, |index| index + 1);
        alice.subscribe(&[&opened]).await;
        let (mut ids, mut indexes) = (Vec::new(), Vec::new());
        while indexes.last() != Some(&(MESSAGES - 1)) {
            let (kind, event) = alice.event().await;
            if kind == "list_item_added" {
                ids.push(event["id"].as_u64().unwrap());
                indexes.push(event["item_index"].as_u64().unwrap());
            }
        }
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
        let begin = indexes[0];
        assert!(begin <= first, "{begin} {first}");
        assert_eq!(indexes, (begin..MESSAGES).collect::<Vec<_>>());
    };
    tokio::join!(write, listen(0), listen(3), listen(9), listen(20));
}

#[tokio::test]
async fn events_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("emulator.db");
    let world = World::of(settings().data_file(&file)).await;
    let (conversation, list) = with_alice(&world).await;
    let kept = say(&world, &conversation, "kept").await;
    let gone = say(&world, &conversation, "gone").await;
    let mut alice = Socket::connect(&world, "alice").await;
    let opened = alice.get(&list).await;
    let own = alice.get("/Client/v2/Configuration").await["sync_objects"]["my_conversations"].clone();
    let own = alice.get(&format!("/v3/Maps/{}", own.as_str().unwrap())).await;
    world.delete(&format!("{conversation}/Messages/{gone}")).await;
    world.emulator.shutdown().await;

    let world = World::of(settings().data_file(&file)).await;
    world.post(&format!("{conversation}/Messages/{kept}"), &[("Body", "changed")]).await;
    say(&world, &conversation, "new").await;
    world.delete(&format!("{conversation}/Participants/alice")).await;
    world.create(&format!("{conversation}/Participants"), &[("Identity", "alice")]).await;
    let mut alice = Socket::connect(&world, "alice").await;
    alice.subscribe(&[&opened, &own]).await;
    let mut told = Vec::new();
    for _ in 0..7 {
        let (kind, event) = alice.event().await;
        told.push((kind, event["item_index"].as_u64(), event["item_data"]["text"].as_str().map(str::to_owned)));
    }
    let item = |kind: &str, index: Option<u64>, text: Option<&str>| (kind.to_owned(), index, text.map(str::to_owned));
    assert_eq!(
        told,
        [
            item("list_item_removed", Some(1), None),
            item("list_item_updated", Some(0), Some("changed")),
            item("list_item_added", Some(2), Some("new")),
            item("subscription_established", None, None),
            item("map_item_removed", None, None),
            item("map_item_added", None, None),
            item("subscription_established", None, None),
        ]
    );
    // Ids go on growing.
    say(&world, &conversation, "newer").await;
    let event = alice.event_of("list_item_added").await;
    assert!(event["id"].as_u64() > opened["last_event_id"].as_u64());
}

#[tokio::test]
async fn who_missed_too_many_removals_opens_the_object_anew() {
    let world = World::start().await;
    let (conversation, list) = with_alice(&world).await;
    let mut alice = Socket::connect(&world, "alice").await;
    let opened = alice.get(&list).await;
    for number in 0..=500 {
        let sid = say(&world, &conversation, &number.to_string()).await;
        world.delete(&format!("{conversation}/Messages/{sid}")).await;
    }
    alice.subscribe(&[&opened]).await;
    assert_eq!(alice.event_of("subscription_failed").await["error"]["status"], 404);
    let opened = alice.get(&list).await;
    alice.subscribe(&[&opened]).await;
    alice.event_of("subscription_established").await;
}

#[tokio::test]
async fn a_long_replay_comes_in_parts() {
    let world = World::start().await;
    let (conversation, list) = with_alice(&world).await;
    let mut alice = Socket::connect(&world, "alice").await;
    let mut opened = alice.get(&list).await;
    for number in 0..1010 {
        say(&world, &conversation, &number.to_string()).await;
    }
    let mut indexes = Vec::new();
    for status in ["interrupted", "completed"] {
        alice.subscribe(&[&opened]).await;
        loop {
            let (kind, event) = alice.event().await;
            if kind == "subscription_established" {
                assert_eq!(event["replay_status"], status);
                opened["last_event_id"] = event["last_event_id"].clone();
                break;
            }
            indexes.push(event["item_index"].as_u64().unwrap());
        }
    }
    assert_eq!(indexes, (0..1010).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_end_of_a_conversation_is_told_in_its_order() {
    let world = World::start().await;
    let (conversation, list) = with_alice(&world).await;
    let sid = conversation.rsplit('/').next().unwrap().to_owned();
    let mut alice = Socket::connect(&world, "alice").await;
    let own = alice.get("/Client/v2/Configuration").await["sync_objects"]["my_conversations"].clone();
    let mut objects: Vec<Value> = Vec::new();
    for path in [
        format!("/v3/Maps/{}", own.as_str().unwrap()),
        format!("/v3/Documents/{sid}.channel"),
        list,
        format!("/v3/Maps/{sid}.roster"),
    ] {
        objects.push(alice.get(&path).await);
    }
    alice.subscribe(&objects.iter().collect::<Vec<_>>()).await;
    for _ in 0..4 {
        alice.event_of("subscription_established").await;
    }
    world.delete(&conversation).await;
    let mut told = Vec::new();
    for _ in 0..5 {
        told.push(alice.event().await.0);
    }
    assert_eq!(told, ["map_item_removed", "map_item_removed", "document_removed", "list_removed", "map_removed"]);
    // After a reset nothing is as it was: sockets go, and come back to an empty account.
    world.control(reqwest::Method::POST, "/reset", json!({})).await;
    assert_eq!(alice.heard().await, crate::support::Heard::End);
}

#[tokio::test]
async fn a_socket_that_does_not_read_is_cut() {
    let world = World::start().await;
    let (conversation, list) = with_alice(&world).await;
    let mut alice = Socket::connect(&world, "alice").await;
    let opened = alice.get(&list).await;
    alice.subscribe(&[&opened]).await;
    let body = "x".repeat(32 * 1024);
    let sockets = async || world.control(reqwest::Method::GET, "/realtime", Value::Null).await.body["sockets"].clone();
    assert_eq!(sockets().await[0]["identity"], "alice");
    for _ in 0..4000 {
        say(&world, &conversation, &body).await;
        if sockets().await == json!([]) {
            return;
        }
    }
    panic!("the socket is still there");
}

#[tokio::test]
async fn an_emulator_that_forgot_everything_goes_on_with_greater_numbers() {
    let world = World::start().await;
    let mut alice = Socket::connect(&world, "alice").await;
    let map = alice.get("/Client/v2/Configuration").await["sync_objects"]["my_conversations"].clone();
    let map = format!("/v3/Maps/{}", map.as_str().unwrap());
    let before = alice.get(&map).await;
    let account = world.emulator.account().clone();
    world.emulator.shutdown().await;

    let config = trunkline_emulator::AccountConfig {
        chat_service_sid: Some(account.chat_service_sid.to_string()),
        ..trunkline_emulator::AccountConfig::default()
    };
    let world = World::of(settings().account(config)).await;
    let mut alice = Socket::connect(&world, "alice").await;
    // The same person has the same objects.
    assert_eq!(alice.get(&map).await["sid"], before["sid"]);
    alice.subscribe(&[&before]).await;
    alice.event_of("subscription_established").await;
    let (conversation, _) = with_alice(&world).await;
    let told = alice.event_of("map_item_added").await;
    assert!(told["id"].as_u64() > before["last_event_id"].as_u64(), "{told}");
    assert!(conversation.ends_with(told["item_key"].as_str().unwrap()));
}
