//! The ledger of one call.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Clock, MarkName, MarkReturned, to_duration, to_ms};

/// Segments that are remembered. Older ones are forgotten, and are then as if nothing had been sent of them.
pub const MAX_SEGMENTS: usize = 256;
/// Marks that may be out. Beyond that the oldest is forgotten, and unknown when it comes back.
pub const MAX_MARKS: usize = 1024;

/// One reply, or whatever else is stopped as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Generation(u32);

/// A part of what is said, of which it is asked later how much was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SegmentId(u32);

/// How much of a segment was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeardSegment {
    /// What was sent, in milliseconds of audio.
    pub sent_ms: u64,
    /// What must have been heard: by the clock, and all of what a mark has proved. Never more than was sent.
    pub heard_ms: u64,
    /// A mark behind the segment's last sample came back.
    pub complete: bool,
}

/// What had been heard when the queue was cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heard {
    /// Of the generation that was current, in milliseconds of audio.
    pub heard_ms: u64,
    /// What was dropped unheard, in milliseconds of audio.
    pub dropped_ms: u64,
    /// The segment that was playing; none if nothing was dropped.
    pub cut: Option<SegmentId>,
}

/// What was sent in a call, and what was heard of it. All times are since the start of the call.
#[derive(Debug, Default)]
pub struct Ledger {
    clock: Clock,
    generations: u32,
    current: Option<Generation>,
    /// The newest [`MAX_SEGMENTS`], by number.
    segments: VecDeque<Segment>,
    /// How many segments came before those.
    forgotten: u32,
    /// What has not been played, in order.
    queue: VecDeque<Span>,
    marks: VecDeque<Mark>,
    next_mark: u32,
}

#[derive(Debug)]
struct Segment {
    generation: Generation,
    sent: u64,
    heard: u64,
    /// The position behind its last sample.
    end: u64,
    cut: bool,
    complete: bool,
}

/// Audio of one segment up to a position.
#[derive(Debug)]
struct Span {
    segment: SegmentId,
    start: u64,
    end: u64,
}

#[derive(Debug)]
struct Mark {
    number: u32,
    segment: SegmentId,
    position: u64,
    /// When playback must have reached it.
    due: Duration,
    cleared: bool,
}

impl Ledger {
    /// The ledger of a new call.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a generation. Whatever is written for an earlier one from now on is stale; what was sent plays on.
    pub fn begin(&mut self) -> Generation {
        self.generations += 1;
        let generation = Generation(self.generations);
        self.current = Some(generation);
        generation
    }

    /// Whether audio of this generation may be written.
    pub fn is_current(&self, generation: Generation) -> bool {
        self.current == Some(generation)
    }

    /// A new segment of a generation.
    pub fn segment(&mut self, generation: Generation) -> SegmentId {
        if self.segments.len() == MAX_SEGMENTS {
            self.segments.pop_front();
            self.forgotten += 1;
        }
        let number = self.forgotten + u32::try_from(self.segments.len()).unwrap_or_default();
        let segment = Segment { generation, sent: 0, heard: 0, end: 0, cut: false, complete: false };
        self.segments.push_back(segment);
        SegmentId(number)
    }

    /// Asks to send audio and enters it. `false`: the generation is stale or the segment is not of it, nothing is
    /// entered, and the audio must not be written.
    pub fn sent(&mut self, now: Duration, generation: Generation, segment: SegmentId, samples: usize) -> bool {
        if !self.is_current(generation) || self.entry(segment).is_none_or(|it| it.generation != generation) {
            return false;
        }
        if samples == 0 {
            return true;
        }
        self.advance(now);
        let start = self.clock.end();
        self.clock.sent(now, samples as u64);
        let end = self.clock.end();
        if let Some(entry) = self.entry(segment) {
            entry.sent += samples as u64;
            entry.end = end;
            entry.complete = false;
        }
        match self.queue.back_mut() {
            Some(last) if last.segment == segment => last.end = end,
            _ => self.queue.push_back(Span { segment, start, end }),
        }
        true
    }

