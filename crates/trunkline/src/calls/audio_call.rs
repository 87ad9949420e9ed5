//! A call whose audio is ours: one task, from the first frame to the last.
//!
//! The person's frames are its clock: each of them is heard, and makes room for one of ours. Nothing here waits for an
//! engine; what engines make comes in through [`Mouth::next`] and [`Recognition::next`].
//!
//! The call's span is entered where something happens, not at each poll: fifty times a second nothing does.

mod replies;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::Span;
use trunkline_agent::turns::{EndReason, Input, Output, TurnMachine};
use trunkline_agent::{Agent, Role, Utterance};
use trunkline_audio::level::rms_dbfs;
use trunkline_audio::vad::{SpeechDetector, SpeechEvent};
use trunkline_audio::{FRAME_MS, FRAME_SAMPLES, g711};
use trunkline_core::voice::{AudioEvent, AudioFrame, AudioStream, CallControl, VoiceError};
use trunkline_speech::recognition::{RecognitionRequest, Transcript};
use trunkline_store::CallTurn;

use super::ears::Ears;
use super::journal::{Journal, Known};
use super::keys::Keys;
use super::live_calls::{CallOrder, LiveCall};
use super::mouth::{Made, Mouth};
use super::provider::control_of;
use super::recording::Recording;
use super::{CallContext, FLUSH_PATIENCE, Outcome};

/// How often what is shown of a call is brought up to date, in frames.
const SHOW_EVERY: u64 = 10;
/// What the far end may say in a row before others are heard.
const MAX_IN_A_ROW: u32 = 16;
/// Without frames from the far end, ours are sent this often.
const WITHOUT_FRAMES: Duration = Duration::from_millis(60);
/// How long the far end may say nothing at all before the call is taken as lost.
const DEAD_AFTER: Duration = Duration::from_secs(30);

/// What a call begins with.
pub(super) struct Start {
    pub(super) live: Arc<LiveCall>,
    pub(super) orders: mpsc::Receiver<CallOrder>,
    pub(super) stream: AudioStream,
    pub(super) known: Known,
    pub(super) journal: Journal,
    pub(super) recording: Option<Recording>,
    pub(super) ears: Ears,
    pub(super) agent: Arc<dyn Agent>,
    /// A machine listens: it is told the greeting, and that is all.
    pub(super) leaves_message: bool,
    /// The first words, instead of the greeting.
    pub(super) opening: Option<String>,
    /// What an order asked of the provider.
    pub(super) control: Option<CallControl>,
    pub(super) began: Instant,
    /// What everything that happens belongs to.
    pub(super) span: Span,
}

/// What a call leaves when it is over, or when the person is put on hold.
pub(super) struct Left {
    pub(super) outcome: Outcome,
    pub(super) live: Arc<LiveCall>,
    pub(super) orders: mpsc::Receiver<CallOrder>,
    pub(super) known: Known,
    pub(super) agent: Arc<dyn Agent>,
    pub(super) journal: Journal,
    pub(super) recording: Option<Recording>,
    pub(super) began: Instant,
    /// Open until the provider has been told what is to become of the call; none while the person is on hold.
    pub(super) stream: Option<AudioStream>,
    /// What an order asked of the provider.
    pub(super) control: Option<CallControl>,
}

impl Left {
    /// Of a call that somebody else led to its end.
    pub(super) fn of(start: Start, outcome: Outcome) -> Self {
        let Start { live, orders, known, agent, journal, recording, began, control, stream, .. } = start;
        Self { outcome, live, orders, known, agent, journal, recording, began, stream: Some(stream), control }
    }
}

/// What happened.
enum Event {
    Far(Option<Result<AudioEvent, VoiceError>>),
    Heard(Option<Transcript>),
    Made(Made),
    Order(Option<CallOrder>),
    Time,
}

struct Call<'a> {
    context: &'a CallContext,
    live: Arc<LiveCall>,
    orders: mpsc::Receiver<CallOrder>,
    stream: AudioStream,
    machine: TurnMachine,
    detector: SpeechDetector,
    ears: Ears,
    mouth: Option<Mouth>,
    keys: Keys,
    /// A reply that was stopped, until it is known how much of it was heard.
    stopped: Option<Mouth>,
    /// Replies that failed one after the other.
    failures: u32,
    agent: Arc<dyn Agent>,
    contact: String,
    memories: BTreeMap<String, String>,
    history: Vec<Utterance>,
    /// Turns whose reply is not over, by the reply's number.
    open: BTreeMap<u64, CallTurn>,
    turns: i64,
    journal: Journal,
    recording: Option<Recording>,
    began: Instant,
    frames: u64,
    last_event: Instant,
    level_dbfs: f32,
    /// A person takes over when what is being said has been heard.
    hands_over: bool,
    announcement: Option<Vec<String>>,
    outcome: Option<Outcome>,
    control: Option<CallControl>,
    span: Span,
}

