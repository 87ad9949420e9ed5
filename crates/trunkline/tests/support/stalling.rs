//! Providers of speech that stall: they take what they are given, stay connected, and nothing comes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// Half a second of a quiet tone, at 24 kHz and 16 bits.
const BEGUN_BYTES: usize = 24_000;

#[derive(Default)]
struct Shared {
    frames: AtomicU64,
    stalled: AtomicU64,
    /// Words of the sentence that is begun and not ended, once.
    stalls_at: String,
}

pub(crate) struct Stalling {
    pub(crate) address: String,
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

impl Stalling {
    /// An ear (Deepgram's) that hears nothing, and a voice (`OpenAI`'s) that stops in the middle of the first sentence
    /// with these words; others it refuses.
    pub(crate) async fn start(stalls_at: &str) -> Self {
        let shared = Arc::new(Shared { stalls_at: stalls_at.to_owned(), ..Shared::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let app = Router::new()
            .route("/v1/listen", get(listen))
            .route("/v1/audio/speech", post(speak))
            .with_state(Arc::clone(&shared));
        let serve = async move { axum::serve(listener, app).await.unwrap() };
        let task = AbortOnDropHandle::new(TaskTracker::new().spawn(serve));
        Self { address, shared, _task: task }
    }

    /// Pieces of sound that came, of which nothing was heard.
    pub(crate) fn frames(&self) -> u64 {
        self.shared.frames.load(Ordering::SeqCst)
    }

    /// Sentences that were begun and not ended.
    pub(crate) fn stalled(&self) -> u64 {
        self.shared.stalled.load(Ordering::SeqCst)
    }
}

async fn listen(State(shared): State<Arc<Shared>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |mut socket| {
        // Pings are answered by the library: the connection looks alive.
        while let Some(Ok(message)) = socket.recv().await {
            if matches!(message, Message::Binary(_)) {
                shared.frames.fetch_add(1, Ordering::SeqCst);
            }
        }
    })
}

async fn speak(State(shared): State<Arc<Shared>>, Json(request): Json<Value>) -> Response {
    let is_it = request["input"].as_str().is_some_and(|words| words.contains(&shared.stalls_at));
    if !is_it || shared.stalled.fetch_add(1, Ordering::SeqCst) > 0 {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let wave: Vec<u8> = (0..BEGUN_BYTES / 2).flat_map(|at| [0, if at % 80 < 40 { 8 } else { 0xf8 }]).collect();
    let begun = stream::once(async move { Ok::<_, std::io::Error>(Bytes::from(wave)) });
    Body::from_stream(begun.chain(stream::pending())).into_response()
}
