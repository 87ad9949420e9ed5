//! Calls: an agent, a voice and an ear on a telephone line.
//!
//! ```text
//! frames ─▶ detector ─▶ TurnMachine ─▶ what to do ─▶ Mouth ─▶ frames
//!    └────▶ Ears ──words──▶┘              └─▶ Journal (store, bus)
//! ```
//!
//! One task leads one call (`audio_call`). It is begun by the webhook, before the audio is there, so that engines are
//! connected and the person is looked up while the provider opens the stream. Whatever ends the call ends that task, and
//! with it everything that belongs to the call.

mod answers;
mod audio_call;
mod chunker;
mod closing;
mod dialogue_call;
mod ears;
mod frames;
mod held;
mod journal;
mod keys;
mod live_calls;
mod mouth;
mod progress;
mod recording;
mod settings;
mod text_call;
mod thinking;
mod voices;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, Span};
use trunkline_agent::turns::EndReason;
use trunkline_core::voice::{
    AnsweredBy, CallControl, CallDirection, RecordingMode, SessionConfig, SessionId, VoiceBackend, VoiceError,
    VoiceSession,
};
use trunkline_core::{ContactAddress, Pii};
use trunkline_speech::dialogue::{Dialogue, DialogueRequest};
use trunkline_speech::{Recognizer, SpeechError, SpeechModel, Synthesizer};

use self::ears::Ears;
use self::recording::Recording;
use self::voices::Voices;
use crate::pipeline::Context;

pub use live_calls::{CallOrder, LiveCall, LiveCalls, Shown};
pub(crate) use recording::path as recording_path;
pub use settings::{CallSettings, VoicemailPolicy};

/// Who brings the calls, in the store and on the bus.
pub const SOURCE: &str = "twilio";
/// What is left of the time to stop when calls that go on are told to say goodbye.
const GOODBYE_TIME: Duration = Duration::from_secs(5);
/// How long a far end may leave unread what it is told.
const FLUSH_PATIENCE: Duration = Duration::from_secs(2);
/// How long a socket may take to be closed by the rules; then it is dropped.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
/// How long putting a call away may take before it cannot be taken back.
const PUT_AWAY: Duration = Duration::from_secs(10);
/// How long a model that leads calls may take to be there.
const MODEL_PATIENCE: Duration = Duration::from_secs(2);
/// How often a stopping gateway looks whether calls are left.
const DRAIN_CHECK: Duration = Duration::from_millis(50);

/// What listens and speaks.
#[derive(Clone, Default)]
pub struct Engines {
    /// Who listens: the first, and who stands in when it fails.
    pub recognizers: Vec<Arc<dyn Recognizer>>,
    /// Who speaks: the first, and who stands in when it fails.
    pub voices: Vec<Arc<dyn Synthesizer>>,
    /// A model that leads calls by itself; those above stand in when it fails.
    pub model: Option<Arc<dyn SpeechModel>>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The person hung up.
    Caller,
    /// We did.
    Ended(EndReason),
    /// A person takes over.
    HandedOver,
    /// The person waits, until somebody resumes the call.
    Held,
    /// The connection was lost.
    Lost,
    /// It never came to be.
    NotConnected,
    /// A machine answered, and that was all.
    Machine,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Ended(reason) => reason.as_str(),
            Self::HandedOver => "transferred",
            Self::Held => "held",
            Self::Lost => "failure",
            Self::NotConnected => "not_connected",
            Self::Machine => "machine",
        }
    }
}

/// What every call works with.
struct CallContext {
    pipeline: Context,
    settings: CallSettings,
    backend: Arc<dyn VoiceBackend>,
    recognizers: Vec<Arc<dyn Recognizer>>,
    model: Option<Arc<dyn SpeechModel>>,
    voices: Arc<Voices>,
    calls: LiveCalls,
    tasks: TaskTracker,
}

/// The calls of a gateway. Cheap to clone.
#[derive(Clone)]
pub struct Calls(Arc<CallContext>);

impl Calls {
    /// Calls over `backend`. Prompts are spoken now, so that they are there when everything else fails.
    pub fn new(pipeline: Context, settings: CallSettings, backend: Arc<dyn VoiceBackend>, engines: Engines) -> Self {
        let voices = Voices::new(engines.voices, settings.language.clone(), pipeline.metrics.clone());
        let context = CallContext {
            pipeline,
            settings,
            backend,
            recognizers: engines.recognizers,
            model: engines.model,
            voices: Arc::new(voices),
            calls: LiveCalls::default(),
            tasks: TaskTracker::new(),
        };
        let calls = Self(Arc::new(context));
        calls.prepare();
        calls
    }

