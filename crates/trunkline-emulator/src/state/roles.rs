//! Roles: what users may do in a service, and participants in a conversation.
//!
//! Every service begins with the four that Twilio gives it. The permissions are those of Twilio's page on the role
//! resource; an unknown one, or one of the other scope, is refused.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trunkline_proto::sid::{RoleSid, ServiceSid};

use super::limits;
use super::paging::{Cursor, Order, Slice, slice};
use super::{Key, State};
use crate::error::{self, ApiError};

/// What a role is given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scope {
    /// Participants.
    Conversation,
    /// Users.
    Service,
}

impl Scope {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Conversation => "conversation",
            Self::Service => "service",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Conversation, Self::Service].into_iter().find(|scope| text.eq_ignore_ascii_case(scope.as_str()))
    }

    fn permissions(self) -> &'static [&'static str] {
        match self {
            Self::Conversation => CONVERSATION_PERMISSIONS,
            Self::Service => SERVICE_PERMISSIONS,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Role {
    pub(crate) sid: RoleSid,
    pub(crate) position: u64,
    pub(crate) service_sid: ServiceSid,
    pub(crate) friendly_name: String,
    pub(crate) scope: Scope,
    pub(crate) permissions: Vec<String>,
    pub(crate) date_created: Timestamp,
    pub(crate) date_updated: Timestamp,
}

/// What a caller says of a role.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoleFields {
    pub(crate) friendly_name: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) permissions: Vec<String>,
}

/// The roles that a service begins with.
#[derive(Debug, Clone, Copy)]
pub(super) struct DefaultRoles {
    pub(super) creator: RoleSid,
    pub(super) participant: RoleSid,
    pub(super) user: RoleSid,
}

impl State {
    /// Gives a new service its four roles. The account's own service keeps the SID of its participants' role.
    pub(super) fn seed_roles(&mut self, service: ServiceSid) -> DefaultRoles {
        let own = (service == self.account.chat_service_sid).then_some(self.account.participant_role);
        let mut seed = |name: &str, scope, permissions: &[&str], sid: Option<RoleSid>| {
            let permissions = permissions.iter().map(|one| (*one).to_owned()).collect();
            let sid = sid.unwrap_or_else(|| self.random_sid(RoleSid::from_random));
            self.insert_role(sid, service, name.to_owned(), scope, permissions).sid
        };
        let creator = seed("channel admin", Scope::Conversation, CONVERSATION_PERMISSIONS, None);
        let participant = seed("channel user", Scope::Conversation, PARTICIPANT_PERMISSIONS, own);
        seed("service admin", Scope::Service, SERVICE_PERMISSIONS, None);
        let user = seed("service user", Scope::Service, USER_PERMISSIONS, None);
        DefaultRoles { creator, participant, user }
    }

    fn insert_role(
        &mut self,
        sid: RoleSid,
        service_sid: ServiceSid,
        friendly_name: String,
        scope: Scope,
        permissions: Vec<String>,
    ) -> Role {
        let now = self.now();
        let position = self.position();
        let role = Role {
            sid,
            position,
            service_sid,
            friendly_name,
            scope,
            permissions,
            date_created: now,
            date_updated: now,
        };
        self.effects.dirty.insert(Key::Role(position));
        self.roles.insert(position, role.clone());
        role
    }

    pub(crate) fn list_roles(&self, service: ServiceSid, size: usize, cursor: Option<Cursor>) -> Slice<Role> {
        slice(&self.roles, Order::Ascending, size, cursor, |role| (role.service_sid == service).then(|| role.clone()))
    }

    pub(crate) fn role(&self, service: ServiceSid, sid: &str) -> Result<&Role, ApiError> {
        self.service_roles(service).find(|role| role.sid.as_str() == sid).ok_or(error::ROLE_NOT_FOUND)
    }

    fn service_roles(&self, service: ServiceSid) -> impl Iterator<Item = &Role> {
        self.roles.values().filter(move |role| role.service_sid == service)
    }

