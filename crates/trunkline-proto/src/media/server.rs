//! Our end of the stream.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::payload::encode;
use super::plain::PlainMedia;
use super::wire::{FromTwilio, Kind, MediaBody, StartBody, Track};
use super::{FRAME_BYTES, Fault, MAX_MESSAGE, Payload};
use crate::json::quote;

/// The longest identifier.
const MAX_ID: usize = 64;

/// What a stream may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message. Default and most: [`MAX_MESSAGE`].
    pub message: usize,
    /// Custom parameters of a stream. Default 64.
    pub parameters: usize,
    /// Characters of the name and the value of one of them. Default 500, as Twilio has it.
    pub parameter_chars: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message: MAX_MESSAGE, parameters: 64, parameter_chars: 500 }
    }
}

/// What Twilio says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// The socket is a media stream.
    Connected,
    /// The stream begins; the first message that says of which call.
    Start(Box<Start>),
    /// Audio.
    Media(Media<'a>),
    /// The caller pressed a key.
    Dtmf {
        /// The key: `0` to `9`, `*`, `#`, `A` to `D`.
        digit: char,
    },
    /// Everything before this mark has been played, or was cleared.
    Mark {
        /// As it was sent.
        name: Cow<'a, str>,
    },
    /// The stream is over.
    Stop,
    /// A kind of message that is not known here, with its name.
    Ignored(Cow<'a, str>),
}

/// The stream and its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The stream, `MZ…`.
    pub stream_sid: String,
    /// The account, `AC…`.
    pub account_sid: String,
    /// The call, `CA…`.
    pub call_sid: String,
    /// The sides that are sent.
    pub tracks: Vec<Track>,
    /// What the `TwiML` gave along.
    pub custom_parameters: BTreeMap<String, String>,
}

/// One frame of audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media<'a> {
    /// Which side.
    pub track: Track,
    /// Counts the frames of the track from 1; 0 where the sender does not count.
    pub chunk: u64,
    /// Since the beginning of the stream, in milliseconds; 0 where the sender does not say.
    pub timestamp_ms: u64,
    /// The audio.
    pub payload: Payload<'a>,
}

/// What was noticed on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Messages that were refused.
    pub faults: u64,
    /// Messages of a kind that is not known here.
    pub ignored: u64,
    /// Times that the sequence number was not the next one.
    pub gaps: u64,
    /// Frames of audio that were not 20 ms long.
    pub odd_sizes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Opening,
    Streaming,
    Stopped,
}

/// The end that Twilio connects to.
#[derive(Debug)]
pub struct ServerSession {
    limits: Limits,
    phase: Phase,
    stream_sid: String,
    /// What every frame of audio begins with.
    media_head: Vec<u8>,
    sequence: u64,
    counters: Counters,
}

