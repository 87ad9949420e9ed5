//! The near side of a call: carries out documents, verb by verb.

use std::sync::Arc;
use std::time::Duration;

use trunkline_audio::dtmf::Tones;
use trunkline_audio::g711;
use trunkline_proto::twiml::{ConnectTarget, HttpMethod, Play, Prompt, Reject, Say, StartTarget, StopTarget, Verb};

use super::clip::Sound;
use super::document::{self, Document};
use super::leg::{Leg, Stopped};
use super::plane::{HungUpBy, Phase};
use super::stream::{BesideKind, StreamPlan};
use super::transcription::TranscriptionPlan;
use super::wav;
use crate::state::calls::records::{CallDirection, CallStatus};
use crate::state::events::{Params, Target};
use crate::state::records::Method;

/// Carries out documents.
pub(super) struct Interpreter<'a> {
    pub(super) leg: &'a Arc<Leg>,
    /// The present document's own URL.
    pub(super) base: Option<Target>,
    verbs: usize,
    documents: usize,
}

/// What comes after a verb.
pub(super) enum Flow {
    /// The next verb.
    Next,
    Go(Document),
    End,
}

impl<'a> Interpreter<'a> {
    pub(super) fn new(leg: &'a Arc<Leg>) -> Self {
        Self { leg, base: None, verbs: 0, documents: 0 }
    }

    /// Runs until the call is over: at the end of the last document it hangs up.
    pub(super) async fn run(mut self, document: Document) {
        let mut next = Some(document);
        while let Some(document) = next.take() {
            // Boxed: documents lead to documents, and their state is large.
            match Box::pin(self.document(document)).await {
                Ok(Flow::Go(document)) => next = Some(document),
                Ok(Flow::Next | Flow::End) => self.leg.hang_up(HungUpBy::Document),
                Err(Stopped::HungUp) => {}
                Err(Stopped::Redirected) => {
                    next = self.leg.change(|plane| {
                        plane.source = super::plane::Source::Silence;
                        plane.next.take()
                    });
                }
            }
        }
    }

    /// Runs one document that is not the call's own, such as that of a `<Number>`.
    pub(super) async fn aside(mut self, document: Document) -> Result<(), Stopped> {
        let mut next = Some(document);
        while let Some(document) = next.take() {
            if let Flow::Go(document) = Box::pin(self.document(document)).await? {
                next = Some(document);
            }
        }
        Ok(())
    }

