//! A live call, what it is created with, and what can be done to it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::{E164, Pii};

/// Our name for a session.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(String);

impl SessionId {
    /// Takes a name over.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who called whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallDirection {
    /// A person called us.
    Inbound,
    /// We called a person.
    Outbound,
}

impl CallDirection {
    /// The word in metrics and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// How far a call has come at the provider. It only moves forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallStatus {
    /// Waits to be placed.
    Queued,
    /// Is being placed.
    Initiated,
    /// The telephone rings.
    Ringing,
    /// Somebody, or something, answered.
    InProgress,
    /// It was answered and is over.
    Completed,
    /// The line was busy.
    Busy,
    /// It could not be placed.
    Failed,
    /// Nobody answered.
    NoAnswer,
    /// It was taken back before somebody answered.
    Canceled,
}

impl CallStatus {
    /// All of them, in order.
    pub const ALL: [Self; 9] = [
        Self::Queued,
        Self::Initiated,
        Self::Ringing,
        Self::InProgress,
        Self::Completed,
        Self::Busy,
        Self::Failed,
        Self::NoAnswer,
        Self::Canceled,
    ];

    /// The word, as providers and the store write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Initiated => "initiated",
            Self::Ringing => "ringing",
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::NoAnswer => "no-answer",
            Self::Canceled => "canceled",
        }
    }

    /// The status that this word names.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether the call is over.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Busy | Self::Failed | Self::NoAnswer | Self::Canceled)
    }
}

/// Who or what answered a call that we placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AnsweredBy {
    /// A person.
    Human,
    /// A machine; its greeting may still be running.
    Machine,
    /// A machine, and its greeting is over: it records now.
    MachineReady,
    /// A fax.
    Fax,
    /// The provider cannot tell.
    Unknown,
}

/// Where a session stands in its life with us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionState {
    /// It has been made.
    Created,
    /// The provider is asked for the call, or has been told what to do with it.
    Connecting,
    /// The call is up.
    Connected,
    /// Audio or words flow.
    Streaming,
    /// The call is over.
    Disconnected,
    /// The call is over because something went wrong.
    Error,
}

impl SessionState {
    /// The word in the API and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Streaming => "streaming",
            Self::Disconnected => "disconnected",
            Self::Error => "error",
        }
    }

    /// Whether the session is over.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Disconnected | Self::Error)
    }
}

/// Whether the provider finds out what answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MachineDetection {
    /// It does not.
    #[default]
    Off,
    /// It tells as soon as it knows.
    Enable,
    /// With a machine it waits for the end of the greeting.
    DetectMessageEnd,
}

/// Whether the provider records the call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RecordingMode {
    /// It does not.
    #[default]
    Off,
    /// Both sides in one channel.
    Mono,
    /// Each side in a channel of its own.
    Dual,
}

/// What an outbound call is created with.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// Whom to call.
    pub to: E164,
    /// The number to call from; the configured one if none.
    pub from: Option<E164>,
    /// Where the provider posts how the call goes; the backend's own endpoint if none.
    pub status_callback: Option<String>,
    /// What it posts. All four by default.
    pub status_events: Vec<CallStatus>,
    /// How long it may ring, in whole seconds. Default 60 s, at most 600 s.
    pub ring_timeout: Duration,
    /// How long the call may last, in whole seconds; the provider's limit if none.
    pub time_limit: Option<Duration>,
    /// Keys to press when it is answered: `0-9 * # w`, at most 32.
    pub send_digits: Option<String>,
    /// Whether to find out what answers.
    pub machine_detection: MachineDetection,
    /// Whether the provider records.
    pub recording: RecordingMode,
    /// Whether the provider recognises and speaks ([`stream_text`](super::VoiceBackend::stream_text)), or we do.
    pub as_text: bool,
    /// The agent that is to speak, by its name.
    pub agent: Option<String>,
    /// What whoever takes the call over should know: goes along to the stream.
    pub metadata: BTreeMap<String, String>,
}

impl SessionConfig {
    /// A call to `to`, with the contract's defaults.
    pub fn to(to: E164) -> Self {
        Self {
            to,
            from: None,
            status_callback: None,
            status_events: vec![
                CallStatus::Initiated,
                CallStatus::Ringing,
                CallStatus::InProgress,
                CallStatus::Completed,
            ],
            ring_timeout: Duration::from_mins(1),
            time_limit: None,
            send_digits: None,
            machine_detection: MachineDetection::Off,
            recording: RecordingMode::Off,
            as_text: false,
            agent: None,
            metadata: BTreeMap::new(),
        }
    }
}

