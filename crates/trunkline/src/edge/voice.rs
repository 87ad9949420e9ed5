//! The webhooks and the sockets of calls.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use jiff::Timestamp;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use trunkline_bus::{Bus, Subject};
use trunkline_core::Envelope;
use trunkline_core::event::CallProgressed;
use trunkline_core::messaging::WebhookEvent;
use trunkline_core::voice::{AnsweredBy, CallStatus, ErrorCode, VoiceBackend, VoiceError, WebhookAnswer};
use trunkline_twilio::voice::{CallEvent, CallEventKind, SocketKind, TwilioVoice, paths};

use super::codes;
use super::health::Readiness;
use super::intake::{Refusal, read, upgrade};
use super::upgrade::Upgrade;
use super::webhook::Warnings;
use crate::calls::{CallOrder, Calls, SOURCE};
use crate::telemetry::{Metrics, names, traceparent};

/// What the routes of calls work with.
pub struct VoiceEdge {
    /// Verifies and reads.
    pub twilio: TwilioVoice,
    /// The same, watched.
    pub backend: Arc<dyn VoiceBackend>,
    /// Leads the calls.
    pub calls: Calls,
    /// Where facts become safe.
    pub bus: Arc<dyn Bus>,
    /// Their subject.
    pub ingress: Subject,
    /// Scheme, host and path prefix under which the provider sees us.
    pub public_base: String,
    /// Whether calls are taken.
    pub readiness: Readiness,
    /// Instruments.
    pub metrics: Metrics,
    /// Keeps a stranger from filling the log.
    pub warnings: Warnings,
    /// The sockets that are being opened.
    pub sockets: TaskTracker,
}

/// The webhooks of calls.
pub fn voice_routes(edge: Arc<VoiceEdge>) -> Router {
    Router::new()
        .route(paths::VOICE, any(voice))
        .route(paths::STATUS, any(status))
        .route(paths::STREAM, any(stream))
        .route(paths::RECORDING, any(recording))
        .route(paths::MACHINE, any(machine))
        .route(paths::TRANSCRIPTION, any(transcription))
        .route(paths::ACTION, any(action))
        .route("/webhooks/twilio/voice/briefing/{token}", any(briefing))
        .with_state(edge)
}

/// The sockets of calls, which last as long as the calls: no time-out may cut them.
pub fn call_sockets(edge: Arc<VoiceEdge>) -> Router {
    Router::new().route("/media/{token}", get(media)).route("/relay/{token}", get(relay)).with_state(edge)
}

/// What a webhook came to.
struct Done {
    event: &'static str,
    answer: Option<WebhookAnswer>,
}

/// Reads a webhook and has it dealt with, in its span and with its metrics.
async fn handled<F>(edge: &Arc<VoiceEdge>, request: Request, work: F) -> Response
where
    F: AsyncFnOnce(&Arc<VoiceEdge>, &WebhookEvent) -> Result<Done, VoiceError>,
{
    let begun = Instant::now();
    edge.metrics.webhook_received("voice");
    let span = tracing::info_span!(
        "webhook",
        otel.name = names::WEBHOOK_SPAN,
        otel.kind = "server",
        webhook.type = "voice",
        webhook.source = "voice-api",
        webhook.event_type = tracing::field::Empty,
    );
    let outcome = async {
        let event = read(&edge.public_base, request, Timestamp::now()).await?;
        work(edge, &event).await.map_err(|error| refused(edge, &event, &error))
    };
    match outcome.instrument(span.clone()).await {
        Ok(done) => {
            span.record("webhook.event_type", done.event);
            edge.metrics.webhook_processed(done.event, begun.elapsed(), 0);
            done.answer.map_or_else(|| StatusCode::OK.into_response(), answered)
        }
        Err(refusal) => {
            edge.metrics.webhook_error(refusal.code, begun.elapsed());
            refusal.into_response()
        }
    }
}

fn answered(answer: WebhookAnswer) -> Response {
    ([(header::CONTENT_TYPE, answer.content_type)], answer.body).into_response()
}

