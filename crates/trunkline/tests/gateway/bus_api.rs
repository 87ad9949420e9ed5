//! The bus over HTTP: programs outside read facts and give commands, whatever is killed or restarted.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{ADA, Answer, BOB, CONSOLE_TOKEN, SENDS, World, answer, outbox, until};

const NOBODY: &[(&str, &str)] = &[("TRUNKLINE_AGENT", "none")];

async fn request(world: &World, method: Method, path: &str, body: Value) -> Answer {
    let request = world.http.request(method, world.gateway_url(path)).bearer_auth(CONSOLE_TOKEN);
    answer(if body.is_null() { request } else { request.json(&body) }).await
}

async fn poll(world: &World, query: &str) -> Vec<Value> {
    let page = request(world, Method::GET, &format!("/api/v1/bus/ingress?{query}"), Value::Null).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    page.body["deliveries"].as_array().unwrap().clone()
}

/// Asks until nobody else waits as the same consumer.
async fn first_in_line(http: reqwest::Client, url: String) -> Value {
    until("nobody else waits", async || {
        let page = answer(http.get(&url).bearer_auth(CONSOLE_TOKEN)).await;
        (page.status != StatusCode::CONFLICT).then_some(page.body)
    })
    .await
}

/// Waits for the next text; other facts are acknowledged on the way.
async fn next_text(world: &World, query: &str) -> Value {
    until("a text is delivered", async || {
        let mut found = None;
        for delivery in poll(world, &format!("{query}&limit=1&wait_ms=2000")).await {
            if delivery["envelope"]["type"] == "message.received.v1" {
                found = Some(delivery);
            } else {
                settle(world, json!({ "ack": [delivery["delivery"]] })).await;
            }
        }
        found
    })
    .await
}

async fn settle(world: &World, body: Value) -> Value {
    let settled = request(world, Method::POST, "/api/v1/bus/ack", body).await;
    assert_eq!(settled.status, StatusCode::OK, "{}", settled.text);
    settled.body["gone"].clone()
}

fn command(id: &str, text: &str, delivery: &Value) -> Value {
    let fact = &delivery["envelope"];
    json!({
        "specversion": "1.0", "id": id, "source": "my-agent", "type": "message.send.v1",
        "subject": fact["subject"], "time": "2026-01-01T00:00:00Z",
        "data": {
            "connector": fact["source"], "conversation": fact["data"]["metadata"]["conversation"], "text": text,
            "in_reply_to": [fact["data"]["metadata"]["message"]],
        },
    })
}

async fn send(world: &World, command: Value) -> Answer {
    request(world, Method::POST, "/api/v1/bus/egress", command).await
}

#[tokio::test]
async fn a_text_is_read_answered_once_and_acknowledged() {
    let world = World::start(NOBODY).await;
    world.text(ADA, "text 1").await;
    let text = next_text(&world, "consumer=a").await;
    assert_eq!((&text["attempt"], &text["answer"]), (&json!(1), &json!("waiting")));
    assert_eq!(text["envelope"]["data"]["text"], "text 1");
    let first = send(&world, command("reply-1", "hello Ada", &text)).await;
    assert_eq!((first.status, &first.body["new"]), (StatusCode::ACCEPTED, &json!(true)), "{}", first.text);
    let again = send(&world, command("reply-1", "hello Ada", &text)).await;
    assert_eq!((again.status, &again.body["new"]), (StatusCode::ACCEPTED, &json!(false)), "{}", again.text);
    assert_eq!(first.body["outbox_id"], again.body["outbox_id"]);
    assert_eq!(settle(&world, json!({ "ack": [text["delivery"]] })).await, json!([]));
    world.expect_answers(ADA, &["hello Ada"]).await;

    let other = send(&world, command("reply-1", "something else", &text)).await;
    assert_eq!((other.status, &other.body["code"]), (StatusCode::CONFLICT, &json!("store.command_reused")));
    let late = send(&world, command("reply-2", "me too", &text)).await;
    assert_eq!((late.status, &late.body["code"]), (StatusCode::CONFLICT, &json!("store.already_answered")));
    assert_eq!(settle(&world, json!({ "ack": [text["delivery"]] })).await, json!([text["delivery"]]), "settled before");
    world.expect_answers(ADA, &["hello Ada"]).await;
    assert_eq!(world.api("/api/v1/conversations").await["conversations"][0]["state"], "idle");
    assert!(poll(&world, "consumer=a").await.iter().all(|it| it["envelope"]["type"] != "message.received.v1"));
    let late_reader = next_text(&world, "consumer=b").await;
    assert_eq!(late_reader["answer"], "answered", "a new consumer begins at the beginning, and sees what is done");
}

