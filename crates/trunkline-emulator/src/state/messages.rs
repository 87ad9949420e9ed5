//! Messages: create, change, remove, list.

use jiff::Timestamp;
use trunkline_proto::sid::{ContentSid, MediaSid, MessageSid, ParticipantSid};

use super::content::BadContent;
use super::events::{EventType, Origin, PreEvent};
use super::limits;
use super::paging::{Cursor, Order, Slice, slice};
use super::records::{Conversation, ConversationState, MediaRef, Message};
use super::sync::Log;
use super::{Key, State};
use crate::error::{self, ApiError};
use crate::webhooks::params::{Builder, DraftMessage};

/// What a caller says of a message. `None` is not said.
#[derive(Debug, Clone, Default)]
pub(crate) struct MessageFields {
    pub(crate) author: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) attributes: Option<String>,
    pub(crate) media_sids: Vec<String>,
    pub(crate) subject: Option<String>,
    /// A template; then body and files do not count.
    pub(crate) content_sid: Option<String>,
    pub(crate) content_variables: Option<String>,
    pub(crate) date_created: Option<Timestamp>,
    pub(crate) date_updated: Option<Timestamp>,
}

impl MessageFields {
    fn check(&self) -> Result<(), ApiError> {
        if let Some(author) = &self.author {
            limits::check_name(author, ApiError::parameter("Author"))?;
        }
        if let Some(subject) = &self.subject {
            limits::check_name(subject, ApiError::parameter("Subject"))?;
        }
        if let Some(attributes) = &self.attributes {
            limits::check_attributes(attributes, limits::MAX_ATTRIBUTES)?;
        }
        if self.body.as_ref().is_some_and(|body| body.len() > limits::MAX_BODY_BYTES) {
            return Err(error::MESSAGE_TOO_LONG);
        }
        Ok(())
    }

    /// The template that [`State::with_content`] found.
    fn content(&self) -> Option<ContentSid> {
        self.content_sid.as_deref().and_then(|sid| sid.parse().ok())
    }

    fn author(&self) -> &str {
        self.author.as_deref().filter(|author| !author.is_empty()).unwrap_or(DEFAULT_AUTHOR)
    }
}

impl State {
    pub(crate) fn list_messages(
        &self,
        conversation: &str,
        order: Order,
        size: usize,
        cursor: Option<Cursor>,
    ) -> Result<Slice<Message>, ApiError> {
        let conversation = self.conversation(conversation)?;
        Ok(slice(&conversation.messages, order, size, cursor, |message| Some(message.clone())))
    }

    pub(crate) fn message(&self, conversation: &str, message: &str) -> Result<&Message, ApiError> {
        let found = message.parse().ok().map(|sid| Ok::<_, ApiError>(self.conversation(conversation)?.message(sid)));
        found
            .transpose()?
            .flatten()
            .ok_or_else(|| ApiError::not_found(&format!("/Conversations/{conversation}/Messages/{message}")))
    }

    pub(super) fn pre_create_message(
        &self,
        conversation: &str,
        fields: &MessageFields,
        origin: Origin,
    ) -> Result<Option<PreEvent>, ApiError> {
        let conversation = self.open(self.find(conversation)?)?;
        let fields = &self.with_content(fields.clone())?;
        check_new(conversation, fields)?;
        let media = self.media_refs(&fields.media_sids)?;
        let participant = author_sid(conversation, fields.author());
        Ok(self.pre(EventType::MessageAdd, conversation.record.service_sid, || {
            let mut params = self.params(EventType::MessageAdd, origin);
            params.new_message(
                &conversation.record,
                &DraftMessage {
                    body: fields.body.as_deref(),
                    author: fields.author(),
                    participant_sid: participant.as_ref().map(AsRef::as_ref),
                    attributes: fields.attributes.as_deref().unwrap_or("{}"),
                    media: &media,
                },
            );
            params.finish()
        }))
    }

