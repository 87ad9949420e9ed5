//! An emulator on a free port, a client with its credentials, and a receiver of its webhooks that checks signatures.

mod receiver;
mod server;
mod socket;

use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use trunkline_emulator::{AccountConfig, Builder, Emulator};

pub(crate) use receiver::{Received, Receiver, Script};
pub(crate) use server::{Peer, Server};
pub(crate) use socket::{Heard, Socket, mint};

/// How long anything may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);
/// The time limit of webhooks in tests.
pub(crate) const WEBHOOK_TIMEOUT: Duration = Duration::from_millis(300);
pub(crate) const NUMBER: &str = "+15557654321";
pub(crate) const PERSON: &str = "+15550001111";

pub(crate) struct World {
    pub(crate) emulator: Emulator,
    pub(crate) http: Client,
}

/// A REST answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn text(&self, key: &str) -> String {
        self.body[key].as_str().unwrap_or_else(|| panic!("{key} in {}", self.body)).to_owned()
    }

    /// (HTTP status, Twilio's code)
    pub(crate) fn problem(&self) -> (u16, u64) {
        (self.status.as_u16(), self.body["code"].as_u64().unwrap_or_default())
    }
}

/// Settings for a test: a free port, a known number, a short time limit for webhooks.
pub(crate) fn settings() -> Builder {
    let account = AccountConfig { phone_number: Some(NUMBER.to_owned()), ..AccountConfig::default() };
    Emulator::builder().listen(([127, 0, 0, 1], 0).into()).account(account).webhook_timeout(WEBHOOK_TIMEOUT)
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::of(settings()).await
    }

    pub(crate) async fn of(builder: Builder) -> Self {
        let emulator = builder.start().await.unwrap();
        Self { emulator, http: Client::builder().no_proxy().build().unwrap() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.emulator.url()) }
    }

    /// A request with the account's credentials.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let account = self.emulator.account();
        self.http.request(method, self.url(path)).basic_auth(account.account_sid, Some(&account.auth_token))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> StatusCode {
        self.request(Method::DELETE, path).send().await.unwrap().status()
    }

    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        answer(self.request(Method::POST, path).form(form)).await
    }

    /// A REST call that asks for webhooks.
    pub(crate) async fn post_aloud(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        answer(self.request(Method::POST, path).header("X-Twilio-Webhook-Enabled", "true").form(form)).await
    }

    /// A resource that must be created; its SID.
    pub(crate) async fn create(&self, path: &str, form: &[(&str, &str)]) -> String {
        let answer = self.post(path, form).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.text("sid")
    }

    /// The path of a new conversation.
    pub(crate) async fn conversation(&self) -> String {
        format!("/v1/Conversations/{}", self.create("/v1/Conversations", &[]).await)
    }

    /// Adds a person on SMS to a conversation.
    pub(crate) async fn bind(&self, conversation: &str, person: &str) -> String {
        let pair = [("MessagingBinding.Address", person), ("MessagingBinding.ProxyAddress", NUMBER)];
        self.create(&format!("{conversation}/Participants"), &pair).await
    }

    pub(crate) async fn control(&self, method: Method, path: &str, body: Value) -> Answer {
        let request = self.http.request(method, self.url(&format!("/emulator/v1{path}")));
        answer(if body.is_null() { request } else { request.json(&body) }).await
    }

    /// A person texts the account's number.
    pub(crate) async fn text(&self, from: &str, body: &str) -> Answer {
        self.control(Method::POST, "/messages", json!({"from": from, "body": body})).await
    }

    /// What is on a phone.
    pub(crate) async fn phone(&self, address: &str) -> Vec<Value> {
        let path = format!("/phones/{}/messages", address.replace('+', "%2B"));
        let answer = self.control(Method::GET, &path, Value::Null).await;
        answer.body["messages"].as_array().unwrap().clone()
    }

    pub(crate) async fn fault(&self, fault: Value) -> Answer {
        let answer = self.control(Method::POST, "/faults", fault).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer
    }

    /// Sends the account's post-webhooks of these events to a receiver.
    pub(crate) async fn tell(&self, receiver: &Receiver, events: &[&str]) {
        let url = receiver.url("/post");
        self.configure(&[("PostWebhookUrl", &url)], events).await;
    }

    /// Configures the account's webhooks.
    pub(crate) async fn configure(&self, fields: &[(&str, &str)], events: &[&str]) {
        let mut form = fields.to_vec();
        form.extend(events.iter().map(|event| ("Filters", *event)));
        let answer = self.post("/v1/Configuration/Webhooks", &form).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }
}

pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response: Response = request.send().await.unwrap();
    let status = response.status();
    let body = response.bytes().await.unwrap();
    Answer { status, body: serde_json::from_slice(&body).unwrap_or(Value::Null) }
}

/// Asks until there is an answer.
pub(crate) async fn until<T>(ask: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(DEADLINE, ask).await
}

/// Asks until there is an answer, for something that takes its time.
pub(crate) async fn until_within<T>(limit: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < end, "it did not happen in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