#[tokio::test]
async fn what_is_not_acknowledged_comes_again() {
    let mut world = World::start(NOBODY).await;
    world.text(ADA, "text 1").await;
    let first = next_text(&world, "consumer=a&lease_ms=3000").await;
    let others = poll(&world, "consumer=a").await;
    assert!(others.iter().all(|it| it["envelope"] != first["envelope"]), "it is leased");
    let again = next_text(&world, "consumer=a").await;
    assert_eq!((&again["attempt"], &again["envelope"]), (&json!(2), &first["envelope"]), "the lease is over");
    assert_eq!(settle(&world, json!({ "ack": [first["delivery"]] })).await, json!([first["delivery"]]));
    let nack = json!({ "nack": [{ "delivery": again["delivery"], "delay_ms": 100 }] });
    assert_eq!(settle(&world, nack).await, json!([]));
    let third = next_text(&world, "consumer=a&lease_ms=400").await;
    assert_eq!(third["attempt"], 3);
    assert_eq!(settle(&world, json!({ "extend": [third["delivery"]] })).await, json!([]));
    // The gateway is restarted while somebody has it in hand: the lease ends with the process.
    world.stop_gateway().await;
    world.start_gateway().await;
    let fourth = next_text(&world, "consumer=a").await;
    assert_eq!(fourth["envelope"], first["envelope"]);
    assert_eq!(send(&world, command("reply", "at last", &fourth)).await.status, StatusCode::ACCEPTED);
    settle(&world, json!({ "ack": [fourth["delivery"]] })).await;
    world.stop_gateway().await;
    world.start_gateway().await;
    world.expect_answers(ADA, &["at last"]).await;
    assert!(poll(&world, "consumer=a&wait_ms=100").await.iter().all(|it| it["envelope"] != first["envelope"]));
}

#[tokio::test]
async fn a_command_is_carried_out_once_although_the_provider_drops_the_answer() {
    let world = World::start(NOBODY).await;
    world.text(ADA, "text 1").await;
    let text = next_text(&world, "consumer=a").await;
    let fault = json!({ "match": { "method": "POST", "path": SENDS }, "count": 1, "fault": { "kind": "drop_after" } });
    let fault = world.fault(fault).await;
    for _ in 0..3 {
        assert_eq!(send(&world, command("reply", "once", &text)).await.status, StatusCode::ACCEPTED);
    }
    world.expect_answers(ADA, &["once"]).await;
    assert_eq!(world.fault_hits(fault).await, 1);
    assert_eq!(outbox(&world.data_dir(), "sent"), 1);
}

#[tokio::test]
async fn a_text_whose_webhook_was_lost_reaches_the_bus_by_being_read_back() {
    let mut world = World::start(NOBODY).await;
    world.text(ADA, "text 1").await;
    let text = next_text(&world, "consumer=a").await;
    settle(&world, json!({ "ack": [text["delivery"]] })).await;
    world.until_idle().await;
    world.stop_gateway().await;
    world.text(ADA, "text 2").await;
    world.until_webhooks_are_delivered().await;
    world.start_gateway().await;
    let missed = next_text(&world, "consumer=a").await;
    assert_eq!((&missed["envelope"]["data"]["text"], &missed["answer"]), (&json!("text 2"), &json!("waiting")));
    assert_eq!(send(&world, command("reply", "found you", &missed)).await.status, StatusCode::ACCEPTED);
    world.expect_answers(ADA, &["found you"]).await;
}

