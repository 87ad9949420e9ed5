//! One request: built, sent, bounded in time and size, repeated where that is harmless.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, Response, redirect};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tracing::{Instrument, Span, debug_span, field};
use trunkline_proto::rest::ApiError;
use url::Url;

use super::circuit::Circuits;
use super::public::PublicOnly;
use super::rate::SenderRate;
use super::retry::{Budget, Repeat};
use super::{RestConfig, RestError, RetryPolicy};

/// The longest answer that is read, in bytes: a page of 100 messages of 32 KB with every character escaped fits.
pub const MAX_RESPONSE_BYTES: usize = 32 * 1024 * 1024;

/// The longest answer to a refused request that is read for its code.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// The longest wait that a `Retry-After` is believed.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);

/// Idle connections are given up before the far side does, so that a create does not meet a closing one.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

const USER_AGENT: &str = concat!("trunkline/", env!("CARGO_PKG_VERSION"));

/// A client of Twilio's REST API. Clones share connections, retry budget and sender's rate.
#[derive(Clone)]
pub struct RestClient {
    http: reqwest::Client,
    /// For files at hosts that are not Twilio's.
    strangers: reqwest::Client,
    shared: Arc<Shared>,
    retry: RetryPolicy,
    asks_always: bool,
}

struct Shared {
    config: RestConfig,
    budget: Budget,
    circuits: Circuits,
    rate: SenderRate,
}

/// A request to be made. No `Debug`: its body may hold what a person wrote.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: Url,
    /// The path with names in place of values, for telemetry.
    pub(super) template: &'static str,
    pub(super) body: Body,
    pub(super) repeat: Repeat,
}

pub(super) enum Body {
    Empty,
    Form(Form),
    Bytes { content_type: String, data: Bytes },
}

