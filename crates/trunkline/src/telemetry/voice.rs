//! The decorator that gives every operation of a voice backend its span, its counters and its histogram.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use opentelemetry::metrics::{Gauge, Meter};
use tracing::Span;
use tracing::field::Empty;
use trunkline_core::messaging::WebhookEvent;
use trunkline_core::voice::{
    AudioStream, CallControl, ConnectionState, Operation, SessionConfig, SessionId, TextStream, VoiceBackend,
    VoiceError, VoiceSession,
};
use trunkline_core::{Config, HealthStatus};

use super::names::{self, VOICE_OPERATIONS};
use super::operations::Operations;

/// A voice backend that is watched. Everything that the wrapped one does goes through here.
pub struct ObservedVoice {
    inner: Arc<dyn VoiceBackend>,
    account: String,
    operations: Operations<Operation>,
    sessions: Gauge<u64>,
    active_sessions: Gauge<u64>,
    streams: Gauge<u64>,
    connection: Gauge<i64>,
    open_streams: Box<dyn Fn() -> usize + Send + Sync>,
}

impl ObservedVoice {
    /// Wraps `inner`, recording with `meter`. `account` becomes the attribute `twilio.account_sid`; `open_streams` says
    /// how many streams are open now.
    pub fn new(
        inner: Arc<dyn VoiceBackend>,
        account: impl Into<String>,
        meter: &Meter,
        open_streams: impl Fn() -> usize + Send + Sync + 'static,
    ) -> Self {
        let whole = [names::VOICE_OPERATIONS_TOTAL, names::VOICE_DURATION, names::VOICE_ERRORS];
        Self {
            account: account.into(),
            operations: Operations::new(meter, VOICE_OPERATIONS, whole),
            sessions: meter.u64_gauge(names::SESSION_ACTIVE).build(),
            active_sessions: meter.u64_gauge(names::BACKEND_ACTIVE_SESSIONS).build(),
            streams: meter.u64_gauge(names::STREAM_ACTIVE).build(),
            connection: meter.i64_gauge(names::CONNECTION_STATE).build(),
            open_streams: Box::new(open_streams),
            inner,
        }
    }

    /// Sets the gauges to what is now. Operations do so too; between them somebody has to.
    pub fn record_gauges(&self) {
        if !self.inner.config().enable_metrics() {
            return;
        }
        let sessions = self.inner.active_session_count() as u64;
        self.sessions.record(sessions, &[]);
        self.active_sessions.record(sessions, &[]);
        self.streams.record((self.open_streams)() as u64, &[]);
        let state = match self.inner.connection_state() {
            ConnectionState::Connected => 1,
            ConnectionState::Disconnected => 0,
            ConnectionState::Error => -1,
        };
        self.connection.record(state, &[]);
    }

    fn span(&self, operation: Operation) -> Span {
        let Some(name) = self.operations.span(operation) else { return Span::none() };
        if !self.inner.config().enable_tracing() {
            return Span::none();
        }
        tracing::info_span!(
            "voice",
            otel.name = name,
            otel.kind = "client",
            otel.status_code = Empty,
            provider = "twilio",
            twilio.account_sid = self.account.as_str(),
            twilio.operation = operation.as_str(),
            twilio.call_sid = Empty,
            twilio.session_id = Empty,
            call.to = Empty,
            call.from = Empty,
            call.direction = Empty,
            error.code = Empty,
        )
    }

    /// A span about a session, with its call if that is known.
    async fn about(&self, operation: Operation, id: &SessionId) -> Span {
        let span = self.span(operation);
        span.record("twilio.session_id", id.as_str());
        if let Ok(session) = self.inner.get_session(id).await {
            record(&span, &session);
        }
        span
    }

    async fn observe<T>(
        &self,
        operation: Operation,
        span: Span,
        work: impl Future<Output = Result<T, VoiceError>> + Send,
    ) -> Result<T, VoiceError> {
        let (outcome, _) = self.operations.observe(|| self.inner.config(), operation, span, work, log).await;
        self.record_gauges();
        outcome
    }
}

/// Errors are warnings, what happens once in the life of a call or a backend is information, the rest is detail.
/// Webhooks that are turned away are the edge's to report.
fn log(operation: Operation, error: Option<&VoiceError>) {
    let name = operation.as_str();
    match (operation, error) {
        (Operation::HandleInboundCall, Some(error)) => {
            tracing::debug!(operation = name, error.code = error.code().as_str(), %error, "the backend refused");
        }
        (_, Some(error)) => {
            tracing::warn!(operation = name, error.code = error.code().as_str(), %error, "the backend refused");
        }
        (Operation::Start | Operation::Stop | Operation::CreateSession | Operation::CloseSession, None) => {
            tracing::info!(operation = name, "the backend is done");
        }
        (_, None) => tracing::debug!(operation = name, "the backend is done"),
    }
}

