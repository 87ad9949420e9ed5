//! Sends one webhook: form POST or GET with a query, signed, over one shared client that follows no redirect.
//!
//! Source: Twilio's security page (what is signed, credentials in the URL) and its Conversations webhooks page (5 s).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use trunkline_proto::signature::{Algorithm, sign};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::faults::Faults;
use crate::state::events::{Params, Target};
use crate::state::records::Method;

/// What came back from a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
}

/// What was requested.
#[derive(Debug, Clone)]
pub(crate) struct Fetched {
    pub(crate) status: StatusCode,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
}

/// A webhook that was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SendError {
    #[error("no answer in time")]
    TimedOut,
    #[error("no connection, or it broke")]
    Failed,
    #[error("the answer is too long")]
    TooLong,
}

/// Signs and sends webhooks. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sender {
    client: Client,
    auth_token: String,
    timeout: Duration,
    faults: Arc<Faults>,
}

impl Sender {
    /// A sender that waits at most `timeout` for each webhook.
    pub(crate) fn new(auth_token: String, timeout: Duration, faults: Arc<Faults>) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .user_agent("TwilioProxy/1.1")
            .pool_idle_timeout(IDLE)
            .build()?;
        Ok(Self { client, auth_token, timeout, faults })
    }

    /// Requests a document or a file: all of it within `timeout`, at most `max_bytes` of it.
    pub(crate) async fn fetch(
        &self,
        target: &Target,
        params: &Params,
        timeout: Duration,
        max_bytes: usize,
    ) -> Result<Fetched, SendError> {
        self.fetch_signed(target, params, timeout, max_bytes, true).await
    }

    /// Like [`fetch`](Self::fetch), with the faults that are set for webhooks of this name.
    pub(crate) async fn fetch_document(
        &self,
        name: &'static str,
        target: &Target,
        params: &Params,
        timeout: Duration,
        max_bytes: usize,
    ) -> Result<Fetched, SendError> {
        let plan = self.faults.webhook(name);
        if plan.lost {
            // Like a request that is never answered, without the wait.
            return Err(SendError::TimedOut);
        }
        crate::faults::pause(plan.delay).await;
        let mut fetched = self.fetch_signed(target, params, timeout, max_bytes, !plan.wrong_signature).await;
        for _ in 0..plan.duplicates {
            fetched = self.fetch_signed(target, params, timeout, max_bytes, !plan.wrong_signature).await;
        }
        fetched
    }

    /// Sends one callback, with the faults that are set for webhooks of this name. Nothing if it is lost.
    pub(crate) async fn call_back(
        &self,
        name: &'static str,
        target: &Target,
        params: &Params,
    ) -> Option<Result<Reply, SendError>> {
        let plan = self.faults.webhook(name);
        crate::faults::pause(plan.delay).await;
        if plan.lost {
            return None;
        }
        let token = super::dispatcher::idempotency_token();
        let mut sent = self.send_signed(target, params, &token, !plan.wrong_signature).await;
        for _ in 0..plan.duplicates {
            sent = self.send_signed(target, params, &token, !plan.wrong_signature).await;
        }
        Some(sent)
    }

    async fn fetch_signed(
        &self,
        target: &Target,
        params: &Params,
        timeout: Duration,
        max_bytes: usize,
        right: bool,
    ) -> Result<Fetched, SendError> {
        let attempt = async {
            let token = super::dispatcher::idempotency_token();
            let response = self.ask(target, params, &token, right).await?;
            let status = response.status();
            let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let content_type = content_type.unwrap_or_default().to_owned();
            Ok(Fetched { status, content_type, body: read(response, max_bytes).await? })
        };
        tokio::time::timeout(timeout, attempt).await.unwrap_or(Err(SendError::TimedOut))
    }

    /// Sends one webhook and reads the answer, all within the time limit. A fault may want a wrong signature.
    pub(crate) async fn send_signed(
        &self,
        target: &Target,
        params: &Params,
        token: &str,
        right: bool,
    ) -> Result<Reply, SendError> {
        let attempt = self.attempt(target, params, token, right);
        tokio::time::timeout(self.timeout, attempt).await.unwrap_or(Err(SendError::TimedOut))
    }

    async fn attempt(&self, target: &Target, params: &Params, token: &str, right: bool) -> Result<Reply, SendError> {
        let response = self.ask(target, params, token, right).await?;
        let status = response.status();
        Ok(Reply { status, body: read(response, MAX_ANSWER_BYTES).await? })
    }

    /// The answer's head; with the credentials of the URL if it asks for some.
    async fn ask(&self, target: &Target, params: &Params, token: &str, right: bool) -> Result<Response, SendError> {
        let request = Prepared::new(target, params, if right { &self.auth_token } else { WRONG_TOKEN });
        let mut response = self.request(&request, target.method, token, None).await?;
        let asks = response.status() == StatusCode::UNAUTHORIZED && response.headers().contains_key(WWW_AUTHENTICATE);
        if let (true, Some(credentials)) = (asks, &request.credentials) {
            response = self.request(&request, target.method, token, Some(credentials)).await?;
        }
        Ok(response)
    }

    async fn request(
        &self,
        prepared: &Prepared,
        method: Method,
        token: &str,
        credentials: Option<&str>,
    ) -> Result<Response, SendError> {
        let mut request = match method {
            Method::Get => self.client.get(prepared.url.as_str()),
            Method::Post => self
                .client
                .post(prepared.url.as_str())
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
                .body(prepared.body.clone()),
        };
        request = request.header(SIGNATURE, prepared.signature.as_str()).header(IDEMPOTENCY, token);
        if let Some(credentials) = credentials {
            request = request.header(AUTHORIZATION, credentials);
        }
        request.send().await.map_err(|_| SendError::Failed)
    }
}