/// Form parameters under construction.
#[derive(Default)]
pub(super) struct Form(Vec<(&'static str, String)>);

impl Form {
    pub(super) fn set(&mut self, name: &'static str, value: Option<impl Into<String>>) {
        self.0.extend(value.map(|value| (name, value.into())));
    }
}

impl Call {
    pub(super) fn read(url: Url, template: &'static str) -> Self {
        Self { method: Method::GET, url, template, body: Body::Empty, repeat: Repeat::Freely }
    }

    pub(super) fn create(url: Url, template: &'static str, form: Form) -> Self {
        Self { method: Method::POST, url, template, body: Body::Form(form), repeat: Repeat::Create }
    }

    pub(super) fn update(url: Url, template: &'static str, form: Form) -> Self {
        Self { method: Method::POST, url, template, body: Body::Form(form), repeat: Repeat::Freely }
    }

    pub(super) fn delete(url: Url, template: &'static str) -> Self {
        Self { method: Method::DELETE, url, template, body: Body::Empty, repeat: Repeat::Delete }
    }
}

impl RestClient {
    /// Builds the client; nothing is connected yet.
    ///
    /// # Errors
    /// `twilio.rest.client` if the system offers no usable TLS.
    pub fn new(config: RestConfig) -> Result<Self, RestError> {
        let mut http = reqwest::Client::builder()
            .connect_timeout(config.connect_timeout)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none());
        if config.endpoints.is_loopback() {
            http = http.no_proxy();
        }
        let http = http.build().map_err(RestError::Client)?;
        // A proxy would resolve names by itself, and nobody would look at where they lead.
        let strangers = reqwest::Client::builder()
            .connect_timeout(config.connect_timeout)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .dns_resolver(PublicOnly)
            .no_proxy()
            .build()
            .map_err(RestError::Client)?;
        let rate = SenderRate::new(config.messages_per_second);
        let retry = config.retry;
        let circuits = Circuits::default();
        Ok(Self {
            http,
            strangers,
            shared: Arc::new(Shared { config, budget: Budget::new(), circuits, rate }),
            retry,
            asks_always: false,
        })
    }

    /// Asks Twilio's own hosts.
    pub(super) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Asks others, at public addresses alone.
    pub(super) fn strangers(&self) -> &reqwest::Client {
        &self.strangers
    }

    /// The settings it was built with.
    pub fn config(&self) -> &RestConfig {
        &self.shared.config
    }

    /// The same client, but failures are reported at once, and a host is asked even if it did not answer others.
    #[must_use]
    pub fn without_retries(&self) -> Self {
        Self { retry: RetryPolicy::NONE, asks_always: true, ..self.clone() }
    }

    /// The hosts that are left alone for a while because they did not answer, each with its port if it has one.
    pub fn open_circuits(&self) -> Vec<String> {
        self.shared.circuits.open()
    }

    /// Whether Twilio asked to slow down within the last minute.
    pub fn is_throttled(&self) -> bool {
        self.shared.circuits.is_throttled()
    }

    /// The address of a resource of Conversations, within the service if one is set.
    pub(super) fn scoped(&self, segments: &[&str]) -> Result<Url, RestError> {
        match &self.config().service_sid {
            Some(sid) => self.unscoped(&[&["Services", sid.as_str()], segments].concat()),
            None => self.unscoped(segments),
        }
    }

    /// The address of a resource of Conversations, of the account itself.
    pub(super) fn unscoped(&self, segments: &[&str]) -> Result<Url, RestError> {
        address(&self.config().endpoints.conversations, &self.config().api_version, segments)
    }

    /// Makes the request and reads the answer.
    pub(super) async fn fetch<T: DeserializeOwned>(&self, call: Call) -> Result<T, RestError> {
        decode(&self.execute(call).await?)
    }

    /// Waits until the sender's rate allows a message that goes another way than by this client.
    pub(crate) async fn permit_message(&self) -> Result<(), RestError> {
        self.shared.rate.permit(Instant::now() + self.shared.config.operation_timeout).await
    }

    /// Makes a request that creates a message, as soon as the sender's rate allows.
    pub(super) async fn fetch_at_rate<T: DeserializeOwned>(&self, call: Call) -> Result<T, RestError> {
        let deadline = Instant::now() + self.config().operation_timeout;
        self.shared.rate.permit(deadline).await?;
        decode(&self.execute_by(deadline, call).await?)
    }

    /// Makes the request, again where that is harmless, until it succeeds or the operation's time is over.
    pub(super) async fn execute(&self, call: Call) -> Result<Bytes, RestError> {
        self.execute_by(Instant::now() + self.config().operation_timeout, call).await
    }

    async fn execute_by(&self, deadline: Instant, call: Call) -> Result<Bytes, RestError> {
        let mut repetitions = 0;
        loop {
            let time = deadline.saturating_duration_since(Instant::now()).min(self.config().attempt_timeout);
            let span = debug_span!(
                "twilio.request",
                http.request.method = %call.method,
                url.template = call.template,
                http.request.resend_count = repetitions,
                http.response.status_code = field::Empty,
                twilio.request_id = field::Empty,
                error.r#type = field::Empty,
            );
            let outcome = self.attempt_if_closed(&call, time, &span).instrument(span.clone()).await;
            let error = match outcome {
                Ok(body) => {
                    if repetitions == 0 {
                        self.shared.budget.earn();
                    }
                    return Ok(body);
                }
                // An earlier attempt without an answer did delete it.
                Err(error) if call.repeat == Repeat::Delete && repetitions > 0 && error.is_not_found() => {
                    return Ok(Bytes::new());
                }
                Err(error) => error,
            };
            span.record("error.type", error.code());

            let Some(asked) = call.repeat.after(&error).filter(|_| repetitions < self.retry.max_retries) else {
                return Err(error);
            };
            let wait = self.retry.wait(repetitions, rand::random(), asked);
            let is_in_time = Instant::now() + wait < deadline;
            if !is_in_time || !self.shared.budget.spend() {
                return Err(error);
            }
            tracing::debug!(parent: &span, error.code = error.code(), "will be repeated");
            tokio::time::sleep(wait).await;
            repetitions += 1;
        }
    }

    async fn attempt_if_closed(&self, call: &Call, time: Duration, span: &Span) -> Result<Bytes, RestError> {
        if !self.asks_always {
            self.shared.circuits.enter(&call.url)?;
        }
        let outcome = self.attempt(call, time, span).await;
        self.shared.circuits.note(&call.url, &outcome);
        outcome
    }

    async fn attempt(&self, call: &Call, time: Duration, span: &Span) -> Result<Bytes, RestError> {
        let Shared { config, .. } = &*self.shared;
        let request = self
            .http
            .request(call.method.clone(), call.url.clone())
            .basic_auth(&config.credentials.user, Some(config.credentials.password.expose()))
            .timeout(time);
        let request = match &call.body {
            Body::Empty => request,
            Body::Form(form) => request.form(&form.0),
            Body::Bytes { content_type, data } => request.header(CONTENT_TYPE, content_type).body(data.clone()),
        };
        let response = request.send().await.map_err(RestError::transport)?;
        let status = response.status().as_u16();
        span.record("http.response.status_code", status);
        if let Some(id) = response.headers().get("twilio-request-id").and_then(|value| value.to_str().ok()) {
            span.record("twilio.request_id", id);
        }
        if response.status().is_success() {
            return body_of(response, MAX_RESPONSE_BYTES).await;
        }
        let retry_after = retry_after(&response);
        // Without a readable body the status alone decides.
        let body = body_of(response, MAX_ERROR_BYTES).await.unwrap_or_default();
        let code = serde_json::from_slice::<ApiError>(&body).ok().map(|error| error.code());
        Err(RestError::answer(status, code, retry_after))
    }

    /// Begins to read a file of ours; the body is not bounded yet.
    pub(super) async fn open(&self, url: Url) -> Result<Response, RestError> {
        let credentials = &self.config().credentials;
        let request = self.http.get(url).basic_auth(&credentials.user, Some(credentials.password.expose()));
        let response = request.send().await.map_err(RestError::transport)?;
        if !response.status().is_success() {
            return Err(RestError::answer(response.status().as_u16(), None, retry_after(&response)));
        }
        Ok(response)
    }
}

impl fmt::Debug for RestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestClient").field("config", self.config()).field("retry", &self.retry).finish_non_exhaustive()
    }
}

