//! `GET /emulator/v1/phones/{number}/line`: a browser is the phone of a number.
//!
//! Binary frames are 160 bytes of μ-law both ways, JSON is everything else. One line for each number; the newest wins.

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracing::Instrument as _;

use crate::error::ApiError;
use crate::rest::Problem;
use crate::server::App;
use crate::state::limits;
use crate::telephone::clip::Frame;
use crate::telephone::line::{FromLine, LineCall, LineParty, ToLine};
use crate::telephone::place::Caller;

/// What a browser asks for.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Asked {
    Dial { to: Option<String> },
    Answer,
    Reject,
    HangUp,
    Digit { digit: String },
    Say { text: String },
}

pub(super) async fn open(State(app): State<App>, Path(number): Path<String>, upgrade: WebSocketUpgrade) -> Response {
    if !limits::is_phone_number(&number) {
        return Problem(ApiError::parameter("number")).into_response();
    }
    let upgrade = upgrade
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES);
    let connections = app.connections.clone();
    upgrade.on_upgrade(move |socket| {
        // On the tracker, so that a stopping emulator waits for its end.
        let work = connections.track_future(run(app, number, socket));
        work.instrument(tracing::debug_span!("emulator.line"))
    })
}

/// The line while it is open.
struct Line {
    app: App,
    number: String,
    /// Messages to the browser, for whoever is at the phone.
    messages: mpsc::Sender<ToLine>,
    call: Option<LineCall>,
}

async fn run(app: App, number: String, socket: WebSocket) {
    let (to_line, mut from_calls) = mpsc::channel(QUEUE);
    let (calls, mut ringing) = mpsc::channel::<LineCall>(1);
    let stop = app.stop.clone();
    let exchange = app.exchange.clone();
    let (mut sink, mut stream) = socket.split();
    let Some(id) = exchange.open_line(&number, to_line.clone(), calls) else {
        drop(sink.send(error("too many phones are open")).await);
        return;
    };
    let mut line = Line { app, number: number.clone(), messages: to_line, call: None };
    let mut good = sink.send(Message::text(json!({"type": "ready", "number": number}).to_string())).await.is_ok();
    while good {
        good = tokio::select! {
            () = stop.cancelled() => false,
            message = stream.next() => match message {
                Some(Ok(Message::Binary(audio))) => {
                    if let Ok(frame) = Frame::try_from(audio.as_ref()) {
                        line.tell_call(FromLine::Audio(frame));
                        true
                    } else {
                        sink.send(error("audio must come in frames of 160 bytes")).await.is_ok()
                    }
                }
                Some(Ok(Message::Text(text))) => match line.asked(&text).await {
                    Ok(()) => true,
                    Err(problem) => sink.send(error(&problem)).await.is_ok(),
                },
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => true,
                Some(Ok(Message::Close(_)) | Err(_)) | None => false,
            },
            Some(call) = ringing.recv() => {
                // A phone that is in a call is busy: the call that is dropped here hears so.
                if line.is_free() {
                    let incoming = json!({"type": "incoming", "call": call.sid, "from": call.from});
                    line.call = Some(call);
                    sink.send(Message::text(incoming.to_string())).await.is_ok()
                } else {
                    true
                }
            }
            Some(message) = from_calls.recv() => match message {
                ToLine::Audio(frame) => sink.send(Message::binary(frame.to_vec())).await.is_ok(),
                // The end of a call that was never shown is not shown either.
                ToLine::Message(message) if is_end(&message) && !line.ended(&message) => true,
                ToLine::Message(message) => sink.send(Message::text(message.to_string())).await.is_ok(),
                ToLine::Replaced => {
                    let reason = "the phone was opened elsewhere";
                    drop(sink.send(error(reason)).await);
                    let close = CloseFrame { code: REPLACED, reason: reason.into() };
                    drop(sink.send(Message::Close(Some(close))).await);
                    false
                }
            },
        };
    }
    line.tell_call(FromLine::HangUp);
    exchange.close_line(&number, id);
}

impl Line {
    async fn asked(&mut self, text: &str) -> Result<(), String> {
        let asked: Asked =
            serde_json::from_str(text).map_err(|_| "the message is not one that a phone sends".to_owned())?;
        match asked {
            Asked::Dial { to } => self.dial(to).await,
            Asked::Answer => self.in_call(FromLine::Answer),
            Asked::Reject => self.in_call(FromLine::Reject),
            Asked::HangUp => self.in_call(FromLine::HangUp),
            Asked::Digit { digit } => {
                let key = digit.chars().next().filter(|key| digit.len() == 1 && "0123456789*#ABCD".contains(*key));
                self.in_call(FromLine::Digit(key.ok_or("a digit is one of 0-9, *, #, A-D")?))
            }
            Asked::Say { text } => {
                if text.chars().count() > MAX_SAY_CHARS {
                    return Err("say at most 500 characters at once".to_owned());
                }
                let sound = self.app.exchange.studio().speak(&text).await.map_err(|problem| problem.to_string())?;
                self.in_call(FromLine::Say { text, sound })
            }
        }
    }

    async fn dial(&mut self, to: Option<String>) -> Result<(), String> {
        if !self.is_free() {
            return Err("the phone is in a call".to_owned());
        }
        let (commands, from_line) = mpsc::channel(COMMANDS);
        let party = LineParty::new(from_line, self.messages.clone());
        let to = to.unwrap_or_else(|| self.app.account.phone_number.clone());
        let dialled = self.app.exchange.dial_in(self.number.clone(), to, Caller::Line { party }).await;
        let record = dialled.map_err(|problem| problem.message.into_owned())?;
        self.call = Some(LineCall { sid: record.sid, from: record.from, commands });
        Ok(())
    }

    fn is_free(&self) -> bool {
        self.call.as_ref().is_none_or(|call| call.commands.is_closed())
    }

    /// Whether it was this phone's call that ended.
    fn ended(&mut self, message: &Value) -> bool {
        let sid = message.get("call").and_then(Value::as_str);
        self.call.take_if(|call| Some(call.sid.as_str()) == sid).is_some()
    }

    fn in_call(&self, command: FromLine) -> Result<(), String> {
        let call = self.call.as_ref().ok_or("the phone is in no call")?;
        call.commands.try_send(command).map_err(|_| "the call is over, or does not keep up".to_owned())
    }

    /// Audio that a call does not take in time is lost.
    fn tell_call(&self, command: FromLine) {
        if let Some(call) = &self.call {
            drop(call.commands.try_send(command));
        }
    }
}

fn is_end(message: &Value) -> bool {
    message.get("type").and_then(Value::as_str) == Some("ended")
}

fn error(message: &str) -> Message {
    Message::text(json!({"type": "error", "message": message}).to_string())
}

/// Messages that wait for a browser: more than a second of audio.
const QUEUE: usize = 128;
/// What waits for a call.
const COMMANDS: usize = 128;
const BUFFER_BYTES: usize = 4096;
/// Longest message of a browser.
const MAX_MESSAGE_BYTES: usize = 4096;
const MAX_SAY_CHARS: usize = 500;
/// Close code of a line that another one has replaced.
const REPLACED: u16 = 4001;