impl ServerSession {
    /// A socket on which nothing has been said.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            phase: Phase::Opening,
            stream_sid: String::new(),
            media_head: Vec::new(),
            sequence: 0,
            counters: Counters::default(),
        }
    }

    /// Reads a text frame.
    ///
    /// # Errors
    /// What is wrong with it; [`Fault::may_go_on`] says whether the stream can go on without it.
    pub fn text<'a>(&mut self, text: &'a str) -> Result<Event<'a>, Fault> {
        let event = self.read(text);
        self.count(&event);
        event
    }

    fn count(&mut self, event: &Result<Event<'_>, Fault>) {
        match event {
            Ok(Event::Ignored(_)) => self.counters.ignored += 1,
            Ok(_) => {}
            Err(_) => self.counters.faults += 1,
        }
    }

    /// As [`Self::text`], always by the reader of any JSON.
    #[cfg(test)]
    pub(super) fn any_text<'a>(&mut self, text: &'a str) -> Result<Event<'a>, Fault> {
        let event = self.read_any(text);
        self.count(&event);
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

    /// The stream; empty before its start.
    pub fn stream_sid(&self) -> &str {
        &self.stream_sid
    }

    /// Appends a message with audio: μ-law, 8 kHz, any length. `false`: there is no stream, nothing is appended.
    pub fn write_media(&self, ulaw: &[u8], out: &mut Vec<u8>) -> bool {
        if self.phase != Phase::Streaming {
            return false;
        }
        out.extend_from_slice(&self.media_head);
        encode(ulaw, out);
        out.extend_from_slice(b"\"}}");
        true
    }

    /// Appends a message with a mark. `false`: there is no stream, nothing is appended.
    pub fn write_mark(&self, name: &str, out: &mut Vec<u8>) -> bool {
        if self.phase != Phase::Streaming {
            return false;
        }
        self.head("mark", out);
        out.extend_from_slice(b",\"mark\":{\"name\":");
        quote(name, out);
        out.extend_from_slice(b"}}");
        true
    }

    /// Appends the message that drops all audio that was not played. `false`: there is no stream, nothing is appended.
    pub fn write_clear(&self, out: &mut Vec<u8>) -> bool {
        if self.phase != Phase::Streaming {
            return false;
        }
        self.head("clear", out);
        out.push(b'}');
        true
    }

    fn head(&self, event: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"event\":\"");
        out.extend_from_slice(event.as_bytes());
        // An identifier needs no escapes.
        out.extend_from_slice(b"\",\"streamSid\":\"");
        out.extend_from_slice(self.stream_sid.as_bytes());
        out.push(b'"');
    }

    fn read<'a>(&mut self, text: &'a str) -> Result<Event<'a>, Fault> {
        if text.len() > self.limits.message.min(MAX_MESSAGE) {
            return Err(Fault::TooLarge);
        }
        if self.phase == Phase::Streaming
            && let Some(plain) = PlainMedia::read(text)
        {
            self.follow(plain.stream_sid, plain.sequence_number)?;
            let payload = plain.payload.map(Cow::Borrowed);
            return self.media(plain.track, plain.chunk, plain.timestamp, payload);
        }
        self.read_any(text)
    }

    fn read_any<'a>(&mut self, text: &'a str) -> Result<Event<'a>, Fault> {
        // An array would do for a struct otherwise.
        if text.trim_start().starts_with('[') {
            return Err(Fault::WrongType { at: 1 });
        }
        let message: FromTwilio<'a> = match serde_json::from_str(text) {
            Ok(message) => message,
            // A kind of message that is not known may use known names for other things.
            Err(error) => match serde_json::from_str::<Kind<'a>>(text) {
                Ok(Kind { event: Some(event) }) if known(&event).is_none() => return Ok(Event::Ignored(event.0)),
                _ => return Err(error.into()),
            },
        };
        let event = message.event.ok_or(Fault::Missing("event"))?;
        let Some(kind) = known(&event) else { return Ok(Event::Ignored(event.0)) };
        if kind == "connected" {
            return Ok(Event::Connected);
        }
        match (self.phase, kind) {
            (Phase::Opening, "start") | (Phase::Streaming, _) => {}
            (Phase::Opening, _) => return Err(Fault::BeforeStart(kind)),
            (Phase::Stopped, _) => return Err(Fault::AfterStop(kind)),
        }
        if kind == "start" {
            if self.phase == Phase::Streaming {
                return Err(Fault::SecondStart);
            }
            let body = message.start.ok_or(Fault::Missing("start"))?;
            let start = self.start(*body, message.stream_sid.as_deref())?;
            self.sequence = message.sequence_number.map_or(1, |number| number.0);
            return Ok(Event::Start(Box::new(start)));
        }
        self.follow(message.stream_sid.as_deref(), message.sequence_number.map(|number| number.0))?;
        match kind {
            "media" => {
                let MediaBody { track, chunk, timestamp, payload } = message.media.ok_or(Fault::Missing("media"))?;
                let (chunk, timestamp) = (chunk.map(|count| count.0), timestamp.map(|count| count.0));
                self.media(track.as_deref(), chunk, timestamp, payload.map(|payload| payload.0))
            }
            "dtmf" => {
                let digit = message.dtmf.and_then(|dtmf| dtmf.digit).ok_or(Fault::Missing("dtmf.digit"))?;
                let mut digits = digit.chars();
                match (digits.next(), digits.next()) {
                    (Some(digit @ ('0'..='9' | '*' | '#' | 'A'..='D' | 'a'..='d')), None) => {
                        Ok(Event::Dtmf { digit: digit.to_ascii_uppercase() })
                    }
                    _ => Err(Fault::Missing("dtmf.digit")),
                }
            }
            "mark" => {
                let name = message.mark.and_then(|mark| mark.name).ok_or(Fault::Missing("mark.name"))?;
                Ok(Event::Mark { name: name.0 })
            }
            _ => {
                self.phase = Phase::Stopped;
                Ok(Event::Stop)
            }
        }
    }

    /// Notes a message of the stream.
    fn follow(&mut self, stream_sid: Option<&str>, sequence_number: Option<u64>) -> Result<(), Fault> {
        if stream_sid.ok_or(Fault::Missing("streamSid"))? != self.stream_sid {
            return Err(Fault::WrongStream);
        }
        if let Some(number) = sequence_number {
            self.counters.gaps += u64::from(number != self.sequence.wrapping_add(1));
            self.sequence = number;
        }
        Ok(())
    }

    fn media<'a>(
        &mut self,
        track: Option<&str>,
        chunk: Option<u64>,
        timestamp: Option<u64>,
        payload: Option<Cow<'a, str>>,
    ) -> Result<Event<'a>, Fault> {
        let track = match track {
            None => Track::Inbound,
            Some(track) => Track::parse(track).ok_or(Fault::Missing("media.track"))?,
        };
        let payload = Payload(payload.ok_or(Fault::Missing("media.payload"))?);
        self.counters.odd_sizes += u64::from(payload.decoded_len() != FRAME_BYTES);
        let (chunk, timestamp_ms) = (chunk.unwrap_or(0), timestamp.unwrap_or(0));
        Ok(Event::Media(Media { track, chunk, timestamp_ms, payload }))
    }

    fn start(&mut self, body: StartBody<'_>, outer: Option<&str>) -> Result<Start, Fault> {
        let stream_sid = id(body.stream_sid.as_deref().or(outer), "start.streamSid")?;
        if outer.is_some_and(|outer| outer != stream_sid) {
            return Err(Fault::WrongStream);
        }
        let format = body.media_format.ok_or(Fault::Missing("start.mediaFormat"))?;
        if &*format.encoding != "audio/x-mulaw" || format.sample_rate.0 != 8000 || format.channels.0 != 1 {
            return Err(Fault::Format);
        }
        let parameters = body.custom_parameters;
        let most = self.limits.parameter_chars;
        let too_long = |(name, value): (&String, &String)| name.chars().count() + value.chars().count() > most;
        if parameters.len() > self.limits.parameters || parameters.iter().any(too_long) {
            return Err(Fault::Parameters);
        }
        let start = Start {
            stream_sid,
            account_sid: id(body.account_sid.as_deref(), "start.accountSid")?,
            call_sid: id(body.call_sid.as_deref(), "start.callSid")?,
            // There are two; whatever else is named cannot be heard here.
            tracks: [Track::Inbound, Track::Outbound]
                .into_iter()
                .filter(|track| body.tracks.iter().any(|name| Track::parse(name) == Some(*track)))
                .collect(),
            custom_parameters: parameters,
        };
        self.stream_sid.clone_from(&start.stream_sid);
        let mut head = Vec::new();
        self.head("media", &mut head);
        head.extend_from_slice(b",\"media\":{\"payload\":\"");
        self.media_head = head;
        self.phase = Phase::Streaming;
        Ok(start)
    }
}

fn known(event: &str) -> Option<&'static str> {
    ["media", "mark", "connected", "start", "dtmf", "stop"].into_iter().find(|one| *one == event)
}

fn id(text: Option<&str>, field: &'static str) -> Result<String, Fault> {
    let text = text.ok_or(Fault::Missing(field))?;
    let fits = (1..=MAX_ID).contains(&text.len());
    if fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        Ok(text.to_owned())
    } else {
        Err(Fault::NotAnId(field))
    }
}
