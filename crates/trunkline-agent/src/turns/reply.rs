//! What we are saying.

use std::time::Duration;

use trunkline_audio::playout::{Generation, Ledger, SegmentId};
use trunkline_core::Pii;

use super::{ReplyId, ReplyKind, Spoken};

/// Segments of one reply that are remembered; a reply of more sentences goes on in the last.
const MAX_SEGMENTS: usize = 128;
/// How long a character takes to speak, for audio that was not made to its end.
const PER_CHARACTER: Duration = Duration::from_millis(55);

/// What shows that a segment was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// Its mark, or that its playing time is over.
    Time,
    /// Its mark alone: the far end does not play as the clock says.
    Mark,
}

/// A sentence or so of a reply.
#[derive(Debug)]
struct Segment {
    id: SegmentId,
    text: String,
    /// Its audio is made and sent to its end.
    is_sent: bool,
}

/// A reply from its start until it was heard or stopped.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the reply")]
pub(super) struct Reply {
    pub(super) id: ReplyId,
    /// The person's words that it answers; they are answered anew when nothing of it was heard.
    pub(super) answers: Vec<Pii<String>>,
    pub(super) is_interruptible: bool,
    pub(super) generation: Generation,
    /// When it began, and from when its latency counts.
    pub(super) started: Duration,
    speech_end: Duration,
    first_audio: Option<Duration>,
    last_audio: Duration,
    segments: Vec<Segment>,
    /// Words that were heard before it was held, of segments that are gone from `segments`.
    heard_before: String,
    /// Segments that are to be spoken again and were not begun yet.
    again: usize,
    /// All of its text is known.
    pub(super) is_complete: bool,
    pub(super) has_filler: bool,
    /// Only words interrupt it: the line is noisy.
    pub(super) ignores_speech: bool,
    /// It was begun again after the far end made no progress.
    pub(super) was_stalled: bool,
}

impl Reply {
    pub(super) fn new(
        id: ReplyId,
        kind: &ReplyKind,
        generation: Generation,
        now: Duration,
        speech_end: Duration,
    ) -> Self {
        let answers = match kind {
            ReplyKind::Answer(texts) => texts.clone(),
            ReplyKind::Reprompt(_) | ReplyKind::Goodbye(_) | ReplyKind::Announcement => Vec::new(),
        };
        Self {
            id,
            answers,
            is_interruptible: true,
            generation,
            started: now,
            speech_end,
            first_audio: None,
            last_audio: now,
            segments: Vec::new(),
            heard_before: String::new(),
            again: 0,
            is_complete: false,
            has_filler: false,
            ignores_speech: false,
            was_stalled: false,
        }
    }

    pub(super) fn begin_segment(&mut self, ledger: &mut Ledger, text: &str) -> SegmentId {
        let id = ledger.segment(self.generation);
        self.again = self.again.saturating_sub(1);
        if self.segments.len() == MAX_SEGMENTS {
            let first = self.segments.remove(0);
            join(&mut self.heard_before, &first.text);
        }
        self.segments.push(Segment { id, text: text.to_owned(), is_sent: false });
        id
    }

    pub(super) fn sent(&mut self, now: Duration) {
        self.first_audio.get_or_insert(now);
        self.last_audio = now;
    }

    pub(super) fn segment_sent(&mut self, id: SegmentId) {
        if let Some(segment) = self.segments.iter_mut().find(|segment| segment.id == id) {
            segment.is_sent = true;
        }
    }

    /// A segment that was to be spoken again will not be.
    pub(super) const fn segment_skipped(&mut self) {
        self.again = self.again.saturating_sub(1);
    }

    pub(super) const fn has_sound(&self) -> bool {
        self.first_audio.is_some()
    }

    /// Whether a segment was begun since it started or was rewound.
    pub(super) fn holds(&self, id: SegmentId) -> bool {
        self.segments.iter().any(|segment| segment.id == id)
    }

    pub(super) fn all_sent(&self) -> bool {
        self.again == 0 && self.segments.iter().all(|segment| segment.is_sent)
    }

    /// Whether each segment is proved to have been heard, or its time is over.
    pub(super) fn all_heard(&self, ledger: &mut Ledger, now: Duration) -> bool {
        self.segments.iter().all(|segment| {
            let heard = ledger.heard(now, segment.id);
            heard.complete || heard.sent_ms == 0
        })
    }

