//! The backend itself: the contract's operations.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use tokio_util::task::task_tracker::TaskTrackerToken;
use trunkline_core::messaging::WebhookEvent;
use trunkline_core::voice::{
    AudioStream, CallControl, CallStatus, ConnectionState, ErrorCode, MachineDetection, Operation, RecordingMode,
    Registry, SessionConfig, SessionId, SessionState, TextStream, VoiceBackend, VoiceError, VoiceSession,
};
use trunkline_core::{Config, HealthState, HealthStatus, Retry};

use super::failure::{session_not_found, stream_failed, too_many};
use super::live::{Live, OpenSocket, Slot};
use super::sessions::Sessions;
use super::settings::Settings;
use super::start::NumberRegistration;
use super::{document, paths, start};
use crate::rest::calls::{Calls, MAX_TWIML_CHARS, NewCall, RecordCall};
use crate::rest::{RestClient, RestError};
use crate::running::Running;

/// Calls that are ended at the same time.
const ENDED_AT_ONCE: usize = 8;
/// The longest that a telephone may ring, and what Twilio adds.
const MAX_RING_SECONDS: u64 = 600;
const RING_EXTRA: std::time::Duration = std::time::Duration::from_secs(5);
/// What detecting a machine may take before the call's document runs.
const DETECTION: std::time::Duration = std::time::Duration::from_mins(1);

/// Makes the provider known as `twilio`.
pub fn register(registry: &mut Registry) {
    registry.register("twilio", Arc::new(|config| Ok(Arc::new(TwilioVoice::new(config)?))));
}

/// A configuration in force, and what follows from it.
pub(super) struct Current {
    pub(super) config: Arc<Config>,
    pub(super) settings: Settings,
    pub(super) calls: Calls,
}

impl Current {
    fn new(operation: Operation, config: Config) -> Result<Self, VoiceError> {
        let settings = Settings::from_config(&config).map_err(|problems| {
            VoiceError::new(operation, ErrorCode::InvalidConfig, problems.to_string()).with_source(problems)
        })?;
        let rest = RestClient::new(settings.rest.clone()).map_err(|error| super::failure::failed(operation, error))?;
        let calls = rest.calls(settings.account, settings.api_version.as_str());
        Ok(Self { config: Arc::new(config), settings, calls })
    }
}

/// What is counted of streams.
#[derive(Debug, Default)]
pub struct Counters {
    streams: AtomicUsize,
    frames_heard: AtomicU64,
    frames_sent: AtomicU64,
    gaps: AtomicU64,
    faults: AtomicU64,
    refusals: AtomicU64,
}

impl Counters {
    /// Streams that are open.
    pub fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    /// Frames of audio that came, so far.
    pub fn frames_heard(&self) -> u64 {
        self.frames_heard.load(Ordering::Relaxed)
    }

    /// Frames of audio that went out, so far.
    pub fn frames_sent(&self) -> u64 {
        self.frames_sent.load(Ordering::Relaxed)
    }

    /// Times that a stream's sequence number was not the next one, so far: Twilio dropped something.
    pub fn gaps(&self) -> u64 {
        self.gaps.load(Ordering::Relaxed)
    }