/// A webhook as it goes out.
struct Prepared {
    /// Where it goes: as configured, without fragment and credentials, for GET with the parameters.
    url: String,
    body: String,
    signature: String,
    /// The `Authorization` header for the credentials in the configured URL.
    credentials: Option<String>,
}

impl Prepared {
    fn new(target: &Target, params: &Params, auth_token: &str) -> Self {
        let mut url = bare_url(&target.url);
        let form =
            Serializer::new(String::new()).extend_pairs(params.iter().map(|(name, value)| (name, value))).finish();
        let pairs = match target.method {
            Method::Post => params.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            Method::Get => {
                url.push(if url.contains('?') { '&' } else { '?' });
                url.push_str(&form);
                Vec::new()
            }
        };
        let signature = sign(Algorithm::HmacSha1, auth_token.as_bytes(), &url, &pairs);
        let body = if target.method == Method::Post { form } else { String::new() };
        Self { url, body, signature, credentials: credentials(&target.url) }
    }
}

/// The URL that is signed and requested: exactly as configured, minus fragment and credentials.
fn bare_url(configured: &str) -> String {
    let without_fragment = configured.split_once('#').map_or(configured, |(url, _)| url);
    let Some((scheme, rest)) = without_fragment.split_once("://") else { return without_fragment.to_owned() };
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(authority_end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{tail}")
}

fn credentials(configured: &str) -> Option<String> {
    let url = Url::parse(configured).ok()?;
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let pair = format!("{}:{}", decoded(url.username()), decoded(url.password().unwrap_or_default()));
    Some(format!("Basic {}", STANDARD.encode(pair)))
}

fn decoded(text: &str) -> String {
    crate::percent::decode(text).unwrap_or_else(|| text.to_owned())
}

async fn read(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, SendError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| SendError::Failed)? {
        if body.len().saturating_add(chunk.len()) > max_bytes {
            return Err(SendError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

const SIGNATURE: &str = "x-twilio-signature";
const IDEMPOTENCY: &str = "i-twilio-idempotency-token";
/// Longest answer to a webhook that is read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(30);

/// What a fault signs with.
const WRONG_TOKEN: &str = "not the token of the account";

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str, method: Method) -> Target {
        Target { url: url.to_owned(), method }
    }

    #[test]
    fn fragment_and_credentials_are_not_part_of_the_url() {
        assert_eq!(bare_url("https://u:p@example.com:8443/a?b=c@d#rc=2"), "https://example.com:8443/a?b=c@d");
        assert_eq!(bare_url("http://example.com"), "http://example.com");
        assert_eq!(bare_url("http://example.com?x=1"), "http://example.com?x=1");
    }

    #[test]
    fn credentials_become_a_header() {
        assert_eq!(
            credentials("http://us%40er:pw@example.com/"),
            Some(format!("Basic {}", STANDARD.encode("us@er:pw")))
        );
        assert_eq!(credentials("http://example.com/"), None);
    }

    #[test]
    fn a_post_is_signed_over_its_parameters_and_a_get_over_its_query() {
        let params = vec![("Body", "Grüezi 👋".to_owned()), ("A", String::new())];
        let post = Prepared::new(&target("http://example.com/x?y=1", Method::Post), &params, "token");
        let pairs = vec![("Body".to_owned(), "Grüezi 👋".to_owned()), ("A".to_owned(), String::new())];
        assert_eq!(post.signature, sign(Algorithm::HmacSha1, b"token", "http://example.com/x?y=1", &pairs));
        assert_eq!(post.body, "Body=Gr%C3%BCezi+%F0%9F%91%8B&A=");
        let get = Prepared::new(&target("http://example.com/x?y=1", Method::Get), &params, "token");
        assert_eq!(get.url, "http://example.com/x?y=1&Body=Gr%C3%BCezi+%F0%9F%91%8B&A=");
        assert_eq!(get.signature, sign(Algorithm::HmacSha1, b"token", &get.url, &[]));
    }
}
