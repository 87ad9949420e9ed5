//! Agents that are slow, and what becomes of the texts that they leave unanswered.

use serde_json::Value;

use crate::support::{ADA, Model, Program, World, until};

const SECRET_TEXT: &str = "the vault opens with heliotrope";

#[tokio::test]
async fn a_turn_without_an_answer_is_cut_retried_given_up_and_can_be_replayed() {
    let model = Model::silent().await;
    let world = World::start(&[
        ("TRUNKLINE_AGENT", "chat"),
        ("TRUNKLINE_MODEL", "m"),
        ("OPENAI_BASE_URL", &model.base_url),
        ("OPENAI_API_KEY", "key-of-the-model"),
        ("TRUNKLINE_TURN_TIMEOUT", "200ms"),
        ("TRUNKLINE_TURN_ATTEMPTS", "2"),
        ("TRUNKLINE_TURN_BACKOFF", "10ms"),
        ("TRUNKLINE_APOLOGY", "sorry, later"),
    ])
    .await;
    world.text(ADA, SECRET_TEXT).await;
    world.expect_answers(ADA, &["sorry, later"]).await;
    assert_eq!(model.asked(), 2);
    assert_eq!(world.api("/api/v1/status").await["dead_letters"], 1);
    let turns = async |outcome: &str| world.metric("trunkline_turns_total", &format!("outcome=\"{outcome}\"")).await;
    assert!((turns("retried").await - 1.0).abs() < f64::EPSILON);
    assert!((turns("given_up").await - 1.0).abs() < f64::EPSILON);

    let data = world.data_dir().display().to_string();
    let dlq = async |args: &[&str]| {
        let args = [&["dlq"], args, &["--data-dir", &data]].concat();
        let done = Program::run(world.folder.path(), &[].into(), &args).await;
        assert_eq!(done.code, Some(0), "{done:?}");
        for personal in [SECRET_TEXT, ADA, ADA.trim_start_matches('+'), "key-of-the-model"] {
            assert!(!done.stdout.contains(personal) && !done.stderr.contains(personal), "{done:?}");
        }
        done
    };
    let listed = dlq(&["list", "--json"]).await;
    let letter: Value = serde_json::from_str(listed.stdout.trim()).unwrap();
    assert_eq!(letter["code"], "agent.timeout");
    assert_eq!(letter["attempts"], 2);
    assert_eq!(letter["type"], "message.received.v1");
    assert!(dlq(&["list"]).await.stdout.contains("agent.timeout"));

    model.speak();
    let replayed = dlq(&["replay", "--all"]).await;
    assert_eq!(replayed.stdout.trim(), letter["id"].as_str().unwrap());
    world.expect_answers(ADA, &["sorry, later", "a considered answer"]).await;
    until("no dead letter waits", async || (world.api("/api/v1/status").await["dead_letters"] == 0).then_some(()))
        .await;
    assert!(dlq(&["list"]).await.stdout.is_empty());
    assert_eq!(model.asked(), 3);
}

#[tokio::test]
async fn replaying_what_is_not_there_says_so() {
    let world = World::start(&[]).await;
    let data = world.data_dir().display().to_string();
    let args = ["dlq", "replay", "nothing", "--data-dir", &data];
    let done = Program::run(world.folder.path(), &[].into(), &args).await;
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains("there is no such dead letter"), "{done:?}");
    let elsewhere = world.folder.path().join("elsewhere").display().to_string();
    let done = Program::run(world.folder.path(), &[].into(), &["dlq", "list", "--data-dir", &elsewhere]).await;
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains("no gateway has used this folder"), "{done:?}");
}

#[tokio::test]
async fn an_empty_apology_says_nothing() {
    let model = Model::silent().await;
    let mut world = World::without_gateway(&[
        ("TRUNKLINE_AGENT", "chat"),
        ("TRUNKLINE_MODEL", "m"),
        ("OPENAI_BASE_URL", &model.base_url),
        ("TRUNKLINE_TURN_TIMEOUT", "100ms"),
        ("TRUNKLINE_TURN_ATTEMPTS", "1"),
    ])
    .await;
    world.set_file("[texts]\napology = \"\"\n");
    world.start_gateway().await;
    world.text(ADA, "text 1").await;
    until("the turn is given up", async || (world.api("/api/v1/status").await["dead_letters"] == 1).then_some(()))
        .await;
    world.expect_answers(ADA, &[]).await;
}

#[tokio::test]
async fn a_conversation_that_wants_a_person_is_shown_as_handed_over() {
    let world = World::start(&[("TRUNKLINE_CONCIERGE", "")]).await;
    world.text(ADA, "I want to talk to a human").await;
    let list = until("it is shown", async || {
        let list = world.api("/api/v1/conversations").await;
        (list["conversations"][0]["state"] == "handed_over").then_some(list)
    })
    .await;
    assert_eq!(list["conversations"][0]["address"], ADA);
    let answer = until("she is told", async || world.answers(ADA).await.first().cloned()).await;
    assert!(answer.contains("handing you over"), "{answer}");
}
