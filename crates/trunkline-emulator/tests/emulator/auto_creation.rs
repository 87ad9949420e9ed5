//! A text that belongs to no conversation makes one, and tells of it in Twilio's order.

use reqwest::StatusCode;

use crate::support::{NUMBER, PERSON, Receiver, World};

const ALL: [&str; 6] = [
    "onConversationAdd",
    "onConversationAdded",
    "onParticipantAdd",
    "onParticipantAdded",
    "onMessageAdd",
    "onMessageAdded",
];

async fn world_that_tells_all() -> (World, Receiver) {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let (pre, post) = (receiver.url("/pre"), receiver.url("/post"));
    world.configure(&[("PreWebhookUrl", &pre), ("PostWebhookUrl", &post)], &ALL).await;
    (world, receiver)
}

#[tokio::test]
async fn the_first_text_makes_a_conversation_and_the_second_joins_it() {
    let (world, receiver) = world_that_tells_all().await;
    let first = world.text(PERSON, "my name is Ada").await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.body);
    let received = receiver.wait(4).await;
    assert_eq!(receiver.events(), ["onConversationAdd", "onConversationAdded", "onParticipantAdded", "onMessageAdded"],);

    let [asked, added, joined, said] = received.as_slice() else { panic!("{received:?}") };
    assert_eq!(asked.path, "/pre");
    assert_eq!(asked.param("MessageBody"), "my name is Ada");
    assert_eq!(asked.param("MessagingBinding.Address"), PERSON);
    assert_eq!(asked.param("MessagingBinding.ProxyAddress"), NUMBER);
    assert!(!asked.params.contains_key("ConversationSid"));
    let conversation = first.text("conversation_sid");
    for one in [added, joined, said] {
        assert_eq!(one.path, "/post");
        assert_eq!(one.param("ConversationSid"), conversation);
        assert_eq!(one.param("Source"), "SMS");
        assert_eq!(one.param("AccountSid"), world.emulator.account().account_sid.as_str());
    }
    assert_eq!(added.param("State"), "active");
    assert_eq!(joined.param("MessagingBinding.Type"), "SMS");
    assert_eq!(joined.param("ParticipantSid"), first.text("participant_sid"));
    assert_eq!(said.param("Body"), "my name is Ada");
    assert_eq!(said.param("Author"), PERSON);
    assert_eq!(said.param("Index"), "0");
    assert_eq!(said.param("MessageSid"), first.text("message_sid"));
    assert_eq!(said.param("ParticipantSid"), first.text("participant_sid"));

    let second = world.text(PERSON, "what is my name?").await;
    assert_eq!(second.text("conversation_sid"), conversation);
    let received = receiver.wait(6).await;
    assert_eq!(receiver.events()[4..], ["onMessageAdd", "onMessageAdded"]);
    assert!(!received[4].params.contains_key("MessageSid"), "{:?}", received[4]);
    assert_eq!(received[5].param("Index"), "1");
}

#[tokio::test]
async fn a_refused_conversation_drops_the_text() {
    let (world, receiver) = world_that_tells_all().await;
    receiver.answer("/pre", 403, "");
    let refused = world.text(PERSON, "hello").await;
    assert_eq!(refused.problem(), (403, 50056));
    assert_eq!(receiver.events(), ["onConversationAdd"]);
    assert!(world.phone(PERSON).await.is_empty());
    assert_eq!(world.get("/v1/Conversations").await.body["conversations"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn each_channel_of_a_person_has_its_own_conversation() {
    let world = World::start().await;
    let sms = world.text(PERSON, "by sms").await;
    let whatsapp = world.text(&format!("whatsapp:{PERSON}"), "by whatsapp").await;
    assert_ne!(sms.text("conversation_sid"), whatsapp.text("conversation_sid"));
    let path = format!("/v1/Conversations/{}/Participants", whatsapp.text("conversation_sid"));
    let participants = world.get(&path).await.body["participants"].clone();
    assert_eq!(participants[0]["messaging_binding"]["type"], "whatsapp");
    assert_eq!(participants[0]["messaging_binding"]["proxy_address"], format!("whatsapp:{NUMBER}"));
}

#[tokio::test]
async fn a_closed_conversation_frees_its_pair() {
    let world = World::start().await;
    let first = world.text(PERSON, "one").await.text("conversation_sid");
    let closed = world.post(&format!("/v1/Conversations/{first}"), &[("State", "closed")]).await;
    assert_eq!(closed.body["state"], "closed");
    let second = world.text(PERSON, "two").await.text("conversation_sid");
    assert_ne!(first, second);
    let path = format!("/v1/Conversations/{first}/Messages");
    assert_eq!(world.post(&path, &[("Body", "late")]).await.problem(), (400, 50377));
}

#[tokio::test]
async fn an_address_without_auto_creation_takes_no_new_texts() {
    let world = World::start().await;
    let off = [("AutoCreation.Enabled", "false")];
    let path = format!("/v1/Configuration/Addresses/{}", NUMBER.replace('+', "%2B"));
    assert_eq!(world.post(&path, &off).await.status, StatusCode::OK);
    assert_eq!(world.text(PERSON, "hello").await.problem(), (404, 20404));
    let conversation = world.conversation().await;
    world.bind(&conversation, PERSON).await;
    assert_eq!(world.text(PERSON, "hello").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn the_webhook_of_an_address_hears_of_its_conversations() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let path = format!("/v1/Configuration/Addresses/{}", NUMBER.replace('+', "%2B"));
    let form = [
        ("AutoCreation.Type", "webhook"),
        ("AutoCreation.WebhookUrl", &receiver.url("/address")),
        ("AutoCreation.WebhookFilters", "onParticipantAdded"),
        ("AutoCreation.WebhookFilters", "onMessageAdded"),
    ];
    let configured = world.post(&path, &form).await;
    assert_eq!(
        configured.body["auto_creation"]["webhook_filters"],
        serde_json::json!(["onParticipantAdded", "onMessageAdded"])
    );
    world.text(PERSON, "hello").await;
    receiver.wait(2).await;
    assert_eq!(receiver.events(), ["onParticipantAdded", "onMessageAdded"]);
}
