//! Scripted callers: emulator and gateway as two processes, and people who ask, listen and talk over the answers.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::child::{Server, free_port};
use super::super::report::{Latencies, ratio};
use super::super::{CallArgs, CallPath};
use super::cores::Cores;
use super::talk::ANSWER;
use super::under_load::{Twilio, UnderLoad, Who};
use crate::cli::{print, say};

/// What is asked; the same each time, so that it is spoken once.
const WORDS: &str = "what time do you open on saturday";
/// How long an answer has been going on when it is talked over.
const TALK_OVER_AFTER_MS: u64 = 800;
/// Asking, being answered, talking over that and being answered again takes so long.
const CYCLE: Duration = Duration::from_secs(10);
/// Between two calls that are placed: a burst would be of another kind of test.
const APART: Duration = Duration::from_millis(25);
const START_PATIENCE: Duration = Duration::from_secs(20);
/// How much longer than planned calls may take.
const MORE: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long everything of a call may live after its end.
const GONE_WITHIN: Duration = Duration::from_secs(1);

pub(super) async fn run(args: &CallArgs, cores: Cores) -> Result<(), String> {
    let client = reqwest::Client::builder().no_proxy().timeout(START_PATIENCE).build();
    let network = Network::start(client.map_err(|error| error.to_string())?).await?;
    let who = Who::Ours(CallPath::Pipeline);
    let gateway = UnderLoad::start(who, cores, &network.twilio, &args.peers_dir).await?;
    say(&format!("{} scripted calls of about {} s…", args.calls, args.seconds));
    let begun = Instant::now();
    let (gateway_before, emulator_before) = (gateway.server.cpu()?, network.server.cpu()?);
    let mut calls = Vec::new();
    for number in 0..args.calls {
        calls.push(network.place(number, args.seconds).await?);
        tokio::time::sleep(APART).await;
    }
    let at_once = network.live().await?;
    let memory = (gateway.server.memory_kib()?, network.server.memory_kib()?);
    let until = begun + APART * args.calls + Duration::from_secs(args.seconds.into()) + MORE;
    while network.live().await? > 0 {
        if Instant::now() > until {
            return Err("the calls did not end in time".to_owned());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    tokio::time::sleep(GONE_WITHIN).await;
    let left = gateway.address.live()?;
    let lasted = begun.elapsed();
    let used =
        (gateway.server.cpu()?.saturating_sub(gateway_before), network.server.cpu()?.saturating_sub(emulator_before));
    let mut told = Told::default();
    for call in &calls {
        told.add(&network.result(call).await?);
    }
    let (heard, sent) = (
        gateway.address.counter("twilio_stream_frames_total", "in")?,
        gateway.address.counter("twilio_stream_frames_total", "out")?,
    );
    let gaps = gateway.address.counter("twilio_stream_gaps_total", "")?;
    let lost = told.sent.abs_diff(heard) + told.received.abs_diff(sent) + told.dropped + gaps;
    let share = |used: Duration| 100.0 * ratio(used.as_secs_f64(), lasted.as_secs_f64());
    let clears = Latencies::new(told.clears);
    let answers = Latencies::new(told.answers);
    let first = Latencies::new(told.first);
    print(&format!("calls                    {}, {at_once} at once, over {:.0} s", calls.len(), lasted.as_secs_f64()));
    print(&format!("ended as scripted        {}", calls.len() - told.failed.len()));
    print(&format!("live afterwards          {left}  (aim: 0, {} s after the last)", GONE_WITHIN.as_secs()));
    print(&format!(
        "frames to the gateway    {} sent, {heard} heard; {} dropped by the network, {gaps} gaps",
        told.sent, told.dropped
    ));
    print(&format!("frames from the gateway  {sent} sent, {} received", told.received));
    print(&line("first sound", &first, "from the answer of the call"));
    print(&line("answers", &answers, "from the last sound of the question; with the silence that ends it"));
    print(&line("talk-over to clear", &clears, "of the caller's voice, in audio, the first frame of it included"));
    print(&format!("processor                {:.0} % gateway, {:.0} % emulator", share(used.0), share(used.1)));
    print(&format!("memory                   {} MiB gateway, {} MiB emulator", memory.0 >> 10, memory.1 >> 10));
    if let Some(failed) = told.failed.first() {
        return Err(format!("{} calls did not go as scripted; the first: {failed}", told.failed.len()));
    }
    if lost > 0 || left > 0 {
        return Err(format!("{lost} frames were lost, and {left} calls live on"));
    }
    Ok(())
}

fn line(what: &str, times: &Latencies, of: &str) -> String {
    format!(
        "{what:<24} {:.0} ms median, {:.0} ms p99, {:.0} ms at most, {} times ({of})",
        times.percentile_ms(0.5),
        times.percentile_ms(0.99),
        times.percentile_ms(1.0),
        times.count()
    )
}

/// An emulator as a process of its own.
struct Network {
    server: Server,
    twilio: Twilio,
    client: reqwest::Client,
}

impl Network {
    async fn start(client: reqwest::Client) -> Result<Self, String> {
        let host = format!("127.0.0.1:{}", free_port()?);
        let server = Server::start(&["emulator", "--listen", &host], &[])?;
        let deadline = Instant::now() + START_PATIENCE;
        while TcpStream::connect(&host).is_err() {
            if Instant::now() > deadline {
                return Err("the emulator did not start".to_owned());
            }
            tokio::time::sleep(LOOK_EVERY / 10).await;
        }
        let url = format!("http://{host}");
        let account: Value = get(&client, &format!("{url}/emulator/v1/account")).await?;
        let text = |name: &str| account.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (account_sid, auth_token, phone_number) = (text("account_sid"), text("auth_token"), text("phone_number"));
        let twilio = Twilio { url, account_sid, auth_token, phone_number };
        Ok(Self { server, twilio, client })
    }

    /// Has somebody call, and says by what name the call is known.
    async fn place(&self, number: u32, seconds: u32) -> Result<String, String> {
        let cycles = (Duration::from_secs(seconds.into()).as_secs() / CYCLE.as_secs()).max(1);
        let mut steps = vec![json!({ "wait_for_speech": {} })];
        for _ in 0..cycles {
            steps.push(json!({ "say": WORDS }));
            steps.push(json!({ "talk_over": { "after_ms": TALK_OVER_AFTER_MS, "say": WORDS } }));
            steps.push(json!({ "wait_for_speech": {} }));
        }
        // The answer is heard out: what is on its way when somebody hangs up is lost, and rightly.
        steps.push(json!({ "pause_ms": ANSWER.as_millis() }));
        steps.push(json!({ "hang_up": true }));
        let script = json!({ "from": format!("+1555{:07}", 1_000_000 + number), "steps": steps });
        let url = format!("{}/emulator/v1/calls", self.twilio.url);
        let answer = self.client.post(url).json(&script).send().await;
        let answer = answer.map_err(|error| format!("a call was not placed: {error}"))?;
        let placed: Value = answer.json().await.map_err(|error| format!("a call was not placed: {error}"))?;
        placed
            .get("sid")
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| format!("a call was not placed: {placed}"))
    }

    async fn live(&self) -> Result<usize, String> {
        let live = get(&self.client, &format!("{}/emulator/v1/calls", self.twilio.url)).await?;
        Ok(live.get("live").and_then(Value::as_array).map_or(0, Vec::len))
    }

    async fn result(&self, call: &str) -> Result<Value, String> {
        let call = get(&self.client, &format!("{}/emulator/v1/calls/{call}", self.twilio.url)).await?;
        Ok(call.get("result").cloned().unwrap_or_default())
    }
}

async fn get(client: &reqwest::Client, url: &str) -> Result<Value, String> {
    let answer = client.get(url).send().await.map_err(|error| format!("the emulator does not answer: {error}"))?;
    answer.json().await.map_err(|error| format!("the emulator does not answer: {error}"))
}

/// What all callers told.
#[derive(Default)]
struct Told {
    sent: u64,
    received: u64,
    dropped: u64,
    first: Vec<Duration>,
    answers: Vec<Duration>,
    clears: Vec<Duration>,
    failed: Vec<String>,
}

impl Told {
    fn add(&mut self, result: &Value) {
        let count = |name: &str| number(result, &["streamed", name]).unwrap_or_default();
        self.sent += count("sent");
        self.received += count("received");
        self.dropped += count("dropped");
        let timings = result.get("timings").unwrap_or(&Value::Null);
        let all = |name: &str| {
            let times = timings.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            times.iter().filter_map(Value::as_u64).map(Duration::from_millis).collect::<Vec<_>>()
        };
        self.first.extend(number(timings, &["first_audio_ms"]).map(Duration::from_millis));
        self.answers.extend(all("gaps_ms"));
        self.clears.extend(all("clear_voiced_ms"));
        let hung_up_by = result.get("hung_up_by").unwrap_or(&Value::Null);
        if let Some(failed) = result.get("failed").and_then(Value::as_str) {
            self.failed.push(failed.to_owned());
        } else if result.is_null() {
            self.failed.push("there is no result".to_owned());
        } else if hung_up_by != "phone" {
            self.failed.push(format!("it was ended by {hung_up_by}"));
        }
    }
}

fn number(of: &Value, path: &[&str]) -> Option<u64> {
    path.iter().try_fold(of, |of, name| of.get(name))?.as_u64()
}
