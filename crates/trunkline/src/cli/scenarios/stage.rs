//! A gateway with the agents of the configuration and an emulator, in a folder of their own, for as long as a run.

use std::process::ExitCode;
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;
use trunkline::config::{Reader, Settings, random_token};
use trunkline::telemetry::Telemetry;
use trunkline::{Gateway, Server};
use trunkline_emulator::Emulator;

use super::super::run::{setting, with_flag};
use super::super::up::{local, of_account, with_flags};
use super::super::{failed, misconfigured};

const LOCAL: &str = "127.0.0.1:0";
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the gateway may take to be ready.
const READY_PATIENCE: Duration = Duration::from_secs(30);
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a run plays on.
pub(super) struct Stage {
    gateway: Gateway,
    emulator: Emulator,
    client: Client,
    token: String,
    _folder: TempDir,
}

/// The reader of a run: free ports, a folder of its own, and words in place of sound unless `audio`.
pub(super) fn reader(reader: Reader, folder: &TempDir, token: &str, audio: bool) -> Reader {
    let is_silent = |key: &str, reader: &Reader| setting(key).is_some_and(|setting| reader.text(setting).is_none());
    let log = is_silent("telemetry.log", &reader).then(|| "error".to_owned());
    let reader = with_flag(reader, "telemetry.log", log);
    let relay = (!audio).then(|| "*".to_owned());
    let reader = with_flag(reader, "calls.relay_numbers", relay);
    let data = folder.path().join("data").display().to_string();
    with_flags(
        reader,
        [
            ("gateway.listen", LOCAL.to_owned()),
            ("emulator.listen", LOCAL.to_owned()),
            ("gateway.data_dir", data),
            ("gateway.console_token", token.to_owned()),
        ],
    )
}

impl Stage {
    /// Starts both.
    pub(super) async fn start(
        reader: Reader,
        folder: TempDir,
        token: String,
        telemetry: &Telemetry,
    ) -> Result<Self, ExitCode> {
        let broken = |error: &dyn std::fmt::Display| failed(&format!("the scenarios cannot begin: {error}"));
        let listen = ([127, 0, 0, 1], 0).into();
        let server = Server::bind(listen).await.map_err(|error| broken(&error))?;
        let voice = format!("http://{}/webhooks/twilio/voice", server.address());
        let emulator = Emulator::builder().listen(listen).voice(&voice, Some(format!("{voice}/status"))).start().await;
        let emulator = emulator.map_err(|error| broken(&error))?;
        let reader = with_flags(reader, of_account(emulator.account(), emulator.url()));
        let webhooks = format!("http://{}/webhooks/twilio", server.address());
        let settings = Settings::load(&local(reader, webhooks)).map_err(|error| misconfigured(&error))?;
        let gateway = Gateway::start(settings, server, telemetry).await.map_err(|error| broken(&error))?;
        let client = Client::builder().timeout(REQUEST_TIMEOUT).build().map_err(|error| broken(&error))?;
        let deadline = Instant::now() + READY_PATIENCE;
        while !gateway.is_ready() {
            if Instant::now() >= deadline {
                return Err(failed("the scenarios cannot begin: the gateway does not become ready"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(Self { gateway, emulator, client, token, _folder: folder })
    }

    /// Our number.
    pub(super) fn number(&self) -> String {
        self.emulator.account().phone_number.clone()
    }

    /// The emulator's control API.
    pub(super) async fn control(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let url = format!("{}/emulator/v1{path}", self.emulator.url());
        let request = self.client.request(method, url);
        sent(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    /// The gateway's API.
    pub(super) async fn api(&self, path: &str) -> Result<Value, String> {
        let url = format!("http://{}/api/v1{path}", self.gateway.address());
        sent(self.client.get(url).bearer_auth(&self.token)).await
    }

    pub(super) async fn stop(self) {
        self.gateway.stop().await;
        self.emulator.shutdown().await;
    }
}

/// The token of a run.
pub(super) fn token() -> String {
    random_token().expose().to_owned()
}

async fn sent(request: reqwest::RequestBuilder) -> Result<Value, String> {
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let text = answer.text().await.map_err(|error| error.to_string())?;
    if status.is_success() {
        Ok(serde_json::from_str(&text).unwrap_or_default())
    } else {
        Err(format!("{status}: {text}"))
    }
}
