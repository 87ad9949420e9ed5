//! Receives webhooks on a socket of its own and keeps them in their order.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use trunkline_emulator::Account;
use trunkline_proto::signature::{RequestKind, SignedRequest, SigningKeys, verify};
use url::form_urlencoded;

use super::DEADLINE;

/// One webhook.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) event: String,
    pub(crate) params: HashMap<String, String>,
    pub(crate) token: String,
    pub(crate) authorized: bool,
}

impl Received {
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.get(name).unwrap_or_else(|| panic!("{name} in {self:?}"))
    }
}

/// What a path answers.
#[derive(Debug, Clone)]
pub(crate) enum Script {
    Answer(u16, String),
    /// A document for a call.
    Xml(String),
    /// Never answers.
    Hang,
    /// Asks for credentials until there are some.
    Challenge,
    /// Points to another path.
    Redirect(String),
}

pub(crate) struct Receiver {
    address: String,
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

struct Shared {
    keys: SigningKeys,
    host: String,
    scripts: Mutex<HashMap<String, Script>>,
    received: watch::Sender<Vec<Received>>,
}

impl Receiver {
    pub(crate) async fn start(account: &Account) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            keys: SigningKeys::new([account.auth_token.as_str()]),
            host: format!("http://{address}"),
            scripts: Mutex::default(),
            received: watch::Sender::new(Vec::new()),
        });
        let app = Router::new().fallback(receive).with_state(Arc::clone(&shared));
        let serve = async move { axum::serve(listener, app).await.unwrap() };
        let task = AbortOnDropHandle::new(TaskTracker::new().spawn(serve));
        Self { address, shared, _task: task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The URL with credentials and a fragment, neither of which is signed.
    pub(crate) fn url_with_credentials(&self, path: &str) -> String {
        format!("http://user:pass@{}{path}#rc=2", self.address)
    }

    pub(crate) fn script(&self, path: &str, script: Script) {
        self.shared.scripts.lock().unwrap().insert(path.to_owned(), script);
    }

    pub(crate) fn answer(&self, path: &str, status: u16, body: &str) {
        self.script(path, Script::Answer(status, body.to_owned()));
    }

    /// A path answers with a document.
    pub(crate) fn xml(&self, path: &str, document: &str) {
        self.script(path, Script::Xml(document.to_owned()));
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.received.borrow().clone()
    }

    pub(crate) fn events(&self) -> Vec<String> {
        self.received().into_iter().map(|one| one.event).collect()
    }

    /// Waits for this many webhooks.
    pub(crate) async fn wait(&self, count: usize) -> Vec<Received> {
        let mut watcher = self.shared.received.subscribe();
        let enough = watcher.wait_for(|received| received.len() >= count);
        let received = tokio::time::timeout(DEADLINE, enough).await;
        let missing = || panic!("{count} webhooks were expected, there are {:?}", self.events());
        received.unwrap_or_else(|_| missing()).unwrap().clone()
    }
}

async fn receive(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let form: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
    let query = parts.uri.query().unwrap_or_default();
    let url = format!("{}{}", shared.host, parts.uri);
    let header = |name: &str| text(&parts.headers, name);
    let signed = SignedRequest {
        url: &url,
        params: &form,
        body: None,
        signature: Some(header("x-twilio-signature")),
        settings: None,
        kind: if parts.method == Method::GET { RequestKind::Get } else { RequestKind::Form },
    };
    verify(&signed, &shared.keys).unwrap_or_else(|error| panic!("{error} at {}", parts.uri.path()));

    let params: HashMap<_, _> = form.into_iter().chain(form_urlencoded::parse(query.as_bytes()).into_owned()).collect();
    let path = parts.uri.path().to_owned();
    let authorized = parts.headers.contains_key("authorization");
    let one = Received {
        path: path.clone(),
        event: params.get("EventType").cloned().unwrap_or_default(),
        token: header("i-twilio-idempotency-token").to_owned(),
        authorized,
        params,
    };
    shared.received.send_modify(|received| received.push(one));
    let script = shared.scripts.lock().unwrap().get(&path).cloned();
    match script {
        None => StatusCode::OK.into_response(),
        Some(Script::Answer(status, body)) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Some(Script::Xml(document)) => ([("content-type", "text/xml")], document).into_response(),
        Some(Script::Hang) => std::future::pending().await,
        Some(Script::Challenge) if authorized => StatusCode::OK.into_response(),
        Some(Script::Challenge) => (StatusCode::UNAUTHORIZED, [("www-authenticate", "Basic")]).into_response(),
        Some(Script::Redirect(to)) => (StatusCode::TEMPORARY_REDIRECT, [("location", to)]).into_response(),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}
