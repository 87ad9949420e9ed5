//! What the machine is told, and what it says.

use std::time::Duration;

use trunkline_core::Pii;

/// Names a reply within its call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyId(pub(super) u64);

impl ReplyId {
    /// The reply's number in the call, from 1.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Speech is certain.
    SpeechStarted,
    /// It is quiet again.
    SpeechEnded {
        /// When the last voice was heard; before now, by the detector's hangover.
        at: Duration,
    },
    /// The recognizer's guess so far.
    Partial(Pii<String>),
    /// Words that will not change.
    Final(Pii<String>),
    /// The recognizer is sure that the person has finished.
    EndOfUtterance,
    /// A key of the telephone.
    Digit(char),
    /// All text of a reply is known. With `ends_call` the call ends when it has been heard.
    ReplyComplete {
        /// Which.
        reply: ReplyId,
        /// Whether to hang up after it.
        ends_call: bool,
    },
    /// A reply could not be made. What was said of it stands.
    ReplyFailed {
        /// Which.
        reply: ReplyId,
    },
    /// A mark came back.
    Mark(String),
    /// Something is to be said that nobody asked for, such as the greeting or a message of an operator.
    Announce {
        /// Whether the person may interrupt it.
        interruptible: bool,
    },
    /// End the call as soon as what is being said has been heard.
    EndCall(EndReason),
    /// Nothing but time has passed: a deadline is due.
    Tick,
}

/// Why a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// The agent said goodbye.
    Agent,
    /// The person said nothing for too long.
    Silence,
    /// The call lasted as long as it may.
    MaxDuration,
    /// The gateway stops.
    Draining,
    /// Somebody at the console, or the API, ended it.
    Operator,
    /// Something that the call cannot do without failed.
    Failure,
}

impl EndReason {
    /// The word in the store and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Silence => "silence",
            Self::MaxDuration => "max_duration",
            Self::Draining => "draining",
            Self::Operator => "operator",
            Self::Failure => "failure",
        }
    }
}

/// What a reply is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyKind {
    /// The answer to what the person said; at least one text.
    Answer(Vec<Pii<String>>),
    /// The person is asked again, for the n-th time from 1.
    Reprompt(u32),
    /// The last words before the call ends.
    Goodbye(EndReason),
    /// What was announced.
    Announcement,
}

/// How much of a reply was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// Which reply.
    pub reply: ReplyId,
    /// The words that were heard.
    pub heard: Pii<String>,
    /// Whether that is all of it.
    pub is_complete: bool,
    /// From the end of the person's speech to the first sound that was sent; none if nothing was.
    pub latency: Option<Duration>,
}

/// Something to do, now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Empty the far end's queue, and drop everything that waits to be sent. Ahead of everything else.
    Clear,
    /// Make a reply.
    Start {
        /// Its name.
        reply: ReplyId,
        /// What it is.
        kind: ReplyKind,
    },
    /// Forget a reply: its agent, its synthesis, its audio.
    Stop {
        /// Which.
        reply: ReplyId,
    },
    /// Hold a reply: its audio was cleared, its words are kept for [`Self::Resume`].
    Hold {
        /// Which.
        reply: ReplyId,
    },
    /// It was no interruption: speak these words again, then go on with the reply.
    Resume {
        /// Which.
        reply: ReplyId,
        /// What was not heard, by segments.
        again: Vec<Pii<String>>,
    },
    /// The reply takes long: say something short meanwhile, as a part of it.
    Filler {
        /// Which.
        reply: ReplyId,
    },
    /// A reply is over; this much of it was heard. What agents remember is this.
    Spoken(Spoken),
    /// The far end makes no progress. Its queue was given up; the call goes on.
    Stalled,
    /// Hang up.
    HangUp(EndReason),
}
