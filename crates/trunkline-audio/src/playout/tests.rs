//! The ledger by example and by property: heard is never more than sent, never falls, and stale audio never passes.

use std::time::Duration;

use proptest::prelude::*;

use super::{Heard, HeardSegment, Ledger, MAX_MARKS, MAX_SEGMENTS, MarkName, MarkReturned};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn segments_are_heard_by_the_clock_and_proved_by_marks() {
    let mut ledger = Ledger::new();
    let reply = ledger.begin();
    let (first, second) = (ledger.segment(reply), ledger.segment(reply));
    assert!(ledger.sent(ms(1000), reply, first, 800) && ledger.sent(ms(1000), reply, first, 800));
    let mark = ledger.mark(first);
    assert!(ledger.sent(ms(1001), reply, second, 800));
    assert_eq!(ledger.unheard(ms(1050)), ms(250));
    assert_eq!(ledger.heard(ms(1150), first), HeardSegment { sent_ms: 200, heard_ms: 150, complete: false });
    // The far end is a little faster than the clock says.
    assert_eq!(ledger.mark_returned(ms(1180), &mark), Some(MarkReturned::Heard(first)));
    assert_eq!(ledger.mark_returned(ms(1180), &mark), None);
    assert_eq!(ledger.heard(ms(1180), first), HeardSegment { sent_ms: 200, heard_ms: 200, complete: true });
    assert_eq!(ledger.heard(ms(1230), second), HeardSegment { sent_ms: 100, heard_ms: 50, complete: false });
    assert!(ledger.is_playing(ms(1279)) && !ledger.is_playing(ms(1280)));
}

#[test]
fn a_pause_in_what_is_sent_does_not_count_as_heard() {
    let mut ledger = Ledger::new();
    let reply = ledger.begin();
    let segment = ledger.segment(reply);
    ledger.sent(ms(0), reply, segment, 160);
    ledger.sent(ms(500), reply, segment, 160);
    assert_eq!(ledger.heard(ms(505), segment).heard_ms, 25);
    assert_eq!(ledger.heard(ms(600), segment).heard_ms, 40);
}

#[test]
fn clear_drops_what_was_not_heard_and_makes_the_reply_stale() {
    let mut ledger = Ledger::new();
    let reply = ledger.begin();
    let (first, second) = (ledger.segment(reply), ledger.segment(reply));
    ledger.sent(ms(0), reply, first, 1600);
    ledger.sent(ms(0), reply, second, 1600);
    let mark = ledger.mark(second);
    assert_eq!(ledger.clear(ms(230)), Heard { heard_ms: 230, dropped_ms: 170, cut: Some(second) });
    assert!(!ledger.is_playing(ms(230)));
    assert!(!ledger.sent(ms(231), reply, second, 160), "stale");
    assert_eq!(ledger.mark_returned(ms(240), &mark), Some(MarkReturned::Late(second)));
    assert_eq!(ledger.heard(ms(9000), second), HeardSegment { sent_ms: 200, heard_ms: 30, complete: false });
    assert!(!ledger.stalled(ms(9000), ms(0)));

    let next = ledger.begin();
    assert!(!ledger.sent(ms(9000), next, second, 160), "a segment of another reply");
    let third = ledger.segment(next);
    assert!(ledger.sent(ms(9000), next, third, 160));
    assert_eq!(ledger.clear(ms(9500)), Heard { heard_ms: 20, dropped_ms: 0, cut: None });
}

#[test]
fn a_reply_that_begins_makes_the_last_one_stale_and_lets_it_play_on() {
    let mut ledger = Ledger::new();
    let old = ledger.begin();
    let said = ledger.segment(old);
    ledger.sent(ms(0), old, said, 800);
    let new = ledger.begin();
    assert!(ledger.is_current(new) && !ledger.is_current(old));
    assert!(!ledger.sent(ms(10), old, said, 160));
    assert_eq!(ledger.heard(ms(100), said).heard_ms, 100);
}

#[test]
fn a_mark_that_does_not_come_is_a_stall() {
    let mut ledger = Ledger::new();
    let reply = ledger.begin();
    let segment = ledger.segment(reply);
    ledger.sent(ms(100), reply, segment, 8000);
    let mark = ledger.mark(segment);
    assert!(!ledger.stalled(ms(2100), ms(1000)));
    assert!(ledger.stalled(ms(2101), ms(1000)));
    ledger.mark_returned(ms(2200), &mark);
    assert!(!ledger.stalled(ms(2200), ms(1000)));
}

