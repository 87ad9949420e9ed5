//! What a model says in a call, answer by answer: the audio that waits, and how much of each was heard.
//!
//! It reads no clock and sends nothing. Always holds: an answer was heard as far as the ledger says, however many follow
//! it; nothing that comes of an answer after it was cut is said.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use trunkline_audio::FRAME_SAMPLES;
use trunkline_audio::playout::{Generation, Ledger, MarkName, SegmentId};
use trunkline_core::Pii;
use trunkline_core::voice::AudioFrame;
use trunkline_store::CallTurn;

use super::frames::next_frame;
use super::keys::Keys;
use super::mouth::LEAD;

/// Audio that may wait to be sent, in bytes: five minutes. Models speak faster than anyone listens.
const MAX_AUDIO_BYTES: usize = 2_400_000;
/// Words of one turn that are kept, in bytes.
pub(super) const MAX_WORDS: usize = 16 << 10;
/// Answers that may wait to be heard; of more, the oldest counts as it was heard by then.
const MAX_ANSWERS: usize = 16;
/// Answers that were cut and may still bring something.
const MAX_CUT: usize = 16;

/// An answer of the model.
struct Answer {
    item: String,
    segment: SegmentId,
    audio: VecDeque<Bytes>,
    waiting: usize,
    words: String,
    turn: CallTurn,
    /// All of it is here.
    is_made: bool,
}

/// An answer that is over.
#[derive(Debug)]
pub(super) struct Spoken {
    pub(super) item: String,
    /// With the words that were heard.
    pub(super) turn: CallTurn,
    /// How much of it was heard.
    pub(super) heard: Duration,
    /// The model had made all of it.
    pub(super) is_made: bool,
}

/// What the model says.
#[derive(Default)]
pub(super) struct Answers {
    ledger: Ledger,
    /// What is said since the far end was last cleared.
    generation: Option<Generation>,
    queue: VecDeque<Answer>,
    waiting: usize,
    cut: VecDeque<String>,
    pub(super) keys: Keys,
    tones: Option<SegmentId>,
}

impl Answers {
    /// Whether `item` is being said.
    pub(super) fn holds(&self, item: &str) -> bool {
        self.queue.iter().any(|answer| answer.item == item)
    }

    /// Whether `item` was cut: what still comes of it is not wanted.
    pub(super) fn is_cut(&self, item: &str) -> bool {
        self.cut.iter().any(|cut| cut == item)
    }

    /// Whether there is nothing to say and nothing that may still sound, as far as the clock knows.
    pub(super) fn are_over(&mut self, now: Duration) -> bool {
        self.queue.is_empty() && !self.keys.are_waiting() && !self.ledger.is_playing(now)
    }

    /// Whether marks prove that all was heard, or are overdue by `grace`.
    pub(super) fn were_heard(&mut self, now: Duration, grace: Duration) -> bool {
        let is_late = now >= self.ledger.ends_at().saturating_add(grace);
        let is_proved = is_late || self.ledger.oldest_mark_due().is_none();
        self.are_over(now) && is_proved
    }

    /// Whether something sounds.
    pub(super) fn is_playing(&mut self, now: Duration) -> bool {
        self.ledger.is_playing(now)
    }

    /// Whether there is audio that waits for its time.
    pub(super) fn have_audio(&self) -> bool {
        self.waiting > 0 || self.keys.are_waiting()
    }

    fn generation(&mut self) -> Generation {
        let known = self.generation.filter(|generation| self.ledger.is_current(*generation));
        *self.generation.insert(known.unwrap_or_else(|| self.ledger.begin()))
    }

    /// Another answer begins; the one before is complete.
    pub(super) fn begin(&mut self, now: Duration, item: String, turn: CallTurn) -> Option<Spoken> {
        self.made();
        let oldest = if self.queue.len() == MAX_ANSWERS { self.queue.pop_front() } else { None };
        let oldest = oldest.map(|answer| self.close(now, answer));
        let generation = self.generation();
        let segment = self.ledger.segment(generation);
        let audio = VecDeque::new();
        self.queue.push_back(Answer { item, segment, audio, waiting: 0, words: String::new(), turn, is_made: false });
        oldest
    }

