//! Routes by what a platform keeps beside a conversation.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use trunkline_testing::{ModelAnswer, ModelServer};

use crate::support::{ADA, World, answer, until};

async fn speaker(name: &'static str) -> ModelServer {
    ModelServer::start(move |asked| ModelAnswer::say(format!("{name}: {}", asked.question()))).await.unwrap()
}

/// A program of the shop's changes the attributes of a conversation at Twilio.
async fn set_attributes(world: &World, conversation: &str, attributes: &Value) {
    let path = format!("/v1/Conversations/{conversation}");
    let request = world.rest(Method::POST, &path).header("X-Twilio-Webhook-Enabled", "true");
    let done = answer(request.form(&[("Attributes", attributes.to_string())])).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    until("the attributes are known", async || {
        let known = world.api("/api/v1/conversations").await["conversations"][0]["attributes"].clone();
        (known == *attributes).then_some(())
    })
    .await;
}

/// No gateway runs yet; one that does has `gold` answer whose customers are gold.
async fn world(plain: &ModelServer, gold: &ModelServer) -> World {
    let mut world = World::without_gateway(&[]).await;
    world.set_file(&format!(
        r#"
[agent]
kind = "chat"
model = "m"
base_url = "{}"

[models.gold]
model = "g"
base_url = "{}"

[agents.gold]
kind = "chat"
models = ["gold"]

[[routes]]
channel = "sms"
attribute = {{ "customer.tier" = "gold", open = true }}
agent = "gold"
"#,
        plain.base_url(),
        gold.base_url()
    ));
    world
}

#[tokio::test]
async fn attributes_choose_from_the_next_turn_on() {
    let (plain, gold) = (speaker("plain").await, speaker("gold").await);
    let mut world = world(&plain, &gold).await;
    world.start_gateway().await;
    let (conversation, _) = world.text(ADA, "one").await;
    world.expect_answers(ADA, &["plain: one"]).await;

    set_attributes(&world, &conversation, &json!({ "customer": { "tier": "gold" }, "open": true })).await;
    world.text(ADA, "two").await;
    world.expect_answers(ADA, &["plain: one", "gold: two"]).await;
    // They are kept: also a gateway that starts anew knows them.
    world.stop_gateway().await;
    world.start_gateway().await;
    world.text(ADA, "three").await;
    world.expect_answers(ADA, &["plain: one", "gold: two", "gold: three"]).await;

    set_attributes(&world, &conversation, &json!({ "customer": { "tier": "iron" }, "open": true })).await;
    world.text(ADA, "four").await;
    world.expect_answers(ADA, &["plain: one", "gold: two", "gold: three", "plain: four"]).await;
}

#[tokio::test]
async fn what_no_webhook_has_told_is_asked_for() {
    let (plain, gold) = (speaker("plain").await, speaker("gold").await);
    let mut world = world(&plain, &gold).await;
    let (conversation, _) = world.text(ADA, "one").await;
    let form = [("Attributes", json!({ "customer": { "tier": "gold" }, "open": true }).to_string())];
    let request = world.rest(Method::POST, &format!("/v1/Conversations/{conversation}"));
    assert_eq!(answer(request.form(&form)).await.status, StatusCode::OK);
    world.start_gateway().await;
    world.text(ADA, "two").await;
    until("it is answered", async || world.answers(ADA).await.contains(&"gold: two".to_owned()).then_some(())).await;
    assert!(plain.asked().is_empty());
    let known = world.api("/api/v1/conversations").await["conversations"][0]["attributes"].clone();
    assert_eq!(known["customer"]["tier"], "gold");
}
