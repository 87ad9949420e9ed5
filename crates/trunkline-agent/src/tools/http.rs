//! Tools behind a URL, from configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, StatusCode, Url};
use serde_json::{Value, json};
use trunkline_core::{ConfigError, Pii, Secret};

use super::{MAX_RESULT_BYTES, Tool, ToolContext, ToolError, ToolOutput, ToolSpec, is_tool_name};

/// A tool that somebody serves over HTTP.
#[derive(Debug, Clone)]
pub struct HttpToolConfig {
    /// What the model is told of it.
    pub spec: ToolSpec,
    /// Where it is, `http://…` or `https://…`.
    pub url: String,
    /// `GET` and `DELETE` put the arguments into the query, the others send them as JSON. Default `POST`.
    pub method: String,
    /// Headers of each request.
    pub headers: BTreeMap<String, Secret>,
}

/// The header that names a call: the same again is the same wish.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What is read of an answer, in bytes. Some more than a model is told, so that what is cut is said to be.
const MAX_READ: usize = MAX_RESULT_BYTES + 4;

/// A tool that asks a URL. It follows no redirect. 2xx is a result; what the body of any other status says is not told
/// to the model, as it may quote secrets.
pub struct HttpTool {
    spec: ToolSpec,
    url: Url,
    method: Method,
    headers: HeaderMap,
    client: Client,
}

impl HttpTool {
    /// Prepares the client; connects to nothing yet.
    ///
    /// # Errors
    /// Every setting that cannot be used.
    pub fn new(config: HttpToolConfig) -> Result<Self, ConfigError> {
        let mut problems = ConfigError::new();
        if !is_tool_name(&config.spec.name) {
            problems.add("name", "must have 1 to 64 letters, digits, - and _");
        }
        if config.spec.parameters.get("type") != Some(&json!("object")) {
            problems.add("parameters", "must be a JSON Schema with type = \"object\"");
        }
        let url = Url::parse(&config.url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        if url.is_none() {
            problems.add("url", "must be a URL that begins with http:// or https://");
        }
        let method = match config.method.as_str() {
            "GET" => Method::GET,
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            "DELETE" => Method::DELETE,
            _ => {
                problems.add("method", "must be GET, POST, PUT, PATCH or DELETE");
                Method::POST
            }
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &config.headers {
            match (HeaderName::try_from(name), HeaderValue::try_from(value.expose())) {
                (Ok(name), Ok(mut value)) => {
                    value.set_sensitive(true);
                    headers.insert(name, value);
                }
                _ => problems.add(format!("headers.{name}"), "is not a header"),
            }
        }
        let client = Client::builder().connect_timeout(CONNECT_TIMEOUT).redirect(reqwest::redirect::Policy::none());
        let client = client.build().inspect_err(|_| problems.add("url", "no HTTP client can be built here")).ok();
        match (url, client) {
            (Some(url), Some(client)) => problems.or(Self { spec: config.spec, url, method, headers, client }),
            _ => Err(problems),
        }
    }

    fn request(&self, arguments: &Value, context: &ToolContext) -> reqwest::RequestBuilder {
        let request = self.client.request(self.method.clone(), self.url.clone()).headers(self.headers.clone());
        let request = request.header(IDEMPOTENCY_KEY, &context.key).timeout(context.deadline);
        let request = match &context.traceparent {
            Some(traceparent) => request.header("traceparent", traceparent),
            None => request,
        };
        if matches!(self.method, Method::GET | Method::DELETE) {
            let words = arguments.as_object().into_iter().flatten().map(|(name, value)| match value {
                Value::String(text) => (name, text.clone()),
                other => (name, other.to_string()),
            });
            request.query(&words.collect::<Vec<_>>())
        } else {
            request.header(CONTENT_TYPE, "application/json").body(arguments.to_string())
        }
    }
}

#[async_trait]
impl Tool for HttpTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn acts(&self) -> bool {
        self.method != Method::GET
    }

    async fn call(&self, arguments: Value, context: &ToolContext) -> Result<ToolOutput, ToolError> {
        let failure = |error: reqwest::Error| {
            if error.is_timeout() { ToolError::Timeout(context.deadline) } else { ToolError::Unreachable }
        };
        let answer = self.request(&arguments, context).send().await.map_err(failure)?;
        let status = answer.status();
        // What stands before a tool may have lost its answer.
        if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
            return Err(ToolError::Broke(status.as_u16()));
        }
        if !status.is_success() {
            return Err(ToolError::Failed(format!("the tool answered with status {}", status.as_u16())));
        }
        let mut bytes = Vec::new();
        let mut body = answer.bytes_stream();
        while bytes.len() < MAX_READ
            && let Some(piece) = body.next().await
        {
            bytes.extend_from_slice(&piece.map_err(failure)?);
        }
        bytes.truncate(MAX_READ);
        // A letter may have been cut in two.
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(ToolOutput { content: Pii::new(text), effects: Vec::new() })
    }
}