/// The decoder's own error may quote the answer, so it is not kept.
fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, RestError> {
    serde_json::from_slice(body).map_err(|_| RestError::Decode)
}

/// Appends path segments to a base. Segments are encoded; those that would change the path's shape are refused.
pub(super) fn address(base: &Url, version: &str, segments: &[&str]) -> Result<Url, RestError> {
    let mut url = base.clone();
    let is_odd = |segment: &&str| matches!(*segment, "" | "." | "..");
    if segments.iter().any(is_odd) {
        return Err(RestError::BadArgument("an empty or dotted name"));
    }
    let mut path = url.path_segments_mut().map_err(|()| RestError::BadArgument("the base URL"))?;
    path.pop_if_empty().push(version).extend(segments);
    drop(path);
    Ok(url)
}

/// `Retry-After` in seconds; Twilio does not use the form with a date.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::try_from_secs_f64(seconds).ok()?.min(MAX_RETRY_AFTER))
}

pub(super) async fn body_of(mut response: Response, max_bytes: usize) -> Result<Bytes, RestError> {
    if response.content_length().is_some_and(|length| length > max_bytes as u64) {
        return Err(RestError::TooLong);
    }
    let mut body = BytesMut::new();
    // The status has come, but what was made is in the body: without it the outcome is not known.
    while let Some(chunk) = response.chunk().await.map_err(|error| RestError::UnknownOutcome(error.without_url()))? {
        if body.len() + chunk.len() > max_bytes {
            return Err(RestError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_and_cannot_leave_their_place() {
        let base = Url::parse("http://127.0.0.1:1/prefix/").unwrap();
        let url = address(&base, "v1", &["Conversations", "a/b?c#d e"]).unwrap();
        assert_eq!(url.as_str(), "http://127.0.0.1:1/prefix/v1/Conversations/a%2Fb%3Fc%23d%20e");
        for odd in ["", ".", ".."] {
            assert!(matches!(address(&base, "v1", &["Conversations", odd]), Err(RestError::BadArgument(_))), "{odd:?}");
        }
    }
}
