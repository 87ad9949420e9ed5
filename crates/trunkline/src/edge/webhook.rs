//! `POST /webhooks/twilio`: verify, read, commit, and only then say 200.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use jiff::Timestamp;
use serde_json::json;
use tracing::Instrument as _;
use trunkline_bus::{Bus, Published, Subject};
use trunkline_core::Envelope;
use trunkline_core::messaging::{ConversationalBackend, ErrorCode, MessagingError, WebhookEvent};
use trunkline_proto::webhook::{ConversationsWebhook, IDEMPOTENCY_HEADER};
use trunkline_twilio::TwilioMessaging;

use super::codes;
use super::from_twilio::{Fact, fact};
use super::health::Readiness;
use super::intake::{Refusal, read};
use crate::config::TwilioSettings;
use crate::handlers::event::Happened;
use crate::handlers::{Dispatcher, Replied};
use crate::telemetry::{Metrics, names, traceparent};

/// What the webhook routes work with.
pub struct WebhookEdge {
    /// Verifies signatures, and hands messages to whoever listens in this process.
    pub backend: Arc<dyn ConversationalBackend>,
    /// Verifies signatures while the backend has not reached its provider yet.
    pub verifier: Arc<TwilioMessaging>,
    /// Where facts become safe.
    pub bus: Arc<dyn Bus>,
    /// Their subject.
    pub ingress: Subject,
    /// The account and its public URL.
    pub settings: TwilioSettings,
    /// Told when the bus cannot write.
    pub readiness: Readiness,
    /// Instruments.
    pub metrics: Metrics,
    /// Handlers of the program.
    pub handlers: Dispatcher,
    /// Keeps a stranger who sends forged webhooks from filling the log.
    pub warnings: Warnings,
}

/// At most [`Warnings::PER_SECOND`] lines a second about webhooks that are turned away; all are counted.
pub struct Warnings(DefaultDirectRateLimiter);

impl Warnings {
    /// Lines a second.
    pub const PER_SECOND: NonZeroU32 = NonZeroU32::new(5).unwrap();
}

impl Warnings {
    /// Whether one more line may be written in this second.
    pub(super) fn may_speak(&self) -> bool {
        self.0.check().is_ok()
    }
}

impl Default for Warnings {
    fn default() -> Self {
        Self(RateLimiter::direct(Quota::per_second(Self::PER_SECOND)))
    }
}

/// Where it can be asked whether what is sent to the public address comes here; nobody needs a signature for that.
pub const CHECK_PATH: &str = "/webhooks/twilio/check";

/// The routes of Conversations webhooks.
pub fn webhook_routes(edge: Arc<WebhookEdge>) -> Router {
    Router::new()
        .route("/webhooks/twilio", any(conversations))
        .route(CHECK_PATH, get(|| async { Json(json!({ "gateway": "trunkline" })) }))
        .route("/webhooks/twilio/conversations/events", any(conversations))
        .with_state(edge)
}

async fn conversations(State(edge): State<Arc<WebhookEdge>>, request: Request) -> Response {
    let begun = Instant::now();
    edge.metrics.webhook_received("conversations");
    let span = tracing::info_span!(
        "webhook",
        otel.name = names::WEBHOOK_SPAN,
        otel.kind = "server",
        webhook.type = "conversations",
        webhook.source = "conversations-api",
        webhook.event_type = tracing::field::Empty,
    );
    let outcome = handle(&edge, request).instrument(span).await;
    match outcome {
        Ok(done) => {
            edge.metrics.webhook_processed(done.event_type, begun.elapsed(), done.unknown_parameters);
            match done.replied {
                // An empty answer lets a pre-event pass unchanged.
                Replied::Allow => StatusCode::OK.into_response(),
                Replied::Reject(status) => {
                    StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN).into_response()
                }
                Replied::Change(fields) => Json(fields).into_response(),
            }
        }
        Err(refusal) => {
            edge.metrics.webhook_error(refusal.code, begun.elapsed());
            refusal.into_response()
        }
    }
}

struct Done {
    event_type: &'static str,
    unknown_parameters: usize,
    replied: Replied,
}

