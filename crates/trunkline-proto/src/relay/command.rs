//! What the server asks for: the one wire form that both ends know.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::json::Text;

/// How often a sound is played that is to be played for ever (`loop` 0).
pub const PLAY_FOREVER: u32 = 1000;

/// A message to Twilio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// Say the next piece of text. Pieces are put together as they are, so blanks between words are part of them.
    Text {
        /// The piece; may be empty.
        token: Cow<'a, str>,
        /// Whether the agent has finished. Default false.
        last: bool,
        /// The language of this piece, if it is another one.
        lang: Option<Cow<'a, str>>,
        /// Whether the caller may interrupt it; none leaves it to the session.
        interruptible: Option<bool>,
        /// Whether the next text may cut it; none leaves it to the session.
        preemptible: Option<bool>,
    },
    /// Play a sound.
    Play {
        /// Its URL.
        source: Cow<'a, str>,
        /// How often: 1 to [`PLAY_FOREVER`]. Default 1.
        times: u32,
        /// Whether the caller may interrupt it; none leaves it to the session.
        interruptible: Option<bool>,
        /// Whether the next text may cut it. Default false.
        preemptible: Option<bool>,
    },
    /// Press keys.
    SendDigits {
        /// `0` to `9`, `w` for half a second, `#` and `*`.
        digits: Cow<'a, str>,
    },
    /// Change the language of what follows; at least one of both.
    Language {
        /// Of what is said.
        tts: Option<Cow<'a, str>>,
        /// Of what is heard.
        transcription: Option<Cow<'a, str>>,
    },
    /// End the session; the call goes on with its `TwiML`.
    End {
        /// Given along to the `action` of `<Connect>`.
        handoff_data: Option<Cow<'a, str>>,
    },
}

/// Why a command cannot be sent, or is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// Keys that there are not, or none at all.
    #[error("digits must be one or more of 0-9, w, # and *")]
    Digits,
    /// No language is named.
    #[error("at least one of ttsLanguage and transcriptionLanguage must be given")]
    NoLanguage,
    /// The source is no web address.
    #[error("source must be a URL that begins with https:// or http://")]
    Source,
    /// Not an object in JSON with the fields of its type.
    #[error("the message is not valid JSON, or a field has a wrong type or is missing")]
    Malformed,
    /// A type that there is not.
    #[error("the type of the message is not one of text, play, sendDigits, language and end")]
    Unidentified,
}

impl CommandError {
    /// Stable across releases; listed in `docs/errors.md`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Digits => "relay.command.digits",
            Self::NoLanguage => "relay.command.no_language",
            Self::Source => "relay.command.source",
            Self::Malformed => "relay.command.malformed",
            Self::Unidentified => "relay.command.unidentified",
        }
    }
}

/// The JSON of a command.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Written<'a> {
    Text {
        token: &'a str,
        last: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        lang: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        interruptible: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        preemptible: Option<bool>,
    },
    Play {
        source: &'a str,
        #[serde(rename = "loop")]
        times: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        preemptible: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        interruptible: Option<bool>,
    },
    SendDigits {
        digits: &'a str,
    },
    Language {
        #[serde(skip_serializing_if = "Option::is_none")]
        tts_language: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        transcription_language: Option<&'a str>,
    },
    End {
        #[serde(skip_serializing_if = "Option::is_none")]
        handoff_data: Option<&'a str>,
    },
}

/// Any command. Unknown fields are left alone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    token: Option<Text<'a>>,
    #[serde(default)]
    last: Option<bool>,
    #[serde(borrow, default)]
    lang: Option<Text<'a>>,
    #[serde(default)]
    interruptible: Option<bool>,
    #[serde(default)]
    preemptible: Option<bool>,
    #[serde(borrow, default)]
    source: Option<Text<'a>>,
    #[serde(default, rename = "loop")]
    times: Option<u32>,
    #[serde(borrow, default)]
    digits: Option<Text<'a>>,
    #[serde(borrow, default)]
    tts_language: Option<Text<'a>>,
    #[serde(borrow, default)]
    transcription_language: Option<Text<'a>>,
    #[serde(borrow, default)]
    handoff_data: Option<Text<'a>>,
}

impl<'a> Command<'a> {
    /// Appends the message.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<(), CommandError> {
        self.check()?;
        let written = match self {
            Self::Text { token, last, lang, interruptible, preemptible } => Written::Text {
                token,
                last: *last,
                lang: lang.as_deref(),
                interruptible: *interruptible,
                preemptible: *preemptible,
            },
            Self::Play { source, times, interruptible, preemptible } => {
                Written::Play { source, times: *times, preemptible: *preemptible, interruptible: *interruptible }
            }
            Self::SendDigits { digits } => Written::SendDigits { digits },
            Self::Language { tts, transcription } => {
                Written::Language { tts_language: tts.as_deref(), transcription_language: transcription.as_deref() }
            }
            Self::End { handoff_data } => Written::End { handoff_data: handoff_data.as_deref() },
        };
        serde_json::to_writer(out, &written).map_err(|_| CommandError::Malformed)
    }

    /// Reads a message.
    pub(super) fn read(text: &'a str) -> Result<Self, CommandError> {
        let read: Read<'a> = serde_json::from_str(text).map_err(|_| CommandError::Malformed)?;
        let given = |text: Option<Text<'a>>| text.map(|text| text.0);
        let needed = |text: Option<Text<'a>>| given(text).ok_or(CommandError::Malformed);
        let command = match read.kind.as_deref() {
            Some("text") => Self::Text {
                token: needed(read.token)?,
                last: read.last.unwrap_or_default(),
                lang: given(read.lang),
                interruptible: read.interruptible,
                preemptible: read.preemptible,
            },
            Some("play") => Self::Play {
                source: needed(read.source)?,
                times: match read.times {
                    None => 1,
                    Some(0) => PLAY_FOREVER,
                    Some(times) => times.min(PLAY_FOREVER),
                },
                interruptible: read.interruptible,
                preemptible: read.preemptible,
            },
            Some("sendDigits") => Self::SendDigits { digits: needed(read.digits)? },
            Some("language") => {
                Self::Language { tts: given(read.tts_language), transcription: given(read.transcription_language) }
            }
            Some("end") => Self::End { handoff_data: given(read.handoff_data) },
            _ => return Err(CommandError::Unidentified),
        };
        command.check()?;
        Ok(command)
    }

    fn check(&self) -> Result<(), CommandError> {
        match self {
            Self::SendDigits { digits } => {
                let is_key = |byte: u8| matches!(byte, b'0'..=b'9' | b'w' | b'#' | b'*');
                if digits.is_empty() || !digits.bytes().all(is_key) { Err(CommandError::Digits) } else { Ok(()) }
            }
            Self::Language { tts: None, transcription: None } => Err(CommandError::NoLanguage),
            Self::Play { source, .. } if !source.starts_with("https://") && !source.starts_with("http://") => {
                Err(CommandError::Source)
            }
            Self::Text { .. } | Self::Play { .. } | Self::Language { .. } | Self::End { .. } => Ok(()),
        }
    }
}
