//! A model of embeddings by script: a server on a socket that speaks OpenAI's *Create embeddings*.
//!
//! Its vectors are made of concepts: words that mean the same have the same number, so that a test knows what is near.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// The largest request, in bytes.
const MAX_REQUEST_BYTES: usize = 32 << 20;
/// Requests that are kept for [`EmbeddingServer::asked`]; the oldest are forgotten.
const MAX_KEPT: usize = 10_000;
/// Numbers of a vector, where nothing else is set.
const DIMENSIONS: usize = 64;
/// How much a word of no concept counts, where one of a concept counts 1.
const OTHER_WORD: f64 = 0.1;

/// What the server does with a request, other than to answer it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmbeddingAnswer {
    /// Answers with vectors, as it does where nothing else is said.
    Vectors,
    /// An error of this status, and the seconds of `Retry-After` if there are any.
    Status(u16, Option<u64>),
    /// Never answers.
    Stall,
    /// One vector too few.
    WrongCount,
    /// A number that is beyond every number.
    NotFinite,
    /// Something that is not the protocol.
    Rubbish,
    /// A body that does not end.
    Endless,
}

/// A request for vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedEmbeddings {
    /// The model's name.
    pub model: String,
    /// The texts.
    pub input: Vec<String>,
    /// The key that came along.
    pub key: Option<String>,
    /// How many numbers were asked for.
    pub dimensions: Option<usize>,
}

struct Script {
    next: VecDeque<EmbeddingAnswer>,
    always: EmbeddingAnswer,
    dimensions: usize,
    /// What becomes of requests in which a text has one of these words.
    words: Vec<(String, EmbeddingAnswer)>,
    asked: VecDeque<AskedEmbeddings>,
}

struct Shared {
    concepts: Vec<Vec<String>>,
    script: Mutex<Script>,
}

/// A running model of embeddings. It ends when this is dropped.
pub struct EmbeddingServer {
    base_url: String,
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

impl EmbeddingServer {
    /// Starts a model on a free port of this machine; `concepts` are words, in lower case, that mean the same.
    ///
    /// # Errors
    /// When no port can be had.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn start(concepts: &[&[&str]]) -> std::io::Result<Self> {
        let words = |words: &&[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let script = Script {
            next: VecDeque::new(),
            always: EmbeddingAnswer::Vectors,
            dimensions: DIMENSIONS,
            words: Vec::new(),
            asked: VecDeque::new(),
        };
        let shared = Arc::new(Shared { concepts: concepts.iter().map(words).collect(), script: Mutex::new(script) });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let base_url = format!("http://{}/v1", listener.local_addr()?);
        let app = Router::new()
            .route("/v1/embeddings", post(embed))
            .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
            .with_state(Arc::clone(&shared));
        let serve = async move { drop(axum::serve(listener, app).await) };
        let task = AbortOnDropHandle::new(tokio_util::task::TaskTracker::new().spawn(serve));
        Ok(Self { base_url, shared, _task: task })
    }

    /// What is configured as the base URL.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// What becomes of the next requests, each of one.
    pub fn next(&self, answers: &[EmbeddingAnswer]) {
        self.with(|script| script.next.extend(answers.iter().cloned()));
    }

    /// What becomes of all others.
    pub fn always(&self, answer: EmbeddingAnswer) {
        self.with(|script| script.always = answer);
    }

    /// From now on a vector has so many numbers.
    pub fn set_dimensions(&self, dimensions: usize) {
        self.with(|script| script.dimensions = dimensions);
    }

    /// From now on requests are refused in which a text has this word.
    pub fn refuse(&self, word: &str) {
        self.answer_to(word, EmbeddingAnswer::Status(400, None));
    }

    /// From now on this becomes of requests in which a text has this word.
    pub fn answer_to(&self, word: &str, answer: EmbeddingAnswer) {
        self.with(|script| script.words.push((word.to_owned(), answer)));
    }

    /// The requests so far, oldest first.
    #[must_use]
    pub fn asked(&self) -> Vec<AskedEmbeddings> {
        self.with(|script| script.asked.iter().cloned().collect())
    }

