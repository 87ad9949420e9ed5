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
mod course;
mod dialogue_call;
mod ears;
mod frames;
mod held;
mod journal;
mod kept;
mod keys;
mod live_calls;
mod mouth;
mod progress;
mod provider;
mod recording;
mod settings;
mod text_call;
mod thinking;
mod voices;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use trunkline_agent::turns::EndReason;
use trunkline_core::voice::{CallControl, SessionConfig, SessionId, VoiceBackend, VoiceError, VoiceSession};
use trunkline_speech::{Recognizer, SpeechModel, Synthesizer};

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
/// How long putting a call away may take before it cannot be taken back.
const PUT_AWAY: Duration = Duration::from_secs(10);
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
                course::run(&context, live, orders, span).await;
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