/// What is done to a call from outside of its audio.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallControl {
    /// Hang up.
    Complete,
    /// Connect the person with somebody else. Our stream ends.
    Transfer {
        /// Whom to.
        to: E164,
        /// What the one who takes over is told before they are connected.
        briefing: Option<Pii<String>>,
        /// How long it may ring there; after that the call comes back to us.
        ring_timeout: Duration,
    },
    /// Let the person wait, with a text or with silence. Our stream ends until [`Self::Resume`].
    Hold {
        /// What the person hears again and again.
        announcement: Option<String>,
    },
    /// Connect the person with us again.
    Resume,
    /// Say something by the provider's own voice and hang up.
    Apologise(String),
    /// Let the person leave a message, then hang up.
    Voicemail {
        /// What the person hears first.
        greeting: String,
        /// The longest message.
        max: Duration,
    },
    /// Begin to record.
    StartRecording(RecordingMode),
    /// Leave the recording out until [`Self::ResumeRecording`].
    PauseRecording,
    /// Record again.
    ResumeRecording,
    /// End the recording.
    StopRecording,
}

/// What to answer the provider's webhook with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookAnswer {
    /// Its media type.
    pub content_type: &'static str,
    /// Its body.
    pub body: String,
}

#[derive(Debug)]
struct Progress {
    call: Option<String>,
    state: SessionState,
    status: CallStatus,
    answered_by: Option<AnsweredBy>,
    answered_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    last_activity: Timestamp,
    as_text: bool,
    answer: Option<WebhookAnswer>,
}

#[derive(Debug)]
struct Shared {
    id: SessionId,
    direction: CallDirection,
    from: Pii<String>,
    to: Pii<String>,
    created_at: Timestamp,
    agent: Option<String>,
    metadata: BTreeMap<String, String>,
    progress: Mutex<Progress>,
}

/// A call while it lives, and what is known of it. Clones are the same session.
#[derive(Debug, Clone)]
pub struct VoiceSession(Arc<Shared>);

impl VoiceSession {
    /// A session that has just been made.
    pub fn new(
        id: SessionId,
        direction: CallDirection,
        from: impl Into<String>,
        to: impl Into<String>,
        created_at: Timestamp,
    ) -> Self {
        Self::with(id, direction, (from.into(), to.into()), created_at, (None, BTreeMap::new()))
    }

    /// A session for an outbound call.
    pub fn outbound(id: SessionId, from: impl Into<String>, config: &SessionConfig, created_at: Timestamp) -> Self {
        let numbers = (from.into(), config.to.as_str().to_owned());
        let about = (config.agent.clone(), config.metadata.clone());
        Self::with(id, CallDirection::Outbound, numbers, created_at, about)
    }

    fn with(
        id: SessionId,
        direction: CallDirection,
        (from, to): (String, String),
        created_at: Timestamp,
        (agent, metadata): (Option<String>, BTreeMap<String, String>),
    ) -> Self {
        let progress = Progress {
            call: None,
            state: SessionState::Created,
            status: CallStatus::Queued,
            answered_by: None,
            answered_at: None,
            ended_at: None,
            last_activity: created_at,
            as_text: false,
            answer: None,
        };
        Self(Arc::new(Shared {
            id,
            direction,
            from: Pii::new(from),
            to: Pii::new(to),
            created_at,
            agent,
            metadata,
            progress: Mutex::new(progress),
        }))
    }

