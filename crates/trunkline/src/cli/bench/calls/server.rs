//! The server that `bench calls` puts under load: the gateway's own webhooks and sockets of calls, and behind them
//! either an echo or the whole pipeline with an agent and a voice that answer from memory.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Bytes as Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use futures_util::stream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use trunkline::Server;
use trunkline::agents::{Agents, Roster};
use trunkline::calls::{Calls, Engines};
use trunkline::config::{Reader, Settings, VoiceSettings};
use trunkline::connectors::Connectors;
use trunkline::edge::{Readiness, VoiceEdge, Warnings, call_sockets, health_routes, voice_routes};
use trunkline::live::Live;
use trunkline::media::{Media, MediaFolder};
use trunkline::pipeline::{CatchUpTrigger, Context, Horizon, TurnsUnderWay, Typing, Untold};
use trunkline::recall::Recall;
use trunkline::summaries::Summaries;
use trunkline::telemetry::{ObservedVoice, Telemetry, observe_streams};
use trunkline_agent::turns::{Input, Output, Policy, ReplyId, TurnMachine};
use trunkline_agent::{Agent, AgentError, AgentEvent, AgentStream, Turn};
use trunkline_audio::{FRAME_SAMPLES, g711};
use trunkline_bus::{Bus, EmbeddedBus, EmbeddedOptions};
use trunkline_core::Pii;
use trunkline_core::messaging::WebhookEvent;
use trunkline_core::voice::{AudioEvent, AudioStream, SessionId, VoiceBackend, VoiceError};
use trunkline_proto::form;
use trunkline_speech::live;
use trunkline_speech::recognition::{MAX_TRANSCRIPTS, Recognition, RecognitionRequest, Transcript};
use trunkline_speech::synthesis::{Speech, SynthesisRequest};
use trunkline_speech::{Recognizer, SpeechError, Synthesizer};
use trunkline_store::Store;
use trunkline_twilio::voice::{TwilioVoice, paths};

use super::super::{CallPath, CallServerArgs};
use super::talk::{ANSWER, END_SILENCE};
use crate::cli::failed;
use crate::cli::run::{prepare, runtime, until_signal, with_flag};

/// What the agent says.
const WORDS: &str = "We are open from nine to five.";
/// Silence after which the ear of the bench says what it heard, in frames.
const EAR_SILENCE: u32 = 5;
/// Frames between two marks of the echo: a second.
const MARK_EVERY: u32 = 50;

pub(in super::super) fn run(args: &CallServerArgs) -> ExitCode {
    server(args).unwrap_or_else(|code| code)
}

fn server(args: &CallServerArgs) -> Result<ExitCode, ExitCode> {
    let reader = with_flag(Reader::from_process(), "twilio.base_url", Some(args.emulator.clone()));
    let (settings, telemetry) = prepare(&reader)?;
    let runtime = runtime()?;
    let outcome = runtime.block_on(serve(args, settings, &telemetry));
    runtime.shutdown_background();
    outcome.map(|()| ExitCode::SUCCESS).map_err(|reason| failed(&reason))
}