fn record(span: &Span, session: &VoiceSession) {
    span.record("twilio.session_id", session.id().as_str());
    if let Some(call) = session.call() {
        span.record("twilio.call_sid", call.as_str());
    }
    span.record("call.direction", session.direction().as_str());
    span.record("call.from", masked(session.from().expose()).as_str());
    span.record("call.to", masked(session.to().expose()).as_str());
}

/// What may be seen of a number: its country code and its last two digits.
fn masked(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    let country = country_code(&digits);
    match digits.as_slice() {
        [.., a, b] if digits.len() > country + 2 => {
            let hidden = "*".repeat(digits.len() - country - 2);
            format!("+{}{hidden}{a}{b}", digits.iter().take(country).collect::<String>())
        }
        _ => "*".to_owned(),
    }
}

/// Digits of a country code: one for North America and Russia, two for the list of ITU-T E.164, otherwise three.
fn country_code(digits: &[char]) -> usize {
    const TWO: &[&str] = &[
        "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49",
        "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81", "82", "84",
        "86", "90", "91", "92", "93", "94", "95", "98",
    ];
    let first: String = digits.iter().take(2).collect();
    match digits.first() {
        Some('1' | '7') => 1,
        _ if TWO.contains(&first.as_str()) => 2,
        _ => 3,
    }
}

#[async_trait]
impl VoiceBackend for ObservedVoice {
    async fn start(&self) -> Result<(), VoiceError> {
        self.observe(Operation::Start, self.span(Operation::Start), self.inner.start()).await
    }

    async fn stop(&self) -> Result<(), VoiceError> {
        self.observe(Operation::Stop, self.span(Operation::Stop), self.inner.stop()).await
    }

    async fn create_session(&self, config: SessionConfig) -> Result<VoiceSession, VoiceError> {
        let span = self.span(Operation::CreateSession);
        span.record("call.to", masked(config.to.as_str()).as_str());
        span.record("call.direction", "outbound");
        let work = async {
            let session = self.inner.create_session(config).await?;
            record(&Span::current(), &session);
            Ok(session)
        };
        self.observe(Operation::CreateSession, span, work).await
    }

    async fn get_session(&self, id: &SessionId) -> Result<VoiceSession, VoiceError> {
        let span = self.span(Operation::GetSession);
        span.record("twilio.session_id", id.as_str());
        let work = async {
            let session = self.inner.get_session(id).await?;
            record(&Span::current(), &session);
            Ok(session)
        };
        self.observe(Operation::GetSession, span, work).await
    }

    async fn list_sessions(&self) -> Result<Vec<VoiceSession>, VoiceError> {
        self.observe(Operation::ListSessions, self.span(Operation::ListSessions), self.inner.list_sessions()).await
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), VoiceError> {
        let span = self.about(Operation::CloseSession, id).await;
        self.observe(Operation::CloseSession, span, self.inner.close_session(id)).await
    }

    async fn health_check(&self) -> Result<HealthStatus, VoiceError> {
        self.observe(Operation::HealthCheck, self.span(Operation::HealthCheck), self.inner.health_check()).await
    }

    fn connection_state(&self) -> ConnectionState {
        self.record_gauges();
        self.inner.connection_state()
    }

    fn active_session_count(&self) -> usize {
        self.record_gauges();
        self.inner.active_session_count()
    }

    fn config(&self) -> Arc<Config> {
        self.inner.config()
    }

    async fn update_config(&self, config: Config) -> Result<(), VoiceError> {
        let span = self.span(Operation::UpdateConfig);
        self.observe(Operation::UpdateConfig, span, self.inner.update_config(config)).await
    }

    async fn handle_inbound_call(&self, event: &WebhookEvent) -> Result<VoiceSession, VoiceError> {
        let span = self.span(Operation::HandleInboundCall);
        let work = async {
            let session = self.inner.handle_inbound_call(event).await?;
            record(&Span::current(), &session);
            Ok(session)
        };
        self.observe(Operation::HandleInboundCall, span, work).await
    }

    async fn stream_audio(&self, id: &SessionId) -> Result<AudioStream, VoiceError> {
        let span = self.about(Operation::StreamAudio, id).await;
        self.observe(Operation::StreamAudio, span, self.inner.stream_audio(id)).await
    }

    async fn stream_text(&self, id: &SessionId) -> Result<Box<dyn TextStream>, VoiceError> {
        let span = self.about(Operation::StreamText, id).await;
        self.observe(Operation::StreamText, span, self.inner.stream_text(id)).await
    }

    async fn control(&self, id: &SessionId, control: CallControl) -> Result<(), VoiceError> {
        let span = self.about(Operation::Control, id).await;
        self.observe(Operation::Control, span, self.inner.control(id, control)).await
    }
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn a_number_shows_its_country_and_two_digits() {
        assert_eq!(masked("+15551234567"), "+1********67");
        assert_eq!(masked("+41790000001"), "+41*******01");
        assert_eq!(masked("+353123456789"), "+353*******89");
        for odd in ["", "+", "client:bob", "+12"] {
            assert_eq!(masked(odd), "*", "{odd}");
        }
    }
}