    /// The calls that live.
    pub fn live(&self) -> &LiveCalls {
        &self.0.calls
    }

    /// What is shown of calls has changed.
    pub(crate) fn changed(&self) {
        self.0.pipeline.live.calls_changed();
    }

    /// The folder of recordings, if any are kept.
    pub fn recordings(&self) -> Option<&Path> {
        self.0.settings.recordings.as_deref()
    }

    /// The provider behind the calls.
    pub fn backend(&self) -> &Arc<dyn VoiceBackend> {
        &self.0.backend
    }

    /// Leads a session from now on, once; with `as_text` the provider listens and speaks.
    pub fn begin(&self, session: &VoiceSession, as_text: bool) {
        session.set_text(as_text);
        let Some((live, orders)) = self.0.calls.enter(session) else { return self.begin_later(session, as_text) };
        self.prepare();
        let context = Arc::clone(&self.0);
        let span = tracing::info_span!(
            "call",
            call.direction = session.direction().as_str(),
            twilio.session_id = session.id().as_str(),
            twilio.call_sid = tracing::field::Empty,
            call.outcome = tracing::field::Empty,
        );
        let work = async move {
            // Leaves the list however the call ends, also by a panic.
            let _entry = Entry { context: Arc::clone(&context), live: Arc::clone(&live) };
            if as_text {
                Box::pin(text_call::run(&context, &live, orders).instrument(span)).await;
            } else {
                run(&context, live, orders, span).await;
            }
        };
        self.0.tasks.spawn(work);
    }

    /// A session that is still being put away: it is led again when that is done.
    fn begin_later(&self, session: &VoiceSession, as_text: bool) {
        let (calls, session) = (self.clone(), session.clone());
        self.0.tasks.spawn(async move {
            let until = Instant::now() + PUT_AWAY;
            while calls.live().get(session.id().as_str()).is_some_and(|live| live.is_leaving()) {
                if Instant::now() >= until {
                    return;
                }
                tokio::time::sleep(DRAIN_CHECK).await;
            }
            // One that is led and stays so is led already: a repeated webhook.
            if calls.live().get(session.id().as_str()).is_none() && !session.state().is_over() {
                calls.begin(&session, as_text);
            }
        });
    }

    /// Speaks the prompts that are not there yet.
    fn prepare(&self) {
        let prompts = Arc::clone(&self.0);
        if !prompts.voices.begins_to_prepare() {
            return;
        }
        self.0.tasks.spawn(async move {
            let settings = &prompts.settings;
            for text in [
                &settings.apology,
                &settings.greeting,
                &settings.goodbye,
                &settings.filler,
                &settings.reprompt,
                &settings.draining,
            ] {
                prompts.voices.prepare(text).await;
            }
            prompts.voices.has_prepared();
        });
    }

    /// Calls somebody. The session is led as soon as there is one.
    ///
    /// # Errors
    /// As [`VoiceBackend::create_session`].
    ///
    /// # Cancel safety
    /// Not cancel-safe: the call may have been placed.
    pub async fn place(&self, config: SessionConfig) -> Result<VoiceSession, VoiceError> {
        let as_text = config.as_text;
        let session = self.0.backend.create_session(config).await?;
        self.begin(&session, as_text);
        Ok(session)
    }

    /// Takes a call back that was put on hold.
    ///
    /// # Errors
    /// As [`VoiceBackend::control`].
    ///
    /// # Cancel safety
    /// May have taken effect.
    pub async fn resume(&self, id: &SessionId) -> Result<(), VoiceError> {
        let session = self.0.backend.get_session(id).await?;
        self.0.backend.control(id, CallControl::Resume).await?;
        match self.0.calls.get(id.as_str()).filter(|live| !live.is_leaving()) {
            Some(live) if live.order(CallOrder::Resumed) => {}
            Some(_) => tracing::error!("a call that was taken back has more orders than it can take"),
            None => self.begin(&session, session.is_text()),
        }
        Ok(())
    }

