//! With a data file everything comes back.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{NUMBER, PERSON, World, settings, until};

/// What a caller can see of the state.
async fn seen(world: &World) -> Value {
    let base = world.emulator.url().to_owned();
    let mut found = Vec::new();
    let list = world.get("/v1/Conversations").await.body["conversations"].clone();
    for one in list.as_array().unwrap() {
        for part in ["", "/Participants", "/Messages", "/Webhooks"] {
            found.push(world.get(&format!("/v1/Conversations/{}{part}", one["sid"].as_str().unwrap())).await.body);
        }
    }
    for path in ["/v1/Configuration", "/v1/Configuration/Webhooks", "/v1/Configuration/Addresses"] {
        found.push(world.get(path).await.body);
    }
    for phone in [PERSON, "+15550002222"] {
        found.push(json!(world.phone(phone).await));
    }
    let text = serde_json::to_string(&found).unwrap().replace(&base, "");
    serde_json::from_str(&text).unwrap()
}

async fn fill(world: &World) -> String {
    let sent = world.text(PERSON, "hello").await.text("conversation_sid");
    let path = format!("/v1/Conversations/{sent}");
    world.bind(&path, "+15550002222").await;
    world.create(&format!("{path}/Participants"), &[("Identity", "bot")]).await;
    world.create(&format!("{path}/Messages"), &[("Body", "hi"), ("Author", "bot")]).await;
    let gone = world.create(&format!("{path}/Messages"), &[("Body", "gone"), ("Author", "bot")]).await;
    world.delete(&format!("{path}/Messages/{gone}")).await;
    let webhook = [("Target", "studio"), ("Configuration.FlowSid", &format!("FW{}", "0".repeat(32)))];
    world.create(&format!("{path}/Webhooks"), &webhook).await;
    world.configure(&[("PostWebhookUrl", "http://127.0.0.1:9/")], &["onMessageRemoved"]).await;
    let deleted = world.conversation().await;
    world.delete(&deleted).await;
    let closed = world.text("+15550003333", "bye").await.text("conversation_sid");
    world.post(&format!("/v1/Conversations/{closed}"), &[("State", "closed")]).await;
    // Every message has arrived: nothing changes any more.
    until(async || world.phone("+15550002222").await.iter().all(|line| line["status"] == "delivered").then_some(()))
        .await;
    path
}

#[tokio::test]
async fn everything_comes_back_after_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("emulator.db");
    let world = World::of(settings().data_file(&file)).await;
    let path = fill(&world).await;
    let before = seen(&world).await;
    let token = world.emulator.account().auth_token.clone();
    world.emulator.shutdown().await;

    let world = World::of(settings().data_file(&file)).await;
    assert_eq!(world.emulator.account().auth_token, token);
    assert_eq!(seen(&world).await, before);
    // It goes on where it was: the same conversation, the next index, bindings in force.
    let next = world.text(PERSON, "again").await;
    assert!(path.ends_with(&next.text("conversation_sid")));
    let newest = world.get(&format!("{path}/Messages?Order=desc&PageSize=1")).await.body;
    assert_eq!(newest["messages"][0]["index"], 3);
    let taken = [("MessagingBinding.Address", "+15550002222"), ("MessagingBinding.ProxyAddress", NUMBER)];
    let other = world.conversation().await;
    assert_eq!(world.post(&format!("{other}/Participants"), &taken).await.problem(), (409, 50416));
    let fresh = world.text("+15550003333", "new").await;
    assert_eq!(fresh.status, 201);
}

#[tokio::test]
async fn calls_numbers_and_recordings_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("emulator.db");
    let world = World::of(settings().data_file(&file).voice("http://127.0.0.1:9/voice", None)).await;
    world.answering(PERSON, json!({"rule": "answer", "ring_ms": 1})).await;
    let twiml = ("Twiml", "<Response><Pause length=\"1\"/></Response>");
    let ended = world.dial(&[twiml, ("Record", "true")]).await;
    let before = world.call_at(&ended, "completed").await;
    let cut = world.dial(&[("Twiml", "<Response><Pause length=\"60\"/></Response>")]).await;
    world.call_at(&cut, "in-progress").await;
    let list = world.voice("/Recordings.json");
    let recordings = world.get(&list).await.body["recordings"].clone();
    assert_eq!(recordings[0]["status"], "completed");
    let copy = folder.path().join("copy.db");
    copy_database(&file, &copy);
    world.emulator.shutdown().await;

    let world = World::of(settings().data_file(&file)).await;
    assert_eq!(world.call_at(&ended, "completed").await, before);
    world.call_at(&cut, "completed").await;
    assert_eq!(world.get(&list).await.body["recordings"][0]["sid"], recordings[0]["sid"]);
    let sound = world.voice(&format!("/Recordings/{}.wav", recordings[0]["sid"].as_str().unwrap()));
    assert_eq!(world.request(reqwest::Method::GET, &sound).send().await.unwrap().status(), 200);
    let numbers = world.get(&world.voice("/IncomingPhoneNumbers.json")).await.body;
    assert_eq!(numbers["incoming_phone_numbers"][0]["voice_url"], "http://127.0.0.1:9/voice");
    let rule = world.control(reqwest::Method::GET, "/phones/%2B15550001111/answering", Value::Null).await.body;
    assert_eq!(rule, json!({"rule": "answer", "ring_ms": 1}));
    // What was cut short by a kill ended with it.
    let killed = World::of(settings().data_file(&copy)).await;
    killed.call_at(&cut, "failed").await;
}