    /// A mark behind all that was sent so far; send it under this name.
    pub fn mark(&mut self, segment: SegmentId) -> MarkName {
        if self.marks.len() == MAX_MARKS {
            self.marks.pop_front();
        }
        self.next_mark += 1;
        let number = self.next_mark;
        let (position, due) = (self.clock.end(), self.clock.ends_at());
        self.marks.push_back(Mark { number, segment, position, due, cleared: false });
        MarkName::new(number)
    }

    /// A mark came back. None: there is no such mark out.
    pub fn mark_returned(&mut self, now: Duration, name: &str) -> Option<MarkReturned> {
        let number = MarkName::number(name)?;
        let at = self.marks.binary_search_by_key(&number, |mark| mark.number).ok()?;
        let mark = self.marks.remove(at)?;
        if mark.cleared {
            return Some(MarkReturned::Late(mark.segment));
        }
        self.clock.reached(now, mark.position);
        self.advance(now);
        for segment in &mut self.segments {
            segment.complete |= segment.sent > 0 && !segment.cut && segment.end <= mark.position;
        }
        Some(MarkReturned::Heard(mark.segment))
    }

    /// The far end was told to drop its queue. No generation is current until the next begins, and marks that were out
    /// prove nothing any more.
    pub fn clear(&mut self, now: Duration) -> Heard {
        self.advance(now);
        let dropped = self.clock.cleared(now);
        let cut = self.queue.front().map(|span| span.segment);
        for span in std::mem::take(&mut self.queue) {
            if let Some(segment) = self.entry(span.segment) {
                segment.cut = true;
            }
        }
        for mark in &mut self.marks {
            mark.cleared = true;
        }
        let generation = self.current.take();
        let of_it = self.segments.iter().filter(|segment| Some(segment.generation) == generation);
        let heard = of_it.map(|segment| segment.heard).sum();
        Heard { heard_ms: to_ms(heard), dropped_ms: to_ms(dropped), cut }
    }

    /// Whether something that was sent must still be playing.
    pub fn is_playing(&mut self, now: Duration) -> bool {
        self.clock.played(now) < self.clock.end()
    }

    /// The playing time of what was sent and cannot have been heard.
    pub fn unheard(&mut self, now: Duration) -> Duration {
        let played = self.clock.played(now);
        to_duration(self.clock.end() - played)
    }

    /// How much of a segment was heard; of one that is forgotten, nothing is known.
    pub fn heard(&mut self, now: Duration, segment: SegmentId) -> HeardSegment {
        self.advance(now);
        self.entry(segment).map_or_else(HeardSegment::default, |it| HeardSegment {
            sent_ms: to_ms(it.sent),
            heard_ms: to_ms(it.heard),
            complete: it.complete,
        })
    }

    /// Whether a mark is out that must have come back more than `limit` ago: the far end makes no progress.
    pub fn stalled(&self, now: Duration, limit: Duration) -> bool {
        let oldest = self.marks.iter().find(|mark| !mark.cleared);
        oldest.is_some_and(|mark| now > mark.due.saturating_add(limit))
    }

    /// When the oldest mark that is out must have come back.
    pub fn oldest_mark_due(&self) -> Option<Duration> {
        self.marks.iter().find(|mark| !mark.cleared).map(|mark| mark.due)
    }

    /// When the last of what was sent will have been played.
    pub fn ends_at(&self) -> Duration {
        self.clock.ends_at()
    }

    fn entry(&mut self, segment: SegmentId) -> Option<&mut Segment> {
        let at = usize::try_from(segment.0.checked_sub(self.forgotten)?).ok()?;
        self.segments.get_mut(at)
    }

    /// Books what has been played since the last time.
    fn advance(&mut self, now: Duration) {
        let played = self.clock.played(now);
        while let Some(span) = self.queue.front_mut() {
            let until = span.end.min(played);
            let heard = until.saturating_sub(span.start);
            span.start += heard;
            let (segment, is_over) = (span.segment, span.start == span.end);
            if let Some(entry) = self.entry(segment) {
                entry.heard += heard;
            }
            if !is_over {
                break;
            }
            self.queue.pop_front();
        }
    }
}
