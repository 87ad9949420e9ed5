//! Conversations with their participants in one request, where somebody takes part, and what a participant changes.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{NUMBER, PERSON, Receiver, World, answer, until};

#[tokio::test]
async fn a_conversation_and_its_participants_in_one_request() {
    let world = World::start().await;
    let phone = json!({"messaging_binding": {"address": PERSON, "proxy_address": NUMBER}}).to_string();
    let chat = json!({"identity": "alice", "attributes": "{\"a\":1}"}).to_string();
    let form = [("FriendlyName", "Both"), ("Participant", &phone), ("Participant", &chat)];
    let made = world.post("/v1/ConversationWithParticipants", &form).await;
    assert_eq!((made.status, made.text("state")), (StatusCode::CREATED, "active".to_owned()), "{}", made.body);
    let participants = world.get(&format!("/v1/Conversations/{}/Participants", made.text("sid"))).await.body;
    assert_eq!(participants["participants"].as_array().unwrap().len(), 2);

    // The phone is taken: alone it is a failure, with somebody else it is left out.
    let only = world.post("/v1/ConversationWithParticipants", &[("Participant", &phone)]).await;
    assert_eq!(only.problem(), (400, 50427));
    let states = world.get("/v1/Conversations?State=closed").await.body;
    assert_eq!(states["conversations"].as_array().unwrap().len(), 1);
    let others = [("Participant", phone.as_str()), ("Participant", "{\"identity\":\"bob\"}")];
    assert_eq!(world.post("/v1/ConversationWithParticipants", &others).await.status, StatusCode::CREATED);

    let bob = "{\"identity\":\"bob\"}";
    let eleven = vec![("Participant", bob); 11];
    assert_eq!(world.post("/v1/ConversationWithParticipants", &eleven).await.problem(), (400, 50426));
    assert_eq!(world.post("/v1/ConversationWithParticipants", &[("Participant", "bob")]).await.problem(), (400, 20001));
}

#[tokio::test]
async fn conversations_are_found_by_who_takes_part() {
    let world = World::start().await;
    let mut made = Vec::new();
    for _ in 0..3 {
        let conversation = world.conversation().await;
        world.create(&format!("{conversation}/Participants"), &[("Identity", "alice")]).await;
        made.push(conversation.rsplit('/').next().unwrap().to_owned());
    }
    let texted = world.text(PERSON, "hello").await.text("conversation_sid");
    let page = world.get("/v1/ParticipantConversations?Identity=alice&PageSize=2").await.body;
    let sids = |page: &serde_json::Value| -> Vec<String> {
        page["conversations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["conversation_sid"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(sids(&page), made[..2]);
    let next = world.get(page["meta"]["next_page_url"].as_str().unwrap()).await.body;
    assert_eq!(sids(&next), made[2..]);
    assert_eq!(page["conversations"][0]["participant_user_sid"], world.get("/v1/Users/alice").await.text("sid"));
    let by_address =
        world.get(&format!("/v1/ParticipantConversations?Address={}", PERSON.replace('+', "%2B"))).await.body;
    assert_eq!(sids(&by_address), [texted]);
    assert_eq!(by_address["conversations"][0]["participant_messaging_binding"]["proxy_address"], NUMBER);
    assert_eq!(world.get("/v1/ParticipantConversations").await.problem(), (400, 20001));
    assert_eq!(world.get("/v1/ParticipantConversations?Identity=a&Address=b").await.problem(), (400, 50451));
}

#[tokio::test]
async fn null_takes_addresses_away() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    let sid = world.bind(&conversation, PERSON).await;
    let participant = format!("{conversation}/Participants/{sid}");
    let changed = world.post(&participant, &[("MessagingBinding.ProxyAddress", "null")]).await;
    assert_eq!(changed.body["messaging_binding"]["proxy_address"], json!(null));
    // The pair is free, and nothing goes out any more.
    world.create(&format!("{conversation}/Messages"), &[("Body", "unheard")]).await;
    assert_eq!(world.phone(PERSON).await.len(), 0);
    world.bind(&world.conversation().await, PERSON).await;

    let projected = [("Identity", "alice"), ("MessagingBinding.ProjectedAddress", NUMBER)];
    let alice = world.post(&format!("{conversation}/Participants"), &projected).await;
    assert_eq!(alice.body["messaging_binding"], json!({"type": "sms", "projected_address": NUMBER}));
    let path = format!("{conversation}/Participants/alice");
    let gone = world.post(&path, &[("MessagingBinding.ProjectedAddress", "null")]).await;
    assert_eq!(gone.body["messaging_binding"], json!(null));
    assert_eq!(world.post(&participant, &[("Identity", "carol")]).await.problem(), (400, 50211));
}

#[tokio::test]
async fn a_new_webhook_hears_of_earlier_messages() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let conversation = world.conversation().await;
    for body in ["zero", "one", "two"] {
        world.create(&format!("{conversation}/Messages"), &[("Body", body)]).await;
    }
    let url = receiver.url("/late");
    let form = [
        ("Target", "webhook"),
        ("Configuration.Url", url.as_str()),
        ("Configuration.Filters", "onMessageAdded"),
        ("Configuration.ReplayAfter", "0"),
    ];
    world.create(&format!("{conversation}/Webhooks"), &form).await;
    let bodies: Vec<_> = receiver.wait(2).await.iter().map(|one| one.param("Body").to_owned()).collect();
    assert_eq!(bodies, ["one", "two"]);
}

