//! Post-events: who hears of what, signed, in order, and the rule of REST and echo.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{PERSON, Receiver, Script, World, answer, until};

async fn world(events: &[&str]) -> (World, Receiver) {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    world.tell(&receiver, events).await;
    (world, receiver)
}

#[tokio::test]
async fn rest_is_silent_unless_its_header_says_otherwise() {
    let (world, receiver) = world(&["onConversationAdded", "onMessageAdded", "onParticipantAdded"]).await;
    let conversation = world.conversation().await;
    let messages = format!("{conversation}/Messages");
    world.create(&messages, &[("Body", "silent")]).await;
    let aloud = world.post_aloud(&messages, &[("Body", "aloud"), ("Author", "bot")]).await;
    assert_eq!(aloud.status, StatusCode::CREATED);
    let received = receiver.wait(1).await;
    assert_eq!(receiver.events(), ["onMessageAdded"]);
    assert_eq!(received[0].param("Body"), "aloud");
    assert_eq!(received[0].param("Source"), "API");
    assert_eq!(received[0].param("Index"), "1");
    assert!(!received[0].params.contains_key("ParticipantSid"));
}

#[tokio::test]
async fn receipts_are_told_even_of_silent_messages() {
    let (world, receiver) = world(&["onDeliveryUpdated", "onMessageAdded"]).await;
    let conversation = world.conversation().await;
    let participant = world.bind(&conversation, PERSON).await;
    let message = world.create(&format!("{conversation}/Messages"), &[("Body", "hi"), ("Author", "bot")]).await;
    let received = receiver.wait(2).await;
    let statuses: Vec<_> = received.iter().map(|one| one.param("Status").to_owned()).collect();
    assert_eq!(statuses, ["sent", "delivered"]);
    for one in &received {
        assert_eq!(one.event, "onDeliveryUpdated");
        assert_eq!(one.param("MessageSid"), message);
        assert_eq!(one.param("ParticipantSid"), participant);
        assert_eq!(one.param("ErrorCode"), "0");
        assert!(one.param("DeliveryReceiptSid").starts_with("DY"));
        assert!(one.param("ChannelMessageSid").starts_with("SM"));
    }
    let receipts = world.get(&format!("{conversation}/Messages/{message}/Receipts")).await.body;
    assert_eq!(receipts["delivery_receipts"][0]["status"], "delivered");
    let url = receipts["delivery_receipts"][0]["url"].as_str().unwrap().to_owned();
    assert_eq!(world.get(&url).await.body["sid"], received[0].param("DeliveryReceiptSid"));
    let delivery = world.get(&format!("{conversation}/Messages/{message}")).await.body["delivery"].clone();
    let all =
        json!({"total": 1, "sent": "all", "delivered": "all", "read": "none", "failed": "none", "undelivered": "none"});
    assert_eq!(delivery, all);
}

#[tokio::test]
async fn a_conversation_is_told_in_order() {
    let (world, receiver) = world(&["onMessageAdded"]).await;
    for number in 0..40 {
        world.text(PERSON, &number.to_string()).await;
    }
    let received = receiver.wait(40).await;
    let bodies: Vec<_> = received.iter().map(|one| one.param("Body").to_owned()).collect();
    assert_eq!(bodies, (0..40).map(|number| number.to_string()).collect::<Vec<_>>());
    let tokens: std::collections::HashSet<_> = received.iter().map(|one| one.token.clone()).collect();
    assert_eq!(tokens.len(), 40);
}

#[tokio::test]
async fn a_slow_conversation_does_not_hold_up_another() {
    let (world, receiver) = world(&["onMessageAdded"]).await;
    receiver.script("/post", Script::Hang);
    let texts = ["+15550000001", "+15550000002", "+15550000003"];
    for person in texts {
        world.text(person, "hello").await;
    }
    // All three are at the receiver although none was answered.
    let received = receiver.wait(3).await;
    assert_eq!(received.len(), 3);
}