    /// When audio of it was last sent; when it began, if none was.
    pub(super) const fn sent_last(&self) -> Duration {
        self.last_audio
    }

    /// Whether all of it is made and sent, and its playing time is over.
    pub(super) fn has_been_played(&self, ledger: &mut Ledger, now: Duration) -> bool {
        self.is_complete && self.all_sent() && !ledger.is_playing(now)
    }

    /// The words that were heard so far.
    fn heard(&self, ledger: &mut Ledger, now: Duration, proof: Proof) -> String {
        let mut words = self.heard_before.clone();
        for segment in &self.segments {
            let heard = ledger.heard(now, segment.id);
            let by_time = segment.is_sent && heard.sent_ms > 0 && heard.heard_ms == heard.sent_ms;
            if heard.complete || (by_time && proof == Proof::Time) {
                join(&mut words, &segment.text);
                continue;
            }
            if proof == Proof::Mark {
                break;
            }
            let estimate = PER_CHARACTER * u32::try_from(segment.text.chars().count()).unwrap_or(u32::MAX);
            let whole = if segment.is_sent {
                heard.sent_ms
            } else {
                heard.sent_ms.max(u64::try_from(estimate.as_millis()).unwrap_or(u64::MAX))
            };
            join(&mut words, portion(&segment.text, heard.heard_ms, whole));
            break;
        }
        words
    }

    pub(super) fn spoken(&self, ledger: &mut Ledger, now: Duration, is_complete: bool, proof: Proof) -> Spoken {
        let heard = if is_complete { self.text() } else { self.heard(ledger, now, proof) };
        Spoken {
            reply: self.id,
            heard: Pii::new(heard),
            is_complete,
            latency: self.first_audio.map(|first| first.saturating_sub(self.speech_end)),
        }
    }

    fn text(&self) -> String {
        let mut words = self.heard_before.clone();
        for segment in &self.segments {
            join(&mut words, &segment.text);
        }
        words
    }

    /// Takes out the segments that were not heard to their end; those that were are kept as words. The reply goes on in a
    /// new generation.
    pub(super) fn rewind(&mut self, ledger: &mut Ledger, now: Duration, proof: Proof) -> Vec<Pii<String>> {
        let mut again = Vec::new();
        for segment in std::mem::take(&mut self.segments) {
            let heard = ledger.heard(now, segment.id);
            let by_time = segment.is_sent && heard.sent_ms > 0 && heard.heard_ms == heard.sent_ms;
            let was_heard = heard.complete || (by_time && proof == Proof::Time);
            if was_heard && again.is_empty() {
                join(&mut self.heard_before, &segment.text);
            } else {
                again.push(Pii::new(segment.text));
            }
        }
        self.generation = ledger.begin();
        self.again = again.len();
        again
    }
}

fn join(words: &mut String, more: &str) {
    let more = more.trim();
    if !words.is_empty() && !more.is_empty() {
        words.push(' ');
    }
    words.push_str(more);
}

/// The whole words of `text` that fit into its first `heard` of `whole` milliseconds.
fn portion(text: &str, heard: u64, whole: u64) -> &str {
    if whole == 0 || heard == 0 {
        return "";
    }
    if heard >= whole {
        return text;
    }
    let characters = text.chars().count() as u64;
    let kept = usize::try_from(characters.saturating_mul(heard) / whole).unwrap_or(usize::MAX);
    let end = text.char_indices().nth(kept).map_or(text.len(), |(at, _)| at);
    let head = text.get(..end).unwrap_or_default();
    let is_word_end = text.get(end..).is_none_or(|rest| rest.starts_with(char::is_whitespace));
    if is_word_end { head } else { head.rfind(char::is_whitespace).and_then(|at| head.get(..at)).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_words_count_as_heard() {
        let text = "Your appointment is on Monday";
        assert_eq!(portion(text, 0, 1_000), "");
        assert_eq!(portion(text, 100, 1_000), "");
        assert_eq!(portion(text, 200, 1_000), "Your");
        assert_eq!(portion(text, 999, 1_000), "Your appointment is on");
        assert_eq!(portion(text, 1_000, 1_000), text);
    }
}