    /// Messages of streams that were wrong, so far.
    pub fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }

    /// Sockets that were turned away, so far.
    pub fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::Relaxed)
    }

    pub(super) fn refuse(&self) {
        self.refusals.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts a stream for as long as it is open.
pub(super) struct StreamGuard {
    counters: Arc<Counters>,
    session: VoiceSession,
    /// Tells the call when the socket is gone.
    _socket: Option<OpenSocket>,
}

impl StreamGuard {
    pub(super) fn new(counters: &Arc<Counters>, session: &VoiceSession, socket: Option<OpenSocket>) -> Self {
        counters.streams.fetch_add(1, Ordering::Relaxed);
        Self { counters: Arc::clone(counters), session: session.clone(), _socket: socket }
    }

    pub(super) fn heard(&self, frames: u64) {
        self.counters.frames_heard.fetch_add(frames, Ordering::Relaxed);
    }

    pub(super) fn sent(&self, frames: u64) {
        self.counters.frames_sent.fetch_add(frames, Ordering::Relaxed);
    }

    pub(super) fn gaps(&self, gaps: u64) {
        self.counters.gaps.fetch_add(gaps, Ordering::Relaxed);
    }

    pub(super) fn fault(&self) {
        self.counters.faults.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.counters.streams.fetch_sub(1, Ordering::Relaxed);
        if self.session.state() == SessionState::Streaming {
            self.session.set_state(SessionState::Connected, Timestamp::now());
        }
    }
}

/// What the backend and its admissions share.
pub(super) struct Inner {
    current: RwLock<Arc<Current>>,
    pub(super) sessions: Sessions,
    pub(super) counters: Arc<Counters>,
    running: Running,
    connection: Mutex<ConnectionState>,
}

impl Inner {
    pub(super) fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn connected(&self, state: ConnectionState) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// An error of the way, or of the credentials, is one of the connection.
    pub(super) fn note(&self, error: &RestError) {
        let is_ours = matches!(
            error,
            RestError::Auth { .. }
                | RestError::Unavailable { .. }
                | RestError::Unreachable(_)
                | RestError::UnknownOutcome(_)
        );
        if is_ours && self.running.is_running() {
            self.connected(ConnectionState::Error);
        }
    }

    fn enter(&self, operation: Operation) -> Result<TaskTrackerToken, VoiceError> {
        self.running
            .enter()
            .ok_or_else(|| VoiceError::new(operation, ErrorCode::NotRunning, "the backend is not running"))
    }

    fn live(&self, operation: Operation, id: &SessionId) -> Result<Arc<Live>, VoiceError> {
        self.sessions.get(id).ok_or_else(|| session_not_found(operation))
    }

    async fn wait<T>(&self, operation: Operation, live: &Live, slot: &Slot<T>) -> Result<T, VoiceError> {
        tokio::select! {
            biased;
            value = slot.wait() => Ok(value),
            () = live.over.wait() => Err(stream_failed(operation, "the call ended before its stream came")),
            () = tokio::time::sleep(live.patience) => Err(stream_failed(operation, "the stream did not come in time")),
        }
    }
}

/// Ends a session whose call was not placed.
struct Unplaced<'a>(Option<(&'a Inner, &'a Live)>);

impl Drop for Unplaced<'_> {
    fn drop(&mut self) {
        if let Some((inner, live)) = self.0.take() {
            inner.sessions.end(live, SessionState::Error);
        }
    }
}

/// Twilio as a voice backend. Clones are the same backend.
#[derive(Clone)]
pub struct TwilioVoice(Arc<Inner>);

impl TwilioVoice {
    /// Builds a backend, stopped. Nothing is connected yet. The settings are listed in
    /// [`VOICE_SETTINGS`](super::VOICE_SETTINGS).
    ///
    /// # Errors
    /// `ErrCodeInvalidConfig` with every problem; `ErrCodeInternalError` if the system offers no usable TLS.
    pub fn new(config: Config) -> Result<Self, VoiceError> {
        let current = Current::new(Operation::NewBackend, config)?;
        Ok(Self(Arc::new(Inner {
            current: RwLock::new(Arc::new(current)),
            sessions: Sessions::default(),
            counters: Arc::default(),
            running: Running::new(),
            connection: Mutex::new(ConnectionState::Disconnected),
        })))
    }

    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }

    /// The client underneath, for what the contract has no operation for: past calls, recordings, transcriptions.
    pub fn calls(&self) -> Calls {
        self.0.current().calls.clone()
    }

    /// Whether Twilio listens and speaks in this session; `None` for one that is over.
    pub fn is_text(&self, id: &SessionId) -> Option<bool> {
        self.0.sessions.get(id).map(|live| live.as_text)
    }

    /// What is counted of streams.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.0.counters)
    }

    /// Points the number's calls at `webhook_url` again if they do not come there any more.
    ///
    /// # Errors
    /// As [`start`](VoiceBackend::start).
    ///
    /// # Cancel safety
    /// May have taken effect; it may be done again.
    pub async fn register_number(&self) -> Result<NumberRegistration, VoiceError> {
        let current = self.0.current();
        start::register_number(&current.calls, Operation::HealthCheck, &current.settings).await
    }
}

impl fmt::Debug for TwilioVoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwilioVoice").field("sessions", &self.0.sessions.len()).finish_non_exhaustive()
    }
}

#[async_trait]
impl VoiceBackend for TwilioVoice {
    async fn start(&self) -> Result<(), VoiceError> {
        let inner = &self.0;
        if inner.running.is_running() {
            return Ok(());
        }
        let current = inner.current();
        let verified = current.calls.verify().await;
        if let Err(error) = verified {
            inner.connected(ConnectionState::Error);
            return Err(super::failure::failed(Operation::Start, error));
        }
        let found = start::register_number(&current.calls, Operation::Start, &current.settings).await?;
        if found == NumberRegistration::Taken {
            tracing::warn!("the number's calls went elsewhere before");
        }
        inner.running.start();
        inner.connected(ConnectionState::Connected);
        Ok(())
    }