    fn read<T>(&self, read: impl FnOnce(&mut Progress) -> T) -> T {
        read(&mut self.0.progress.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Our name for it.
    pub fn id(&self) -> &SessionId {
        &self.0.id
    }

    /// Who called whom.
    pub fn direction(&self) -> CallDirection {
        self.0.direction
    }

    /// Who called.
    pub fn from(&self) -> &Pii<String> {
        &self.0.from
    }

    /// Who was called.
    pub fn to(&self) -> &Pii<String> {
        &self.0.to
    }

    /// The person: the other end, whoever called.
    pub fn person(&self) -> &Pii<String> {
        match self.direction() {
            CallDirection::Inbound => self.from(),
            CallDirection::Outbound => self.to(),
        }
    }

    /// When it was made.
    pub fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// The agent that was asked for.
    pub fn agent(&self) -> Option<&str> {
        self.0.agent.as_deref()
    }

    /// What was given along with the call.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.0.metadata
    }

    /// The provider's name for the call, once it is known.
    pub fn call(&self) -> Option<String> {
        self.read(|progress| progress.call.clone())
    }

    /// Where it stands with us.
    pub fn state(&self) -> SessionState {
        self.read(|progress| progress.state)
    }

    /// Where the call stands at the provider.
    pub fn status(&self) -> CallStatus {
        self.read(|progress| progress.status)
    }

    /// Who or what answered, if the provider told.
    pub fn answered_by(&self) -> Option<AnsweredBy> {
        self.read(|progress| progress.answered_by)
    }

    /// When it was answered.
    pub fn answered_at(&self) -> Option<Timestamp> {
        self.read(|progress| progress.answered_at)
    }

    /// When it ended.
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.read(|progress| progress.ended_at)
    }

    /// When something last happened.
    pub fn last_activity(&self) -> Timestamp {
        self.read(|progress| progress.last_activity)
    }

    /// Whether words travel, and not audio.
    pub fn is_text(&self) -> bool {
        self.read(|progress| progress.as_text)
    }

    /// Keeps whether words travel. For who leads the call.
    pub fn set_text(&self, as_text: bool) {
        self.read(|progress| progress.as_text = as_text);
    }

    /// What to answer the webhook with that brought the call.
    pub fn answer(&self) -> Option<WebhookAnswer> {
        self.read(|progress| progress.answer.clone())
    }

    /// Keeps the answer to the webhook. For backends.
    pub fn set_answer(&self, answer: WebhookAnswer) {
        self.read(|progress| progress.answer = Some(answer));
    }

    /// Keeps the provider's name for the call; the first one counts. For backends.
    pub fn set_call(&self, call: impl Into<String>) {
        self.read(|progress| {
            progress.call.get_or_insert_with(|| call.into());
        });
    }

    /// Keeps what answered. For backends.
    pub fn set_answered_by(&self, who: AnsweredBy, now: Timestamp) {
        self.read(|progress| {
            progress.answered_by = Some(who);
            progress.last_activity = now;
        });
    }

    /// Moves our state; a session that is over stays so. Says whether it moved. For backends.
    pub fn set_state(&self, state: SessionState, now: Timestamp) -> bool {
        self.read(|progress| {
            if progress.state.is_over() || progress.state == state {
                return false;
            }
            progress.state = state;
            progress.last_activity = now;
            if state.is_over() {
                progress.ended_at.get_or_insert(now);
            }
            true
        })
    }

    /// Moves the call's status forward, whatever the order in which it is told. Says whether it moved. For backends.
    pub fn set_status(&self, status: CallStatus, now: Timestamp) -> bool {
        self.read(|progress| {
            if progress.status.is_final() || status <= progress.status {
                return false;
            }
            progress.status = status;
            progress.last_activity = now;
            if status == CallStatus::InProgress {
                progress.answered_at.get_or_insert(now);
            }
            if status.is_final() {
                progress.ended_at.get_or_insert(now);
            }
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn a_status_only_moves_forward_and_an_end_is_final() {
        let session = VoiceSession::new(SessionId::new("s"), CallDirection::Inbound, "+1555", "+1666", at(0));
        assert!(session.set_status(CallStatus::InProgress, at(3)));
        assert!(!session.set_status(CallStatus::Ringing, at(4)), "ringing arrived late");
        assert_eq!((session.status(), session.answered_at()), (CallStatus::InProgress, Some(at(3))));
        assert!(session.set_status(CallStatus::Completed, at(9)));
        assert!(!session.set_status(CallStatus::Canceled, at(10)));
        assert_eq!(session.ended_at(), Some(at(9)));
        assert!(session.set_state(SessionState::Disconnected, at(11)));
        assert!(!session.set_state(SessionState::Streaming, at(12)));
        assert_eq!(session.ended_at(), Some(at(9)), "the first end counts");
    }

    #[test]
    fn numbers_are_not_printed() {
        let session =
            VoiceSession::new(SessionId::new("s"), CallDirection::Inbound, "+15551234567", "+15557654321", at(0));
        assert!(!format!("{session:?}").contains("555"));
    }

    #[test]
    fn words_name_their_status() {
        for status in CallStatus::ALL {
            assert_eq!(CallStatus::from_name(status.as_str()), Some(status));
        }
    }
}
