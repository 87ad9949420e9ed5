//! A language model by script: a server on a socket that speaks OpenAI's Chat Completions and Anthropic's Messages.
//!
//! Sources: OpenAI API reference, *Create chat completion*; Anthropic API reference, *Streaming messages*.

mod anthropic;
mod openai;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::DefaultBodyLimit;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// The largest question, in bytes.
const MAX_QUESTION_BYTES: usize = 32 << 20;
/// The time between the last piece and the end of a connection that breaks off.
const BEFORE_CUT: Duration = Duration::from_millis(50);
/// Questions that are kept for [`ModelServer::asked`]; the oldest are forgotten.
pub const MAX_KEPT: usize = 10_000;

/// What the model does with a question.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ModelAnswer {
    /// Says these pieces, and is done.
    Say(Vec<String>),
    /// Says something, and asks for tools: name and arguments of each.
    Call(String, Vec<(String, Value)>),
    /// Says these pieces, and breaks off without an end.
    BreakOff(Vec<String>),
    /// Says these pieces, and nothing after that, for ever.
    Stall(Vec<String>),
    /// Says the same piece again and again, for ever.
    Endless(String),
    /// Answers with an error of this status, and the seconds of `Retry-After` if there are any.
    Status(u16, Option<u64>),
    /// Answers with something that is not the protocol.
    Rubbish,
}

impl ModelAnswer {
    /// One piece.
    pub fn say(text: impl Into<String>) -> Self {
        Self::Say(vec![text.into()])
    }

    /// Asks for one tool, without a word.
    pub fn call(tool: impl Into<String>, arguments: Value) -> Self {
        Self::Call(String::new(), vec![(tool.into(), arguments)])
    }
}

/// A question, whichever API it came by.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// `openai` or `anthropic`.
    pub api: &'static str,
    /// The key that came along.
    pub key: Option<String>,
    /// The instructions.
    pub instructions: String,
    /// Who said what, oldest first: `person`, `model` or `tool`, and the words.
    pub said: Vec<(String, String)>,
    /// The names of the tools that are offered.
    pub tools: Vec<String>,
    /// The request as it came.
    pub body: Value,
}

impl Asked {
    /// The last words of the person.
    #[must_use]
    pub fn question(&self) -> &str {
        self.last("person").unwrap_or_default()
    }

    /// What the tools gave since the person's last words, oldest first, without the marks around it.
    #[must_use]
    pub fn results(&self) -> Vec<&str> {
        let behind = self.said.iter().rposition(|(role, _)| role == "person").map_or(0, |at| at + 1);
        let behind = self.said.iter().skip(behind);
        behind.filter(|(role, _)| role == "tool").map(|(_, words)| without_marks(words)).collect()
    }

    fn last(&self, role: &str) -> Option<&str> {
        self.said.iter().rev().find(|(said_by, _)| said_by == role).map(|(_, words)| words.as_str())
    }
}

/// What stands between the marks of data, if there are any.
fn without_marks(words: &str) -> &str {
    let inside = words.strip_prefix("<data>\n").and_then(|words| words.strip_suffix("\n</data>"));
    inside.unwrap_or(words)
}

type Script = dyn Fn(&Asked) -> ModelAnswer + Send + Sync;

struct Shared {
    script: Box<Script>,
    asked: Mutex<Vec<Asked>>,
}

/// A running model. It ends when this is dropped.
pub struct ModelServer {
    base_url: String,
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

impl ModelServer {
    /// Starts a model on a free port of this machine; `script` decides what it says.
    ///
    /// # Errors
    /// When no port can be had.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn start(script: impl Fn(&Asked) -> ModelAnswer + Send + Sync + 'static) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { script: Box::new(script), asked: Mutex::default() });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let base_url = format!("http://{}/v1", listener.local_addr()?);
        let app = Router::new()
            .route("/v1/chat/completions", post(openai::complete))
            .route("/v1/messages", post(anthropic::complete))
            .layer(DefaultBodyLimit::max(MAX_QUESTION_BYTES))
            .with_state(Arc::clone(&shared));
        let serve = async move { drop(axum::serve(listener, app).await) };
        let task = AbortOnDropHandle::new(tokio_util::task::TaskTracker::new().spawn(serve));
        Ok(Self { base_url, shared, _task: task })
    }

    /// What is configured as the base URL, of either API.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The questions so far, oldest first.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Shared {
    fn answer(&self, asked: Asked) -> ModelAnswer {
        let answer = (self.script)(&asked);
        let mut kept = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.remove(0);
        }
        kept.push(asked);
        answer
    }
}

/// How an API says things.
struct Wire {
    /// Before the first piece.
    begin: String,
    piece: fn(&str) -> String,
    /// Behind the last piece.
    end: String,
    /// An error.
    error: fn(u16) -> Value,
}

fn respond(answer: ModelAnswer, wire: Wire, call: impl FnOnce(&str, &[(String, Value)]) -> String) -> Response {
    let pieces = |texts: Vec<String>| texts.iter().map(|text| (wire.piece)(text)).collect::<Vec<_>>();
    let begin = stream::iter([Ok::<_, std::io::Error>(Bytes::from(wire.begin))]);
    let then = |texts: Vec<String>| stream::iter(texts.into_iter().map(|text| Ok(Bytes::from(text))));
    let body = match answer {
        ModelAnswer::Say(texts) => begin.chain(then(pieces(texts))).chain(then(vec![wire.end])).boxed(),
        ModelAnswer::Call(text, calls) => begin.chain(then(vec![call(&text, &calls)])).boxed(),
        ModelAnswer::BreakOff(texts) => {
            // The pieces are on their way before the connection ends.
            let cut = stream::once(async {
                tokio::time::sleep(BEFORE_CUT).await;
                Err(std::io::Error::other("cut"))
            });
            begin.chain(then(pieces(texts))).chain(cut).boxed()
        }
        ModelAnswer::Stall(texts) => begin.chain(then(pieces(texts))).chain(stream::pending()).boxed(),
        ModelAnswer::Endless(text) => {
            let piece = (wire.piece)(&text);
            begin.chain(stream::repeat(piece).map(|piece| Ok(Bytes::from(piece)))).boxed()
        }
        ModelAnswer::Status(status, after) => {
            let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = (code, Json((wire.error)(status))).into_response();
            if let Some(after) = after {
                response.headers_mut().insert(RETRY_AFTER, after.into());
            }
            return response;
        }
        ModelAnswer::Rubbish => stream::iter([Ok(Bytes::from_static(b"data: <html>\n\n"))]).boxed(),
    };
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(body)).into_response()
}

/// The words of content that is a text, or a list of parts.
fn words(content: &Value) -> String {
    let part = |part: &Value| match part {
        Value::Object(part) => part.get("text").or(part.get("content")).map(words).unwrap_or_default(),
        other => other.as_str().unwrap_or_default().to_owned(),
    };
    match content {
        Value::Array(parts) => parts.iter().map(part).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n"),
        other => part(other),
    }
}

fn names<'a>(tools: impl Iterator<Item = &'a Value>) -> Vec<String> {
    tools.filter_map(|tool| tool.get("name")?.as_str().map(str::to_owned)).collect()
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn bad_request() -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": {"message": "the request is not what is documented"}})))
        .into_response()
}
