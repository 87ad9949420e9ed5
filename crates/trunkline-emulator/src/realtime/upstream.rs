//! HTTP requests inside a socket: routed by their path, whatever host they name.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use trunkline_proto::conversations::configuration;
use trunkline_proto::twilsock::server::Answer;
use trunkline_proto::twilsock::{HttpRequest, Params};
use url::form_urlencoded;

use super::{client_requests, render, sync_requests};
use crate::error::{self, ApiError};
use crate::percent;
use crate::server::App;
use crate::state::sync::SocketId;

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) socket: SocketId,
    /// Position of the user.
    pub(super) user: u64,
    pub(super) identity: String,
    /// `http://host`, as the client named it.
    pub(super) base: Arc<str>,
}

/// A request, decoded.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) path: Vec<String>,
    params: Vec<(String, String)>,
    pub(super) body: &'a [u8],
}

/// Status and body of an answer; `Null` is no body.
pub(super) type Reply = Result<(u16, Value), ApiError>;

impl<'a> Request<'a> {
    fn decode(request: &'a HttpRequest, body: &'a [u8]) -> Result<Self, ApiError> {
        let decoded = |text: &str| percent::decode(text).ok_or_else(|| ApiError::parameter("path or query"));
        let path = request.path.split('/').filter(|part| !part.is_empty()).map(decoded).collect::<Result<_, _>>()?;
        let mut params = Vec::new();
        for (name, values) in &request.params {
            let values = match values {
                Params::One(value) => std::slice::from_ref(value),
                Params::Many(values) => values,
            };
            for value in values {
                if params.len() >= MAX_PARAMETERS {
                    return Err(ApiError::parameter("too many"));
                }
                params.push((decoded(name)?, decoded(value)?));
            }
        }
        Ok(Self { method: &request.method, path, params, body })
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The page size: 1 to 100, 50 unless it is given.
    pub(super) fn page_size(&self) -> Result<usize, ApiError> {
        let size = self.parameter("PageSize").map_or(Ok(DEFAULT_PAGE), str::parse);
        match size {
            Ok(size @ 1..=MAX_PAGE) => Ok(size),
            Ok(0) | Err(_) => Err(ApiError::parameter("PageSize")),
            Ok(_) => Err(error::PAGE_SIZE),
        }
    }

    /// The JSON body; an empty one is an empty object.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let body = if self.body.is_empty() { b"{}" } else { self.body };
        serde_json::from_slice(body).map_err(|_| ApiError::parameter("body"))
    }

    /// A field of a form.
    pub(super) fn form(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.body).take(MAX_PARAMETERS);
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    fn missing(&self) -> ApiError {
        ApiError::not_found(&format!("/{}", self.path.join("/")))
    }
}

/// Carries out one request, as the faults want it. Nothing if the socket is to end without an answer.
pub(super) async fn answer(app: &App, client: &Client, request: &HttpRequest, body: &[u8]) -> Option<Answer> {
    let plan = app.faults.upstream(&request.method, &request.path);
    if plan.drop_before {
        return None;
    }
    crate::faults::pause(plan.delay).await;
    let reply = match (plan.status.filter(|status| !status.after), Request::decode(request, body)) {
        (Some(status), _) => Err(status.problem()),
        (None, Ok(request)) => route(app, client, &request).await,
        (None, Err(problem)) => Err(problem),
    };
    let reply = plan.status.map_or(reply, |status| Err(status.problem()));
    (!plan.drop_after).then(|| written(reply))
}

fn written(reply: Reply) -> Answer {
    match reply {
        Ok((status, Value::Null)) => Answer { status, body: Vec::new() },
        Ok((status, body)) => Answer { status, body: body.to_string().into_bytes() },
        Err(problem) => {
            let body = serde_json::to_vec(&problem.body()).unwrap_or_default();
            Answer { status: problem.status, body }
        }
    }
}

async fn route(app: &App, client: &Client, request: &Request<'_>) -> Reply {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let service = app.account.chat_service_sid;
    match (request.method, path.as_slice()) {
        ("GET", ["Client", "v2", "Configuration"]) => {
            debug_assert_eq!(configuration::PATH, "/Client/v2/Configuration");
            let user = client.user;
            let names = app.owner.call(move |state| render::UserNames::of(state, user)).await?;
            Ok((200, render::configuration(app, client, &names)))
        }
        ("GET", ["Client", "v2", "ContentTemplates"]) => Ok((200, render::no_templates())),
        ("POST", ["Client", "v1", "Services", own, "Typing"]) if *own == service.as_str() => {
            client_requests::typing(app, client, request).await
        }
        (_, ["Client", "v2", "Services", own, rest @ ..]) if *own == service.as_str() => {
            match client_requests::route(app, client, request, rest).await {
                Some(reply) => reply,
                None => Err(request.missing()),
            }
        }
        ("POST", ["v4", "Subscriptions"]) => sync_requests::subscribe(app, client, request).await,
        ("GET", ["v3", collection, id]) => sync_requests::open(app, client, request, collection, id).await,
        ("GET", ["v3", collection, id, "Items"]) => sync_requests::items(app, client, request, collection, id).await,
        _ => Err(request.missing()),
    }
}

/// Parameters of one request.
const MAX_PARAMETERS: usize = 100;
const DEFAULT_PAGE: usize = 50;
const MAX_PAGE: usize = 100;