async fn serve(args: &CallServerArgs, settings: Settings, telemetry: &Telemetry) -> Result<(), String> {
    let server = Server::bind(settings.listen).await.map_err(|error| error.to_string())?;
    let VoiceSettings { backend, calls: mut call_settings, .. } =
        *settings.voice.clone().ok_or_else(|| "calls are switched off".to_owned())?;
    let policy = &mut call_settings.policy;
    (policy.end_silence, policy.min_end_silence, policy.max_end_silence) = (END_SILENCE, END_SILENCE, END_SILENCE);
    let twilio = TwilioVoice::new(backend).map_err(|error| error.to_string())?;
    let counters = twilio.counters();
    observe_streams(&telemetry.meter(), &counters);
    let inner = Arc::new(twilio.clone());
    let observed = ObservedVoice::new(inner, "AC", &telemetry.meter(), move || counters.streams());
    let backend: Arc<dyn VoiceBackend> = Arc::new(observed);
    backend.start().await.map_err(|error| error.to_string())?;
    let context = context(args, &settings, telemetry).await?;
    let engines =
        Engines { recognizers: vec![Arc::new(Ear(TaskTracker::new()))], voices: vec![Arc::new(Tone)], model: None };
    let calls = Calls::new(context.clone(), call_settings, Arc::clone(&backend), engines);
    let readiness = Readiness::starting();
    readiness.pipeline_started();
    let public_base = format!("http://{}", server.address());
    let edge = Arc::new(VoiceEdge {
        twilio: twilio.clone(),
        backend: Arc::clone(&backend),
        calls,
        bus: Arc::clone(&context.bus),
        ingress: context.subjects.ingress.clone(),
        public_base: public_base.clone(),
        readiness: readiness.clone(),
        metrics: telemetry.metrics(),
        warnings: Warnings::default(),
        sockets: TaskTracker::new(),
    });
    let webhooks = match args.path {
        CallPath::Pipeline => voice_routes(Arc::clone(&edge)),
        CallPath::Transport => {
            let echoes = Echoes { backend, public_base, tasks: TaskTracker::new() };
            Router::new().route(paths::VOICE, post(announced)).with_state(echoes)
        }
    };
    let router = health_routes(readiness, telemetry.registry()).merge(webhooks).merge(call_sockets(edge));
    tokio::select! {
        () = server.serve(router, CancellationToken::new(), Duration::ZERO) => {}
        () = until_signal() => {}
    }
    Ok(())
}

async fn context(args: &CallServerArgs, settings: &Settings, telemetry: &Telemetry) -> Result<Context, String> {
    let bus = EmbeddedBus::open(&EmbeddedOptions::new(args.data_dir.join("bus.db")));
    let bus: Arc<dyn Bus> = Arc::new(bus.map_err(|error| error.to_string())?);
    let store = Store::open(&args.data_dir.join("store.db")).await.map_err(|error| error.to_string())?;
    let horizon = Horizon::open(&store, settings.catch_up.look_back, settings.catch_up.max_age);
    Ok(Context {
        bus,
        subjects: settings.subjects.clone(),
        horizon: horizon.await.map_err(|error| error.to_string())?,
        recall: Recall::off(store.clone(), telemetry.metrics()),
        summaries: Summaries::off(store.clone(), telemetry.metrics()),
        store,
        connectors: Connectors::new([]),
        agents: Agents::new(Roster::of(Arc::new(Memory))),
        settings: Arc::new(settings.pipeline.clone()),
        catch_up: settings.catch_up.clone(),
        media: Media::new(MediaFolder::within(&args.data_dir), settings.media.clone(), String::new()),
        metrics: telemetry.metrics(),
        live: Live::default(),
        missed: CatchUpTrigger::default(),
        typing: Typing::new().1,
        untold: Untold::default(),
        under_way: TurnsUnderWay::default(),
    })
}

/// Calls whose audio is sent back.
#[derive(Clone)]
struct Echoes {
    backend: Arc<dyn VoiceBackend>,
    public_base: String,
    tasks: TaskTracker,
}

/// The webhook of a call that comes in.
async fn announced(State(echoes): State<Echoes>, headers: HeaderMap, body: Body) -> Response {
    let signature = headers.get("x-twilio-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let event = WebhookEvent {
        url: format!("{}{}", echoes.public_base, paths::VOICE),
        method: "POST".to_owned(),
        headers: vec![("x-twilio-signature".to_owned(), signature.to_owned())],
        params: form::decode(&body).unwrap_or_default(),
        body,
        received_at: jiff::Timestamp::now(),
    };
    match echoes.backend.handle_inbound_call(&event).await {
        Ok(session) => {
            let (backend, id) = (Arc::clone(&echoes.backend), session.id().clone());
            let work = async move {
                // A call that ends early is counted by who called.
                drop(call(&*backend, &id).await);
            };
            echoes.tasks.spawn(work.instrument(tracing::Span::none()));
            session
                .answer()
                .map_or_else(|| StatusCode::NO_CONTENT.into_response(), |answer| answer.body.into_response())
        }
        Err(error) => (StatusCode::FORBIDDEN, error.to_string()).into_response(),
    }
}

async fn call(backend: &dyn VoiceBackend, id: &SessionId) -> Result<(), VoiceError> {
    let stream = backend.stream_audio(id).await?;
    let mut echo = Echo::new(stream);
    let outcome = echo.run().await;
    backend.close_session(id).await?;
    outcome
}