    async fn stop(&self) -> Result<(), VoiceError> {
        let inner = &self.0;
        inner.running.stop();
        let time = inner.current().config.timeout();
        let ending = async {
            let live = inner.sessions.all();
            let ended = stream::iter(live).map(|live| async move {
                let ended = inner.complete(Operation::Stop, &live).await;
                // Whatever Twilio says, our side of the call ends here.
                inner.sessions.end(&live, SessionState::Disconnected);
                ended
            });
            ended.buffer_unordered(ENDED_AT_ONCE).filter_map(|ended| async { ended.err() }).collect::<Vec<_>>().await
        };
        let failures = tokio::time::timeout(time, ending).await;
        let is_drained = inner.running.drained(time).await;
        for live in inner.sessions.all() {
            inner.sessions.end(&live, SessionState::Error);
        }
        inner.connected(ConnectionState::Disconnected);
        let message = match failures {
            Ok(failures) if failures.is_empty() && is_drained => return Ok(()),
            Ok(failures) if failures.is_empty() => "operations did not finish in time".to_owned(),
            Ok(failures) => format!("{} calls could not be ended", failures.len()),
            Err(_) => "calls could not be ended in time".to_owned(),
        };
        Err(VoiceError::new(Operation::Stop, ErrorCode::ShutdownError, message))
    }

    async fn create_session(&self, config: SessionConfig) -> Result<VoiceSession, VoiceError> {
        let inner = &self.0;
        let operation = Operation::CreateSession;
        let _in_flight = inner.enter(operation)?;
        let current = inner.current();
        let refused = |message: &str| VoiceError::new(operation, ErrorCode::InvalidConfig, message);
        let Some(places) = &current.settings.places else {
            return Err(refused("webhook_url is not set, and streams need it"));
        };
        if config.ring_timeout.as_secs() == 0 || config.ring_timeout.as_secs() > MAX_RING_SECONDS {
            return Err(refused("ring_timeout must be from 1 s to 600 s"));
        }
        if !document::fits(&config.metadata) {
            return Err(refused("metadata must have at most 500 characters a piece, and nothing called session"));
        }
        let now = Timestamp::now();
        let id = SessionId::new(uuid::Uuid::now_v7().to_string());
        let ours = config.from.as_ref().unwrap_or(&current.settings.phone_number).as_str().to_owned();
        let session = VoiceSession::outbound(id.clone(), ours.clone(), &config, now);
        session.set_state(SessionState::Connecting, now);
        let detection = match config.machine_detection {
            MachineDetection::Off => current.settings.machine_detection,
            wanted => wanted,
        };
        let detected_in = if detection == MachineDetection::Off { std::time::Duration::ZERO } else { DETECTION };
        let patience = config.ring_timeout + RING_EXTRA + detected_in + current.settings.stream_timeout;
        let mut live = Live::new(session.clone(), Arc::clone(&current), ours.clone(), config.as_text, patience);
        live.limit = config.time_limit;
        let live = Arc::new(live);
        let twiml = document::connect(&live, &inner.sessions, places).to_xml();
        if twiml.chars().nth(MAX_TWIML_CHARS).is_some() {
            inner.sessions.end(&live, SessionState::Error);
            return Err(refused("metadata is longer than a call can carry"));
        }
        // The session is there before the telephone rings: webhooks and the socket may come before the answer does.
        if !inner.sessions.insert(&live, current.settings.max_calls) {
            inner.sessions.end(&live, SessionState::Error);
            return Err(too_many(operation));
        }
        let mut unplaced = Unplaced(Some((inner, &live)));
        let about = |path| places.about(path, id.as_str());
        let recording = match config.recording {
            RecordingMode::Off => current.settings.record,
            wanted => wanted,
        };
        let call = NewCall {
            to: config.to.as_str().to_owned(),
            from: ours,
            twiml: Some(twiml),
            url: None,
            status_callback: Some(config.status_callback.unwrap_or_else(|| about(paths::STATUS))),
            status_callback_events: events(&config.status_events),
            timeout: Some(config.ring_timeout),
            time_limit: config.time_limit,
            send_digits: config.send_digits,
            machine_detection: match detection {
                MachineDetection::Off => None,
                MachineDetection::Enable => Some("Enable".to_owned()),
                MachineDetection::DetectMessageEnd => Some("DetectMessageEnd".to_owned()),
            },
            async_amd_status_callback: Some(about(paths::MACHINE)),
            record: match recording {
                RecordingMode::Off => None,
                RecordingMode::Mono => Some(RecordCall::Mono),
                RecordingMode::Dual => Some(RecordCall::Dual),
            },
            recording_status_callback: Some(about(paths::RECORDING)),
        };
        let created = current.calls.create(&call).await.map_err(|error| inner.noted(operation, error))?;
        unplaced.0 = None;
        if !inner.sessions.bind(&live, created.sid.as_str()) {
            inner.sessions.end(&live, SessionState::Error);
            return Err(VoiceError::new(
                operation,
                ErrorCode::CallFailed,
                "the call is another one than was told before",
            ));
        }
        inner.connected(ConnectionState::Connected);
        Ok(session)
    }

