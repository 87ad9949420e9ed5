//! Services: each with conversations, users, roles, webhooks and settings of its own.
//!
//! The account's own service is there from the beginning and stays. What is asked for without naming a service means
//! the default one, which the account's configuration names.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trunkline_proto::sid::{RoleSid, ServiceSid};

use super::configuration::WebhookConfigFields;
use super::events::Origin;
use super::limits;
use super::notifications::Notifications;
use super::paging::{Cursor, Order, Slice, slice};
use super::records::WebhookConfig;
use super::roles::{DefaultRoles, Scope};
use super::{Key, State};
use crate::error::{self, ApiError};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Service {
    pub(crate) sid: ServiceSid,
    pub(crate) position: u64,
    pub(crate) friendly_name: String,
    /// The role of whoever made a conversation, when they join it.
    pub(crate) creator_role: RoleSid,
    pub(crate) participant_role: RoleSid,
    pub(crate) user_role: RoleSid,
    pub(crate) reachability_enabled: bool,
    pub(crate) webhooks: WebhookConfig,
    pub(crate) notifications: Notifications,
    pub(crate) date_created: Timestamp,
    pub(crate) date_updated: Timestamp,
}

impl Service {
    pub(super) fn default_roles(&self) -> DefaultRoles {
        DefaultRoles { creator: self.creator_role, participant: self.participant_role, user: self.user_role }
    }
}

/// What a caller says of a service's configuration. `None` is not said.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServiceFields {
    pub(crate) creator_role: Option<String>,
    pub(crate) participant_role: Option<String>,
    pub(crate) user_role: Option<String>,
    pub(crate) reachability_enabled: Option<bool>,
}

/// Stands for the account's own service in records of before there were several.
pub(super) fn not_said() -> ServiceSid {
    ServiceSid::from_random([0; 16])
}

impl State {
    /// The service that is meant where none is named.
    pub(crate) fn default_service(&self) -> ServiceSid {
        self.configuration.default_chat_service_sid.unwrap_or(self.account.chat_service_sid)
    }

    pub(crate) fn service(&self, sid: ServiceSid) -> Result<&Service, ApiError> {
        let found = self.service_positions.get(&sid).and_then(|position| self.services.get(position));
        found.ok_or_else(|| ApiError::not_found(&format!("/Services/{sid}")))
    }

    /// The service with this SID, or the default one.
    pub(crate) fn named_service(&self, name: Option<&str>) -> Result<ServiceSid, ApiError> {
        let Some(name) = name else { return Ok(self.default_service()) };
        let missing = || ApiError::not_found(&format!("/Services/{name}"));
        let sid = name.parse().map_err(|_| missing())?;
        self.service(sid).map(|service| service.sid).map_err(|_| missing())
    }

    pub(crate) fn list_services(&self, size: usize, cursor: Option<Cursor>) -> Slice<Service> {
        slice(&self.services, Order::Ascending, size, cursor, |service| Some(service.clone()))
    }

    pub(crate) fn add_service(&mut self, friendly_name: Option<String>) -> Result<Service, ApiError> {
        let name = friendly_name.filter(|name| !name.is_empty()).ok_or_else(|| ApiError::parameter("FriendlyName"))?;
        limits::check_name(&name, error::FRIENDLY_NAME_TOO_LONG)?;
        if self.services.len() >= limits::MAX_SERVICES {
            return Err(error::FULL);
        }
        let sid = self.random_sid(ServiceSid::from_random);
        Ok(self.insert_service(sid, name, WebhookConfig::default(), false))
    }

    /// The account's own service, with what it was configured to before services had records of their own.
    pub(super) fn add_own_service(&mut self, webhooks: WebhookConfig, reachability_enabled: bool) {
        let sid = self.account.chat_service_sid;
        if !self.service_positions.contains_key(&sid) {
            self.insert_service(sid, OWN_NAME.to_owned(), webhooks, reachability_enabled);
        }
    }

    fn insert_service(
        &mut self,
        sid: ServiceSid,
        friendly_name: String,
        webhooks: WebhookConfig,
        reachability_enabled: bool,
    ) -> Service {
        let roles = self.seed_roles(sid);
        let now = self.now();
        let service = Service {
            sid,
            position: self.position(),
            friendly_name,
            creator_role: roles.creator,
            participant_role: roles.participant,
            user_role: roles.user,
            reachability_enabled,
            webhooks,
            notifications: Notifications::default(),
            date_created: now,
            date_updated: now,
        };
        self.put_service(service.clone());
        service
    }

