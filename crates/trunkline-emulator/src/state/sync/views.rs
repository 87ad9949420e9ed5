//! What Sync shows of users, conversations, messages and participants: the `data` of documents and items.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::State;
use super::super::records::{Conversation, MediaRef, Message, Participant};
use super::{Log, ObjectId};
use crate::clock::iso_millis;

/// One item of a list or a map.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) key: ItemKey,
    pub(crate) log: Log,
    pub(crate) at: Timestamp,
    pub(crate) created_at: Timestamp,
    pub(crate) data: Value,
}

/// An item's key in a map, or its index in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ItemKey {
    Key(Cow<'static, str>),
    Index(u64),
}

impl From<&str> for ItemKey {
    fn from(key: &str) -> Self {
        Self::Key(Cow::Owned(key.to_owned()))
    }
}

impl std::fmt::Display for ItemKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key(key) => f.write_str(key),
            Self::Index(index) => index.fmt(f),
        }
    }
}

impl State {
    /// The data of a conversation's document.
    pub(crate) fn document_data(&self, position: u64) -> Option<Value> {
        let conversation = self.conversations.get(&position)?;
        let record = &conversation.record;
        let mut data = json!({
            "sid": record.sid,
            "friendlyName": record.friendly_name,
            "uniqueName": record.unique_name,
            "attributes": record.attributes,
            "createdBy": record.created_by.as_deref().unwrap_or(SYSTEM),
            "dateCreated": iso_millis(record.date_created),
            "dateUpdated": iso_millis(record.date_updated),
            "messages": self.object_name(ObjectId::Messages(position)),
            "roster": self.object_name(ObjectId::Roster(position)),
            "state": {"current": record.state.as_str(), "dateUpdated": iso_millis(record.date_updated)},
            "bindings": {},
        });
        if let (Some((index, last)), Value::Object(fields)) = (conversation.messages.last_key_value(), &mut data) {
            fields
                .insert("lastMessage".to_owned(), json!({"index": index, "timestamp": iso_millis(last.date_created)}));
        }
        Some(data)
    }

    /// A participant among the person's own conversations.
    pub(super) fn own_item(&self, position: u64, conversation: &Conversation, participant: &Participant) -> Item {
        Item {
            key: conversation.record.sid.as_str().into(),
            log: participant.own_log,
            at: participant.date_updated,
            created_at: participant.date_created,
            data: json!({
                "status": "joined",
                "channel": self.object_name(ObjectId::Document(position)),
                "messages": self.object_name(ObjectId::Messages(position)),
                "roster": self.object_name(ObjectId::Roster(position)),
                "lastConsumedMessageIndex": participant.last_read_message_index,
                "notificationLevel": participant.notification_level(),
            }),
        }
    }

    /// A participant in the roster.
    pub(super) fn roster_item(&self, participant: &Participant) -> Item {
        let position = self.by_sid.get(&participant.conversation_sid);
        let service = position.and_then(|at| self.conversations.get(at)).map(|one| one.record.service_sid);
        let user = participant.identity.as_ref().and_then(|identity| self.identified(service?, identity));
        let mut bindings = Map::new();
        if let Some(binding) = &participant.binding {
            let pair =
                json!({"address": binding.address, "proxy_address": binding.proxy_address, "type": binding.channel});
            bindings.insert(binding.channel.clone(), pair);
        }
        let mut data = json!({
            "identity": participant.identity,
            "attributes": participant.attributes,
            "dateCreated": iso_millis(participant.date_created),
            "dateUpdated": iso_millis(participant.date_updated),
            "roleSid": participant.role_sid,
            "type": participant.binding.as_ref().map_or("chat", |binding| binding.channel.as_str()),
            "lastConsumedMessageIndex": participant.last_read_message_index,
            "lastConsumptionTimestamp": participant.last_read_timestamp,
            "bindings": bindings,
        });
        if let (Some(user), Value::Object(fields)) = (user, &mut data) {
            fields.insert("userInfo".to_owned(), Value::String(self.object_name(ObjectId::Info(user))));
        }
        Item {
            key: participant.sid.as_str().into(),
            log: participant.log,
            at: participant.date_updated,
            created_at: participant.date_created,
            data,
        }
    }
}

/// A message in the list of messages.
pub(super) fn message_item(message: &Message) -> Item {
    let mut data = json!({
        "sid": message.sid,
        "index": message.index,
        "author": message.author,
        "text": message.body,
        "type": if message.media.is_empty() { "text" } else { "media" },
        "timestamp": iso_millis(message.date_created),
        "dateUpdated": iso_millis(message.date_updated),
        "lastUpdatedBy": null,
        "attributes": message.attributes,
        "memberSid": message.participant_sid,
        "subject": null,
    });
    if let Value::Object(fields) = &mut data {
        if let Some(first) = message.media.first() {
            fields.insert("media".to_owned(), media(first));
            fields.insert("medias".to_owned(), Value::Array(message.media.iter().map(media).collect()));
        }
        if let Some(delivery) = message.delivery() {
            fields.insert("delivery".to_owned(), delivery);
        }
    }
    Item {
        key: ItemKey::Index(message.index),
        log: message.log,
        at: message.date_updated,
        created_at: message.date_created,
        data,
    }
}

fn media(file: &MediaRef) -> Value {
    json!({
        "sid": file.sid,
        "category": "media",
        "filename": file.filename,
        "contentType": file.content_type,
        "size": file.size,
    })
}

/// Who made a conversation that no identity made.
const SYSTEM: &str = "system";