    /// The role with this SID, which must be of the service and of the scope.
    pub(super) fn role_for(&self, service: ServiceSid, scope: Scope, sid: &str) -> Result<RoleSid, ApiError> {
        let parsed: RoleSid = sid.parse().map_err(|_| ApiError::parameter("RoleSid"))?;
        let missing = match scope {
            Scope::Conversation => error::CONVERSATION_ROLE_NOT_FOUND,
            Scope::Service => error::ROLE_NOT_FOUND,
        };
        let known = self.service_roles(service).any(|role| role.sid == parsed && role.scope == scope);
        if known { Ok(parsed) } else { Err(missing) }
    }

    /// Whether a role allows something.
    pub(super) fn role_allows(&self, role: RoleSid, permission: &str) -> bool {
        let mut roles = self.roles.values();
        roles.any(|one| one.sid == role && one.permissions.iter().any(|known| known == permission))
    }

    pub(crate) fn add_role(&mut self, service: ServiceSid, fields: RoleFields) -> Result<Role, ApiError> {
        self.check_service_rate(service)?;
        let name = fields.friendly_name.filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| ApiError::parameter("FriendlyName"))?;
        if name.chars().count() > limits::MAX_ROLE_NAME_CHARS {
            return Err(ApiError::parameter("FriendlyName"));
        }
        let scope = fields.kind.as_deref().and_then(Scope::parse).ok_or_else(|| ApiError::parameter("Type"))?;
        let permissions = check_permissions(scope, fields.permissions)?;
        if self.service_roles(service).count() >= limits::MAX_ROLES_PER_SERVICE {
            return Err(error::FULL);
        }
        let sid = self.random_sid(RoleSid::from_random);
        Ok(self.insert_role(sid, service, name, scope, permissions))
    }

    /// Replaces all permissions of a role.
    pub(crate) fn update_role(
        &mut self,
        service: ServiceSid,
        sid: &str,
        permissions: Vec<String>,
    ) -> Result<Role, ApiError> {
        self.check_service_rate(service)?;
        let mut role = self.role(service, sid)?.clone();
        role.permissions = check_permissions(role.scope, permissions)?;
        role.date_updated = self.now();
        self.effects.dirty.insert(Key::Role(role.position));
        self.roles.insert(role.position, role.clone());
        Ok(role)
    }

    /// Takes a role away. One that the service gives by default stays.
    pub(crate) fn remove_role(&mut self, service: ServiceSid, sid: &str) -> Result<(), ApiError> {
        let role = self.role(service, sid)?;
        let (sid, position) = (role.sid, role.position);
        let defaults = self.service(service)?.default_roles();
        if [defaults.creator, defaults.participant, defaults.user].contains(&sid) {
            return Err(error::ROLE_IN_USE);
        }
        self.roles.remove(&position);
        self.effects.dirty.insert(Key::Role(position));
        Ok(())
    }
}

fn check_permissions(scope: Scope, permissions: Vec<String>) -> Result<Vec<String>, ApiError> {
    let known = scope.permissions();
    if permissions.is_empty() || permissions.iter().any(|one| !known.contains(&one.as_str())) {
        return Err(ApiError::parameter("Permission"));
    }
    let mut unique: Vec<String> = Vec::with_capacity(permissions.len());
    for one in permissions {
        if !unique.contains(&one) {
            unique.push(one);
        }
    }
    Ok(unique)
}

pub(super) const ADD_PARTICIPANT: &str = "addParticipant";
pub(super) const CREATE_CONVERSATION: &str = "createConversation";
pub(super) const DELETE_ANY_MESSAGE: &str = "deleteAnyMessage";
pub(super) const DELETE_CONVERSATION: &str = "deleteConversation";
pub(super) const DELETE_OWN_MESSAGE: &str = "deleteOwnMessage";
pub(super) const EDIT_ANY_MESSAGE: &str = "editAnyMessage";
pub(super) const EDIT_ANY_USER_INFO: &str = "editAnyUserInfo";
pub(super) const EDIT_CONVERSATION_ATTRIBUTES: &str = "editConversationAttributes";
pub(super) const EDIT_CONVERSATION_NAME: &str = "editConversationName";
pub(super) const EDIT_OWN_MESSAGE: &str = "editOwnMessage";
pub(super) const EDIT_OWN_USER_INFO: &str = "editOwnUserInfo";
pub(super) const JOIN_CONVERSATION: &str = "joinConversation";
pub(super) const LEAVE_CONVERSATION: &str = "leaveConversation";
pub(super) const REMOVE_PARTICIPANT: &str = "removeParticipant";
pub(super) const SEND_MEDIA_MESSAGE: &str = "sendMediaMessage";
pub(super) const SEND_MESSAGE: &str = "sendMessage";

