//! What a client knows of one conversation.

use std::time::Duration;

use crate::conversations::{ConversationData, ParticipantData};

/// Participants of one conversation that a client remembers. Twilio's limit is 1,000.
pub const MAX_PARTICIPANTS: usize = 1000;

/// Participants of all conversations together that a client remembers.
pub const MAX_ALL_PARTICIPANTS: usize = 100_000;

/// The longest name that is remembered, in bytes: SIDs, identities, addresses of lists. What is longer is nonsense.
pub(super) const MAX_NAME_BYTES: usize = 1024;

/// How many messages may be missing between those that came, before the oldest of them are given up.
const MAX_MISSING: usize = 256;

/// Names a conversation inside a client; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(pub(super) u32);

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) sid: Box<str>,
    /// The name under which its document is opened.
    pub(super) document: Box<str>,
    /// The last event of its item in the my-conversations map.
    pub(super) item_event: u64,
    pub(super) last_read: Option<u64>,
    pub(super) stage: Stage,
    /// It was open before: what was missed has to be asked for.
    pub(super) is_reopened: bool,
    /// Times that it could not be opened, one after the other.
    pub(super) failures: u32,
    /// When it had to be opened anew last, and how often in short order.
    pub(super) reopened: Option<Duration>,
    pub(super) reopenings: u32,
    /// Whether it was told as joined.
    pub(super) is_announced: bool,
    /// What its document said, until it is told.
    pub(super) data: Option<Box<ConversationData>>,
    pub(super) objects: Objects,
    pub(super) seen: Seen,
    pub(super) roster: Vec<Member>,
    /// While the roster is read: what it will be.
    pub(super) new_roster: Vec<Member>,
    /// When typing was told last.
    pub(super) typing_told: Option<Duration>,
}

/// How far the opening of a conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It waits its turn.
    Waiting,
    /// Requests are under way.
    Opening,
    /// Messages come.
    Open,
}

/// The Sync objects of a conversation, as far as they are open.
#[derive(Debug, Default)]
pub(super) struct Objects {
    pub(super) document: Option<Opened>,
    pub(super) messages: Option<Opened>,
    pub(super) roster: Option<Opened>,
}

/// An open Sync object.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) sid: Box<str>,
    pub(super) last_event_id: u64,
    /// Where its items are; empty for documents.
    pub(super) items: Box<str>,
}

/// A participant, as far as it matters for changes to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) sid: Box<str>,
    pub(super) identity: Option<Box<str>>,
    pub(super) kind: Option<Box<str>>,
    /// The last event of its item.
    pub(super) event: u64,
}

impl Conversation {
    pub(super) fn new(sid: &str, document: &str, item_event: u64, last_read: Option<u64>) -> Self {
        Self {
            sid: sid.into(),
            document: document.into(),
            item_event,
            last_read,
            stage: Stage::Waiting,
            is_reopened: false,
            failures: 0,
            reopened: None,
            reopenings: 0,
            is_announced: false,
            data: None,
            objects: Objects::default(),
            seen: Seen::default(),
            roster: Vec::new(),
            new_roster: Vec::new(),
            typing_told: None,
        }
    }

    /// The SIDs of its open objects.
    pub(super) fn take_objects(&mut self) -> impl Iterator<Item = Box<str>> {
        let Objects { document, messages, roster } = std::mem::take(&mut self.objects);
        [document, messages, roster].into_iter().flatten().map(|opened| opened.sid)
    }
}

impl Member {
    /// `None` if a name is too long to be remembered.
    pub(super) fn new(sid: &str, data: &ParticipantData, event: u64) -> Option<Self> {
        let names = [Some(sid), data.identity.as_deref(), data.kind.as_deref()];
        if names.into_iter().flatten().any(|name| name.len() > MAX_NAME_BYTES) {
            return None;
        }
        let boxed = |text: &Option<String>| text.as_deref().map(Box::from);
        Some(Self { sid: sid.into(), identity: boxed(&data.identity), kind: boxed(&data.kind), event })
    }

    /// What is remembered of a participant, for when the server tells no more.
    pub(super) fn data(&self) -> ParticipantData {
        ParticipantData {
            identity: self.identity.as_deref().map(str::to_owned),
            kind: self.kind.as_deref().map(str::to_owned),
            ..ParticipantData::default()
        }
    }
}

/// Which indexes of a conversation have come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// The highest that came or was there at the beginning.
    pub(super) highest: Option<u64>,
    /// Those below it that did not come, ascending.
    missing: Vec<u64>,
}

impl Seen {
    /// Everything up to `highest` counts as seen.
    pub(super) fn begin(&mut self, highest: Option<u64>) {
        *self = Self { highest, missing: Vec::new() };
    }

    /// The index that comes next if none is missing.
    pub(super) fn next(&self) -> u64 {
        self.highest.map_or(0, |highest| highest.saturating_add(1))
    }

    /// Notes an index; `false` if it has come before.
    pub(super) fn insert(&mut self, index: u64) -> bool {
        let next = self.next();
        if index < next {
            let Ok(place) = self.missing.binary_search(&index) else { return false };
            self.missing.remove(place);
            return true;
        }
        // A server that jumps far makes nobody remember all that lies between.
        let room = u64::try_from(MAX_MISSING).unwrap_or(u64::MAX);
        self.missing.extend(next.max(index.saturating_sub(room))..index);
        let too_many = self.missing.len().saturating_sub(MAX_MISSING);
        self.missing.drain(..too_many);
        self.highest = Some(index);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_missing_may_come_later_and_once() {
        let mut seen = Seen::default();
        seen.begin(Some(3));
        let came = [5, 4, 4, 5, 3, 9, 7].map(|index| seen.insert(index));
        assert_eq!(came, [true, true, false, false, false, true, true]);
        assert_eq!(seen.missing, [6, 8]);
    }

    #[test]
    fn a_far_jump_is_bounded() {
        let mut seen = Seen::default();
        assert!(seen.insert(u64::MAX - 1));
        assert_eq!(seen.missing.len(), MAX_MISSING);
    }

    proptest! {
        #[test]
        fn nothing_comes_twice(indexes in prop::collection::vec(0_u64..100, 0..300)) {
            let (mut seen, mut came) = (Seen::default(), std::collections::BTreeSet::new());
            for index in indexes {
                prop_assert_eq!(seen.insert(index), came.insert(index));
            }
        }
    }
}
