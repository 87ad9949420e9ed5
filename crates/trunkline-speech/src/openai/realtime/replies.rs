//! The model's answers: which one is being made, how much of each there is, and which were cancelled.
//!
//! Always holds: no answer is said to have been heard for longer than it is, and nothing of a cancelled answer comes out.

use std::collections::VecDeque;
use std::time::Duration;

/// Answers whose length is known. Only those that are still being played are asked about.
const MAX_ITEMS: usize = 16;
/// Bytes of μ-law in a millisecond.
const BYTES_PER_MS: u64 = (trunkline_audio::SAMPLE_RATE / 1_000) as u64;

struct Item {
    id: String,
    content_index: u32,
    bytes: u64,
}

#[derive(Default)]
pub(super) struct Replies {
    items: VecDeque<Item>,
    /// The answer that is being made.
    active: Option<String>,
    cancelled: Option<String>,
    /// Whether an answer was asked for and has not begun.
    is_asked: bool,
    /// Whether another answer is wanted as soon as the present one is over.
    is_next_wanted: bool,
}

impl Replies {
    /// An answer is begun.
    pub(super) fn begin(&mut self, response: String) {
        self.active = Some(response);
        self.is_asked = false;
    }

    /// An answer is over. Says whether another is to be asked for.
    pub(super) fn end(&mut self, response: &str) -> bool {
        if self.active.as_deref() == Some(response) {
            self.active = None;
        }
        let is_next = self.active.is_none() && std::mem::take(&mut self.is_next_wanted);
        self.is_asked |= is_next;
        is_next
    }

    /// Stops the answer that is being made. Says whether there is one, and the server is to be told.
    pub(super) fn cancel(&mut self) -> bool {
        if self.active.is_none() || self.active == self.cancelled {
            return false;
        }
        self.cancelled.clone_from(&self.active);
        true
    }

    /// Another answer is wanted. Says whether it can be asked for now: there is only one at a time.
    pub(super) const fn want(&mut self) -> bool {
        self.is_next_wanted = self.active.is_some() || self.is_asked;
        self.is_asked |= !self.is_next_wanted;
        !self.is_next_wanted
    }

    /// Something that was sent is refused; it may have been the wish for an answer.
    pub(super) const fn refused(&mut self) {
        self.is_asked = false;
    }

    /// Whether what comes of `response` is still wanted.
    pub(super) fn is_wanted(&self, response: &str) -> bool {
        self.cancelled.as_deref() != Some(response)
    }

    /// `bytes` of an answer came.
    pub(super) fn made(&mut self, id: &str, content_index: u32, bytes: usize) {
        let bytes = bytes as u64;
        if let Some(item) = self.items.iter_mut().find(|item| item.id == id) {
            item.bytes += bytes;
            return;
        }
        if self.items.len() == MAX_ITEMS {
            self.items.pop_front();
        }
        self.items.push_back(Item { id: id.to_owned(), content_index, bytes });
    }

    /// Of an answer only `heard` was heard. Where to cut it: never behind its end. None if nothing is known of it.
    pub(super) fn cut(&mut self, id: &str, heard: Duration) -> Option<(u32, Duration)> {
        let item = self.items.iter_mut().find(|item| item.id == id)?;
        let made = Duration::from_millis(item.bytes / BYTES_PER_MS);
        let heard = heard.min(made);
        // What was cut is gone at the server, and cannot be cut behind that.
        item.bytes = item.bytes.min(u64::try_from(heard.as_millis()).unwrap_or(u64::MAX).saturating_mul(BYTES_PER_MS));
        Some((item.content_index, heard))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_is_cut_behind_what_was_made(
            steps in proptest::collection::vec((0_usize..4, 0_usize..4_000, 0_u64..5_000, any::<bool>()), 0..60),
        ) {
            let mut replies = Replies::default();
            let mut made = [0_u64; 4];
            for (item, bytes, heard_ms, is_cut) in steps {
                let id = format!("item_{item}");
                if is_cut {
                    let cut = replies.cut(&id, Duration::from_millis(heard_ms));
                    if let Some((_, heard)) = cut {
                        let heard_ms_sent = u64::try_from(heard.as_millis()).expect("short");
                        prop_assert!(heard_ms_sent <= heard_ms);
                        prop_assert!(heard_ms_sent * 8 <= made[item]);
                        made[item] = made[item].min(heard_ms_sent * 8);
                    } else {
                        prop_assert_eq!(made[item], 0);
                    }
                } else {
                    replies.made(&id, 0, bytes);
                    made[item] += bytes as u64;
                }
            }
        }
    }

    #[test]
    fn an_answer_is_cancelled_once_and_the_next_one_waits_for_its_end() {
        let mut replies = Replies::default();
        assert!(!replies.cancel());
        assert!(replies.want() && !replies.want());
        replies.begin("r1".to_owned());
        assert!(replies.cancel() && !replies.cancel());
        assert!(!replies.is_wanted("r1") && replies.is_wanted("r2"));
        assert!(!replies.want());
        assert!(replies.end("r1"));
        replies.begin("r2".to_owned());
        assert!(!replies.end("r2"));
        assert!(replies.want());
        replies.refused();
        assert!(replies.want());
    }

    #[test]
    fn old_answers_are_forgotten() {
        let mut replies = Replies::default();
        for index in 0..100 {
            replies.made(&format!("item_{index}"), 0, 800);
        }
        assert_eq!(replies.items.len(), MAX_ITEMS);
        assert!(replies.cut("item_0", Duration::from_millis(1)).is_none());
        assert_eq!(replies.cut("item_99", Duration::from_secs(9)), Some((0, Duration::from_millis(100))));
    }
}