/// What a killed process leaves behind is what is in its files at that moment.
#[tokio::test]
async fn what_was_answered_is_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (file, copy) = (folder.path().join("emulator.db"), folder.path().join("copy.db"));
    let world = World::of(settings().data_file(&file)).await;
    fill(&world).await;
    let before = seen(&world).await;
    copy_database(&file, &copy);
    let killed = World::of(settings().data_file(&copy)).await;
    assert_eq!(seen(&killed).await, before);
}

#[tokio::test]
async fn messages_on_their_way_arrive_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("emulator.db");
    let long = std::time::Duration::from_hours(1);
    let world = World::of(settings().data_file(&file).delivery_delay(long)).await;
    let conversation = world.conversation().await;
    world.bind(&conversation, PERSON).await;
    world.create(&format!("{conversation}/Messages"), &[("Body", "hi")]).await;
    assert_eq!(world.phone(PERSON).await[0]["status"], "sent");
    world.emulator.shutdown().await;
    let world = World::of(settings().data_file(&file)).await;
    until(async || (world.phone(PERSON).await[0]["status"] == "delivered").then_some(())).await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("emulator.db");
    fs::write(&file, "this is not a database, and long enough to be looked at ".repeat(20)).unwrap();
    let refused = settings().data_file(&file).start().await.unwrap_err();
    assert_eq!(refused.code(), "emulator.store.open");
}

fn copy_database(from: &Path, to: &Path) {
    for suffix in ["", "-wal"] {
        let with = |path: &Path| format!("{}{suffix}", path.display());
        fs::copy(with(from), with(to)).unwrap();
    }
}

/// Takes out of a data file what files of before did not have: services, roles, and what records got with them.
fn make_old(file: &Path) {
    let connection = rusqlite::Connection::open(file).unwrap();
    connection.execute("DELETE FROM record WHERE kind IN ('service', 'role', 'channel_message')", []).unwrap();
    let mut statement = connection.prepare("SELECT kind, id, body FROM record").unwrap();
    let rows: Vec<(String, String, String)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let account = rows.iter().find(|(kind, ..)| kind == "account").unwrap();
    let account: Value = serde_json::from_str(&account.2).unwrap();
    for (kind, id, body) in rows {
        let mut record: Value = serde_json::from_str(&body).unwrap();
        let Some(fields) = record.as_object_mut() else { continue };
        for new in [
            "service_sid",
            "timers_from",
            "email",
            "projected_address",
            "subject",
            "content_sid",
            "sms_url",
            "sms_method",
        ] {
            fields.remove(new);
        }
        match kind.as_str() {
            "configuration" => {
                let url = "http://127.0.0.1:9/";
                let webhooks = json!({"pre_webhook_url": null, "post_webhook_url": url, "method": "GET",
                    "filters": ["onMessageAdded"], "flex": false});
                fields.remove("default_chat_service_sid");
                fields.insert("service_webhooks".to_owned(), webhooks);
                fields.insert("reachability_enabled".to_owned(), json!(true));
            }
            "user" | "participant" => {
                fields.insert("role_sid".to_owned(), account["participant_role"].clone());
            }
            "message" => {
                for receipt in fields["receipts"].as_object_mut().unwrap().values_mut() {
                    receipt.as_object_mut().unwrap().remove("error_code");
                }
            }
            "line" => {
                fields["message"].as_object_mut().unwrap().remove("error_code");
            }
            _ => {}
        }
        let update = "UPDATE record SET body = ?3 WHERE kind = ?1 AND id = ?2";
        connection.execute(update, [&kind, &id, &record.to_string()]).unwrap();
    }
}

#[tokio::test]
async fn a_file_of_before_there_were_services_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("emulator.db");
    let world = World::of(settings().data_file(&file)).await;
    let path = fill(&world).await;
    let before = seen(&world).await;
    world.emulator.shutdown().await;
    make_old(&file);

    let world = World::of(settings().data_file(&file)).await;
    assert_eq!(seen(&world).await, before);
    let own = format!("/v1/Services/{}", world.emulator.account().chat_service_sid);
    assert_eq!(world.get(&own).await.text("friendly_name"), "Default Conversations Service");
    let webhooks = world.get(&format!("{own}/Configuration/Webhooks")).await.body;
    assert_eq!((&webhooks["method"], &webhooks["filters"]), (&json!("GET"), &json!(["onMessageAdded"])));
    assert_eq!(world.get(&format!("{own}/Configuration")).await.body["reachability_enabled"], true);
    let roles = world.get(&format!("{own}/Roles")).await.body["roles"].clone();
    let bot = world.get(&format!("{path}/Participants/bot")).await.text("role_sid");
    assert_eq!((&roles[1]["friendly_name"], &roles[1]["sid"]), (&json!("channel user"), &json!(bot)));
    assert_eq!(world.get("/v1/Users/bot").await.body["role_sid"], roles[3]["sid"]);
    let sid = path.rsplit('/').next().unwrap();
    assert_eq!(world.get(&format!("{own}/Conversations/{sid}")).await.text("sid"), sid);
    // A file that was made whole is not made whole again.
    world.emulator.shutdown().await;
    let world = World::of(settings().data_file(&file)).await;
    assert_eq!(world.get(&format!("{own}/Roles")).await.body["roles"], roles_at(&world, &roles));
}

/// Roles as they were, at the address that the emulator has now.
fn roles_at(world: &World, roles: &Value) -> Value {
    let text = roles.to_string();
    let port = text.split("http://127.0.0.1:").nth(1).unwrap().split('/').next().unwrap().to_owned();
    serde_json::from_str(&text.replace(&format!("http://127.0.0.1:{port}"), world.emulator.url())).unwrap()
}
