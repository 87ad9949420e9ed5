//! What is hardest to get back: much that was missed, answers of which nobody knows whether they were sent, a stop in
//! the middle of work, a letter that fails a second time.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{ADA, BOB, Model, Program, SENDS, World, answer, outbox, until};

fn answered(numbers: std::ops::RangeInclusive<u32>) -> Vec<String> {
    numbers.map(|number| format!("answer {number}")).collect()
}

async fn expect_all(world: &World, phone: &str, numbers: std::ops::RangeInclusive<u32>) {
    let expected = answered(numbers);
    let count = i64::try_from(expected.len()).unwrap();
    // Far cheaper to look at, many times, than a telephone with hundreds of messages.
    until("everything is sent", async || (outbox(&world.data_dir(), "sent") >= count).then_some(())).await;
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    world.expect_answers(phone, &expected).await;
}

#[tokio::test]
async fn more_than_is_read_at_once_was_missed_and_all_is_answered_in_order() {
    let mut world = World::start(&[]).await;
    world.text(ADA, "text 1").await;
    expect_all(&world, ADA, 1..=1).await;
    world.stop_gateway().await;
    for number in 2..=560 {
        world.text(ADA, &format!("text {number}")).await;
    }
    world.start_gateway().await;
    expect_all(&world, ADA, 1..=560).await;
}

#[tokio::test]
async fn an_answer_is_found_behind_all_that_came_since() {
    let mut world = World::start(&[("TRUNKLINE_SETTLE", "3s"), ("TRUNKLINE_DRAIN", "100ms")]).await;
    world.fault(json!({"match": {"method": "POST", "path": SENDS}, "count": 1, "fault": {"kind": "drop_after"}})).await;
    world.text(ADA, "text 1").await;
    until("the answer was made and its fate is unknown", async || {
        (outbox(&world.data_dir(), "sending") == 1 && world.answers(ADA).await.len() == 1).then_some(())
    })
    .await;
    world.stop_gateway().await;
    for number in 2..=260 {
        world.text(ADA, &format!("text {number}")).await;
    }
    world.set("TRUNKLINE_SETTLE", "50ms");
    world.start_gateway().await;
    expect_all(&world, ADA, 1..=260).await;
}

#[tokio::test]
async fn a_conversation_that_is_gone_ends_the_look_up_and_holds_up_nobody() {
    let world = World::start(&[]).await;
    world.fault(json!({"match": {"method": "POST", "path": SENDS}, "count": 1, "fault": {"kind": "drop_after"}})).await;
    let (conversation, _) = world.text(ADA, "text 1").await;
    let gone = answer(world.rest(Method::DELETE, &format!("/v1/Conversations/{conversation}"))).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    until("the answer is settled", async || {
        let open: i64 = ["pending", "sending"].iter().map(|state| outbox(&world.data_dir(), state)).sum();
        (open == 0).then_some(())
    })
    .await;
    world.text(BOB, "text 2").await;
    expect_all(&world, BOB, 2..=2).await;
}

#[tokio::test]
async fn a_stopping_gateway_sends_what_its_lanes_finish() {
    let mut world = World::start(&[("TRUNKLINE_DEBOUNCE", "400ms")]).await;
    world.text(ADA, "text 1").await;
    until("the text is recorded", async || {
        let list = world.api("/api/v1/conversations").await;
        (list["conversations"][0]["pending"] == 1).then_some(())
    })
    .await;
    world.stop_gateway().await;
    assert_eq!(outbox(&world.data_dir(), "sent"), 1);
    // The telephone network takes its own time.
    until("the answer arrives", async || (world.answers(ADA).await == ["answer 1"]).then_some(())).await;
}

#[tokio::test]
async fn a_letter_that_fails_again_is_a_letter_again_and_the_person_hears_one_apology() {
    let model = Model::silent().await;
    let world = World::start(&[
        ("TRUNKLINE_AGENT", "chat"),
        ("TRUNKLINE_MODEL", "m"),
        ("OPENAI_BASE_URL", &model.base_url),
        ("TRUNKLINE_TURN_TIMEOUT", "200ms"),
        ("TRUNKLINE_TURN_ATTEMPTS", "1"),
        ("TRUNKLINE_APOLOGY", "sorry, later"),
    ])
    .await;
    let letters = async |count: u64| {
        until(&format!("{count} letters wait"), async || {
            (world.api("/api/v1/status").await["dead_letters"] == count).then_some(())
        })
        .await;
    };
    let data = world.data_dir().display().to_string();
    let replay = async || {
        let args = ["dlq", "replay", "--all", "--data-dir", &data];
        let done = Program::run(world.folder.path(), &[].into(), &args).await;
        assert_eq!(done.code, Some(0), "{done:?}");
    };
    world.text(ADA, "is anybody there?").await;
    letters(1).await;
    for tried in 2..=3 {
        replay().await;
        until("the model was asked again", async || (model.asked() == tried).then_some(())).await;
        letters(1).await;
    }
    world.expect_answers(ADA, &["sorry, later"]).await;
    model.speak();
    replay().await;
    world.expect_answers(ADA, &["sorry, later", "a considered answer"]).await;
    letters(0).await;
}

#[tokio::test]
async fn a_colleague_in_the_conversation_is_not_answered_unless_that_is_wanted() {
    let mut world = World::start(&[]).await;
    let (conversation, _) = world.text(ADA, "text 1").await;
    expect_all(&world, ADA, 1..=1).await;
    let say = async |world: &World, text: &str| {
        let path = format!("/v1/Conversations/{conversation}/Messages");
        let message = world.rest(Method::POST, &path).header("X-Twilio-Webhook-Enabled", "true");
        let said = answer(message.form(&[("Author", "alice"), ("Body", text)])).await;
        assert_eq!(said.status, StatusCode::CREATED, "{}", said.text);
    };
    say(&world, "text 2").await;
    world.text(ADA, "text 3").await;
    world.expect_answers(ADA, &["answer 1", "text 2", "answer 3"]).await;

    world.stop_gateway().await;
    world.set("TRUNKLINE_ANSWER_CHAT", "true");
    world.start_gateway().await;
    say(&world, "text 4").await;
    world.expect_answers(ADA, &["answer 1", "text 2", "answer 3", "text 4", "answer 4"]).await;
}

#[tokio::test]
async fn one_phone_that_floods_does_not_keep_another_waiting() {
    let model = Model::silent().await;
    let world = World::start(&[
        ("TRUNKLINE_AGENT", "chat"),
        ("TRUNKLINE_MODEL", "m"),
        ("OPENAI_BASE_URL", &model.base_url),
        ("TRUNKLINE_TURN_TIMEOUT", "20s"),
    ])
    .await;
    for number in 0..40 {
        world.text(ADA, &format!("text {number}")).await;
    }
    until("the first text is being answered", async || (model.asked() == 1).then_some(())).await;
    world.text(BOB, "hello?").await;
    until("the other person's text is being answered", async || (model.asked() == 2).then_some(())).await;
    until("the flood holds few deliveries", async || {
        world.api("/api/v1/status").await["backlog"].as_u64().is_some_and(|waiting| waiting <= 10).then_some(())
    })
    .await;
}