/// Leads a call until it is over.
///
/// # Cancel safety
/// Dropping it ends everything that belongs to the call.
pub(super) async fn lead(context: &CallContext, start: Start) -> Left {
    let settings = &context.settings;
    let Start { live, orders, stream, known, journal, recording, ears, agent, .. } = start;
    let Start { leaves_message, opening, control, began, span, .. } = start;
    let history = known
        .said
        .into_iter()
        .map(|(is_person, text)| Utterance { role: if is_person { Role::Person } else { Role::Agent }, text });
    let mut call = Call {
        context,
        live,
        orders,
        stream,
        machine: TurnMachine::new(settings.policy.clone()),
        detector: SpeechDetector::default(),
        ears,
        mouth: None,
        keys: Keys::default(),
        stopped: None,
        failures: 0,
        agent,
        contact: known.contact,
        history: history.collect(),
        memories: known.memories,
        open: BTreeMap::new(),
        turns: known.turns,
        journal,
        recording,
        began,
        frames: 0,
        last_event: Instant::now(),
        level_dbfs: -96.0,
        hands_over: false,
        announcement: None,
        outcome: None,
        control,
        span: span.clone(),
    };
    let greeting = if known.turns == 0 { settings.greeting_for(&call.memories) } else { settings.back.clone() };
    call.announce(vec![opening.unwrap_or(greeting)], !leaves_message);
    if leaves_message {
        call.machine.handle(Duration::ZERO, Input::EndCall(EndReason::Agent));
    }
    let ended = call.run().await;
    span.in_scope(|| {
        let outcome = match ended {
            Ok(outcome) => outcome,
            // The provider may have told that the call is over before its stream did.
            Err(_) if call.live.session.status().is_final() => Outcome::Caller,
            Err(error) => {
                tracing::warn!(error.code = error.code().as_str(), %error, "the audio of a call was lost");
                Outcome::Lost
            }
        };
        call.finish(outcome)
    })
}

