//! Handlers of a program that embeds the gateway, against a whole local Twilio.

use std::sync::{Arc, Mutex};

use reqwest::{Method, StatusCode};
use serde_json::json;
use trunkline::handlers::{
    Answer, ConversationChanges, HandlerError, Handlers, MessageChanges, Rejection, event, question,
};

use crate::support::{ADA, BOB, World, answer, until};

#[tokio::test]
async fn handlers_are_told_and_those_that_fail_disturb_nobody() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (texts, people) = (Arc::clone(&heard), Arc::clone(&heard));
    let handlers = Handlers::new()
        .on(event::MessageAdded, |_| async { panic!("as the test wants it") })
        .on(event::MessageAdded, |_| async { Err(HandlerError::new("test.failed")) })
        .on(event::MessageAdded, |_| std::future::pending())
        .on(event::MessageAdded, move |message| {
            let texts = Arc::clone(&texts);
            async move {
                texts.lock().unwrap().push(message.body);
                Ok(())
            }
        })
        .on(event::ParticipantAdded, move |joined| {
            let people = Arc::clone(&people);
            async move {
                people.lock().unwrap().push(joined.messaging_binding.address.unwrap_or_default());
                Ok(())
            }
        });
    let mut world = World::without_gateway(&[]).await;
    world.start_gateway_with_handlers(handlers).await;
    let double = json!({"match": {"event": "onMessageAdded"}, "fault": {"kind": "webhook_duplicate", "times": 1}});
    world.fault(double).await;
    world.text(ADA, "text 1").await;
    world.text(ADA, "text 2").await;
    world.expect_answers(ADA, &["answer 1", "answer 2"]).await;
    until("the handler has heard", async || (heard.lock().unwrap().len() >= 3).then_some(())).await;
    let mut all = heard.lock().unwrap().clone();
    all.sort();
    assert_eq!(all, [ADA, "text 1", "text 2"]);
    for outcome in ["panicked", "failed", "handled"] {
        until(outcome, async || {
            (world.metric("trunkline_handlers_total", &format!("outcome=\"{outcome}\"")).await >= 2.0).then_some(())
        })
        .await;
    }
    world.stop_gateway().await;
}

#[tokio::test]
async fn a_program_answers_before_twilio_acts() {
    let handlers = Handlers::new()
        .before(question::ConversationAdd, |proposed| async move {
            let who = proposed.messaging_binding.address.unwrap_or_default();
            let friendly_name = Some(format!("Order of {}", who.len()));
            Ok(Answer::Change(ConversationChanges { friendly_name }))
        })
        .before(question::MessageAdd, |message| async move {
            Ok(match message.body.as_str() {
                "text 2" => Answer::Change(MessageChanges { body: Some("text 3".to_owned()), ..Default::default() }),
                "text 4" => Answer::Reject(Rejection::FORBIDDEN),
                "text 5" => return Err(HandlerError::new("test.failed")),
                "text 6" => panic!("as the test wants it"),
                _ => Answer::Allow,
            })
        })
        .before(question::ParticipantAdd, |proposed| async move {
            let is_known = proposed.identity.as_deref() != Some("mallory");
            Ok(if is_known { Answer::Allow } else { Answer::Reject(Rejection::FORBIDDEN) })
        });
    let mut world = World::without_gateway(&[]).await;
    world.start_gateway_with_handlers(handlers).await;
    let (conversation, _) = world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    let list = world.api("/api/v1/conversations").await;
    assert_eq!(list["conversations"][0]["friendly_name"], "Order of 12");
    world.text(ADA, "text 2").await;
    world.expect_answers(ADA, &["answer 1", "answer 3"]).await;
    let url = format!("http://{}/emulator/v1/messages", world.emulator_address);
    let refused = answer(world.http.post(&url).json(&json!({"from": ADA, "body": "text 4"}))).await;
    assert!(refused.status.is_client_error(), "{}", refused.text);
    world.text(ADA, "text 5").await;
    world.text(ADA, "text 6").await;
    world.expect_answers(ADA, &["answer 1", "answer 3", "answer 5", "answer 6"]).await;

    let path = format!("/v1/Conversations/{conversation}/Participants");
    for (identity, status) in [("alice", StatusCode::CREATED), ("mallory", StatusCode::FORBIDDEN)] {
        let request = world.rest(Method::POST, &path).header("X-Twilio-Webhook-Enabled", "true");
        let done = answer(request.form(&[("Identity", identity)])).await;
        assert_eq!(done.status.is_success(), status.is_success(), "{identity}: {}", done.text);
    }
    world.text(BOB, "text 9").await;
    world.expect_answers(BOB, &["answer 9"]).await;
}
