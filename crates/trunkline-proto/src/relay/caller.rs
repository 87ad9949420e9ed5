//! Twilio's end of the session.

use std::io::Write as _;

use super::{Command, CommandError, INVALID_MESSAGE, MAX_MESSAGE, SOCKET_ENDED, Setup};
use crate::json::quote;

/// Messages in a row that are no commands until Twilio closes the socket.
pub const MAX_MALFORMED: u32 = 10;

/// A message was not accepted. Send its words with [`CallerSession::write_error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejected {
    /// What is wrong with it.
    pub error: CommandError,
    /// Twilio's number of the warning, 64107.
    pub number: u32,
    /// The socket must be closed, for it was one too many.
    pub close: Option<Close>,
}

/// How the socket is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close {
    /// Of the WebSocket.
    pub code: u16,
    /// Of the WebSocket.
    pub reason: &'static str,
    /// Twilio's number of the error.
    pub number: u32,
}

/// The end that connects.
#[derive(Debug, Default)]
pub struct CallerSession {
    malformed: u32,
}

impl CallerSession {
    /// A socket on which nothing has been said.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends `setup`, the first message.
    pub fn write_setup(&self, setup: &Setup, out: &mut Vec<u8>) {
        #[derive(serde::Serialize)]
        struct Tagged<'a> {
            r#type: &'static str,
            #[serde(flatten)]
            setup: &'a Setup,
        }
        // Writing text into memory does not fail.
        let _written = serde_json::to_writer(out, &Tagged { r#type: "setup", setup }).is_ok();
    }

    /// Appends what the caller said.
    pub fn write_prompt(&self, voice_prompt: &str, lang: &str, last: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"type":"prompt","voicePrompt":"#);
        quote(voice_prompt, out);
        out.extend_from_slice(br#","lang":"#);
        quote(lang, out);
        let _written = write!(out, r#","last":{last}}}"#).is_ok();
    }

    /// Appends a key that the caller pressed.
    pub fn write_dtmf(&self, digit: char, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"type":"dtmf","digit":"#);
        quote(digit.encode_utf8(&mut [0; 4]), out);
        out.push(b'}');
    }

    /// Appends that the caller interrupted, and what had been said for how long.
    pub fn write_interrupt(&self, utterance: &str, duration_ms: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"type":"interrupt","utteranceUntilInterrupt":"#);
        quote(utterance, out);
        let _written = write!(out, r#","durationUntilInterruptMs":{duration_ms}}}"#).is_ok();
    }

    /// Appends that something went wrong.
    pub fn write_error(&self, description: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"type":"error","description":"#);
        quote(description, out);
        out.push(b'}');
    }

    /// Appends an event that was asked for: a name such as `tokensPlayed` and its value.
    pub fn write_info(&self, name: &str, value: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"type":"info","name":"#);
        quote(name, out);
        out.extend_from_slice(br#","value":"#);
        quote(value, out);
        out.push(b'}');
    }

    /// Reads a text frame of the server.
    ///
    /// # Errors
    /// It is no command. Ten of those in a row end the session.
    pub fn text<'a>(&mut self, text: &'a str) -> Result<Command<'a>, Rejected> {
        let fits = text.len() <= MAX_MESSAGE && !text.trim_start().starts_with('[');
        let command = if fits { Command::read(text) } else { Err(CommandError::Malformed) };
        match command {
            Ok(command) => {
                self.malformed = 0;
                Ok(command)
            }
            Err(error) => Err(self.reject(error)),
        }
    }

    /// A binary frame is no command either.
    pub fn binary(&mut self) -> Rejected {
        self.reject(CommandError::Malformed)
    }

    fn reject(&mut self, error: CommandError) -> Rejected {
        self.malformed = self.malformed.saturating_add(1);
        let close = (self.malformed >= MAX_MALFORMED).then_some(Close {
            code: 1007,
            reason: "Too many consecutive malformed messages",
            number: SOCKET_ENDED,
        });
        Rejected { error, number: INVALID_MESSAGE, close }
    }
}
