//! What an identity may see and change: its own things, and conversations that it is in or made.
//!
//! A participant may do what their role in the conversation allows, or their role as a user. With the default roles: who
//! is in a conversation may change it and its participants; a message only its author and whoever made the conversation;
//! joining is for whoever made it.

use trunkline_proto::sid::RoleSid;

use super::super::mutation::Mutation;
use super::super::records::Conversation;
use super::super::roles;
use super::super::{Origin, State};
use super::ObjectId;
use crate::error::{self, ApiError};

impl State {
    /// Whether a user may read an object. Everybody may read what others are called.
    pub(crate) fn check_object(&self, object: ObjectId, user: u64) -> Result<(), ApiError> {
        match object {
            ObjectId::Info(_) => Ok(()),
            ObjectId::Conversations(own) => allow(own == user),
            ObjectId::Document(position) | ObjectId::Messages(position) | ObjectId::Roster(position) => {
                self.check_reader(position, user)
            }
        }
    }

    /// Whether a user may read a conversation.
    pub(crate) fn check_reader(&self, position: u64, user: u64) -> Result<(), ApiError> {
        let conversation = self.at(position)?;
        allow(self.is_member(position, user) || self.has_made(conversation, user))
    }

    fn is_member(&self, position: u64, user: u64) -> bool {
        self.memberships.get(&user).is_some_and(|positions| positions.contains(&position))
    }

    fn has_made(&self, conversation: &Conversation, user: u64) -> bool {
        let identity = self.users.get(&user).map(|user| user.identity.as_str());
        identity.is_some() && conversation.record.created_by.as_deref() == identity
    }

    /// Whether whoever acts may do this. REST and phones may do everything.
    pub(in crate::state) fn check_permission(&self, mutation: &Mutation, origin: Origin) -> Result<(), ApiError> {
        let Origin::Sdk { user } = origin else { return Ok(()) };
        let identity = self.users.get(&user).map(|user| user.identity.as_str());
        match mutation {
            Mutation::CreateConversation(_) => allow(self.user_may(user, roles::CREATE_CONVERSATION)),
            Mutation::Text(_) => Err(error::FORBIDDEN),
            Mutation::UpdateUser { user: other, .. } => {
                let is_own = self.user(other)?.position == user;
                let own = is_own && self.user_may(user, roles::EDIT_OWN_USER_INFO);
                allow(own || self.user_may(user, roles::EDIT_ANY_USER_INFO))
            }
            Mutation::AddParticipant { conversation, fields } => {
                let place = self.place(conversation, user)?;
                let joins = place.has_made && fields.identity.as_deref() == identity;
                allow(place.may(roles::ADD_PARTICIPANT) || (joins && self.user_may(user, roles::JOIN_CONVERSATION)))
            }
            Mutation::UpdateConversation { conversation, fields } => {
                let place = self.place(conversation, user)?;
                let renames = fields.friendly_name.is_some() || fields.unique_name.is_some();
                allow(place.is_in)?;
                allow(!renames || place.may(roles::EDIT_CONVERSATION_NAME))?;
                allow(fields.attributes.is_none() || place.may(roles::EDIT_CONVERSATION_ATTRIBUTES))
            }
            Mutation::DeleteConversation { conversation } => {
                allow(self.place(conversation, user)?.may(roles::DELETE_CONVERSATION))
            }
            Mutation::UpdateParticipant { conversation, .. } => allow(self.place(conversation, user)?.is_in),
            Mutation::RemoveParticipant { conversation, participant } => {
                let is_own = self.participant(conversation, participant)?.identity.as_deref() == identity;
                let permission = if is_own { roles::LEAVE_CONVERSATION } else { roles::REMOVE_PARTICIPANT };
                allow(self.place(conversation, user)?.may(permission))
            }
            Mutation::CreateMessage { conversation, fields } => {
                let place = self.place(conversation, user)?;
                allow(place.may(roles::SEND_MESSAGE))?;
                allow(fields.media_sids.is_empty() || place.may(roles::SEND_MEDIA_MESSAGE))
            }
            Mutation::UpdateMessage { conversation, message, .. } => {
                self.check_message(conversation, message, user, roles::EDIT_OWN_MESSAGE, roles::EDIT_ANY_MESSAGE)
            }
            Mutation::RemoveMessage { conversation, message } => {
                self.check_message(conversation, message, user, roles::DELETE_OWN_MESSAGE, roles::DELETE_ANY_MESSAGE)
            }
        }
    }

    /// A message may be changed by its author, by whoever made the conversation, and by whom a role lets change all.
    fn check_message(
        &self,
        conversation: &str,
        message: &str,
        user: u64,
        own: &str,
        any: &str,
    ) -> Result<(), ApiError> {
        let place = self.place(conversation, user)?;
        allow(place.is_in)?;
        let identity = self.users.get(&user).map(|user| user.identity.as_str());
        let is_author = identity == Some(self.message(conversation, message)?.author.as_str());
        allow(place.has_made || place.may(any) || (is_author && place.may(own)))
    }

    fn user_may(&self, user: u64, permission: &str) -> bool {
        self.users.get(&user).is_some_and(|user| self.role_allows(user.role_sid, permission))
    }

    fn place(&self, conversation: &str, user: u64) -> Result<Place<'_>, ApiError> {
        let position = self.find(conversation)?;
        let has_made = self.has_made(self.at(position)?, user);
        let participant = self.membership(position, user);
        Ok(Place {
            state: self,
            user,
            role: participant.map(|one| one.role_sid),
            is_in: participant.is_some(),
            has_made,
        })
    }
}

/// What a user is to a conversation.
struct Place<'a> {
    state: &'a State,
    user: u64,
    /// The role as a participant.
    role: Option<RoleSid>,
    is_in: bool,
    has_made: bool,
}

impl Place<'_> {
    /// Whether who is in the conversation may do something there.
    fn may(&self, permission: &str) -> bool {
        let as_participant = self.role.is_some_and(|role| self.state.role_allows(role, permission));
        self.is_in && (as_participant || self.state.user_may(self.user, permission))
    }
}

fn allow(allowed: bool) -> Result<(), ApiError> {
    if allowed { Ok(()) } else { Err(error::FORBIDDEN) }
}
