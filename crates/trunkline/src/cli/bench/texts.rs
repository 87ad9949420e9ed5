//! From a person's text to the answer on their phone: gateway and emulator in one process, as `trunkline up` runs them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::TextArgs;
use super::child::{Folder, Server, free_port};
use super::report::{Latencies, figure, kib_to_mib};
use crate::cli::{print, say};

const START_PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait for the last answers.
const PATIENCE: Duration = Duration::from_secs(20);
/// A server that has had this long to settle is idle.
const IDLE_AFTER: Duration = Duration::from_secs(2);

/// What a turn may take of our own time, in seconds: a bound of the metric's buckets.
const OWN_TIME: &str = "0.005";

/// Texts of one phone that wait for their answer, and how long the others waited. Answers come in order.
#[derive(Default)]
struct Phone {
    waiting: VecDeque<Instant>,
    waited: Vec<Duration>,
}

pub(super) async fn run(args: &TextArgs) -> Result<(), String> {
    let folder = Folder::new()?;
    let (gateway, emulator) = (free_port()?, free_port()?);
    let (listen, emulator_listen) = (format!("127.0.0.1:{gateway}"), format!("127.0.0.1:{emulator}"));
    let begun = Instant::now();
    let server = Server::start(
        &["up", "--listen", &listen, "--emulator-listen", &emulator_listen, "--data-dir", &folder.path()],
        &[("TRUNKLINE_DEBOUNCE", "0".to_owned())],
    )?;
    let client = reqwest::Client::new();
    until_ready(&client, &format!("http://{listen}/readyz")).await?;
    let start = begun.elapsed();
    tokio::time::sleep(IDLE_AFTER).await;
    let idle_kib = server.memory_kib()?;
    say(&format!("{} texts a second from {} phones for {} s…", args.rate, args.phones, args.seconds));

    let base = format!("http://{emulator_listen}/emulator/v1");
    let tasks = TaskTracker::new();
    let mut phones = Vec::new();
    for number in 0..args.phones.max(1) {
        let phone = Arc::new(Mutex::new(Phone::default()));
        let address = format!("+1555020{number:04}");
        let url = format!("{base}/phones/%2B{}/events", address.trim_start_matches('+'));
        let answer = client.get(url).send().await.map_err(|error| format!("no events: {error}"))?;
        tasks.spawn(listen_for_answers(answer, Arc::clone(&phone)).instrument(tracing::Span::none()));
        phones.push((address, phone));
    }
    let before = server.cpu()?;
    let texts = send_all(&client, &base, &phones, args).await?;
    until_answered(&phones).await?;
    let cpu = server.cpu()?.saturating_sub(before);
    let loaded_kib = server.memory_kib()?;
    let own = within(&client, &format!("http://{listen}/metrics"), OWN_TIME).await?;
    let waited = phones.iter().flat_map(|(_, phone)| lock(phone).waited.clone()).collect();
    let latencies = Latencies::new(waited);
    if latencies.count() != texts {
        return Err(format!("{texts} texts, but {} answers", latencies.count()));
    }
    let cpu_ms = cpu.as_secs_f64() * 1000.0 / figure(texts);
    let (median, p99, most) =
        (latencies.percentile_ms(0.5), latencies.percentile_ms(0.99), latencies.percentile_ms(1.0));
    if args.json {
        print(&json!({
            "texts": texts, "rate": args.rate, "phones": args.phones, "median_ms": median, "p99_ms": p99, "max_ms": most,
            "cpu_ms_per_text": cpu_ms, "turns_within_5_ms": own, "start_ms": start.as_millis(), "idle_kib": idle_kib, "loaded_kib": loaded_kib,
        })
        .to_string());
        return Ok(());
    }
    print(&format!("texts, all answered         {texts}"));
    print(&format!(
        "text in to answer visible   median {median:.2} ms, p99 {p99:.2} ms, most {most:.2} ms  (aim: p99 under 25 ms at 50 a second)"
    ));
    print(&format!("CPU for each text           {cpu_ms:.2} ms, gateway and emulator together"));
    print(&format!("own time of a turn          within 5 ms in {:.2} % of them  (aim: 99 %)", own * 100.0));
    print(&format!("start to ready              {} ms  (aim: under 300)", start.as_millis()));
    print(&format!("memory, idle                {:.1} MiB  (aim: under 40)", kib_to_mib(idle_kib)));
    print(&format!("memory, after the load      {:.1} MiB", kib_to_mib(loaded_kib)));
    Ok(())
}

