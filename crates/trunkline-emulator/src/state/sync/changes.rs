//! Every change of the state as the events that Sync tells of it, in the order in which Twilio's clients know them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use trunkline_proto::sid::ConversationSid;
use trunkline_proto::sync::ObjectKind;

use super::super::records::{Message, Participant};
use super::super::{Key, Origin, State};
use super::object::word;
use super::views::message_item;
use super::{Item, ItemKey, Log, ObjectId};
use crate::clock::iso_millis;
use crate::journal::{AuthorKind, Happening, Noted};
use crate::realtime::SocketOrder;

/// One socket of one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SocketId(pub(crate) u64);

/// What sockets have to hear or to know, in the order in which it happened.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// For whoever is subscribed to the object.
    Change(Change),
    /// How a subscription went: first what was missed, then the outcome.
    Subscribed(Subscribed),
    /// A socket hears of an object no more.
    Cancelled { socket: SocketId, object: ObjectId },
    /// The payload of a Sync notification for one socket.
    Told { socket: SocketId, payload: Vec<u8> },
    /// Somebody is typing; these others are in the conversation.
    Typing { conversation: ConversationSid, identity: String, others: Vec<String> },
    /// For the journal.
    Noted(Noted),
    /// Something about the sockets themselves.
    Sockets(SocketOrder),
}

/// A subscription that begins: the socket hears of the object after these payloads.
#[derive(Debug)]
pub(crate) struct Subscribed {
    pub(crate) socket: SocketId,
    pub(crate) object: ObjectId,
    pub(crate) object_sid: String,
    pub(crate) correlation_id: u64,
    pub(crate) payloads: Vec<Vec<u8>>,
    /// Whether the replay is whole; if not the client asks again and hears nothing live.
    pub(crate) is_whole: bool,
}

/// One event of one object.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) id: u64,
    pub(crate) object: ObjectId,
    /// Such as `map_item_added`.
    pub(crate) event_type: String,
    /// The event's body.
    pub(crate) body: Value,
}

impl State {
    /// The number of the next event.
    pub(in crate::state) fn event(&mut self) -> u64 {
        self.last_event = self.last_event.saturating_add(1);
        self.effects.dirty.insert(Key::Events);
        self.last_event
    }

    /// Writes into the journal, once the change is committed.
    pub(crate) fn note(&mut self, what: Happening, conversation: Option<ConversationSid>) {
        let at = self.now();
        self.send(Outgoing::Noted(Noted { at, conversation, call: None, what }));
    }

    pub(crate) fn send(&mut self, outgoing: Outgoing) {
        self.effects.outgoing.push(outgoing);
    }

    /// Tells of an item as it is now.
    pub(in crate::state) fn item_changed(&mut self, object: ObjectId, item: Item, added: bool) {
        let change = self.change(object, item, added);
        self.send(Outgoing::Change(change));
    }

    pub(super) fn change(&self, object: ObjectId, item: Item, added: bool) -> Change {
        let kind = word(object.kind());
        let event_type = format!("{kind}_item_{}", if added { "added" } else { "updated" });
        let id = item.log.changed;
        let mut body = self.item_body(object, id, &item.key, item.at);
        body.insert("item_url".to_owned(), Value::String(item_url(&self.object_sid(object), object.kind(), &item.key)));
        body.insert("item_revision".to_owned(), Value::String(id.to_string()));
        body.insert("item_data".to_owned(), item.data);
        body.insert("date_expires".to_owned(), Value::Null);
        Change { id, object, event_type, body: Value::Object(body) }
    }

    /// An item is gone.
    pub(super) fn removal(&self, object: ObjectId, id: u64, key: &ItemKey) -> Change {
        let mut body = self.item_body(object, id, key, self.now());
        body.insert("item_data".to_owned(), Value::Object(Map::new()));
        Change { id, object, event_type: format!("{}_item_removed", word(object.kind())), body: Value::Object(body) }
    }

    fn item_body(&self, object: ObjectId, id: u64, key: &ItemKey, at: Timestamp) -> Map<String, Value> {
        let kind = word(object.kind());
        let mut body = Map::with_capacity(9);
        body.insert("id".to_owned(), json!(id));
        body.insert("date_created".to_owned(), json!(iso_millis(at)));
        body.insert(format!("{kind}_sid"), Value::String(self.object_sid(object)));
        body.insert(format!("{kind}_revision"), Value::String(id.to_string()));
        let (name, key) = match key {
            ItemKey::Key(key) => ("item_key", json!(key)),
            ItemKey::Index(index) => ("item_index", json!(index)),
        };
        body.insert(name.to_owned(), key);
        body
    }

