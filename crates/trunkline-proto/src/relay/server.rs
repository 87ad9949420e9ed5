//! Our end of the session.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Command, CommandError, Fault, MAX_MESSAGE};
use crate::json::{Count, Text};

/// Custom parameters of a session, at most.
pub const MAX_PARAMETERS: usize = 64;
/// Characters of the name and the value of one of them, at most.
pub const MAX_PARAMETER_CHARS: usize = 500;

/// What Twilio says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// The session begins; the first message.
    Setup(Box<Setup>),
    /// The caller said something.
    Prompt {
        /// What.
        voice_prompt: Cow<'a, str>,
        /// In which language, if it is said.
        lang: Option<Cow<'a, str>>,
        /// Whether it is whole. A prompt that is not comes again, longer.
        last: bool,
    },
    /// The caller pressed a key.
    Dtmf {
        /// The key: `0` to `9`, `*`, `#`, `A` to `D`.
        digit: char,
    },
    /// The caller interrupted what was being said.
    Interrupt {
        /// What had been said until then.
        utterance: Cow<'a, str>,
        /// For how long it had been said, in milliseconds.
        duration_ms: u64,
    },
    /// Twilio did not accept a message, or something else went wrong.
    Error {
        /// In Twilio's words.
        description: Cow<'a, str>,
    },
    /// What was asked for by `events` or `debug`: the whole message, for Twilio does not describe it.
    Info(&'a str),
    /// A kind of message that is not known here, with its name.
    Ignored(Cow<'a, str>),
}

/// The session and its call. It prints its identifiers, and nothing of the people.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Setup {
    /// The session, `VX…`.
    pub session_id: String,
    /// The account, `AC…`.
    pub account_sid: String,
    /// The call that this one belongs to; mostly empty.
    pub parent_call_sid: String,
    /// The call, `CA…`.
    pub call_sid: String,
    /// Who calls.
    pub from: String,
    /// Who is called.
    pub to: String,
    /// Who has forwarded the call; mostly empty.
    pub forwarded_from: String,
    /// `PSTN`, for example.
    pub call_type: String,
    /// The name of who calls; mostly empty.
    pub caller_name: String,
    /// `inbound`, for example.
    pub direction: String,
    /// In upper case: `RINGING`, for example.
    pub call_status: String,
    /// What the `TwiML` gave along.
    pub custom_parameters: BTreeMap<String, String>,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("session_id", &self.session_id)
            .field("call_sid", &self.call_sid)
            .field("direction", &self.direction)
            .finish_non_exhaustive()
    }
}

/// What was noticed on a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Messages that were refused.
    pub faults: u64,
    /// Messages of a kind that is not known here.
    pub ignored: u64,
}

/// The end that Twilio connects to.
#[derive(Debug, Default)]
pub struct ServerSession {
    is_set_up: bool,
    counters: Counters,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Prompt<'a> {
    #[serde(borrow, default, rename = "voicePrompt")]
    said: Option<Text<'a>>,
    #[serde(borrow, default)]
    lang: Option<Text<'a>>,
    #[serde(default)]
    last: Option<bool>,
}

#[derive(Deserialize)]
struct Dtmf<'a> {
    #[serde(borrow, default)]
    digit: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Interrupt<'a> {
    #[serde(borrow, default)]
    utterance_until_interrupt: Option<Text<'a>>,
    #[serde(default)]
    duration_until_interrupt_ms: Option<Count>,
}

#[derive(Deserialize)]
struct ErrorBody<'a> {
    #[serde(borrow, default)]
    description: Option<Text<'a>>,
}

