//! Participants: who is in a conversation, as a chat identity or by a pair of addresses.

use jiff::Timestamp;
use trunkline_proto::sid::{ParticipantSid, RoleSid, ServiceSid};

use super::address::Address;
use super::events::{EventType, Origin, PreEvent};
use super::limits;
use super::paging::{Cursor, Order, Slice, slice};
use super::records::{Binding, Conversation, ConversationState, Participant};
use super::roles::Scope;
use super::sync::Log;
use super::{Key, State};
use crate::clock::iso;
use crate::error::{self, ApiError};
use crate::webhooks::params::{Builder, DraftParticipant};

/// What a caller says of a participant. `None` is not said.
#[derive(Debug, Clone, Default)]
pub(crate) struct ParticipantFields {
    pub(crate) identity: Option<String>,
    pub(crate) address: Option<String>,
    /// A text `null` takes it away from a participant that is there.
    pub(crate) proxy_address: Option<String>,
    /// Likewise.
    pub(crate) projected_address: Option<String>,
    pub(crate) attributes: Option<String>,
    pub(crate) role_sid: Option<String>,
    pub(crate) read_horizon: Option<ReadHorizon>,
    pub(crate) last_read_timestamp: Option<String>,
    pub(crate) muted: Option<bool>,
    pub(crate) date_created: Option<Timestamp>,
    pub(crate) date_updated: Option<Timestamp>,
}

/// Up to which message somebody has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadHorizon {
    At(u64),
    /// Nothing is said to be read.
    Unset,
}

impl ParticipantFields {
    fn check(&self) -> Result<(), ApiError> {
        if let Some(identity) = &self.identity {
            limits::check_name(identity, ApiError::parameter("Identity"))?;
        }
        if let Some(attributes) = &self.attributes {
            limits::check_attributes(attributes, limits::MAX_ATTRIBUTES)?;
        }
        Ok(())
    }

    fn attributes(&self) -> &str {
        self.attributes.as_deref().unwrap_or("{}")
    }
}

impl State {
    pub(crate) fn list_participants(
        &self,
        conversation: &str,
        size: usize,
        cursor: Option<Cursor>,
    ) -> Result<Slice<Participant>, ApiError> {
        let conversation = self.conversation(conversation)?;
        Ok(slice(&conversation.participants, Order::Ascending, size, cursor, |participant| Some(participant.clone())))
    }

    /// The participant with this SID or identity.
    pub(crate) fn participant(&self, conversation: &str, participant: &str) -> Result<&Participant, ApiError> {
        let found = find(self.conversation(conversation)?, participant);
        found.ok_or_else(|| not_found(conversation, participant))
    }

    pub(super) fn pre_add_participant(
        &self,
        conversation: &str,
        fields: &ParticipantFields,
        origin: Origin,
    ) -> Result<Option<PreEvent>, ApiError> {
        let position = self.find(conversation)?;
        let binding = self.check_new_participant(position, fields)?;
        let record = &self.at(position)?.record;
        let role = self.new_role(position, fields)?;
        Ok(self.pre(EventType::ParticipantAdd, record.service_sid, || {
            let mut params = self.params(EventType::ParticipantAdd, origin);
            params.new_participant(
                record.sid.as_str(),
                &DraftParticipant {
                    identity: fields.identity.as_deref(),
                    role_sid: role.as_str(),
                    attributes: fields.attributes(),
                    binding: binding.as_ref(),
                },
            );
            params.finish()
        }))
    }

    pub(super) fn pre_participant(
        &self,
        kind: EventType,
        conversation: &str,
        participant: &str,
        origin: Origin,
    ) -> Result<Option<PreEvent>, ApiError> {
        let participant = self.participant(conversation, participant)?;
        let service = self.conversation(conversation)?.record.service_sid;
        Ok(self.pre(kind, service, || {
            let mut params = self.params(kind, origin);
            params.participant(participant);
            params.date("DateUpdated", participant.date_updated);
            params.finish()
        }))
    }

    pub(super) fn add_participant(
        &mut self,
        conversation: &str,
        fields: &ParticipantFields,
        origin: Origin,
    ) -> Result<Participant, ApiError> {
        let position = self.find(conversation)?;
        let binding = self.check_new_participant(position, fields)?;
        let participant = self.insert_participant(position, fields, binding, origin)?;
        self.emit(EventType::ParticipantAdded, position, origin, None, |account, _| {
            let mut params = Builder::new(account, EventType::ParticipantAdded, origin);
            params.participant(&participant);
            params.finish()
        });
        Ok(participant)
    }

