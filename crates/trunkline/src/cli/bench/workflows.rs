//! From an event to the first step of the workflow that it starts: a signed webhook goes in, and the step's request comes
//! out, both seen from here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use futures_util::future::try_join_all;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use trunkline_emulator::Emulator;

use super::WorkflowArgs;
use super::child::{Folder, Server, free_port};
use super::report::{Latencies, figure};
use super::texts::until_ready;
use super::wire::{Signer, exchange};
use crate::cli::print;

/// Connections that bring webhooks.
const CONNECTIONS: usize = 16;
/// Events that warm the server up.
const WARM_UP: usize = 200;
/// How long steps that have not come by then are waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// When each event was sent, and when its step came.
#[derive(Default)]
struct Times {
    sent: HashMap<usize, Instant>,
    came: HashMap<usize, Instant>,
}

type Shared = Arc<Mutex<Times>>;

pub(super) async fn run(args: &WorkflowArgs) -> Result<(), String> {
    let times = Shared::default();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| format!("no free port: {error}"))?;
    let port = listener.local_addr().map_err(|error| format!("no free port: {error}"))?.port();
    let app = Router::new().route("/{number}", get(came)).with_state(Arc::clone(&times));
    let serve = async move {
        let _ended = axum::serve(listener, app).await.is_err();
    };
    let _far = AbortOnDropHandle::new(TaskTracker::new().spawn(serve));
    let emulator = Emulator::builder().listen(([127, 0, 0, 1], 0).into()).start().await;
    let emulator = emulator.map_err(|error| format!("no emulator: {error}"))?;
    let folder = Folder::new()?;
    let definitions = folder.file("workflows");
    let written = std::fs::create_dir(&definitions)
        .and_then(|()| std::fs::write(definitions.join("bench.toml"), definition(port)));
    written.map_err(|error| format!("the definition cannot be written: {error}"))?;
    let host = format!("127.0.0.1:{}", free_port()?);
    let account = emulator.account();
    let server = Server::start(
        &["serve"],
        &[
            ("TWILIO_ACCOUNT_SID", account.account_sid.to_string()),
            ("TWILIO_AUTH_TOKEN", account.auth_token.clone()),
            ("TWILIO_BASE_URL", emulator.url().to_owned()),
            ("TWILIO_WEBHOOK_URL", format!("http://{host}/webhooks/twilio")),
            ("TRUNKLINE_LISTEN", host.clone()),
            ("TRUNKLINE_DATA_DIR", folder.file("data").display().to_string()),
            ("TRUNKLINE_AGENT", "none".to_owned()),
            ("TRUNKLINE_VOICE", "false".to_owned()),
            ("TRUNKLINE_CATCH_UP", "false".to_owned()),
            ("TRUNKLINE_WORKFLOWS", definitions.display().to_string()),
            ("TRUNKLINE_WORKFLOWS_ALLOWED_HOSTS", "localhost".to_owned()),
            ("TRUNKLINE_LOG", "error".to_owned()),
        ],
    )?;
    let client = reqwest::Client::builder().no_proxy().build().map_err(|error| error.to_string())?;
    until_ready(&client, &format!("http://{host}/readyz")).await?;
    let signer = Signer {
        url: format!("http://{host}/webhooks/twilio"),
        host: host.clone(),
        account_sid: account.account_sid.to_string(),
        auth_token: account.auth_token.clone(),
    };
    let rate = args.rate.max(1);
    send(&signer, &times, 0..WARM_UP, rate).await?;
    let events = usize::try_from(rate * args.seconds.max(1)).unwrap_or(usize::MAX);
    let before = server.cpu()?;
    send(&signer, &times, WARM_UP..WARM_UP + events, rate).await?;
    let cpu_ms = server.cpu()?.saturating_sub(before).as_secs_f64() * 1000.0 / figure(events);
    drop(server);
    emulator.shutdown().await;
    let times = times.lock().unwrap_or_else(PoisonError::into_inner);
    let measured = times.sent.iter().filter(|(number, _)| **number >= WARM_UP);
    let waited: Vec<_> = measured.filter_map(|(number, sent)| Some(*times.came.get(number)? - *sent)).collect();
    let latencies = Latencies::new(waited);
    if latencies.count() != events {
        return Err(format!("{events} events, but {} first steps", latencies.count()));
    }
    let (median, p99, most) =
        (latencies.percentile_ms(0.5), latencies.percentile_ms(0.99), latencies.percentile_ms(1.0));
    if args.json {
        let figures = json!({
            "events": events, "rate": rate, "median_ms": median, "p99_ms": p99, "max_ms": most, "cpu_ms_per_event": cpu_ms,
        });
        print(&figures.to_string());
        return Ok(());
    }
    print(&format!("events, each with its run    {events}, {rate} a second"));
    print(&format!(
        "webhook in to first step out median {median:.2} ms, p99 {p99:.2} ms, most {most:.2} ms  (aim: p99 under 20 ms at 200 a second)"
    ));
    print(&format!("CPU for each event           {cpu_ms:.2} ms"));
    Ok(())
}

fn definition(port: u16) -> String {
    format!(
        "name = \"bench\"\nat_once = 256\n[[trigger]]\non = \"message.added\"\nwhen = \"event.data.text != ''\"\n\
         [node.first]\nkind = \"http\"\nurl = \"http://localhost:{port}/${{ event.data.text }}\"\n"
    )
}

async fn came(State(times): State<Shared>, Path(number): Path<usize>) {
    let now = Instant::now();
    times.lock().unwrap_or_else(PoisonError::into_inner).came.entry(number).or_insert(now);
}

/// Sends events at an even rate, whatever becomes of them, and waits for their steps.
async fn send(signer: &Signer, times: &Shared, numbers: std::ops::Range<usize>, rate: u32) -> Result<(), String> {
    let pause = Duration::from_secs(1) / rate;
    let begun = tokio::time::Instant::now();
    let of_connection = |first: usize| {
        let numbers = numbers.clone().skip(first).step_by(CONNECTIONS);
        async move {
            let mut stream =
                TcpStream::connect(&signer.host).await.map_err(|error| format!("no connection: {error}"))?;
            stream.set_nodelay(true).map_err(|error| error.to_string())?;
            let mut buffer = Vec::with_capacity(512);
            for (turn, number) in numbers.enumerate() {
                let place = u32::try_from(first + turn * CONNECTIONS).unwrap_or(u32::MAX);
                let request = signer.request_saying(&number.to_string());
                tokio::time::sleep_until(begun + pause * place).await;
                times.lock().unwrap_or_else(PoisonError::into_inner).sent.insert(number, Instant::now());
                exchange(&mut stream, &request, &mut buffer).await?;
            }
            Ok::<_, String>(())
        }
    };
    try_join_all((0..CONNECTIONS).map(of_connection)).await?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let missing = {
            let times = times.lock().unwrap_or_else(PoisonError::into_inner);
            numbers.clone().filter(|number| !times.came.contains_key(number)).count()
        };
        if missing == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("{missing} events have no first step"));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
