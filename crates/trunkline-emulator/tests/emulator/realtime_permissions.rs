//! Who may see and change what.

use serde_json::{Value, json};

use crate::support::{Socket, World};

#[tokio::test]
async fn who_is_not_in_a_conversation_neither_reads_nor_changes_it() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    world.create(&format!("{conversation}/Participants"), &[("Identity", "alice")]).await;
    let theirs = world.create(&format!("{conversation}/Messages"), &[("Body", "hi"), ("Author", "carol")]).await;
    let sid = conversation.rsplit('/').next().unwrap();
    let service = world.emulator.account().chat_service_sid;
    let base = format!("/Client/v2/Services/{service}");
    let mut alice = Socket::connect(&world, "alice").await;
    let mut mallory = Socket::connect(&world, "mallory").await;
    let own = alice.get("/Client/v2/Configuration").await["sync_objects"]["my_conversations"].clone();
    let own = own.as_str().unwrap();

    let mut check = async |method: &str, path: &str, body: Value, expect: u16| {
        let (status, answer) = mallory.request(method, path, body).await;
        assert_eq!(status, expect, "{method} {path}: {answer}");
    };
    let one = format!("{base}/Conversations/{sid}");
    check("GET", &format!("/v3/Documents/{sid}.channel"), Value::Null, 403).await;
    check("GET", &format!("/v3/Lists/{sid}.messages/Items"), Value::Null, 403).await;
    check("GET", &format!("/v3/Maps/{own}"), Value::Null, 403).await;
    check("GET", &one, Value::Null, 403).await;
    check("POST", &one, json!({"friendly_name": "mine"}), 403).await;
    check("POST", &format!("{one}/Participants"), json!({"identity": "mallory"}), 403).await;
    check("POST", &format!("{one}/Messages"), json!({"body": "x"}), 403).await;
    check("DELETE", &one, Value::Null, 403).await;
    check("POST", &format!("{base}/Users/alice"), json!({"friendly_name": "x"}), 403).await;
    check("GET", &format!("{base}/Users/alice/Conversations"), Value::Null, 403).await;
    check("GET", &format!("{base}/Users/mallory/Conversations/{sid}"), Value::Null, 404).await;
    check("GET", &format!("{base}/Nothing"), Value::Null, 404).await;
    check("POST", &format!("{one}/Messages"), json!("no object"), 400).await;

    // A subscription says so by itself.
    let roster = alice.get(&format!("/v3/Maps/{sid}.roster")).await;
    mallory.subscribe(&[&roster]).await;
    assert_eq!(mallory.event_of("subscription_failed").await["error"]["status"], 403);

    let message = format!("{one}/Messages/{theirs}");
    assert_eq!(alice.request("POST", &message, json!({"body": "not mine"})).await.0, 403);
}

#[tokio::test]
async fn who_makes_a_conversation_may_join_it() {
    let world = World::start().await;
    let mut alice = Socket::connect(&world, "alice").await;
    let mut bob = Socket::connect(&world, "bob").await;
    let service = world.emulator.account().chat_service_sid;
    let base = format!("/Client/v2/Services/{service}/Conversations");
    let (status, made) = alice.request("POST", &base, json!({"friendly_name": "ours"})).await;
    assert_eq!((status, made["created_by"].as_str()), (201, Some("alice")));
    let participants = format!("{base}/{}/Participants", made["sid"].as_str().unwrap());
    assert_eq!(bob.request("POST", &participants, json!({"identity": "bob"})).await.0, 403);
    assert_eq!(alice.request("POST", &participants, json!({"identity": "alice"})).await.0, 201);
    assert_eq!(alice.request("POST", &participants, json!({"identity": "bob"})).await.0, 201);
    assert_eq!(bob.request("DELETE", &format!("{participants}/bob"), json!({})).await.0, 204);
}

#[tokio::test]
async fn a_role_says_what_a_participant_may_do() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    let role = async |permissions: &[&str]| {
        let mut form = vec![("FriendlyName", "some"), ("Type", "conversation")];
        form.extend(permissions.iter().map(|one| ("Permission", *one)));
        world.create("/v1/Roles", &form).await
    };
    let reader = role(&["leaveConversation"]).await;
    let warden = role(&["sendMessage", "editAnyMessage", "removeParticipant"]).await;
    let participants = format!("{conversation}/Participants");
    world.create(&participants, &[("Identity", "alice"), ("RoleSid", &reader)]).await;
    world.create(&participants, &[("Identity", "bob"), ("RoleSid", &warden)]).await;
    let sid = conversation.rsplit('/').next().unwrap();
    let base = format!("/Client/v2/Services/{}/Conversations/{sid}", world.emulator.account().chat_service_sid);
    let mut alice = Socket::connect(&world, "alice").await;
    let mut bob = Socket::connect(&world, "bob").await;
    let messages = format!("{base}/Messages");
    assert_eq!(alice.request("POST", &messages, json!({"body": "no"})).await.0, 403);
    assert_eq!(bob.request("POST", &messages, json!({"body": "yes"})).await.0, 201);
    let theirs = world.create(&format!("{conversation}/Messages"), &[("Body", "hi"), ("Author", "alice")]).await;
    let message = format!("{messages}/{theirs}");
    assert_eq!(bob.request("POST", &message, json!({"body": "edited"})).await.0, 200);
    assert_eq!(bob.request("DELETE", &message, json!({})).await.0, 403);
    assert_eq!(bob.request("POST", &base, json!({"friendly_name": "mine"})).await.0, 403);
    assert_eq!(alice.request("DELETE", &format!("{base}/Participants/bob"), json!({})).await.0, 403);
    assert_eq!(alice.request("DELETE", &format!("{base}/Participants/alice"), json!({})).await.0, 204);
}

#[tokio::test]
async fn a_batch_has_a_limit() {
    let world = World::start().await;
    let mut alice = Socket::connect(&world, "alice").await;
    let request = json!({"object_sid": format!("MP{}", "0".repeat(32)), "object_type": "map", "last_event_id": 0});
    let batch = json!({"event_protocol_version": 4, "action": "establish", "correlation_id": 1,
        "requests": vec![request; 101]});
    assert_eq!(alice.request("POST", "/v4/Subscriptions", batch).await.0, 400);
}
