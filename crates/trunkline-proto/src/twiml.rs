//! TwiML as values: a document to build, to write as XML, and to read back.
//!
//! Attributes that are not set are not written; the field is `None` and Twilio's default holds, which each field's
//! comment names. Element texts are kept without the white space around them. What `<Say>` holds is kept as words and,
//! when there is markup, also as SSML.
//!
//! Reading is strict where a call could not go on (no XML, an unknown verb) and lenient where Twilio is: an attribute
//! that is unknown or means nothing is left out and listed as a [`Warning`].
//!
//! Not here: what a verb does. Messages inside a media stream are in `media`.
//!
//! Source: Twilio's TwiML pages for voice, `twiml/stream` and `connect/conversationrelay`, and the attribute lists of
//! its SDKs, November 2026.
//!
//! ```
//! use trunkline_proto::twiml::{Connect, Parameter, Response, Stream, Verb};
//!
//! let stream = Stream {
//!     url: Some("wss://example.com/media".to_owned()),
//!     parameters: vec![Parameter::new("token", "one-use")],
//!     ..Stream::default()
//! };
//! let xml = Response::new().with(Verb::Connect(Connect::to(stream))).to_xml();
//! assert!(xml.ends_with(
//!     "<Response><Connect><Stream url=\"wss://example.com/media\">\
//!      <Parameter name=\"token\" value=\"one-use\"/></Stream></Connect></Response>"
//! ));
//! assert_eq!(Response::parse(xml.as_bytes()).unwrap().response.to_xml(), xml);
//! ```

mod attribute;
mod connect;
mod error;
mod input;
mod parse;
mod speech;
#[cfg(test)]
mod tests;
mod verbs;
mod write;

pub use self::attribute::{GatherInput, HttpMethod, Interruptible, SpeechTimeout, Track};
pub use self::connect::{
    Connect, ConnectTarget, ConversationRelay, Language, Parameter, Start, StartTarget, Stop, StopTarget, Stream,
    Transcription,
};
pub use self::error::{TwimlError, Warning, WarningKind};
pub use self::input::{Dial, DialTarget, Gather, Number, Prompt, Record};
pub use self::speech::Speech;
pub use self::verbs::{Message, Pause, Play, Redirect, Reject, Say};

/// A document: its verbs in their order. Empty, it hangs up a call and acknowledges a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// The verbs, in the order in which they run.
    pub verbs: Vec<Verb>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verb {
    /// Speak.
    Say(Say),
    /// Play a file or digits.
    Play(Play),
    /// Wait.
    Pause(Pause),
    /// Collect digits or speech.
    Gather(Gather),
    /// Call somebody else and join both.
    Dial(Dial),
    /// Record the caller.
    Record(Record),
    /// Go on with another document.
    Redirect(Redirect),
    /// Refuse the call. Only as the first verb of an inbound call.
    Reject(Reject),
    /// End the call.
    Hangup,
    /// Hand the call to a socket until that ends.
    Connect(Connect),
    /// Start something beside the call.
    Start(Start),
    /// Stop what was started.
    Stop(Stop),
    /// Answer a message. Not for calls.
    Message(Message),
}

/// A document that was read, and what in it was left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The document.
    pub response: Response,
    /// At most [`MAX_WARNINGS`]; Twilio logs each as 12200.
    pub warnings: Vec<Warning>,
}

impl Response {
    /// A document without verbs.
    pub fn new() -> Self {
        Self::default()
    }

    /// The document with one verb more.
    #[must_use]
    pub fn with(mut self, verb: Verb) -> Self {
        self.verbs.push(verb);
        self
    }

    /// The document as XML, with its declaration, on one line.
    ///
    /// Characters that XML cannot hold are written as U+FFFD.
    pub fn to_xml(&self) -> String {
        write::document(self)
    }

    /// Reads a document.
    ///
    /// # Errors
    ///
    /// `proto.twiml.too_long`, `proto.twiml.not_xml`, `proto.twiml.not_twiml`, `proto.twiml.unknown_element`,
    /// `proto.twiml.missing`, `proto.twiml.too_deep`, `proto.twiml.too_many_verbs`.
    pub fn parse(body: &[u8]) -> Result<Parsed, TwimlError> {
        parse::document(body)
    }
}

/// The longest document that is read, in bytes: Twilio's limit.
pub const MAX_DOCUMENT_BYTES: usize = 64 * 1024;
/// The deepest nesting of elements that is read. TwiML needs five, SSML a few more.
pub const MAX_DEPTH: usize = 20;
/// The largest number of elements that is read.
pub const MAX_ELEMENTS: usize = 1000;
/// The largest number of warnings that is kept.
pub const MAX_WARNINGS: usize = 50;
