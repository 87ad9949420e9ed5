//! Files that people send: fetched, kept once, shown, handed to agents; and what happens to those that are not taken.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{ADA, BOB, CONSOLE_TOKEN, HttpAgentServer, World, answer};

/// The smallest picture: one pixel.
pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89";
const JSON: &str = "application/json";

pub(crate) async fn send(world: &World, from: &str, body: &str, files: &[(&str, &[u8])]) {
    let media: Vec<_> = files
        .iter()
        .map(|(kind, data)| json!({"content_type": kind, "filename": "a.bin", "data": STANDARD.encode(data)}))
        .collect();
    let mut text = json!({"from": from, "media": media});
    if !body.is_empty() {
        text["body"] = json!(body);
    }
    world.control(Method::POST, "/messages", text).await;
}

pub(crate) async fn first_message(world: &World) -> Value {
    let list = world.api("/api/v1/conversations").await;
    let id = list["conversations"][0]["id"].as_str().unwrap();
    world.api(&format!("/api/v1/conversations/{id}/messages")).await["messages"][0].clone()
}

fn kept(world: &World) -> usize {
    let Ok(shelves) = std::fs::read_dir(world.data_dir().join("media")) else { return 0 };
    shelves.map(|shelf| std::fs::read_dir(shelf.unwrap().path()).unwrap().count()).sum()
}

async fn with_agent(env: &[(&str, &str)]) -> (HttpAgentServer, World) {
    let script = [Some((200, JSON, "{\"text\":\"I see\"}"))];
    let agent = HttpAgentServer::start(([127, 0, 0, 1], 0).into(), &script).await;
    let url = agent.url.clone();
    let mut all = vec![
        ("TRUNKLINE_AGENT", "http"),
        ("TRUNKLINE_AGENT_URL", url.as_str()),
        ("TRUNKLINE_AGENT_SECRET", "a-secret-of-the-tests"),
        ("TRUNKLINE_MEDIA_REFUSED", "cannot open"),
    ];
    all.extend(env);
    let world = World::start(&all).await;
    (agent, world)
}

