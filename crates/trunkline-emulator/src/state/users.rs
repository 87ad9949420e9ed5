//! Users of the chat service: one per identity, made when the identity is first seen.
//!
//! A user's SID is derived from the service and the identity, so that the same person is the same user after a reset.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};
use trunkline_proto::sid::{RoleSid, ServiceSid, UserSid};

use super::events::{EventType, Origin, PreEvent};
use super::limits;
use super::paging::{Cursor, Order, Slice, slice};
use super::records::{Participant, User};
use super::roles::Scope;
use super::sync::{Item, Log, ObjectId, Outgoing, Removals};
use super::{Key, State};
use crate::error::{self, ApiError};
use crate::realtime::SocketOrder;

/// What a caller says of a user. `None` is not said.
#[derive(Debug, Clone, Default)]
pub(crate) struct UserFields {
    pub(crate) friendly_name: Option<String>,
    pub(crate) attributes: Option<String>,
    pub(crate) role_sid: Option<String>,
}

impl UserFields {
    fn check(&self, state: &State, service: ServiceSid) -> Result<Option<RoleSid>, ApiError> {
        if let Some(name) = &self.friendly_name {
            limits::check_name(name, error::FRIENDLY_NAME_TOO_LONG)?;
        }
        if let Some(attributes) = &self.attributes {
            limits::check_attributes(attributes, limits::MAX_ATTRIBUTES)?;
        }
        self.role_sid.as_deref().map(|role| state.role_for(service, Scope::Service, role)).transpose()
    }

    /// Checks what was said and writes it over a user.
    fn apply(&self, state: &State, user: &mut User) -> Result<(), ApiError> {
        if let Some(role) = self.check(state, user.service_sid)? {
            user.role_sid = role;
        }
        if let Some(name) = &self.friendly_name {
            user.friendly_name = Some(name.clone()).filter(|name| !name.is_empty());
        }
        if let Some(attributes) = &self.attributes {
            user.attributes.clone_from(attributes);
        }
        Ok(())
    }
}

impl State {
    pub(crate) fn list_users(&self, service: ServiceSid, size: usize, cursor: Option<Cursor>) -> Slice<User> {
        slice(&self.users, Order::Ascending, size, cursor, |user| (user.service_sid == service).then(|| user.clone()))
    }

    /// The user with this SID, or with this identity in the account's own service.
    pub(crate) fn user(&self, user: &str) -> Result<&User, ApiError> {
        let by_sid = user.parse().ok().and_then(|sid: UserSid| self.user_sids.get(&sid));
        let position = by_sid.copied().or_else(|| self.identified(self.account.chat_service_sid, user));
        position
            .and_then(|position| self.users.get(&position))
            .ok_or_else(|| ApiError::not_found(&format!("/Users/{user}")))
    }

    /// The position of the user with this identity in a service.
    pub(super) fn identified(&self, service: ServiceSid, identity: &str) -> Option<u64> {
        self.by_identity.get(&(service, identity.to_owned())).copied()
    }

    pub(crate) fn user_at(&self, position: u64) -> Option<&User> {
        self.users.get(&position)
    }

    /// The SID of the user at a position; empty if there is none.
    pub(crate) fn user_sid(&self, position: u64) -> String {
        self.user_at(position).map(|user| user.sid.to_string()).unwrap_or_default()
    }

    /// The position of the user with this identity, who is made if this is the first time that it is seen. `by` is who
    /// brought that about; nobody means the user.
    pub(crate) fn ensure_user(
        &mut self,
        service: ServiceSid,
        identity: &str,
        by: Option<Origin>,
    ) -> Result<u64, ApiError> {
        match self.identified(service, identity) {
            Some(position) => Ok(position),
            None => self.insert_user(service, identity, &UserFields::default(), by),
        }
    }