    pub(super) fn pre_message(
        &self,
        kind: EventType,
        conversation: &str,
        message: &str,
        change: Option<&MessageFields>,
        origin: Origin,
    ) -> Result<Option<PreEvent>, ApiError> {
        let mut message = self.message(conversation, message)?.clone();
        if let Some(fields) = change {
            fields.check()?;
            apply(fields, &mut message);
        }
        let record = &self.conversation(conversation)?.record;
        Ok(self.pre(kind, record.service_sid, || {
            let mut params = self.params(kind, origin);
            params.message(record, &message);
            params.date("DateUpdated", message.date_updated);
            params.finish()
        }))
    }

    pub(super) fn create_message(
        &mut self,
        conversation: &str,
        fields: MessageFields,
        origin: Origin,
    ) -> Result<Message, ApiError> {
        let position = self.find(conversation)?;
        let fields = self.with_content(fields)?;
        let conversation = self.open(position)?;
        check_new(conversation, &fields)?;
        let participant = author_sid(conversation, fields.author());
        let media = self.media_refs(&fields.media_sids)?;
        self.publish(position, fields, participant, media, origin)
    }

    /// The message with the text of its template, if it has one.
    fn with_content(&self, mut fields: MessageFields) -> Result<MessageFields, ApiError> {
        if let Some(sid) = &fields.content_sid {
            let filled = self.fill_content(sid, fields.content_variables.as_deref());
            let (_, text) = filled.map_err(|bad| match bad {
                BadContent::Sid => error::CONVERSATION_CONTENT_SID,
                BadContent::Variables => error::CONVERSATION_CONTENT_VARIABLES,
            })?;
            fields.body = Some(text);
            fields.media_sids.clear();
        }
        Ok(fields)
    }

    /// Puts a checked message into a conversation, sends it out and tells of it.
    pub(super) fn publish(
        &mut self,
        position: u64,
        fields: MessageFields,
        participant_sid: Option<ParticipantSid>,
        media: Vec<MediaRef>,
        origin: Origin,
    ) -> Result<Message, ApiError> {
        if self.messages >= limits::MAX_MESSAGES {
            return Err(error::FULL);
        }
        let now = self.now();
        let sid = self.random_sid(MessageSid::from_random);
        let conversation = self.at_mut(position)?;
        let record = &mut conversation.record;
        let index = record.next_index;
        record.next_index = index.saturating_add(1);
        record.date_updated = now;
        record.timers_from = None;
        let woken = record.state == ConversationState::Inactive;
        if woken {
            record.state = ConversationState::Active;
        }
        let conversation_sid = record.sid;
        let message = Message {
            sid,
            conversation_sid,
            index,
            author: fields.author().to_owned(),
            content_sid: fields.content(),
            subject: fields.subject,
            body: fields.body,
            media,
            attributes: fields.attributes.unwrap_or_else(|| "{}".to_owned()),
            participant_sid,
            receipts: std::collections::BTreeMap::new(),
            log: Log::default(),
            date_created: fields.date_created.unwrap_or(now),
            date_updated: fields.date_updated.unwrap_or(now),
        };
        conversation.message_indexes.insert(sid, index);
        conversation.messages.insert(index, message);
        self.messages = self.messages.saturating_add(1);
        self.effects.dirty.extend([Key::Conversation(position), Key::Message(position, index)]);
        if woken {
            self.tell_state(position, ConversationState::Inactive, origin, "EVENT");
        }
        self.plan_conversation(position);
        self.claim_media(position, index);
        self.tell_message(EventType::MessageAdded, position, index, origin);
        self.send_out(position, index);
        self.message_added(position, index);
        self.stored_message(position, index)
    }

    pub(super) fn stored_message(&self, position: u64, index: u64) -> Result<Message, ApiError> {
        self.at(position)?.messages.get(&index).cloned().ok_or_else(|| ApiError::not_found("/Messages"))
    }