    /// Audio of an answer.
    pub(super) fn hear(&mut self, item: &str, audio: Bytes) {
        if self.waiting + audio.len() > MAX_AUDIO_BYTES {
            return;
        }
        if let Some(answer) = self.queue.iter_mut().find(|answer| answer.item == item) {
            answer.waiting += audio.len();
            self.waiting += audio.len();
            answer.audio.push_back(audio);
        }
    }

    /// Words of an answer.
    pub(super) fn words(&mut self, item: &str, text: &str) {
        if let Some(answer) = self.queue.iter_mut().find(|answer| answer.item == item)
            && answer.words.len() < MAX_WORDS
        {
            answer.words.push_str(text);
        }
    }

    /// All that was begun is here.
    pub(super) fn made(&mut self) {
        for answer in &mut self.queue {
            answer.is_made = true;
        }
    }

    /// The newest turn that answers speech and whose question is not known yet.
    pub(super) fn unexplained(&mut self) -> Option<&mut CallTurn> {
        let mut turns = self.queue.iter_mut().rev().map(|answer| &mut answer.turn);
        turns.find(|turn| turn.latency_ms.is_some() && turn.person.expose().is_empty())
    }

    /// The next frame that may be sent now, and the mark behind it. Keys have their place before what waits.
    pub(super) fn next_frame(&mut self, now: Duration) -> Option<(AudioFrame, Option<MarkName>)> {
        if self.ledger.unheard(now) >= LEAD {
            return None;
        }
        if let Some(frame) = self.keys.next_frame() {
            self.press(now);
            return Some((frame, None));
        }
        let ready = |answer: &&mut Answer| answer.waiting >= FRAME_SAMPLES || (answer.is_made && answer.waiting > 0);
        // The first that has not been sent to its end; those behind it wait for it.
        let answer = self.queue.iter_mut().find(|answer| answer.waiting > 0 || !answer.is_made).filter(ready)?;
        let (before, segment) = (answer.waiting, answer.segment);
        let frame = next_frame(&mut answer.audio, &mut answer.waiting);
        let is_last = answer.waiting == 0;
        self.waiting -= before - answer.waiting;
        let generation = self.generation();
        self.ledger.sent(now, generation, segment, FRAME_SAMPLES);
        let mark = is_last.then(|| self.ledger.mark(segment));
        Some((frame, mark))
    }

    fn press(&mut self, now: Duration) {
        let generation = self.generation();
        let known = self.tones.filter(|tones| self.ledger.sent(now, generation, *tones, FRAME_SAMPLES));
        if known.is_none() {
            let tones = self.ledger.segment(generation);
            self.ledger.sent(now, generation, tones, FRAME_SAMPLES);
            self.tones = Some(tones);
        }
    }

    /// A mark came back.
    pub(super) fn mark_returned(&mut self, now: Duration, name: &str) {
        let _known = self.ledger.mark_returned(now, name);
    }

    /// The oldest answer, if it was heard to its end.
    pub(super) fn take_heard(&mut self, now: Duration) -> Option<Spoken> {
        let oldest = self.queue.front().filter(|answer| answer.is_made && answer.waiting == 0)?;
        let heard = self.ledger.heard(now, oldest.segment);
        if heard.heard_ms < heard.sent_ms {
            return None;
        }
        let answer = self.queue.pop_front()?;
        Some(self.close(now, answer))
    }

    /// The far end is cleared: what was heard of the answers that were under way, oldest first. No more of them is said.
    pub(super) fn cut(&mut self, now: Duration) -> Vec<Spoken> {
        self.ledger.clear(now);
        self.keys.clear();
        self.end(now)
    }

    /// Nothing more is said: what was heard of the answers that were under way, oldest first.
    pub(super) fn end(&mut self, now: Duration) -> Vec<Spoken> {
        let answers = std::mem::take(&mut self.queue);
        answers.into_iter().map(|answer| self.close(now, answer)).collect()
    }