    fn insert_user(
        &mut self,
        service: ServiceSid,
        identity: &str,
        fields: &UserFields,
        by: Option<Origin>,
    ) -> Result<u64, ApiError> {
        let role = fields.check(self, service)?.map_or_else(|| self.service(service).map(|one| one.user_role), Ok)?;
        limits::check_name(identity, ApiError::parameter("Identity"))?;
        if identity.is_empty() {
            return Err(ApiError::parameter("Identity"));
        }
        if self.users.len() >= limits::MAX_USERS {
            return Err(error::FULL);
        }
        let now = self.now();
        let event = self.event();
        let position = self.position();
        let mut hash = Sha256::new();
        hash.update(service.as_str());
        hash.update(identity);
        let mut digits = [0; 16];
        for (slot, byte) in digits.iter_mut().zip(hash.finalize()) {
            *slot = byte;
        }
        let user = User {
            sid: UserSid::from_random(digits),
            service_sid: service,
            position,
            identity: identity.to_owned(),
            friendly_name: fields.friendly_name.clone().filter(|name| !name.is_empty()),
            attributes: fields.attributes.clone().unwrap_or_else(|| "{}".to_owned()),
            role_sid: role,
            name_log: Log::at(event),
            attributes_log: Log::at(event),
            conversations_event: event,
            left: Removals::default(),
            date_created: now,
            date_updated: now,
        };
        self.index_user(user.clone());
        self.effects.dirty.insert(Key::User(position));
        self.emit_user(EventType::UserAdded, &user, by.unwrap_or(Origin::Sdk { user: position }));
        Ok(position)
    }

    /// Makes a user on request; it is an error if there is one already.
    pub(crate) fn create_user(
        &mut self,
        service: ServiceSid,
        identity: &str,
        fields: &UserFields,
        origin: Origin,
    ) -> Result<User, ApiError> {
        self.check_service_rate(service)?;
        if self.identified(service, identity).is_some() {
            return Err(error::USER_EXISTS);
        }
        let position = self.insert_user(service, identity, fields, Some(origin))?;
        self.user_at(position).cloned().ok_or_else(|| ApiError::not_found("/Users"))
    }

    /// Deletes a user, who leaves every conversation.
    pub(crate) fn delete_user(&mut self, user: &str, origin: Origin) -> Result<(), ApiError> {
        let position = self.user(user)?.position;
        for (conversation, participant) in self.own_participants(position) {
            self.remove_participant(&conversation, &participant, origin)?;
        }
        self.forget_user(position);
        Ok(())
    }

    /// The conversations that a user is in, and who the user is there.
    fn own_participants(&self, user: u64) -> Vec<(String, String)> {
        let sids = |(_, one): (u64, &Participant)| (one.conversation_sid.to_string(), one.sid.to_string());
        self.memberships(user).map(sids).collect()
    }

    /// Takes a user's record away, who is in no conversation any more. The user's sockets end.
    pub(super) fn forget_user(&mut self, position: u64) {
        let Some(user) = self.users.remove(&position) else { return };
        self.by_identity.remove(&(user.service_sid, user.identity.clone()));
        self.user_sids.remove(&user.sid);
        self.memberships.remove(&position);
        self.effects.dirty.insert(Key::User(position));
        if user.service_sid == self.account.chat_service_sid {
            self.send(Outgoing::Sockets(SocketOrder::Gone(user.identity)));
        }
    }

    pub(super) fn pre_update_user(
        &self,
        user: &str,
        fields: &UserFields,
        origin: Origin,
    ) -> Result<Option<PreEvent>, ApiError> {
        let mut user = self.user(user)?.clone();
        fields.apply(self, &mut user)?;
        Ok(self.pre(EventType::UserUpdate, user.service_sid, || {
            let mut params = self.params(EventType::UserUpdate, origin);
            params.user(&user);
            params.user_dates(&user, EventType::UserUpdate);
            params.finish()
        }))
    }