    /// Ends: calls go on until little of `within` is left, say goodbye, and are hung up at its end.
    ///
    /// # Cancel safety
    /// Call it again to wait on.
    pub async fn drain(&self, within: Duration) {
        let begun = Instant::now();
        self.wait_until_none(begun + within.saturating_sub(GOODBYE_TIME)).await;
        for call in self.0.calls.all() {
            call.order(CallOrder::Drain);
        }
        self.wait_until_none(begun + within).await;
        for call in self.0.calls.all() {
            call.order(CallOrder::HangUp);
        }
        self.wait_until_none(Instant::now() + Duration::from_secs(1)).await;
    }

    async fn wait_until_none(&self, until: Instant) {
        while self.0.calls.count() > 0 && Instant::now() < until {
            tokio::time::sleep(DRAIN_CHECK).await;
        }
    }
}

struct Entry {
    context: Arc<CallContext>,
    live: Arc<LiveCall>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.context.calls.leave(self.live.session.id());
        self.context.pipeline.metrics.calls_live(self.context.calls.count());
        self.context.pipeline.live.calls_changed();
    }
}

/// The other end of a session. A number that is withheld is a person of its own for each call.
fn address_of(session: &VoiceSession) -> ContactAddress {
    let anonymous = || ContactAddress::of_call(&format!("anonymous-{}", session.id()));
    // The fallback is neither empty nor too long.
    #[expect(clippy::expect_used, reason = "a name of ours is an address")]
    let address = session
        .person()
        .expose()
        .parse::<trunkline_core::E164>()
        .ok()
        .and_then(|number| ContactAddress::of_call(number.as_str()).ok())
        .unwrap_or_else(|| anonymous().expect("a session's name is an address"));
    address
}

/// A call whose audio is ours. The span is entered for its beginning and its end; in between the call does so itself.
async fn run(context: &CallContext, live: Arc<LiveCall>, orders: mpsc::Receiver<CallOrder>, span: Span) {
    // What is long over, or not yet, takes no room in between.
    let Some(start) = Box::pin(prepare(context, live, orders).instrument(span.clone())).await else { return };
    let left = lead(context, start, &span).await;
    Box::pin(put_away(context, left).instrument(span)).await;
}

/// What a call needs to begin. None: it cannot, and whoever is there has been told.
async fn prepare(
    context: &CallContext,
    live: Arc<LiveCall>,
    mut orders: mpsc::Receiver<CallOrder>,
) -> Option<audio_call::Start> {
    let pipeline = &context.pipeline;
    let session = live.session.clone();
    pipeline.metrics.calls_live(context.calls.count());
    pipeline.live.calls_changed();
    let Some(agent) = pipeline.agent.clone() else {
        tracing::warn!("a call came in, and no agent is configured that could answer it");
        give_up(context, &session).await;
        return None;
    };
    let request = audio_call::request(&context.settings.language, &*agent);
    let ears = Ears::open(&context.tasks, context.recognizers.clone(), request, pipeline.metrics.clone());
    let Some(stream) = or_hung_up(context.backend.stream_audio(session.id()), &live, &mut orders).await else {
        close(context, &session).await;
        return None;
    };
    Span::current().record("twilio.call_sid", session.call());
    // After the stream: an outbound call has its name at the provider by now.
    let opened = journal::open(pipeline, &context.tasks, &session, SOURCE, address_of(&session)).await;
    let (journal, known) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            tracing::error!(error.code = error.code(), "a call cannot be recorded in the store; it is given up");
            give_up(context, &session).await;
            return None;
        }
    };
    let stream = match stream {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(error.code = error.code().as_str(), %error, "the audio of a call did not come");
            journal.close(Outcome::NotConnected.as_str(), None, 0).await;
            close(context, &session).await;
            return None;
        }
    };
    let by_machine =
        matches!(session.answered_by(), Some(AnsweredBy::Machine | AnsweredBy::MachineReady | AnsweredBy::Fax));
    if by_machine && context.settings.voicemail == VoicemailPolicy::HangUp {
        journal.close(Outcome::Machine.as_str(), None, 0).await;
        close(context, &session).await;
        return None;
    }
    let turns = known.turns;
    record_there(context, &session, turns);
    let leaves_message = by_machine && context.settings.voicemail == VoicemailPolicy::LeaveMessage;
    let recording = context.settings.recordings.as_deref().and_then(|folder| {
        Recording::begin(folder, session.id().as_str())
            .inspect_err(|error| tracing::error!(%error, "a recording could not be begun"))
            .ok()
    });
    Some(audio_call::Start {
        live,
        orders,
        stream,
        known,
        journal,
        recording,
        ears,
        agent,
        leaves_message,
        opening: None,
        control: None,
        began: began(&session, turns),
        span: Span::current(),
    })
}

