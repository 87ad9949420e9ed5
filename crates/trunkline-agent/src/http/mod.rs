//! An agent that somebody else runs, asked by HTTP: one `POST` for each try of a turn.
//!
//! The wire form is [`trunkline_core::turn`]; `docs/agents.md` explains it to those who write such an agent. An answer is
//! one JSON object, or a stream of server-sent events that ends with `done`. A stream that ends without it was cut off,
//! and what is cut off is never sent. Nothing is tried again here: whoever runs the turn decides about that.

mod answer;
mod request;

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response};
use tokio::time::{Instant, timeout_at};
use trunkline_core::{ConfigError, Secret};
use url::Url;

use crate::{Agent, AgentError, AgentStream, Turn};
use answer::Patience;

/// How long to wait for a connection to the agent.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An agent is left alone for at most this long, whatever it asks for: its conversation waits meanwhile, at every try.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);
/// A shared secret has at least this many characters.
const MIN_SECRET_LEN: usize = 16;

/// Where the agent is.
#[derive(Debug, Clone)]
pub struct HttpAgentConfig {
    /// The name under which it speaks. Default `agent`.
    pub name: String,
    /// `http://` or `https://`, any host; the request goes to exactly this URL.
    pub url: String,
    /// Signs the request and, over `https` or to this machine, is its bearer token. Default empty: neither.
    pub secret: Secret,
    /// How many earlier utterances the agent sees. Default 60.
    pub max_history: usize,
    /// How many bytes of earlier utterances the agent sees. Default 64 KiB; the oldest are left out.
    pub max_history_bytes: usize,
}

impl HttpAgentConfig {
    /// The defaults, with a URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            name: "agent".to_owned(),
            url: url.into(),
            secret: Secret::default(),
            max_history: 60,
            max_history_bytes: 64 << 10,
        }
    }
}

/// An agent behind a URL.
pub struct HttpAgent {
    config: HttpAgentConfig,
    url: Url,
    client: Client,
}

impl HttpAgent {
    /// Prepares the client; connects to nothing yet.
    ///
    /// # Errors
    /// Every setting that cannot be used.
    pub fn new(config: HttpAgentConfig) -> Result<Self, ConfigError> {
        let mut problems = ConfigError::new();
        let url = Url::parse(&config.url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let has_user = url.as_ref().is_some_and(|url| !url.username().is_empty() || url.password().is_some());
        if url.is_none() || has_user {
            problems.add("agent.url", "must be a URL such as http://127.0.0.1:9000/turn, without user and password");
        }
        if !config.secret.is_empty() && config.secret.expose().len() < MIN_SECRET_LEN {
            problems.add("agent.secret", format!("must have at least {MIN_SECRET_LEN} characters"));
        }
        if !config.secret.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            problems.add("agent.secret", "must be letters, digits and signs of ASCII, without blanks");
        }
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            // Texts and the secret go to the host that was named, and to no other.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build();
        if client.is_err() {
            problems.add("agent", "no HTTP client can be built on this machine");
        }
        match (url, client) {
            (Some(url), Ok(client)) => problems.or(Self { config, url, client }),
            _ => Err(problems),
        }
    }
}

#[async_trait]
impl Agent for HttpAgent {
    fn name(&self) -> &str {
        &self.config.name
    }

    async fn respond(&self, turn: Turn) -> Result<AgentStream, AgentError> {
        let patience = Patience { by: Instant::now() + turn.deadline, all: turn.deadline };
        let request = self.request(&turn)?;
        let response = timeout_at(patience.by, request.send()).await.map_err(|_| patience.over())?;
        let response = response.map_err(|_| AgentError::Unreachable)?;
        judge(&response)?;
        if response.status() == 204 {
            return Ok(answer::nothing());
        }
        match media_type(&response).as_str() {
            "application/json" => answer::whole(response, patience).await,
            "text/event-stream" => Ok(answer::streamed(response, patience)),
            _ => Err(AgentError::Malformed("its type is neither application/json nor text/event-stream")),
        }
    }
}

/// Whether the status lets an answer follow.
fn judge(response: &Response) -> Result<(), AgentError> {
    let status = response.status().as_u16();
    match status {
        200 | 204 => Ok(()),
        408 | 425 | 429 | 500.. => Err(AgentError::Unavailable { status, after: retry_after(response.headers()) }),
        300..500 => Err(AgentError::Refused { status }),
        _ => Err(AgentError::Malformed("its status is neither 200 nor 204")),
    }
}

/// What `Retry-After` asks for, in seconds (RFC 9110, section 10.2.3). A date is not understood, as a clock may be wrong.
fn retry_after(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    seconds.map(Duration::from_secs).unwrap_or_default().min(MAX_RETRY_AFTER)
}

/// The media type in lower case, without its parameters.
fn media_type(response: &Response) -> String {
    let value = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
