//! People who call: real speech and silence by turns, and an ear with the clock of a telephone.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use trunkline_audio::FRAME_SAMPLES;
use trunkline_audio::g711;
use trunkline_speech::Synthesizer as _;
use trunkline_speech::offline::{OfflineSynthesizer, Voice};
use trunkline_speech::synthesis::SynthesisRequest;

use super::load::{FRAME, Seen};

/// What is said.
const WORDS: &str = "what time do you open on saturday";
/// A cycle of a conversation, in frames: a question, its answer, and one that talks over the answer.
const CYCLE: usize = 400;
const QUESTION_AT: usize = 0;
const OVER_AT: usize = 160;
/// Callers are at different places of their cycles.
const APART: usize = 37;
/// A new caller listens to the greeting for at least so many frames, and begins with a question.
const GREETING: usize = 150;
/// The longest that is said at once, in frames.
const MAX_SPEECH: usize = 60;
/// Sound begins where a frame is louder than this.
const LOUD: i16 = 2_000;

/// What callers say, in Base64, frame by frame.
pub(super) struct Talk {
    speech: Vec<Vec<u8>>,
    silence: Vec<u8>,
}

impl Talk {
    /// Has it spoken now, by the machine's own voice.
    pub(super) async fn prepare() -> Result<Self, String> {
        let voice = Voice::find().map_err(|error| format!("callers have no voice: {error}"))?;
        let mut speech = OfflineSynthesizer::new(voice)
            .speak(SynthesisRequest::new(WORDS))
            .await
            .map_err(|error| format!("callers cannot speak: {error}"))?;
        let mut audio = Vec::new();
        while let Some(piece) = speech.next().await {
            audio.extend_from_slice(&piece.map_err(|error| format!("callers cannot speak: {error}"))?);
        }
        let is_loud = |frame: &[u8]| frame.iter().any(|byte| g711::decode(*byte).unsigned_abs() > LOUD.unsigned_abs());
        let frames: Vec<&[u8]> = audio.chunks_exact(FRAME_SAMPLES).collect();
        let first = frames.iter().position(|frame| is_loud(frame)).unwrap_or_default();
        let last = frames.iter().rposition(|frame| is_loud(frame)).unwrap_or_default();
        let speech: Vec<_> = frames
            .get(first..=last)
            .unwrap_or_default()
            .iter()
            .take(MAX_SPEECH)
            .map(|frame| STANDARD.encode(frame).into_bytes())
            .collect();
        if speech.is_empty() {
            return Err("callers say nothing: the voice of this machine is silent".to_owned());
        }
        Ok(Self { speech, silence: STANDARD.encode([g711::SILENCE; FRAME_SAMPLES]).into_bytes() })
    }

    pub(super) fn caller(&self, number: usize) -> Caller {
        Caller {
            place: CYCLE.saturating_sub(GREETING + number * APART % (CYCLE - GREETING)),
            played_until: None,
            marks: VecDeque::new(),
            over_at: None,
            ended_at: None,
            length: self.speech.len(),
            is_greeted: false,
        }
    }
}

/// One person.
pub(super) struct Caller {
    place: usize,
    /// When what has come will have been heard.
    played_until: Option<Instant>,
    marks: VecDeque<(Instant, String)>,
    /// They talk over an answer since then, and it goes on.
    over_at: Option<Instant>,
    /// They stopped then, and no answer has begun.
    ended_at: Option<Instant>,
    length: usize,
    is_greeted: bool,
}

impl Caller {
    /// The next frame, at the time when it is due.
    pub(super) fn says<'t>(&mut self, talk: &'t Talk, due: Instant) -> &'t [u8] {
        let place = self.place;
        self.place = (self.place + 1) % CYCLE;
        self.is_greeted |= place == QUESTION_AT;
        if !self.is_greeted {
            return &talk.silence;
        }
        let since = if place >= OVER_AT { place - OVER_AT } else { place - QUESTION_AT };
        if place == OVER_AT && self.is_hearing(due) {
            self.over_at = Some(due);
        }
        if since == self.length {
            self.ended_at = Some(due);
            self.over_at = None;
        }
        talk.speech.get(since).unwrap_or(&talk.silence)
    }

    fn is_hearing(&self, now: Instant) -> bool {
        self.played_until.is_some_and(|until| until > now)
    }

    /// A frame of the answer came.
    pub(super) fn hears(&mut self, now: Instant, seen: &mut Seen) {
        seen.received += 1;
        if let Some(ended) = self.ended_at.take() {
            seen.answers.push(now.saturating_duration_since(ended));
        } else if let Some(until) = self.played_until {
            // Within an answer the next frame is there before the last one has been heard.
            let dry = now.saturating_duration_since(until);
            if !dry.is_zero() && dry < FRAME * 25 {
                seen.gaps.push(dry);
            }
        }
        self.played_until = Some(self.played_until.map_or(now, |until| until.max(now)) + FRAME);
    }

    pub(super) fn marked(&mut self, name: String) {
        if let Some(until) = self.played_until {
            self.marks.push_back((until, name));
        }
    }

    pub(super) fn cleared(&mut self, now: Instant, seen: &mut Seen) {
        if let Some(since) = self.over_at.take() {
            seen.clears.push(now.saturating_duration_since(since));
        }
        self.played_until = Some(now);
        for (due, _) in &mut self.marks {
            *due = now;
        }
    }

    /// The next mark whose audio has been heard.
    pub(super) fn heard(&mut self, now: Instant) -> Option<String> {
        let is_due = self.marks.front().is_some_and(|(due, _)| *due <= now);
        is_due.then(|| self.marks.pop_front()).flatten().map(|(_, name)| name)
    }
}

/// The silence that ends what a person says. It is the same in each turn here, so that the time beyond it can be told.
pub(super) const END_SILENCE: Duration = Duration::from_millis(500);

/// The answer's length, which leaves time to be talked over and to be heard.
pub(super) const ANSWER: Duration = Duration::from_millis(2_600);