fn refused(edge: &VoiceEdge, event: &WebhookEvent, error: &VoiceError) -> Refusal {
    let code = error.provider_code().unwrap_or_else(|| error.code().as_str());
    match error.code() {
        ErrorCode::InvalidSignature => {
            let tried = event.url.split('?').next().unwrap_or_default();
            if edge.warnings.may_speak() {
                tracing::warn!(error.code = error.code().as_str(), url = tried, "a webhook is not signed for this URL");
            }
            Refusal::new(StatusCode::FORBIDDEN, error.code().as_str(), "the signature does not fit")
        }
        ErrorCode::InvalidWebhook => Refusal::new(StatusCode::BAD_REQUEST, code, error.to_string()),
        ErrorCode::SessionNotFound => Refusal::new(StatusCode::NOT_FOUND, error.code().as_str(), error.to_string()),
        _ => {
            tracing::warn!(error.code = code, %error, "a webhook of a call could not be dealt with");
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, code, "the gateway is not taking calls now")
        }
    }
}

async fn voice(State(edge): State<Arc<VoiceEdge>>, request: Request) -> Response {
    handled(&edge, request, async |edge, event| {
        if edge.readiness.is_stopping() {
            // No new calls: who calls again finds another gateway, or this one when it is back.
            return Ok(Done { event: "call.refused", answer: Some(edge.twilio.overflow_answer(event)) });
        }
        let session = match edge.backend.handle_inbound_call(event).await {
            Ok(session) => session,
            Err(error) if error.code() == ErrorCode::RateLimit => {
                return Ok(Done { event: "call.refused", answer: Some(edge.twilio.overflow_answer(event)) });
            }
            Err(error) => return Err(error),
        };
        let as_text = edge.twilio.is_text(session.id()).unwrap_or_default();
        edge.calls.begin(&session, as_text);
        Ok(Done { event: "call.initiated", answer: session.answer() })
    })
    .await
}

async fn status(State(edge): State<Arc<VoiceEdge>>, request: Request) -> Response {
    handled(&edge, request, async |edge, event| told(edge, edge.twilio.handle_status(event)?).await).await
}

async fn stream(State(edge): State<Arc<VoiceEdge>>, request: Request) -> Response {
    handled(&edge, request, async |edge, event| told(edge, edge.twilio.handle_stream_event(event)?).await).await
}

async fn recording(State(edge): State<Arc<VoiceEdge>>, request: Request) -> Response {
    handled(&edge, request, async |edge, event| told(edge, edge.twilio.handle_recording(event)?).await).await
}

async fn machine(State(edge): State<Arc<VoiceEdge>>, request: Request) -> Response {
    handled(&edge, request, async |edge, event| {
        let heard = edge.twilio.handle_amd(event)?;
        let is_machine = matches!(
            heard.kind,
            CallEventKind::AnsweredBy(AnsweredBy::Machine | AnsweredBy::MachineReady | AnsweredBy::Fax)
        );
        // It is found out while the call is being led.
        if is_machine
            && heard.is_news
            && let Some(live) = heard.session.as_ref().and_then(|session| edge.calls.live().get(session.as_str()))
            && !live.order(CallOrder::Machine)
        {
            tracing::warn!("a call has more orders than it can take, and does not learn that a machine listens");
        }
        told(edge, heard).await
    })
    .await
}

async fn transcription(State(edge): State<Arc<VoiceEdge>>, request: Request) -> Response {
    handled(&edge, request, async |edge, event| match edge.twilio.handle_transcription(event)? {
        Some(heard) => {
            if let CallEventKind::Transcription { text, track } = &heard.kind
                && let Some(live) = heard.session.as_ref().and_then(|session| edge.calls.live().get(session.as_str()))
            {
                live.show_transcript(track.clone(), text.clone());
                edge.calls.changed();
            }
            told(edge, heard).await
        }
        None => Ok(Done { event: "transcription", answer: None }),
    })
    .await
}

async fn action(State(edge): State<Arc<VoiceEdge>>, request: Request) -> Response {
    handled(&edge, request, async |edge, event| {
        let (returned, answer) = edge.twilio.handle_action(event)?;
        let session = returned.session.clone();
        let done = told(edge, returned).await?;
        // A call that is to be connected with us again, after a transfer that nobody answered.
        if let Some(session) = session
            && let Ok(session) = edge.backend.get_session(&session).await
            && answer.body.contains("<Connect")
        {
            let as_text = edge.twilio.is_text(session.id()).unwrap_or_default();
            edge.calls.begin(&session, as_text);
        }
        Ok(Done { answer: Some(answer), ..done })
    })
    .await
}

