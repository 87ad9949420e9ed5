//! Changes of Sync objects as events of conversations.

use std::time::Duration;

use super::conversation::{Key, MAX_ALL_PARTICIPANTS, MAX_PARTICIPANTS, Member};
use super::{Client, Event, MessageChange, Object, ParticipantChange};
use crate::conversations::{MessageData, ParticipantData};
use crate::sync::event::ChangedItem;
use crate::sync::{self, Change, Data, ItemKey};

/// The longest data of a message, a participant or a conversation that is told, in bytes: a text of 32 KB with
/// attributes of 16 KB fits, however it is escaped.
pub const MAX_DATA_BYTES: usize = 512 * 1024;

pub(super) fn is_too_long(data: &Data) -> bool {
    data.text().len() > MAX_DATA_BYTES
}

impl Client {
    pub(super) fn changed(&mut self, now: Duration, object: Object, event: sync::Event) {
        let data = match &event.change {
            Change::ItemAdded(item) | Change::ItemUpdated(item) => Some(&item.data),
            Change::DocumentUpdated { data } => Some(data),
            Change::ItemRemoved { data, .. } => data.as_ref(),
            Change::Removed => None,
        };
        if data.is_some_and(is_too_long) {
            self.counters.payloads_refused += 1;
            return;
        }
        match object {
            Object::MyConversations => self.my_conversations_changed(now, event.id, event.change),
            Object::Document(key) => self.document_changed(now, key, event.change),
            Object::Messages(key) => self.messages_changed(now, key, event.change),
            Object::Roster(key) => self.roster_changed(key, event.id, event.change),
        }
    }

    fn document_changed(&mut self, now: Duration, key: Key, change: Change) {
        match change {
            Change::DocumentUpdated { data } => match data.read() {
                Ok(data) => self.tell(Event::ConversationUpdated(Box::new(data))),
                Err(_) => self.counters.payloads_refused += 1,
            },
            Change::Removed => self.removed(now, key),
            _ => {}
        }
    }

    fn messages_changed(&mut self, now: Duration, key: Key, change: Change) {
        match change {
            Change::ItemAdded(ChangedItem { key: ItemKey::Index(index), data, .. }) => match data.read() {
                // Messages between the last one and this one were removed, or their events were lost: the list tells.
                Ok(_) if self.leaves_a_gap(key, index) => self.reopen(now, key),
                Ok(data) => self.message_came(now, key, index, data),
                Err(_) => self.counters.payloads_refused += 1,
            },
            Change::ItemUpdated(ChangedItem { key: ItemKey::Index(index), data, .. }) => match data.read() {
                Ok(data) => self.message_updated(now, key, index, data),
                Err(_) => self.counters.payloads_refused += 1,
            },
            Change::ItemRemoved { key: ItemKey::Index(index), data } => {
                let Some(conversation) = self.conversations.get_mut(&key) else { return };
                conversation.seen.insert(index);
                let conversation = conversation.sid.to_string();
                let message = data.and_then(|data| data.read::<MessageData>().ok()).map(|data| data.sid);
                self.tell(Event::MessageRemoved { conversation, index, message });
            }
            _ => {}
        }
    }

    fn leaves_a_gap(&self, key: Key, index: u64) -> bool {
        self.conversations.get(&key).is_some_and(|conversation| index > conversation.seen.next())
    }

    /// A message, unless it came before.
    pub(super) fn message_came(&mut self, now: Duration, key: Key, index: u64, data: MessageData) {
        let Some(conversation) = self.conversations.get_mut(&key) else { return };
        if !conversation.seen.insert(index) {
            return;
        }
        self.counters.messages_received += 1;
        self.last_message = Some(now);
        let change = self.message_change(key, data);
        if let Some(author) = &change.data.author {
            self.wrote(&change.conversation, author);
        }
        self.tell(Event::MessageAdded(change));
    }

    fn message_updated(&mut self, now: Duration, key: Key, index: u64, data: MessageData) {
        let Some(conversation) = self.conversations.get(&key) else { return };
        // A change of a message that never came: it came and changed while nobody listened.
        if conversation.seen.highest.is_none_or(|highest| index > highest) {
            return self.message_came(now, key, index, data);
        }
        let change = self.message_change(key, data);
        self.tell(Event::MessageUpdated(change));
    }

    fn message_change(&self, key: Key, data: MessageData) -> MessageChange {
        let conversation = self.conversations.get(&key);
        let member = data.member_sid.as_deref().and_then(|sid| {
            conversation.and_then(|conversation| conversation.roster.iter().find(|member| *member.sid == *sid))
        });
        MessageChange {
            conversation: conversation.map(|conversation| conversation.sid.to_string()).unwrap_or_default(),
            author_kind: member.and_then(|member| member.kind.as_deref()).map(str::to_owned),
            data: Box::new(data),
        }
    }

    fn roster_changed(&mut self, key: Key, id: u64, change: Change) {
        match change {
            Change::ItemAdded(item) | Change::ItemUpdated(item) => self.participant_changed(key, id, item),
            Change::ItemRemoved { key: ItemKey::Key(sid), data } => self.participant_left(key, id, &sid, data),
            _ => {}
        }
    }

    fn participant_changed(&mut self, key: Key, id: u64, item: ChangedItem) {
        let (ItemKey::Key(sid), Ok(data)) = (item.key, item.data.read::<ParticipantData>()) else {
            self.counters.payloads_refused += 1;
            return;
        };
        let Some(member) = Member::new(&sid, &data, id) else {
            self.counters.payloads_refused += 1;
            return;
        };
        let Some(conversation) = self.conversations.get_mut(&key) else { return };
        let has_room = conversation.roster.len() < MAX_PARTICIPANTS && self.participants < MAX_ALL_PARTICIPANTS;
        let is_new = match conversation.roster.iter_mut().find(|known| *known.sid == *sid) {
            Some(known) if known.event >= id => return,
            Some(known) => {
                *known = member;
                false
            }
            None if has_room => {
                conversation.roster.push(member);
                self.participants += 1;
                true
            }
            None => {
                self.counters.over_limit += 1;
                return;
            }
        };
        let change =
            ParticipantChange { conversation: conversation.sid.to_string(), participant: sid, data: Box::new(data) };
        self.tell(if is_new { Event::ParticipantJoined(change) } else { Event::ParticipantUpdated(change) });
    }

    fn participant_left(&mut self, key: Key, id: u64, sid: &str, data: Option<Data>) {
        let Some(conversation) = self.conversations.get_mut(&key) else { return };
        let place = conversation.roster.iter().position(|member| *member.sid == *sid && member.event < id);
        let Some(place) = place else { return };
        let member = conversation.roster.remove(place);
        self.participants = self.participants.saturating_sub(1);
        let change = ParticipantChange {
            conversation: conversation.sid.to_string(),
            participant: sid.to_owned(),
            data: Box::new(data.and_then(|data| data.read().ok()).unwrap_or_else(|| member.data())),
        };
        if let Some(identity) = &member.identity {
            let conversation = change.conversation.clone();
            self.wrote(&conversation, identity);
        }
        self.tell(Event::ParticipantLeft(change));
    }
}