    fn check_new_participant(&self, position: u64, fields: &ParticipantFields) -> Result<Option<Binding>, ApiError> {
        fields.check()?;
        let conversation = self.open(position)?;
        if conversation.participants.len() >= limits::MAX_PARTICIPANTS {
            return Err(error::TOO_MANY_PARTICIPANTS);
        }
        let identity = fields.identity.as_deref().filter(|identity| !identity.is_empty());
        match (identity, fields.address.as_deref(), fields.proxy_address.as_deref()) {
            (Some(_), Some(_), _) => Err(error::IDENTITY_OR_ADDRESS),
            (Some(_), None, Some(_)) | (None, None, _) => Err(error::ADDRESS_MISSING),
            (Some(identity), None, None) => {
                let is_in = conversation.participants.values().any(|one| one.identity.as_deref() == Some(identity));
                if is_in {
                    return Err(error::PARTICIPANT_EXISTS);
                }
                self.check_projected(fields.projected_address.as_deref())?;
                self.check_memberships(conversation.record.service_sid, identity)?;
                Ok(None)
            }
            (None, Some(_), None) => Err(error::PROXY_MISSING),
            (None, Some(address), Some(proxy)) => {
                let binding = self.check_pair(address, proxy)?;
                let on_channels = conversation.participants.values().filter(|one| one.binding.is_some()).count();
                if on_channels >= limits::MAX_CHANNEL_PARTICIPANTS {
                    return Err(error::TOO_MANY_CHANNEL_PARTICIPANTS);
                }
                Ok(Some(binding))
            }
        }
    }

    /// A number that stands for somebody must be the account's.
    fn check_projected(&self, projected: Option<&str>) -> Result<(), ApiError> {
        let Some(text) = projected else { return Ok(()) };
        let address: Address = text.parse().map_err(|_| error::PROXY_ADDRESS)?;
        if self.owns(&address) { Ok(()) } else { Err(error::PROXY_NOT_YOURS) }
    }

    /// An identity is in so many conversations that are not closed.
    fn check_memberships(&self, service: ServiceSid, identity: &str) -> Result<(), ApiError> {
        let Some(user) = self.identified(service, identity) else { return Ok(()) };
        let Some(positions) = self.memberships.get(&user) else { return Ok(()) };
        if positions.len() < limits::MAX_CONVERSATIONS_PER_IDENTITY {
            return Ok(());
        }
        let open = positions.iter().filter_map(|position| self.conversations.get(position));
        let open = open.filter(|one| one.record.state != ConversationState::Closed).count();
        if open < limits::MAX_CONVERSATIONS_PER_IDENTITY { Ok(()) } else { Err(error::TOO_MANY_CONVERSATIONS) }
    }

    /// The role that a caller names for a participant.
    fn said_role(&self, position: u64, fields: &ParticipantFields) -> Result<Option<RoleSid>, ApiError> {
        let service = self.at(position)?.record.service_sid;
        fields.role_sid.as_deref().map(|role| self.role_for(service, Scope::Conversation, role)).transpose()
    }

    /// The role of a new participant: what was said, else the service's for whoever made the conversation, or for
    /// everybody.
    fn new_role(&self, position: u64, fields: &ParticipantFields) -> Result<RoleSid, ApiError> {
        if let Some(role) = self.said_role(position, fields)? {
            return Ok(role);
        }
        let record = &self.at(position)?.record;
        let service = self.service(record.service_sid)?;
        let made_it = fields.identity.is_some() && record.created_by == fields.identity;
        Ok(if made_it { service.creator_role } else { service.participant_role })
    }

    /// A pair of addresses that can be bound now.
    fn check_pair(&self, address: &str, proxy: &str) -> Result<Binding, ApiError> {
        let address: Address = address.parse().map_err(|_| error::ADDRESS)?;
        let proxy: Address = proxy.parse().map_err(|_| error::PROXY_ADDRESS)?;
        if !address.same_channel(&proxy) {
            return Err(error::ADDRESS_TYPES);
        }
        if !self.owns(&proxy) {
            return Err(match proxy {
                Address::Sms(_) => error::PROXY_NOT_YOURS,
                Address::WhatsApp(_) => error::NOT_A_WHATSAPP_SENDER,
            });
        }
        if self.bindings.contains_key(&(address.to_string(), proxy.to_string())) {
            return Err(error::BINDING_TAKEN);
        }
        Ok(Binding {
            channel: address.channel().to_owned(),
            address: address.to_string(),
            proxy_address: proxy.to_string(),
        })
    }

    /// Adds a participant without telling webhooks of it. The fields have been checked.
    pub(super) fn insert_participant(
        &mut self,
        position: u64,
        fields: &ParticipantFields,
        binding: Option<Binding>,
        origin: Origin,
    ) -> Result<Participant, ApiError> {
        let now = self.now();
        let sid = self.random_sid(ParticipantSid::from_random);
        let role_sid = self.new_role(position, fields)?;
        if let Some(binding) = &binding {
            self.bindings.insert(binding.pair(), position);
        }
        let conversation = self.at_mut(position)?;
        let place = conversation.record.next_position;
        conversation.record.next_position = place.saturating_add(1);
        let participant = Participant {
            sid,
            conversation_sid: conversation.record.sid,
            position: place,
            identity: fields.identity.clone().filter(|_| binding.is_none()),
            projected_address: fields.projected_address.clone(),
            binding,
            role_sid,
            attributes: fields.attributes().to_owned(),
            last_read_message_index: None,
            last_read_timestamp: None,
            muted: false,
            log: Log::default(),
            own_log: Log::default(),
            date_created: fields.date_created.unwrap_or(now),
            date_updated: fields.date_updated.unwrap_or(now),
        };
        conversation.participants.insert(place, participant.clone());
        self.effects.dirty.extend([Key::Conversation(position), Key::Participant(position, place)]);
        self.participant_joined(position, place, origin);
        Ok(participant)
    }

