//! Twilio's REST: Conversations on `/v1/…` and `/v1/Services/{IS}/…`, calls and messages on `/2010-04-01/…` ([`account`]); one file per
//! resource.
//!
//! Handlers read the request, hand one job to the owner and render its answer. They decide nothing about the state.

mod account;
mod addresses;
mod call;
mod configuration;
mod content;
mod conversations;
mod credentials;
mod media;
mod messages;
mod moment;
mod pages;
mod participant_conversations;
mod participants;
mod render;
mod roles;
mod scoped_webhooks;
mod services;
mod users;
mod with_participants;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::Value;
use trunkline_proto::sid::RequestSid;

use self::call::{Call, FullPath};
pub(crate) use self::credentials::binding;
pub(crate) use self::render::media as media_record;
use crate::error::{self, ApiError};
use crate::faults;
use crate::server::App;
use crate::state::events::Origin;
use crate::state::limits::MAX_MEDIA_BYTES;
use crate::state::{Answer, Mutation, Step};
use crate::webhooks;

/// What every handler returns.
type Reply = Result<Response, Problem>;

/// An error on its way out as Twilio writes it.
#[derive(Debug)]
pub(crate) struct Problem(pub(crate) ApiError);

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self.0.body())).into_response()
    }
}

/// Twilio's own paths, behind its credentials and the faults.
pub(crate) fn router(app: &App) -> Router<App> {
    let service = resources()
        .route("/Configuration", get(services::configuration).post(services::configure))
        .route("/Configuration/Webhooks", get(configuration::service_webhooks).post(configuration::configure_service))
        .route("/Bindings", get(credentials::bindings))
        .route("/Bindings/{binding}", get(credentials::binding_fetch).delete(credentials::binding_remove))
        .route("/Configuration/Notifications", get(services::notifications).post(services::configure_notifications))
        .merge(media::router().layer(DefaultBodyLimit::max(MAX_MEDIA_BYTES)));
    let account = resources()
        .route("/Configuration", get(configuration::fetch).post(configuration::update))
        .route("/Configuration/Webhooks", get(configuration::webhooks).post(configuration::configure_webhooks))
        .route("/Configuration/Addresses", get(addresses::list).post(addresses::create))
        .route(
            "/Configuration/Addresses/{address}",
            get(addresses::fetch).post(addresses::update).delete(addresses::remove),
        )
        .route("/Credentials", get(credentials::list).post(credentials::create))
        .route(
            "/Credentials/{credential}",
            get(credentials::fetch).post(credentials::update).delete(credentials::remove),
        )
        .route("/Content", get(content::list).post(content::create))
        .route("/Content/{content}", get(content::fetch).delete(content::remove))
        .route("/Content/{content}/ApprovalRequests", get(content::approval))
        .route("/Services", get(services::list).post(services::create))
        .route("/Services/{service}", get(services::fetch).delete(services::remove))
        .nest("/Services/{service}", service)
        .layer(from_fn_with_state(app.clone(), call::resolve_names))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES));
    Router::new()
        .nest("/v1", account.fallback(missing).method_not_allowed_fallback(wrong_method))
        .merge(account::router(app))
        .layer(from_fn_with_state(app.clone(), authenticate))
        .layer(from_fn(name_request))
        .layer(from_fn_with_state(app.clone(), faults::inject))
}

/// What the account and the service have in common.
fn resources() -> Router<App> {
    let conversation = "/Conversations/{conversation}";
    let participant = format!("{conversation}/Participants/{{participant}}");
    let message = format!("{conversation}/Messages/{{message}}");
    let webhook = format!("{conversation}/Webhooks/{{webhook}}");
    Router::new()
        .route("/Conversations", get(conversations::list).post(conversations::create))
        .route(conversation, get(conversations::fetch).post(conversations::update).delete(conversations::remove))
        .route(&format!("{conversation}/Participants"), get(participants::list).post(participants::create))
        .route(&participant, get(participants::fetch).post(participants::update).delete(participants::remove))
        .route(&format!("{conversation}/Messages"), get(messages::list).post(messages::create))
        .route(&message, get(messages::fetch).post(messages::update).delete(messages::remove))
        .route(&format!("{message}/Receipts"), get(messages::receipts))
        .route(&format!("{message}/Receipts/{{receipt}}"), get(messages::receipt))
        .route(&format!("{message}/ChannelMetadata"), get(messages::channel_metadata))
        .route("/ConversationWithParticipants", post(with_participants::create))
        .route("/ParticipantConversations", get(participant_conversations::list))
        .route("/Users", get(users::list).post(users::create))
        .route("/Users/{user}", get(users::fetch).post(users::update).delete(users::remove))
        .route("/Users/{user}/Conversations", get(users::conversations))
        .route(
            "/Users/{user}/Conversations/{conversation}",
            get(users::conversation).post(users::update_conversation).delete(users::leave),
        )
        .route("/Roles", get(roles::list).post(roles::create))
        .route("/Roles/{role}", get(roles::fetch).post(roles::update).delete(roles::remove))
        .route(&format!("{conversation}/Webhooks"), get(scoped_webhooks::list).post(scoped_webhooks::create))
        .route(&webhook, get(scoped_webhooks::fetch).post(scoped_webhooks::update).delete(scoped_webhooks::remove))
}

impl App {
    /// Makes a change, after asking those who are to be asked.
    pub(crate) async fn mutate(&self, mutation: Mutation, origin: Origin) -> Result<Answer, ApiError> {
        match self.owner.call(move |state| state.begin(mutation, origin)).await?? {
            Step::Done(answer) => Ok(answer),
            Step::Ask(event, mut mutation) => {
                mutation.amend(webhooks::ask(&self.sender, &self.faults, &event).await?);
                self.owner.call(move |state| state.execute(mutation, origin)).await?
            }
        }
    }
}

async fn authenticate(State(app): State<App>, request: Request, next: Next) -> Response {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if header.is_some_and(|header| app.account.accepts(header)) {
        return next.run(request).await;
    }
    let mut response = Problem(error::UNAUTHORIZED).into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Twilio API\""));
    response
}

/// Keeps the path of a request as it came in, and gives every answer its `Twilio-Request-Id`.
async fn name_request(mut request: Request, next: Next) -> Response {
    let path = FullPath(request.uri().path().to_owned());
    request.extensions_mut().insert(path);
    let mut response = next.run(request).await;
    let sid = RequestSid::from_random(rand::random());
    if let Ok(value) = HeaderValue::from_str(sid.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

async fn missing(call: Call) -> Response {
    Problem(ApiError::not_found(&call.uri_path)).into_response()
}

async fn wrong_method() -> Response {
    Problem(error::METHOD_NOT_ALLOWED).into_response()
}

fn ok(body: Value) -> Response {
    Json(body).into_response()
}

fn created(body: Value) -> Response {
    (StatusCode::CREATED, Json(body)).into_response()
}

fn deleted() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// An answer of another kind than its mutation has. It does not happen.
fn unexpected() -> Problem {
    Problem(ApiError::new(500, 20500, "Internal Server Error"))
}

/// Longest form that is read, in bytes.
const MAX_FORM_BYTES: usize = 1024 * 1024;
const REQUEST_ID: HeaderName = HeaderName::from_static("twilio-request-id");
