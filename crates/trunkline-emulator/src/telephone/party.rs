//! Whoever is at a phone: nobody who speaks, a script, or a line to a browser.

use serde_json::json;

use super::clip::{Frame, QUIET};
use super::leg::Leg;
use super::line::LineParty;
use super::script::ScriptRun;
use crate::state::calls::records::CallStatus;

/// What a person did in 20 ms, beside speaking.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) digit: Option<char>,
    pub(crate) hung_up: bool,
    /// A machine has beeped.
    pub(crate) machine_done: bool,
}

/// The far side of a leg.
pub(crate) enum Party {
    /// Answers and stays silent.
    Silent,
    Script(Box<ScriptRun>),
    Line(LineParty),
}

impl Party {
    /// 20 ms of what the person says.
    pub(crate) fn speak(&mut self, now_ms: u64, frame: &mut Frame) -> Said {
        match self {
            Self::Silent => Said::default(),
            Self::Script(script) => {
                let said = script.speak(now_ms, frame);
                script.spoke(now_ms, frame);
                said
            }
            Self::Line(line) => line.speak(frame),
        }
    }

    /// 20 ms of what the person hears.
    pub(crate) fn hear(&mut self, now_ms: u64, frame: &Frame) {
        match self {
            Self::Silent => {}
            Self::Script(script) => script.hear(now_ms, frame),
            Self::Line(line) => line.hear(frame),
        }
    }

    /// What the other side is about to say, where its words are known.
    pub(crate) fn told(&self, text: &str) {
        if let Self::Line(line) = self {
            line.tell(json!({"type": "said", "who": "agent", "text": text}));
        }
    }

    /// A server dropped what it had to say when the person's sound had been sent up to `sent_ms`.
    pub(crate) fn cleared(&mut self, sent_ms: u64) {
        if let Self::Script(script) = self {
            script.cleared(sent_ms);
        }
    }

    /// A key that the other person pressed.
    pub(crate) fn key(&mut self, digit: char) {
        match self {
            Self::Silent => {}
            Self::Script(script) => script.key(digit),
            Self::Line(line) => line.key(digit),
        }
    }

    /// 20 ms in which the call is not answered yet.
    pub(crate) fn wait(&mut self) -> Said {
        match self {
            Self::Silent | Self::Script(_) => Said::default(),
            Self::Line(line) => Said { hung_up: line.speak(&mut QUIET.clone()).hung_up, ..Said::default() },
        }
    }

    /// Words that the person has begun to say, if they are known.
    pub(crate) fn take_text(&mut self) -> Option<String> {
        match self {
            Self::Silent => None,
            Self::Script(script) => script.take_text(),
            Self::Line(line) => line.take_text(),
        }
    }

    /// The call was answered.
    pub(crate) fn answered(&mut self, leg: &Leg) {
        match self {
            Self::Silent => {}
            Self::Script(script) => {
                let ms = u64::try_from(leg.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                script.report.lock().answered_ms = Some(ms);
                leg.plane().machine_beeps = script.beeps();
            }
            Self::Line(line) => line.tell(json!({"type": "answered", "call": leg.sid})),
        }
    }

    /// The call is over.
    pub(crate) fn ended(&mut self, leg: &Leg, status: CallStatus, seconds: u64) {
        match self {
            Self::Silent => {}
            Self::Script(script) => script.finish(),
            Self::Line(line) => line.tell(json!({
                "type": "ended", "call": leg.sid, "status": status.as_str(), "duration": seconds,
            })),
        }
    }

    pub(crate) fn is_machine(&self) -> bool {
        matches!(self, Self::Script(script) if script.is_machine())
    }
}