#[tokio::test]
async fn somebody_outside_may_also_speak_first_and_beside_an_agent() {
    let world = World::start(&[]).await;
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    let text = next_text(&world, "consumer=watcher").await;
    let mut order = command("order-1", "your parcel is here", &text);
    let refused = send(&world, order.clone()).await;
    assert_eq!(refused.body["code"], "store.already_answered");
    order["data"].as_object_mut().unwrap().remove("in_reply_to");
    assert_eq!(send(&world, order).await.status, StatusCode::ACCEPTED);
    world.expect_answers(ADA, &["answer 1", "your parcel is here"]).await;
}

#[tokio::test]
async fn a_text_may_be_left_without_words() {
    let world = World::start(NOBODY).await;
    world.text(ADA, "text 1").await;
    let text = next_text(&world, "consumer=a").await;
    for new in [true, false] {
        let silent = send(&world, command("silence", " ", &text)).await;
        assert_eq!((silent.status, &silent.body["new"]), (StatusCode::ACCEPTED, &json!(new)), "{}", silent.text);
    }
    world.expect_answers(ADA, &[]).await;
    assert_eq!(world.api("/api/v1/conversations").await["conversations"][0]["state"], "idle");
}

#[tokio::test]
async fn what_cannot_be_a_command_is_named() {
    let world = World::start(NOBODY).await;
    world.text(ADA, "private words").await;
    let text = next_text(&world, "consumer=a").await;
    let good = command("id", "hello", &text);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut command = good.clone();
        change(&mut command);
        command
    };
    let wrong = [
        (json!([1]), 400, "core.envelope.malformed"),
        (with(&|it| it["specversion"] = json!("0.3")), 400, "core.envelope.version"),
        (with(&|it| it["type"] = json!("message.received.v1")), 400, "bus_api.not_a_command"),
        (with(&|it| it["data"] = json!({ "text": "private words" })), 400, "core.envelope.data"),
        (with(&|it| it["data"]["outbox_id"] = json!("1")), 400, "bus_api.not_a_command"),
        (with(&|it| it["id"] = json!("")), 400, "bus_api.bad_request"),
        (with(&|it| it["source"] = json!("x".repeat(201))), 400, "bus_api.bad_request"),
        (with(&|it| it["data"]["in_reply_to"] = json!(vec!["m"; 51])), 400, "bus_api.bad_request"),
        (
            with(&|it| it["data"] = json!({ "connector": "twilio", "conversation": "c", "text": " " })),
            400,
            "bus_api.nothing_to_say",
        ),
        (with(&|it| it["data"]["connector"] = json!("pigeon")), 422, "bus_api.unknown_connector"),
        (with(&|it| it["data"]["text"] = json!("é".repeat(1601))), 422, "bus_api.text_too_long"),
        (with(&|it| it["data"]["conversation"] = json!("CH0")), 404, "store.not_found"),
        (with(&|it| it["data"]["in_reply_to"] = json!(["IM0"])), 404, "store.not_found"),
        (with(&|it| it["data"]["text"] = json!("x".repeat(70 << 10))), 413, "bus_api.bad_request"),
    ];
    for (command, status, code) in wrong {
        let refused = send(&world, command).await;
        assert_eq!((refused.status.as_u16(), &refused.body["code"]), (status, &json!(code)), "{}", refused.text);
        assert!(!refused.text.contains("private words") && !refused.text.contains(ADA), "{}", refused.text);
    }
    for (path, body) in
        [("/api/v1/bus/ack", json!({ "acks": [] })), ("/api/v1/bus/ack", json!({ "ack": vec!["x"; 501] }))]
    {
        let refused = request(&world, Method::POST, path, body).await;
        assert_eq!((refused.status.as_u16(), &refused.body["code"]), (400, &json!("bus_api.bad_request")));
    }
    for query in ["", "?consumer=", "?consumer=two%20words", "?consumer=a&limit=x"] {
        let refused = request(&world, Method::GET, &format!("/api/v1/bus/ingress{query}"), Value::Null).await;
        assert_eq!((refused.status.as_u16(), &refused.body["code"]), (400, &json!("bus_api.bad_request")), "{query}");
    }
    let misspelt = request(&world, Method::GET, "/api/v1/bus/ingress?consumer=a&wait=20", Value::Null).await;
    assert_eq!((misspelt.status.as_u16(), &misspelt.body["code"]), (400, &json!("bus_api.bad_request")));
    assert!(misspelt.body["message"].as_str().unwrap().contains("unknown field `wait`"), "{}", misspelt.text);
    assert_eq!(outbox(&world.data_dir(), "pending") + outbox(&world.data_dir(), "sent"), 0, "nothing was half done");
    assert_eq!(send(&world, good).await.status, StatusCode::ACCEPTED);
    world.expect_answers(ADA, &["hello"]).await;
}

