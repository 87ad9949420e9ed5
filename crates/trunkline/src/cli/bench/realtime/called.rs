//! From a message that is added at the server to the call of the agent, through a gateway that has a socket alone: no
//! webhook is configured.
//!
//! The agent is a chat model of this process. Both the request that makes the emulator add the message and the one that
//! calls the agent are in the figure, so the truth is somewhat better.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::super::child::{Folder, Server, free_port};
use super::super::report::Latencies;
use super::super::texts::until_ready;
use super::world::World;

/// As whom the gateway takes part.
const IDENTITY: &str = "bench-bot";
/// Opens the gateway's console on loopback for as long as the measurement lasts.
const CONSOLE_TOKEN: &str = "the token of a bench";
/// People who text in turn, each in a conversation of their own.
const PEOPLE: u32 = 50;
/// Texts a second.
const RATE: u32 = 50;
const START_PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait for the last calls.
const PATIENCE: Duration = Duration::from_secs(20);

/// When texts were sent that the agent has not been called for, and how long the others took.
#[derive(Default)]
struct Calls {
    waiting: HashMap<String, Instant>,
    took: Vec<Duration>,
}

type Shared = Arc<Mutex<Calls>>;

/// How long texts took until the agent was called with them.
pub(super) struct Called {
    /// The first of each person: the gateway learns of their conversation and reads what was said before.
    pub(super) first: Latencies,
    pub(super) later: Latencies,
}

/// Has everybody text once, and then `texts` times in turn.
pub(super) async fn measure(world: &World, texts: u32) -> Result<Called, String> {
    let people: Vec<String> = (0..PEOPLE).map(|number| format!("+1555030{number:04}")).collect();
    let roster = |person: &String| {
        let address = ("MessagingBinding.Address", person.clone());
        let proxy = ("MessagingBinding.ProxyAddress", world.account.phone_number.clone());
        vec![vec![address, proxy], vec![("Identity", IDENTITY.to_owned())]]
    };
    world.conversations(people.iter().map(roster).collect()).await?;

    let calls = Shared::default();
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| format!("no port: {error}"))?;
    let model = listener.local_addr().map_err(|error| format!("no port: {error}"))?;
    let app = Router::new().route("/v1/chat/completions", post(called)).with_state(Arc::clone(&calls));
    let serve = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
    tasks.spawn(async move { serve.await.is_ok() }.instrument(tracing::Span::none()));
    tasks.close();

    let folder = Folder::new()?;
    let listen = format!("127.0.0.1:{}", free_port()?);
    let gateway = gateway(world, &folder, &listen, &format!("http://{model}/v1"))?;
    until_ready(&world.http, &format!("http://{listen}/readyz")).await?;
    until_in_conversations(world, &listen).await?;
    send_all(world, &people, 0..PEOPLE, &calls).await?;
    let first = until_called(&calls).await?;
    send_all(world, &people, PEOPLE..PEOPLE.saturating_add(texts), &calls).await?;
    let later = until_called(&calls).await?;
    drop(gateway);
    stop.cancel();
    tasks.wait().await;
    Ok(Called { first, later })
}

fn gateway(world: &World, folder: &Folder, listen: &str, model: &str) -> Result<Server, String> {
    let account = &world.account;
    let env = [
        ("TWILIO_ACCOUNT_SID", account.sid.clone()),
        ("TWILIO_AUTH_TOKEN", account.auth_token.clone()),
        ("TWILIO_API_KEY", account.api_key.clone()),
        ("TWILIO_API_SECRET", account.api_secret.clone()),
        ("TWILIO_CHAT_SERVICE_SID", account.chat_service_sid.clone()),
        ("TWILIO_PHONE_NUMBER", account.phone_number.clone()),
        ("TWILIO_IDENTITY", IDENTITY.to_owned()),
        ("TWILIO_BASE_URL", world.url.clone()),
        ("TRUNKLINE_REALTIME", "true".to_owned()),
        ("TRUNKLINE_DEBOUNCE", "0".to_owned()),
        ("TRUNKLINE_CATCH_UP_INTERVAL", "0".to_owned()),
        ("TRUNKLINE_AGENT", "chat".to_owned()),
        ("TRUNKLINE_MODEL", "bench".to_owned()),
        ("TRUNKLINE_LOG", "warn".to_owned()),
        ("TRUNKLINE_CONSOLE_TOKEN", CONSOLE_TOKEN.to_owned()),
        ("OPENAI_BASE_URL", model.to_owned()),
        ("OPENAI_API_KEY", "none".to_owned()),
    ];
    Server::start(&["serve", "--listen", listen, "--data-dir", &folder.path()], &env)
}