#[tokio::test]
async fn account_service_and_conversation_each_hear() {
    let (world, receiver) = world(&["onMessageAdded"]).await;
    let service = format!("/v1/Services/{}", world.emulator.account().chat_service_sid);
    let form = [("PostWebhookUrl", receiver.url("/service")), ("Filters", "onMessageAdded".to_owned())];
    let request = world.request(Method::POST, &format!("{service}/Configuration/Webhooks")).form(&form);
    assert_eq!(answer(request).await.status, StatusCode::OK);
    let conversation = world.conversation().await;
    let own = [
        ("Target", "webhook"),
        ("Configuration.Url", &receiver.url("/own?x=1")),
        ("Configuration.Method", "get"),
        ("Configuration.Filters", "onMessageAdded"),
    ];
    world.create(&format!("{conversation}/Webhooks"), &own).await;
    let trigger =
        [("Target", "trigger"), ("Configuration.Url", &receiver.url("/trigger")), ("Configuration.Triggers", "help")];
    world.create(&format!("{conversation}/Webhooks"), &trigger).await;

    let messages = format!("{conversation}/Messages");
    world.post_aloud(&messages, &[("Body", "hello")]).await;
    receiver.wait(3).await;
    world.post_aloud(&messages, &[("Body", "please HELP me")]).await;
    let received = receiver.wait(7).await;
    let mut paths: Vec<_> = received.iter().map(|one| one.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/own", "/own", "/post", "/post", "/service", "/service", "/trigger"]);
    let own = received.iter().find(|one| one.path == "/own").unwrap();
    assert_eq!((own.param("x"), own.param("Body")), ("1", "hello"));
}

#[tokio::test]
async fn credentials_are_sent_when_asked_for() {
    let (world, receiver) = world(&[]).await;
    receiver.script("/post", Script::Challenge);
    world.configure(&[("PostWebhookUrl", &receiver.url_with_credentials("/post"))], &["onMessageAdded"]).await;
    world.text(PERSON, "hello").await;
    let received = receiver.wait(2).await;
    assert_eq!(received.iter().map(|one| one.authorized).collect::<Vec<_>>(), [false, true]);
    assert_eq!(received[0].token, received[1].token);
}

#[tokio::test]
async fn no_webhook_is_repeated_or_redirected() {
    let (world, receiver) = world(&["onMessageAdded"]).await;
    receiver.answer("/post", 500, "");
    world.text(PERSON, "one").await;
    receiver.wait(1).await;
    receiver.script("/post", Script::Redirect(receiver.url("/elsewhere")));
    world.text(PERSON, "two").await;
    receiver.wait(2).await;
    receiver.answer("/post", 200, "");
    world.text(PERSON, "three").await;
    let received = receiver.wait(3).await;
    let bodies: Vec<_> = received.iter().map(|one| (one.path.as_str(), one.param("Body"))).collect();
    assert_eq!(bodies, [("/post", "one"), ("/post", "two"), ("/post", "three")]);
    let counts = until(async || {
        let counts = world.control(Method::GET, "/webhooks", serde_json::Value::Null).await.body;
        (counts["sent"] == 1 && counts["under_way"] == 0).then_some(counts)
    })
    .await;
    assert_eq!(counts, json!({"waiting": 0, "under_way": 0, "sent": 1, "failed": 2, "dropped": 0}));
}

#[tokio::test]
async fn changes_of_everything_are_told_with_their_fields() {
    let events = [
        "onConversationAdded",
        "onConversationUpdated",
        "onConversationStateUpdated",
        "onParticipantAdded",
        "onParticipantUpdated",
        "onParticipantRemoved",
        "onMessageAdded",
        "onMessageUpdated",
        "onMessageRemoved",
        "onConversationRemoved",
    ];
    let (world, receiver) = world(&events).await;
    let created = world.post_aloud("/v1/Conversations", &[("FriendlyName", "Ada"), ("UniqueName", "ada")]).await;
    let path = format!("/v1/Conversations/{}", created.text("sid"));
    world.post_aloud(&path, &[("State", "inactive")]).await;
    let bot = world.post_aloud(&format!("{path}/Participants"), &[("Identity", "bot")]).await;
    let bot_path = format!("{path}/Participants/bot");
    world.post_aloud(&bot_path, &[("LastReadMessageIndex", "3")]).await;
    let message = world.post_aloud(&format!("{path}/Messages"), &[("Body", "a"), ("Author", "bot")]).await;
    let message_path = format!("{path}/Messages/{}", message.text("sid"));
    world.post_aloud(&message_path, &[("Body", "b")]).await;
    for path in [&message_path, &bot_path, &path] {
        let request = world.request(Method::DELETE, path).header("X-Twilio-Webhook-Enabled", "true");
        assert_eq!(request.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    }
    let received = receiver.wait(11).await;
    assert_eq!(
        receiver.events(),
        [
            "onConversationAdded",
            "onConversationUpdated",
            "onConversationStateUpdated",
            "onParticipantAdded",
            "onParticipantUpdated",
            "onConversationStateUpdated",
            "onMessageAdded",
            "onMessageUpdated",
            "onMessageRemoved",
            "onParticipantRemoved",
            "onConversationRemoved",
        ],
    );
    assert_eq!(received[0].param("UniqueName"), "ada");
    let states = |one: &crate::support::Received| {
        (one.param("StateFrom").to_owned(), one.param("StateTo").to_owned(), one.param("Reason").to_owned())
    };
    let state = |text: [&str; 3]| (text[0].to_owned(), text[1].to_owned(), text[2].to_owned());
    assert_eq!(states(&received[2]), state(["active", "inactive", "API"]));
    assert!(!received[2].params.contains_key("State"));
    assert_eq!(states(&received[5]), state(["inactive", "active", "EVENT"]));
    assert_eq!(received[3].param("Identity"), "bot");
    assert_eq!(received[4].param("LastReadMessageIndex"), "3");
    assert_eq!(received[6].param("ParticipantSid"), bot.text("sid"));
    assert_eq!(received[7].param("Body"), "b");
    for removed in &received[8..] {
        assert!(removed.param("DateRemoved").ends_with('Z'), "{removed:?}");
    }
}
