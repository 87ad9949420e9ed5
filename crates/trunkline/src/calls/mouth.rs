//! One reply on its way to the ear: sentences from the agent, audio from a voice, frames to the call.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::task::TaskTracker;
use tracing::Span;
use trunkline_agent::turns::{ReplyId, TurnMachine};
use trunkline_audio::FRAME_SAMPLES;
use trunkline_audio::playout::SegmentId;
use trunkline_core::Pii;
use trunkline_core::voice::{AudioStream, VoiceError};
use trunkline_speech::SpeechError;

use super::frames::next_frame;
use super::kept::Kept;
use super::thinking::{Thinking, Thought};
use super::voices::{Voiced, Voices};

/// Audio that is sent ahead of its time: what an interruption throws away at most, and what a busy moment of ours may last
/// without a gap.
pub(super) const LEAD: Duration = Duration::from_millis(400);
/// How much of that has been heard when more is sent: a few frames in one go cost little more than one.
const REFILL: Duration = Duration::from_millis(80);
/// Audio of one sentence that may wait to be sent, in bytes: five minutes.
const MAX_AUDIO_BYTES: usize = 2_400_000;
/// Sentences of one reply that may wait to be spoken.
const MAX_TEXTS: usize = 256;

/// What came out of waiting.
#[derive(Debug)]
pub(super) enum Made {
    /// The agent went on.
    Thought(Thought),
    /// The voice went on: a piece, its end, or its failure.
    Audio(Option<Result<Bytes, SpeechError>>),
}

/// How far a pass of [`Mouth::pump`] came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pumped {
    /// It waits: for the agent, for the voice, or for time.
    Waits,
    /// All of it is sent.
    Complete,
}

struct Speaking {
    text: String,
    segment: Option<SegmentId>,
    voiced: Voiced,
    audio: VecDeque<Bytes>,
    length: usize,
    is_made: bool,
}

/// One reply.
pub(super) struct Mouth {
    pub(super) id: ReplyId,
    thinking: Option<Thinking>,
    texts: VecDeque<String>,
    speaking: Option<Speaking>,
    /// The next sentence, whose audio is made while this one plays.
    prepared: Option<(String, Voiced)>,
    pub(super) is_held: bool,
    /// As much has been sent ahead as may be.
    is_ahead: bool,
    is_reported: bool,
    /// What the answer leaves behind beside its words.
    pub(super) kept: Kept,
}

impl Mouth {
    /// A reply of these sentences.
    pub(super) fn saying(id: ReplyId, texts: impl IntoIterator<Item = String>) -> Self {
        Self {
            id,
            thinking: None,
            texts: texts.into_iter().collect(),
            speaking: None,
            prepared: None,
            is_held: false,
            is_ahead: false,
            is_reported: false,
            kept: Kept::default(),
        }
    }

    /// A reply that an agent makes.
    pub(super) fn thinking(id: ReplyId, thinking: Thinking) -> Self {
        Self { thinking: Some(thinking), ..Self::saying(id, []) }
    }

    /// Says something before whatever comes next.
    pub(super) fn say_first(&mut self, text: String) {
        self.texts.push_front(text);
    }

    /// Waits for the agent or the voice. Never ends while there is nothing to wait for.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub(super) async fn next(&mut self) -> Made {
        let wants_more = self.texts.len() < MAX_TEXTS;
        let thought = async {
            match &mut self.thinking {
                Some(thinking) if wants_more => thinking.next().await,
                _ => std::future::pending().await,
            }
        };
        let audio = async {
            match &mut self.speaking {
                Some(speaking) if !speaking.is_made => speaking.voiced.next().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            thought = thought => Made::Thought(thought),
            audio = audio => Made::Audio(audio),
        }
    }

