//! Sockets that break, stall, fall silent and are refused, on request.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Heard, Socket, World, mint};

async fn names(world: &World) -> Vec<Value> {
    let body = world.control(Method::GET, "/realtime", Value::Null).await.body;
    body["sockets"].as_array().unwrap().iter().map(|socket| socket["identity"].clone()).collect()
}

#[tokio::test]
async fn sockets_are_listed_cut_and_expired() {
    let world = World::start().await;
    let mut alice = Socket::connect(&world, "alice").await;
    let mut bob = Socket::connect(&world, "bob").await;
    assert_eq!(names(&world).await, ["alice", "bob"]);
    let cut = world.control(Method::POST, "/realtime/cut?identity=alice", json!({})).await;
    assert_eq!(cut.body, json!({"cut": 1}));
    assert_eq!(alice.heard().await, Heard::End);
    assert_eq!(names(&world).await, ["bob"]);
    let expired = world.control(Method::POST, "/realtime/expire", json!({})).await;
    assert_eq!(expired.body, json!({"expired": 1}));
    assert_eq!(bob.heard().await, Heard::Close(410));
}

#[tokio::test]
async fn a_socket_is_cut_at_a_message_and_within_one() {
    for in_frame in [false, true] {
        let world = World::start().await;
        let fault = json!({"kind": "socket_cut", "at_message": 3, "in_frame": in_frame});
        world.fault(json!({"match": {"identity": "alice"}, "count": 1, "fault": fault})).await;
        let mut alice = Socket::connect(&world, "alice").await;
        let mut bob = Socket::connect(&world, "bob").await;
        for _ in 0..3 {
            bob.get("/Client/v2/Configuration").await;
        }
        alice.get("/Client/v2/Configuration").await;
        alice.ask("GET", "/Client/v2/Configuration", &Value::Null).await;
        assert_eq!(alice.heard().await, Heard::End);
        // Used up: the next socket lives.
        let mut alice = Socket::connect(&world, "alice").await;
        for _ in 0..3 {
            alice.get("/Client/v2/Configuration").await;
        }
    }
}

#[tokio::test]
async fn a_socket_stalls() {
    let world = World::start().await;
    world.fault(json!({"fault": {"kind": "socket_stall", "ms": 200, "at_message": 2}})).await;
    let mut alice = Socket::connect(&world, "alice").await;
    let begun = Instant::now();
    alice.get("/Client/v2/Configuration").await;
    assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_half_open_socket_hears_everything_and_says_nothing() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    world.create(&format!("{conversation}/Participants"), &[("Identity", "alice")]).await;
    let mut alice = Socket::connect(&world, "alice").await;
    world.fault(json!({"count": 1, "fault": {"kind": "socket_half_open"}})).await;
    let service = world.emulator.account().chat_service_sid;
    let path = format!("/Client/v2/Services/{service}{}/Messages", conversation.trim_start_matches("/v1"));
    alice.ask("POST", &path, &json!({"body": "heard"})).await;
    let arrived = crate::support::until(async || {
        let messages = world.get(&format!("{conversation}/Messages")).await.body["messages"].clone();
        (messages[0]["body"] == "heard").then_some(())
    });
    arrived.await;
    assert!(tokio::time::timeout(Duration::from_millis(100), alice.heard()).await.is_err());
}

#[tokio::test]
async fn a_good_token_is_refused_with_a_hint() {
    let world = World::start().await;
    let fault = json!({"kind": "init_failure", "status": 429, "code": 20429, "backoff_ms": 700});
    world.fault(json!({"match": {"identity": "alice"}, "count": 1, "fault": fault})).await;
    Socket::connect(&world, "bob").await;
    let mut alice = Socket::open(&world).await;
    let (reply, payload) = alice.init(&mint(world.emulator.account(), "alice", 60)).await;
    assert_eq!((reply.status.code, reply.status.error_code), (429, Some(20429)));
    assert_eq!(payload, json!({"backoff_policy": {"reconnect_min_ms": 700}}));
    Socket::connect(&world, "alice").await;
}

#[tokio::test]
async fn a_replay_has_a_gap() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    world.create(&format!("{conversation}/Participants"), &[("Identity", "alice")]).await;
    let name = format!("{}.messages", conversation.rsplit('/').next().unwrap());
    let mut alice = Socket::connect(&world, "alice").await;
    let opened = alice.get(&format!("/v3/Lists/{name}")).await;
    for body in ["lost", "lost too", "told"] {
        world.create(&format!("{conversation}/Messages"), &[("Body", body)]).await;
    }
    world.fault(json!({"match": {"object": name}, "count": 1, "fault": {"kind": "replay_gap", "events": 2}})).await;
    alice.subscribe(&[&opened]).await;
    assert_eq!(alice.event().await.1["item_data"]["text"], "told");
    assert_eq!(alice.event().await.0, "subscription_established");
}

#[tokio::test]
async fn requests_inside_a_socket_fail_like_those_of_rest() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    world.create(&format!("{conversation}/Participants"), &[("Identity", "alice")]).await;
    let service = world.emulator.account().chat_service_sid;
    let path = format!("/Client/v2/Services/{service}{}/Messages", conversation.trim_start_matches("/v1"));
    let sent = async || world.get(&format!("{conversation}/Messages")).await.body["messages"].as_array().unwrap().len();
    let mut alice = Socket::connect(&world, "alice").await;
    let matches = json!({"method": "POST", "path": "/Client/**/Messages"});
    world.fault(json!({"match": matches, "count": 1, "fault": {"kind": "status", "status": 503}})).await;
    assert_eq!(alice.request("POST", &path, json!({"body": "refused"})).await.0, 503);
    assert_eq!(sent().await, 0);
    // It was carried out, and nobody was told.
    world.fault(json!({"match": matches, "count": 1, "fault": {"kind": "drop_after"}})).await;
    alice.ask("POST", &path, &json!({"body": "unknown"})).await;
    assert_eq!(alice.heard().await, Heard::End);
    assert_eq!(sent().await, 1);
    // It was carried out, and the answer says that it failed.
    world.fault(json!({"match": matches, "count": 1, "fault": {"kind": "status", "status": 504, "after": true}})).await;
    let mut alice = Socket::connect(&world, "alice").await;
    assert_eq!(alice.request("POST", &path, json!({"body": "unknown too"})).await.0, 504);
    assert_eq!(sent().await, 2);
    // A rule that names no path is for REST.
    world.fault(json!({"count": 1, "fault": {"kind": "status", "status": 500}})).await;
    let mut alice = Socket::connect(&world, "alice").await;
    assert_eq!(alice.request("POST", &path, json!({"body": "sent"})).await.0, 201);
}
