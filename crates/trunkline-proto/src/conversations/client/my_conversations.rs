//! The set of conversations in which the client takes part.

use std::collections::HashSet;
use std::time::Duration;

use super::conversation::{Conversation, Key, MAX_NAME_BYTES, Opened, Stage};
use super::hosts::escaped;
use super::{Client, Event, Object, Purpose};
use crate::conversations::data::JOINED;
use crate::conversations::{AddParticipant, MyConversation};
use crate::sync::object::MAX_PAGE_SIZE;
use crate::sync::{Change, ItemKey, Object as SyncObject, ObjectKind, Page};
use crate::twilsock::client::{Answer, RequestError};

/// Conversations of one client. Twilio's limit is 1,000 per identity.
pub const MAX_CONVERSATIONS: usize = 10_000;

/// Status of a client that was asked to take part and has not answered.
const INVITED: &str = "invited";

/// The map of the client's conversations, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct MyConversationsMap {
    map: Option<Opened>,
    /// The last key that was read; the next page begins there.
    last_key: Option<String>,
    /// What was listed: conversations that are not among it were left while nobody listened.
    listed: HashSet<Key>,
    is_complete: bool,
}

impl MyConversationsMap {
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }
}

impl Client {
    /// Opens the map, or reads its next page.
    pub(super) fn read_my_conversations(&mut self, now: Duration) {
        let Some(map) = &self.mine.map else {
            let name = self.configuration.as_ref().map(|configuration| &configuration.sync_objects.my_conversations);
            let url = self.hosts.sync(&format!("/v3/Maps/{}", escaped(name.map_or("", String::as_str))));
            let request = self.hosts.get(&url);
            self.request(now, request, Vec::new(), Purpose::MyMap);
            return;
        };
        let mut url = items_url(&map.items);
        if let Some(key) = &self.mine.last_key {
            url.push_str("&From=");
            url.push_str(&escaped(key));
        }
        let request = self.hosts.get(&url);
        self.request(now, request, Vec::new(), Purpose::MyItems);
    }

    pub(super) fn my_map_opened(&mut self, now: Duration, outcome: &Result<Answer, RequestError>) {
        let map = match outcome.as_ref().map(opened) {
            Ok(Some(map)) => map,
            Ok(None) => return self.start_failed(now, None),
            Err(error) => return self.start_failed(now, Some(error)),
        };
        self.start_failures = 0;
        self.subscriptions.follow(now, &map.sid, ObjectKind::Map, map.last_event_id, Object::MyConversations);
        self.mine.map = Some(map);
        self.read_my_conversations(now);
    }

    pub(super) fn my_items_came(&mut self, now: Duration, outcome: &Result<Answer, RequestError>) {
        let page = match outcome.as_ref().map(page) {
            Ok(Some(page)) => page,
            Ok(None) => return self.start_failed(now, None),
            Err(error) => return self.start_failed(now, Some(error)),
        };
        self.start_failures = 0;
        let before = self.mine.last_key.clone();
        for item in page.items {
            let (Some(sid), Ok(data)) = (item.key, item.data.read::<MyConversation>()) else {
                self.counters.payloads_refused += 1;
                continue;
            };
            self.mine.last_key = self.mine.last_key.take().max(Some(sid.clone()));
            if let Some(key) = self.my_item(now, &sid, &data, item.last_event_id) {
                self.mine.listed.insert(key);
            }
        }
        // A page without a new key would be asked for again and again.
        if page.meta.has_next() && self.mine.last_key > before {
            return self.read_my_conversations(now);
        }
        self.mine.is_complete = true;
        let listed = std::mem::take(&mut self.mine.listed);
        let gone: Vec<Key> = self.conversations.keys().filter(|key| !listed.contains(key)).copied().collect();
        for key in gone {
            self.leave(now, key);
        }
    }

    /// A change of the map.
    pub(super) fn my_conversations_changed(&mut self, now: Duration, id: u64, change: Change) {
        match change {
            Change::ItemAdded(item) | Change::ItemUpdated(item) => {
                let (ItemKey::Key(sid), Ok(data)) = (item.key, item.data.read::<MyConversation>()) else {
                    self.counters.payloads_refused += 1;
                    return;
                };
                if let Some(key) = self.my_item(now, &sid, &data, id)
                    && !self.mine.is_complete
                {
                    self.mine.listed.insert(key);
                }
            }
            Change::ItemRemoved { key: ItemKey::Key(sid), .. } => {
                if let Some((key, conversation)) = self.find(&sid)
                    && conversation.item_event < id
                {
                    self.leave(now, key);
                }
            }
            _ => {}
        }
    }