#[tokio::test]
async fn a_picture_is_kept_once_shown_and_handed_to_the_agent() {
    let (agent, world) = with_agent(&[]).await;
    // What it calls itself does not count.
    send(&world, ADA, "", &[("image/jpeg", PNG)]).await;
    world.expect_answers(ADA, &["I see"]).await;
    send(&world, BOB, "look", &[("image/png", PNG)]).await;
    world.expect_answers(BOB, &["I see"]).await;
    assert_eq!(kept(&world), 1, "the same content is kept once");

    let (_, asked) = &agent.asked()[0];
    let file = &asked["media"][0];
    assert_eq!(asked["input"], json!([""]));
    assert_eq!(
        (&file["kind"], &file["content_type"], &file["input"]),
        (&json!("image"), &json!("image/png"), &json!(0))
    );
    assert_eq!(file["size"], PNG.len());
    let url = file["url"].as_str().unwrap();
    assert_eq!(answer(world.http.get(url)).await.status, StatusCode::UNAUTHORIZED);
    let response = world.http.get(url).bearer_auth(CONSOLE_TOKEN).send().await.unwrap();
    assert_eq!((response.status(), &response.headers()[CONTENT_TYPE]), (StatusCode::OK, &"image/png".parse().unwrap()));
    assert_eq!(response.bytes().await.unwrap(), PNG);

    let shown = first_message(&world).await["media"][0].clone();
    assert_eq!((&shown["kind"], &shown["sha256"]), (&json!("image"), &file["sha256"]));
    assert!(url.ends_with(shown["url"].as_str().unwrap()));
    for path in ["/api/v1/media/..%2Fstore.db", "/api/v1/media/0000"] {
        let missing = answer(world.http.get(world.gateway_url(path)).bearer_auth(CONSOLE_TOKEN)).await;
        assert_eq!(
            (missing.status, &missing.body["code"]),
            (StatusCode::NOT_FOUND, &json!("files.not_found")),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_file_that_is_not_taken_gets_one_clear_answer_and_no_agent() {
    let (agent, world) = with_agent(&[("TRUNKLINE_MEDIA_MAX_BYTES", "2048")]).await;
    send(&world, ADA, "", &[("image/png", b"not really"), ("application/pdf", b"%PDF-1.7")]).await;
    world.expect_answers(ADA, &["cannot open"]).await;
    assert!(agent.asked().is_empty());
    let codes: Vec<_> = first_message(&world).await["media"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["error_code"].clone())
        .collect();
    assert_eq!(codes, ["files.unsupported", "files.unsupported"]);
    assert_eq!(kept(&world), 0);

    let large = [PNG, &[0; 4096]].concat();
    send(&world, BOB, "and this?", &[("image/png", &large), ("image/png", PNG)]).await;
    world.expect_answers(BOB, &["cannot open", "I see"]).await;
    let (_, asked) = &agent.asked()[0];
    assert_eq!((&asked["input"], asked["media"].as_array().unwrap().len()), (&json!(["and this?"]), 1));
    assert_eq!(first_message(&world).await["media"][0]["error_code"], "files.too_large");
}

#[tokio::test]
async fn a_picture_without_words_is_answered_too() {
    let world = World::start(&[]).await;
    send(&world, ADA, "", &[("image/png", PNG)]).await;
    world.expect_answers(ADA, &["pardon?"]).await;
}

pub(crate) async fn upload(world: &World, bytes: &[u8]) -> (StatusCode, Value) {
    let request = world.http.post(world.gateway_url("/api/v1/media")).bearer_auth(CONSOLE_TOKEN).body(bytes.to_vec());
    let taken = answer(request).await;
    (taken.status, taken.body)
}

/// Text and number of files of what a phone has received.
pub(crate) async fn received(world: &World, phone: &str) -> Vec<(String, usize)> {
    let list = world.control(Method::GET, &format!("/phones/{phone}/messages"), Value::Null).await;
    let received = list["messages"].as_array().unwrap().iter().filter(|line| line["direction"] == "received");
    let files = |line: &Value| line["media"].as_array().map_or(0, Vec::len);
    received.map(|line| (line["body"].as_str().unwrap_or_default().to_owned(), files(line))).collect()
}

#[tokio::test]
async fn answers_and_operators_send_files_in_order_one_each() {
    let other = [PNG, b"another"].concat();
    let hash = |bytes: &[u8]| {
        use sha2::Digest as _;
        sha2::Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    };
    let said = json!({"text": "Here you are", "media": [hash(PNG), hash(&other), "unknown"]}).to_string();
    let script = [Some((200, JSON, said.as_str()))];
    let agent = HttpAgentServer::start(([127, 0, 0, 1], 0).into(), &script).await;
    let world = World::start(&[
        ("TRUNKLINE_AGENT", "http"),
        ("TRUNKLINE_AGENT_URL", agent.url.as_str()),
        ("TRUNKLINE_AGENT_SECRET", "a-secret-of-the-tests"),
        ("TRUNKLINE_MEDIA_MAX_BYTES", "2048"),
    ])
    .await;
    let (status, taken) = upload(&world, PNG).await;
    assert_eq!((status, &taken["sha256"], &taken["kind"]), (StatusCode::CREATED, &json!(hash(PNG)), &json!("image")));
    assert_eq!(upload(&world, &other).await.0, StatusCode::CREATED);
    let (status, refused) = upload(&world, b"not really").await;
    assert_eq!((status, &refused["code"]), (StatusCode::UNSUPPORTED_MEDIA_TYPE, &json!("ErrCodeInvalidMessage")));
    let (status, refused) = upload(&world, &[0; 4096]).await;
    assert_eq!((status, &refused["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("ErrCodeInvalidMessage")));

    world.text(ADA, "send me something").await;
    let expected = [("Here you are".to_owned(), 1), (String::new(), 1)];
    crate::support::until("both files arrive", async || (received(&world, ADA).await.len() == 2).then_some(())).await;
    assert_eq!(received(&world, ADA).await, expected);

    let list = world.api("/api/v1/conversations").await;
    let id = list["conversations"][0]["id"].as_str().unwrap().to_owned();
    let say = async |wish: Value| {
        let url = world.gateway_url(&format!("/api/v1/conversations/{id}/messages"));
        answer(world.http.post(url).bearer_auth(CONSOLE_TOKEN).json(&wish)).await
    };
    let missing = say(json!({"media_sha256": "0"})).await;
    assert_eq!(missing.body["code"], "ErrCodeInvalidMessage", "{}", missing.text);
    assert_eq!(say(json!({"media_sha256": hash(PNG)})).await.status, StatusCode::ACCEPTED);
    crate::support::until("the operator's file arrives", async || {
        (received(&world, ADA).await.len() == 3).then_some(())
    })
    .await;
    world.until_idle().await;
    assert_eq!(received(&world, ADA).await[2], (String::new(), 1));
    let thread = world.api(&format!("/api/v1/conversations/{id}/messages")).await;
    let last = thread["messages"].as_array().unwrap().last().unwrap()["media"][0].clone();
    assert_eq!((&last["sha256"], &last["kind"]), (&json!(hash(PNG)), &json!("image")));
}

#[tokio::test]
async fn a_streamed_answer_names_files_too() {
    let folder = tempfile::tempdir().unwrap();
    let hash = trunkline::media::MediaFolder::within(folder.path()).keep(PNG.into()).await.unwrap();
    let said = format!(
        "event: file\ndata: {{\"sha256\":\"{hash}\"}}\n\nevent: text\ndata: {{\"text\":\"Look\"}}\n\nevent: done\ndata: {{}}\n\n"
    );
    let script = [Some((200, "text/event-stream", said.as_str()))];
    let agent = HttpAgentServer::start(([127, 0, 0, 1], 0).into(), &script).await;
    let world = World::start(&[
        ("TRUNKLINE_AGENT", "http"),
        ("TRUNKLINE_AGENT_URL", agent.url.as_str()),
        ("TRUNKLINE_AGENT_SECRET", "a-secret-of-the-tests"),
    ])
    .await;
    assert_eq!(upload(&world, PNG).await.1["sha256"], hash);
    world.text(ADA, "show me").await;
    world.expect_answers(ADA, &["Look"]).await;
    assert_eq!(received(&world, ADA).await, [("Look".to_owned(), 1)]);
}
