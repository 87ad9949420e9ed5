//! The course of a call whose audio is ours: it is prepared, led by a model or by the turn machine, put on hold and taken
//! back, and put away.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{Instrument as _, Span};
use trunkline_agent::Agent;
use trunkline_agent::turns::EndReason;
use trunkline_core::Pii;
use trunkline_core::voice::{AnsweredBy, CallControl, CallDirection, RecordingMode, VoiceSession};
use trunkline_speech::SpeechError;
use trunkline_speech::dialogue::{Dialogue, DialogueRequest};

use super::ears::Ears;
use super::live_calls::{CallOrder, LiveCall, or_hung_up};
use super::provider::{close, end, give_up};
use super::recording::Recording;
use super::{CallContext, Context, Outcome, SOURCE, VoicemailPolicy, audio_call, dialogue_call, held, journal};
use crate::agents::Asked;

/// How long a socket may take to be closed by the rules; then it is dropped.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
/// How long a model that leads calls may take to be there.
const MODEL_PATIENCE: Duration = Duration::from_secs(2);

/// Leads it from the beginning to the end. The span is entered for its beginning and its end; in between the call does so itself.
pub(super) async fn run(context: &CallContext, live: Arc<LiveCall>, orders: mpsc::Receiver<CallOrder>, span: Span) {
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
    let Some(agent) = agent_of(pipeline, &session) else {
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
    let opened = journal::open(pipeline, &context.tasks, &session, SOURCE, journal::address_of(&session)).await;
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

/// The agent of a call: the one that was asked for, or the one that the routes choose.
pub(super) fn agent_of(pipeline: &Context, session: &VoiceSession) -> Option<Arc<dyn Agent>> {
    let number = match session.direction() {
        CallDirection::Inbound => session.to(),
        CallDirection::Outbound => session.from(),
    };
    let number = Some(number.expose().as_str());
    let along = session.metadata().iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    pipeline.agents.choose(&Asked {
        connector: SOURCE,
        channel: "voice",
        number,
        attributes: Some(&along),
        chosen: session.agent(),
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
pub(super) fn began(session: &VoiceSession, turns: i64) -> Instant {
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
