//! The chat agent against a server on a socket that speaks the documented protocol.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Json, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use trunkline_agent::models::{ModelApi, ModelConfig};
use trunkline_agent::{
    Agent, AgentError, AgentEvent, Attachment, ChatModel, ChatModelConfig, MediaKind, Role, Turn, Utterance, collect,
};
use trunkline_core::{Channel, Pii, Retry};

type Seen = Arc<Mutex<Vec<(Option<String>, Value)>>>;

/// What the server does with a request.
#[derive(Clone, Copy)]
enum Behaviour {
    Answers,
    Refuses(u16),
    StaysSilent,
    StopsHalfWay,
    BreaksOff,
    /// Says the pieces, then ends for the reason, or without one.
    Ends(&'static [&'static str], Option<&'static str>),
    DeclinesTo,
}

struct Server {
    base_url: String,
    seen: Seen,
    _task: tokio::task::JoinSet<()>,
}

async fn server(behaviour: Behaviour) -> Server {
    let seen = Seen::default();
    let app = Router::new().route("/v1/chat/completions", post(completions)).with_state((behaviour, Arc::clone(&seen)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port");
    let base_url = format!("http://{}/v1", listener.local_addr().expect("address"));
    let mut task = tokio::task::JoinSet::new();
    task.spawn(async move { axum::serve(listener, app).await.expect("serves") });
    Server { base_url, seen, _task: task }
}

fn chunk(text: &str) -> String {
    event(&json!({"content": text}), None)
}

fn end(reason: &str) -> String {
    event(&json!({}), Some(reason)) + DONE
}

const DONE: &str = "data: [DONE]\n\n";

fn event(delta: &Value, finish_reason: Option<&str>) -> String {
    let body = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    });
    format!("data: {body}\n\n")
}

async fn completions(
    State((behaviour, seen)): State<(Behaviour, Seen)>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let key = headers.get("authorization").and_then(|value| value.to_str().ok()).map(str::to_owned);
    seen.lock().expect("lock").push((key, body));
    let begin = [chunk("Hel"), chunk("lo! ")];
    let pieces = match behaviour {
        Behaviour::Refuses(status) => {
            let body = json!({"error": {"message": "secret detail", "type": "t", "param": null, "code": null}});
            return (StatusCode::from_u16(status).expect("status"), Json(body)).into_response();
        }
        Behaviour::StaysSilent => stream::pending().boxed(),
        Behaviour::Answers => {
            let rest = [chunk("You are "), chunk("Ada"), end("stop")];
            stream::iter(begin.into_iter().chain(rest).map(Ok)).boxed()
        }
        Behaviour::Ends(pieces, reason) => {
            let last = reason.map_or_else(|| DONE.to_owned(), end);
            stream::iter(pieces.iter().map(|piece| chunk(piece)).chain([last]).map(Ok)).boxed()
        }
        Behaviour::DeclinesTo => {
            let refusal = event(&json!({"refusal": "secret detail"}), None);
            stream::iter([refusal, end("stop")].map(Ok)).boxed()
        }
        Behaviour::StopsHalfWay => stream::iter(begin.into_iter().map(Ok)).chain(stream::pending()).boxed(),
        Behaviour::BreaksOff => {
            let cut = stream::iter([Err(std::io::Error::other("cut"))]);
            stream::iter(begin.into_iter().map(Ok)).chain(cut).boxed()
        }
    };
    let body = Body::from_stream(pieces);
    ([("content-type", "text/event-stream")], body).into_response()
}

fn turn() -> Turn {
    let said = |role, text: &str| Utterance { role, text: Pii::new(text.to_owned()) };
    Turn {
        id: "turn-1".into(),
        attempt: 1,
        deadline: Duration::from_secs(30),
        traceparent: None,
        conversation: "c".into(),
        contact: "p".into(),
        channel: Channel::Sms,
        input: vec![Pii::new("what is my name?".into())],
        attachments: Vec::new(),
        recalled: Vec::new(),
        summary: None,
        history: vec![
            said(Role::Person, &"x".repeat(2000)),
            said(Role::Person, "my name is Ada"),
            said(Role::Agent, "Hello Ada"),
        ],
        memories: BTreeMap::new(),
    }
}

fn at(base_url: &str) -> ModelConfig {
    ModelConfig { base_url: base_url.to_owned(), api_key: "sk-test".into(), ..ModelConfig::new(ModelApi::OpenAi, "m") }
}

fn model(server: &Server) -> ChatModel {
    ChatModel::new(ChatModelConfig {
        first_token_timeout: Duration::from_millis(400),
        total_timeout: Duration::from_millis(800),
        max_history_bytes: 1000,
        ..ChatModelConfig::with(vec![at(&server.base_url)])
    })
    .expect("model")
}

async fn answer(behaviour: Behaviour) -> Result<String, AgentError> {
    let server = server(behaviour).await;
    let stream = model(&server).respond(turn()).await?;
    collect(stream, 10_000).await.map(|reply| reply.text.into_inner())
}

async fn code_of(behaviour: Behaviour) -> &'static str {
    let error = answer(behaviour).await.expect_err("no answer");
    assert!(!error.to_string().contains("secret detail"), "{error}");
    error.code()
}

