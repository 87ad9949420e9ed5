//! The local Twilio of the measurement, and what has to be in it before the clock runs.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use serde_json::Value;
use trunkline_core::Secret;
use trunkline_twilio::realtime::{ApiKeyTokens, RealtimeSettings};

use super::super::child::{Server, free_port};

/// Requests under way at once while conversations are made.
const AT_ONCE: usize = 32;
const START_PATIENCE: Duration = Duration::from_secs(20);
const REQUEST_PATIENCE: Duration = Duration::from_secs(20);

/// An emulator: one of our own, or one that was named.
pub(super) struct World {
    pub(super) url: String,
    pub(super) account: Account,
    pub(super) http: reqwest::Client,
    /// `None` for an emulator that was named: its process is not ours to look at.
    pub(super) server: Option<Server>,
}

/// What `/emulator/v1/account` says.
#[derive(Deserialize)]
pub(super) struct Account {
    #[serde(rename = "account_sid")]
    pub(super) sid: String,
    pub(super) auth_token: String,
    pub(super) api_key: String,
    pub(super) api_secret: String,
    pub(super) chat_service_sid: String,
    pub(super) phone_number: String,
    twilsock_url: String,
}

impl World {
    pub(super) async fn new(named: Option<&str>) -> Result<Self, String> {
        let (url, server) = if let Some(url) = named {
            (on_this_machine(url)?, None)
        } else {
            let listen = format!("127.0.0.1:{}", free_port()?);
            let quiet = [("TRUNKLINE_LOG", "warn".to_owned())];
            (format!("http://{listen}"), Some(Server::start(&["emulator", "--listen", &listen], &quiet)?))
        };
        let http = reqwest::Client::builder().no_proxy().timeout(REQUEST_PATIENCE).build();
        let http = http.map_err(|error| format!("no HTTP client: {error}"))?;
        let deadline = Instant::now() + START_PATIENCE;
        let account = loop {
            match http.get(format!("{url}/emulator/v1/account")).send().await {
                Ok(answer) => break answer.json().await.map_err(|_| format!("{url} is not an emulator"))?,
                Err(_) if Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(10)).await,
                Err(error) => return Err(format!("no emulator answers at {url}: {error}")),
            }
        };
        Ok(Self { url, account, http, server })
    }

    pub(super) fn tokens(&self, identity: &str) -> Result<ApiKeyTokens, String> {
        let Account { sid, api_key, api_secret, chat_service_sid, .. } = &self.account;
        let wrong = |_| "the emulator's account makes no sense".to_owned();
        let account = sid.parse().map_err(wrong)?;
        let key = api_key.parse().map_err(wrong)?;
        let service = chat_service_sid.parse().map_err(wrong)?;
        Ok(ApiKeyTokens::new(account, key, Secret::new(api_secret.as_str()), service, identity))
    }

    pub(super) fn socket(&self) -> RealtimeSettings {
        RealtimeSettings {
            url: Some(self.account.twilsock_url.clone()),
            connect_timeout: REQUEST_PATIENCE,
            ..RealtimeSettings::default()
        }
    }

    /// Makes a conversation for each of `rosters`, with those participants: fields of the request that adds one.
    pub(super) async fn conversations(&self, rosters: Vec<Vec<Form>>) -> Result<Vec<String>, String> {
        let made = rosters.into_iter().map(|roster| async move {
            let made = self.post("/Conversations", &[]).await?;
            let sid = made.get("sid").and_then(Value::as_str).ok_or("a conversation without a SID")?.to_owned();
            for participant in roster {
                self.post(&format!("/Conversations/{sid}/Participants"), &participant).await?;
            }
            Ok::<_, String>(sid)
        });
        stream::iter(made).buffered(AT_ONCE).try_collect().await
    }

    async fn post(&self, path: &str, form: &[(&str, String)]) -> Result<Value, String> {
        let Account { sid, auth_token, chat_service_sid, .. } = &self.account;
        let url = format!("{}/v1/Services/{chat_service_sid}{path}", self.url);
        let request = self.http.post(url).basic_auth(sid, Some(auth_token)).form(form);
        let answer = request.send().await.map_err(|error| format!("the emulator does not answer: {error}"))?;
        if !answer.status().is_success() {
            return Err(format!("the emulator answered {} to {path}", answer.status()));
        }
        answer.json().await.map_err(|error| format!("the emulator's answer makes no sense: {error}"))
    }
}

/// Fields of a request.
pub(super) type Form = Vec<(&'static str, String)>;

/// Load goes nowhere else.
fn on_this_machine(url: &str) -> Result<String, String> {
    let parsed = url::Url::parse(url).map_err(|error| format!("{url} is no URL: {error}"))?;
    let is_here = match parsed.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if !is_here {
        return Err(format!("{url} is not on this machine: name an emulator on 127.0.0.1"));
    }
    Ok(url.trim_end_matches('/').to_owned())
}
