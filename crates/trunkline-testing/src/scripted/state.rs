//! What the backend knows: conversations, who is in them, what was said.

use std::collections::BTreeMap;

use jiff::Timestamp;
use trunkline_core::HealthStatus;
use trunkline_core::messaging::{
    Conversation, ConversationConfig, ConversationId, ConversationState, ErrorCode, Message, MessageId, MessagingError,
    NewParticipant, Operation, OutgoingMessage, Participant, ParticipantId,
};
use trunkline_core::{Pii, Retry};

use super::backend::{MAX_CONVERSATIONS, MAX_MESSAGES};
use super::calls::Calls;
use super::script::Script;

#[derive(Debug)]
pub(super) struct Room {
    pub(super) conversation: Conversation,
    pub(super) participants: Vec<Participant>,
    pub(super) messages: Vec<Message>,
    next_index: u64,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) is_running: bool,
    pub(super) health: HealthStatus,
    pub(super) script: Script,
    pub(super) calls: Calls,
    rooms: BTreeMap<String, Room>,
    names: u64,
}

fn refused(operation: Operation, code: ErrorCode, why: &str) -> MessagingError {
    MessagingError::new(operation, code, why)
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            is_running: false,
            health: HealthStatus::healthy(),
            script: Script::default(),
            calls: Calls::default(),
            rooms: BTreeMap::new(),
            names: 0,
        }
    }

    /// A name that nothing else has: its kind and a number.
    fn name(&mut self, kind: &str) -> String {
        self.names += 1;
        format!("{kind}-{:06}", self.names)
    }

    pub(super) fn create(&mut self, new: ConversationConfig, now: Timestamp) -> Result<Conversation, MessagingError> {
        let failed = |why| Err(refused(Operation::CreateConversation, ErrorCode::ConversationFailed, why));
        if self.rooms.len() >= MAX_CONVERSATIONS {
            return failed("there are too many conversations");
        }
        let is_taken = |room: &Room| room.conversation.unique_name == new.unique_name;
        if new.unique_name.is_some() && self.rooms.values().any(is_taken) {
            return failed("the unique name is taken");
        }
        let id = self.name("conversation");
        let state = new.state.unwrap_or(ConversationState::Active);
        let mut conversation = Conversation::new(ConversationId::new(id.clone()), state);
        conversation.friendly_name = new.friendly_name;
        conversation.unique_name = new.unique_name;
        conversation.attributes = new.attributes.unwrap_or_else(|| "{}".to_owned());
        (conversation.created_at, conversation.updated_at) = (Some(now), Some(now));
        let room =
            Room { conversation: conversation.clone(), participants: Vec::new(), messages: Vec::new(), next_index: 0 };
        self.rooms.insert(id, room);
        Ok(conversation)
    }

    /// The conversation of that name, or of that unique name.
    pub(super) fn room(&mut self, operation: Operation, id: &ConversationId) -> Result<&mut Room, MessagingError> {
        let is_meant = |room: &Room| room.conversation.unique_name.as_deref() == Some(id.as_str());
        let known = if self.rooms.contains_key(id.as_str()) {
            Some(id.as_str().to_owned())
        } else {
            self.rooms.iter().find(|(_, room)| is_meant(room)).map(|(name, _)| name.clone())
        };
        known
            .and_then(|name| self.rooms.get_mut(&name))
            .ok_or_else(|| refused(operation, ErrorCode::ConversationNotFound, "there is no such conversation"))
    }

    pub(super) fn conversations(&self) -> Vec<Conversation> {
        self.rooms.values().map(|room| room.conversation.clone()).collect()
    }

    /// Adds a message; the conversation is active again.
    pub(super) fn say(
        &mut self,
        operation: Operation,
        id: &ConversationId,
        author: String,
        new: OutgoingMessage,
        name: Option<MessageId>,
        now: Timestamp,
    ) -> Result<Message, MessagingError> {
        let name = name.unwrap_or_else(|| MessageId::new(self.name("message")));
        let room = self.room(operation, id)?;
        if room.conversation.state == ConversationState::Closed {
            return Err(refused(operation, ErrorCode::MessageFailed, "the conversation is closed"));
        }
        if let Some(there) = room.messages.iter().find(|message| message.id == name) {
            return Ok(there.clone());
        }
        if room.messages.len() >= MAX_MESSAGES {
            let error = refused(operation, ErrorCode::MessageFailed, "there are too many messages");
            return Err(error.with_retry(Retry::No));
        }
        room.conversation.state = ConversationState::Active;
        room.conversation.updated_at = Some(now);
        let conversation = room.conversation.id.clone();
        let mut message = Message::new(name, conversation, room.next_index, author, String::new());
        message.body = new.body;
        message.attributes = new.attributes.unwrap_or_else(|| "{}".to_owned());
        message.created_at = Some(now);
        let wrote = message.author.expose();
        let is_author = |one: &&Participant| {
            let address = one.binding.as_ref().map(|binding| binding.address.expose());
            one.identity.as_ref() == Some(wrote) || address == Some(wrote)
        };
        message.participant = room.participants.iter().find(is_author).map(|one| one.id.clone());
        room.next_index += 1;
        room.messages.push(message.clone());
        Ok(message)
    }

    pub(super) fn add(&mut self, id: &ConversationId, new: NewParticipant) -> Result<Participant, MessagingError> {
        let name = self.name("participant");
        let room = self.room(Operation::AddParticipant, id)?;
        if room.conversation.state == ConversationState::Closed {
            let why = "the conversation is closed";
            return Err(refused(Operation::AddParticipant, ErrorCode::InvalidParticipant, why));
        }
        let is_same = |there: &&Participant| match &new.identity {
            Some(identity) => there.identity.as_ref() == Some(identity),
            None => there.binding == new.binding,
        };
        if let Some(there) = room.participants.iter().find(is_same) {
            return Ok(there.clone());
        }
        let mut participant = Participant::new(ParticipantId::new(name), room.conversation.id.clone());
        participant.identity = new.identity;
        participant.binding = new.binding;
        participant.role = new.role;
        participant.attributes = new.attributes.unwrap_or_else(|| "{}".to_owned());
        room.participants.push(participant.clone());
        Ok(participant)
    }

    /// Removes whoever has that name or that identity.
    pub(super) fn remove(&mut self, id: &ConversationId, who: &ParticipantId) -> Result<(), MessagingError> {
        let room = self.room(Operation::RemoveParticipant, id)?;
        let before = room.participants.len();
        room.participants.retain(|one| one.id != *who && one.identity.as_deref() != Some(who.as_str()));
        if room.participants.len() < before {
            return Ok(());
        }
        let why = "there is no such participant";
        Err(refused(Operation::RemoveParticipant, ErrorCode::ParticipantNotFound, why))
    }
}

/// A text and nothing else.
pub(super) fn text(body: &str) -> OutgoingMessage {
    OutgoingMessage { body: Pii::new(body.to_owned()), ..OutgoingMessage::default() }
}