    /// Takes what [`Self::next`] brought. An error is the agent's or the voice's code: the reply failed.
    pub(super) fn take(&mut self, made: Made) -> Result<(), &'static str> {
        match made {
            Made::Thought(thought) => match self.kept.take(thought) {
                Some(Thought::Sentence(text) | Thought::Piece(text)) => self.texts.push_back(text),
                Some(Thought::Done) => self.thinking = None,
                Some(Thought::Failed(code)) => {
                    self.thinking = None;
                    return Err(code);
                }
                _ => {}
            },
            Made::Audio(audio) => self.heard_of(audio)?,
        }
        Ok(())
    }

    fn heard_of(&mut self, audio: Option<Result<Bytes, SpeechError>>) -> Result<(), &'static str> {
        let Some(speaking) = &mut self.speaking else { return Ok(()) };
        match audio {
            None => speaking.is_made = true,
            Some(Ok(piece)) if speaking.length + piece.len() > MAX_AUDIO_BYTES => {
                speaking.is_made = true;
                let error =
                    SpeechError::TooLong { what: "a sentence", limit: format!("{MAX_AUDIO_BYTES} bytes of audio") };
                return Err(error.code());
            }
            Some(Ok(piece)) => {
                speaking.length += piece.len();
                speaking.audio.push_back(piece);
            }
            Some(Err(error)) => {
                speaking.is_made = true;
                return Err(error.code());
            }
        }
        Ok(())
    }

    /// Sends what may be sent now, and says whether all is.
    pub(super) fn pump(
        &mut self,
        now: Duration,
        machine: &mut TurnMachine,
        stream: &mut AudioStream,
        sent: &mut impl FnMut(&[u8; FRAME_SAMPLES]),
        (voices, tasks, span): (&Arc<Voices>, &TaskTracker, &Span),
    ) -> Result<Pumped, VoiceError> {
        loop {
            if self.is_held || !machine.may_send(self.id) {
                return Ok(Pumped::Waits);
            }
            self.prepare(voices, tasks, span);
            let Some(speaking) = &mut self.speaking else {
                let is_over = self.thinking.is_none() && self.texts.is_empty();
                return Ok(if is_over { Pumped::Complete } else { Pumped::Waits });
            };
            if speaking.length >= FRAME_SAMPLES || (speaking.is_made && speaking.length > 0) {
                let begun = speaking.segment.or_else(|| machine.begin_segment(self.id, &speaking.text));
                let Some(segment) = begun else { return Ok(Pumped::Waits) };
                speaking.segment = Some(segment);
                let unheard = machine.unheard(now);
                self.is_ahead = unheard >= LEAD || (self.is_ahead && unheard + REFILL > LEAD);
                if self.is_ahead || !machine.audio_sent(now, segment, FRAME_SAMPLES) {
                    return Ok(Pumped::Waits);
                }
                let frame = next_frame(&mut speaking.audio, &mut speaking.length);
                stream.audio(&frame)?;
                sent(&frame);
                continue;
            }
            if !speaking.is_made {
                return Ok(Pumped::Waits);
            }
            match speaking.segment {
                Some(segment) => {
                    if let Some(mark) = machine.segment_sent(segment) {
                        stream.mark(mark.as_str())?;
                    }
                }
                None => machine.segment_skipped(self.id),
            }
            self.speaking = None;
        }
    }

    /// Has the sentence that is to be spoken made, and the one behind it.
    fn prepare(&mut self, voices: &Arc<Voices>, tasks: &TaskTracker, span: &Span) {
        let speak = |text: &str| span.in_scope(|| voices.speak(tasks, text));
        if self.speaking.is_none() {
            let next = self.prepared.take().or_else(|| {
                let text = self.texts.pop_front()?;
                let voiced = speak(&text);
                Some((text, voiced))
            });
            self.speaking = next.map(|(text, voiced)| Speaking {
                text,
                segment: None,
                voiced,
                audio: VecDeque::new(),
                length: 0,
                is_made: false,
            });
        }
        if self.prepared.is_none()
            && let Some(text) = self.texts.pop_front()
        {
            let voiced = speak(&text);
            self.prepared = Some((text, voiced));
        }
    }

    /// Whether its completeness has not been told before; it is told once.
    pub(super) const fn report(&mut self) -> bool {
        !std::mem::replace(&mut self.is_reported, true)
    }

    /// Stops making anything; what is known of the reply stays.
    pub(super) fn silence(&mut self) {
        self.thinking = None;
        self.speaking = None;
        self.prepared = None;
        self.texts.clear();
    }

    /// Whether no sentence of it is being made.
    pub(super) const fn says_nothing(&self) -> bool {
        self.speaking.is_none() && self.prepared.is_none()
    }

    /// Whether the agent may still say more.
    pub(super) const fn wants_thoughts(&self) -> bool {
        self.thinking.is_some()
    }

    /// Whether there is audio that waits for its time.
    pub(super) fn has_audio(&self) -> bool {
        !self.is_held && self.speaking.as_ref().is_some_and(|speaking| speaking.length > 0)
    }

    /// Stops speaking and keeps what was not begun.
    pub(super) fn hold(&mut self) {
        self.is_held = true;
        if let Some((text, _)) = self.prepared.take() {
            self.texts.push_front(text);
        }
        // What was begun comes back with the order to resume, if it was not heard.
        if let Some(speaking) = self.speaking.take().filter(|speaking| speaking.segment.is_none()) {
            self.texts.push_front(speaking.text);
        }
    }

    /// Speaks again what was not heard, and goes on.
    pub(super) fn resume(&mut self, again: Vec<Pii<String>>) {
        if !self.is_held {
            self.hold();
        }
        self.is_held = false;
        for text in again.into_iter().rev() {
            self.texts.push_front(text.into_inner());
        }
    }
}
