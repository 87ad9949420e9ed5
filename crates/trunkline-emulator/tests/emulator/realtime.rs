//! The socket: who gets in, what is heard, what ends it.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Heard, PERSON, Receiver, Socket, World, mint, until};

#[tokio::test]
async fn only_good_tokens_get_in() {
    let world = World::start().await;
    let good = mint(world.emulator.account(), "alice", 60);
    let check = async |token: &str, status: u16, code: Option<u32>| {
        let mut socket = Socket::open(&world).await;
        let (reply, _) = socket.init(token).await;
        assert_eq!((reply.status.code, reply.status.error_code), (status, code), "{token}");
    };
    check(&good, 200, None).await;
    check("nonsense", 401, Some(20101)).await;
    check(&mint(world.emulator.account(), "alice", -1), 401, Some(20104)).await;
    let other = World::start().await;
    check(&mint(other.emulator.account(), "alice", 60), 401, Some(20107)).await;
}

#[tokio::test]
async fn what_is_not_the_protocol_ends_the_socket() {
    let world = World::start().await;
    let mut socket = Socket::open(&world).await;
    socket.raw(b"hello").await;
    assert_eq!(socket.heard().await, Heard::Close(417));
    let mut socket = Socket::open(&world).await;
    socket.ask("GET", "/Client/v2/Configuration", &Value::Null).await;
    assert_eq!(socket.heard().await, Heard::Close(406));
    let plain = world.http.get(world.url("/v3/wsconnect")).send().await.unwrap();
    assert_eq!(plain.status(), StatusCode::UPGRADE_REQUIRED);
}

#[tokio::test]
async fn the_configuration_leads_to_everything() {
    let world = World::start().await;
    let mut socket = Socket::connect(&world, "a/b ü").await;
    let configuration = socket.get("/Client/v2/Configuration").await;
    assert_eq!(configuration["identity"], "a/b ü");
    let info = configuration["sync_objects"]["my_user_info"].as_str().unwrap().to_owned();
    let map = socket.get(&format!("/v3/Maps/{info}?Include=items")).await;
    let keys: Vec<_> = map["items"].as_array().unwrap().iter().map(|item| item["key"].clone()).collect();
    assert_eq!(keys, ["attributes", "friendlyName"]);
    // By its own SID as by its name, and nothing by another's kind.
    let sid = map["sid"].as_str().unwrap();
    assert_eq!(socket.get(&format!("/v3/Maps/{sid}")).await["unique_name"], info.as_str());
    assert_eq!(socket.request("GET", &format!("/v3/Lists/{sid}"), Value::Null).await.0, 404);
    let service = world.emulator.account().chat_service_sid;
    let user = socket.get(&format!("/Client/v2/Services/{service}/Users/a%2Fb%20%C3%BC")).await;
    assert_eq!(user["sync_objects"]["user_info_map"], info.as_str());
    let other = format!("/Client/v2/Services/IS{}/Users/x", "0".repeat(32));
    assert_eq!(socket.request("GET", &other, Value::Null).await.0, 404);
}

#[tokio::test]
async fn a_short_token_is_announced_and_ends_and_an_update_moves_the_end() {
    let world = World::start().await;
    let account = world.emulator.account();
    let mut short = Socket::open(&world).await;
    let mut renewed = Socket::open(&world).await;
    assert_eq!(short.init(&mint(account, "alice", 2)).await.0.status.code, 200);
    assert_eq!(renewed.init(&mint(account, "alice", 2)).await.0.status.code, 200);
    let announced = Heard::Update("token_about_to_expire".to_owned());
    assert_eq!((short.heard().await, renewed.heard().await), (announced.clone(), announced));
    assert_eq!(renewed.update(&mint(account, "bob", 600)).await.status.code, 403);
    let mut renewed = Socket::open(&world).await;
    renewed.init(&mint(account, "alice", 2)).await;
    assert_eq!(renewed.update(&mint(account, "alice", 600)).await.status.code, 200);
    assert_eq!(short.heard().await, Heard::Close(410));
    // By then the other one's first token is over as well.
    assert_eq!(renewed.get("/Client/v2/Configuration").await["identity"], "alice");
}

