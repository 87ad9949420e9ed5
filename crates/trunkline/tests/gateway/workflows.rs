//! Workflows over real sockets: what starts them, what they do, and what becomes of them when things break.

mod command_line;
mod faults;
mod follow;
mod kills;
mod load;
mod missed_call;
mod steps;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::support::{Answer, CONSOLE_TOKEN, World, answer, until};

/// The folder of the examples.
fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/workflows")
}

/// A world with these definitions; no gateway runs yet.
async fn world_with(definitions: &[&str], env: &[(&str, &str)]) -> World {
    let mut world = World::without_gateway(env).await;
    let folder = world.folder.path().join("workflows");
    std::fs::create_dir(&folder).unwrap();
    for (number, text) in definitions.iter().enumerate() {
        std::fs::write(folder.join(format!("{number}.toml")), text).unwrap();
    }
    world.set("TRUNKLINE_WORKFLOWS", &folder.display().to_string());
    world.set("TRUNKLINE_WORKFLOWS_ALLOWED_HOSTS", "localhost");
    world
}

async fn start(definitions: &[&str], env: &[(&str, &str)]) -> World {
    let mut world = world_with(definitions, env).await;
    world.start_gateway().await;
    world
}

async fn post(world: &World, path: &str, body: &Value) -> Answer {
    answer(world.http.post(world.gateway_url(path)).bearer_auth(CONSOLE_TOKEN).json(body)).await
}

/// Asks for a run; its name.
async fn begin(world: &World, workflow: &str, data: Value) -> String {
    let begun = post(world, &format!("/api/v1/workflows/{workflow}/runs"), &json!({ "data": data })).await;
    assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.text);
    begun.body["run"].as_str().unwrap().to_owned()
}

async fn run(world: &World, id: &str) -> Value {
    world.api(&format!("/api/v1/workflow-runs/{id}")).await
}

/// The runs of a workflow, the latest first.
async fn runs(world: &World, workflow: &str) -> Vec<Value> {
    world.api(&format!("/api/v1/workflow-runs?workflow={workflow}&limit=500")).await["runs"].as_array().unwrap().clone()
}

/// Waits until a run is in a state.
async fn until_run(world: &World, id: &str, state: &str) -> Value {
    until(&format!("the run is {state}"), async || {
        let run = run(world, id).await;
        (run["state"] == state).then_some(run)
    })
    .await
}

/// What a step of a run came to.
fn step<'a>(run: &'a Value, node: &str) -> &'a Value {
    run["steps"].as_array().unwrap().iter().find(|step| step["node"] == node).unwrap_or(&Value::Null)
}

/// A request that came to [`Far`].
#[derive(Clone, Debug)]
struct Came {
    path: String,
    key: String,
    body: String,
}

type Requests = Arc<Mutex<Vec<Came>>>;

/// A far side that notes every request, and answers as its path says.
struct Far {
    port: u16,
    came: Requests,
    /// Lets a request to `/held` have its answer.
    release: Arc<Notify>,
    _task: AbortOnDropHandle<()>,
}

impl Far {
    async fn start() -> Self {
        let (came, release) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Notify::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = Router::new().fallback(take).with_state((Arc::clone(&came), Arc::clone(&release)));
        let serve = async move { axum::serve(listener, app).await.unwrap() };
        Self { port, came, release, _task: AbortOnDropHandle::new(TaskTracker::new().spawn(serve)) }
    }

    fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    fn came(&self, path: &str) -> Vec<Came> {
        self.came.lock().unwrap().iter().filter(|came| came.path == path).cloned().collect()
    }
}

async fn take(
    State((came, release)): State<(Requests, Arc<Notify>)>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, [(&'static str, &'static str); 1], String) {
    let path = uri.path().to_owned();
    let key = headers.get("idempotency-key").map(|key| key.to_str().unwrap().to_owned()).unwrap_or_default();
    let earlier = {
        let mut came = came.lock().unwrap();
        came.push(Came { path: path.clone(), key, body });
        came.iter().filter(|came| came.path == path).count()
    };
    let json = [("content-type", "application/json")];
    match path.as_str() {
        "/hangs" => std::future::pending().await,
        "/held" => {
            release.notified().await;
            (StatusCode::OK, json, "{}".to_owned())
        }
        "/large" => (StatusCode::OK, json, "x".repeat(10 << 20)),
        "/never" => (StatusCode::BAD_REQUEST, json, "{}".to_owned()),
        "/third-time" if earlier < 3 => (StatusCode::SERVICE_UNAVAILABLE, json, "{}".to_owned()),
        "/elsewhere" => (StatusCode::FOUND, [("location", "http://169.254.169.254/")], String::new()),
        _ => (StatusCode::OK, json, json!({ "earlier": earlier - 1 }).to_string()),
    }
}

/// How many calls from us to a person there were, as the emulator knows them.
async fn calls_to(world: &World, person: &str) -> usize {
    let path = format!("/2010-04-01/Accounts/{}/Calls.json", world.account.account_sid);
    let listed = answer(world.rest(Method::GET, &path).query(&[("To", person)])).await;
    listed.body["calls"].as_array().unwrap().len()
}

/// Calls a person who does not answer, and waits until that is told.
async fn call_in_vain(world: &World, base: &str, person: &str) {
    let answering = format!("/phones/{person}/answering");
    world.control(Method::PUT, &answering, json!({"rule": "no_answer"})).await;
    let url = format!("{base}/api/v1/calls");
    let wish = json!({"to": person, "ring_timeout_s": 1});
    let placed = answer(world.http.post(url).bearer_auth(CONSOLE_TOKEN).json(&wish)).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{}", placed.text);
}
