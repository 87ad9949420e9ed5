//! An agent of somebody else's, behind a URL.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

#[derive(Default)]
struct Shared {
    asked: Mutex<Vec<(HeaderMap, Value)>>,
    /// What is answered next; the last one again and again. `None` never answers.
    script: Mutex<VecDeque<Option<(u16, &'static str, String)>>>,
}

pub(crate) struct HttpAgentServer {
    pub(crate) url: String,
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

impl HttpAgentServer {
    /// An agent at `address` that answers by `script`: status, content type, body.
    pub(crate) async fn start(address: SocketAddr, script: &[Option<(u16, &'static str, &str)>]) -> Self {
        let shared = Arc::new(Shared::default());
        let lines = script.iter().map(|line| line.map(|(status, kind, body)| (status, kind, body.to_owned())));
        shared.script.lock().unwrap().extend(lines);
        let listener = TcpListener::bind(address).await.unwrap();
        let url = format!("http://{}/turn", listener.local_addr().unwrap());
        let app = Router::new().route("/turn", post(answer)).with_state(Arc::clone(&shared));
        let serve = async move { axum::serve(listener, app).await.unwrap() };
        Self { url, shared, _task: AbortOnDropHandle::new(TaskTracker::new().spawn(serve)) }
    }

    /// The requests that came: headers and body.
    pub(crate) fn asked(&self) -> Vec<(HeaderMap, Value)> {
        self.shared.asked.lock().unwrap().clone()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: String) -> Response {
    shared.asked.lock().unwrap().push((headers, serde_json::from_str(&body).unwrap()));
    let next = {
        let mut script = shared.script.lock().unwrap();
        if script.len() > 1 { script.pop_front() } else { script.front().cloned() }
    };
    match next.flatten() {
        Some((status, kind, body)) => {
            (StatusCode::from_u16(status).unwrap(), [("content-type", kind)], body).into_response()
        }
        None => std::future::pending().await,
    }
}
