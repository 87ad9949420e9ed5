//! What a verified webhook costs, with and without being made safe.

use std::io::{Seek as _, Write as _};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use serde_json::json;
use tokio::net::TcpStream;
use trunkline_emulator::Emulator;

use super::child::{Folder, Server, free_port};
use super::report::{Latencies, figure, ratio};
use super::wire::{Signer, exchange};
use super::{Mode, WebhookArgs};
use crate::cli::{print, say};

/// Requests that warm a server up.
const WARM_UP: usize = 2000;
const START_PATIENCE: Duration = Duration::from_secs(20);

struct Figures {
    mode: Mode,
    requests: usize,
    per_second: f64,
    median_ms: f64,
    p99_ms: f64,
    cpu_us: f64,
}

impl Figures {
    fn per_cpu_second(&self) -> f64 {
        ratio(1e6, self.cpu_us)
    }
}

pub(super) async fn run(args: &WebhookArgs) -> Result<(), String> {
    let emulator = Emulator::builder()
        .listen(([127, 0, 0, 1], 0).into())
        .start()
        .await
        .map_err(|error| format!("no emulator: {error}"))?;
    let mut all = Vec::new();
    for mode in [Mode::Nothing, Mode::Shared, Mode::Single] {
        let requests = if mode == Mode::Single { args.requests / 10 } else { args.requests };
        say(&format!("{requests} webhooks over {} connections, {}…", args.connections, words(mode)));
        all.push(measure(&emulator, mode, requests.max(1), args.connections.max(1)).await?);
    }
    emulator.shutdown().await;
    let [nothing, shared, single] = all.as_slice() else { return Err("a measurement is missing".to_owned()) };
    if args.json {
        let rows: Vec<_> = all.iter().map(row).collect();
        print(
            &json!({ "webhooks": rows, "ratios": {
                "cpu_shared_to_nothing": ratio(shared.cpu_us, nothing.cpu_us),
                "rate_shared_to_single": ratio(shared.per_second, single.per_second),
            }})
            .to_string(),
        );
        return Ok(());
    }
    print("stored                    requests    per s   median      p99   CPU each   per CPU-s");
    for figures in &all {
        print(&format!(
            "{:<24} {:>9} {:>8.0} {:>5.2} ms {:>5.2} ms {:>7.1} us {:>11.0}",
            words(figures.mode),
            figures.requests,
            figures.per_second,
            figures.median_ms,
            figures.p99_ms,
            figures.cpu_us,
            figures.per_cpu_second(),
        ));
    }
    print(&format!(
        "CPU, stored to not stored:          {:.2}  (aim: at most 2.5)",
        ratio(shared.cpu_us, nothing.cpu_us)
    ));
    print(&format!(
        "rate, shared to single commits:     {:.1}  (aim: at least 8)",
        ratio(shared.per_second, single.per_second)
    ));
    print(&format!("stored webhooks per CPU-second: {:>7.0}  (aim: at least 16,000)", shared.per_cpu_second()));
    let (overwrite, append) = disk(&Folder::new()?)?;
    print(&format!(
        "this disk alone, 4 KiB at a time: {overwrite:.0} fdatasync a second over old blocks, {append:.0} over new ones"
    ));
    print("CPU is user and system time of the server process from /proc; all three run in turn on this machine.");
    Ok(())
}

const fn words(mode: Mode) -> &'static str {
    match mode {
        Mode::Nothing => "nothing",
        Mode::Shared => "before 200, shared fsync",
        Mode::Single => "before 200, own fsync",
    }
}

fn row(figures: &Figures) -> serde_json::Value {
    json!({
        "stored": words(figures.mode),
        "requests": figures.requests,
        "per_second": figures.per_second,
        "median_ms": figures.median_ms,
        "p99_ms": figures.p99_ms,
        "cpu_us": figures.cpu_us,
        "per_cpu_second": figures.per_cpu_second(),
    })
}

