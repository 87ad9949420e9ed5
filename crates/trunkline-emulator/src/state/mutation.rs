//! The changes that somebody may be asked about first, their answers, and how an answer to a pre-event changes them.

use super::State;
use super::conversations::ConversationFields;
use super::events::{Amendment, EventType, Origin, PreEvent};
use super::messages::MessageFields;
use super::participants::ParticipantFields;
use super::records::{ConversationRecord, Message, Participant, User};
use super::texts::{Text, TextAnswer};
use super::users::UserFields;
use crate::error::ApiError;
use crate::webhooks::params::Builder;

/// A change. Conversations are named by SID or unique name, the rest by SID (participants also by identity).
#[derive(Debug, Clone)]
pub(crate) enum Mutation {
    CreateConversation(ConversationFields),
    UpdateConversation { conversation: String, fields: ConversationFields },
    DeleteConversation { conversation: String },
    AddParticipant { conversation: String, fields: ParticipantFields },
    UpdateParticipant { conversation: String, participant: String, fields: ParticipantFields },
    RemoveParticipant { conversation: String, participant: String },
    CreateMessage { conversation: String, fields: MessageFields },
    UpdateMessage { conversation: String, message: String, fields: MessageFields },
    RemoveMessage { conversation: String, message: String },
    UpdateUser { user: String, fields: UserFields },
    Text(Text),
}

/// What came of a change.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Conversation(ConversationRecord),
    Participant(Participant),
    Message(Message),
    Text(TextAnswer),
    User(User),
    Deleted,
}

/// A change is done, or somebody has to be asked first.
#[derive(Debug)]
pub(crate) enum Step {
    Done(Answer),
    Ask(PreEvent, Mutation),
}

impl Mutation {
    /// Applies what the answer to a pre-event changes. What an event does not let change is left alone.
    pub(crate) fn amend(&mut self, amendment: Amendment) {
        match self {
            Self::CreateConversation(fields) | Self::UpdateConversation { fields, .. } => {
                replace(&mut fields.friendly_name, amendment.friendly_name);
            }
            Self::CreateMessage { fields, .. } | Self::UpdateMessage { fields, .. } => {
                replace(&mut fields.body, amendment.body);
                replace(&mut fields.author, amendment.author);
                replace(&mut fields.attributes, amendment.attributes);
            }
            Self::Text(text) => {
                replace(&mut text.friendly_name, amendment.friendly_name);
                replace(&mut text.body, amendment.body);
                replace(&mut text.author, amendment.author);
                replace(&mut text.attributes, amendment.attributes);
            }
            Self::DeleteConversation { .. }
            | Self::AddParticipant { .. }
            | Self::UpdateParticipant { .. }
            | Self::RemoveParticipant { .. }
            | Self::RemoveMessage { .. }
            | Self::UpdateUser { .. } => {}
        }
    }
}

fn replace(field: &mut Option<String>, value: Option<String>) {
    if value.is_some() {
        *field = value;
    }
}

impl State {
    /// The pre-event of a mutation, if anybody is to be asked. What the mutation names must exist.
    pub(super) fn pre_event(&self, mutation: &Mutation, origin: Origin) -> Result<Option<PreEvent>, ApiError> {
        Ok(match mutation {
            Mutation::CreateConversation(fields) => {
                fields.check()?;
                let draft = self.draft_conversation(fields);
                self.pre(EventType::ConversationAdd, draft.service_sid, || {
                    let mut params = self.params(EventType::ConversationAdd, origin);
                    params.new_conversation(&draft);
                    params.finish()
                })
            }
            Mutation::UpdateConversation { conversation, fields } => {
                fields.check()?;
                let mut draft = self.open(self.find(conversation)?)?.record.clone();
                fields.apply(&mut draft);
                self.pre(EventType::ConversationUpdate, draft.service_sid, || {
                    let mut params = self.params(EventType::ConversationUpdate, origin);
                    params.conversation(&draft);
                    params.finish()
                })
            }
            Mutation::DeleteConversation { conversation } => {
                let record = &self.conversation(conversation)?.record;
                self.pre(EventType::ConversationRemove, record.service_sid, || {
                    let mut params = self.params(EventType::ConversationRemove, origin);
                    params.conversation(record);
                    params.finish()
                })
            }
            Mutation::AddParticipant { conversation, fields } => {
                self.pre_add_participant(conversation, fields, origin)?
            }
            Mutation::UpdateParticipant { conversation, participant, .. } => {
                self.pre_participant(EventType::ParticipantUpdate, conversation, participant, origin)?
            }
            Mutation::RemoveParticipant { conversation, participant } => {
                self.pre_participant(EventType::ParticipantRemove, conversation, participant, origin)?
            }
            Mutation::CreateMessage { conversation, fields } => {
                self.pre_create_message(conversation, fields, origin)?
            }
            Mutation::UpdateMessage { conversation, message, fields } => {
                self.pre_message(EventType::MessageUpdate, conversation, message, Some(fields), origin)?
            }
            Mutation::RemoveMessage { conversation, message } => {
                self.pre_message(EventType::MessageRemove, conversation, message, None, origin)?
            }
            Mutation::UpdateUser { user, fields } => self.pre_update_user(user, fields, origin)?,
            Mutation::Text(text) => self.pre_text(text, origin)?,
        })
    }

    pub(super) fn params(&self, kind: EventType, origin: Origin) -> Builder {
        let mut builder = Builder::new(&self.account, kind, origin);
        builder.some("ClientIdentity", self.client_identity(origin).as_deref());
        builder
    }

    /// Who acts, if it is a client with a socket.
    pub(super) fn client_identity(&self, origin: Origin) -> Option<String> {
        let Origin::Sdk { user } = origin else { return None };
        self.users.get(&user).map(|user| user.identity.clone())
    }
}