    async fn get_session(&self, id: &SessionId) -> Result<VoiceSession, VoiceError> {
        Ok(self.0.live(Operation::GetSession, id)?.session.clone())
    }

    async fn list_sessions(&self) -> Result<Vec<VoiceSession>, VoiceError> {
        Ok(self.0.sessions.list())
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), VoiceError> {
        let live = self.0.live(Operation::CloseSession, id)?;
        self.0.complete(Operation::CloseSession, &live).await
    }

    async fn health_check(&self) -> Result<HealthStatus, VoiceError> {
        let inner = &self.0;
        let current = inner.current();
        let mut status = HealthStatus::healthy().with_active_conversations(inner.sessions.len());
        if !inner.running.is_running() {
            status = status.because(HealthState::Unhealthy, "the backend is not running");
        }
        let calls = current.calls.without_retries();
        let trouble = match &current.settings.places {
            Some(places) => match calls.find_number(current.settings.phone_number.as_str()).await {
                Ok(Some(present)) if start::is_registered(&present, places) => None,
                Ok(Some(_)) => Some((HealthState::Degraded, "the number's calls are not all sent to webhook_url")),
                Ok(None) => Some((HealthState::Unhealthy, "phone_number is not a number of the account")),
                Err(error) => Some(health_of(&error)),
            },
            None => calls.verify().await.err().map(|error| health_of(&error)),
        };
        if inner.running.is_running() {
            let is_down = matches!(trouble, Some((HealthState::Unhealthy, _)));
            inner.connected(if is_down { ConnectionState::Error } else { ConnectionState::Connected });
        }
        if inner.sessions.len() >= current.settings.max_calls {
            status = status.because(HealthState::Degraded, "no more calls are admitted");
        }
        Ok(trouble.into_iter().fold(status, |status, (state, reason)| status.because(state, reason)))
    }

    fn connection_state(&self) -> ConnectionState {
        *self.0.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn active_session_count(&self) -> usize {
        self.0.sessions.len()
    }

    fn config(&self) -> Arc<Config> {
        Arc::clone(&self.0.current().config)
    }

    async fn update_config(&self, config: Config) -> Result<(), VoiceError> {
        let current = Arc::new(Current::new(Operation::UpdateConfig, config)?);
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = current;
        Ok(())
    }

    async fn handle_inbound_call(&self, event: &WebhookEvent) -> Result<VoiceSession, VoiceError> {
        let _in_flight = self.0.enter(Operation::HandleInboundCall)?;
        self.0.inbound(event)
    }

    async fn stream_audio(&self, id: &SessionId) -> Result<AudioStream, VoiceError> {
        let live = self.0.live(Operation::StreamAudio, id)?;
        self.0.wait(Operation::StreamAudio, &live, &live.audio).await
    }

    async fn stream_text(&self, id: &SessionId) -> Result<Box<dyn TextStream>, VoiceError> {
        let live = self.0.live(Operation::StreamText, id)?;
        self.0.wait(Operation::StreamText, &live, &live.text).await
    }

    async fn control(&self, id: &SessionId, control: CallControl) -> Result<(), VoiceError> {
        let _in_flight = self.0.enter(Operation::Control)?;
        let live = self.0.live(Operation::Control, id)?;
        self.0.control(&live, control).await
    }
}

/// Twilio's words for what it is to post.
fn events(wanted: &[CallStatus]) -> Vec<String> {
    let mut events: Vec<String> = Vec::new();
    for status in wanted {
        let word = match status {
            CallStatus::Queued | CallStatus::Initiated => "initiated",
            CallStatus::Ringing => "ringing",
            CallStatus::InProgress => "answered",
            _ => "completed",
        };
        if !events.iter().any(|known| known == word) {
            events.push(word.to_owned());
        }
    }
    // Without it nobody would learn that the call is over.
    if !events.iter().any(|known| known == "completed") {
        events.push("completed".to_owned());
    }
    events
}

fn health_of(error: &RestError) -> (HealthState, &'static str) {
    match (error, error.retry()) {
        (RestError::Throttled { .. }, _) => (HealthState::Degraded, "Twilio asks to slow down"),
        (RestError::Auth { .. }, _) => (HealthState::Unhealthy, "Twilio does not accept the credentials"),
        (RestError::Refused { .. }, Retry::No) => (HealthState::Degraded, "Twilio's answer was not what was expected"),
        _ => (HealthState::Unhealthy, "Twilio cannot be reached"),
    }
}
