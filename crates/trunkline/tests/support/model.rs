//! A server that speaks the chat completions protocol, or says nothing at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

#[derive(Default)]
struct Shared {
    answers: AtomicBool,
    asked: AtomicU64,
}

pub(crate) struct Model {
    pub(crate) base_url: String,
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

impl Model {
    /// A model that takes questions and never answers.
    pub(crate) async fn silent() -> Self {
        let shared = Arc::new(Shared::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let app = Router::new().route("/v1/chat/completions", post(complete)).with_state(Arc::clone(&shared));
        let serve = async move { axum::serve(listener, app).await.unwrap() };
        let task = AbortOnDropHandle::new(TaskTracker::new().spawn(serve));
        Self { base_url, shared, _task: task }
    }

    /// From now on it answers.
    pub(crate) fn speak(&self) {
        self.shared.answers.store(true, Ordering::SeqCst);
    }

    /// How many questions came.
    pub(crate) fn asked(&self) -> u64 {
        self.shared.asked.load(Ordering::SeqCst)
    }
}

async fn complete(State(shared): State<Arc<Shared>>) -> Response {
    shared.asked.fetch_add(1, Ordering::SeqCst);
    if !shared.answers.load(Ordering::SeqCst) {
        return std::future::pending().await;
    }
    let chunk = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {"content": "a considered answer"}, "finish_reason": "stop"}],
    });
    ([(CONTENT_TYPE, "text/event-stream")], format!("data: {chunk}\n\ndata: [DONE]\n\n")).into_response()
}