/// Tells the provider what is to become of a call, and keeps what is left of it.
async fn put_away(context: &CallContext, left: audio_call::Left) {
    left.live.leaves();
    end(context, &left.live.session, left.outcome, left.control).await;
    // Only now: what is to become of the call has been said before its stream ends.
    if let Some(mut stream) = left.stream {
        let _in_time = tokio::time::timeout(CLOSE_PATIENCE, stream.close()).await.is_ok();
    }
    let recording = match left.recording {
        Some(recording) => recording.finish().await,
        None => None,
    };
    let lasted = left.began.elapsed();
    let duration = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX);
    context.pipeline.metrics.call_ended(left.outcome.as_str(), lasted);
    Span::current().record("call.outcome", left.outcome.as_str());
    left.journal.close(left.outcome.as_str(), recording.as_deref(), duration).await;
}

/// Leads a call to its end, however often the person is put on hold meanwhile.
async fn lead(context: &CallContext, mut start: audio_call::Start, span: &Span) -> audio_call::Left {
    loop {
        let left = match Box::pin(led_by_model(context, &mut start).instrument(span.clone())).await {
            Some(outcome) => audio_call::Left::of(start, outcome),
            None => audio_call::lead(context, start).await,
        };
        if left.outcome != Outcome::Held {
            return left;
        }
        start = match Box::pin(hold(context, left).instrument(span.clone())).await {
            ControlFlow::Continue(start) => start,
            ControlFlow::Break(left) => return left,
        };
    }
}

/// Keeps a person on hold. They come back, or the call ends.
async fn hold(context: &CallContext, mut left: audio_call::Left) -> ControlFlow<audio_call::Left, audio_call::Start> {
    let control = left.control.take();
    if !held::begin(context, &left.live, control).await {
        return ControlFlow::Break(audio_call::Left { outcome: Outcome::Lost, ..left });
    }
    // Their audio is the provider's now.
    drop(left.stream.take());
    let until = left.began + context.settings.policy.max_duration;
    match held::wait(context, &left.live, &mut left.orders, until).await {
        held::Next::Back => {}
        held::Next::Over(outcome, control) => {
            return ControlFlow::Break(audio_call::Left { outcome, control, ..left });
        }
    }
    let id = left.live.session.id();
    let stream = match or_hung_up(context.backend.stream_audio(id), &left.live, &mut left.orders).await {
        Some(Ok(stream)) => stream,
        Some(Err(error)) => {
            tracing::warn!(error.code = error.code().as_str(), %error, "the audio of a call did not come back");
            return ControlFlow::Break(audio_call::Left { outcome: Outcome::Lost, ..left });
        }
        None => {
            let outcome = Outcome::Ended(EndReason::Operator);
            return ControlFlow::Break(audio_call::Left { outcome, ..left });
        }
    };
    let request = audio_call::request(&context.settings.language, &*left.agent);
    let metrics = context.pipeline.metrics.clone();
    // What was sent and not heard is not heard any more.
    let recording = left.recording.map(|mut recording| {
        recording.cleared();
        recording
    });
    ControlFlow::Continue(audio_call::Start {
        live: left.live,
        orders: left.orders,
        stream,
        known: left.known,
        journal: left.journal,
        recording,
        ears: Ears::open(&context.tasks, context.recognizers.clone(), request, metrics),
        agent: left.agent,
        leaves_message: false,
        opening: None,
        control: None,
        began: left.began,
        span: Span::current(),
    })
}

/// Has the provider record a call that came in, if it is to; one that we placed was placed so. Nobody waits for that.
fn record_there(context: &CallContext, session: &VoiceSession, turns: i64) {
    let mode = context.settings.provider_recording;
    if mode == RecordingMode::Off || session.direction() == CallDirection::Outbound || turns > 0 {
        return;
    }
    let (backend, id) = (Arc::clone(&context.backend), session.id().clone());
    let work = async move {
        if let Err(error) = backend.control(&id, CallControl::StartRecording(mode)).await {
            tracing::warn!(error.code = error.code().as_str(), %error, "the provider does not record a call");
        }
    };
    context.tasks.spawn(work.in_current_span());
}

/// When a call began for us: now, unless it has had turns and was with somebody else meanwhile.
fn began(session: &VoiceSession, turns: i64) -> Instant {
    let now = Instant::now();
    if turns == 0 {
        return now;
    }
    let since = Duration::try_from(jiff::Timestamp::now().duration_since(session.created_at())).unwrap_or_default();
    now.checked_sub(since).unwrap_or(now)
}

