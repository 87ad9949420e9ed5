//! Every operation of the documents, once each, with real things in the place of its parameters.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::document::{Document, Operation};
use crate::support::{NUMBER, PERSON, World, answer, until};

/// SIDs to put into paths.
struct Things {
    service: String,
    conversation: String,
    message: String,
    said: String,
    participant: String,
    goer: String,
    receipt: String,
    webhook: String,
    user: String,
    role: String,
    credential: String,
    binding: String,
    address: String,
}

/// Fills what `base` stands for, an account's default service or another, with one thing of each kind.
async fn fill(world: &World, base: &str, service: &str) -> Things {
    let conversation = world.create(&format!("{base}/Conversations"), &[]).await;
    let path = format!("{base}/Conversations/{conversation}");
    world.bind(&path, PERSON).await;
    let participant = world.create(&format!("{path}/Participants"), &[("Identity", "alice")]).await;
    let message = world.create(&format!("{path}/Messages"), &[("Body", "hi"), ("Author", "alice")]).await;
    let said = world.create(&format!("{path}/Messages"), &[("Body", "to be deleted")]).await;
    let receipts = world.get(&format!("{path}/Messages/{message}/Receipts")).await.body;
    let hook = [("Target", "trigger"), ("Configuration.Url", "http://127.0.0.1:9/"), ("Configuration.Triggers", "x")];
    let webhook = world.create(&format!("{path}/Webhooks"), &hook).await;
    let role = [("FriendlyName", "r"), ("Type", "service"), ("Permission", "createConversation")];
    let credential = world.create("/v1/Credentials", &[("Type", "gcm"), ("ApiKey", "k")]).await;
    let device = json!({"credential_sid": credential, "identity": "alice", "endpoint": "e"});
    Things {
        service: service.to_owned(),
        message,
        said,
        participant,
        goer: world.create(&format!("{path}/Participants"), &[("Identity", "erin")]).await,
        receipt: receipts["delivery_receipts"][0]["sid"].as_str().unwrap().to_owned(),
        webhook,
        user: world.get(&format!("{base}/Users/alice")).await.text("sid"),
        role: world.create(&format!("{base}/Roles"), &role).await,
        binding: world.control(Method::POST, "/bindings", device).await.text("sid"),
        credential,
        address: world.create("/v1/Configuration/Addresses", &[("Type", "sms"), ("Address", "+15557659999")]).await,
        conversation,
    }
}

impl Things {
    /// The path with real SIDs; another message and another participant are deleted than looked at.
    fn path(&self, operation: &Operation) -> String {
        let message = if operation.method == Method::DELETE { &self.said } else { &self.message };
        let participant = if operation.method == Method::DELETE { &self.goer } else { &self.participant };
        let before = |kind: &str| operation.path.contains(&format!("/{kind}/{{Sid}}"));
        let kinds = [
            ("Receipts", &self.receipt),
            ("Messages", message),
            ("Participants", participant),
            ("Webhooks", &self.webhook),
            ("Conversations", &self.conversation),
            ("Users", &self.user),
            ("Roles", &self.role),
            ("Credentials", &self.credential),
            ("Bindings", &self.binding),
            ("Addresses", &self.address),
            ("Services", &self.service),
        ];
        let sid = kinds.iter().find(|(kind, _)| before(kind)).map_or("", |(_, sid)| sid.as_str());
        operation
            .path
            .replace("{ChatServiceSid}", &self.service)
            .replace("{ConversationSid}", &self.conversation)
            .replace("{MessageSid}", &self.message)
            .replace("{UserSid}", &self.user)
            .replace("{Sid}", sid)
    }
}

/// What a creation needs, by the last word of its path.
fn form(path: &str) -> Vec<(&'static str, &'static str)> {
    match path.rsplit('/').next().unwrap_or_default() {
        "Addresses" => vec![("Type", "sms"), ("Address", "+15557658888")],
        "Messages" => vec![("Body", "hello")],
        "Participants" => vec![("Identity", "bob")],
        "Webhooks" if path.contains("Conversations") => {
            vec![
                ("Target", "webhook"),
                ("Configuration.Url", "http://127.0.0.1:9/"),
                ("Configuration.Filters", "onMessageAdded"),
            ]
        }
        "ConversationWithParticipants" => vec![("Participant", "{\"identity\":\"carol\"}")],
        "Credentials" => vec![("Type", "apn"), ("Certificate", "c"), ("PrivateKey", "k")],
        "Roles" => vec![("FriendlyName", "other"), ("Type", "conversation"), ("Permission", "sendMessage")],
        "Services" => vec![("FriendlyName", "Third")],
        "Users" => vec![("Identity", "dave")],
        "Conversations" => vec![("FriendlyName", "New")],
        _ if path.contains("/Roles/") => vec![("Permission", "joinConversation")],
        _ => Vec::new(),
    }
}

