//! What changes in a conversation besides new messages: words, names, people.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{ADA, Model, Webhook, World, answer, envelopes, message_added, until};

/// A REST call of which the gateway hears.
async fn tell(world: &World, method: Method, path: &str, form: &[(&str, &str)]) -> Value {
    let request = world.rest(method, path).header("X-Twilio-Webhook-Enabled", "true");
    let done = answer(request.form(form)).await;
    assert!(done.status.is_success(), "{}", done.text);
    done.body
}

/// Our name for the only conversation.
async fn only(world: &World) -> String {
    let list = world.api("/api/v1/conversations").await;
    let all = list["conversations"].as_array().unwrap();
    assert_eq!(all.len(), 1, "{list}");
    all[0]["id"].as_str().unwrap().to_owned()
}

async fn line(world: &World, id: &str, number: usize) -> Value {
    world.api(&format!("/api/v1/conversations/{id}/messages")).await["messages"][number].clone()
}

#[tokio::test]
async fn words_that_change_or_go_away_do_so_here_too() {
    let world = World::start(&[]).await;
    let (conversation, message) = world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    let id = only(&world).await;
    let path = format!("/v1/Conversations/{conversation}/Messages/{message}");
    tell(&world, Method::POST, &path, &[("Body", "text one")]).await;
    until("the words changed", async || (line(&world, &id, 0).await["text"] == "text one").then_some(())).await;
    let edited = line(&world, &id, 0).await;
    assert!(edited["edited_at"].is_string() && edited["removed_at"].is_null(), "{edited}");
    tell(&world, Method::POST, &path, &[("Attributes", "{\"a\":1}")]).await;
    world.until_idle().await;
    assert_eq!(line(&world, &id, 0).await, edited);

    tell(&world, Method::DELETE, &path, &[]).await;
    until("the message is gone", async || line(&world, &id, 0).await["removed_at"].is_string().then_some(())).await;
    assert_eq!(line(&world, &id, 0).await["text"], "");
    world.text(ADA, "text 2").await;
    world.expect_answers(ADA, &["answer 1", "answer 2"]).await;
}

#[tokio::test]
async fn a_message_that_was_removed_before_its_answer_gets_none() {
    let world = World::start(&[("TRUNKLINE_DEBOUNCE", "1500ms")]).await;
    let (conversation, message) = world.text(ADA, "text 1").await;
    until("the text is recorded", async || {
        (world.api("/api/v1/conversations").await["conversations"][0]["pending"] == 1).then_some(())
    })
    .await;
    tell(&world, Method::DELETE, &format!("/v1/Conversations/{conversation}/Messages/{message}"), &[]).await;
    until("nothing waits", async || {
        (world.api("/api/v1/conversations").await["conversations"][0]["pending"] == 0).then_some(())
    })
    .await;
    world.text(ADA, "text 2").await;
    world.expect_answers(ADA, &["answer 2"]).await;
}

#[tokio::test]
async fn a_text_that_is_edited_while_it_is_answered_is_answered_as_it_is_then() {
    let model = Model::silent().await;
    let world = World::start(&[
        ("TRUNKLINE_AGENT", "chat"),
        ("TRUNKLINE_MODEL", "m"),
        ("OPENAI_BASE_URL", &model.base_url),
        ("TRUNKLINE_TURN_TIMEOUT", "2s"),
        ("TRUNKLINE_TURN_BACKOFF", "0"),
    ])
    .await;
    let (conversation, message) = world.text(ADA, "yes").await;
    until("the model is asked", async || (model.asked() == 1).then_some(())).await;
    let id = only(&world).await;
    let path = format!("/v1/Conversations/{conversation}/Messages/{message}");
    tell(&world, Method::POST, &path, &[("Body", "no")]).await;
    until("the words changed", async || (line(&world, &id, 0).await["text"] == "no").then_some(())).await;
    model.speak();
    world.expect_answers(ADA, &["a considered answer"]).await;
    assert_eq!(model.asked(), 3, "in vain, about the old words, and about the new ones");
}

#[tokio::test]
async fn a_removal_that_comes_before_its_message_counts() {
    let world = World::start(&[]).await;
    let (conversation, message) = ("CH00000000000000000000000000000001", "IM00000000000000000000000000000001");
    let removed = message_added(&world, conversation, message, ADA, "text 1").with("EventType", "onMessageRemoved");
    assert_eq!(removed.send(&world).await.status, StatusCode::OK);
    world.until_idle().await;
    let added = |message: &str, text: &str, index: &str| {
        let now = jiff::Timestamp::now().to_string();
        message_added(&world, conversation, message, ADA, text).with("DateCreated", &now).with("Index", index)
    };
    assert_eq!(added(message, "text 1", "0").send(&world).await.status, StatusCode::OK);
    world.until_idle().await;
    let id = only(&world).await;
    let gone = line(&world, &id, 0).await;
    assert_eq!((&gone["text"], gone["removed_at"].is_string()), (&json!(""), true), "{gone}");
    assert_eq!(world.api(&format!("/api/v1/conversations/{id}")).await["pending"], 0);
}

#[tokio::test]
async fn names_and_people_are_known_whatever_the_order() {
    let world = World::start(&[]).await;
    let (conversation, _) = world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    let id = only(&world).await;
    let show = async || world.api(&format!("/api/v1/conversations/{id}")).await;
    assert!(show().await["friendly_name"].is_null());
    let path = format!("/v1/Conversations/{conversation}");
    tell(&world, Method::POST, &path, &[("FriendlyName", "Ada's order")]).await;
    until("it has a name", async || (show().await["friendly_name"] == "Ada's order").then_some(())).await;

    let alice = tell(&world, Method::POST, &format!("{path}/Participants"), &[("Identity", "alice")]).await;
    until("two are in it", async || (show().await["participants"].as_array().unwrap().len() == 2).then_some(())).await;
    let shown = show().await;
    let people = shown["participants"].as_array().unwrap();
    assert!(people.iter().any(|one| one["address"] == ADA && one["channel"] == "sms"), "{shown}");
    assert!(people.iter().any(|one| one["identity"] == "alice" && one["channel"] == "chat"), "{shown}");
    let sid = alice["sid"].as_str().unwrap();
    tell(&world, Method::DELETE, &format!("{path}/Participants/{sid}"), &[]).await;
    until("one is left", async || (show().await["participants"].as_array().unwrap().len() == 1).then_some(())).await;

    // Late news of who has left does not bring them back.
    let account = world.account.account_sid.to_string();
    let params = [
        ("AccountSid", account.as_str()),
        ("EventType", "onParticipantUpdated"),
        ("ConversationSid", &conversation),
        ("ParticipantSid", sid),
        ("Identity", "alice"),
        ("DateUpdated", "2026-01-01T00:00:00Z"),
    ];
    let params = params.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    assert_eq!(Webhook::new(&world, params).send(&world).await.status, StatusCode::OK);
    world.until_idle().await;
    assert_eq!(show().await["participants"].as_array().unwrap().len(), 1);
    let kinds: std::collections::BTreeSet<_> = envelopes(&world.data_dir().join("bus.db"), "log")
        .iter()
        .map(|envelope| envelope["type"].as_str().unwrap().to_owned())
        .collect();
    for kind in ["participant.added.v1", "participant.removed.v1", "participant.updated.v1", "conversation.updated.v1"]
    {
        assert!(kinds.contains(kind), "{kinds:?}");
    }
}