/// Has a model lead the call, if there is one. `None`: there is none, or it failed; the call goes on without.
async fn led_by_model(context: &CallContext, start: &mut audio_call::Start) -> Option<Outcome> {
    let history = start.known.said.clone();
    let dialogue = match open_dialogue(context, history).await? {
        Ok(dialogue) => dialogue,
        Err(code) => {
            context.pipeline.metrics.speech_failed("speech-model", code);
            tracing::warn!(error.code = code, "the model that should lead a call is not there");
            return None;
        }
    };
    let began = start.began;
    match dialogue_call::lead(context, start, dialogue, began).await {
        Ok(dialogue_call::Ended::Call(outcome)) => Some(outcome),
        Ok(dialogue_call::Ended::Model) => {
            start.opening = Some(context.settings.apology.clone());
            None
        }
        Err(error) => {
            tracing::warn!(error.code = error.code().as_str(), %error, "the audio of a call was lost");
            Some(Outcome::Lost)
        }
    }
}

async fn open_dialogue(
    context: &CallContext,
    history: Vec<(bool, Pii<String>)>,
) -> Option<Result<Dialogue, &'static str>> {
    let model = context.model.as_ref()?;
    let request = DialogueRequest {
        instructions: context.settings.model_instructions.clone(),
        history,
        greets: true,
        may_hand_over: context.settings.transfer_to.is_some(),
    };
    Some(match tokio::time::timeout(MODEL_PATIENCE, model.open(request)).await {
        Ok(opened) => opened.map_err(|error| error.code()),
        Err(_) => Err(SpeechError::Timeout { engine: model.name(), after: MODEL_PATIENCE }.code()),
    })
}

/// Waits for a stream, unless somebody hangs up before it is there. Other orders wait for the stream.
async fn or_hung_up<T>(
    stream: impl Future<Output = T>,
    live: &LiveCall,
    orders: &mut mpsc::Receiver<CallOrder>,
) -> Option<T> {
    let mut others = Vec::new();
    let hung_up = async {
        while let Some(order) = orders.recv().await {
            if matches!(order, CallOrder::HangUp | CallOrder::Drain) {
                return;
            }
            others.push(order);
            if others.len() == live_calls::MAX_ORDERS {
                // No more than fit: whoever comes now is told so.
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let stream = tokio::select! {
        stream = stream => Some(stream),
        () = hung_up => None,
    };
    for order in others {
        if !live.order(order) {
            tracing::warn!("an order that came before a call's stream is left out; there were too many");
        }
    }
    stream
}

/// What the provider is told when we are done. `control` is what an order asked for.
async fn end(context: &CallContext, session: &VoiceSession, outcome: Outcome, control: Option<CallControl>) {
    let by_agent = || {
        let to = context.settings.transfer_to.clone().filter(|_| outcome == Outcome::HandedOver)?;
        Some(CallControl::Transfer { to, briefing: None, ring_timeout: context.settings.transfer_timeout })
    };
    if let Some(control) = control.or_else(by_agent) {
        match context.backend.control(session.id(), control).await {
            Ok(()) => return,
            Err(error) => tracing::error!(error.code = error.code().as_str(), %error, "a call could not be handed on"),
        }
    }
    close(context, session).await;
}

/// What an order means to the provider, and how our part of the call ends by it.
fn control_of(settings: &CallSettings, order: CallOrder) -> Option<(Outcome, CallControl)> {
    match order {
        CallOrder::Transfer { to, briefing } => {
            let ring_timeout = settings.transfer_timeout;
            Some((Outcome::HandedOver, CallControl::Transfer { to, briefing, ring_timeout }))
        }
        CallOrder::Hold { announcement } => Some((Outcome::Held, CallControl::Hold { announcement })),
        _ => None,
    }
}

async fn close(context: &CallContext, session: &VoiceSession) {
    if let Err(error) = context.backend.close_session(session.id()).await
        && error.code() != trunkline_core::voice::ErrorCode::SessionNotFound
    {
        tracing::warn!(error.code = error.code().as_str(), %error, "a call could not be closed");
    }
}

/// A call that cannot be led: the person hears so.
async fn give_up(context: &CallContext, session: &VoiceSession) {
    let apology = CallControl::Apologise(context.settings.apology.clone());
    if context.backend.control(session.id(), apology).await.is_err() {
        close(context, session).await;
    }
}
