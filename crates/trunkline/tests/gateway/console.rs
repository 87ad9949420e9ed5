//! The console: who gets in, and what it shows.

use futures_util::StreamExt as _;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use serde_json::{Value, json};

use crate::support::{ADA, Answer, BOB, CONSOLE_TOKEN, DEADLINE, World, answer};

const PATHS: [&str; 5] = [
    "/api/v1/status",
    "/api/v1/conversations",
    "/api/v1/conversations/1",
    "/api/v1/conversations/1/messages",
    "/api/v1/events",
];

fn cookie(answer: &Answer) -> String {
    let set = answer.headers[SET_COOKIE].to_str().unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains(CONSOLE_TOKEN), "{set}");
    set.split(';').next().unwrap().to_owned()
}

async fn with_cookie(world: &World, cookie: &str) -> StatusCode {
    answer(world.http.get(world.gateway_url("/api/v1/status")).header(COOKIE, cookie)).await.status
}

async fn log_in(world: &World, token: &str) -> Answer {
    answer(world.http.post(world.gateway_url("/login")).json(&json!({ "token": token }))).await
}

#[tokio::test]
async fn nobody_gets_in_without_the_token() {
    let world = World::start(&[]).await;
    for path in PATHS {
        let refused = world.get(path).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(refused.body["code"], "console.unauthorized", "{path}");
        let wrong = answer(world.http.get(world.gateway_url(path)).bearer_auth("wrong")).await;
        assert_eq!(wrong.status, StatusCode::UNAUTHORIZED, "{path}");
        let in_query = world.get(&format!("{path}?token={CONSOLE_TOKEN}")).await;
        assert_eq!(in_query.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    // By now the guesses may be too many.
    let refused = [StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS];
    assert!(refused.contains(&with_cookie(&world, "trunkline_console=").await));
    assert!(refused.contains(&with_cookie(&world, &format!("trunkline_console={CONSOLE_TOKEN}")).await));
    assert_eq!(world.api("/api/v1/status").await["ready"], true);
}

#[tokio::test]
async fn a_log_in_gives_a_cookie() {
    let world = World::start(&[]).await;
    let by_form = log_in(&world, CONSOLE_TOKEN).await;
    assert_eq!(by_form.status, StatusCode::NO_CONTENT);
    assert_eq!(with_cookie(&world, &cookie(&by_form)).await, StatusCode::OK);

    let link = world.gateway().console_url();
    assert!(link.ends_with(&format!("/login?token={CONSOLE_TOKEN}")), "{link}");
    let by_link = answer(world.http.get(link)).await;
    assert_eq!((by_link.status, by_link.headers[LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, "/"));
    assert_eq!(with_cookie(&world, &cookie(&by_link)).await, StatusCode::OK);
    let among_others = format!("theme=dark; {}", cookie(&by_link));
    assert_eq!(with_cookie(&world, &among_others).await, StatusCode::OK);
}

#[tokio::test]
async fn guessing_is_slowed_down_and_the_right_token_still_works() {
    let world = World::start(&[]).await;
    let mut refusals = Vec::new();
    for guess in 0..12 {
        let refused = log_in(&world, &format!("guess {guess}")).await;
        assert!(!refused.headers.contains_key(SET_COOKIE));
        refusals.push(refused.status);
    }
    assert_eq!(refusals[0], StatusCode::UNAUTHORIZED);
    assert!(refusals.contains(&StatusCode::TOO_MANY_REQUESTS), "{refusals:?}");
    assert_eq!(log_in(&world, CONSOLE_TOKEN).await.status, StatusCode::NO_CONTENT);
    assert_eq!(log_in(&world, &"x".repeat(5000)).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn guessing_at_the_api_is_slowed_down_as_well() {
    let world = World::start(&[]).await;
    let path = world.gateway_url("/api/v1/status");
    let mut refusals = Vec::new();
    for guess in 0..12 {
        let guess = format!("guess {guess}");
        refusals.push(answer(world.http.get(&path).bearer_auth(&guess)).await.status);
        refusals.push(with_cookie(&world, &format!("trunkline_console={guess}")).await);
    }
    assert_eq!(refusals[0], StatusCode::UNAUTHORIZED);
    assert!(refusals.contains(&StatusCode::TOO_MANY_REQUESTS), "{refusals:?}");
    assert_eq!(world.get("/api/v1/status").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.api("/api/v1/status").await["ready"], true);
}

#[tokio::test]
async fn pages_come_with_a_policy_and_without_a_token() {
    let world = World::start(&[]).await;
    let page = world.get("/").await;
    assert_eq!(page.status, StatusCode::OK);
    let assets = page.text.split('"').filter(|part| part.contains("assets/")).map(str::to_owned);
    let assets: Vec<_> = assets.map(|asset| format!("/{}", asset.trim_start_matches('/'))).collect();
    assert!(!assets.is_empty(), "{}", page.text);
    for path in assets.iter().map(String::as_str).chain(["/"]) {
        let page = world.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        let policy = page.headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.headers["x-content-type-options"], "nosniff");
        assert!(!page.text.contains(CONSOLE_TOKEN), "{path}");
    }
    for path in ["/assets/nothing.js", "/assets/..%2Findex.html", "/nothing"] {
        assert_eq!(world.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn conversations_and_threads_are_listed() {
    let world = World::start(&[]).await;
    let (conversation, message) = world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    world.text(BOB, "text 2").await;
    world.expect_answers(BOB, &["answer 2"]).await;

    let list = world.api("/api/v1/conversations").await;
    let list = list["conversations"].as_array().unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0]["address"], BOB);
    let ada = list.iter().find(|one| one["external_id"] == *conversation).unwrap();
    assert_eq!((&ada["address"], &ada["channel"], &ada["state"]), (&json!(ADA), &json!("sms"), &json!("idle")));
    assert_eq!(ada["pending"], 0);
    assert_eq!(ada["last_message"]["text"], "answer 1");
    let id = ada["id"].as_str().unwrap();
    let alone = world.api(&format!("/api/v1/conversations/{id}")).await;
    assert!(ada.as_object().unwrap().iter().all(|(key, value)| alone[key] == *value), "{alone} {ada}");
    assert_eq!(alone["participants"][0]["address"], ADA);

    let thread = world.api(&format!("/api/v1/conversations/{id}/messages")).await;
    let lines = thread["messages"].as_array().unwrap();
    let told: Vec<_> = lines.iter().map(|line| (line["direction"].clone(), line["text"].clone())).collect();
    assert_eq!(told, [(json!("in"), json!("text 1")), (json!("out"), json!("answer 1"))]);
    assert_eq!(lines[0]["index"], 0);
    assert_eq!(lines[1]["index"], 1);
    assert!(!message.is_empty() && lines.iter().all(|line| line["error_code"] == Value::Null));

    let first = world.api("/api/v1/conversations?limit=1").await;
    let next = first["next"].as_str().unwrap();
    let second = world.api(&format!("/api/v1/conversations?limit=1&before={next}")).await;
    assert_eq!(second["conversations"][0]["address"], ADA);
    let newest = world.api(&format!("/api/v1/conversations/{id}/messages?limit=1")).await;
    assert_eq!(newest["messages"][0]["text"], "answer 1");
    let before = newest["next"].as_str().unwrap();
    let older = world.api(&format!("/api/v1/conversations/{id}/messages?limit=1&before={before}")).await;
    assert_eq!(older["messages"][0]["text"], "text 1");
}

#[tokio::test]
async fn what_is_not_there_or_makes_no_sense_is_an_answer() {
    let world = World::start(&[]).await;
    for (path, status) in [
        ("/api/v1/conversations/nobody", 404),
        ("/api/v1/conversations/nobody/messages", 404),
        ("/api/v1/conversations?before=nonsense", 400),
        ("/api/v1/conversations?limit=many", 400),
        ("/api/v1/nothing", 404),
    ] {
        let answer = answer(world.http.get(world.gateway_url(path)).bearer_auth(CONSOLE_TOKEN)).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
    }
    let status = world.api("/api/v1/status").await;
    let healthy =
        ["twilio", "twilio-messaging"].map(|name| json!({ "name": name, "status": "healthy", "trouble": null }));
    assert_eq!(status["connectors"], json!(healthy));
    assert_eq!((&status["ready"], &status["reasons"]), (&json!(true), &json!([])));
}

#[tokio::test]
async fn changes_are_told_as_they_happen() {
    let world = World::start(&[]).await;
    let request = world.http.get(world.gateway_url("/api/v1/events")).bearer_auth(CONSOLE_TOKEN);
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
    let mut pieces = response.bytes_stream();
    world.text(ADA, "text 1").await;
    let mut told = String::new();
    let heard = async {
        while !(told.contains("event: status") && told.contains("answer 1")) {
            told.push_str(std::str::from_utf8(&pieces.next().await.unwrap().unwrap()).unwrap());
        }
    };
    tokio::time::timeout(DEADLINE, heard).await.unwrap();
    let of_conversation = told.split("\n\n").filter_map(|event| event.strip_prefix("event: conversation\ndata: "));
    let changes: Vec<Value> = of_conversation.map(|data| serde_json::from_str(data).unwrap()).collect();
    assert!(changes.iter().any(|change| change["address"] == ADA && change["last_message"]["text"] == "answer 1"));
}

#[tokio::test]
async fn an_open_page_does_not_hold_up_a_stop() {
    let mut world = World::start(&[("TRUNKLINE_DRAIN", "5m")]).await;
    let request = world.http.get(world.gateway_url("/api/v1/events")).bearer_auth(CONSOLE_TOKEN);
    let mut pieces = request.send().await.unwrap().bytes_stream();
    assert!(pieces.next().await.unwrap().is_ok());
    tokio::time::timeout(DEADLINE, world.stop_gateway()).await.unwrap();
    let rest = async { while pieces.next().await.is_some_and(|piece| piece.is_ok()) {} };
    tokio::time::timeout(DEADLINE, rest).await.unwrap();
}
