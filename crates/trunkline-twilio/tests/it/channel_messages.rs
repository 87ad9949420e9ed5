//! Programmable Messaging against a whole local Twilio: sent, fetched, listed page by page, numbers that are pointed.

use jiff::{SignedDuration, Timestamp};
use trunkline_core::Secret;
use trunkline_emulator::{AccountConfig, Emulator};
use trunkline_twilio::rest::{
    ChannelMessageFilter, ChannelMessages, Credentials, Endpoints, NewChannelMessage, RestClient, RestConfig, RestError,
};

const ADA: &str = "+15550001111";
const NUMBER: &str = "+15557654321";

async fn world() -> (Emulator, ChannelMessages) {
    let account = AccountConfig { phone_number: Some(NUMBER.to_owned()), ..AccountConfig::default() };
    let emulator = Emulator::builder().listen(([127, 0, 0, 1], 0).into()).account(account).start().await.unwrap();
    let account = emulator.account();
    let credentials = Credentials::auth_token(account.account_sid, Secret::new(account.auth_token.as_str()));
    let config = RestConfig::new(credentials, Endpoints::all_at(emulator.url()).unwrap());
    let messages = RestClient::new(config).unwrap().channel_messages(account.account_sid);
    (emulator, messages)
}

fn new(to: &str, body: &str) -> NewChannelMessage {
    NewChannelMessage { to: to.into(), from: NUMBER.into(), body: body.into(), ..NewChannelMessage::default() }
}

#[tokio::test]
async fn a_message_is_sent_fetched_and_found_among_many() {
    let (emulator, messages) = world().await;
    let sent = messages.create(&new(ADA, "hello")).await.unwrap();
    assert_eq!((sent.to.as_deref(), sent.from.as_deref(), sent.is_inbound()), (Some(ADA), Some(NUMBER), false));
    assert_eq!(messages.fetch(sent.sid).await.unwrap().body.as_deref(), Some("hello"));
    for number in 0..120 {
        messages.create(&new("+15550002222", &format!("message {number}"))).await.unwrap();
    }
    let of_ada = ChannelMessageFilter { to: Some(ADA.into()), ..ChannelMessageFilter::default() };
    let found = messages.list(&of_ada, 50).await.unwrap();
    assert_eq!((found.items.len(), found.is_complete), (1, true));
    let some = messages.list(&ChannelMessageFilter::default(), 40).await.unwrap();
    assert_eq!((some.items.len(), some.is_complete), (40, false));
    assert_eq!(some.items[0].body.as_deref(), Some("message 119"), "the newest first");
    let all = messages.list(&ChannelMessageFilter::default(), 1_000).await.unwrap();
    assert_eq!((all.items.len(), all.is_complete), (121, true));
    let since = Some(Timestamp::now() + SignedDuration::from_mins(5));
    let later = messages.list(&ChannelMessageFilter { since, ..of_ada }, 50).await.unwrap();
    assert!(later.items.is_empty());
    emulator.shutdown().await;
}

#[tokio::test]
async fn what_twilio_refuses_is_refused_with_its_number() {
    let (emulator, messages) = world().await;
    let check = async |message: NewChannelMessage, expected: u32| {
        let error = messages.create(&message).await.unwrap_err();
        assert_eq!(error.twilio_code(), Some(expected), "{error}");
    };
    check(new("nobody", "hello"), 21211).await;
    check(new(NUMBER, "hello"), 21266).await;
    let unsent = messages.create(&new(ADA, "")).await.unwrap_err();
    assert!(matches!(unsent, RestError::BadArgument(_)));
    let missing = messages.fetch("SM00000000000000000000000000000009".parse().unwrap()).await.unwrap_err();
    assert!(missing.is_not_found());
    emulator.shutdown().await;
}

#[tokio::test]
async fn a_number_is_pointed_once() {
    let (emulator, messages) = world().await;
    let url = "http://127.0.0.1:9/webhooks/twilio/messaging";
    assert_eq!(messages.point_number(NUMBER, url).await.unwrap(), Some(true));
    assert_eq!(messages.point_number(NUMBER, url).await.unwrap(), Some(false));
    assert_eq!(messages.point_number("+15559990000", url).await.unwrap(), None);
    emulator.shutdown().await;
}