/// The share of turns that took no longer than `bound`, from the text's turn to the committed answer. The concierge that
/// answers here takes next to nothing of that.
async fn within(client: &reqwest::Client, url: &str, bound: &str) -> Result<f64, String> {
    let answer = client.get(url).send().await.map_err(|error| format!("no metrics: {error}"))?;
    let metrics = answer.text().await.map_err(|error| format!("no metrics: {error}"))?;
    let of = |label: &str| {
        let line = metrics.lines().find(|line| {
            let name = format!("{}_bucket{{", trunkline::telemetry::names::TURN_DURATION);
            line.starts_with(&name) && line.contains("outcome=\"answered\"") && line.contains(label)
        });
        line.and_then(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
    };
    let all = of("le=\"+Inf\"").filter(|all| *all > 0.0).ok_or("there is no metric of turns")?;
    Ok(of(&format!("le=\"{bound}\"")).unwrap_or_default() / all)
}

fn lock(phone: &Mutex<Phone>) -> std::sync::MutexGuard<'_, Phone> {
    phone.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) async fn until_ready(client: &reqwest::Client, url: &str) -> Result<(), String> {
    let deadline = Instant::now() + START_PATIENCE;
    while Instant::now() < deadline {
        if client.get(url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Err("the server under load was not ready in time".to_owned())
}

/// Sends at an even rate, whatever the answers do.
async fn send_all(
    client: &reqwest::Client,
    base: &str,
    phones: &[(String, Arc<Mutex<Phone>>)],
    args: &TextArgs,
) -> Result<usize, String> {
    let tasks = TaskTracker::new();
    let failures = Arc::new(Mutex::new(Vec::new()));
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / args.rate.max(1));
    let texts = usize::try_from(args.rate.max(1) * args.seconds.max(1)).unwrap_or(usize::MAX);
    for (address, phone) in phones.iter().cycle().take(texts) {
        ticks.tick().await;
        let text = json!({ "from": address, "body": "when are you open?", "channel": "sms" });
        let request = client.post(format!("{base}/messages")).json(&text);
        lock(phone).waiting.push_back(Instant::now());
        let failures = Arc::clone(&failures);
        let send = async move {
            let sent = request.send().await.map(|answer| answer.status());
            if !sent.as_ref().is_ok_and(reqwest::StatusCode::is_success) {
                failures.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{sent:?}"));
            }
        };
        tasks.spawn(send.instrument(tracing::Span::none()));
    }
    tasks.close();
    tasks.wait().await;
    let failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
    match failures.first() {
        None => Ok(texts),
        Some(failure) => Err(format!("{} texts were refused, the first with {failure}", failures.len())),
    }
}

async fn listen_for_answers(answer: reqwest::Response, phone: Arc<Mutex<Phone>>) {
    let mut bytes = answer.bytes_stream();
    let mut line = Vec::new();
    let mut seen = std::collections::HashSet::new();
    while let Some(Ok(chunk)) = bytes.next().await {
        let now = Instant::now();
        for byte in chunk {
            if byte != b'\n' {
                line.push(byte);
                continue;
            }
            let message = line.strip_prefix(b"data:").and_then(|data| serde_json::from_slice::<Value>(data).ok());
            line.clear();
            let Some(message) = message else { continue };
            let field = |name| message.get(name).and_then(Value::as_str).map(str::to_owned);
            // Each change of its status is told again.
            if field("direction").as_deref() == Some("received") && seen.insert(field("message_sid")) {
                let mut phone = lock(&phone);
                if let Some(sent) = phone.waiting.pop_front() {
                    phone.waited.push(now - sent);
                }
            }
        }
    }
}

async fn until_answered(phones: &[(String, Arc<Mutex<Phone>>)]) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let waiting: usize = phones.iter().map(|(_, phone)| lock(phone).waiting.len()).sum();
        if waiting == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("{waiting} texts have no answer"));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