async fn briefing(State(edge): State<Arc<VoiceEdge>>, Path(token): Path<String>, request: Request) -> Response {
    handled(&edge, request, async |edge, event| {
        Ok(Done { event: "call.briefing", answer: Some(edge.twilio.briefing(&token, event)?) })
    })
    .await
}

/// Publishes what the provider told, if it is news.
async fn told(edge: &VoiceEdge, event: CallEvent) -> Result<Done, VoiceError> {
    let name = event.name;
    if event.is_news {
        let key = format!("{}:{}:{}", event.call, name, event.at.as_millisecond());
        let subject = event.session.as_ref().map_or_else(|| event.call.clone(), ToString::to_string);
        let kind = format!("{name}.v1");
        let envelope = Envelope::new(key, SOURCE, kind, subject, event.at, &progressed(&event));
        let published = match envelope {
            Ok(envelope) => {
                let envelope = envelope.with_traceparent(traceparent());
                edge.bus.publish(&edge.ingress, &envelope).await.map(drop).map_err(|error| error.code())
            }
            Err(error) => Err(error.code()),
        };
        if let Err(code) = published {
            tracing::error!(error.code = code, "a fact of a call could not be published");
        }
    }
    Ok(Done { event: name, answer: None })
}

fn progressed(event: &CallEvent) -> CallProgressed {
    let mut progressed = CallProgressed {
        call: event.session.as_ref().map(ToString::to_string),
        provider_call: event.call.clone(),
        event: event.name.to_owned(),
        status: None,
        duration_s: None,
        about: None,
        text: None,
        person: event.person.as_ref().map(|person| person.expose().clone()),
        direction: event.direction.map(|direction| direction.as_str().to_owned()),
    };
    match &event.kind {
        CallEventKind::Status { status, duration, .. } => {
            progressed.status = Some(CallStatus::as_str(*status).to_owned());
            progressed.duration_s = duration.map(|duration| duration.as_secs());
        }
        CallEventKind::Stream { stream } => progressed.about = Some(stream.clone()),
        CallEventKind::Recording { recording, duration, .. } => {
            progressed.about = Some(recording.clone());
            progressed.duration_s = duration.map(|duration| duration.as_secs());
        }
        CallEventKind::AnsweredBy(who) => {
            let who = match who {
                AnsweredBy::Human => "human",
                AnsweredBy::Machine | AnsweredBy::MachineReady => "machine",
                AnsweredBy::Fax => "fax",
                AnsweredBy::Unknown => "unknown",
            };
            progressed.about = Some(who.to_owned());
        }
        CallEventKind::Transcription { text, .. } => progressed.text = Some(text.expose().clone()),
        _ => {}
    }
    progressed
}

async fn media(
    State(edge): State<Arc<VoiceEdge>>,
    Path(token): Path<String>,
    uri: http::Uri,
    headers: HeaderMap,
    socket: Upgrade,
) -> Response {
    open(&edge, &token, SocketKind::Audio, &uri, &headers, socket)
}

async fn relay(
    State(edge): State<Arc<VoiceEdge>>,
    Path(token): Path<String>,
    uri: http::Uri,
    headers: HeaderMap,
    socket: Upgrade,
) -> Response {
    open(&edge, &token, SocketKind::Text, &uri, &headers, socket)
}

fn open(
    edge: &Arc<VoiceEdge>,
    token: &str,
    kind: SocketKind,
    uri: &http::Uri,
    headers: &HeaderMap,
    socket: Upgrade,
) -> Response {
    let event = upgrade(&edge.public_base, uri, headers, Timestamp::now());
    let admission = match edge.twilio.admit(token, kind, &event) {
        Ok(admission) => admission,
        Err(error) => {
            if edge.warnings.may_speak() {
                tracing::warn!(error.code = error.code().as_str(), "a socket of a call was turned away");
            }
            return Refusal::new(StatusCode::FORBIDDEN, codes::SOCKET_REFUSED, "this socket is not expected")
                .into_response();
        }
    };
    socket.lead(&edge.sockets, move |socket| async move {
        let taken = match kind {
            SocketKind::Audio => admission.audio(socket).await,
            SocketKind::Text => admission.text(socket).await,
        };
        if let Err(error) = taken {
            tracing::warn!(error.code = error.code().as_str(), %error, "a socket of a call was closed");
        }
    })
}