    async fn document(&mut self, document: Document) -> Result<Flow, Stopped> {
        self.documents = self.documents.saturating_add(1);
        if self.documents > MAX_DOCUMENTS {
            self.leg.note(11215, 0, "The call went through too many documents").await;
            return Ok(Flow::End);
        }
        let fallback = self.leg.fallback();
        let ready = self.leg.unless_stopped(document::ready(self.leg, document, fallback.as_ref())).await?;
        let Ok(ready) = ready else {
            self.answer().await;
            self.say(&Say::text(FAILED)).await?;
            return Ok(Flow::End);
        };
        self.base = ready.base.or_else(|| self.base.take());
        for verb in &ready.parsed.response.verbs {
            self.verbs = self.verbs.saturating_add(1);
            if self.verbs > MAX_VERBS {
                self.leg.note(11215, 0, "The call carried out too many verbs").await;
                return Ok(Flow::End);
            }
            match Box::pin(self.verb(verb)).await? {
                Flow::Next => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    }

    async fn verb(&mut self, verb: &Verb) -> Result<Flow, Stopped> {
        if !matches!(verb, Verb::Reject(_) | Verb::Redirect(_) | Verb::Dial(_)) {
            self.answer().await;
        }
        match verb {
            Verb::Say(say) => self.say(say).await?,
            Verb::Play(play) => self.play(play).await?,
            Verb::Pause(pause) => self.pause(pause.length).await?,
            Verb::Gather(gather) => return self.gather(gather).await,
            Verb::Dial(dial) => return self.dial(dial).await,
            Verb::Record(record) => return self.record(record).await,
            Verb::Redirect(redirect) => {
                return Ok(match self.target(Some(&redirect.url), redirect.method) {
                    Some(target) => Flow::Go(Document::at(target)),
                    None => Flow::End,
                });
            }
            Verb::Reject(reject) => return Ok(self.reject(reject).await),
            Verb::Hangup => return Ok(Flow::End),
            Verb::Connect(connect) => {
                let extra = match &connect.target {
                    ConnectTarget::Stream(stream) => {
                        let plan = StreamPlan::of(
                            stream,
                            self.target(stream.status_callback.as_deref(), stream.status_callback_method),
                        );
                        self.leg.connect_stream(plan).await?;
                        Params::new()
                    }
                    ConnectTarget::ConversationRelay(relay) => {
                        let session = self.relay(relay).await?;
                        if session.lost && connect.action.is_none() {
                            self.leg.plane().ending = Some(CallStatus::Failed);
                            return Ok(Flow::End);
                        }
                        session.params
                    }
                    _ => Params::new(),
                };
                if connect.action.is_some() {
                    return Ok(self.action(connect.action.as_deref(), connect.method, extra));
                }
            }
            Verb::Start(start) => match &start.target {
                StartTarget::Stream(stream) => {
                    let plan = StreamPlan::of(
                        stream,
                        self.target(stream.status_callback.as_deref(), stream.status_callback_method),
                    );
                    self.leg.start_stream(plan).await;
                }
                StartTarget::Transcription(asked) => {
                    let callback = self.target(asked.status_callback_url.as_deref(), asked.status_callback_method);
                    if self.leg.start_transcription(TranscriptionPlan::of(asked, callback)).is_none() {
                        self.leg.note(32650, 0, "The call has as many transcriptions as it may have").await;
                    }
                }
                _ => {}
            },
            Verb::Stop(stop) => {
                let stopped = match &stop.target {
                    StopTarget::Stream(name) => self.leg.stop_beside(BesideKind::Stream, name.as_deref()),
                    StopTarget::Transcription(name) => self.leg.stop_beside(BesideKind::Transcription, name.as_deref()),
                    _ => None,
                };
                if stopped.is_none() {
                    self.leg.note(12200, 1, "<Stop> names nothing that runs").await;
                }
            }
            Verb::Message(_) => self.leg.note(12200, 1, "<Message> is not for calls").await,
            _ => {}
        }
        Ok(Flow::Next)
    }

    /// Answers an inbound call that still rings.
    pub(super) async fn answer(&self) {
        if self.leg.direction == CallDirection::Inbound && self.leg.plane().phase == Phase::Ringing {
            self.leg.move_on(CallStatus::InProgress, "answered", None).await;
        }
    }

    async fn reject(&self, reject: &Reject) -> Flow {
        if self.leg.plane().phase == Phase::Ringing {
            let busy = reject.reason.as_deref() == Some("busy");
            self.leg.plane().ending = Some(if busy { CallStatus::Busy } else { CallStatus::NoAnswer });
        } else {
            self.leg.note(12200, 1, "<Reject> comes too late: the call was answered").await;
        }
        Flow::End
    }

    /// A URL relative to the present document.
    pub(super) fn target(&self, url: Option<&str>, method: Option<HttpMethod>) -> Option<Target> {
        document::resolve(self.base.as_ref(), Some(url.filter(|url| !url.is_empty())?), method)
    }

    /// Where an action leads; without a URL to the present document again.
    pub(super) fn action(&self, url: Option<&str>, method: Option<HttpMethod>, extra: Params) -> Flow {
        match document::resolve(self.base.as_ref(), url, method) {
            Some(target) => Flow::Go(Document::Fetch { target, extra }),
            None => Flow::Next,
        }
    }

    /// The sound of a prompt, and how often it is played; nothing if it cannot be had.
    pub(super) async fn prompt(&self, prompt: &Prompt) -> Option<(Sound, u32)> {
        match prompt {
            Prompt::Say(say) => self.spoken(say).await,
            Prompt::Play(play) => self.file(play).await,
            Prompt::Pause(pause) => {
                let bytes =
                    usize::try_from(pause.length.unwrap_or(1).min(MAX_PAUSE_S)).unwrap_or(1).saturating_mul(8000);
                Some((vec![g711::SILENCE; bytes].into(), 1))
            }
        }
    }

    async fn spoken(&self, say: &Say) -> Option<(Sound, u32)> {
        match self.leg.net.studio().speak(say.speech.plain()).await {
            Ok(sound) => {
                self.leg.plane().says(say.speech.plain());
                Some((sound, say.repeat.unwrap_or(1)))
            }
            Err(problem) => {
                self.leg.note(13520, 1, &problem.to_string()).await;
                None
            }
        }
    }

    async fn file(&self, play: &Play) -> Option<(Sound, u32)> {
        if let Some(digits) = &play.digits {
            return tones(digits).map(|sound| (sound, 1));
        }
        let target = self.target(Some(&play.url), Some(HttpMethod::Get))?;
        let target = Target { method: Method::Get, ..target };
        let fetched = self.leg.net.sender().fetch(&target, &Params::new(), FILE_PATIENCE, MAX_FILE_BYTES).await;
        let file = match fetched {
            Ok(fetched) if fetched.status.is_success() => fetched.body,
            _ => {
                self.leg.note(11200, 0, "A file to be played could not be fetched").await;
                return None;
            }
        };
        match wav::read(&file) {
            Ok(sound) => Some((sound, play.repeat.unwrap_or(1))),
            Err(problem) => {
                self.leg.note(12300, 0, &problem.to_string()).await;
                None
            }
        }
    }

    async fn say(&self, say: &Say) -> Result<(), Stopped> {
        match self.leg.unless_stopped(self.spoken(say)).await? {
            Some((sound, times)) => self.leg.play(sound, times).await,
            None => Ok(()),
        }
    }

    async fn play(&self, play: &Play) -> Result<(), Stopped> {
        match self.leg.unless_stopped(self.file(play)).await? {
            Some((sound, times)) => self.leg.play(sound, times).await,
            None => Ok(()),
        }
    }

    async fn pause(&self, length: Option<u32>) -> Result<(), Stopped> {
        let length = Duration::from_secs(u64::from(length.unwrap_or(1)));
        self.leg.unless_stopped(tokio::time::sleep(length)).await
    }
}

/// Keys as sound; nothing if one is no key.
pub(crate) fn tones(keys: &str) -> Option<Sound> {
    let mut tones = Tones::new(keys).ok()?;
    let mut sound = Vec::new();
    let mut samples = [0_i16; 160];
    loop {
        let count = tones.fill(&mut samples);
        if count == 0 {
            return Some(sound.into());
        }
        sound.extend(samples.iter().take(count).map(|sample| g711::encode(*sample)));
    }
}

/// What Twilio says, in its own words, when a document cannot be had.
const FAILED: &str = "We are sorry. An application error has occurred. Goodbye.";
/// Documents and verbs that one call may go through.
const MAX_DOCUMENTS: usize = 1000;
const MAX_VERBS: usize = 10_000;
/// Longest pause among prompts, in seconds.
const MAX_PAUSE_S: u32 = 600;
const FILE_PATIENCE: Duration = Duration::from_secs(15);
/// Longest file that is played, in bytes.
const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;