    pub(super) fn put_service(&mut self, service: Service) {
        self.effects.dirty.insert(Key::Service(service.position));
        self.service_positions.insert(service.sid, service.position);
        self.services.insert(service.position, service);
    }

    /// Changes a service's record.
    pub(super) fn change_service(
        &mut self,
        sid: ServiceSid,
        change: impl FnOnce(&mut Service) -> Result<(), ApiError>,
    ) -> Result<Service, ApiError> {
        let mut service = self.service(sid)?.clone();
        change(&mut service)?;
        service.date_updated = self.now();
        self.put_service(service.clone());
        Ok(service)
    }

    pub(crate) fn update_service(&mut self, sid: ServiceSid, fields: &ServiceFields) -> Result<Service, ApiError> {
        let role =
            |scope, said: &Option<String>| said.as_deref().map(|role| self.role_for(sid, scope, role)).transpose();
        let creator = role(Scope::Conversation, &fields.creator_role)?;
        let participant = role(Scope::Conversation, &fields.participant_role)?;
        let user = role(Scope::Service, &fields.user_role)?;
        self.change_service(sid, |service| {
            service.creator_role = creator.unwrap_or(service.creator_role);
            service.participant_role = participant.unwrap_or(service.participant_role);
            service.user_role = user.unwrap_or(service.user_role);
            service.reachability_enabled = fields.reachability_enabled.unwrap_or(service.reachability_enabled);
            Ok(())
        })
    }

    pub(crate) fn update_service_webhooks(
        &mut self,
        sid: ServiceSid,
        fields: &WebhookConfigFields,
    ) -> Result<Service, ApiError> {
        self.change_service(sid, |service| {
            service.webhooks = fields.apply(&service.webhooks)?;
            Ok(())
        })
    }

    /// Deletes a service with all that is in it. The account's own service, and the default one, stay.
    pub(crate) fn remove_service(&mut self, sid: ServiceSid, origin: Origin) -> Result<(), ApiError> {
        let position = self.service(sid)?.position;
        if sid == self.account.chat_service_sid || sid == self.default_service() {
            return Err(error::SERVICE_IN_USE);
        }
        let conversations = self.conversations.values().filter(|one| one.record.service_sid == sid);
        for conversation in conversations.map(|one| one.record.sid.to_string()).collect::<Vec<_>>() {
            self.delete_conversation(&conversation, origin)?;
        }
        let users = self.users.values().filter(|user| user.service_sid == sid);
        for user in users.map(|user| user.position).collect::<Vec<_>>() {
            self.forget_user(user);
        }
        let roles = self.roles.values().filter(|role| role.service_sid == sid);
        for role in roles.map(|role| role.position).collect::<Vec<_>>() {
            self.roles.remove(&role);
            self.effects.dirty.insert(Key::Role(role));
        }
        self.remove_push_bindings(|binding| binding.service_sid == sid);
        self.service_positions.remove(&sid);
        self.services.remove(&position);
        self.effects.dirty.insert(Key::Service(position));
        Ok(())
    }

    /// The SID of the conversation with this SID or unique name, in this service.
    pub(crate) fn conversation_in(&self, service: ServiceSid, name: &str) -> Option<String> {
        let by_sid = name.parse().ok().and_then(|sid| self.by_sid.get(&sid));
        let position = by_sid.or_else(|| self.by_unique_name.get(&(service, name.to_owned())))?;
        let record = &self.conversations.get(position)?.record;
        (record.service_sid == service).then(|| record.sid.to_string())
    }

    /// The SID of the user with this SID or identity, in this service.
    pub(crate) fn user_in(&self, service: ServiceSid, name: &str) -> Option<String> {
        let by_sid = name.parse().ok().and_then(|sid| self.user_sids.get(&sid));
        let position = by_sid.or_else(|| self.by_identity.get(&(service, name.to_owned())))?;
        let user = self.users.get(position)?;
        (user.service_sid == service).then(|| user.sid.to_string())
    }
}

const OWN_NAME: &str = "Default Conversations Service";
