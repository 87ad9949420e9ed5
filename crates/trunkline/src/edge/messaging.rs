//! `POST /webhooks/twilio/messaging` and `/messaging/status`: Programmable Messaging, the way in for numbers without
//! Conversations. As with those, a webhook is answered when its fact is safe on the bus.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use jiff::Timestamp;
use tracing::Instrument as _;
use trunkline_bus::Published;
use trunkline_proto::messaging::{InboundMessage, MessageStatusUpdate};
use trunkline_proto::webhook::{IDEMPOTENCY_HEADER, WebhookError};

use super::from_messaging::{MESSAGES_PATH, STATUS_PATH, received, told};
use super::intake::{Refusal, read};
use super::webhook::{WebhookEdge, check_account, publish, refused};
use crate::handlers::event::Happened;
use crate::telemetry::names;

/// A document that says nothing: the answer comes later, by REST.
const EMPTY_DOCUMENT: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#;

/// The event types that metrics tell apart.
const RECEIVED: &str = "message.received";
const NOT_OURS: &str = "message.not_ours";
const STATUS: &str = "message.status";

/// The routes of Programmable Messaging.
pub fn messaging_routes(edge: Arc<WebhookEdge>) -> Router {
    Router::new().route(MESSAGES_PATH, any(message)).route(STATUS_PATH, any(status)).with_state(edge)
}

async fn message(State(edge): State<Arc<WebhookEdge>>, request: Request) -> Response {
    let taken = handled(&edge, request, take_message).await;
    taken.map_or_else(IntoResponse::into_response, |()| {
        ([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], EMPTY_DOCUMENT).into_response()
    })
}

async fn status(State(edge): State<Arc<WebhookEdge>>, request: Request) -> Response {
    handled(&edge, request, take_status)
        .await
        .map_or_else(IntoResponse::into_response, |()| StatusCode::OK.into_response())
}

/// Deals with a webhook in its span and with its metrics. `work` names what it was.
async fn handled<F>(edge: &WebhookEdge, request: Request, work: F) -> Result<(), Refusal>
where
    F: AsyncFnOnce(&WebhookEdge, Request) -> Result<&'static str, Refusal>,
{
    let begun = Instant::now();
    edge.metrics.webhook_received("messaging");
    let span = tracing::info_span!(
        "webhook",
        otel.name = names::WEBHOOK_SPAN,
        otel.kind = "server",
        webhook.type = "messaging",
        webhook.source = "messaging-api",
        webhook.event_type = tracing::field::Empty,
    );
    match work(edge, request).instrument(span.clone()).await {
        Ok(event_type) => {
            span.record("webhook.event_type", event_type);
            edge.metrics.webhook_processed(event_type, begun.elapsed(), 0);
            Ok(())
        }
        Err(refusal) => {
            edge.metrics.webhook_error(refusal.code, begun.elapsed());
            Err(refusal)
        }
    }
}

async fn take_message(edge: &WebhookEdge, request: Request) -> Result<&'static str, Refusal> {
    let now = Timestamp::now();
    let event = read(&edge.settings.edge.public_base, request, now).await?;
    let params = edge.verifier.verify_webhook(&event).map_err(|error| refused(edge, &event, &error))?;
    let message = InboundMessage::parse(&params).map_err(|error| incomplete(&error))?;
    check_account(edge, message.account_sid.as_str())?;
    let messaging = &edge.settings.messaging;
    if !messaging.takes(&message.to)
        && !message.messaging_service_sid.as_deref().is_some_and(|pool| messaging.takes(pool))
    {
        if edge.warnings.may_speak() {
            tracing::warn!(
                "a message came for an address that TRUNKLINE_MESSAGING_NUMBERS does not name; it is not answered"
            );
        }
        return Ok(NOT_OURS);
    }
    if messaging.owns(&message.from) {
        return Ok(NOT_OURS);
    }
    let fact = received(&message, &edge.settings.people(), now).map_err(|error| unwritable(&error))?;
    let Some(envelope) = fact else { return Ok(NOT_OURS) };
    if publish(edge, envelope).await? == Published::New {
        edge.handlers.tell(&Happened::Message(Box::new(message)));
    }
    Ok(RECEIVED)
}

async fn take_status(edge: &WebhookEdge, request: Request) -> Result<&'static str, Refusal> {
    let now = Timestamp::now();
    let event = read(&edge.settings.edge.public_base, request, now).await?;
    let params = edge.verifier.verify_webhook(&event).map_err(|error| refused(edge, &event, &error))?;
    let update = MessageStatusUpdate::parse(&params).map_err(|error| incomplete(&error))?;
    check_account(edge, update.account_sid.as_str())?;
    let fact = told(&update, &event.url, event.header(IDEMPOTENCY_HEADER), now).map_err(|error| unwritable(&error))?;
    let is_news = match fact {
        Some(envelope) => publish(edge, envelope).await? == Published::New,
        None => true,
    };
    if is_news {
        edge.handlers.tell(&Happened::MessageStatus(Box::new(update)));
    }
    Ok(STATUS)
}

fn incomplete(error: &WebhookError) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, error.code(), error.to_string())
}

fn unwritable(error: &trunkline_core::EnvelopeError) -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.code(), error.to_string())
}
