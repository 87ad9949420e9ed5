//! What a handler reads of a request: where it came in, what it asks, and its form.

use std::collections::HashMap;

use axum::body::{Bytes, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{CONTENT_LENGTH, HOST};
use http::request::Parts;
use serde_json::Value;
use trunkline_proto::sid::ServiceSid;
use url::form_urlencoded;

use super::{MAX_FORM_BYTES, Problem};
use crate::error::{self, ApiError};
use crate::server::App;
use crate::state::events::Origin;
use crate::state::{ReadHorizon, State as Emulated};

/// The path of a request as it came in.
#[derive(Debug, Clone)]
pub(super) struct FullPath(pub(super) String);

/// Everything of a request but its body.
pub(super) struct Call {
    /// `http://host`, as the caller named it.
    host: String,
    /// The path that was asked for.
    pub(super) uri_path: String,
    pub(super) origin: Origin,
    pub(super) query: Form,
    /// The service that is meant: the one of the path, else the default one.
    pub(super) service: ServiceSid,
    params: HashMap<String, String>,
}

impl Call {
    /// A part of the path. Empty if the route has none of this name.
    pub(super) fn path(&self, name: &str) -> &str {
        self.params.get(name).map(String::as_str).unwrap_or_default()
    }

    pub(super) fn owned(&self, name: &str) -> String {
        self.path(name).to_owned()
    }

    /// The absolute URL of the collection that the resource was asked for in: the account's or the service's.
    pub(super) fn base(&self) -> String {
        match self.params.get("service") {
            Some(service) => format!("{}/v1/Services/{service}", self.host),
            None => self.account_base(),
        }
    }

    /// A resource as it is shown where it was asked for: in a service it names its service.
    pub(super) fn shown(&self, mut resource: Value) -> Value {
        if let (Some(service), Value::Object(fields)) = (self.params.get("service"), &mut resource) {
            fields.insert("chat_service_sid".to_owned(), Value::String(service.clone()));
        }
        resource
    }

    pub(super) fn account_base(&self) -> String {
        format!("{}/v1", self.host)
    }

    pub(super) fn service_base(&self, service: &str) -> String {
        format!("{}/v1/Services/{service}", self.host)
    }

    /// The absolute URL of the request's own path, without its query.
    pub(super) fn own_url(&self) -> String {
        format!("{}{}", self.host, self.uri_path)
    }
}

/// What the names in a path stand for: `conversation` and `user` are SIDs here, of things that are in the service.
#[derive(Debug, Clone)]
struct Resolved {
    service: ServiceSid,
    params: HashMap<String, String>,
}

/// Conversations, users and services are named once, here: before anything reads a request of Conversations.
pub(super) async fn resolve_names(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let found = match path_params(&mut parts, &app).await {
        Ok(params) => resolve(&app, params).await,
        Err(problem) => Err(problem),
    };
    match found {
        Ok(resolved) => {
            parts.extensions.insert(resolved);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => {
            // A request that was not read whole costs its client the connection.
            drop(to_bytes(body, MAX_FORM_BYTES).await);
            Problem(problem).into_response()
        }
    }
}

async fn path_params<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<HashMap<String, String>, ApiError> {
    match Path::<HashMap<String, String>>::from_request_parts(parts, state).await {
        Ok(Path(params)) => Ok(params),
        Err(PathRejection::MissingPathParams(_)) => Ok(HashMap::new()),
        Err(_) => Err(ApiError::parameter("path")),
    }
}

impl FromRequestParts<App> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &App) -> Result<Self, Problem> {
        let Resolved { service, params } = match parts.extensions.get::<Resolved>() {
            Some(resolved) => resolved.clone(),
            None => Resolved { service: state.account.chat_service_sid, params: path_params(parts, state).await? },
        };
        let host = parts.headers.get(HOST).and_then(|value| value.to_str().ok());
        let host = host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str)).unwrap_or("localhost");
        let flag = parts.headers.get(WEBHOOK_ENABLED).and_then(|value| value.to_str().ok());
        // Inside a nested router the prefix is cut off.
        let full_path = parts.extensions.get::<FullPath>();
        let uri_path = full_path.map_or_else(|| parts.uri.path().to_owned(), |FullPath(path)| path.clone());
        Ok(Self {
            host: format!("http://{host}"),
            uri_path,
            service,
            origin: Origin::Rest { webhooks: flag.is_some_and(|flag| flag.eq_ignore_ascii_case("true")) },
            query: Form::parse(parts.uri.query().unwrap_or_default().as_bytes())?,
            params,
        })
    }
}

