//! What Twilio tells of a call, for whoever publishes it.

use std::time::Duration;

use jiff::Timestamp;
use trunkline_core::Pii;
use trunkline_core::voice::{AnsweredBy, CallDirection, CallStatus, SessionId};

/// Something that happened to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallEvent {
    /// Its name: `call.initiated`, `call.ringing`, `call.answered`, `call.completed`, `call.failed`, `stream.started`,
    /// `stream.ended`, `transcription.completed`; and ours: `stream.failed`, `call.answered_by`, `call.returned`,
    /// `recording.started`, `recording.completed`, `recording.failed`.
    pub name: &'static str,
    /// The session, which may be over already.
    pub session: Option<SessionId>,
    /// Twilio's name for the call.
    pub call: String,
    /// The other end.
    pub person: Option<Pii<String>>,
    /// Who called whom; not told of a leg that was dialled from the call.
    pub direction: Option<CallDirection>,
    /// When it happened, or else when it was told.
    pub at: Timestamp,
    /// Whether it tells something new: false when it came late or twice.
    pub is_news: bool,
    /// What else is known.
    pub kind: CallEventKind,
}

/// What else is known of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallEventKind {
    /// How far the call has come.
    Status {
        /// As far as this.
        status: CallStatus,
        /// How long it lasted, when it is over.
        duration: Option<Duration>,
        /// The network's own word for how it ended: a SIP status.
        sip_code: Option<u16>,
    },
    /// A stream began or ended.
    Stream {
        /// Twilio's name for it.
        stream: String,
    },
    /// A recording.
    Recording {
        /// Twilio's name for it.
        recording: String,
        /// How long it is.
        duration: Option<Duration>,
        /// One for both sides together, two for each by itself.
        channels: Option<u8>,
    },
    /// What answered.
    AnsweredBy(AnsweredBy),
    /// The call came back to us: a stream, a session of words, a transfer or a message is over.
    Returned {
        /// Whether somebody else took the call over, and hung up since.
        was_transferred: Option<bool>,
        /// What was given along at the end of the words.
        handoff: Option<Pii<String>>,
        /// The recording of the message that was left.
        message: Option<String>,
    },
    /// What was said, by Twilio's own recogniser.
    Transcription {
        /// The words.
        text: Pii<String>,
        /// Whose: `inbound_track` or `outbound_track`.
        track: Option<String>,
    },
}
