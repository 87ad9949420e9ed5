//! What the client of a chat model adds to each piece of an answer.
//!
//! `cargo bench -p trunkline-agent --bench streaming`. A server on the loopback sends an answer of 1,000 pieces, one each
//! 2 ms, and notes when it handed each to its socket. What lies between that and the agent's event is ours and the
//! kernel's. Each piece is a sentence, because answers go on sentence by sentence.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a figure is for people, and a fault ends the run")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use trunkline_agent::models::{ModelApi, ModelConfig};
use trunkline_agent::{Agent as _, AgentEvent, ChatModel, ChatModelConfig, Turn};
use trunkline_core::{Channel, Pii};

const PIECES: usize = 1_000;
const PAUSE: Duration = Duration::from_millis(2);
/// The first pieces warm up.
const WARM_UP: usize = 100;

/// When each piece was sent.
type Sent = Arc<Mutex<Vec<Instant>>>;

async fn answer(State(sent): State<Sent>) -> Response {
    let ticks = tokio::time::interval(PAUSE);
    let pieces = stream::unfold((ticks, 0_usize), move |(mut ticks, number)| {
        let sent = Arc::clone(&sent);
        async move {
            let text = match number {
                PIECES => "data: [DONE]\n\n".to_owned(),
                number if number > PIECES => return None,
                number => {
                    ticks.tick().await;
                    let end = (number + 1 == PIECES).then_some("stop");
                    let choice = json!({"index": 0, "delta": {"content": "Piece. "}, "finish_reason": end});
                    let chunk = json!({
                        "id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice],
                    });
                    sent.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
                    format!("data: {chunk}\n\n")
                }
            };
            Some((Ok::<_, Infallible>(Bytes::from(text)), (ticks, number + 1)))
        }
    });
    let response = Response::builder().header("content-type", "text/event-stream");
    response.body(Body::from_stream(pieces)).expect("a response")
}

fn turn() -> Turn {
    Turn {
        id: "turn-1".into(),
        attempt: 1,
        deadline: Duration::from_mins(1),
        traceparent: None,
        conversation: "c".into(),
        contact: "p".into(),
        channel: Channel::Voice,
        input: vec![Pii::new("count".into())],
        attachments: Vec::new(),
        recalled: Vec::new(),
        summary: None,
        history: Vec::new(),
        memories: BTreeMap::new(),
    }
}

#[tokio::main]
async fn main() {
    let sent = Sent::default();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let base_url = format!("http://{}", listener.local_addr().expect("an address"));
    let app = axum::Router::new().route("/chat/completions", post(answer)).with_state(Arc::clone(&sent));
    let tasks = TaskTracker::new();
    tasks.spawn(async move { axum::serve(listener, app).await });
    let model = ModelConfig { base_url, api_key: "none".into(), ..ModelConfig::new(ModelApi::OpenAi, "m") };
    let agent = ChatModel::new(ChatModelConfig::with(vec![model])).expect("an agent");
    let mut events = agent.respond(turn()).await.expect("an answer");
    let mut took = Vec::with_capacity(PIECES);
    let mut pieces = 0;
    while let Some(event) = events.next().await {
        let now = Instant::now();
        let AgentEvent::Text(text) = event.expect("an event") else { continue };
        // One event may hold several sentences, if they came together.
        for _ in 0..text.expose().matches("Piece").count() {
            let sent = sent.lock().unwrap_or_else(PoisonError::into_inner).get(pieces).copied();
            took.push(now - sent.expect("it was sent before"));
            pieces += 1;
        }
    }
    assert_eq!(pieces, PIECES, "every piece came");
    let mut took = took.split_off(WARM_UP);
    took.sort_unstable();
    let at = |share: usize| took.get((took.len() * share / 1_000).min(took.len() - 1)).copied().unwrap_or_default();
    let (median, p99, most) = (at(500), at(990), at(1_000));
    println!(
        "a piece, from the model's socket to the agent's event: median {median:?}, p99 {p99:?}, most {most:?}  (aim: under 1 ms)"
    );
}