/// Finds the service, the conversation and the user that a path names.
async fn resolve(app: &App, mut params: HashMap<String, String>) -> Result<Resolved, ApiError> {
    let named = |name: &str| params.get(name).cloned();
    let (service, conversation, user) = (named("service"), named("conversation"), named("user"));
    let found = app.owner.call(move |state| {
        let service = state.named_service(service.as_deref())?;
        let sid = |name: Option<String>, kind: &str, find: fn(&Emulated, ServiceSid, &str) -> Option<String>| {
            let missing = |name: &str| ApiError::not_found(&format!("/{kind}/{name}"));
            name.map(|name| find(state, service, &name).ok_or_else(|| missing(&name))).transpose()
        };
        let user = sid(user, "Users", Emulated::user_in)?;
        Ok::<_, ApiError>((service, sid(conversation, "Conversations", Emulated::conversation_in)?, user))
    });
    let (service, conversation, user) = found.await??;
    for (name, sid) in [("conversation", conversation), ("user", user)] {
        if let Some(sid) = sid {
            params.insert(name.to_owned(), sid);
        }
    }
    Ok(Resolved { service, params })
}

/// Parameters of a query or a form, in their order.
#[derive(Debug, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let pairs: Vec<_> = form_urlencoded::parse(bytes).take(MAX_PARAMETERS.saturating_add(1)).collect();
        if pairs.len() > MAX_PARAMETERS {
            return Err(Problem(ApiError::parameter("too many")));
        }
        Ok(Self(pairs.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()))
    }

    /// The first value of a parameter.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// All values of a repeated parameter; `None` if it is not there at all.
    pub(super) fn all(&self, name: &str) -> Option<Vec<String>> {
        let values: Vec<_> = self.pairs().filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).collect();
        (!values.is_empty()).then_some(values)
    }

    pub(super) fn number<N: std::str::FromStr>(&self, name: &'static str) -> Result<Option<N>, ApiError> {
        self.text(name).map(|text| text.parse().map_err(|_| ApiError::parameter(name))).transpose()
    }

    pub(super) fn boolean(&self, name: &'static str) -> Result<Option<bool>, ApiError> {
        self.text(name).map(|text| text.to_ascii_lowercase().parse().map_err(|_| ApiError::parameter(name))).transpose()
    }

    pub(super) fn date(&self, name: &'static str) -> Result<Option<jiff::Timestamp>, ApiError> {
        self.text(name).map(|text| crate::state::limits::timestamp(text, name)).transpose()
    }

    /// `LastReadMessageIndex`; an empty one, or `null`, takes the read horizon away.
    pub(super) fn read_horizon(&self) -> Result<Option<ReadHorizon>, ApiError> {
        match self.text("LastReadMessageIndex") {
            Some("" | "null") => Ok(Some(ReadHorizon::Unset)),
            _ => Ok(self.number("LastReadMessageIndex")?.map(ReadHorizon::At)),
        }
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let announced = request.headers().get(CONTENT_LENGTH).is_some();
        let body = Bytes::from_request(request, state).await;
        // A body that breaks off is cut short by its sender; one that is refused was too long.
        let body = body.map_err(|_| Problem(if announced { error::TOO_LARGE } else { ApiError::parameter("body") }))?;
        Self::parse(&body)
    }
}

const WEBHOOK_ENABLED: &str = "x-twilio-webhook-enabled";
/// Parameters of one request.
const MAX_PARAMETERS: usize = 1000;
