//! The words of one call over its socket.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use trunkline_core::Pii;
use trunkline_core::voice::{ErrorCode, Operation, TextCommand, TextEvent, TextStream, VoiceError};
use trunkline_proto::relay::{Command, Event, Fault, ServerSession, Setup};

use super::backend::StreamGuard;
use super::failure::stream_failed;
use super::over::Over;
use super::socket::{CallSocket, SocketError};

/// Messages of a session that may be wrong; a peer who is worse is not Twilio.
const MAX_FAULTS: u64 = 1_000;

/// The words of a call over a socket of Twilio's.
pub(super) struct RelayText<S> {
    socket: CallSocket<S>,
    /// Texts that were read at once and not looked at yet; nothing for a message that is none.
    waiting: VecDeque<Option<String>>,
    /// Why nothing comes behind those.
    failure: Option<SocketError>,
    session: ServerSession,
    over: Over,
    is_over: bool,
    guard: StreamGuard,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> RelayText<S> {
    pub(super) fn new(socket: CallSocket<S>, over: Over, guard: StreamGuard) -> Self {
        Self {
            socket,
            waiting: VecDeque::new(),
            failure: None,
            session: ServerSession::new(),
            over,
            is_over: false,
            guard,
        }
    }

    /// Waits for the message that says of which call this is.
    pub(super) async fn set_up(&mut self) -> Result<Setup, VoiceError> {
        loop {
            let Some(text) = self.receive().await? else {
                return Err(stream_failed(Operation::StreamText, "the socket was closed before its setup"));
            };
            match self.session.text(&text) {
                Ok(Event::Setup(setup)) => return Ok(*setup),
                Ok(_) => {}
                Err(fault) => self.fault(fault)?,
            }
        }
    }

    /// The next text; `None` when the socket is closed.
    async fn receive(&mut self) -> Result<Option<String>, VoiceError> {
        loop {
            match self.waiting.pop_front() {
                Some(Some(text)) => return Ok(Some(text)),
                Some(None) => {
                    let fault = self.session.binary();
                    self.fault(fault)?;
                    continue;
                }
                None => {}
            }
            if let Some(error) = self.failure.take() {
                self.is_over = true;
                return Err(stream_failed(Operation::StreamText, "the socket was lost").with_source(error));
            }
            let (socket, waiting) = (&mut self.socket, &mut self.waiting);
            let read =
                poll_fn(|context| socket.poll_receive(context, |text| waiting.push_back(text.map(str::to_owned))));
            let read = tokio::select! {
                biased;
                () = self.over.wait() => return Ok(None),
                read = read => read,
            };
            match read {
                Ok(false) if self.waiting.is_empty() => return Ok(None),
                Ok(_) => {}
                Err(error) => self.failure = Some(error),
            }
        }
    }

    fn fault(&mut self, fault: Fault) -> Result<(), VoiceError> {
        self.guard.fault();
        if fault.may_go_on() && self.session.counters().faults <= MAX_FAULTS {
            return Ok(());
        }
        self.is_over = true;
        let message = "the session cannot go on after a message that was wrong";
        Err(stream_failed(Operation::StreamText, message).with_source(fault))
    }
}

#[async_trait]
impl<S: AsyncRead + AsyncWrite + Send + Unpin> TextStream for RelayText<S> {
    async fn next(&mut self) -> Option<Result<TextEvent, VoiceError>> {
        while !self.is_over {
            let text = match self.receive().await {
                Ok(Some(text)) => text,
                Ok(None) => {
                    self.is_over = true;
                    return Some(Ok(TextEvent::Stopped));
                }
                Err(error) => return Some(Err(error)),
            };
            let event = match self.session.text(&text) {
                Ok(Event::Prompt { voice_prompt, lang, last }) => TextEvent::Prompt {
                    text: Pii::new(voice_prompt.into_owned()),
                    language: lang.map(std::borrow::Cow::into_owned).unwrap_or_default(),
                    is_last: last,
                },
                Ok(Event::Dtmf { digit }) => TextEvent::Digit(digit),
                Ok(Event::Interrupt { utterance, duration_ms }) => TextEvent::Interrupted {
                    heard: Pii::new(utterance.into_owned()),
                    after: Duration::from_millis(duration_ms),
                },
                Ok(Event::Error { description }) => TextEvent::Failed(description.into_owned()),
                Ok(Event::Setup(_) | Event::Info(_) | Event::Ignored(_)) => continue,
                Err(fault) => match self.fault(fault) {
                    Ok(()) => continue,
                    Err(error) => return Some(Err(error)),
                },
            };
            return Some(Ok(event));
        }
        None
    }

    async fn send(&mut self, command: TextCommand) -> Result<(), VoiceError> {
        if self.is_over {
            return Err(stream_failed(Operation::StreamText, "the session is over"));
        }
        let command = match &command {
            TextCommand::Text { token, is_last, language, interruptible } => Command::Text {
                token: token.expose().into(),
                last: *is_last,
                lang: language.as_deref().map(Into::into),
                interruptible: *interruptible,
                preemptible: None,
            },
            TextCommand::Play { source, times } => {
                Command::Play { source: source.into(), times: (*times).max(1), interruptible: None, preemptible: None }
            }
            TextCommand::Digits(digits) => Command::SendDigits { digits: digits.into() },
            TextCommand::Language { speech, transcription } => Command::Language {
                tts: speech.as_deref().map(Into::into),
                transcription: transcription.as_deref().map(Into::into),
            },
            TextCommand::End { handoff } => Command::End { handoff_data: handoff.as_deref().map(Into::into) },
            _ => {
                let message = "ConversationRelay has no such command";
                return Err(VoiceError::new(Operation::StreamText, ErrorCode::InvalidConfig, message));
            }
        };
        let mut out = Vec::new();
        self.session.write(&command, &mut out).map_err(|error| {
            let message = "ConversationRelay does not take the command";
            VoiceError::new(Operation::StreamText, ErrorCode::InvalidConfig, message).with_source(error)
        })?;
        // Once it is taken, the socket has it.
        let sent = match poll_fn(|context| self.socket.poll_send(context, std::iter::once(out.as_slice()))).await {
            Ok(_) => poll_fn(|context| self.socket.poll_flush(context)).await,
            Err(error) => Err(error),
        };
        sent.map_err(|error| {
            self.is_over = true;
            stream_failed(Operation::StreamText, "the socket was lost").with_source(error)
        })
    }
}