    pub(super) fn update_user(&mut self, user: &str, fields: &UserFields, origin: Origin) -> Result<User, ApiError> {
        let mut user = self.user(user)?.clone();
        fields.apply(self, &mut user)?;
        user.date_updated = self.now();
        let named = fields.friendly_name.is_some();
        let described = fields.attributes.is_some();
        if named {
            user.name_log.changed = self.event();
        }
        if described {
            user.attributes_log.changed = self.event();
        }
        let position = user.position;
        self.users.insert(position, user.clone());
        self.effects.dirty.insert(Key::User(position));
        for (changed, key) in [(named, FRIENDLY_NAME), (described, ATTRIBUTES)] {
            if changed && let Some(item) = user.info_item(key) {
                self.item_changed(ObjectId::Info(position), item, false);
            }
        }
        self.emit_user(EventType::UserUpdated, &user, origin);
        Ok(user)
    }

    pub(super) fn index_user(&mut self, user: User) {
        self.by_identity.insert((user.service_sid, user.identity.clone()), user.position);
        self.user_sids.insert(user.sid, user.position);
        self.users.insert(user.position, user);
    }

    /// Fills in who is in which conversation, after the conversations were loaded.
    pub(super) fn ensure_members(&mut self) {
        let members = self.conversations.iter().flat_map(|(position, conversation)| {
            let identities = conversation.participants.values().filter_map(|one| one.identity.clone());
            identities.map(|identity| (*position, conversation.record.service_sid, identity))
        });
        for (position, service, identity) in members.collect::<Vec<_>>() {
            // An identity that was stored is one that was accepted.
            if let Ok(user) = self.ensure_user(service, &identity, Some(Origin::Rest { webhooks: false })) {
                self.memberships.entry(user).or_default().insert(position);
            }
        }
    }

    /// The conversations that a user is in, oldest first, each with the user's own participant.
    pub(crate) fn memberships(&self, user: u64) -> impl Iterator<Item = (u64, &Participant)> {
        static NONE: BTreeSet<u64> = BTreeSet::new();
        let positions = self.memberships.get(&user).unwrap_or(&NONE);
        positions.iter().filter_map(move |position| Some((*position, self.membership(*position, user)?)))
    }

    /// A page of the conversations that a user is in, oldest first.
    pub(crate) fn list_memberships<R>(
        &self,
        user: u64,
        size: usize,
        cursor: Option<Cursor>,
        pick: impl Fn(&Self, u64, u64, &Participant) -> Option<R>,
    ) -> Slice<R> {
        let all: BTreeMap<u64, (u64, &Participant)> =
            self.memberships(user).map(|(position, participant)| (position, (position, participant))).collect();
        slice(&all, Order::Ascending, size, cursor, |(position, participant)| pick(self, user, *position, participant))
    }

    /// The participant that a user is in a conversation.
    pub(crate) fn membership(&self, position: u64, user: u64) -> Option<&Participant> {
        let User { identity, service_sid, .. } = self.users.get(&user)?;
        let conversation = self.conversations.get(&position)?;
        let participants = (conversation.record.service_sid == *service_sid).then_some(&conversation.participants)?;
        participants.values().find(|one| one.identity.as_ref() == Some(identity))
    }
}

impl User {
    /// One item of the user's information.
    pub(super) fn info_item(&self, key: &str) -> Option<Item> {
        let (value, log) = match key {
            FRIENDLY_NAME => (serde_json::json!({"value": self.friendly_name}), self.name_log),
            ATTRIBUTES => (serde_json::json!({"value": self.attributes}), self.attributes_log),
            _ => return None,
        };
        Some(Item { key: key.into(), log, at: self.date_updated, created_at: self.date_created, data: value })
    }
}

/// Keys of a user's information.
pub(super) const FRIENDLY_NAME: &str = "friendlyName";
/// Keys of a user's information.
pub(super) const ATTRIBUTES: &str = "attributes";
