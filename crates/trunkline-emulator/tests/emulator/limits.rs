//! What is too long is refused with Twilio's codes.

use reqwest::StatusCode;

use crate::support::{PERSON, World};

#[tokio::test]
async fn bodies_for_phones_are_shorter_than_bodies_for_chat() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    let messages = format!("{conversation}/Messages");
    let chat = "x".repeat(32 * 1024);
    assert_eq!(world.post(&messages, &[("Body", &chat)]).await.status, StatusCode::CREATED);
    assert_eq!(world.post(&messages, &[("Body", &format!("{chat}x"))]).await.problem(), (400, 50504));
    world.bind(&conversation, PERSON).await;
    // Characters, not bytes.
    let text = "ü".repeat(1600);
    assert_eq!(world.post(&messages, &[("Body", &text)]).await.status, StatusCode::CREATED);
    assert_eq!(world.post(&messages, &[("Body", &format!("{text}ü"))]).await.problem(), (400, 50504));
    let attributes = format!("\"{}\"", "x".repeat(4 * 1024));
    let too_much = world.post(&messages, &[("Body", "x"), ("Attributes", &attributes)]).await;
    assert_eq!(too_much.problem(), (400, 50303));
}

#[tokio::test]
async fn a_form_over_a_mebibyte_is_not_read() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    let body = "x".repeat(1024 * 1024);
    let refused = world.post(&format!("{conversation}/Messages"), &[("Body", &body)]).await;
    assert_eq!(refused.problem(), (413, 20001));
}

#[tokio::test]
async fn fifty_phones_and_no_more() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    for number in 0..50 {
        world.bind(&conversation, &format!("+15550100{number:03}")).await;
    }
    let one_more =
        [("MessagingBinding.Address", "+15550100999"), ("MessagingBinding.ProxyAddress", crate::support::NUMBER)];
    assert_eq!(world.post(&format!("{conversation}/Participants"), &one_more).await.problem(), (400, 50418));
    let chat = world.post(&format!("{conversation}/Participants"), &[("Identity", "bot")]).await;
    assert_eq!(chat.status, StatusCode::CREATED);
}