    fn with<T>(&self, change: impl FnOnce(&mut Script) -> T) -> T {
        change(&mut self.shared.script.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn embed(State(shared): State<Arc<Shared>>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let Some(asked) = read(&headers, &body) else { return error(StatusCode::BAD_REQUEST) };
    let (answer, dimensions) = {
        let mut script = shared.script.lock().unwrap_or_else(PoisonError::into_inner);
        if script.asked.len() >= MAX_KEPT {
            script.asked.pop_front();
        }
        script.asked.push_back(asked.clone());
        let of_a_word = script.words.iter().find(|(word, _)| asked.input.iter().any(|text| text.contains(word)));
        let answer = match of_a_word.map(|(_, answer)| answer.clone()) {
            Some(answer) => answer,
            None => script.next.pop_front().unwrap_or_else(|| script.always.clone()),
        };
        (answer, script.dimensions)
    };
    let mut vectors: Vec<_> = asked.input.iter().map(|text| shared.vector(text, dimensions)).collect();
    match answer {
        EmbeddingAnswer::Vectors => {}
        EmbeddingAnswer::WrongCount => drop(vectors.pop()),
        EmbeddingAnswer::Status(status, after) => {
            let mut response = error(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
            if let Some(after) = after {
                response.headers_mut().insert(RETRY_AFTER, after.into());
            }
            return response;
        }
        EmbeddingAnswer::Stall => return std::future::pending().await,
        EmbeddingAnswer::NotFinite => {
            let body =
                format!(r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":[NaN,{}]}}]}}"#, 1);
            return ([(CONTENT_TYPE, "application/json")], body).into_response();
        }
        EmbeddingAnswer::Rubbish => return ([(CONTENT_TYPE, "text/html")], "<html>").into_response(),
        EmbeddingAnswer::Endless => {
            let piece = Bytes::from(vec![b' '; 64 << 10]);
            let body = stream::repeat(piece).map(Ok::<_, std::io::Error>);
            return ([(CONTENT_TYPE, "application/json")], Body::from_stream(body)).into_response();
        }
    }
    let embedding =
        |(index, vector): (usize, Vec<f64>)| json!({ "object": "embedding", "index": index, "embedding": vector });
    // The order is not promised.
    let data: Vec<_> = vectors.into_iter().enumerate().map(embedding).rev().collect();
    let usage = json!({ "prompt_tokens": 1, "total_tokens": 1 });
    Json(json!({ "object": "list", "data": data, "model": asked.model, "usage": usage })).into_response()
}

fn read(headers: &HeaderMap, body: &Value) -> Option<AskedEmbeddings> {
    let input = match body.get("input")? {
        Value::String(text) => vec![text.clone()],
        Value::Array(texts) => texts.iter().map(|text| text.as_str().map(str::to_owned)).collect::<Option<_>>()?,
        _ => return None,
    };
    // The API takes neither nothing nor an empty text.
    if input.is_empty() || input.iter().any(String::is_empty) {
        return None;
    }
    let key = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    Some(AskedEmbeddings {
        model: body.get("model")?.as_str()?.to_owned(),
        input,
        key: key.map(str::to_owned),
        dimensions: body.get("dimensions").and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok()),
    })
}

fn error(status: StatusCode) -> Response {
    let error = json!({ "message": "as the script says", "type": "error", "param": null, "code": null });
    (status, Json(json!({ "error": error }))).into_response()
}

impl Shared {
    /// A number for each concept, and the rest for other words.
    fn vector(&self, text: &str, dimensions: usize) -> Vec<f64> {
        let mut vector = vec![0.0; dimensions];
        let others = dimensions.saturating_sub(self.concepts.len()).max(1);
        for word in text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()) {
            let word = word.to_lowercase();
            let concept = self.concepts.iter().position(|concept| concept.contains(&word));
            let hash = word.bytes().fold(7_usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(usize::from(byte)));
            let place = concept.unwrap_or(self.concepts.len() + hash % others);
            if let Some(number) = vector.get_mut(place) {
                *number += if concept.is_some() { 1.0 } else { OTHER_WORD };
            }
        }
        vector
    }
}