impl ServerSession {
    /// A socket on which nothing has been said.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a text frame.
    ///
    /// # Errors
    /// What is wrong with it; [`Fault::may_go_on`] says whether the session can go on without it.
    pub fn text<'a>(&mut self, text: &'a str) -> Result<Event<'a>, Fault> {
        let event = self.read(text);
        match &event {
            Ok(Event::Ignored(_)) => self.counters.ignored += 1,
            Ok(_) => {}
            Err(_) => self.counters.faults += 1,
        }
        event
    }

    /// Takes note of a binary frame, which the protocol does not have.
    pub fn binary(&mut self) -> Fault {
        self.counters.faults += 1;
        Fault::Binary
    }

    /// What was noticed so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Appends a message.
    ///
    /// # Errors
    /// Twilio would not take it; nothing is appended.
    pub fn write(&self, command: &Command<'_>, out: &mut Vec<u8>) -> Result<(), CommandError> {
        command.write(out)
    }

    fn read<'a>(&mut self, text: &'a str) -> Result<Event<'a>, Fault> {
        if text.len() > MAX_MESSAGE {
            return Err(Fault::TooLarge);
        }
        // An array would do for a struct otherwise.
        if text.trim_start().starts_with('[') {
            return Err(Fault::WrongType { at: 1 });
        }
        let Kind { kind } = serde_json::from_str(text)?;
        let kind = kind.ok_or(Fault::Missing("type"))?.0;
        let Some(known) = known(&kind) else { return Ok(Event::Ignored(kind)) };
        if known == "setup" {
            return self.set_up(text);
        }
        // An error may come before anything else has.
        if !self.is_set_up && known != "error" {
            return Err(Fault::BeforeSetup(known));
        }
        match known {
            "prompt" => {
                let body: Prompt<'a> = serde_json::from_str(text)?;
                let voice_prompt = body.said.ok_or(Fault::Missing("voicePrompt"))?.0;
                // Where partial prompts were not asked for, each is whole.
                let last = body.last.unwrap_or(true);
                Ok(Event::Prompt { voice_prompt, lang: body.lang.map(|lang| lang.0), last })
            }
            "dtmf" => {
                let body: Dtmf<'a> = serde_json::from_str(text)?;
                let digit = body.digit.ok_or(Fault::Missing("digit"))?;
                let mut digits = digit.chars();
                match (digits.next(), digits.next()) {
                    (Some(digit @ ('0'..='9' | '*' | '#' | 'A'..='D' | 'a'..='d')), None) => {
                        Ok(Event::Dtmf { digit: digit.to_ascii_uppercase() })
                    }
                    _ => Err(Fault::Missing("digit")),
                }
            }
            "interrupt" => {
                let body: Interrupt<'a> = serde_json::from_str(text)?;
                let utterance = body.utterance_until_interrupt.ok_or(Fault::Missing("utteranceUntilInterrupt"))?.0;
                Ok(Event::Interrupt { utterance, duration_ms: body.duration_until_interrupt_ms.map_or(0, |ms| ms.0) })
            }
            "error" => {
                let body: ErrorBody<'a> = serde_json::from_str(text)?;
                Ok(Event::Error { description: body.description.ok_or(Fault::Missing("description"))?.0 })
            }
            _ => Ok(Event::Info(text)),
        }
    }

    fn set_up<'a>(&mut self, text: &str) -> Result<Event<'a>, Fault> {
        if self.is_set_up {
            return Err(Fault::SecondSetup);
        }
        let setup: Setup = serde_json::from_str(text)?;
        if setup.session_id.is_empty() {
            return Err(Fault::Missing("sessionId"));
        }
        if setup.call_sid.is_empty() {
            return Err(Fault::Missing("callSid"));
        }
        let parameters = &setup.custom_parameters;
        let too_long =
            |(name, value): (&String, &String)| name.chars().count() + value.chars().count() > MAX_PARAMETER_CHARS;
        if parameters.len() > MAX_PARAMETERS || parameters.iter().any(too_long) {
            return Err(Fault::Parameters);
        }
        self.is_set_up = true;
        Ok(Event::Setup(Box::new(setup)))
    }
}

fn known(kind: &str) -> Option<&'static str> {
    ["prompt", "interrupt", "dtmf", "info", "error", "setup"].into_iter().find(|one| *one == kind)
}
