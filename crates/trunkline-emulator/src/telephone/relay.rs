//! ConversationRelay: words instead of audio. What the caller says is understood here, what the server says is spoken
//! here, sentence by sentence.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use trunkline_audio::vad::{SpeechDetector, SpeechEvent, SpeechSettings};
use trunkline_audio::{FRAME_MS, FRAME_SAMPLES, g711};
use trunkline_proto::relay::{CallerSession, Command, Rejected, Setup};
use trunkline_proto::sid::RelaySessionSid;
use trunkline_proto::twiml::{ConversationRelay, Interruptible, Play, Prompt, SpeechTimeout};

use super::gather::words;
use super::interpreter::{Interpreter, tones};
use super::leg::{Leg, Stopped};
use super::plane::Heard;
use super::socket::{self, Socket};
use super::utterance::{Talk, sentence_end};
use crate::state::events::Params;

/// How a session ended: what the action is told, and whether the socket was lost.
pub(super) struct Session {
    pub(super) params: Params,
    pub(super) lost: bool,
}

/// How a session goes on after a message.
enum Next {
    GoOn,
    Ended(Option<String>),
    Lost,
}

struct Running<'a> {
    interpreter: &'a Interpreter<'a>,
    leg: &'a Leg,
    options: &'a ConversationRelay,
    session: CallerSession,
    socket: Socket,
    out: Vec<u8>,
    /// Tokens that make no whole sentence yet.
    pending: String,
    talk: Talk,
    /// What may interrupt what is spoken now.
    interruptible: Interruptible,
    heard_language: String,
}

impl Interpreter<'_> {
    pub(super) async fn relay(&self, options: &ConversationRelay) -> Result<Session, Stopped> {
        let begun = Instant::now();
        let sid = RelaySessionSid::from_random(rand::random());
        let report = |status: &str, handoff: Option<String>| {
            let mut params: Params = vec![
                ("SessionId", sid.to_string()),
                ("SessionStatus", status.to_owned()),
                ("SessionDuration", begun.elapsed().as_secs().to_string()),
            ];
            params.extend(handoff.map(|data| ("HandoffData", data)));
            params
        };
        let url = options.url.clone().unwrap_or_default();
        let token = &self.leg.net.account().auth_token;
        let Ok(socket) = self.leg.unless_stopped(socket::open(&url, token)).await? else {
            self.leg.note(64102, 0, "The relay's socket could not be opened").await;
            return Ok(Session { params: report("failed", None), lost: true });
        };
        let mut running = Running {
            interpreter: self,
            leg: self.leg,
            options,
            session: CallerSession::new(),
            socket,
            out: Vec::new(),
            pending: String::new(),
            talk: Talk::default(),
            interruptible: Interruptible::Any,
            heard_language: options
                .transcription_language
                .clone()
                .or_else(|| options.language.clone())
                .unwrap_or_else(|| "en-US".to_owned()),
        };
        let outcome = running.run(sid).await;
        running.close().await;
        self.leg.plane().clips().clear();
        match outcome? {
            Next::Ended(handoff) => Ok(Session { params: report("ended", handoff), lost: false }),
            Next::GoOn | Next::Lost => {
                self.leg.note(64105, 0, "The relay's socket ended").await;
                Ok(Session { params: report("failed", None), lost: true })
            }
        }
    }
}

