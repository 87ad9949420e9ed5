//! Faults over real sockets.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{DEADLINE, PERSON, Receiver, World};

/// Sends a message by hand and returns every byte that came back before the connection closed.
async fn raw_message(world: &World, conversation: &str) -> Vec<u8> {
    let account = world.emulator.account();
    let credentials = STANDARD.encode(format!("{}:{}", account.account_sid, account.auth_token));
    let body = "Body=hello";
    let request = format!(
        "POST {conversation}/Messages HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len(),
    );
    let mut socket = TcpStream::connect(world.emulator.address()).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A reset is as good as an end.
    drop(tokio::time::timeout(DEADLINE, socket.read_to_end(&mut answer)).await.unwrap());
    answer
}

async fn messages(world: &World, conversation: &str) -> usize {
    world.get(&format!("{conversation}/Messages")).await.body["messages"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_dropped_answer_leaves_the_message_and_no_byte() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    let path = "/v1/Conversations/*/Messages";
    let fault = json!({"match": {"method": "POST", "path": path}, "count": 1, "fault": {"kind": "drop_after"}});
    world.fault(fault).await;
    assert_eq!(raw_message(&world, &conversation).await, b"");
    assert_eq!(messages(&world, &conversation).await, 1);
    // The client of a library sees an error and not a status.
    world.fault(json!({"match": {"method": "POST"}, "count": 1, "fault": {"kind": "drop_after"}})).await;
    let lost = world.request(Method::POST, &format!("{conversation}/Messages")).form(&[("Body", "x")]).send().await;
    assert!(lost.is_err());
    assert_eq!(messages(&world, &conversation).await, 2);
    let faults = world.control(Method::GET, "/faults", Value::Null).await.body;
    assert_eq!(faults["faults"][0]["hits"], 1);
    assert_eq!(faults["faults"][0]["match"], json!({"method": "POST", "path": path}));
}

#[tokio::test]
async fn a_dropped_request_leaves_nothing() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    world.fault(json!({"match": {"method": "POST"}, "count": 1, "fault": {"kind": "drop_before"}})).await;
    assert_eq!(raw_message(&world, &conversation).await, b"");
    assert_eq!(messages(&world, &conversation).await, 0);
}

