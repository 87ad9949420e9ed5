//! A whole Trunkline in a temporary folder: an emulator and a gateway on loopback, and what a test drives them with.

mod database;
mod http_agent;
mod model;
mod otlp;
mod program;
mod realtime;
mod stalling;
mod visitor;
mod webhook;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use trunkline::config::{Reader, Settings};
use trunkline::handlers::Handlers;
use trunkline::telemetry::Telemetry;
use trunkline::{Gateway, GatewayError, Server};
use trunkline_emulator::{Account, AccountConfig, Emulator};
use trunkline_testing::ModelServer;

pub(crate) use database::{column, envelopes, outbox, recorded, rows};
pub(crate) use http_agent::HttpAgentServer;
pub(crate) use model::Model;
pub(crate) use otlp::{Collector, Exported};
pub(crate) use program::{Finished, Program};
pub(crate) use realtime::{ModelAnswer, RealtimeModel};
pub(crate) use stalling::Stalling;
pub(crate) use visitor::{Visitor, WEBCHAT_ALONE, line, lines, open as open_socket};
pub(crate) use webhook::{Webhook, message_added};

/// How long anything may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
pub(crate) const NUMBER: &str = "+15557654321";
pub(crate) const ADA: &str = "+15550001111";
pub(crate) const BOB: &str = "+15550002222";
pub(crate) const IDENTITY: &str = "switchboard";
pub(crate) const CONSOLE_TOKEN: &str = "console-token-of-the-tests";
/// Sends of the bot, for faults.
pub(crate) const SENDS: &str = "/v1/Conversations/*/Messages";

/// Answers `text 7` with `answer 7`.
const RULES: &str = r#"
name = "echo"
greeting = "pardon?"
fallback = ["pardon?"]

[[rule]]
when = ['^text (?<number>\d+)$']
say = ["answer {number}"]
"#;

pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) http: Client,
    pub(crate) account: Account,
    pub(crate) emulator_address: SocketAddr,
    env: BTreeMap<String, String>,
    file: String,
    emulator: Option<Emulator>,
    gateway: Option<Gateway>,
    /// Of the gateway that runs; without it nothing is counted.
    telemetry: Option<Telemetry>,
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl World {
    /// An emulator and a gateway through which texts flow. One answer per text unless `env` says otherwise.
    pub(crate) async fn start(env: &[(&str, &str)]) -> Self {
        let mut world = Self::without_gateway(env).await;
        world.start_gateway().await;
        world
    }

    /// As [`start`](Self::start), with an agent that asks a model.
    pub(crate) async fn asking(model: &ModelServer, env: &[(&str, &str)]) -> Self {
        let mut world = Self::without_gateway(env).await;
        world.set("TRUNKLINE_AGENT", "chat");
        world.set("TRUNKLINE_MODEL", "m");
        world.set("OPENAI_BASE_URL", model.base_url());
        world.start_gateway().await;
        world
    }

    /// An emulator, and everything to start a gateway with.
    pub(crate) async fn without_gateway(env: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let emulator_address = free_address().await;
        let emulator = emulate(emulator_address, folder.path().join("emulator.db")).await;
        let rules = folder.path().join("rules.toml");
        std::fs::write(&rules, RULES).unwrap();
        let account = emulator.account().clone();
        let mut world = Self {
            http: Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap(),
            account,
            emulator_address,
            env: BTreeMap::new(),
            file: String::new(),
            emulator: Some(emulator),
            gateway: None,
            telemetry: None,
            folder,
        };
        let rules = rules.display().to_string();
        let account_sid = world.account.account_sid.to_string();
        let data = world.data_dir().display().to_string();
        for (name, value) in [
            ("TRUNKLINE_CONCIERGE", rules.as_str()),
            ("TRUNKLINE_DATA_DIR", &data),
            ("TRUNKLINE_DEBOUNCE", "0"),
            ("TRUNKLINE_SETTLE", "100ms"),
            ("TRUNKLINE_DRAIN", "5s"),
            ("TRUNKLINE_CATCH_UP_INTERVAL", "0"),
            ("TRUNKLINE_CONSOLE_TOKEN", CONSOLE_TOKEN),
            ("TWILIO_IDENTITY", IDENTITY),
            ("TWILIO_PHONE_NUMBER", NUMBER),
            // Only tests of calls have engines of speech started.
            ("TRUNKLINE_VOICE", "false"),
            ("TWILIO_RETRY_DELAY", "20ms"),
            ("TWILIO_BASE_URL", &format!("http://{emulator_address}")),
            ("TWILIO_ACCOUNT_SID", &account_sid),
            ("TWILIO_AUTH_TOKEN", &world.account.auth_token.clone()),
        ] {
            world.set(name, value);
        }
        for (name, value) in env {
            world.set(name, value);
        }
        world
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.env.insert(name.to_owned(), value.to_owned());
    }

    /// What stands in `trunkline.toml`.
    pub(crate) fn set_file(&mut self, text: &str) {
        text.clone_into(&mut self.file);
        std::fs::write(self.file_path(), text).unwrap();
    }

    fn file_path(&self) -> PathBuf {
        self.folder.path().join("trunkline.toml")
    }

    pub(crate) fn env(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The settings of a gateway that listens on `address`.
    pub(crate) fn settings(&self, address: SocketAddr) -> Settings {
        let mut env = self.env.clone();
        env.entry("TWILIO_WEBHOOK_URL".to_owned()).or_insert_with(|| format!("http://{address}/webhooks/twilio"));
        let reader = Reader::new(env).with_file_path(self.file_path());
        Settings::load(&reader.with_file(&self.file).unwrap()).unwrap()
    }

    /// Starts a gateway on a free port, and waits until texts flow.
    pub(crate) async fn start_gateway(&mut self) {
        let server = Server::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let settings = self.settings(server.address());
        let telemetry = Telemetry::new(&settings.telemetry).unwrap();
        self.start_gateway_with(server, settings, &telemetry).await.unwrap();
        self.telemetry = Some(telemetry);
    }

    /// As [`start_gateway`](Self::start_gateway), where the settings have to name the address.
    pub(crate) async fn start_gateway_with_webhook(&mut self) {
        let server = Server::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        self.set("TWILIO_WEBHOOK_URL", &format!("http://{}/webhooks/twilio", server.address()));
        let settings = self.settings(server.address());
        let telemetry = Telemetry::new(&settings.telemetry).unwrap();
        self.start_gateway_with(server, settings, &telemetry).await.unwrap();
        self.telemetry = Some(telemetry);
    }

    /// As [`start_gateway`](Self::start_gateway), with handlers of a program.
    pub(crate) async fn start_gateway_with_handlers(&mut self, handlers: Handlers) {
        let server = Server::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let settings = self.settings(server.address());
        let telemetry = Telemetry::new(&settings.telemetry).unwrap();
        self.gateway = Some(Box::pin(Gateway::start_with(settings, server, &telemetry, handlers)).await.unwrap());
        self.telemetry = Some(telemetry);
        until("the gateway is ready", async || self.gateway().is_ready().then_some(())).await;
    }

    pub(crate) async fn start_gateway_with(
        &mut self,
        server: Server,
        settings: Settings,
        telemetry: &Telemetry,
    ) -> Result<(), GatewayError> {
        self.gateway = Some(Box::pin(Gateway::start(settings, server, telemetry)).await?);
        until("the gateway is ready", async || self.gateway().is_ready().then_some(())).await;
        Ok(())
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        self.gateway.as_ref().unwrap()
    }

    pub(crate) async fn stop_gateway(&mut self) {
        self.gateway.take().unwrap().stop().await;
    }

    pub(crate) async fn stop_emulator(&mut self) {
        self.emulator.take().unwrap().shutdown().await;
    }

    /// Starts the emulator again, with what it knew, where it was.
    pub(crate) async fn start_emulator(&mut self) {
        self.emulator = Some(emulate(self.emulator_address, self.folder.path().join("emulator.db")).await);
    }

    pub(crate) fn gateway_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.gateway().address())
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.http.get(self.gateway_url(path))).await
    }

    /// The console's API, logged in.
    pub(crate) async fn api(&self, path: &str) -> Value {
        let answer = answer(self.http.get(self.gateway_url(path)).bearer_auth(CONSOLE_TOKEN)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.body
    }

    /// What the gateway's API answers to a wish that it grants.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let request = self.http.post(self.gateway_url(path)).bearer_auth(CONSOLE_TOKEN);
        let answer = answer(if body.is_null() { request } else { request.json(&body) }).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
        answer.body
    }

    /// The sum of the samples of a metric whose labels contain `label`.
    pub(crate) async fn metric(&self, name: &str, label: &str) -> f64 {
        let page = self.get("/metrics").await.text;
        let samples = page.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
        let fits = |labels: &str| (labels.is_empty() || labels.starts_with('{')) && labels.contains(label);
        samples.filter(|(labels, _)| fits(labels)).map(|(_, value)| value.parse::<f64>().unwrap()).sum()
    }

    /// A REST call with the account's credentials.
    pub(crate) fn rest(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.emulator_address);
        self.http.request(method, url).basic_auth(self.account.account_sid, Some(&self.account.auth_token))
    }

    pub(crate) async fn control(&self, method: Method, path: &str, body: Value) -> Value {
        let request = self.http.request(method, format!("http://{}/emulator/v1{path}", self.emulator_address));
        let answer = answer(if body.is_null() { request } else { request.json(&body) }).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
        answer.body
    }

    /// A person texts the account's number; the conversation and the message.
    pub(crate) async fn text(&self, from: &str, body: &str) -> (String, String) {
        let sent = self.control(Method::POST, "/messages", json!({"from": from, "body": body})).await;
        let text = |key: &str| sent[key].as_str().unwrap().to_owned();
        (text("conversation_sid"), text("message_sid"))
    }

    /// What the phone has received, oldest first.
    pub(crate) async fn answers(&self, phone: &str) -> Vec<String> {
        let list = self.control(Method::GET, &format!("/phones/{phone}/messages"), Value::Null).await;
        let received = list["messages"].as_array().unwrap().iter().filter(|line| line["direction"] == "received");
        received.map(|line| line["body"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until the phone has exactly these answers and nothing is on its way any more.
    pub(crate) async fn expect_answers(&self, phone: &str, expected: &[&str]) {
        let enough = async || (self.answers(phone).await.len() >= expected.len()).then_some(());
        until(&format!("{phone} receives {expected:?}"), enough).await;
        self.until_idle().await;
        assert_eq!(self.answers(phone).await, expected);
    }

    /// Waits until every webhook is delivered and everything on the bus is dealt with.
    pub(crate) async fn until_idle(&self) {
        until("everything is dealt with", async || {
            let status = self.api("/api/v1/status").await;
            (self.webhooks_are_delivered().await && status["backlog"] == 0).then_some(())
        })
        .await;
    }

    /// Waits until every webhook has been delivered, or has failed.
    pub(crate) async fn until_webhooks_are_delivered(&self) {
        until("every webhook is delivered", async || self.webhooks_are_delivered().await.then_some(())).await;
    }

    async fn webhooks_are_delivered(&self) -> bool {
        let webhooks = self.control(Method::GET, "/webhooks", Value::Null).await;
        webhooks["waiting"] == 0 && webhooks["under_way"] == 0
    }

    /// Sets a fault; returns its id.
    pub(crate) async fn fault(&self, fault: Value) -> u64 {
        self.control(Method::POST, "/faults", fault).await["id"].as_u64().unwrap()
    }

    pub(crate) async fn fault_hits(&self, id: u64) -> u64 {
        let list = self.control(Method::GET, "/faults", Value::Null).await;
        let found = list["faults"].as_array().unwrap().iter().find(|fault| fault["id"] == id);
        found.unwrap()["hits"].as_u64().unwrap()
    }
}

async fn emulate(address: SocketAddr, file: PathBuf) -> Emulator {
    let account = AccountConfig {
        phone_number: Some(NUMBER.to_owned()),
        identity: Some(IDENTITY.to_owned()),
        ..AccountConfig::default()
    };
    Emulator::builder().listen(address).account(account).data_file(file).start().await.unwrap()
}

/// A port that nobody is given who asks for any: those come from the system's range above. So it stays free while a
/// test stops and starts what listens there.
pub(crate) async fn free_address() -> SocketAddr {
    loop {
        let address = SocketAddr::from(([127, 0, 0, 1], rand::random_range(20_000..32_000)));
        if tokio::net::TcpListener::bind(address).await.is_ok() {
            return address;
        }
    }
}

pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null), text }
}

/// Asks until there is an answer.
pub(crate) async fn until<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(DEADLINE, what, ask).await
}

/// As [`until`], for what takes its time.
pub(crate) async fn until_within<T>(time: Duration, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + time;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < end, "it did not happen in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
