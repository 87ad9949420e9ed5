//! Twilio's end of the stream, as strict as Twilio.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write as _;

use serde::Serialize;

use super::payload::encode;
use super::wire::{ToTwilio, Track};
use super::{BINARY_FRAME, INVALID_MESSAGE, MAX_MESSAGE, Payload};
use crate::json::quote;

/// What the stream is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFacts {
    /// The account, `AC…`.
    pub account_sid: String,
    /// The call, `CA…`.
    pub call_sid: String,
    /// The stream, `MZ…`.
    pub stream_sid: String,
    /// The sides that are sent.
    pub tracks: Vec<Track>,
    /// `<Parameter>` of the `TwiML`.
    pub custom_parameters: BTreeMap<String, String>,
}

/// What the server asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// Play this after what is queued.
    Media(Payload<'a>),
    /// Say when everything before it has been played.
    Mark(Cow<'a, str>),
    /// Drop what is queued.
    Clear,
}

/// A message was refused. The stream goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Twilio's number of the warning; none if the stream has been warned of it already.
    pub warning: Option<u32>,
}

/// The end that connects.
#[derive(Debug)]
pub struct CallerSession {
    facts: CallFacts,
    sequence: u64,
    inbound: u64,
    outbound: u64,
    warned_of_message: bool,
    warned_of_binary: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StartBody<'a> {
    account_sid: &'a str,
    stream_sid: &'a str,
    call_sid: &'a str,
    tracks: Vec<&'static str>,
    media_format: Format,
    custom_parameters: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Format {
    encoding: &'static str,
    sample_rate: u32,
    channels: u32,
}

impl CallerSession {
    /// A socket on which nothing has been said.
    pub fn new(facts: CallFacts) -> Self {
        Self { facts, sequence: 0, inbound: 0, outbound: 0, warned_of_message: false, warned_of_binary: false }
    }

    /// Appends `connected`, the first message.
    pub fn write_connected(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#);
    }

    /// Appends `start`, the second message.
    pub fn write_start(&mut self, out: &mut Vec<u8>) {
        self.head("start", out);
        out.extend_from_slice(b",\"start\":");
        let body = StartBody {
            account_sid: &self.facts.account_sid,
            stream_sid: &self.facts.stream_sid,
            call_sid: &self.facts.call_sid,
            tracks: self.facts.tracks.iter().map(|track| track.as_str()).collect(),
            media_format: Format { encoding: "audio/x-mulaw", sample_rate: 8000, channels: 1 },
            custom_parameters: &self.facts.custom_parameters,
        };
        // Writing such a body into memory does not fail.
        let _written = serde_json::to_writer(&mut *out, &body).is_ok();
        self.tail(out);
    }

    /// Appends a frame of audio, `timestamp_ms` after the beginning of the stream.
    pub fn write_media(&mut self, track: Track, timestamp_ms: u64, ulaw: &[u8], out: &mut Vec<u8>) {
        let chunk = match track {
            Track::Inbound => &mut self.inbound,
            Track::Outbound => &mut self.outbound,
        };
        *chunk += 1;
        let chunk = *chunk;
        self.head("media", out);
        let track = track.as_str();
        let _written = write!(
            out,
            ",\"media\":{{\"track\":\"{track}\",\"chunk\":\"{chunk}\",\"timestamp\":\"{timestamp_ms}\",\"payload\":\""
        )
        .is_ok();
        encode(ulaw, out);
        out.extend_from_slice(b"\"}");
        self.tail(out);
    }

    /// Appends a key that the caller pressed.
    pub fn write_dtmf(&mut self, digit: char, out: &mut Vec<u8>) {
        self.head("dtmf", out);
        out.extend_from_slice(b",\"dtmf\":{\"track\":\"inbound_track\",\"digit\":");
        quote(digit.encode_utf8(&mut [0; 4]), out);
        out.push(b'}');
        self.tail(out);
    }

    /// Appends a mark that comes back.
    pub fn write_mark(&mut self, name: &str, out: &mut Vec<u8>) {
        self.head("mark", out);
        out.extend_from_slice(b",\"mark\":{\"name\":");
        quote(name, out);
        out.push(b'}');
        self.tail(out);
    }

    /// Appends `stop`, the last message.
    pub fn write_stop(&mut self, out: &mut Vec<u8>) {
        self.head("stop", out);
        out.extend_from_slice(b",\"stop\":{\"accountSid\":");
        quote(&self.facts.account_sid, out);
        out.extend_from_slice(b",\"callSid\":");
        quote(&self.facts.call_sid, out);
        out.push(b'}');
        self.tail(out);
    }

    /// Reads a text frame of the server.
    ///
    /// # Errors
    /// It is not JSON, lacks a field, has one too many or names another stream: 31951, once.
    pub fn text<'a>(&mut self, text: &'a str) -> Result<Command<'a>, Refused> {
        self.read(text).ok_or_else(|| Refused { warning: once(&mut self.warned_of_message, INVALID_MESSAGE) })
    }

    /// Takes note of a binary frame: 31950, once.
    pub fn binary(&mut self) -> Refused {
        Refused { warning: once(&mut self.warned_of_binary, BINARY_FRAME) }
    }

    fn read<'a>(&self, text: &'a str) -> Option<Command<'a>> {
        // An array would do for a struct otherwise.
        if text.len() > MAX_MESSAGE || text.trim_start().starts_with('[') {
            return None;
        }
        let message: ToTwilio<'a> = serde_json::from_str(text).ok()?;
        if message.stream_sid != self.facts.stream_sid {
            return None;
        }
        match (&*message.event, message.media, message.mark) {
            ("media", Some(media), None) => Some(Command::Media(Payload(media.payload))),
            ("mark", None, Some(mark)) => Some(Command::Mark(mark.name)),
            ("clear", None, None) => Some(Command::Clear),
            _ => None,
        }
    }

    fn head(&mut self, event: &str, out: &mut Vec<u8>) {
        self.sequence += 1;
        let _written = write!(out, "{{\"event\":\"{event}\",\"sequenceNumber\":\"{}\"", self.sequence).is_ok();
    }

    fn tail(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"streamSid\":");
        quote(&self.facts.stream_sid, out);
        out.push(b'}');
    }
}

fn once(warned: &mut bool, number: u32) -> Option<u32> {
    (!std::mem::replace(warned, true)).then_some(number)
}