impl Call<'_> {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    async fn run(&mut self) -> Result<Outcome, VoiceError> {
        let alarm = sleep_until(self.began);
        tokio::pin!(alarm);
        let mut in_a_row = 0;
        loop {
            // Before anything is said: who has hung up does not hear it.
            if let Some(outcome) = self.outcome.take() {
                return Ok(outcome);
            }
            self.pump()?;
            if !flush(&mut self.stream).await? {
                tracing::warn!(parent: &self.span, "the far end of a call does not read");
                return Ok(Outcome::Lost);
            }
            if let Some(outcome) = self.outcome.take() {
                return Ok(outcome);
            }
            self.set(alarm.as_mut());
            let event = self.next(alarm.as_mut(), in_a_row < MAX_IN_A_ROW).await;
            in_a_row = if matches!(event, Event::Far(_)) && in_a_row < MAX_IN_A_ROW { in_a_row + 1 } else { 0 };
            if !matches!(event, Event::Time | Event::Far(_)) {
                // Engines and orders do not prove that the far end lives.
            } else if matches!(event, Event::Far(_)) {
                self.last_event = Instant::now();
            } else if self.last_event.elapsed() > DEAD_AFTER {
                return Ok(Outcome::Lost);
            }
            match event {
                Event::Far(Some(Ok(AudioEvent::Frame(frame)))) => self.heard(self.now(), &frame),
                event => self.span.clone().in_scope(|| self.take(event))?,
            }
            self.do_outputs()?;
        }
    }

    /// The far end comes first; but one that never falls silent does not keep orders, engines, and what is due, waiting.
    async fn next(&mut self, alarm: std::pin::Pin<&mut Sleep>, far_first: bool) -> Event {
        let Self { stream, orders, ears, mouth, .. } = self;
        let made = async {
            match mouth {
                Some(mouth) if !mouth.is_held || mouth.wants_thoughts() => mouth.next().await,
                _ => std::future::pending().await,
            }
        };
        let others = async {
            tokio::select! {
                biased;
                order = orders.recv() => Event::Order(order),
                heard = ears.next() => Event::Heard(heard),
                made = made => Event::Made(made),
                () = alarm => Event::Time,
            }
        };
        if far_first {
            tokio::select! {
                biased;
                far = stream.next() => Event::Far(far),
                event = others => event,
            }
        } else {
            tokio::select! {
                biased;
                event = others => event,
                far = stream.next() => Event::Far(far),
            }
        }
    }

    /// Sets the alarm to the next moment at which something is due without anything happening.
    fn set(&mut self, mut alarm: std::pin::Pin<&mut Sleep>) {
        let now = self.now();
        let dead = (self.last_event + DEAD_AFTER).saturating_duration_since(self.began);
        let by_machine = self.machine.next_deadline().map_or(dead, |due| due.min(dead));
        let due = if self.keys.are_waiting() || self.mouth.as_ref().is_some_and(Mouth::has_audio) {
            by_machine.min(now + WITHOUT_FRAMES)
        } else {
            by_machine
        };
        let at = self.began + due;
        // An alarm that is early does no harm; setting it anew for each frame would cost.
        if alarm.is_elapsed() || at < alarm.deadline() {
            alarm.as_mut().reset(at);
        }
    }

    fn take(&mut self, event: Event) -> Result<(), VoiceError> {
        let now = self.now();
        match event {
            Event::Far(Some(Ok(AudioEvent::Frame(frame)))) => self.heard(now, &frame),
            Event::Far(Some(Ok(AudioEvent::Digit(digit)))) => self.machine.handle(now, Input::Digit(digit)),
            Event::Far(Some(Ok(AudioEvent::Mark(name)))) => self.machine.handle(now, Input::Mark(name)),
            Event::Far(Some(Ok(AudioEvent::Stopped)) | None) => self.outcome = Some(Outcome::Caller),
            Event::Far(Some(Err(error))) => return Err(error),
            Event::Heard(Some(transcript)) => self.machine.handle(
                now,
                match transcript {
                    Transcript::Partial(text) => Input::Partial(text),
                    Transcript::Final { text, .. } => Input::Final(text),
                    Transcript::EndOfUtterance => Input::EndOfUtterance,
                },
            ),
            Event::Heard(None) => {
                // No recognizer works. The person can still be spoken to, and use the keys.
                self.context.pipeline.metrics.call_deaf();
                let apology = self.context.settings.apology.clone();
                self.announce(vec![apology], true);
            }
            Event::Made(made) => self.made(now, made),
            Event::Order(Some(CallOrder::HangUp)) => self.machine.handle(now, Input::EndCall(EndReason::Operator)),
            Event::Order(Some(CallOrder::Say(text))) => self.announce(vec![text.into_inner()], true),
            Event::Order(Some(CallOrder::Drain)) => self.machine.handle(now, Input::EndCall(EndReason::Draining)),
            Event::Order(Some(CallOrder::Digits(digits))) => self.keys.press(&digits),
            Event::Order(Some(CallOrder::Machine)) => self.machine_listens(),
            Event::Order(Some(order)) => {
                if let Some((outcome, control)) = control_of(&self.context.settings, order) {
                    self.outcome = Some(outcome);
                    self.control = Some(control);
                }
            }
            Event::Order(None) => {}
            Event::Time => self.machine.handle(now, Input::Tick),
        }
        Ok(())
    }

    /// 20 ms of the person.
    fn heard(&mut self, now: Duration, frame: &AudioFrame) {
        let mut linear = [0_i16; FRAME_SAMPLES];
        g711::decode_into(frame, &mut linear);
        let at_ms = self.frames * FRAME_MS;
        self.frames += 1;
        self.ears.write(frame);
        if let Some(recording) = &mut self.recording {
            recording.heard(frame);
        }
        match self.detector.push(at_ms, &linear) {
            Some(SpeechEvent::Started { .. }) => {
                self.ears.speech(true);
                self.machine.handle(now, Input::SpeechStarted);
            }
            Some(SpeechEvent::Ended { at_ms: ended }) => {
                self.ears.speech(false);
                let ago = Duration::from_millis((at_ms + FRAME_MS).saturating_sub(ended));
                self.machine.handle(now, Input::SpeechEnded { at: now.saturating_sub(ago) });
            }
            None => {
                if self.machine.next_deadline().is_some_and(|due| due <= now) {
                    self.machine.handle(now, Input::Tick);
                }
            }
        }
        if self.frames.is_multiple_of(SHOW_EVERY) {
            self.level_dbfs = rms_dbfs(&linear);
            self.show();
        }
    }

    fn show(&mut self) {
        let phase = self.machine.phase();
        self.live.show(phase.as_str(), self.level_dbfs);
    }

    /// Keeps what is left of the turns that were under way.
    fn finish(mut self, outcome: Outcome) -> Left {
        let now = self.now();
        // What was heard of a reply that the end of the call cut off.
        self.machine.handle(now, Input::EndCall(EndReason::Operator));
        while let Some(output) = self.machine.poll_output() {
            if let Output::Spoken(spoken) = output {
                self.spoken(&spoken);
            }
        }
        let said = self.history.into_iter().map(|said| (said.role == Role::Person, said.text));
        Left {
            outcome,
            live: self.live,
            orders: self.orders,
            known: Known { contact: self.contact, turns: self.turns, said: said.collect(), memories: self.memories },
            agent: self.agent,
            journal: self.journal,
            recording: self.recording,
            began: self.began,
            stream: Some(self.stream),
            control: self.control,
        }
    }
}

/// What the recognizers are asked to listen for.
pub(super) fn request(language: &str, agent: &dyn Agent) -> RecognitionRequest {
    RecognitionRequest { language: language.to_owned(), vocabulary: agent.vocabulary() }
}

/// Writes out what is queued. `false`: the far end does not read.
pub(super) async fn flush(stream: &mut AudioStream) -> Result<bool, VoiceError> {
    // Nearly always it can be written at once, and no timer is needed.
    if let Some(flushed) = stream.flush().now_or_never() {
        return flushed.map(|()| true);
    }
    tokio::time::timeout(FLUSH_PATIENCE, stream.flush()).await.map_or(Ok(false), |flushed| flushed.map(|()| true))
}
