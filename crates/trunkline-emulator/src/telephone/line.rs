//! A browser as a phone: audio both ways, and who is calling whom.

use std::collections::VecDeque;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use trunkline_audio::{FRAME_SAMPLES, dtmf, g711};
use trunkline_proto::sid::CallSid;

use super::clip::{Frame, QUIET, Sound};
use super::party::Said;

/// What goes to the browser.
#[derive(Debug)]
pub(crate) enum ToLine {
    Audio(Frame),
    Message(Value),
    /// Another socket took the number over.
    Replaced,
}

/// What comes from the browser for one call.
#[derive(Debug)]
pub(crate) enum FromLine {
    Audio(Frame),
    Digit(char),
    Say { text: String, sound: Sound },
    Answer,
    Reject,
    HangUp,
}

/// A call that rings at a line, or that it has made.
#[derive(Debug, Clone)]
pub(crate) struct LineCall {
    pub(crate) sid: CallSid,
    pub(crate) from: String,
    pub(crate) commands: mpsc::Sender<FromLine>,
}

/// The far side of a call that a browser is in.
pub(crate) struct LineParty {
    commands: mpsc::Receiver<FromLine>,
    to_line: mpsc::Sender<ToLine>,
    /// Frames that came early.
    audio: VecDeque<Frame>,
    said: VecDeque<Sound>,
    played: usize,
    begun: Option<String>,
    keys: dtmf::Detector,
}

impl LineParty {
    pub(crate) fn new(commands: mpsc::Receiver<FromLine>, to_line: mpsc::Sender<ToLine>) -> Self {
        Self {
            commands,
            to_line,
            audio: VecDeque::with_capacity(MAX_EARLY),
            said: VecDeque::new(),
            played: 0,
            begun: None,
            keys: dtmf::Detector::new(),
        }
    }

    pub(crate) fn speak(&mut self, frame: &mut Frame) -> Said {
        let mut said = Said::default();
        loop {
            match self.commands.try_recv() {
                Ok(FromLine::Audio(audio)) => {
                    if self.audio.len() >= MAX_EARLY {
                        self.audio.pop_front();
                    }
                    self.audio.push_back(audio);
                }
                Ok(FromLine::Digit(digit)) => {
                    said.digit = Some(digit);
                    // One key for each 20 ms; the next is taken then.
                    break;
                }
                Ok(FromLine::Say { text, sound }) => {
                    self.tell(json!({"type": "said", "who": "caller", "text": text}));
                    self.begun = Some(text);
                    if self.said.len() < MAX_SAID {
                        self.said.push_back(sound);
                    }
                }
                Ok(FromLine::HangUp | FromLine::Reject) | Err(mpsc::error::TryRecvError::Disconnected) => {
                    said.hung_up = true;
                    break;
                }
                Ok(FromLine::Answer) => {}
                Err(mpsc::error::TryRecvError::Empty) => break,
            }
        }
        if let Some(sound) = self.said.front() {
            let rest = sound.get(self.played..).unwrap_or_default();
            for (slot, byte) in frame.iter_mut().zip(rest) {
                *slot = *byte;
            }
            self.played = self.played.saturating_add(FRAME_SAMPLES);
            if self.played >= sound.len() {
                self.said.pop_front();
                self.played = 0;
            }
            self.audio.clear();
        } else if let Some(audio) = self.audio.pop_front() {
            *frame = audio;
        }
        said
    }

    pub(crate) fn hear(&mut self, frame: &Frame) {
        // A browser that does not read loses what it does not take.
        drop(self.to_line.try_send(ToLine::Audio(*frame)));
        if *frame != QUIET {
            let mut samples = [0_i16; FRAME_SAMPLES];
            g711::decode_into(frame, &mut samples);
            if let Some(digit) = self.keys.push(&samples) {
                self.key(digit);
            }
        }
    }

    pub(crate) fn key(&mut self, digit: char) {
        self.tell(json!({"type": "digit", "digit": digit.to_string()}));
    }

    pub(crate) fn take_text(&mut self) -> Option<String> {
        self.begun.take()
    }

    pub(crate) fn tell(&self, message: Value) {
        drop(self.to_line.try_send(ToLine::Message(message)));
    }
}

/// Frames that a browser may be early: 200 ms.
const MAX_EARLY: usize = 10;
/// Texts that wait to be spoken.
const MAX_SAID: usize = 20;