    pub(super) fn update_participant(
        &mut self,
        conversation: &str,
        participant: &str,
        fields: &ParticipantFields,
        origin: Origin,
    ) -> Result<Participant, ApiError> {
        fields.check()?;
        let position = self.find(conversation)?;
        self.open(position)?;
        let old = self.participant(conversation, participant)?.clone();
        let mut new = old.clone();
        new.date_updated = fields.date_updated.unwrap_or_else(|| self.now());
        if let Some(date) = fields.date_created {
            new.date_created = date;
        }
        if let Some(attributes) = &fields.attributes {
            new.attributes.clone_from(attributes);
        }
        if let Some(role) = self.said_role(position, fields)? {
            new.role_sid = role;
        }
        if let Some(horizon) = fields.read_horizon {
            let index = match horizon {
                ReadHorizon::At(index) => Some(index),
                ReadHorizon::Unset => None,
            };
            new.last_read_message_index = index;
            new.last_read_timestamp = index.map(|_| iso(self.now()));
        }
        if let Some(muted) = fields.muted {
            new.muted = muted;
        }
        if fields.last_read_timestamp.is_some() {
            new.last_read_timestamp.clone_from(&fields.last_read_timestamp);
        }
        if let Some(projected) = &fields.projected_address {
            let said = Some(projected.clone()).filter(|text| text != NULL);
            self.check_projected(said.as_deref())?;
            new.projected_address = said;
        }
        if let Some(identity) = &fields.identity {
            self.check_renamed(position, &old, identity)?;
        }
        if let (Some(proxy), Some(binding)) = (&fields.proxy_address, &old.binding) {
            new.binding = Some(self.rebind(position, binding, proxy)?);
        }
        self.at_mut(position)?.participants.insert(new.position, new.clone());
        self.participant_changed(position, &old, &new);
        self.emit(EventType::ParticipantUpdated, position, origin, None, |account, _| {
            let mut params = Builder::new(account, EventType::ParticipantUpdated, origin);
            params.participant(&new);
            params.date("DateUpdated", new.date_updated);
            params.some("LastReadMessageIndex", new.last_read_message_index.map(|index| index.to_string()).as_deref());
            params.finish()
        });
        Ok(new)
    }

    /// A participant with an identity keeps it: a new one would be somebody else.
    fn check_renamed(&self, position: u64, old: &Participant, identity: &str) -> Result<(), ApiError> {
        if old.identity.as_deref() == Some(identity) {
            return Ok(());
        }
        let mut others = self.at(position)?.participants.values();
        if others.any(|one| one.identity.as_deref() == Some(identity)) {
            return Err(error::PARTICIPANT_EXISTS);
        }
        Err(if old.binding.is_some() { error::NO_IDENTITY_ON_CHANNELS } else { ApiError::parameter("Identity") })
    }

    /// The binding with another proxy address, or with none.
    fn rebind(&mut self, position: u64, binding: &Binding, proxy: &str) -> Result<Binding, ApiError> {
        if proxy == binding.proxy_address {
            return Ok(binding.clone());
        }
        let rebound = if proxy == NULL {
            Binding { proxy_address: String::new(), ..binding.clone() }
        } else {
            self.check_pair(&binding.address, proxy)?
        };
        self.bindings.remove(&binding.pair());
        if rebound.is_whole() {
            self.bindings.insert(rebound.pair(), position);
        }
        Ok(rebound)
    }

    pub(super) fn remove_participant(
        &mut self,
        conversation: &str,
        participant: &str,
        origin: Origin,
    ) -> Result<(), ApiError> {
        let position = self.find(conversation)?;
        let gone = self.participant(conversation, participant)?.clone();
        if let Some(binding) = &gone.binding {
            let pair = binding.pair();
            if self.bindings.get(&pair) == Some(&position) {
                self.bindings.remove(&pair);
            }
        }
        self.at_mut(position)?.participants.remove(&gone.position);
        self.effects.dirty.insert(Key::Participant(position, gone.position));
        self.participant_left(position, &gone);
        let removed = self.now();
        self.emit(EventType::ParticipantRemoved, position, origin, None, |account, _| {
            let mut params = Builder::new(account, EventType::ParticipantRemoved, origin);
            params.participant(&gone);
            params.date("DateUpdated", gone.date_updated);
            params.date("DateRemoved", removed);
            params.finish()
        });
        Ok(())
    }
}

fn find<'a>(conversation: &'a Conversation, participant: &str) -> Option<&'a Participant> {
    conversation
        .participants
        .values()
        .find(|one| one.sid.as_str() == participant || one.identity.as_deref() == Some(participant))
}

/// What takes an address away.
const NULL: &str = "null";

fn not_found(conversation: &str, participant: &str) -> ApiError {
    ApiError::not_found(&format!("/Conversations/{conversation}/Participants/{participant}"))
}
