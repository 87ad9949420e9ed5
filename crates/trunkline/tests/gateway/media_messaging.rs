//! Files by Programmable Messaging: those of people are fetched and handed on, those of answers are fetched from here.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::media::{PNG, first_message, received, send, upload};
use crate::messaging;
use crate::support::{ADA, BOB, CONSOLE_TOKEN, HttpAgentServer, World, answer, until};

const JSON: &str = "application/json";

async fn with_agent(said: &str) -> (HttpAgentServer, World) {
    let agent = HttpAgentServer::start(([127, 0, 0, 1], 0).into(), &[Some((200, JSON, said))]).await;
    let world = messaging::world(&[
        ("TRUNKLINE_AGENT", "http"),
        ("TRUNKLINE_AGENT_URL", agent.url.as_str()),
        ("TRUNKLINE_AGENT_SECRET", "a-secret-of-the-tests"),
        ("TRUNKLINE_MEDIA_REFUSED", "cannot open"),
    ])
    .await;
    (agent, world)
}

async fn expect_files(world: &World, phone: &str, expected: &[(&str, usize)]) {
    until("the files arrive", async || (received(world, phone).await.len() >= expected.len()).then_some(())).await;
    world.until_idle().await;
    let expected: Vec<_> = expected.iter().map(|(text, files)| ((*text).to_owned(), *files)).collect();
    assert_eq!(received(world, phone).await, expected);
}

#[tokio::test]
async fn a_picture_is_fetched_kept_and_handed_to_the_agent() {
    let (agent, world) = with_agent(r#"{"text":"I see"}"#).await;
    send(&world, ADA, "look", &[("image/jpeg", PNG)]).await;
    world.expect_answers(ADA, &["I see"]).await;
    let (_, asked) = &agent.asked()[0];
    let file = &asked["media"][0];
    assert_eq!((&file["kind"], &file["content_type"]), (&json!("image"), &json!("image/png")));
    assert_eq!((&asked["input"], &file["size"]), (&json!(["look"]), &json!(PNG.len())));
    let kept = world.http.get(file["url"].as_str().unwrap()).bearer_auth(CONSOLE_TOKEN).send().await.unwrap();
    assert_eq!(kept.bytes().await.unwrap(), PNG);

    send(&world, BOB, "", &[("application/pdf", b"%PDF-1.7")]).await;
    world.expect_answers(BOB, &["cannot open"]).await;
    assert_eq!(agent.asked().len(), 1);
    assert_eq!(first_message(&world).await["media"][0]["error_code"], "files.unsupported");
}

#[tokio::test]
async fn an_answer_with_files_is_fetched_from_here_and_sent_once() {
    let other = [PNG, b"another"].concat();
    let folder = tempfile::tempdir().unwrap();
    let shelf = trunkline::media::MediaFolder::within(folder.path());
    let (first, second) = (shelf.keep(PNG.into()).await.unwrap(), shelf.keep(other.clone().into()).await.unwrap());
    let said = json!({"text": "Here you are", "media": [first, second]}).to_string();
    let (_agent, world) = with_agent(&said).await;
    for bytes in [PNG, &other] {
        assert_eq!(upload(&world, bytes).await.0, StatusCode::CREATED);
    }
    let path = "/2010-04-01/Accounts/*/Messages.json";
    world.fault(json!({"match": {"method": "POST", "path": path}, "count": 1, "fault": {"kind": "drop_after"}})).await;
    messaging::text(&world, ADA, "send me something").await;
    let expected = [("Here you are", 1), ("", 1)];
    expect_files(&world, ADA, &expected).await;

    let list = world.api("/api/v1/conversations").await;
    let id = list["conversations"][0]["id"].as_str().unwrap().to_owned();
    let say = async |wish: Value| {
        let url = world.gateway_url(&format!("/api/v1/conversations/{id}/messages"));
        answer(world.http.post(url).bearer_auth(CONSOLE_TOKEN).json(&wish)).await
    };
    assert_eq!(say(json!({"media_sha256": first})).await.status, StatusCode::ACCEPTED);
    expect_files(&world, ADA, &[expected[0], expected[1], ("", 1)]).await;
    assert_eq!(world.api("/api/v1/status").await["dead_letters"], 0);
}

#[tokio::test]
async fn nobody_gets_a_file_without_its_address() {
    let (_agent, world) = with_agent(r#"{"text":"I see"}"#).await;
    let (_, kept) = upload(&world, PNG).await;
    let hash = kept["sha256"].as_str().unwrap();
    let sig = "0".repeat(64);
    for path in [
        format!("/files/{hash}"),
        format!("/files/{hash}?until=9999999999&sig={sig}"),
        format!("/files/{hash}?until=x&sig="),
        "/files/..%2Fstore.db?until=9999999999&sig=00".to_owned(),
    ] {
        let missing = world.get(&path).await;
        assert_eq!((missing.status, missing.body["code"].as_str()), (StatusCode::NOT_FOUND, Some("files.not_found")));
    }
}

#[tokio::test]
async fn what_has_no_room_is_refused_and_what_is_kept_already_is_not() {
    let room = (PNG.len() + 1).to_string();
    let world =
        World::start(&[("TRUNKLINE_MEDIA_MAX_TOTAL_BYTES", &room), ("TRUNKLINE_MEDIA_REFUSED", "no room")]).await;
    let other = [PNG, b"another"].concat();
    assert_eq!(upload(&world, PNG).await.0, StatusCode::CREATED);
    assert_eq!(upload(&world, PNG).await.0, StatusCode::CREATED);
    let (status, refused) = upload(&world, &other).await;
    assert_eq!((status, &refused["code"]), (StatusCode::INSUFFICIENT_STORAGE, &json!("files.full")));
    send(&world, ADA, "", &[("image/png", &other)]).await;
    world.expect_answers(ADA, &["no room"]).await;
    assert_eq!(first_message(&world).await["media"][0]["error_code"], "files.full");
}