/// Waits until the gateway's socket follows the conversation of everybody.
async fn until_in_conversations(world: &World, listen: &str) -> Result<(), String> {
    let deadline = Instant::now() + START_PATIENCE;
    while Instant::now() < deadline {
        let request = world.http.get(format!("http://{listen}/api/v1/connectors/twilio")).bearer_auth(CONSOLE_TOKEN);
        let connector: Value = match request.send().await {
            Ok(answer) => answer.json().await.unwrap_or_default(),
            Err(_) => Value::Null,
        };
        let count = |name: &str| connector.pointer(&format!("/realtime/{name}")).and_then(Value::as_u64);
        let are_open = count("open_conversations").is_some_and(|open| open >= u64::from(PEOPLE));
        // A text that comes before its subscription is confirmed waits for that.
        if are_open && count("confirmed_subscriptions") == count("subscriptions") {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err("the gateway did not open its conversations in time".to_owned())
}

/// Sends at an even rate, whatever the calls do.
async fn send_all(world: &World, people: &[String], texts: Range<u32>, calls: &Shared) -> Result<(), String> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / RATE);
    for (number, person) in texts.zip(people.iter().cycle()) {
        ticks.tick().await;
        let body = format!("text {number}");
        let text = json!({ "from": person, "body": body, "channel": "sms" });
        let request = world.http.post(format!("{}/emulator/v1/messages", world.url)).json(&text);
        lock(calls).waiting.insert(body, Instant::now());
        let answer = request.send().await.map_err(|error| format!("a text was lost: {error}"))?;
        if !answer.status().is_success() {
            return Err(format!("a text was answered {}", answer.status()));
        }
    }
    Ok(())
}

/// Waits until the agent was called for every text, and takes how long that was.
async fn until_called(calls: &Shared) -> Result<Latencies, String> {
    let deadline = Instant::now() + PATIENCE;
    while !lock(calls).waiting.is_empty() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut calls = lock(calls);
    if !calls.waiting.is_empty() {
        return Err(format!("the agent was not called for {} texts", calls.waiting.len()));
    }
    Ok(Latencies::new(std::mem::take(&mut calls.took)))
}

/// The agent is called: its last message is the text.
async fn called(State(calls): State<Shared>, body: Bytes) -> impl IntoResponse {
    let now = Instant::now();
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let last = request.get("messages").and_then(Value::as_array).and_then(|messages| messages.last());
    let text = last.and_then(|message| message.get("content")).and_then(Value::as_str).unwrap_or_default();
    {
        let mut calls = lock(&calls);
        if let Some(sent) = calls.waiting.remove(text) {
            calls.took.push(now.saturating_duration_since(sent));
        }
    }
    let chunk = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "bench",
        "choices": [{"index": 0, "delta": {"content": "noted"}, "finish_reason": "stop"}],
    });
    ([(CONTENT_TYPE, "text/event-stream")], format!("data: {chunk}\n\ndata: [DONE]\n\n"))
}

fn lock(calls: &Shared) -> std::sync::MutexGuard<'_, Calls> {
    calls.lock().unwrap_or_else(PoisonError::into_inner)
}