    /// Notes an item of the map; the conversation's key if the client takes part.
    fn my_item(&mut self, now: Duration, sid: &str, data: &MyConversation, event: u64) -> Option<Key> {
        let known = self.find(sid).map(|(key, conversation)| (key, conversation.item_event, conversation.last_read));
        if let Some((key, item_event, last_read)) = known {
            if event <= item_event {
                return Some(key);
            }
            if data.status != JOINED {
                self.leave(now, key);
                return None;
            }
            let conversation = self.conversations.get_mut(&key)?;
            conversation.item_event = event;
            conversation.last_read = data.last_consumed_message_index;
            if last_read != data.last_consumed_message_index {
                let last_read = data.last_consumed_message_index;
                self.tell(Event::ReadHorizonChanged { conversation: sid.to_owned(), last_read });
            }
            return Some(key);
        }
        if data.status == INVITED {
            self.join(now, sid);
            return None;
        }
        if data.status != JOINED {
            return None;
        }
        if sid.len() > MAX_NAME_BYTES || data.channel.len() > MAX_NAME_BYTES {
            self.counters.payloads_refused += 1;
            return None;
        }
        if self.conversations.len() >= MAX_CONVERSATIONS {
            self.counters.over_limit += 1;
            return None;
        }
        let key = Key(self.next_key);
        self.next_key += 1;
        let conversation = Conversation::new(sid, &data.channel, event, data.last_consumed_message_index);
        self.conversations.insert(key, conversation);
        self.keys.insert(sid.into(), key);
        self.to_open.push_back(key);
        Some(key)
    }

    /// Takes part in a conversation to which the client was invited.
    fn join(&mut self, now: Duration, sid: &str) {
        let Some(configuration) = &self.configuration else { return };
        let url = format!("{}/{}/Participants", configuration.links.conversations, escaped(sid));
        let body = AddParticipant { identity: configuration.identity.clone(), attributes: None };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let request = self.hosts.post_json(&url);
        self.request(now, request, body, Purpose::Join);
    }

    /// The client takes part no longer.
    pub(super) fn leave(&mut self, now: Duration, key: Key) {
        let Some(mut conversation) = self.forget(now, key) else { return };
        let sid = std::mem::take(&mut conversation.sid);
        if conversation.is_announced {
            self.tell(Event::ConversationLeft { conversation: sid.into() });
        }
    }

    /// The conversation does not exist any more.
    pub(super) fn removed(&mut self, now: Duration, key: Key) {
        let Some(mut conversation) = self.forget(now, key) else { return };
        let sid = std::mem::take(&mut conversation.sid);
        if conversation.is_announced {
            self.tell(Event::ConversationRemoved { conversation: sid.into() });
        }
    }

    fn forget(&mut self, now: Duration, key: Key) -> Option<Conversation> {
        let mut conversation = self.conversations.remove(&key)?;
        self.keys.remove(&conversation.sid);
        for sid in conversation.take_objects() {
            self.subscriptions.leave(now, &sid);
        }
        self.participants = self.participants.saturating_sub(conversation.roster.len());
        if conversation.stage == Stage::Opening {
            self.opening = self.opening.saturating_sub(1);
        }
        self.typists.forget(&conversation.sid);
        Some(conversation)
    }

    pub(super) fn find(&self, sid: &str) -> Option<(Key, &Conversation)> {
        let key = *self.keys.get(sid)?;
        Some((key, self.conversations.get(&key)?))
    }
}

/// The address of a page of items, in ascending order.
pub(super) fn items_url(items: &str) -> String {
    let separator = if items.contains('?') { '&' } else { '?' };
    format!("{items}{separator}HideExpired=true&PageSize={MAX_PAGE_SIZE}&Order=asc")
}

/// Reads the answer to opening an object.
pub(super) fn opened(answer: &Answer) -> Option<Opened> {
    let object: SyncObject = serde_json::from_slice(&answer.body).ok()?;
    let items = object.links.items.unwrap_or_default();
    if object.sid.len() > MAX_NAME_BYTES || items.len() > MAX_NAME_BYTES {
        return None;
    }
    Some(Opened {
        sid: object.sid.into(),
        last_event_id: object.last_event_id.unwrap_or_default(),
        items: items.into(),
    })
}

/// Reads a page of items.
pub(super) fn page(answer: &Answer) -> Option<Page> {
    serde_json::from_slice(&answer.body).ok()
}
