//! Answers to clients as JSON, in the fields that Twilio's own client reads.

use serde_json::{Value, json};

use super::upstream::Client;
use crate::clock::iso;
use crate::server::App;
use crate::state::State;
use crate::state::limits::{MAX_MEDIA_BYTES, MAX_MEDIA_PER_MESSAGE};
use crate::state::records::{Message, Participant, Receipt};
use crate::state::sync::ObjectId;

/// SID of a user and the names of the user's own objects.
#[derive(Debug)]
pub(super) struct UserNames {
    sid: String,
    info: String,
    conversations: String,
}

impl UserNames {
    pub(super) fn of(state: &State, user: u64) -> Self {
        Self {
            sid: state.user_sid(user),
            info: state.object_name(ObjectId::Info(user)),
            conversations: state.object_name(ObjectId::Conversations(user)),
        }
    }
}

pub(super) fn configuration(app: &App, client: &Client, user: &UserNames) -> Value {
    let base = &client.base;
    let service = app.account.chat_service_sid;
    let own = format!("{base}/Client/v2/Services/{service}");
    let conversations = format!("{own}/Conversations");
    let media_megabytes = MAX_MEDIA_BYTES / (1024 * 1024);
    json!({
        "identity": client.identity,
        "sync_objects": {"my_user_info": user.info, "my_conversations": user.conversations},
        "links": {
            "my_conversations": format!("{own}/Users/{}/Conversations", user.sid),
            "conversations": conversations,
            "users": format!("{own}/Users"),
            "current_user": format!("{own}/Users/{}", user.sid),
            "typing": format!("{base}/Client/v1/Services/{service}/Typing"),
            "media_service": format!("{base}/mcs/v1/Services/{service}/Media"),
            "media_set_service": format!("{base}/mcs/v1/Services/{service}/MediaSet"),
            "messages_receipts": format!("{conversations}/%s/Messages/%s/Receipts"),
        },
        "options": {
            "reachability_enabled": false,
            "user_infos_to_subscribe": 100,
            "http_cache_interval": "PT5S",
            "consumption_report_interval": "PT5S",
            "media_attachments_count_limit": MAX_MEDIA_PER_MESSAGE,
            "media_attachment_size_limit_in_mb": media_megabytes,
            "media_attachments_total_size_limit_in_mb": media_megabytes,
            "email_histories_allowed_mime_types": ["text/plain", "text/html"],
            "email_bodies_allowed_mime_types": ["text/plain", "text/html"],
        },
    })
}

/// There are no content templates here.
pub(super) fn no_templates() -> Value {
    json!({"templates": [], "meta": {"next_token": null}})
}

pub(super) fn conversation(state: &State, base: &str, position: u64) -> Option<Value> {
    let conversation = state.conversation_at(position)?;
    let record = &conversation.record;
    let url = format!("{base}/Client/v2/Services/{}/Conversations/{}", state.account.chat_service_sid, record.sid);
    Some(json!({
        "sid": record.sid,
        "friendly_name": record.friendly_name,
        "unique_name": record.unique_name,
        "attributes": record.attributes,
        "created_by": record.created_by.as_deref().unwrap_or("system"),
        "date_created": iso(record.date_created),
        "date_updated": iso(record.date_updated),
        "messages_count": conversation.messages.len(),
        "participants_count": conversation.participants.len(),
        "state": {"current": record.state.as_str()},
        "url": url,
        "links": {"messages": format!("{url}/Messages"), "participants": format!("{url}/Participants")},
        "sync_objects": sync_objects(state, position),
    }))
}

fn sync_objects(state: &State, position: u64) -> Value {
    json!({
        "conversation": state.object_name(ObjectId::Document(position)),
        "messages": state.object_name(ObjectId::Messages(position)),
        "participants": state.object_name(ObjectId::Roster(position)),
    })
}

/// A conversation as one of a user's own; `whole` with everything that a look-up shows.
pub(super) fn own(state: &State, position: u64, participant: &Participant, whole: bool) -> Value {
    let Some(conversation) = state.conversation_at(position) else { return Value::Null };
    let record = &conversation.record;
    let horizon = participant.last_read_message_index;
    let mut body = json!({
        "conversation_sid": record.sid,
        "status": "joined",
        "last_read_message_index": horizon,
        "notification_level": participant.notification_level(),
        "sync_objects": sync_objects(state, position),
    });
    if whole && let Some(fields) = body.as_object_mut() {
        let unread = horizon.map(|index| conversation.messages.range(index.saturating_add(1)..).count());
        fields.insert("unread_messages_count".to_owned(), json!(unread));
        fields.insert("friendly_name".to_owned(), json!(record.friendly_name));
        fields.insert("unique_name".to_owned(), json!(record.unique_name));
        fields.insert("attributes".to_owned(), json!(record.attributes));
        fields.insert("created_by".to_owned(), json!(record.created_by.as_deref().unwrap_or("system")));
        fields.insert("date_created".to_owned(), json!(iso(record.date_created)));
        fields.insert("date_updated".to_owned(), json!(iso(record.date_updated)));
    }
    body
}

pub(super) fn participant(participant: &Participant) -> Value {
    let binding = participant.binding.as_ref().map(
        |binding| json!({"type": binding.channel, "address": binding.address, "proxy_address": binding.proxy_address}),
    );
    json!({
        "sid": participant.sid,
        "identity": participant.identity,
        "attributes": participant.attributes,
        "role_sid": participant.role_sid,
        "date_created": iso(participant.date_created),
        "date_updated": iso(participant.date_updated),
        "messaging_binding": binding,
    })
}

pub(super) fn message(message: &Message) -> Value {
    json!({
        "sid": message.sid,
        "index": message.index,
        "author": message.author,
        "body": message.body,
        "attributes": message.attributes,
        "date_created": iso(message.date_created),
        "date_updated": iso(message.date_updated),
        "participant_sid": message.participant_sid,
    })
}

pub(super) fn receipt(message: &Message, receipt: &Receipt) -> Value {
    json!({
        "sid": receipt.sid,
        "message_sid": message.sid,
        "conversation_sid": message.conversation_sid,
        "channel_message_sid": receipt.channel_message_sid,
        "participant_sid": receipt.participant_sid,
        "status": receipt.status.as_str(),
        "error_code": receipt.error_code,
        "date_created": iso(receipt.date_created),
        "date_updated": iso(receipt.date_updated),
    })
}

pub(super) fn user(state: &State, position: u64) -> Value {
    let Some(user) = state.user_at(position) else { return Value::Null };
    json!({
        "sid": user.sid,
        "identity": user.identity,
        "friendly_name": user.friendly_name,
        "attributes": user.attributes,
        "role_sid": user.role_sid,
        "date_created": iso(user.date_created),
        "date_updated": iso(user.date_updated),
        "sync_objects": {"user_info_map": state.object_name(ObjectId::Info(position))},
    })
}