    /// A conversation's document as it is now.
    pub(super) fn document_change(&self, position: u64) -> Option<Change> {
        let record = &self.conversations.get(&position)?.record;
        let object = ObjectId::Document(position);
        let id = record.log.document;
        let body = json!({
            "id": id,
            "date_created": iso_millis(record.date_updated),
            "document_sid": self.object_sid(object),
            "document_revision": id.to_string(),
            "document_data": self.document_data(position)?,
        });
        Some(Change { id, object, event_type: "document_updated".to_owned(), body })
    }

    pub(in crate::state) fn document_changed(&mut self, position: u64) {
        let event = self.event();
        let Some(conversation) = self.conversations.get_mut(&position) else { return };
        conversation.record.log.document = event;
        self.effects.dirty.insert(Key::Conversation(position));
        if let Some(change) = self.document_change(position) {
            self.send(Outgoing::Change(change));
        }
    }

    /// A participant is in the roster; then, for a person with an identity, the conversation is among theirs.
    pub(in crate::state) fn participant_joined(&mut self, position: u64, place: u64, origin: Origin) {
        let event = self.event();
        let own_event = self.event();
        let Some(conversation) = self.conversations.get_mut(&position) else { return };
        conversation.record.log.roster = event;
        let (sid, service) = (conversation.record.sid, conversation.record.service_sid);
        let Some(participant) = conversation.participants.get_mut(&place) else { return };
        participant.log = Log::at(event);
        participant.own_log = Log::at(own_event);
        let participant = participant.clone();
        self.effects.dirty.extend([Key::Conversation(position), Key::Participant(position, place)]);
        self.note(Happening::ParticipantAdded { chat: participant.identity.is_some() }, Some(sid));
        let identity = participant.identity.as_deref();
        let user = identity.and_then(|identity| self.ensure_user(service, identity, Some(origin)).ok());
        let item = self.roster_item(&participant);
        self.item_changed(ObjectId::Roster(position), item, true);
        if let Some(user) = user {
            self.memberships.entry(user).or_default().insert(position);
            self.own_changed(position, user, &participant, own_event, true);
        }
    }

    fn own_changed(&mut self, position: u64, user: u64, participant: &Participant, event: u64, added: bool) {
        let Some(record) = self.users.get_mut(&user) else { return };
        record.conversations_event = event;
        self.effects.dirty.insert(Key::User(user));
        let Some(conversation) = self.conversations.get(&position) else { return };
        let item = self.own_item(position, conversation, participant);
        self.item_changed(ObjectId::Conversations(user), item, added);
    }

    /// A participant was changed; the person's own conversations show the read horizon and the mute.
    pub(in crate::state) fn participant_changed(&mut self, position: u64, old: &Participant, new: &Participant) {
        let mut new = new.clone();
        new.log.changed = self.event();
        let is_own = old.last_read_message_index != new.last_read_message_index || old.muted != new.muted;
        if is_own {
            new.own_log.changed = self.event();
        }
        let Some(conversation) = self.conversations.get_mut(&position) else { return };
        conversation.record.log.roster = new.log.changed;
        let service = conversation.record.service_sid;
        conversation.participants.insert(new.position, new.clone());
        self.effects.dirty.extend([Key::Conversation(position), Key::Participant(position, new.position)]);
        let item = self.roster_item(&new);
        self.item_changed(ObjectId::Roster(position), item, false);
        let user = new.identity.as_ref().and_then(|identity| self.identified(service, identity));
        if let Some(user) = user.filter(|_| is_own) {
            self.own_changed(position, user, &new, new.own_log.changed, false);
        }
    }