#[tokio::test]
async fn changes_have_a_rate_if_somebody_asks_for_one() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    world.control(Method::PUT, "/rules", json!({"mutations_per_second": 2})).await;
    let messages = format!("{conversation}/Messages");
    let refused = until(async || {
        let sent = world.post(&messages, &[("Body", "fast")]).await;
        (sent.status == StatusCode::TOO_MANY_REQUESTS).then(|| sent.problem())
    })
    .await;
    assert_eq!(refused, (429, 50074));
    let refused = until(async || {
        let made = world.post("/v1/Conversations", &[]).await;
        (made.status == StatusCode::TOO_MANY_REQUESTS).then(|| made.problem())
    })
    .await;
    assert_eq!(refused, (429, 50063));
    // Reading is free.
    assert_eq!(world.get(&messages).await.status, StatusCode::OK);
}

#[tokio::test]
async fn credentials_and_devices_are_kept() {
    let world = World::start().await;
    assert_eq!(world.post("/v1/Credentials", &[("Type", "fcm")]).await.problem(), (400, 20001));
    let fcm = world.create("/v1/Credentials", &[("Type", "fcm"), ("Secret", "s"), ("FriendlyName", "Android")]).await;
    let one = format!("/v1/Credentials/{fcm}");
    assert_eq!(world.post(&one, &[("FriendlyName", "Phones")]).await.text("friendly_name"), "Phones");
    let device =
        json!({"credential_sid": fcm, "identity": "alice", "endpoint": "alice:1", "message_types": ["new_message"]});
    let bound = world.control(Method::POST, "/bindings", device).await;
    assert_eq!(bound.status, StatusCode::CREATED, "{}", bound.body);
    let bindings = format!("/v1/Services/{}/Bindings", world.emulator.account().chat_service_sid);
    let count =
        async |query: &str| world.get(&format!("{bindings}?{query}")).await.body["bindings"].as_array().unwrap().len();
    assert_eq!(count("").await, 1);
    assert_eq!(count("BindingType=apn").await, 0);
    assert_eq!(count("BindingType=twilsock").await, 0);
    assert_eq!(count("BindingType=fcm&Identity=alice").await, 1);
    let path = format!("{bindings}/{}", bound.text("sid"));
    assert_eq!(world.get(&path).await.text("endpoint"), "alice:1");
    assert_eq!(world.delete(&one).await, StatusCode::NO_CONTENT);
    assert_eq!(answer(world.request(Method::GET, &path)).await.problem(), (404, 20404));
}