#[tokio::test]
async fn consumers_are_few_alone_and_forgotten_on_request() {
    let world = World::start(NOBODY).await;
    let waiting = first_in_line(world.http.clone(), world.gateway_url("/api/v1/bus/ingress?consumer=a&wait_ms=30000"));
    let busy = until("the other request waits", async || {
        let other = request(&world, Method::GET, "/api/v1/bus/ingress?consumer=a", Value::Null).await;
        (other.status == StatusCode::CONFLICT).then_some(other.body)
    });
    let (delivered, ()) = tokio::join!(waiting, async {
        assert_eq!(busy.await["code"], "bus_api.consumer_busy");
        world.text(BOB, "text 1").await;
    });
    let delivered = delivered["deliveries"].as_array().unwrap();
    assert!(!delivered.is_empty(), "a fact ends the wait");
    for number in 0..15 {
        poll(&world, &format!("consumer=b{number}")).await;
    }
    let refused = request(&world, Method::GET, "/api/v1/bus/ingress?consumer=c", Value::Null).await;
    assert_eq!((refused.status, &refused.body["code"]), (StatusCode::CONFLICT, &json!("bus_api.too_many_consumers")));
    let forgotten = request(&world, Method::DELETE, "/api/v1/bus/consumers/a", Value::Null).await;
    assert_eq!(forgotten.status, StatusCode::NO_CONTENT);
    let begins_anew = poll(&world, "consumer=a").await;
    assert_eq!((&begins_anew[0]["attempt"], &begins_anew[0]["envelope"]), (&json!(1), &delivered[0]["envelope"]));
}

#[tokio::test]
async fn a_waiting_request_does_not_hold_up_the_end_of_the_gateway() {
    let mut world = World::start(NOBODY).await;
    poll(&world, "consumer=a").await;
    let url = world.gateway_url("/api/v1/bus/ingress?consumer=a&wait_ms=30000");
    let waiting = first_in_line(world.http.clone(), url);
    let begun = std::time::Instant::now();
    let busy = async {
        until("the request waits", async || {
            let other = request(&world, Method::GET, "/api/v1/bus/ingress?consumer=a", Value::Null).await;
            (other.status == StatusCode::CONFLICT).then_some(())
        })
        .await;
    };
    let mut waiting = std::pin::pin!(waiting);
    tokio::select! {
        () = busy => {}
        early = &mut waiting => panic!("{early:?}"),
    }
    let (ended, ()) = tokio::join!(waiting, world.stop_gateway());
    assert_eq!(ended, json!({ "deliveries": [] }));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn nobody_gets_in_without_the_token() {
    let world = World::start(NOBODY).await;
    for (method, path) in [
        (Method::GET, "/api/v1/bus/ingress?consumer=a"),
        (Method::POST, "/api/v1/bus/ack"),
        (Method::POST, "/api/v1/bus/egress"),
        (Method::DELETE, "/api/v1/bus/consumers/a"),
    ] {
        let refused = answer(world.http.request(method, world.gateway_url(path)).json(&json!({}))).await;
        assert_eq!((refused.status, &refused.body["code"]), (StatusCode::UNAUTHORIZED, &json!("console.unauthorized")));
    }
}