    /// A participant is gone from the roster, and the conversation from theirs.
    pub(in crate::state) fn participant_left(&mut self, position: u64, gone: &Participant) {
        let event = self.event();
        let Some(conversation) = self.conversations.get_mut(&position) else { return };
        conversation.record.log.roster = event;
        conversation.removed.participants.add(event, gone.sid);
        let (sid, service) = (conversation.record.sid, conversation.record.service_sid);
        self.effects.dirty.extend([Key::Conversation(position), Key::Removed(position)]);
        self.note(Happening::ParticipantRemoved, Some(sid));
        let change = self.removal(ObjectId::Roster(position), event, &gone.sid.as_str().into());
        self.send(Outgoing::Change(change));
        let user = gone.identity.as_ref().and_then(|identity| self.identified(service, identity));
        if let Some(user) = user {
            self.leave(user, position, sid);
        }
    }

    fn leave(&mut self, user: u64, position: u64, sid: ConversationSid) {
        let event = self.event();
        if let Some(positions) = self.memberships.get_mut(&user) {
            positions.remove(&position);
        }
        let Some(record) = self.users.get_mut(&user) else { return };
        record.conversations_event = event;
        record.left.add(event, sid);
        self.effects.dirty.insert(Key::User(user));
        let change = self.removal(ObjectId::Conversations(user), event, &sid.as_str().into());
        self.send(Outgoing::Change(change));
    }

    /// A message is in the list; then the document shows that it is the last one.
    pub(in crate::state) fn message_added(&mut self, position: u64, index: u64) {
        let Some((message, author)) = self.touch_message(position, index, true) else { return };
        self.note(Happening::MessageAdded { author, index }, Some(message.conversation_sid));
        self.item_changed(ObjectId::Messages(position), message_item(&message), true);
        self.document_changed(position);
    }

    pub(in crate::state) fn message_changed(&mut self, position: u64, index: u64) {
        if let Some((message, _)) = self.touch_message(position, index, false) {
            self.item_changed(ObjectId::Messages(position), message_item(&message), false);
        }
    }

    fn touch_message(&mut self, position: u64, index: u64, added: bool) -> Option<(Message, AuthorKind)> {
        let event = self.event();
        let conversation = self.conversations.get_mut(&position)?;
        conversation.record.log.messages = event;
        let message = conversation.messages.get_mut(&index)?;
        message.log.changed = event;
        if added {
            message.log.created = event;
        }
        let message = message.clone();
        let author = conversation.participants.values().find(|one| Some(one.sid) == message.participant_sid);
        let author = author.map_or(AuthorKind::Other, |one| {
            if one.identity.is_some() { AuthorKind::Chat } else { AuthorKind::Channel }
        });
        self.effects.dirty.extend([Key::Conversation(position), Key::Message(position, index)]);
        Some((message, author))
    }

    pub(in crate::state) fn message_removed(&mut self, position: u64, index: u64) {
        let event = self.event();
        let Some(conversation) = self.conversations.get_mut(&position) else { return };
        conversation.record.log.messages = event;
        conversation.removed.messages.add(event, index);
        self.effects.dirty.extend([Key::Conversation(position), Key::Removed(position)]);
        let change = self.removal(ObjectId::Messages(position), event, &ItemKey::Index(index));
        self.send(Outgoing::Change(change));
        self.document_changed(position);
    }

    /// A conversation is about to be gone: from everybody's conversations, then its objects.
    pub(in crate::state) fn conversation_goes(&mut self, position: u64) {
        let Some(conversation) = self.conversations.get(&position) else { return };
        let sid = conversation.record.sid;
        let participants: Vec<Participant> = conversation.participants.values().cloned().collect();
        for gone in &participants {
            self.participant_left(position, gone);
        }
        for object in [ObjectId::Document(position), ObjectId::Messages(position), ObjectId::Roster(position)] {
            let id = self.event();
            let kind = word(object.kind());
            let body = Map::from_iter([
                ("id".to_owned(), json!(id)),
                ("date_created".to_owned(), json!(iso_millis(self.now()))),
                (format!("{kind}_sid"), Value::String(self.object_sid(object))),
            ]);
            let event_type = format!("{kind}_removed");
            self.send(Outgoing::Change(Change { id, object, event_type, body: Value::Object(body) }));
        }
        self.note(Happening::ConversationDeleted, Some(sid));
    }
}

/// Where an item is. Clients ask inside the socket, where only the path counts.
pub(crate) fn item_url(sid: &str, kind: ObjectKind, key: &ItemKey) -> String {
    format!("{SYNC_URL}/v3/{}/{sid}/Items/{key}", kind.collection())
}

/// Twilio's host of Sync.
pub(crate) const SYNC_URL: &str = "https://cds.us1.twilio.com";
