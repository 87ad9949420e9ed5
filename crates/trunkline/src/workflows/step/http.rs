//! A request over HTTP: to the public internet, or to hosts that are allowed by name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use trunkline_agent::workflow::{Structure, Template};
use trunkline_twilio::rest::{PublicOnly, is_not_public, may_be_public};
use url::Url;

use super::{Effect, StepDone, StepError};
use crate::workflows::codes;

/// The largest answer that is read, in bytes.
pub(crate) const MAX_ANSWER_BYTES: usize = 256 << 10;
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest wait that the far side may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);
/// Names the step, the same at each try.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A client that goes nowhere it should not.
#[derive(Clone)]
pub(in crate::workflows) struct HttpClient {
    client: Option<reqwest::Client>,
    allowed: Arc<BTreeSet<String>>,
}

/// Resolves names that are allowed to whatever they are, and others to public addresses.
struct Resolver(Arc<BTreeSet<String>>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        if !self.0.contains(&name.as_str().to_ascii_lowercase()) {
            return PublicOnly.resolve(name);
        }
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

impl HttpClient {
    /// A client that may also go to `allowed` hosts, wherever they are.
    pub(in crate::workflows) fn new(allowed: &[String]) -> Self {
        let allowed: Arc<BTreeSet<_>> = Arc::new(allowed.iter().map(|host| host.to_ascii_lowercase()).collect());
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .dns_resolver(Arc::new(Resolver(Arc::clone(&allowed))))
            .user_agent(concat!("trunkline/", env!("CARGO_PKG_VERSION")))
            .build()
            .ok();
        Self { client, allowed }
    }

    fn may_go(&self, url: &Url) -> bool {
        let host = url.host_str().map(|host| host.trim_matches(['[', ']']).to_ascii_lowercase());
        host.is_some_and(|host| self.allowed.contains(&host)) || may_be_public(url)
    }
}

pub(super) async fn request(
    effect: &Effect,
    method: &str,
    url: &Template,
    headers: &BTreeMap<String, Template>,
    body: Option<&Structure>,
) -> Result<StepDone, StepError> {
    let http = &effect.engine.0.http;
    let client =
        http.client.as_ref().ok_or_else(|| StepError::new(codes::NOT_CONFIGURED, "this system has no usable TLS"))?;
    let bad = |why: &str| StepError::new(codes::BAD_VALUE, why);
    let url = Url::parse(&effect.text(url)?).map_err(|_| bad("url is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(bad("url must be http://… or https://…"));
    }
    let private = || StepError::new(codes::PRIVATE_ADDRESS, "the address is not of the public internet");
    if !http.may_go(&url) {
        return Err(private());
    }
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| bad("method is none"))?;
    let mut request = client.request(method, url).header(KEY, &effect.name);
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad("a name of a header is none"))?;
        let mut value = HeaderValue::from_str(&effect.text(value)?).map_err(|_| bad("a value of a header is none"))?;
        value.set_sensitive(true);
        request = request.header(name, value);
    }
    request = match body.map(|body| body.value(&effect.scope)).transpose()? {
        None => request,
        Some(Value::String(text)) => request.body(text),
        Some(value) => request.json(&value),
    };
    let response = request.send().await.map_err(|error| {
        if is_not_public(&error) {
            return private();
        }
        StepError::new(codes::UNREACHABLE, "the far side cannot be reached").retryable()
    })?;
    answered(response).await
}

async fn answered(response: Response) -> Result<StepDone, StepError> {
    let status = response.status();
    let is_json =
        response.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).is_some_and(|it| it.contains("json"));
    if !status.is_success() {
        let error = StepError::new(codes::HTTP_STATUS, format!("the far side answered {}", status.as_u16()));
        let after = response.headers().get(RETRY_AFTER).and_then(|it| it.to_str().ok()?.parse().ok());
        let after = after.map_or(Duration::ZERO, Duration::from_secs).min(MAX_RETRY_AFTER);
        let may_retry = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
        return Err(StepError { may_retry, after, ..error });
    }
    let mut body = Vec::new();
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| StepError::new(codes::UNREACHABLE, "the answer was cut off").retryable())?;
        if body.len() + piece.len() > MAX_ANSWER_BYTES {
            let reason = format!("the answer has more than {MAX_ANSWER_BYTES} bytes");
            return Err(StepError::new(codes::ANSWER_TOO_LARGE, reason));
        }
        body.extend_from_slice(&piece);
    }
    let text = String::from_utf8_lossy(&body).into_owned();
    let read = if is_json { serde_json::from_str(&text).ok() } else { None };
    Ok(StepDone::new(json!({ "status": status.as_u16(), "body": read.unwrap_or(Value::String(text)) })))
}
