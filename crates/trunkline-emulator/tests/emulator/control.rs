//! The control API, who may use it, and the pages.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{NUMBER, PERSON, World};

#[tokio::test]
async fn the_account_is_shown_whole() {
    let world = World::start().await;
    let account = world.emulator.account().clone();
    let shown = world.control(Method::GET, "/account", Value::Null).await.body;
    let expect = json!({
        "account_sid": account.account_sid.as_str(),
        "auth_token": account.auth_token,
        "api_key": account.api_key.as_str(),
        "api_secret": account.api_secret,
        "chat_service_sid": account.chat_service_sid.as_str(),
        "identity": account.identity,
        "messaging_service_sid": shown["messaging_service_sid"],
        "phone_number": NUMBER,
        "base_url": world.emulator.url(),
        "twilsock_url": world.emulator.twilsock_url(),
    });
    assert_eq!(shown, expect);
}

#[tokio::test]
async fn pages_of_other_sites_are_kept_out() {
    let world = World::start().await;
    let host = world.emulator.address().to_string();
    let check = async |header: &str, value: &str, expect: StatusCode| {
        let request = world.http.post(world.url("/emulator/v1/reset")).header(header, value);
        assert_eq!(request.send().await.unwrap().status(), expect, "{header}: {value}");
    };
    check("host", "rebound.example.com", StatusCode::FORBIDDEN).await;
    check("host", "localhost:1", StatusCode::NO_CONTENT).await;
    check("origin", "https://example.com", StatusCode::FORBIDDEN).await;
    check("origin", "null", StatusCode::FORBIDDEN).await;
    check("origin", &format!("http://{host}"), StatusCode::NO_CONTENT).await;
}

#[tokio::test]
async fn a_reset_empties_everything_but_the_account() {
    let world = World::start().await;
    world.text(PERSON, "hello").await;
    world.create("/v1/Conversations", &[("UniqueName", "one")]).await;
    world.configure(&[("PostWebhookUrl", "http://127.0.0.1:9/")], &["onMessageAdded"]).await;
    world.fault(json!({"fault": {"kind": "latency", "ms": 1}})).await;
    let account = world.emulator.account().clone();
    assert_eq!(world.control(Method::POST, "/reset", Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.control(Method::GET, "/faults", Value::Null).await.body, json!({"faults": []}));
    assert_eq!(world.control(Method::GET, "/phones", Value::Null).await.body, json!({"phones": []}));
    assert_eq!(world.get("/v1/Conversations").await.body["conversations"], json!([]));
    assert!(world.get("/v1/Configuration/Webhooks").await.body["post_webhook_url"].is_null());
    let addresses = world.get("/v1/Configuration/Addresses").await.body;
    assert_eq!(addresses["address_configurations"].as_array().unwrap().len(), 2);
    let shown = world.control(Method::GET, "/account", Value::Null).await.body;
    assert_eq!(shown["auth_token"], account.auth_token);
    world.create("/v1/Conversations", &[("UniqueName", "one")]).await;
    assert_eq!(world.text(PERSON, "hello again").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn the_phone_is_a_page_of_this_origin_only() {
    let world = World::start().await;
    let page = world.http.get(world.url("/")).send().await.unwrap();
    assert_eq!(page.url().path(), "/phone");
    assert_eq!(page.headers()["content-security-policy"], "default-src 'self'");
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let script = world.http.get(world.url("/phone/phone.js")).send().await.unwrap();
    assert_eq!(script.status(), StatusCode::OK);
    assert!(script.headers()["content-type"].to_str().unwrap().contains("javascript"));
    for missing in ["/phone/nothing.js", "/phone/..%2F..%2FCargo.toml"] {
        assert_eq!(world.http.get(world.url(missing)).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    }
    assert_eq!(world.http.get(world.url("/healthz")).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn shutdown_answers_what_is_asked_and_frees_the_port() {
    let world = World::start().await;
    let address = world.emulator.address();
    let watcher = world.http.get(world.url("/emulator/v1/phones/1/events")).send().await.unwrap();
    world.emulator.shutdown().await;
    // The stream ended instead of holding the shutdown up.
    assert!(watcher.bytes().await.is_ok());
    let again = trunkline_emulator::Emulator::builder().listen(address).start().await.unwrap();
    assert_eq!(again.address(), address);
    let refused = trunkline_emulator::Emulator::builder().listen(address).start().await.unwrap_err();
    assert_eq!(refused.code(), "emulator.start.listen");
}