#[test]
fn names_are_short_and_only_ours_are_known() {
    for (number, name) in [(0, "m0"), (7, "m7"), (10, "m10"), (u32::MAX, "m4294967295")] {
        assert_eq!(MarkName::new(number).as_str(), name);
        assert_eq!(MarkName::number(name), Some(number));
    }
    let mut ledger = Ledger::new();
    let reply = ledger.begin();
    let segment = ledger.segment(reply);
    assert_eq!(&*ledger.mark(segment), "m1");
    for other in ["", "m", "m01", "m+1", "m2", "M1", "m99999999999", "greeting"] {
        assert_eq!(ledger.mark_returned(ms(0), other), None, "{other}");
    }
}

#[test]
fn a_long_call_keeps_the_newest() {
    let mut ledger = Ledger::new();
    let reply = ledger.begin();
    let first = ledger.segment(reply);
    ledger.sent(ms(0), reply, first, 160);
    let first_mark = ledger.mark(first);
    for _ in 0..MAX_SEGMENTS.max(MAX_MARKS) {
        let segment = ledger.segment(reply);
        assert!(ledger.sent(ms(0), reply, segment, 160));
        ledger.mark(segment);
    }
    assert_eq!(ledger.heard(ms(1000), first), HeardSegment::default());
    assert!(!ledger.sent(ms(1000), reply, first, 160));
    assert_eq!(ledger.mark_returned(ms(1000), &first_mark), None);
}

#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Begin,
    Segment,
    /// Of which generation and segment, counted from the newest, and how much.
    Send(usize, usize, usize),
    Mark(usize),
    Return(usize),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u64..300).prop_map(Step::Wait),
        1 => Just(Step::Begin),
        2 => Just(Step::Segment),
        6 => (0_usize..3, 0_usize..3, 0_usize..3000).prop_map(|(of, in_, much)| Step::Send(of, in_, much)),
        2 => (0_usize..3).prop_map(Step::Mark),
        2 => (0_usize..4).prop_map(Step::Return),
        1 => Just(Step::Clear),
    ]
}

proptest! {
    #[test]
    fn heard_is_at_most_sent_and_never_falls_and_stale_audio_never_passes(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut ledger = Ledger::new();
        let mut now = Duration::ZERO;
        let mut generations = vec![ledger.begin()];
        let mut current = generations.last().copied();
        let mut segments = vec![(ledger.segment(generations[0]), generations[0])];
        let mut sent = vec![0_u64];
        let mut last = vec![0_u64];
        let mut complete = vec![false];
        let mut marks = Vec::new();
        for step in steps {
            match step {
                Step::Wait(time) => now += ms(time),
                Step::Begin => {
                    generations.push(ledger.begin());
                    current = generations.last().copied();
                }
                Step::Segment => {
                    let generation = generations[generations.len() - 1];
                    segments.push((ledger.segment(generation), generation));
                    sent.push(0);
                    last.push(0);
                    complete.push(false);
                }
                Step::Send(of, in_, samples) => {
                    let generation = generations[generations.len().saturating_sub(1 + of)];
                    let at = segments.len().saturating_sub(1 + in_);
                    let (segment, owner) = segments[at];
                    let passed = ledger.sent(now, generation, segment, samples);
                    prop_assert_eq!(passed, current == Some(generation) && owner == generation);
                    if passed {
                        sent[at] += samples as u64;
                        complete[at] &= samples == 0;
                    }
                }
                Step::Mark(in_) => {
                    let at = segments.len().saturating_sub(1 + in_);
                    marks.push(ledger.mark(segments[at].0));
                }
                Step::Return(at) => {
                    if at < marks.len() {
                        let name = marks.remove(at);
                        prop_assert!(ledger.mark_returned(now, &name).is_some());
                    }
                }
                Step::Clear => {
                    let unheard = ledger.unheard(now);
                    let heard = ledger.clear(now);
                    prop_assert_eq!(u128::from(heard.dropped_ms), unheard.as_millis());
                    prop_assert_eq!(heard.cut.is_some(), !unheard.is_zero());
                    prop_assert!(!ledger.is_playing(now));
                    current = None;
                }
            }
            for (at, (segment, _)) in segments.iter().enumerate() {
                let heard = ledger.heard(now, *segment);
                prop_assert_eq!(heard.sent_ms, sent[at] / 8);
                prop_assert!(heard.heard_ms <= heard.sent_ms);
                prop_assert!(heard.heard_ms >= last[at]);
                prop_assert!(!heard.complete || heard.heard_ms == heard.sent_ms);
                prop_assert!(heard.complete || !complete[at]);
                last[at] = heard.heard_ms;
                complete[at] = heard.complete;
            }
            prop_assert_eq!(ledger.is_playing(now), !ledger.unheard(now).is_zero());
        }
    }
}
