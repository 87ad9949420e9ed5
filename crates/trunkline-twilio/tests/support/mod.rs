//! A Twilio made of answers: an HTTP server that replies as a closure says and remembers what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use trunkline_core::messaging::{Config, ConfigBuilder};
use trunkline_proto::form;
use trunkline_twilio::rest::{Credentials, Endpoints, RestClient, RestConfig, RetryPolicy};

pub(crate) const AC: &str = "AC00000000000000000000000000000001";
pub(crate) const IS: &str = "IS00000000000000000000000000000001";
pub(crate) const CH: &str = "CH00000000000000000000000000000001";
pub(crate) const MB: &str = "MB00000000000000000000000000000001";
pub(crate) const TOKEN: &str = "2b1c0d9e8f7a6b5c4d3e2f1a0b9c8d7e";

/// Longer than anything here takes; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A request as the server saw it.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    /// The values of a form parameter.
    pub(crate) fn form(&self, name: &str) -> Vec<String> {
        let pairs = form::decode(&self.body).unwrap();
        pairs.into_iter().filter(|(known, _)| known == name).map(|(_, value)| value).collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// `GET /v1/…`, for matching.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

pub(crate) enum Reply {
    Json(u16, Value),
    RetryAfter(&'static str),
    Text(u16, &'static str),
    Redirect(String),
    /// No answer until the gate opens.
    WhenOpened(Value),
    /// No answer at all.
    Never,
}

/// What a refusal looks like.
pub(crate) fn refusal(status: u16, code: u32) -> Reply {
    let message = "secret words about +15005550006";
    Reply::Json(status, json!({"code": code, "message": message, "more_info": "m", "status": status}))
}

type Script = Arc<dyn Fn(&Seen, usize) -> Reply + Send + Sync>;

#[derive(Clone)]
struct Shared {
    script: Script,
    seen: Arc<Mutex<Vec<Seen>>>,
    count: watch::Sender<usize>,
    gate: CancellationToken,
}

pub(crate) struct FakeTwilio {
    address: SocketAddr,
    shared: Shared,
    tasks: TaskTracker,
    end: CancellationToken,
}

impl FakeTwilio {
    /// Answers request number `n` (from 0) with `script(request, n)`.
    pub(crate) async fn start(script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), script)
    }

    pub(crate) fn start_on(
        listener: TcpListener,
        script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let shared = Shared {
            script: Arc::new(script),
            seen: Arc::default(),
            count: watch::Sender::new(0),
            gate: CancellationToken::new(),
        };
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let (tasks, end) = (TaskTracker::new(), CancellationToken::new());
        let ended = end.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = ended.cancelled() => {}
                served = axum::serve(listener, router) => served.unwrap(),
            }
        });
        Self { address, shared, tasks, end }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// The first lines of the requests so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }

    /// Waits until `count` requests have come.
    pub(crate) async fn asked(&self, count: usize) {
        let mut seen = self.shared.count.subscribe();
        tokio::time::timeout(PATIENCE, seen.wait_for(|seen| *seen >= count)).await.unwrap().unwrap();
    }

    /// Lets the replies go that wait for it.
    pub(crate) fn open_gate(&self) {
        self.shared.gate.cancel();
    }
}

impl Drop for FakeTwilio {
    fn drop(&mut self) {
        self.end.cancel();
        self.tasks.close();
    }
}

async fn answer(State(shared): State<Shared>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let (path, query) = (uri.path().to_owned(), uri.query().map(str::to_owned));
    let seen = Seen { method, path, query, headers, body };
    let number = {
        let mut all = shared.seen.lock().unwrap();
        all.push(seen.clone());
        all.len() - 1
    };
    shared.count.send_replace(number + 1);
    match (shared.script)(&seen, number) {
        Reply::Json(status, value) => with(status, &[], value.to_string()),
        Reply::RetryAfter(seconds) => with(429, &[("retry-after", seconds)], r#"{"code":20429}"#.to_owned()),
        Reply::Text(status, text) => with(status, &[], text.to_owned()),
        Reply::Redirect(to) => with(307, &[("location", &to)], String::new()),
        Reply::WhenOpened(value) => {
            shared.gate.cancelled().await;
            with(201, &[], value.to_string())
        }
        Reply::Never => std::future::pending().await,
    }
}

fn with(status: u16, headers: &[(&str, &str)], body: String) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap_or_else(|_| "broken".into_response())
}

/// A server that reads each request whole and then writes `answer` and hangs up. Returns its address and the number of
/// requests so far.
pub(crate) async fn hang_up_after(answer: &'static str) -> (String, watch::Receiver<usize>, TaskTracker) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (count, counted) = watch::channel(0);
    let tasks = TaskTracker::new();
    tasks.spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !is_whole(&request) && socket.read_buf(&mut request).await.is_ok_and(|length| length > 0) {}
            count.send_modify(|count| *count += 1);
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, counted, tasks)
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

/// Settings with waits short enough for tests.
pub(crate) fn rest_config(base_url: &str) -> RestConfig {
    let credentials = Credentials::auth_token(AC.parse().unwrap(), TOKEN.into());
    RestConfig {
        retry: RetryPolicy { delay: Duration::from_millis(1), ..RetryPolicy::default() },
        ..RestConfig::new(credentials, Endpoints::all_at(base_url).unwrap())
    }
}

pub(crate) fn client(base_url: &str) -> RestClient {
    RestClient::new(rest_config(base_url)).unwrap()
}

pub(crate) fn config(base_url: &str) -> ConfigBuilder {
    Config::builder()
        .provider("twilio")
        .retry(2, Duration::from_millis(1), 2.0)
        .setting("account_sid", AC)
        .secret("auth_token", TOKEN)
        .setting("base_url", base_url)
}

pub(crate) fn conversation(state: &str) -> Value {
    json!({
        "sid": CH, "account_sid": AC, "chat_service_sid": IS, "messaging_service_sid": null,
        "friendly_name": "A", "unique_name": null, "attributes": "{}", "state": state,
        "date_created": "2026-11-20T10:11:12Z", "date_updated": "2026-11-20T10:11:12Z",
        "timers": {}, "bindings": {}, "url": "https://x/y", "links": {}
    })
}

pub(crate) fn message(index: u64) -> Value {
    json!({
        "sid": format!("IM{index:032x}"), "account_sid": AC, "conversation_sid": CH, "index": index,
        "author": "bot", "body": "Hello", "media": null, "attributes": "{}", "participant_sid": null,
        "date_created": "2026-11-20T10:11:12Z", "date_updated": "2026-11-20T10:11:12Z", "delivery": null,
        "content_sid": null, "url": "https://x/y", "links": {}
    })
}

pub(crate) fn participant(identity: Option<&str>, binding: &Value) -> Value {
    json!({
        "sid": MB, "account_sid": AC, "conversation_sid": CH, "identity": identity, "attributes": "{}",
        "messaging_binding": binding, "role_sid": null, "date_created": "2026-11-20T10:11:12Z",
        "date_updated": "2026-11-20T10:11:12Z", "url": "https://x/y", "last_read_message_index": null,
        "last_read_timestamp": null
    })
}

/// A page, with the address of the next.
pub(crate) fn page(key: &str, items: &[Value], next: Option<&str>) -> Value {
    json!({
        "meta": {
            "page": 0, "page_size": 50, "first_page_url": "https://x/y", "previous_page_url": null,
            "url": "https://x/y", "next_page_url": next, "key": key
        },
        key: items
    })
}

/// Asks again until the answer is yes.
pub(crate) async fn wait_until(is_so: impl AsyncFn() -> bool) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
}