    fn tell_message(&mut self, kind: EventType, position: u64, index: u64, origin: Origin) {
        let Ok(message) = self.stored_message(position, index) else { return };
        let removed = (kind == EventType::MessageRemoved).then(|| self.now());
        self.emit(kind, position, origin, message.body.as_deref(), |account, conversation| {
            let mut params = Builder::new(account, kind, origin);
            params.message(&conversation.record, &message);
            if kind != EventType::MessageAdded {
                params.date("DateUpdated", message.date_updated);
            }
            if let Some(removed) = removed {
                params.date("DateRemoved", removed);
            }
            params.finish()
        });
    }

    pub(super) fn update_message(
        &mut self,
        conversation: &str,
        message: &str,
        fields: &MessageFields,
        origin: Origin,
    ) -> Result<Message, ApiError> {
        fields.check()?;
        let position = self.find(conversation)?;
        self.open(position)?;
        let mut new = self.message(conversation, message)?.clone();
        new.date_updated = self.now();
        apply(fields, &mut new);
        let index = new.index;
        self.at_mut(position)?.messages.insert(index, new.clone());
        self.message_changed(position, index);
        self.tell_message(EventType::MessageUpdated, position, index, origin);
        Ok(new)
    }

    pub(super) fn remove_message(&mut self, conversation: &str, message: &str, origin: Origin) -> Result<(), ApiError> {
        let position = self.find(conversation)?;
        let (sid, index) = {
            let message = self.message(conversation, message)?;
            (message.sid, message.index)
        };
        self.tell_message(EventType::MessageRemoved, position, index, origin);
        let conversation = self.at_mut(position)?;
        conversation.messages.remove(&index);
        conversation.message_indexes.remove(&sid);
        self.messages = self.messages.saturating_sub(1);
        self.effects.dirty.insert(Key::Message(position, index));
        self.message_removed(position, index);
        Ok(())
    }

    pub(super) fn media_refs(&self, sids: &[String]) -> Result<Vec<MediaRef>, ApiError> {
        let known = |sid: &String| {
            let sid: MediaSid = sid.parse().map_err(|_| error::MEDIA_UNKNOWN)?;
            self.media_record(sid).map(super::records::MediaRecord::reference).ok_or(error::MEDIA_UNKNOWN)
        };
        sids.iter().map(known).collect()
    }
}

/// What a new message must be in this conversation.
fn check_new(conversation: &Conversation, fields: &MessageFields) -> Result<(), ApiError> {
    fields.check()?;
    let body = fields.body.as_deref().unwrap_or_default();
    if body.is_empty() && fields.media_sids.is_empty() {
        return Err(error::MESSAGE_EMPTY);
    }
    let author = fields.author();
    let goes_out = conversation.participants.values().any(|one| one.binding.is_some() && !one.is_author(author));
    if goes_out && body.chars().count() > limits::MAX_CHANNEL_BODY_CHARS {
        return Err(error::MESSAGE_TOO_LONG);
    }
    Ok(())
}

fn author_sid(conversation: &Conversation, author: &str) -> Option<ParticipantSid> {
    conversation.participants.values().find(|one| one.is_author(author)).map(|one| one.sid)
}

fn apply(fields: &MessageFields, message: &mut Message) {
    if let Some(author) = fields.author.as_ref().filter(|author| !author.is_empty()) {
        message.author.clone_from(author);
    }
    if let Some(subject) = &fields.subject {
        message.subject = Some(subject.clone());
    }
    if let Some(body) = &fields.body {
        message.body = Some(body.clone());
    }
    if let Some(attributes) = &fields.attributes {
        message.attributes.clone_from(attributes);
    }
    if let Some(date) = fields.date_created {
        message.date_created = date;
    }
    if let Some(date) = fields.date_updated {
        message.date_updated = date;
    }
}

/// Twilio's own default.
const DEFAULT_AUTHOR: &str = "system";