#[tokio::test]
async fn typing_is_told_to_the_others_and_not_back() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    for identity in ["alice", "bob"] {
        world.create(&format!("{conversation}/Participants"), &[("Identity", identity)]).await;
    }
    let mut alice = Socket::connect(&world, "alice").await;
    let mut bob = Socket::connect(&world, "bob").await;
    let sid = conversation.rsplit('/').next().unwrap();
    let service = world.emulator.account().chat_service_sid;
    let typing = format!("/Client/v1/Services/{service}/Typing");
    // A form, whatever the body's type says.
    let frame = |sid: &str| format!("ChannelSid={sid}");
    let id = alice.ask_form("POST", &typing, &frame(sid)).await;
    assert_eq!(alice.answer(&id).await, (200, json!({"typing_timeout": 5})));
    let told = json!({"channel_sid": sid, "identity": "alice", "typing_timeout": 5});
    assert_eq!(bob.heard().await, Heard::Notification("twilio.ipmsg.typing_indicator".to_owned(), told));
    // The next thing that alice hears is her own subscription, nothing of her typing.
    let map = alice.get("/Client/v2/Configuration").await["sync_objects"]["my_conversations"].clone();
    let map = alice.get(&format!("/v3/Maps/{}", map.as_str().unwrap())).await;
    alice.subscribe(&[&map]).await;
    assert_eq!(alice.event().await.0, "subscription_established");
}

#[tokio::test]
async fn changes_of_a_client_are_told_to_webhooks() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    world.tell(&receiver, &["onMessageAdded"]).await;
    let conversation = world.conversation().await;
    world.create(&format!("{conversation}/Participants"), &[("Identity", "alice")]).await;
    let mut alice = Socket::connect(&world, "alice").await;
    let service = world.emulator.account().chat_service_sid;
    let sid = conversation.rsplit('/').next().unwrap();
    let path = format!("/Client/v2/Services/{service}/Conversations/{sid}/Messages");
    let (status, message) = alice.request("POST", &path, json!({"body": "Grüße 👋", "attributes": "{}"})).await;
    assert_eq!((status, message["index"].clone()), (201, json!(0)));
    let told = receiver.wait(1).await;
    let param = |name: &str| told[0].param(name).to_owned();
    assert_eq!(
        [param("Source"), param("ClientIdentity"), param("Author"), param("Body")],
        ["SDK", "alice", "alice", "Grüße 👋"]
    );
}

#[tokio::test]
async fn the_journal_tells_a_conversation_in_its_order() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    world.tell(&receiver, &["onMessageAdded"]).await;
    let mut bot = Socket::connect(&world, "bot").await;
    let map = bot.get("/Client/v2/Configuration").await["sync_objects"]["my_conversations"].clone();
    let map = bot.get(&format!("/v3/Maps/{}", map.as_str().unwrap())).await;
    bot.subscribe(&[&map]).await;
    bot.event_of("subscription_established").await;

    let sid = world.text(PERSON, "hello").await.text("conversation_sid");
    receiver.wait(1).await;
    world.create(&format!("/v1/Conversations/{sid}/Participants"), &[("Identity", "bot")]).await;
    assert_eq!(bot.event_of("map_item_added").await["item_key"], sid.as_str());
    let list = bot.get(&format!("/v3/Lists/{sid}.messages")).await;
    bot.subscribe(&[&list]).await;
    bot.event_of("subscription_established").await;
    world.text(PERSON, "again").await;
    assert_eq!(bot.event_of("list_item_added").await["item_data"]["text"], "again");
    receiver.wait(2).await;

    let told = until(async || {
        let entries = world.control(Method::GET, "/log", Value::Null).await.body["entries"].clone();
        let entries = entries.as_array().unwrap().clone();
        (entries.iter().filter(|entry| entry["what"] == "webhook_answered").count() == 2).then_some(entries)
    })
    .await;
    let seq: Vec<_> = told.iter().map(|entry| entry["seq"].as_u64().unwrap()).collect();
    assert!(
        seq.is_sorted()
            && told
                .iter()
                .skip(1)
                .all(|entry| entry["conversation_sid"] == sid.as_str() || entry["what"] == "text_received"),
        "{told:?}"
    );
    let what: Vec<_> = told.iter().map(|entry| entry["what"].as_str().unwrap()).collect();
    assert_eq!(
        what,
        [
            "socket_connected",
            "text_received",
            "conversation_created",
            "participant_added",
            "message_added",
            "webhook_sent",
            "webhook_answered",
            "participant_added",
            "socket_joined",
            "text_received",
            "message_added",
            "socket_notified",
            "webhook_sent",
            "webhook_answered",
        ]
    );
    assert_eq!(
        (told[4]["author"].as_str(), told[6]["event"].as_str(), &told[6]["status"]),
        (Some("channel"), Some("onMessageAdded"), &json!(200))
    );
    let later = world.control(Method::GET, &format!("/log?after={}", seq[12]), Value::Null).await;
    assert_eq!(later.body["entries"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_message_over_a_mebibyte_ends_the_socket() {
    let world = World::start().await;
    let mut alice = Socket::connect(&world, "alice").await;
    alice.raw(&vec![b'x'; 1024 * 1024 + 1]).await;
    assert_eq!(alice.heard().await, Heard::End);
}