#[tokio::test]
async fn a_status_does_nothing_else() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    let fault = json!({"kind": "status", "status": 429, "retry_after_ms": 1500});
    let id = world.fault(json!({"match": {"method": "POST"}, "fault": fault})).await.body["id"].clone();
    let request = world.request(Method::POST, &format!("{conversation}/Messages")).form(&[("Body", "x")]);
    let throttled = request.send().await.unwrap();
    assert_eq!(throttled.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(throttled.headers()["retry-after"], "2");
    assert_eq!(throttled.json::<Value>().await.unwrap()["code"], 20429);
    assert_eq!(messages(&world, &conversation).await, 0);
    let removed = world.control(Method::DELETE, &format!("/faults/{id}"), Value::Null).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    world.create(&format!("{conversation}/Messages"), &[("Body", "x")]).await;
    world.fault(json!({"fault": {"kind": "status", "status": 503, "code": 20503}})).await;
    assert_eq!(world.get(&conversation).await.problem(), (503, 20503));
    assert_eq!(world.control(Method::DELETE, "/faults", Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&conversation).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_status_may_strike_after_the_effect() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    let fault = json!({"kind": "status", "status": 504, "after": true, "retry_after_ms": 2000});
    world.fault(json!({"match": {"method": "POST"}, "count": 1, "fault": fault})).await;
    let request = world.request(Method::POST, &format!("{conversation}/Messages")).form(&[("Body", "x")]);
    let late = request.send().await.unwrap();
    assert_eq!((late.status(), late.headers()["retry-after"].to_str().unwrap()), (StatusCode::GATEWAY_TIMEOUT, "2"));
    assert_eq!(late.json::<Value>().await.unwrap()["code"], 20500);
    assert_eq!(messages(&world, &conversation).await, 1);
    let faults = world.control(Method::GET, "/faults", Value::Null).await.body;
    assert_eq!(faults["faults"][0]["fault"], fault);
    world.create(&format!("{conversation}/Messages"), &[("Body", "y")]).await;
    assert_eq!(messages(&world, &conversation).await, 2);
}

#[tokio::test]
async fn latency_is_waited_for() {
    let world = World::start().await;
    world.fault(json!({"fault": {"kind": "latency", "ms": 120}})).await;
    let start = Instant::now();
    assert_eq!(world.get("/v1/Services").await.status, StatusCode::OK);
    assert!(start.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn webhooks_are_doubled_lost_and_late() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    world.tell(&receiver, &["onConversationAdded", "onParticipantAdded", "onMessageAdded"]).await;
    let on = |event: &str, fault: Value| json!({"match": {"event": event}, "fault": fault});
    world.fault(on("onConversationAdded", json!({"kind": "webhook_duplicate", "times": 2}))).await;
    world.fault(on("onParticipantAdded", json!({"kind": "webhook_lose"}))).await;
    world.fault(on("onMessageAdded", json!({"kind": "webhook_delay", "ms": 100}))).await;
    let start = Instant::now();
    world.text(PERSON, "hello").await;
    let received = receiver.wait(4).await;
    assert!(start.elapsed() >= Duration::from_millis(100));
    let added = "onConversationAdded";
    assert_eq!(receiver.events(), [added, added, added, "onMessageAdded"]);
    assert!(received[..3].iter().all(|one| one.token == received[0].token));
    assert_ne!(received[3].token, received[0].token);
}

#[tokio::test]
async fn webhooks_overtake_each_other_when_asked_to() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    world.tell(&receiver, &["onMessageAdded"]).await;
    world.fault(json!({"seed": 3, "fault": {"kind": "webhook_reorder", "window_ms": 200}})).await;
    for number in 0..30 {
        world.text(PERSON, &number.to_string()).await;
    }
    let received = receiver.wait(30).await;
    let order: Vec<u32> = received.iter().map(|one| one.param("Body").parse().unwrap()).collect();
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert_ne!(order, sorted);
    assert_eq!(sorted, (0..30).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_fault_that_makes_no_sense_is_refused() {
    let world = World::start().await;
    for fault in [
        json!({}),
        json!({"fault": {"kind": "explode"}}),
        json!({"match": {"event": "onMessageAdded"}, "fault": {"kind": "drop_after"}}),
    ] {
        assert_eq!(world.control(Method::POST, "/faults", fault).await.problem(), (400, 20001));
    }
    let missing = world.control(Method::DELETE, "/faults/7", Value::Null).await;
    assert_eq!(missing.problem(), (404, 20404));
}

#[tokio::test]
async fn answers_are_cut_short_or_are_no_json() {
    let world = World::start().await;
    let path = "/v1/Conversations";
    world.fault(json!({"match": {"path": path}, "count": 1, "fault": {"kind": "truncate", "bytes": 10}})).await;
    let cut = world.request(Method::POST, path).send().await.unwrap();
    assert_eq!(cut.status(), StatusCode::CREATED);
    assert!(cut.bytes().await.is_err());
    world.fault(json!({"match": {"path": path}, "count": 1, "fault": {"kind": "wrong_json"}})).await;
    let wrong = world.request(Method::GET, path).send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::OK);
    let text = wrong.text().await.unwrap();
    assert!(serde_json::from_str::<Value>(&text).is_err(), "{text}");
    // Both were carried out.
    assert_eq!(world.get(path).await.body["conversations"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn faults_reach_the_webhooks_of_calls() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    receiver.xml("/spare", "<Response><Hangup/></Response>");
    let (voice, spare, status) = (receiver.url("/voice"), receiver.url("/spare"), receiver.url("/status"));
    let number = json!({"voice_url": voice, "voice_fallback_url": spare, "status_callback": status});
    world.control(Method::POST, "/numbers", number).await;
    world.fault(json!({"match": {"event": "call_document"}, "count": 1, "fault": {"kind": "webhook_lose"}})).await;
    let twice = json!({"match": {"event": "call_callback"}, "fault": {"kind": "webhook_duplicate", "times": 1}});
    world.fault(twice).await;
    world.control(Method::POST, "/calls", json!({"from": PERSON, "steps": [{"wait_for_hang_up": {}}]})).await;
    // The document was never asked for, the fall-back was; and the call's end is told twice.
    let got = receiver.wait(3).await;
    let paths: Vec<_> = got.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(paths, ["/spare", "/status", "/status"]);
    assert_eq!(got[0].param("ErrorCode"), "11205");
    let unknown = json!({"match": {"event": "call_nothing"}, "fault": {"kind": "webhook_lose"}});
    assert_eq!(world.control(Method::POST, "/faults", unknown).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_webhook_is_signed_wrongly_on_request() {
    let world = World::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/post", listener.local_addr().unwrap());
    world.configure(&[("PostWebhookUrl", &url)], &["onConversationAdded"]).await;
    let account = world.emulator.account().clone();
    let mut signatures = Vec::new();
    for fault in [true, false] {
        if fault {
            world.fault(json!({"count": 1, "fault": {"kind": "webhook_wrong_signature"}})).await;
        }
        world.post_aloud("/v1/Conversations", &[]).await;
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 64 * 1024];
        let length = socket.read(&mut request).await.unwrap();
        let text = String::from_utf8_lossy(&request[..length]).into_owned();
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let signature = head.lines().find_map(|line| line.strip_prefix("x-twilio-signature: ")).unwrap();
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let right = trunkline_proto::signature::sign(
            trunkline_proto::signature::Algorithm::HmacSha1,
            account.auth_token.as_bytes(),
            &url,
            &pairs,
        );
        signatures.push(right == signature);
    }
    assert_eq!(signatures, [false, true]);
}
