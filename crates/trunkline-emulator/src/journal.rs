//! What happened, in order: a bounded journal that tests and people read. It holds no text and no number.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use trunkline_proto::sid::{CallSid, ConversationSid};

use crate::clock::iso_millis;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(crate) enum Happening {
    /// A person's text reached the account's number.
    TextReceived,
    ConversationCreated,
    ConversationDeleted,
    ParticipantAdded {
        /// With an identity, not with an address.
        chat: bool,
    },
    ParticipantRemoved,
    MessageAdded {
        author: AuthorKind,
        index: u64,
    },
    /// A webhook is sent.
    WebhookSent {
        event: &'static str,
    },
    /// A webhook was answered. Status 0: there was no answer.
    WebhookAnswered {
        event: &'static str,
        status: u16,
    },
    /// A socket said who it is.
    SocketConnected {
        identity: String,
    },
    SocketClosed {
        identity: String,
    },
    /// A socket was told that a conversation is among its identity's own.
    SocketJoined {
        identity: String,
    },
    /// A call moved on.
    CallStatus {
        status: &'static str,
    },
    /// A warning or an error about a call, by Twilio's code.
    CallNotified {
        code: u32,
    },
    /// Something went wrong with a message's webhook or answer, by Twilio's code.
    MessageNotified {
        code: u32,
    },
    /// A socket was told of a new message.
    SocketNotified {
        identity: String,
        index: u64,
    },
}

/// Whose message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AuthorKind {
    /// A participant with an identity.
    Chat,
    /// A person on SMS or WhatsApp.
    Channel,
    /// Nobody who is in the conversation.
    Other,
}

/// Something that happened, and when and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) at: Timestamp,
    pub(crate) conversation: Option<ConversationSid>,
    pub(crate) call: Option<CallSid>,
    pub(crate) what: Happening,
}

/// An entry as the control API lists it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Entry {
    /// Its place; it only grows.
    pub(crate) seq: u64,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_sid: Option<ConversationSid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call_sid: Option<CallSid>,
    #[serde(flatten)]
    what: Happening,
}

/// The last [`MAX_ENTRIES`] things that happened.
#[derive(Debug, Default)]
pub(crate) struct Journal(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    kept: VecDeque<Noted>,
    /// Place of the next entry.
    next: u64,
}

impl Journal {
    pub(crate) fn add(&self, noted: Noted) {
        let mut entries = self.entries();
        if entries.kept.len() >= MAX_ENTRIES {
            entries.kept.pop_front();
        }
        entries.kept.push_back(noted);
        entries.next = entries.next.saturating_add(1);
    }

    /// The entries after a place, oldest first.
    pub(crate) fn after(&self, seq: u64) -> Vec<Entry> {
        let entries = self.entries();
        let kept = u64::try_from(entries.kept.len()).unwrap_or(u64::MAX);
        let first = entries.next.saturating_sub(kept);
        let numbered = (first.saturating_add(1)..).zip(&entries.kept).filter(|(number, _)| *number > seq);
        let entry = |(number, noted): (u64, &Noted)| Entry {
            seq: number,
            at: iso_millis(noted.at),
            conversation_sid: noted.conversation,
            call_sid: noted.call,
            what: noted.what.clone(),
        };
        numbered.map(entry).collect()
    }

    pub(crate) fn clear(&self) {
        self.entries().kept.clear();
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Entries that are kept; the oldest go first.
const MAX_ENTRIES: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_entries_stay_and_keep_their_places() {
        let journal = Journal::default();
        for _ in 0..MAX_ENTRIES + 3 {
            journal.add(Noted {
                at: Timestamp::default(),
                conversation: None,
                call: None,
                what: Happening::TextReceived,
            });
        }
        let entries = journal.after(0);
        assert_eq!((entries.len(), entries[0].seq), (MAX_ENTRIES, 4));
        let last = serde_json::to_value(journal.after(u64::try_from(MAX_ENTRIES).unwrap() + 2)).unwrap();
        let expect =
            serde_json::json!([{"seq": MAX_ENTRIES + 3, "at": "1970-01-01T00:00:00.000Z", "what": "text_received"}]);
        assert_eq!(last, expect);
    }
}
