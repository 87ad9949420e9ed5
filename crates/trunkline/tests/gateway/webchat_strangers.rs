//! What a stranger may not do to the web chat, and what it says of them.

use reqwest::StatusCode;
use reqwest::header::CONTENT_SECURITY_POLICY;
use serde_json::{Value, json};

use crate::support::{CONSOLE_TOKEN, Program, Visitor, WEBCHAT_ALONE, World, open_socket, until};

async fn alone(env: &[(&str, &str)]) -> World {
    World::start(&[&WEBCHAT_ALONE, env].concat()).await
}

#[tokio::test]
async fn pages_of_other_origins_are_kept_out_unless_they_are_allowed() {
    let world = alone(&[("TRUNKLINE_WEBCHAT_ORIGINS", "https://Shop.example.com, http://localhost:3000")]).await;
    let own = world.gateway_url("");
    for (origin, expected) in [
        (Some(own.as_str()), None),
        (Some("https://shop.example.com"), None),
        (Some("http://localhost:3000"), None),
        (None, None),
        (Some("https://evil.example.com"), Some(403)),
        (Some("null"), Some(403)),
    ] {
        assert_eq!(open_socket(&world, origin).await.err(), expected, "{origin:?}");
    }
    let page = world.get("/chat").await;
    let policy = page.headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.ends_with("frame-ancestors 'self' https://shop.example.com http://localhost:3000"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    for (path, kind) in [("/chat/embed.js", "text/javascript"), ("/chat/chat.css", "text/css")] {
        let file = world.get(path).await;
        assert_eq!((file.status, file.headers["content-type"].to_str().unwrap()), (StatusCode::OK, kind));
    }
    let slash = world.get("/chat/").await;
    assert_eq!((slash.status, &slash.headers["location"]), (StatusCode::SEE_OTHER, &"../chat".parse().unwrap()));
    assert_eq!(world.get("/chat/nothing.js").await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.get("/chat/socket").await.status, StatusCode::BAD_REQUEST, "no WebSocket");
}

#[tokio::test]
async fn what_makes_no_sense_is_told_and_too_much_of_it_ends_the_socket() {
    let world = alone(&[]).await;
    let mut visitor = Visitor::new(&world).await;
    for frame in ["no json", "{}", r#"{"type":"sing"}"#, r#"{"type":"message","id":"m1"}"#, r#"{"type":"hello"}"#] {
        visitor.raw(frame).await;
        assert_eq!(visitor.next().await["code"], "webchat.bad_frame", "{frame}");
    }
    assert_eq!(visitor.try_next().await, Err(1008));
    let mut large = Visitor::new(&world).await;
    large.says("m1", &"x".repeat(40 << 10)).await;
    let refused = large.try_next().await;
    assert!(refused.as_ref().is_err() || refused.unwrap()["code"] == "webchat.bad_frame");
    assert!(world.metric("trunkline_webchat_refused_total", "code=\"webchat.bad_frame\"").await >= 5.0);
}

#[tokio::test]
async fn a_message_that_cannot_be_taken_is_refused_and_the_chat_goes_on() {
    let world = alone(&[("TRUNKLINE_WEBCHAT_NEW_VISITORS", "1")]).await;
    let mut visitor = Visitor::new(&world).await;
    let exact = "é".repeat(2048);
    let long_id = "x".repeat(65);
    for (id, text, code) in [
        ("m0", " \n", "webchat.empty"),
        ("m0", &format!("{exact}x"), "webchat.too_long"),
        ("m 0", "text", "webchat.bad_id"),
        ("", "text", "webchat.bad_id"),
        (&long_id, "text", "webchat.bad_id"),
    ] {
        visitor.says(id, text).await;
        let refused = visitor.next_said().await;
        assert_eq!(
            (&refused["type"], &refused["code"], &refused["retry"]),
            (&json!("refused"), &json!(code), &json!(false))
        );
        assert_eq!(refused["id"], id);
    }
    visitor.says("m0", &exact).await;
    assert_eq!(visitor.next_of("accepted").await["index"], 0);

    let mut other = Visitor::new(&world).await;
    other.says("m1", "text 1").await;
    let refused = other.next_said().await;
    assert_eq!((&refused["code"], &refused["retry"]), (&json!("webchat.too_many_visitors"), &json!(true)));

    let mut refused = Value::Null;
    for number in 1..=31 {
        visitor.says(&format!("m{number}"), "text 1").await;
    }
    while refused["type"] != "refused" {
        refused = visitor.next().await;
    }
    assert_eq!((&refused["code"], &refused["retry"]), (&json!("webchat.too_fast"), &json!(true)));
}

#[tokio::test]
async fn a_visitor_has_a_bounded_number_of_windows() {
    let world = alone(&[]).await;
    let mut visitor = Visitor::new(&world).await;
    visitor.says("m1", "text 1").await;
    visitor.next_of("accepted").await;
    let mut windows = Vec::new();
    for _ in 1..8 {
        windows.push(visitor.again(&world, None).await);
    }
    let mut socket = Visitor::new(&world).await;
    let hello = json!({ "type": "hello", "token": visitor.token });
    // A second hello is no way around it either.
    socket.send(&hello).await;
    assert_eq!(socket.next().await["code"], "webchat.bad_frame");
    let refused = Visitor::try_greet(&world, hello).await;
    assert_eq!(refused["code"], "webchat.too_many_sockets");
    drop(windows.pop());
    until("a window is free", async || {
        let hello = json!({ "type": "hello", "token": visitor.token });
        (Visitor::try_greet(&world, hello).await["type"] == "welcome").then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_a_visitor_writes_is_in_no_log_and_their_token_is_nowhere() {
    const SAID: &str = "my heliotrope is Zanzibar";
    const NONSENSE: &str = "vermilion nonsense";
    let guess = "0123456789abcdef".repeat(4);
    let mut world = World::without_gateway(&WEBCHAT_ALONE).await;
    world.set("TRUNKLINE_LOG", "trace");
    // So that there is something to tell: nobody listens there.
    for (name, value) in [("AGENT", "chat"), ("MODEL", "m"), ("TURN_ATTEMPTS", "1"), ("APOLOGY", "sorry, later")] {
        world.set(&format!("TRUNKLINE_{name}"), value);
    }
    world.set("OPENAI_BASE_URL", "http://127.0.0.1:9/v1");
    world.set("TRUNKLINE_LOG_FORMAT", "json");
    world.set("TRUNKLINE_LISTEN", "127.0.0.1:0");
    let mut program = Program::start("serve", world.folder.path(), world.env(), &["serve"]);
    let gateway = program.told("gateway").await;
    let mut visitor = Visitor::greet_at(&gateway, json!({ "token": guess })).await;
    visitor.says("m1", SAID).await;
    let _said = (visitor.shown().await, visitor.shown().await);
    visitor.raw(NONSENSE).await;
    assert_eq!(visitor.next_of("error").await["code"], "webchat.bad_frame");
    let mut resumed = Visitor::greet_at(&gateway, json!({ "token": visitor.token })).await;
    resumed.says("m2", " ").await;
    assert_eq!(resumed.next_of("refused").await["code"], "webchat.empty");
    let metrics = reqwest::get(format!("{gateway}/metrics")).await.unwrap().text().await.unwrap();
    assert_eq!(program.terminate().await, Some(0));
    let written = program.stderr() + &program.stdout() + &metrics;
    assert!(written.contains("the agent has no answer") && metrics.contains("webchat_refused_total"), "{written}");
    let person = visitor.conversation.trim_start_matches("chat-").chars().take(16).collect::<String>();
    for secret in [SAID, NONSENSE, &guess, &visitor.token, "sorry, later", CONSOLE_TOKEN, &format!("visitor-{person}")]
    {
        let line = written.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret} is logged: {line:?}");
    }
    for file in std::fs::read_dir(world.data_dir()).unwrap() {
        let file = file.unwrap().path();
        let bytes = std::fs::read(&file).unwrap();
        let is_kept = bytes.windows(visitor.token.len()).any(|window| window == visitor.token.as_bytes());
        assert!(!is_kept, "the token is in {}", file.display());
    }
}

#[tokio::test]
async fn without_the_setting_there_is_no_chat() {
    let world = World::start(&[]).await;
    for path in ["/chat", "/chat/socket", "/chat/embed.js"] {
        assert_eq!(world.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(open_socket(&world, None).await.err(), Some(404));
    assert_eq!(world.api("/api/v1/status").await["connectors"].as_array().map(Vec::len), Some(2));
    assert!(world.gateway().chat_url().is_none());
}