impl Running<'_> {
    async fn run(&mut self, sid: RelaySessionSid) -> Result<Next, Stopped> {
        let setup = self.setup(sid);
        self.session.write_setup(&setup, &mut self.out);
        if self.send().await.is_err() {
            return Ok(Next::Lost);
        }
        let mut frames = self.leg.plane().listen(true, false);
        self.leg.plane().texts.clear();
        if let Some(greeting) = &self.options.welcome_greeting {
            self.interruptible = self.options.welcome_greeting_interruptible.unwrap_or(Interruptible::Any);
            self.say(&greeting.clone()).await?;
        }
        let hangover_ms = match self.options.speech_timeout {
            Some(SpeechTimeout::After(ms)) => u64::from(ms.clamp(600, 5000)),
            _ => AUTO_SILENCE_MS,
        };
        let mut ears = Ears {
            detector: SpeechDetector::new(SpeechSettings { hangover_ms, ..SpeechSettings::default() }),
            now_ms: 0,
            audio: Vec::new(),
            speaking: false,
            passed_over: false,
        };
        loop {
            let leg = self.leg;
            let next = tokio::select! {
                biased;
                stopped = leg.stopped() => return Err(stopped),
                message = self.socket.next() => match message {
                    Some(Ok(Message::Text(text))) => self.message(&text).await?,
                    Some(Ok(Message::Binary(_))) => {
                        let rejected = self.session.binary();
                        self.reject(rejected).await
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => Next::Lost,
                    Some(Ok(_)) => Next::GoOn,
                },
                heard = frames.recv() => match heard {
                    Some(Heard::Inbound(frame, _)) => self.hear(&mut ears, &frame).await?,
                    Some(Heard::Digit(digit)) => self.key(digit).await,
                    Some(Heard::Outbound(..)) => Next::GoOn,
                    None => Next::Lost,
                },
            };
            if !matches!(next, Next::GoOn) {
                return Ok(next);
            }
        }
    }

    fn setup(&self, sid: RelaySessionSid) -> Setup {
        let leg = self.leg;
        let parameters = self
            .options
            .parameters
            .iter()
            .filter_map(|parameter| Some((parameter.name.clone()?, parameter.value.clone().unwrap_or_default())));
        Setup {
            session_id: sid.to_string(),
            account_sid: leg.net.account().account_sid.to_string(),
            parent_call_sid: leg.parent.map(|sid| sid.to_string()).unwrap_or_default(),
            call_sid: leg.sid.to_string(),
            from: leg.from.clone(),
            to: leg.to.clone(),
            forwarded_from: String::new(),
            call_type: "PSTN".to_owned(),
            caller_name: String::new(),
            direction: leg.direction.as_str().to_owned(),
            call_status: "IN-PROGRESS".to_owned(),
            custom_parameters: parameters.collect::<BTreeMap<_, _>>(),
        }
    }

    async fn message(&mut self, text: &str) -> Result<Next, Stopped> {
        let command = match self.session.text(text) {
            Ok(command) => command,
            Err(rejected) => return Ok(self.reject(rejected).await),
        };
        let allowed = |said: Option<bool>, options: &ConversationRelay| match said {
            Some(true) => Interruptible::Any,
            Some(false) => Interruptible::None,
            None => options.interruptible.unwrap_or(Interruptible::Any),
        };
        match command {
            Command::Text { token, last, interruptible, .. } => {
                self.interruptible = allowed(interruptible, self.options);
                if self.pending.len().saturating_add(token.len()) <= MAX_PENDING_BYTES {
                    self.pending.push_str(&token);
                }
                while let Some(end) = sentence_end(&self.pending) {
                    let rest = self.pending.split_off(end);
                    let sentence = std::mem::replace(&mut self.pending, rest);
                    self.say(&sentence).await?;
                }
                if last {
                    let rest = std::mem::take(&mut self.pending);
                    self.say(&rest).await?;
                }
            }
            Command::Play { source, times, interruptible, .. } => {
                self.interruptible = allowed(interruptible, self.options);
                let play = Prompt::Play(Play::url(source));
                if let Some((sound, _)) = self.leg.unless_stopped(self.interpreter.prompt(&play)).await? {
                    self.leg.plane().clips().push(sound, times);
                }
            }
            Command::SendDigits { digits } => {
                if let Some(sound) = tones(&digits) {
                    self.leg.plane().clips().push(sound, 1);
                }
            }
            Command::Language { transcription, .. } => {
                if let Some(language) = transcription {
                    self.heard_language = language.into_owned();
                }
            }
            Command::End { handoff_data } => {
                return Ok(Next::Ended(handoff_data.map(std::borrow::Cow::into_owned)));
            }
        }
        Ok(Next::GoOn)
    }

    async fn say(&mut self, text: &str) -> Result<(), Stopped> {
        if text.trim().is_empty() {
            return Ok(());
        }
        match self.leg.unless_stopped(self.leg.net.studio().speak(text.trim())).await? {
            Ok(sound) => {
                let mut plane = self.leg.plane();
                plane.says(text.trim());
                self.talk.push(text, sound, plane.clips());
            }
            Err(problem) => self.leg.note(64111, 1, &problem.to_string()).await,
        }
        Ok(())
    }

    async fn hear(&mut self, ears: &mut Ears, frame: &super::clip::Frame) -> Result<Next, Stopped> {
        let mut samples = [0_i16; FRAME_SAMPLES];
        g711::decode_into(frame, &mut samples);
        let event = ears.detector.push(ears.now_ms, &samples);
        ears.now_ms = ears.now_ms.saturating_add(FRAME_MS);
        if !ears.speaking && ears.audio.len() > PREROLL_BYTES {
            ears.audio.drain(..FRAME_SAMPLES);
        }
        if ears.audio.len() < MAX_HEARD_BYTES {
            ears.audio.extend_from_slice(frame);
        }
        match event {
            Some(SpeechEvent::Started { .. }) => {
                ears.speaking = true;
                let plays = !self.leg.plane().clips().is_empty();
                let stops = matches!(self.interruptible, Interruptible::Any | Interruptible::Speech);
                let reports = self.options.report_input_during_agent_speech.unwrap_or(Interruptible::None);
                ears.passed_over = plays && !stops && !matches!(reports, Interruptible::Any | Interruptible::Speech);
                if plays && stops && self.interrupt().await.is_err() {
                    return Ok(Next::Lost);
                }
            }
            Some(SpeechEvent::Ended { .. }) => {
                ears.speaking = false;
                let audio = std::mem::take(&mut ears.audio);
                let hints = self.options.hints.clone();
                let text = self.leg.unless_stopped(words(self.leg, &audio, hints.as_deref())).await?;
                if !text.is_empty() && !ears.passed_over {
                    self.session.write_prompt(&text, &self.heard_language, true, &mut self.out);
                    if self.send().await.is_err() {
                        return Ok(Next::Lost);
                    }
                }
            }
            None => {}
        }
        Ok(Next::GoOn)
    }

    async fn key(&mut self, digit: char) -> Next {
        let plays = !self.leg.plane().clips().is_empty();
        let stops = matches!(self.interruptible, Interruptible::Any | Interruptible::Dtmf);
        if plays && stops && self.interrupt().await.is_err() {
            return Next::Lost;
        }
        if self.options.dtmf_detection == Some(true) {
            self.session.write_dtmf(digit, &mut self.out);
            if self.send().await.is_err() {
                return Next::Lost;
            }
        }
        Next::GoOn
    }

    /// Falls silent, and tells how much was heard.
    async fn interrupt(&mut self) -> Result<(), ()> {
        self.pending.clear();
        let heard = self.talk.interrupt(self.leg.plane().clips());
        self.session.write_interrupt(&heard.text, heard.ms, &mut self.out);
        self.send().await
    }

    async fn reject(&mut self, rejected: Rejected) -> Next {
        self.leg.note(rejected.number, 1, &rejected.error.to_string()).await;
        self.session.write_error(&rejected.error.to_string(), &mut self.out);
        if self.send().await.is_err() {
            return Next::Lost;
        }
        match rejected.close {
            Some(close) => {
                let frame = CloseFrame { code: close.code.into(), reason: Utf8Bytes::from_static(close.reason) };
                drop(tokio::time::timeout(CLOSE_PATIENCE, self.socket.close(Some(frame))).await);
                Next::Lost
            }
            None => Next::GoOn,
        }
    }

    async fn send(&mut self) -> Result<(), ()> {
        let text = String::from_utf8(std::mem::take(&mut self.out)).map_err(|_| ())?;
        match tokio::time::timeout(SEND_PATIENCE, self.socket.send(Message::text(text))).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(()),
        }
    }

    async fn close(&mut self) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
        drop(tokio::time::timeout(CLOSE_PATIENCE, self.socket.close(Some(frame))).await);
    }
}

/// What the caller says.
struct Ears {
    detector: SpeechDetector,
    now_ms: u64,
    audio: Vec<u8>,
    speaking: bool,
    /// This speech is not reported: it came while the agent spoke and may not be.
    passed_over: bool,
}

/// Silence that ends speech, unless the document says otherwise.
const AUTO_SILENCE_MS: u64 = 800;
/// Text that makes no whole sentence yet.
const MAX_PENDING_BYTES: usize = 4096;
const PREROLL_BYTES: usize = 2400;
/// What is kept of one utterance: a minute.
const MAX_HEARD_BYTES: usize = 480_000;
const SEND_PATIENCE: Duration = Duration::from_secs(5);
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