/// The query without which a list is refused.
fn query(path: &str) -> &'static str {
    if path.ends_with("/ParticipantConversations") { "?Identity=alice" } else { "" }
}

async fn carry_out(world: &World, document: &Document, operation: &Operation, path: &str) {
    let path = format!("{path}{}", query(path));
    let mut request = world.request(operation.method.clone(), &path);
    if operation.method == Method::POST {
        request = request.form(&form(&operation.path));
    }
    let got = answer(request).await;
    assert!(got.status.is_success(), "{} {path}: {}", operation.method, got.body);
    document.check(&operation.method, &path, &got);
}

/// Looks first, then makes and changes, then deletes the deepest first.
fn turn(operation: &Operation) -> (u8, usize) {
    let depth = usize::MAX - operation.path.split('/').count();
    match operation.method {
        Method::GET => (0, 0),
        Method::POST => (1, 0),
        _ => (2, depth),
    }
}

#[tokio::test]
async fn every_operation_of_conversations_is_there() {
    let world = World::start().await;
    let document = Document::conversations();
    let mut operations: Vec<_> = document.operations.iter().collect();
    operations.sort_by_key(|one| turn(one));
    assert_eq!(operations.len(), 103);
    let own = world.emulator.account().chat_service_sid.to_string();
    let second = world.create("/v1/Services", &[("FriendlyName", "Second")]).await;
    let in_account = fill(&world, "/v1", &own).await;
    world.delete(&format!("/v1/Configuration/Addresses/{}", in_account.address)).await;
    world
        .delete(&format!("/v1/Conversations/{}/Participants/{}", in_account.conversation, in_account.participant))
        .await;
    let participants = format!("/v1/Conversations/{}/Participants", in_account.conversation);
    let in_account = Things { participant: world.create(&participants, &[("Identity", "alice")]).await, ..in_account };
    let phones = world.get(&participants).await.body;
    let phone = phones["participants"][0]["sid"].as_str().unwrap();
    world.delete(&format!("{participants}/{phone}")).await;
    // Devices register in the default service.
    world.post("/v1/Configuration", &[("DefaultChatServiceSid", &second)]).await;
    let in_service = fill(&world, &format!("/v1/Services/{second}"), &second).await;
    let address = in_service.address.clone();
    world.post("/v1/Configuration", &[("DefaultChatServiceSid", &own)]).await;
    let in_account = Things { address, service: second, ..in_account };
    for operation in operations {
        let things = if operation.path.contains("{ChatServiceSid}") { &in_service } else { &in_account };
        carry_out(&world, &document, operation, &things.path(operation)).await;
    }
}

#[tokio::test]
async fn every_operation_of_messages_is_there() {
    let world = World::start().await;
    let document = Document::messages();
    let base = format!("/2010-04-01/Accounts/{}", world.emulator.account().account_sid);
    let receiver = crate::support::Receiver::start(world.emulator.account()).await;
    receiver.xml("/file", "<a/>");
    let url = receiver.url("/file");
    let sent = [("To", PERSON), ("From", NUMBER), ("Body", "x"), ("MediaUrl", &url)];
    let got = world.post(&format!("{base}/Messages.json"), &sent).await;
    document.check(&Method::POST, &format!("{base}/Messages.json"), &got);
    let one = format!("{base}/Messages/{}", got.text("sid"));
    until(async || Some(world.get(&format!("{one}.json")).await).filter(|it| it.body["status"] == "delivered")).await;
    let media = world.get(&format!("{one}/Media.json")).await.body["media_list"][0]["sid"].clone();
    let media = format!("{one}/Media/{}.json", media.as_str().unwrap());
    let nothing: &[(&str, &str)] = &[];
    let calls = [
        (Method::GET, format!("{base}/Messages.json"), nothing),
        (Method::GET, format!("{one}.json"), nothing),
        (Method::GET, format!("{one}/Media.json"), nothing),
        (Method::GET, media.clone(), nothing),
        (Method::POST, format!("{one}.json"), &[("Body", "")]),
        (Method::POST, format!("{one}/Feedback.json"), &[("Outcome", "confirmed")]),
        (Method::DELETE, media, nothing),
        (Method::DELETE, format!("{one}.json"), nothing),
    ];
    assert_eq!(document.operations.len(), calls.len() + 1);
    for (method, path, form) in calls {
        let got = answer(world.request(method.clone(), &path).form(form)).await;
        assert!(got.status.is_success(), "{method} {path}: {}", got.body);
        document.check(&method, &path, &got);
    }
    assert_eq!(world.get(&format!("{one}.json")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.get(&format!("{base}/Messages.json")).await.body["messages"], Value::Array(Vec::new()));
}