/// Decodes each frame, enters it in the ledger, encodes it and sends it.
struct Echo {
    stream: AudioStream,
    machine: TurnMachine,
    reply: Option<ReplyId>,
    began: Instant,
}

impl Echo {
    fn new(stream: AudioStream) -> Self {
        let mut machine = TurnMachine::new(Policy::default());
        machine.handle(Duration::ZERO, Input::Announce { interruptible: false });
        let mut reply = None;
        while let Some(output) = machine.poll_output() {
            if let Output::Start { reply: started, .. } = output {
                reply = Some(started);
            }
        }
        Self { stream, machine, reply, began: Instant::now() }
    }

    async fn run(&mut self) -> Result<(), VoiceError> {
        let Some(reply) = self.reply else { return Ok(()) };
        let mut segment = None;
        let mut frames = 0;
        while let Some(event) = self.stream.next().await {
            match event? {
                AudioEvent::Frame(frame) => {
                    let now = self.began.elapsed();
                    let mut linear = [0; FRAME_SAMPLES];
                    g711::decode_into(&frame, &mut linear);
                    segment = segment.or_else(|| self.machine.begin_segment(reply, "echo"));
                    let Some(current) = segment else { return Ok(()) };
                    if self.machine.audio_sent(now, current, FRAME_SAMPLES) {
                        let mut frame = [0; FRAME_SAMPLES];
                        g711::encode_into(&linear, &mut frame);
                        self.stream.audio(&frame)?;
                    }
                    frames += 1;
                    if frames % MARK_EVERY == 0 {
                        if let Some(mark) = self.machine.segment_sent(current) {
                            self.stream.mark(mark.as_str())?;
                        }
                        segment = None;
                    }
                    self.stream.flush().await?;
                }
                AudioEvent::Mark(name) => self.machine.handle(self.began.elapsed(), Input::Mark(name)),
                AudioEvent::Digit(_) => {}
                AudioEvent::Stopped => break,
            }
        }
        Ok(())
    }
}

/// An agent that knows one answer.
struct Memory;

#[async_trait]
impl Agent for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn respond(&self, _: Turn) -> Result<AgentStream, AgentError> {
        let answer = AgentEvent::Text(Pii::new(WORDS.to_owned()));
        Ok(Box::pin(stream::iter([Ok(answer)])))
    }
}

/// A voice that says everything alike, from memory.
struct Tone;

#[async_trait]
impl Synthesizer for Tone {
    fn name(&self) -> &'static str {
        "tone"
    }

    async fn speak(&self, _: SynthesisRequest) -> Result<Speech, SpeechError> {
        static AUDIO: [u8; 8 * ANSWER.as_millis() as usize] = [0x35; 8 * ANSWER.as_millis() as usize];
        Ok(Speech::ready(bytes::Bytes::from_static(&AUDIO)))
    }
}

/// An ear that has always heard the same when speech ends. It is part of the bench: no recognizer runs.
struct Ear(TaskTracker);

#[async_trait]
impl Recognizer for Ear {
    fn name(&self) -> &'static str {
        "bench"
    }

    async fn open(&self, _: RecognitionRequest) -> Result<Recognition, SpeechError> {
        let (audio, mut source) = live::channel();
        let (words, transcripts) = tokio::sync::mpsc::channel(MAX_TRANSCRIPTS);
        let stop = CancellationToken::new();
        let ended = stop.clone();
        let work = async move {
            let (mut sound, mut silence) = (0_u32, 0_u32);
            while let Some(frame) = source.next().await {
                if frame.iter().all(|byte| *byte == g711::SILENCE) {
                    silence += 1;
                } else {
                    (sound, silence) = (sound + 1, 0);
                }
                if silence == EAR_SILENCE && std::mem::take(&mut sound) > EAR_SILENCE {
                    let text = Pii::new("what time do you open on saturday".to_owned());
                    if words.send(Ok(Transcript::Final { text, confidence: None })).await.is_err() {
                        return;
                    }
                }
            }
        };
        self.0.spawn(
            async move {
                tokio::select! {
                    () = work => {}
                    () = ended.cancelled() => {}
                }
            }
            .instrument(tracing::Span::none()),
        );
        Ok(Recognition::new(audio, transcripts, stop.drop_guard()))
    }
}