/// What a role of participants may allow, and what "channel admin" does.
const CONVERSATION_PERMISSIONS: &[&str] = &[
    ADD_PARTICIPANT,
    DELETE_ANY_MESSAGE,
    DELETE_CONVERSATION,
    DELETE_OWN_MESSAGE,
    EDIT_ANY_MESSAGE,
    "editAnyMessageAttributes",
    "editAnyParticipantAttributes",
    EDIT_CONVERSATION_ATTRIBUTES,
    EDIT_CONVERSATION_NAME,
    "editNotificationLevel",
    EDIT_OWN_MESSAGE,
    "editOwnMessageAttributes",
    "editOwnParticipantAttributes",
    LEAVE_CONVERSATION,
    REMOVE_PARTICIPANT,
    SEND_MEDIA_MESSAGE,
    SEND_MESSAGE,
];
/// What a role of users may allow, and what "service admin" does.
const SERVICE_PERMISSIONS: &[&str] = &[
    ADD_PARTICIPANT,
    CREATE_CONVERSATION,
    DELETE_ANY_MESSAGE,
    DELETE_CONVERSATION,
    DELETE_OWN_MESSAGE,
    EDIT_ANY_MESSAGE,
    "editAnyMessageAttributes",
    "editAnyParticipantAttributes",
    EDIT_ANY_USER_INFO,
    EDIT_CONVERSATION_ATTRIBUTES,
    EDIT_CONVERSATION_NAME,
    "editNotificationLevel",
    EDIT_OWN_MESSAGE,
    "editOwnMessageAttributes",
    "editOwnParticipantAttributes",
    EDIT_OWN_USER_INFO,
    JOIN_CONVERSATION,
    LEAVE_CONVERSATION,
    REMOVE_PARTICIPANT,
    SEND_MEDIA_MESSAGE,
    SEND_MESSAGE,
];
/// What "channel user" allows: everything but other people's messages.
const PARTICIPANT_PERMISSIONS: &[&str] = &[
    ADD_PARTICIPANT,
    DELETE_CONVERSATION,
    DELETE_OWN_MESSAGE,
    EDIT_CONVERSATION_ATTRIBUTES,
    EDIT_CONVERSATION_NAME,
    "editNotificationLevel",
    EDIT_OWN_MESSAGE,
    "editOwnMessageAttributes",
    "editOwnParticipantAttributes",
    LEAVE_CONVERSATION,
    REMOVE_PARTICIPANT,
    SEND_MEDIA_MESSAGE,
    SEND_MESSAGE,
];
/// What "service user" allows.
const USER_PERMISSIONS: &[&str] = &[CREATE_CONVERSATION, EDIT_OWN_USER_INFO, JOIN_CONVERSATION];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_of_their_scope_and_named_once() {
        let check =
            |scope, names: &[&str]| check_permissions(scope, names.iter().map(|one| (*one).to_owned()).collect());
        assert_eq!(check(Scope::Conversation, &[SEND_MESSAGE, SEND_MESSAGE]), Ok(vec![SEND_MESSAGE.to_owned()]));
        for (scope, names) in [
            (Scope::Conversation, [].as_slice()),
            (Scope::Conversation, &[CREATE_CONVERSATION]),
            (Scope::Service, &["sendmessage"]),
        ] {
            assert_eq!(check(scope, names), Err(ApiError::parameter("Permission")), "{names:?}");
        }
    }

    #[test]
    fn default_roles_allow_what_their_scope_knows() {
        assert!(PARTICIPANT_PERMISSIONS.iter().all(|one| CONVERSATION_PERMISSIONS.contains(one)));
        assert!(USER_PERMISSIONS.iter().all(|one| SERVICE_PERMISSIONS.contains(one)));
    }
}
