//! What an identity may see and change: its own things, and conversations that it is in or made.
//!
//! As with Twilio's default roles: who is in a conversation may change it and its participants; a message only its
//! author and whoever made the conversation; joining is for whoever made it.

use super::super::mutation::Mutation;
use super::super::records::Conversation;
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
        let place = |conversation: &str| {
            let position = self.find(conversation)?;
            Ok::<_, ApiError>((self.is_member(position, user), self.has_made(self.at(position)?, user)))
        };
        match mutation {
            Mutation::CreateConversation(_) => Ok(()),
            Mutation::Text(_) => Err(error::FORBIDDEN),
            Mutation::UpdateUser { user: other, .. } => allow(self.user(other)?.position == user),
            Mutation::AddParticipant { conversation, fields } => {
                let (is_in, has_made) = place(conversation)?;
                allow(is_in || (has_made && fields.identity.as_deref() == identity))
            }
            Mutation::UpdateConversation { conversation, .. }
            | Mutation::DeleteConversation { conversation }
            | Mutation::UpdateParticipant { conversation, .. }
            | Mutation::RemoveParticipant { conversation, .. }
            | Mutation::CreateMessage { conversation, .. } => allow(place(conversation)?.0),
            Mutation::UpdateMessage { conversation, message, .. }
            | Mutation::RemoveMessage { conversation, message } => {
                let (is_in, has_made) = place(conversation)?;
                allow(is_in)?;
                let author = self.message(conversation, message)?.author.as_str();
                allow(has_made || identity == Some(author))
            }
        }
    }
}

fn allow(allowed: bool) -> Result<(), ApiError> {
    if allowed { Ok(()) } else { Err(error::FORBIDDEN) }
}
