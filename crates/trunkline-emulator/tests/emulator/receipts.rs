//! What phones say of messages that they get.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{NUMBER, PERSON, Receiver, World, until};

fn of(phone: &str, what: &str) -> String {
    format!("/phones/{}/{what}", phone.replace('+', "%2B"))
}

async fn receive(world: &World, phone: &str, rule: Value) {
    let set = world.control(Method::PUT, &of(phone, "receiving"), rule).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.body);
}

/// Status and code of the only receipt of a message, when it has this status.
async fn receipt(world: &World, message: &str, status: &str) -> Value {
    until(async || {
        let list = world.get(&format!("{message}/Receipts")).await.body["delivery_receipts"].clone();
        Some(list[0]["error_code"].clone()).filter(|_| list[0]["status"] == status)
    })
    .await
}

#[tokio::test]
async fn receipts_follow_the_phone() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    world.bind(&conversation, PERSON).await;
    let messages = format!("{conversation}/Messages");
    let send = async || format!("{messages}/{}", world.create(&messages, &[("Body", "hi")]).await);
    for (rule, status, code) in [
        (json!({"rule": "read"}), "read", 0),
        (json!({"rule": "undelivered", "error_code": 30003}), "undelivered", 30003),
        (json!({"rule": "failed"}), "failed", 30008),
        (json!({"rule": "deliver"}), "delivered", 0),
    ] {
        receive(&world, PERSON, rule).await;
        let message = send().await;
        assert_eq!(receipt(&world, &message, status).await, code);
        let delivery = world.get(&message).await.body["delivery"].clone();
        assert_eq!(delivery[status], "all", "{delivery}");
        assert_eq!(delivery["sent"], if status == "failed" { "none" } else { "all" });
    }
    assert_eq!(world.control(Method::PUT, &of(PERSON, "receiving"), json!({"rule": "eat"})).await.status, 400);
    world.control(Method::DELETE, &of(PERSON, "receiving"), Value::Null).await;
    assert_eq!(
        world.control(Method::GET, &of(PERSON, "receiving"), Value::Null).await.body,
        json!({"rule": "deliver"})
    );
}

#[tokio::test]
async fn a_held_message_waits_for_word_and_goes_forward_only() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    world.tell(&receiver, &["onDeliveryUpdated"]).await;
    let conversation = world.conversation().await;
    world.bind(&conversation, PERSON).await;
    receive(&world, PERSON, json!({"rule": "hold"})).await;
    let sid = world.create(&format!("{conversation}/Messages"), &[("Body", "hi")]).await;
    let message = format!("{conversation}/Messages/{sid}");
    receipt(&world, &message, "sent").await;
    let say = async |status: &str| {
        let path = of(PERSON, &format!("messages/{sid}/status"));
        world.control(Method::POST, &path, json!({"status": status})).await.status.as_u16()
    };
    assert_eq!(say("delivered").await, 200);
    assert_eq!(say("read").await, 200);
    assert_eq!(say("delivered").await, 409);
    assert_eq!(say("failed").await, 409);
    let told = receiver.wait(3).await;
    let statuses: Vec<_> = told.iter().map(|one| one.param("Status").to_owned()).collect();
    assert_eq!(statuses, ["sent", "delivered", "read"]);
}

#[tokio::test]
async fn whatsapp_takes_only_templates_outside_the_window() {
    let world = World::start().await;
    let person = format!("whatsapp:{PERSON}");
    let conversation = world.conversation().await;
    let pair = [
        ("MessagingBinding.Address", person.as_str()),
        ("MessagingBinding.ProxyAddress", &format!("whatsapp:{NUMBER}")),
    ];
    world.create(&format!("{conversation}/Participants"), &pair).await;
    let messages = format!("{conversation}/Messages");
    let path = |sid: String| format!("{messages}/{sid}");
    let cold = path(world.create(&messages, &[("Body", "hello?")]).await);
    assert_eq!(receipt(&world, &cold, "failed").await, 63016);

    let body = json!({"language": "en", "variables": {"1": "friend"}, "types": {"twilio/text": {"body": "Hello {{1}}, {{2}}"}}});
    let template = world.request(Method::POST, "/v1/Content").json(&body);
    let template = crate::support::answer(template).await.text("sid");
    let approval = world.get(&format!("/v1/Content/{template}/ApprovalRequests")).await.body;
    assert_eq!(approval["whatsapp"]["status"], "approved");
    let form = [("ContentSid", template.as_str()), ("ContentVariables", "{\"2\":\"welcome\"}")];
    let message = world.post(&messages, &form).await;
    assert_eq!(
        (message.text("content_sid"), message.text("body")),
        (template.clone(), "Hello friend, welcome".to_owned())
    );
    receipt(&world, &path(message.text("sid")), "delivered").await;
    let wrong = [("ContentSid", template.as_str()), ("ContentVariables", "[1]")];
    assert_eq!(world.post(&messages, &wrong).await.problem(), (400, 50527));
    let unknown = format!("HX{}", "0".repeat(32));
    assert_eq!(world.post(&messages, &[("ContentSid", &unknown)]).await.problem(), (400, 50526));

    world.text(&person, "I am here").await;
    let warm = path(world.create(&messages, &[("Body", "good")]).await);
    receipt(&world, &warm, "delivered").await;
    world.control(Method::POST, "/clock", json!({"advance_ms": 24 * 3600 * 1000 + 60_000})).await;
    let late = path(world.create(&messages, &[("Body", "are you?")]).await);
    assert_eq!(receipt(&world, &late, "failed").await, 63016);
    world.control(Method::PUT, "/rules", json!({"whatsapp_window": false})).await;
    let free = path(world.create(&messages, &[("Body", "anything")]).await);
    receipt(&world, &free, "delivered").await;
}