async fn measure(emulator: &Emulator, mode: Mode, requests: usize, connections: usize) -> Result<Figures, String> {
    let folder = Folder::new()?;
    let port = free_port()?;
    let host = format!("127.0.0.1:{port}");
    let account = emulator.account();
    let mode_name = match mode {
        Mode::Nothing => "nothing",
        Mode::Shared => "shared",
        Mode::Single => "single",
    };
    let server = Server::start(
        &["bench", "target", "--mode", mode_name, "--data-dir", &folder.path(), "--emulator", emulator.url()],
        &[
            ("TWILIO_ACCOUNT_SID", account.account_sid.to_string()),
            ("TWILIO_AUTH_TOKEN", account.auth_token.clone()),
            ("TRUNKLINE_LISTEN", host.clone()),
        ],
    )?;
    let signer = Signer {
        url: format!("http://{host}/webhooks/twilio"),
        host: host.clone(),
        account_sid: account.account_sid.to_string(),
        auth_token: account.auth_token.clone(),
    };
    until_it_listens(&host).await?;
    load(&signer, &host, WARM_UP.min(requests), connections).await?;
    let prepared = server.cpu()?;
    let (latencies, took) = load(&signer, &host, requests, connections).await?;
    let cpu = server.cpu()?.saturating_sub(prepared);
    let latencies = Latencies::new(latencies);
    Ok(Figures {
        mode,
        requests: latencies.count(),
        per_second: figure(latencies.count()) / took.as_secs_f64(),
        median_ms: latencies.percentile_ms(0.5),
        p99_ms: latencies.percentile_ms(0.99),
        cpu_us: cpu.as_secs_f64() * 1e6 / figure(latencies.count()),
    })
}

/// How often this disk can be made to write: over blocks that a file has, as a write-ahead log mostly does, and over
/// new ones.
fn disk(folder: &Folder) -> Result<(f64, f64), String> {
    const BLOCKS: usize = 500;
    let failed = |error: std::io::Error| format!("the disk cannot be measured: {error}");
    let mut file = std::fs::File::create(folder.file("disk")).map_err(failed)?;
    let mut pass = || {
        let begun = Instant::now();
        for _ in 0..BLOCKS {
            file.write_all(&[b'x'; 4096]).map_err(failed)?;
            file.sync_data().map_err(failed)?;
        }
        let rate = figure(BLOCKS) / begun.elapsed().as_secs_f64();
        file.rewind().map_err(failed)?;
        Ok::<_, String>(rate)
    };
    let append = pass()?;
    let overwrite = pass()?;
    Ok((overwrite, append))
}

async fn until_it_listens(host: &str) -> Result<(), String> {
    let deadline = Instant::now() + START_PATIENCE;
    while Instant::now() < deadline {
        let ready =
            reqwest::get(format!("http://{host}/readyz")).await.is_ok_and(|answer| answer.status().is_success());
        if ready {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err("the server under load did not start".to_owned())
}

/// Sends `requests` in all, over `connections`, and returns how long each took and how long all took.
async fn load(
    signer: &Signer,
    host: &str,
    requests: usize,
    connections: usize,
) -> Result<(Vec<Duration>, Duration), String> {
    let mut prepared: Vec<Vec<Vec<u8>>> = (0..connections).map(|_| Vec::new()).collect();
    for batch in (0..connections).cycle().take(requests) {
        if let Some(batch) = prepared.get_mut(batch) {
            batch.push(signer.request());
        }
    }
    let begun = Instant::now();
    let all = try_join_all(prepared.into_iter().map(|batch| async move {
        let mut stream = TcpStream::connect(host).await.map_err(|error| format!("no connection: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let mut buffer = Vec::with_capacity(512);
        let mut latencies = Vec::with_capacity(batch.len());
        for request in batch {
            let sent = Instant::now();
            exchange(&mut stream, &request, &mut buffer).await?;
            latencies.push(sent.elapsed());
        }
        Ok::<_, String>(latencies)
    }))
    .await?;
    Ok((all.concat(), begun.elapsed()))
}
