//! What a gateway serves.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use prometheus::Registry;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use super::twilio::Twilio;
use crate::bus_api::{BusApi, bus_routes, poll_routes};
use crate::console::{ConsoleState, console_routes, event_routes};
use crate::edge::{
    Readiness, VoiceEdge, Warnings, WebhookEdge, call_sockets, health_routes, messaging_routes, voice_routes,
    webhook_routes,
};
use crate::handlers::Dispatcher;
use crate::media::media_routes;
use crate::pipeline::Context;

/// How long a request may take, whatever it waits for.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

pub(super) fn routes(
    console: Arc<ConsoleState>,
    twilio: Option<&Twilio>,
    voice: Option<Arc<VoiceEdge>>,
    context: &Context,
    readiness: &Readiness,
    (registry, handlers): (Registry, Dispatcher),
    rooms: Router,
) -> Router {
    let bus_api = Arc::new(BusApi::new(context.clone(), readiness.clone()));
    let mut timed = health_routes(readiness.clone(), registry);
    if let Some(twilio) = twilio {
        let edge = Arc::new(WebhookEdge {
            backend: Arc::clone(&twilio.observed),
            verifier: Arc::clone(&twilio.backend),
            bus: Arc::clone(&context.bus),
            ingress: context.subjects.ingress.clone(),
            settings: twilio.settings.clone(),
            readiness: readiness.clone(),
            metrics: context.metrics.clone(),
            handlers,
            warnings: Warnings::default(),
        });
        timed = timed.merge(webhook_routes(Arc::clone(&edge))).merge(messaging_routes(edge));
    }
    if let Some(voice) = &voice {
        timed = timed.merge(voice_routes(Arc::clone(voice)));
    }
    timed
        .merge(console_routes(Arc::clone(&console)))
        .merge(rooms)
        .merge(media_routes(context.store.clone(), context.media.clone(), &console.access))
        .merge(bus_routes(Arc::clone(&bus_api), &console.access))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT))
        .merge(poll_routes(bus_api, &console.access))
        .merge(event_routes(console))
        .merge(voice.map(call_sockets).unwrap_or_default())
        .layer(CatchPanicLayer::new())
}
