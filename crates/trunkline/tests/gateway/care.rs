//! Who answers: a person of ours takes a conversation over and gives it back, and agents are chosen.

use serde_json::{Value, json};

use crate::support::{Model, World, until};

const ADA: &str = "+15550001111";

/// The only conversation.
async fn conversation(world: &World) -> Value {
    world.api("/api/v1/conversations").await["conversations"][0].clone()
}

async fn waits(world: &World, texts: i64) -> Value {
    until("the texts wait", async || {
        let shown = conversation(world).await;
        (shown["pending"] == texts && shown["state"] == "handed_over").then_some(shown)
    })
    .await
}

#[tokio::test]
async fn a_person_of_ours_answers_until_the_agent_resumes() {
    let mut world = World::start(&[("TRUNKLINE_CONCIERGE", "")]).await;
    world.text(ADA, "I want to talk to a human").await;
    until("it is handed over", async || (conversation(&world).await["state"] == "handed_over").then_some(())).await;
    world.until_idle().await;
    let first = world.answers(ADA).await;
    assert!(first.len() == 1 && first[0].contains("handing you over"), "{first:?}");

    world.text(ADA, "is anybody there?").await;
    world.text(ADA, "hello?").await;
    let shown = waits(&world, 2).await;
    let path = |what: &str| format!("/api/v1/conversations/{}/{what}", shown["id"].as_str().unwrap());
    // A restart changes nothing: nobody answers in the operator's place.
    world.stop_gateway().await;
    world.start_gateway().await;
    world.text(ADA, "are you there?").await;
    waits(&world, 3).await;
    assert_eq!(world.answers(ADA).await, first);

    let word = json!({"text": "Hello Ada, this is Bob.", "id": "bob-1"});
    for is_new in [true, false] {
        let taken = world.post(&path("messages"), word.clone()).await;
        assert_eq!(taken["new"], is_new, "the same word again is the same word");
    }
    let second = [first[0].as_str(), "Hello Ada, this is Bob."];
    world.expect_answers(ADA, &second).await;
    waits(&world, 0).await;

    world.text(ADA, "what is 2 plus 2?").await;
    waits(&world, 1).await;
    let resumed = world.post(&path("resume"), Value::Null).await;
    assert_eq!(resumed["handed_over_at"], Value::Null);
    until("the agent answers what has waited", async || (world.answers(ADA).await.len() == 3).then_some(())).await;
    until("the answer is sent", async || (conversation(&world).await["state"] == "idle").then_some(())).await;

    let taken = world.post(&path("hand-over"), Value::Null).await;
    assert_eq!(taken["state"], "handed_over");
    world.text(ADA, "hello again").await;
    waits(&world, 1).await;
    assert_eq!(world.answers(ADA).await.len(), 3);

    // A word that was taken before is known, whatever has become of the conversation since.
    world.post(&path("close"), Value::Null).await;
    assert_eq!(world.post(&path("messages"), word).await["new"], false);
}

#[tokio::test]
async fn an_answer_that_is_made_while_a_person_takes_over_is_not_sent() {
    let model = Model::silent().await;
    let world = World::start(&[
        ("TRUNKLINE_AGENT", "chat"),
        ("TRUNKLINE_MODEL", "m"),
        ("OPENAI_BASE_URL", &model.base_url),
        ("TRUNKLINE_TURN_ATTEMPTS", "2"),
        ("TRUNKLINE_TURN_TIMEOUT", "2s"),
    ])
    .await;
    world.text(ADA, "hello").await;
    until("the model is asked", async || (model.asked() > 0).then_some(())).await;
    let id = conversation(&world).await["id"].as_str().unwrap().to_owned();
    world.post(&format!("/api/v1/conversations/{id}/hand-over"), Value::Null).await;
    // The turn ends with it: nobody waits for the model, and it is not asked again.
    world.until_idle().await;
    waits(&world, 1).await;
    model.speak();
    assert!(world.answers(ADA).await.is_empty());
    assert_eq!(model.asked(), 1);
    world.post(&format!("/api/v1/conversations/{id}/resume"), Value::Null).await;
    world.expect_answers(ADA, &["a considered answer"]).await;
}
