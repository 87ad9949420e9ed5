//! Services: what is in one is not in another; their roles, configuration and webhooks.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{PERSON, Receiver, World, settings};

async fn second(world: &World) -> String {
    format!("/v1/Services/{}", world.create("/v1/Services", &[("FriendlyName", "Second")]).await)
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["friendly_name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn services_share_no_conversation_user_or_name() {
    let world = World::start().await;
    let other = second(&world).await;
    assert_eq!(names(&world.get("/v1/Services").await.body["services"]), ["Default Conversations Service", "Second"]);
    let named = [("UniqueName", "desk")];
    let mine = world.create("/v1/Conversations", &named).await;
    let theirs = world.create(&format!("{other}/Conversations"), &named).await;
    assert_ne!(mine, theirs);
    assert_eq!(world.post("/v1/Conversations", &named).await.problem(), (409, 50353));
    // The same name, each in its own service; and no SID of the other one.
    assert_eq!(world.get("/v1/Conversations/desk").await.text("sid"), mine);
    let found = world.get(&format!("{other}/Conversations/desk")).await;
    assert_eq!(
        (found.text("sid"), &found.body["url"]),
        (theirs.clone(), &json!(world.url(&format!("{other}/Conversations/{theirs}"))))
    );
    assert_eq!(world.get(&format!("/v1/Conversations/{theirs}")).await.problem(), (404, 20404));
    assert_eq!(world.get(&format!("{other}/Conversations/{mine}")).await.problem(), (404, 20404));
    assert_eq!(world.get(&format!("{other}/Conversations")).await.body["conversations"].as_array().unwrap().len(), 1);

    world.create(&format!("{other}/Conversations/desk/Participants"), &[("Identity", "alice")]).await;
    assert_eq!(world.get("/v1/Users/alice").await.problem(), (404, 20404));
    let alice = world.get(&format!("{other}/Users/alice")).await;
    assert_eq!(alice.body["chat_service_sid"], other.rsplit('/').next().unwrap());
    let own = world.create("/v1/Users", &[("Identity", "alice")]).await;
    assert_ne!(own, alice.text("sid"));
}

#[tokio::test]
async fn a_deleted_service_takes_everything_along() {
    let world = World::start().await;
    let other = second(&world).await;
    let conversation = format!("{other}/Conversations/{}", world.create(&format!("{other}/Conversations"), &[]).await);
    world.create(&format!("{conversation}/Participants"), &[("Identity", "alice")]).await;
    world.bind(&conversation, PERSON).await;
    assert_eq!(world.delete(&other).await, StatusCode::NO_CONTENT);
    for path in [other.as_str(), &conversation, &format!("{other}/Roles")] {
        assert_eq!(world.get(path).await.problem(), (404, 20404), "{path}");
    }
    // The person's pair of addresses is free again.
    world.bind(&world.conversation().await, PERSON).await;
    let own = format!("/v1/Services/{}", world.emulator.account().chat_service_sid);
    assert_eq!(answer_to_delete(&world, &own).await, (409, 20409));
}

async fn answer_to_delete(world: &World, path: &str) -> (u16, u64) {
    crate::support::answer(world.request(reqwest::Method::DELETE, path)).await.problem()
}

#[tokio::test]
async fn roles_are_seeded_and_their_permissions_checked() {
    let world = World::start().await;
    let other = second(&world).await;
    for roles in ["/v1/Roles".to_owned(), format!("{other}/Roles")] {
        let list = world.get(&roles).await.body["roles"].clone();
        assert_eq!(names(&list), ["channel admin", "channel user", "service admin", "service user"]);
        let form = [("FriendlyName", "reader"), ("Type", "conversation"), ("Permission", "leaveConversation")];
        let role = world.create(&roles, &form).await;
        let one = format!("{roles}/{role}");
        let changed = world.post(&one, &[("Permission", "sendMessage"), ("Permission", "addParticipant")]).await;
        assert_eq!(changed.body["permissions"], json!(["sendMessage", "addParticipant"]));
        assert_eq!(world.post(&one, &[("Permission", "createConversation")]).await.problem(), (400, 20001));
        assert_eq!(world.post(&one, &[]).await.problem(), (400, 20001));
        assert_eq!(world.post(&roles, &[("FriendlyName", "x"), ("Type", "none")]).await.problem(), (400, 20001));
        assert_eq!(world.delete(&one).await, StatusCode::NO_CONTENT);
        assert_eq!(world.get(&one).await.problem(), (404, 50100));
        let default = list[1]["sid"].as_str().unwrap();
        assert_eq!(answer_to_delete(&world, &format!("{roles}/{default}")).await, (409, 20409));
    }
}

#[tokio::test]
async fn participants_and_users_take_only_roles_of_their_service_and_kind() {
    let world = World::start().await;
    let other = second(&world).await;
    let role = async |service: &str, at: usize| {
        world.get(&format!("{service}/Roles")).await.body["roles"][at]["sid"].as_str().unwrap().to_owned()
    };
    let (admin, user) = (role("/v1", 0).await, role("/v1", 3).await);
    let foreign = role(&other, 0).await;
    let participants = format!("{}/Participants", world.conversation().await);
    for wrong in [&user, &foreign] {
        let form = [("Identity", "alice"), ("RoleSid", wrong.as_str())];
        assert_eq!(world.post(&participants, &form).await.problem(), (404, 50101));
    }
    let alice = world.post(&participants, &[("Identity", "alice"), ("RoleSid", &admin)]).await;
    assert_eq!(alice.body["role_sid"], admin.as_str());
    assert_eq!(world.post("/v1/Users/alice", &[("RoleSid", &admin)]).await.problem(), (404, 50100));
    let configuration = format!("{other}/Configuration");
    let changed = world.post(&configuration, &[("DefaultConversationRoleSid", &foreign)]).await;
    assert_eq!(changed.body["default_conversation_role_sid"], foreign.as_str());
    let conversation = world.create(&format!("{other}/Conversations"), &[]).await;
    let bob = world.post(&format!("{other}/Conversations/{conversation}/Participants"), &[("Identity", "bob")]).await;
    assert_eq!(bob.body["role_sid"], foreign.as_str());
}

#[tokio::test]
async fn the_default_service_is_the_one_that_the_account_names() {
    let world = World::start().await;
    let other = second(&world).await;
    let sid = other.rsplit('/').next().unwrap().to_owned();
    let own = world.conversation().await;
    assert_eq!(world.post("/v1/Configuration", &[("DefaultChatServiceSid", "IS1")]).await.problem(), (400, 20001));
    world.post("/v1/Configuration", &[("DefaultChatServiceSid", &sid)]).await;
    assert_eq!(world.get(&own).await.problem(), (404, 20404));
    let new = world.post("/v1/Conversations", &[]).await;
    assert_eq!(new.body["chat_service_sid"], sid.as_str());
    let texted = world.text(PERSON, "hello").await.text("conversation_sid");
    assert_eq!(world.get(&format!("{other}/Conversations/{texted}")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_services_webhooks_hear_of_its_own_conversations_only() {
    let world = World::start().await;
    let other = second(&world).await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let url = receiver.url("/post");
    let form = [("PostWebhookUrl", url.as_str()), ("Filters", "onConversationAdded"), ("Method", "POST")];
    world.post(&format!("{other}/Configuration/Webhooks"), &form).await;
    world.post_aloud("/v1/Conversations", &[("FriendlyName", "unheard")]).await;
    world.post_aloud(&format!("{other}/Conversations"), &[("FriendlyName", "heard")]).await;
    let heard = receiver.wait(1).await;
    assert_eq!(heard[0].param("FriendlyName"), "heard");
    assert_eq!(heard[0].param("ChatServiceSid"), other.rsplit('/').next().unwrap());
}

#[tokio::test]
async fn a_users_deletion_ends_every_membership() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    let participants = format!("{conversation}/Participants");
    world.create(&participants, &[("Identity", "alice")]).await;
    let own = format!("/v1/Users/alice/Conversations/{}", conversation.rsplit('/').next().unwrap());
    assert_eq!(world.delete(&own).await, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&participants).await.body["participants"], json!([]));
    world.create(&participants, &[("Identity", "alice")]).await;
    assert_eq!(world.delete("/v1/Users/alice").await, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&participants).await.body["participants"], json!([]));
    assert_eq!(world.get("/v1/Users/alice").await.problem(), (404, 20404));
}

#[tokio::test]
async fn services_roles_and_notifications_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("emulator.db");
    let world = World::of(settings().data_file(&file)).await;
    let other = second(&world).await;
    let notifications = format!("{other}/Configuration/Notifications");
    world
        .post(&notifications, &[("NewMessage.Template", "${PARTICIPANT}: ${MESSAGE}"), ("NewMessage.Enabled", "true")])
        .await;
    world.create(&format!("{other}/Conversations"), &[("UniqueName", "desk")]).await;
    let seen = async |world: &World| {
        let mut found = Vec::new();
        for path in [&other, &notifications, &format!("{other}/Roles"), &format!("{other}/Conversations/desk")] {
            found.push(world.get(path).await.body.to_string().replace(world.emulator.url(), ""));
        }
        found
    };
    let before = seen(&world).await;
    world.emulator.shutdown().await;
    let world = World::of(settings().data_file(&file)).await;
    assert_eq!(seen(&world).await, before);
}