async fn handle(edge: &WebhookEdge, request: Request) -> Result<Done, Refusal> {
    let now = Timestamp::now();
    let event = read(&edge.settings.edge.public_base, request, now).await?;
    let verified = match edge.backend.handle_webhook(&event).await {
        // What is made safe now is answered when the provider can be reached.
        Err(error) if error.code() == ErrorCode::NotRunning => edge.verifier.read_webhook(&event).map(drop),
        verified => verified,
    };
    verified.map_err(|error| refused(edge, &event, &error))?;
    let webhook = ConversationsWebhook::parse(&event.params)
        .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.code(), error.to_string()))?;
    check_account(edge, webhook.common.account_sid.as_str())?;
    let event_type = label(webhook.event.event_type().as_str());
    tracing::Span::current().record("webhook.event_type", event_type);
    let token = event.header(IDEMPOTENCY_HEADER);
    let mut done = Done { event_type, unknown_parameters: webhook.unknown.len(), replied: Replied::Allow };
    if webhook.event.event_type().is_pre_event() {
        done.replied = edge.handlers.ask(&webhook.event).await;
        return Ok(done);
    }
    let fact = fact(&webhook, token, &edge.settings.people(), now)
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.code(), error.to_string()))?;
    let is_news = match fact {
        Fact::Publish(envelope) => publish(edge, *envelope).await? == Published::New,
        Fact::Nothing => true,
    };
    if is_news {
        edge.handlers.tell(&Happened::Conversations(Box::new(webhook.event)));
    }
    Ok(done)
}

/// A webhook of another account is turned away, whoever has signed it.
pub(super) fn check_account(edge: &WebhookEdge, account_sid: &str) -> Result<(), Refusal> {
    if account_sid == edge.settings.account_sid {
        return Ok(());
    }
    let reason = "AccountSid is not the account that this gateway serves";
    Err(Refusal::new(StatusCode::FORBIDDEN, codes::OTHER_ACCOUNT, reason))
}

/// Makes a fact safe.
pub(super) async fn publish(edge: &WebhookEdge, envelope: Envelope) -> Result<Published, Refusal> {
    if edge.readiness.is_data_lost() {
        let reason = "the data folder was changed; nothing was kept";
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, codes::DATA_LOST, reason));
    }
    let envelope = envelope.with_traceparent(traceparent());
    match edge.bus.publish(&edge.ingress, &envelope).await {
        Ok(published) => Ok(published),
        Err(error) => {
            edge.readiness.bus_failed(&error.to_string());
            let reason = "the event could not be made safe; nothing was kept";
            Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.code(), reason))
        }
    }
}

pub(super) fn refused(edge: &WebhookEdge, event: &WebhookEvent, error: &MessagingError) -> Refusal {
    let code = error.provider_code().unwrap_or_else(|| error.code().as_str());
    match error.code() {
        ErrorCode::InvalidSignature => {
            // Without the query: it may carry what a person wrote.
            let tried = event.url.split('?').next().unwrap_or_default();
            if edge.warnings.may_speak() {
                tracing::warn!(error.code = error.code().as_str(), url = tried, "a webhook is not signed for this URL");
            }
            Refusal::new(StatusCode::FORBIDDEN, error.code().as_str(), "the signature does not fit")
        }
        ErrorCode::InvalidWebhook => {
            // The cause names the parameter, and never its value.
            let reason = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
            Refusal::new(StatusCode::BAD_REQUEST, code, reason)
        }
        _ => {
            tracing::warn!(error.code = code, %error, "a webhook could not be dealt with");
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, code, "the gateway is not taking webhooks now")
        }
    }
}

/// The event types that metrics tell apart; a stranger cannot make up more.
fn label(event_type: &str) -> &'static str {
    const KNOWN: &[&str] = &[
        "onConversationAdd",
        "onConversationAdded",
        "onConversationRemove",
        "onConversationRemoved",
        "onConversationUpdate",
        "onConversationUpdated",
        "onConversationStateUpdated",
        "onMessageAdd",
        "onMessageAdded",
        "onMessageRemove",
        "onMessageRemoved",
        "onMessageUpdate",
        "onMessageUpdated",
        "onParticipantAdd",
        "onParticipantAdded",
        "onParticipantRemove",
        "onParticipantRemoved",
        "onParticipantUpdate",
        "onParticipantUpdated",
        "onDeliveryUpdated",
        "onUserAdded",
        "onUserUpdate",
        "onUserUpdated",
    ];
    KNOWN.iter().find(|known| **known == event_type).copied().unwrap_or("other")
}
