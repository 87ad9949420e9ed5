//! The words of one call over its socket.

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use futures_util::{Sink, SinkExt as _, StreamExt as _};
use tokio_util::sync::CancellationToken;
use trunkline_core::Pii;
use trunkline_core::voice::{ErrorCode, Operation, TextCommand, TextEvent, TextStream, VoiceError};
use trunkline_proto::relay::{Command, Event, Fault, ServerSession, Setup};

use super::backend::StreamGuard;
use super::failure::stream_failed;
use super::socket::Frame;

/// Messages of a session that may be wrong; a peer who is worse is not Twilio.
const MAX_FAULTS: u64 = 1_000;

/// The words of a call over a socket of Twilio's.
pub(super) struct RelayText<S> {
    socket: S,
    session: ServerSession,
    over: CancellationToken,
    is_over: bool,
    guard: StreamGuard,
}

impl<S, E> RelayText<S>
where
    S: Stream<Item = Result<Frame, E>> + Sink<Frame, Error = E> + Send + Unpin,
    E: Error + Send + Sync + 'static,
{
    pub(super) fn new(socket: S, over: CancellationToken, guard: StreamGuard) -> Self {
        Self { socket, session: ServerSession::new(), over, is_over: false, guard }
    }

    /// Waits for the message that says of which call this is.
    pub(super) async fn set_up(&mut self) -> Result<Setup, VoiceError> {
        loop {
            let Some(bytes) = self.receive().await? else {
                return Err(stream_failed(Operation::StreamText, "the socket was closed before its setup"));
            };
            let Ok(text) = str::from_utf8(&bytes) else { continue };
            match self.session.text(text) {
                Ok(Event::Setup(setup)) => return Ok(*setup),
                Ok(_) => {}
                Err(fault) => self.fault(fault)?,
            }
        }
    }

    /// The next text; `None` when the socket is closed.
    async fn receive(&mut self) -> Result<Option<Bytes>, VoiceError> {
        loop {
            let frame = tokio::select! {
                biased;
                () = self.over.cancelled() => return Ok(None),
                frame = self.socket.next() => frame,
            };
            match frame {
                Some(Ok(Frame::Text(bytes))) if str::from_utf8(&bytes).is_ok() => return Ok(Some(bytes)),
                Some(Ok(Frame::Text(_) | Frame::Binary)) => {
                    let fault = self.session.binary();
                    self.fault(fault)?;
                }
                None | Some(Ok(Frame::Close)) => return Ok(None),
                Some(Err(error)) => {
                    self.is_over = true;
                    return Err(stream_failed(Operation::StreamText, "the socket was lost").with_source(error));
                }
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
impl<S, E> TextStream for RelayText<S>
where
    S: Stream<Item = Result<Frame, E>> + Sink<Frame, Error = E> + Send + Unpin,
    E: Error + Send + Sync + 'static,
{
    async fn next(&mut self) -> Option<Result<TextEvent, VoiceError>> {
        while !self.is_over {
            let bytes = match self.receive().await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => {
                    self.is_over = true;
                    return Some(Ok(TextEvent::Stopped));
                }
                Err(error) => return Some(Err(error)),
            };
            let Ok(text) = str::from_utf8(&bytes) else { continue };
            let event = match self.session.text(text) {
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
        let sent = self.socket.send(Frame::Text(out.into())).await;
        sent.map_err(|error| {
            self.is_over = true;
            stream_failed(Operation::StreamText, "the socket was lost").with_source(error)
        })
    }
}
