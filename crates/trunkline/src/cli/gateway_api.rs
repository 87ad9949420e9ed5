//! A running gateway, over its own API.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use trunkline::config::{Reader, TOKEN_FILE};
use trunkline_core::Secret;
use url::Url;

use super::run::{reader, setting};
use super::{ServeArgs, misconfigured};

/// How long one request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a file may take.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(3);

/// Which gateway, and how to get in.
#[derive(Args, Clone, Default)]
pub(super) struct GatewayArgs {
    /// Base URL of the gateway [default: the address in the settings]
    #[arg(long, value_name = "URL")]
    gateway: Option<String>,
    /// Folder of the gateway's data, which holds its token [default: .trunkline]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Configuration file [default: trunkline.toml if it is there]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

/// A client of one gateway.
pub(super) struct GatewayApi {
    http: reqwest::Client,
    base: Url,
    token: Secret,
}

impl GatewayApi {
    /// Finds the gateway and its token in flags and settings.
    pub(super) fn open(args: &GatewayArgs) -> Result<Self, ExitCode> {
        let serve = ServeArgs { data_dir: args.data_dir.clone(), config: args.config.clone(), ..ServeArgs::default() };
        let reader = reader(&serve).map_err(|error| misconfigured(&error))?;
        let text = |key| setting(key).map_or("", |setting| reader.text_or_default(setting));
        let base = args.gateway.clone().unwrap_or_else(|| format!("http://{}", text("gateway.listen")));
        let base = Url::parse(&base).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let base = base.ok_or_else(|| super::failed("--gateway: must be a URL, http://… or https://…"))?;
        let token = token(&reader, Path::new(text("gateway.data_dir"))).map_err(|reason| super::failed(&reason))?;
        // The token goes to the gateway and to nobody in between.
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(REQUEST_TIMEOUT)
            .build()
            .map_err(|error| super::failed(&format!("no HTTP client: {error}")))?;
        Ok(Self { http, base, token })
    }

    /// What is at this place.
    pub(super) async fn get(&self, place: &[&str], query: &[(&str, &str)]) -> Result<Value, String> {
        let mut url = self.url(place)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.ask(self.http.request(Method::GET, url)).await
    }

    /// Has something done.
    pub(super) async fn post(&self, place: &[&str], body: &Value) -> Result<Value, String> {
        self.ask(self.http.request(Method::POST, self.url(place)?).json(body)).await
    }

    /// Sends a file.
    pub(super) async fn upload(
        &self,
        place: &[&str],
        query: &[(&str, &str)],
        content_type: &str,
        content: Vec<u8>,
    ) -> Result<Value, String> {
        let mut url = self.url(place)?;
        url.query_pairs_mut().extend_pairs(query);
        let request = self.http.request(Method::POST, url).timeout(UPLOAD_TIMEOUT);
        self.ask(request.header(reqwest::header::CONTENT_TYPE, content_type).body(content)).await
    }

    /// Has something taken away.
    pub(super) async fn delete(&self, place: &[&str], query: &[(&str, &str)]) -> Result<Value, String> {
        let mut url = self.url(place)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.ask(self.http.request(Method::DELETE, url)).await
    }

    fn url(&self, place: &[&str]) -> Result<Url, String> {
        let mut url = self.base.clone();
        let mut path = url.path_segments_mut().map_err(|()| "--gateway: has no path".to_owned())?;
        path.pop_if_empty().extend(["api", "v1"]).extend(place);
        drop(path);
        Ok(url)
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Result<Value, String> {
        let base = &self.base;
        let response = request.bearer_auth(self.token.expose()).send().await.map_err(|_| {
            format!(
                "no gateway answers at {base}; start `trunkline up` or `trunkline serve`, or name one with --gateway"
            )
        })?;
        let status = response.status();
        let body: Value = response.json().await.unwrap_or_default();
        if status.is_success() {
            return Ok(body);
        }
        if status == StatusCode::UNAUTHORIZED {
            return Err(format!(
                "the gateway at {base} does not take the token; name its data folder with --data-dir, or set \
                 TRUNKLINE_CONSOLE_TOKEN"
            ));
        }
        let said = |key| body.get(key).and_then(Value::as_str);
        match (said("message"), said("code")) {
            (Some(message), Some(code)) => Err(format!("{message} ({code})")),
            _ => Err(format!("{base} does not answer like a gateway: status {}", status.as_u16())),
        }
    }
}

/// The console's token: the configured one, or the one in the data folder.
fn token(reader: &Reader, data_dir: &Path) -> Result<Secret, String> {
    let configured = setting("gateway.console_token").map_or("", |setting| reader.text_or_default(setting));
    if !configured.is_empty() {
        return Ok(Secret::new(configured));
    }
    let path = data_dir.join(TOKEN_FILE);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        format!(
            "the gateway's token cannot be read from {}: {error}; name the data folder with --data-dir, or set \
             TRUNKLINE_CONSOLE_TOKEN",
            path.display()
        )
    })?;
    Ok(Secret::new(text.trim()))
}