#[tokio::test]
async fn an_answer_streams_by_sentences_and_the_history_is_bounded() {
    let server = server(Behaviour::Answers).await;
    let pieces: Vec<_> = model(&server).respond(turn()).await.expect("stream").collect().await;
    let texts: Vec<_> = pieces.into_iter().map(|piece| piece.expect("piece")).collect();
    let text = |text: &str| AgentEvent::Text(Pii::new(text.to_owned()));
    assert_eq!(texts, [text("Hello!"), text(" You are Ada")]);

    let seen = server.seen.lock().expect("lock");
    let (key, body) = &seen[0];
    assert_eq!(key.as_deref(), Some("Bearer sk-test"));
    assert_eq!(body["stream"], true);
    let said: Vec<_> = body["messages"].as_array().expect("messages").iter().map(|m| &m["role"]).collect();
    assert_eq!(said, ["system", "user", "assistant", "user"], "the oldest utterance is over the budget");
    assert_eq!(body["messages"][3]["content"], "what is my name?");
}

#[tokio::test]
async fn a_model_sees_pictures_and_is_told_of_other_files() {
    let server = server(Behaviour::Answers).await;
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("a");
    std::fs::write(&path, b"abc").expect("written");
    let file = |kind, content_type: &str| Attachment {
        input: 0,
        kind,
        content_type: content_type.into(),
        size: 3,
        hash: "h".into(),
        filename: None,
        path: path.clone(),
        url: "http://gateway/api/v1/media/h".into(),
    };
    let attachments = vec![file(MediaKind::Image, "image/png"), file(MediaKind::Audio, "audio/ogg")];
    let _answer = collect(model(&server).respond(Turn { attachments, ..turn() }).await.expect("stream"), 100).await;
    let seen = server.seen.lock().expect("lock");
    let expected = json!([
        {"type": "text", "text": "what is my name?\n[the person sent a file: audio/ogg]"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,YWJj"}},
    ]);
    assert_eq!(seen[0].1["messages"][3]["content"], expected);
}

#[tokio::test]
async fn each_failure_has_its_code() {
    assert_eq!(code_of(Behaviour::Refuses(401)).await, "agent.refused");
    assert_eq!(code_of(Behaviour::Refuses(429)).await, "agent.unavailable");
    assert_eq!(code_of(Behaviour::Refuses(503)).await, "agent.unavailable");
    assert_eq!(code_of(Behaviour::StaysSilent).await, "agent.timeout");
    assert_eq!(code_of(Behaviour::StopsHalfWay).await, "agent.timeout");
    assert_eq!(code_of(Behaviour::BreaksOff).await, "agent.unreachable");
}

#[tokio::test]
async fn an_answer_without_a_reason_for_its_end_is_not_one() {
    assert_eq!(code_of(Behaviour::Ends(&["You are Ada. And"], None)).await, "agent.incomplete");
    assert_eq!(code_of(Behaviour::Ends(&[], None)).await, "agent.incomplete");
    assert_eq!(answer(Behaviour::Ends(&["You are Ada. And"], Some("stop"))).await.expect("said"), "You are Ada. And");
}

#[tokio::test]
async fn an_answer_that_is_too_long_for_the_model_is_cut_at_a_sentence() {
    let cut = Behaviour::Ends(&["You are", " Ada. You li", "ve in Lon"], Some("length"));
    assert_eq!(answer(cut).await.expect("said"), "You are Ada.");
    let exact = Behaviour::Ends(&["You are Ada. You", " live."], Some("length"));
    assert_eq!(answer(exact).await.expect("said"), "You are Ada. You live.");
    assert_eq!(code_of(Behaviour::Ends(&["You are", " Ad"], Some("length"))).await, "agent.incomplete");
    assert_eq!(code_of(Behaviour::Ends(&[], Some("length"))).await, "agent.incomplete");
}

#[tokio::test]
async fn an_answer_that_is_withheld_is_not_asked_for_again() {
    for behaviour in [Behaviour::Ends(&["You are Ada. And"], Some("content_filter")), Behaviour::DeclinesTo] {
        let error = answer(behaviour).await.expect_err("no answer");
        assert_eq!((error.code(), error.retry()), ("agent.filtered", Retry::No));
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn a_blank_answer_is_empty() {
    for pieces in [&[][..], &[""], &[" ", "\n\n", "\t"]] {
        let error = answer(Behaviour::Ends(pieces, Some("stop"))).await.expect_err("no answer");
        assert_eq!((error.code(), error.retry()), ("agent.empty", Retry::After(Duration::ZERO)), "{pieces:?}");
    }
}

#[tokio::test]
async fn an_end_that_nobody_asked_for_is_malformed() {
    assert_eq!(code_of(Behaviour::Ends(&["One."], Some("tool_calls"))).await, "agent.malformed");
    assert_eq!(code_of(Behaviour::Ends(&["One."], Some("whim"))).await, "agent.malformed");
}

#[tokio::test]
async fn nobody_at_the_address_is_unreachable() {
    let config = ChatModelConfig::with(vec![at("http://127.0.0.1:9/v1")]);
    let error = ChatModel::new(config).expect("model").respond(turn()).await.err().expect("no answer");
    assert_eq!(error.code(), "agent.unreachable");
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let server = server(Behaviour::Answers).await;
    let stream = model(&server).respond(turn()).await.expect("stream");
    assert_eq!(collect(stream, 5).await.expect_err("cut").code(), "agent.reply_too_long");
}

#[test]
fn every_bad_setting_is_named() {
    let model = ModelConfig { base_url: "ftp://x".into(), ..ModelConfig::new(ModelApi::OpenAi, "") };
    let config = ChatModelConfig { first_token_timeout: Duration::ZERO, ..ChatModelConfig::with(vec![model]) };
    let error = ChatModel::new(config).err().expect("refused");
    let keys: Vec<_> = error.problems().iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["agent.model", "agent.base_url", "agent.first_token_timeout"]);
}
