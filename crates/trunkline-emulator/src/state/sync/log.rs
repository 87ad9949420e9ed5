//! Which event made a thing, which changed it last, and which took something away.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use trunkline_proto::sid::ParticipantSid;

/// The events of one thing. Zero is before all events: things from a data file that had none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Log {
    pub(crate) created: u64,
    pub(crate) changed: u64,
}

impl Log {
    /// Something that this event made.
    pub(crate) fn at(event: u64) -> Self {
        Self { created: event, changed: event }
    }
}

/// The last events of a conversation's three objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ConversationLog {
    pub(crate) document: u64,
    pub(crate) messages: u64,
    pub(crate) roster: u64,
}

impl ConversationLog {
    pub(crate) fn starting_at(event: u64) -> Self {
        Self { document: event, messages: event, roster: event }
    }
}

/// What was removed from a list or a map, by the event that did it. The oldest marks go when there are too many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Removals<T> {
    marks: BTreeMap<u64, T>,
    /// The newest mark that is gone: who missed it cannot be told any more.
    forgotten: u64,
}

impl<T> Default for Removals<T> {
    fn default() -> Self {
        Self { marks: BTreeMap::new(), forgotten: 0 }
    }
}

impl<T: Copy> Removals<T> {
    pub(crate) fn add(&mut self, event: u64, what: T) {
        self.marks.insert(event, what);
        if self.marks.len() > MAX_REMOVALS
            && let Some((oldest, _)) = self.marks.pop_first()
        {
            self.forgotten = oldest;
        }
    }

    /// What was removed after an event; nothing at all if that is not known any more.
    pub(crate) fn since(&self, event: u64) -> Option<impl Iterator<Item = (u64, T)>> {
        let known = event >= self.forgotten;
        known.then(|| self.marks.range(event.saturating_add(1)..).map(|(event, what)| (*event, *what)))
    }
}

/// What was removed from a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Removed {
    /// Indexes of messages.
    pub(crate) messages: Removals<u64>,
    pub(crate) participants: Removals<ParticipantSid>,
}

/// Removals that one list or map remembers. A client that was away for more of them opens the object anew.
pub(crate) const MAX_REMOVALS: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_removals_are_forgotten_and_that_is_known() {
        let mut removals = Removals::default();
        for event in 1..=u64::try_from(MAX_REMOVALS).unwrap() + 2 {
            removals.add(event, event * 10);
        }
        assert!(removals.since(1).is_none());
        let first: Vec<_> = removals.since(2).unwrap().take(2).collect();
        assert_eq!(first, [(3, 30), (4, 40)]);
        assert_eq!(removals.since(u64::MAX).unwrap().count(), 0);
    }
}