    fn close(&mut self, now: Duration, answer: Answer) -> Spoken {
        let heard = self.ledger.heard(now, answer.segment);
        let is_whole = answer.is_made && answer.waiting == 0 && heard.heard_ms >= heard.sent_ms;
        self.waiting -= answer.waiting;
        let mut turn = answer.turn;
        turn.interrupted = !is_whole;
        turn.agent = Pii::new(if is_whole {
            answer.words
        } else {
            if self.cut.len() == MAX_CUT {
                self.cut.pop_front();
            }
            self.cut.push_back(answer.item.clone());
            let unsent = (answer.waiting / (FRAME_SAMPLES / 20)) as u64;
            let known = heard.sent_ms + unsent;
            let whole = if answer.is_made { known } else { known.max(estimate(&answer.words)) };
            portion(&answer.words, heard.heard_ms, whole).to_owned()
        });
        Spoken { item: answer.item, turn, heard: Duration::from_millis(heard.heard_ms), is_made: answer.is_made }
    }
}

/// How long words take to be spoken, in milliseconds, for audio that was not made to its end.
fn estimate(words: &str) -> u64 {
    55 * words.chars().count() as u64
}

/// The first `heard` of `whole` of a text.
fn portion(text: &str, heard: u64, whole: u64) -> &str {
    let letters = text.chars().count() as u64;
    let kept = usize::try_from(letters.saturating_mul(heard) / whole.max(1)).unwrap_or(usize::MAX);
    let end = text.char_indices().nth(kept).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or_default().trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: usize = 8_000;

    fn ms(time: u64) -> Duration {
        Duration::from_millis(time)
    }

    fn turn(number: i64) -> CallTurn {
        CallTurn {
            number,
            kind: "answer".to_owned(),
            at_ms: 0,
            person: Pii::new(String::new()),
            agent: Pii::new(String::new()),
            latency_ms: None,
            interrupted: false,
        }
    }

    fn said(answers: &mut Answers, item: &str, words: &str) {
        assert!(answers.begin(ms(0), item.to_owned(), turn(1)).is_none());
        answers.hear(item, Bytes::from(vec![0x55; SECOND]));
        answers.words(item, words);
    }

    /// Sends what may be sent, as a call does, until `now`.
    fn play(answers: &mut Answers, from: u64, until: u64) {
        for now in (from..until).step_by(20) {
            while answers.next_frame(ms(now)).is_some() {}
        }
    }

    #[test]
    fn an_answer_that_is_followed_by_another_was_heard_as_far_as_it_was_played() {
        let mut answers = Answers::default();
        said(&mut answers, "one", "one two three four five six seven eight nine ten");
        said(&mut answers, "two", "eleven twelve");
        play(&mut answers, 0, 500);
        assert!(answers.take_heard(ms(500)).is_none(), "a second answer does not make the first one heard");
        let spoken = answers.cut(ms(500));
        let heard: Vec<_> = spoken.iter().map(|one| (one.heard, one.turn.agent.expose().as_str())).collect();
        assert_eq!(heard, [(ms(500), "one two three four five"), (ms(0), "")]);
        assert!(spoken.iter().all(|one| one.turn.interrupted));
        assert!(answers.is_cut("one") && answers.is_cut("two") && !answers.have_audio());
    }

    #[test]
    fn answers_are_heard_one_after_the_other_and_keys_between_them_are_no_words() {
        let mut answers = Answers::default();
        said(&mut answers, "one", "one");
        said(&mut answers, "two", "two");
        answers.made();
        play(&mut answers, 0, 400);
        answers.keys.press("1");
        play(&mut answers, 400, 1_260);
        let first = answers.take_heard(ms(1_260)).unwrap();
        assert_eq!((first.turn.agent.expose().as_str(), first.turn.interrupted), ("one", false));
        // A second, 200 ms of a key, and a second.
        play(&mut answers, 1_260, 2_200);
        assert!(answers.take_heard(ms(2_180)).is_none());
        assert_eq!(answers.take_heard(ms(2_200)).unwrap().turn.agent.expose(), "two");
        assert!(answers.are_over(ms(2_200)) && !answers.were_heard(ms(2_200), ms(1_000)), "no mark came back");
        assert!(answers.were_heard(ms(3_300), ms(1_000)));
    }
}
