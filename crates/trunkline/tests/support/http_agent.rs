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

/// Status, content type, body; `None` never answers.
type Line<Body> = Option<(u16, &'static str, Body)>;

#[derive(Default)]
struct Shared {
    asked: Mutex<Vec<(HeaderMap, Value)>>,
    /// What is answered next; the last one again and again.
    script: Mutex<VecDeque<Line<String>>>,
}

pub(crate) struct HttpAgentServer {
    pub(crate) url: String,
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

impl HttpAgentServer {
    /// An agent at `address` that answers by `script`, line by line.
    pub(crate) async fn start(address: SocketAddr, script: &[Line<&str>]) -> Self {
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
