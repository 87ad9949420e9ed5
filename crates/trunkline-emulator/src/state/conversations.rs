//! Conversations: create, change, delete, list; and what closing one means.

use jiff::{SignedDuration, Timestamp};
use trunkline_proto::sid::{AnySid, ConversationSid, MessagingServiceSid, ServiceSid};

use super::events::{EventType, Origin};
use super::limits;
use super::paging::{Cursor, Order, Slice, slice};
use super::records::{Conversation, ConversationRecord, ConversationState, EmailBinding, Timers};
use super::sync::ConversationLog;
use super::{Key, State};
use crate::error::{self, ApiError};
use crate::journal::Happening;
use crate::webhooks::params::Builder;

/// What a caller says of a conversation. `None` is not said; an empty name takes the name away.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConversationFields {
    /// Where it is made; the default service if unset. A conversation stays in its service.
    pub(crate) service_sid: Option<ServiceSid>,
    pub(crate) friendly_name: Option<String>,
    pub(crate) unique_name: Option<String>,
    pub(crate) attributes: Option<String>,
    pub(crate) messaging_service_sid: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) inactive_timer: Option<String>,
    pub(crate) closed_timer: Option<String>,
    pub(crate) email_address: Option<String>,
    pub(crate) email_name: Option<String>,
    pub(crate) date_created: Option<Timestamp>,
    pub(crate) date_updated: Option<Timestamp>,
}

impl ConversationFields {
    /// The checks that need no other record.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        if let Some(name) = &self.friendly_name {
            limits::check_name(name, error::FRIENDLY_NAME_TOO_LONG)?;
        }
        if let Some(name) = &self.unique_name {
            limits::check_name(name, error::UNIQUE_NAME_TOO_LONG)?;
            if name.parse::<AnySid>().is_ok() {
                return Err(error::UNIQUE_NAME_IS_A_SID);
            }
        }
        if let Some(attributes) = &self.attributes {
            limits::check_attributes(attributes, limits::MAX_CONVERSATION_ATTRIBUTES)?;
        }
        if let Some(sid) = &self.messaging_service_sid {
            sid.parse::<MessagingServiceSid>().map_err(|_| error::MESSAGING_SERVICE_SID)?;
        }
        for (text, name) in [(&self.email_address, "Bindings.Email.Address"), (&self.email_name, "Bindings.Email.Name")]
        {
            if let Some(text) = text {
                limits::check_name(text, ApiError::parameter(name))?;
            }
        }
        self.inactive_timer.as_deref().map_or(Ok(None), limits::inactive_seconds)?;
        self.closed_timer.as_deref().map_or(Ok(None), limits::closed_seconds)?;
        if let Some(state) = &self.state {
            ConversationState::parse(state).ok_or(error::STATE)?;
        }
        Ok(())
    }

    /// Writes what was said over a record. The fields have been checked.
    pub(crate) fn apply(&self, record: &mut ConversationRecord) {
        let named = |name: &String| (!name.is_empty()).then(|| name.clone());
        if let Some(name) = &self.friendly_name {
            record.friendly_name = named(name);
        }
        if let Some(name) = &self.unique_name {
            record.unique_name = named(name);
        }
        if let Some(attributes) = &self.attributes {
            record.attributes.clone_from(attributes);
        }
        if let Some(sid) = &self.messaging_service_sid {
            record.messaging_service_sid = Some(sid.clone());
        }
        if let Some(state) = self.state.as_deref().and_then(ConversationState::parse) {
            record.state = state;
        }
        if let Some(timer) = &self.inactive_timer {
            record.timers.inactive_seconds = limits::inactive_seconds(timer).unwrap_or_default();
        }
        if let Some(timer) = &self.closed_timer {
            record.timers.closed_seconds = limits::closed_seconds(timer).unwrap_or_default();
        }
        if let Some(address) = &self.email_address {
            record.email.address = named(address);
        }
        if let Some(name) = &self.email_name {
            record.email.name = named(name);
        }
        if let Some(date) = self.date_created {
            record.date_created = date;
        }
        if let Some(date) = self.date_updated {
            record.date_updated = date;
        }
    }
}

/// Which conversations a list shows: by state and by when they were created.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConversationFilter {
    pub(crate) state: Option<ConversationState>,
    /// Created at or after this time.
    pub(crate) from: Option<Timestamp>,
    /// Created before this time.
    pub(crate) until: Option<Timestamp>,
}

impl ConversationFilter {
    fn shows(&self, record: &ConversationRecord) -> bool {
        self.state.is_none_or(|state| state == record.state)
            && self.from.is_none_or(|from| record.date_created >= from)
            && self.until.is_none_or(|until| record.date_created < until)
    }
}

impl ConversationRecord {
    /// When the timers run out, counted from the last change: (inactive, closed).
    pub(crate) fn timer_dates(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        let after = |seconds: Option<u32>| {
            let seconds = SignedDuration::from_secs(i64::from(seconds?));
            self.timers_from.unwrap_or(self.date_updated).checked_add(seconds).ok()
        };
        match self.state {
            ConversationState::Active => (after(self.timers.inactive_seconds), after(self.timers.closed_seconds)),
            ConversationState::Inactive => (None, after(self.timers.closed_seconds)),
            ConversationState::Closed => (None, None),
        }
    }
}

impl State {
    /// The newest conversations first.
    pub(crate) fn list_conversations(
        &self,
        service: ServiceSid,
        filter: &ConversationFilter,
        size: usize,
        cursor: Option<Cursor>,
    ) -> Slice<ConversationRecord> {
        slice(&self.conversations, Order::Descending, size, cursor, |conversation| {
            let record = &conversation.record;
            (record.service_sid == service && filter.shows(record)).then(|| conversation.record.clone())
        })
    }

    /// A record as it would be created, with a SID that nobody has seen.
    pub(super) fn draft_conversation(&self, fields: &ConversationFields) -> ConversationRecord {
        let now = self.now();
        let config = &self.configuration;
        let seconds = |text: &Option<String>, parse: fn(&str) -> Result<Option<u32>, ApiError>| {
            text.as_deref().and_then(|text| parse(text).ok().flatten())
        };
        let mut record = ConversationRecord {
            sid: ConversationSid::from_random([0; 16]),
            service_sid: fields.service_sid.unwrap_or_else(|| self.default_service()),
            position: 0,
            friendly_name: None,
            unique_name: None,
            attributes: "{}".to_owned(),
            messaging_service_sid: config.default_messaging_service_sid.clone(),
            state: ConversationState::Active,
            timers: Timers {
                inactive_seconds: seconds(&config.default_inactive_timer, limits::inactive_seconds),
                closed_seconds: seconds(&config.default_closed_timer, limits::closed_seconds),
            },
            timers_from: None,
            email: EmailBinding::default(),
            created_by: None,
            log: ConversationLog::default(),
            next_index: 0,
            next_position: 0,
            date_created: now,
            date_updated: now,
        };
        fields.apply(&mut record);
        record
    }

    pub(super) fn create_conversation(
        &mut self,
        fields: &ConversationFields,
        origin: Origin,
    ) -> Result<ConversationRecord, ApiError> {
        let position = self.insert_conversation(fields)?;
        if let Some(identity) = self.client_identity(origin) {
            self.at_mut(position)?.record.created_by = Some(identity);
        }
        self.emit(EventType::ConversationAdded, position, origin, None, |account, conversation| {
            let mut params = Builder::new(account, EventType::ConversationAdded, origin);
            params.conversation(&conversation.record);
            params.finish()
        });
        Ok(self.at(position)?.record.clone())
    }

    /// Creates a conversation without telling anybody.
    pub(super) fn insert_conversation(&mut self, fields: &ConversationFields) -> Result<u64, ApiError> {
        fields.check()?;
        if self.conversations.len() >= limits::MAX_CONVERSATIONS {
            return Err(error::FULL);
        }
        let mut record = self.draft_conversation(fields);
        if record.state == ConversationState::Closed {
            return Err(error::CANNOT_START_CLOSED);
        }
        if self.is_taken(&record) {
            return Err(error::UNIQUE_NAME_TAKEN);
        }
        record.sid = self.random_sid(ConversationSid::from_random);
        let position = self.position();
        record.position = position;
        record.log = ConversationLog::starting_at(self.event());
        self.note(Happening::ConversationCreated, Some(record.sid));
        self.index_conversation(&record);
        self.conversations.insert(position, Conversation::new(record));
        self.plan_conversation(position);
        self.effects.dirty.insert(Key::Conversation(position));
        Ok(position)
    }

    pub(super) fn index_conversation(&mut self, record: &ConversationRecord) {
        self.by_sid.insert(record.sid, record.position);
        if let Some(name) = &record.unique_name {
            self.by_unique_name.insert((record.service_sid, name.clone()), record.position);
        }
    }

    /// Whether another conversation of the service has the unique name.
    fn is_taken(&self, record: &ConversationRecord) -> bool {
        let name = record.unique_name.clone();
        name.is_some_and(|name| self.by_unique_name.contains_key(&(record.service_sid, name)))
    }

    pub(super) fn update_conversation(
        &mut self,
        conversation: &str,
        fields: &ConversationFields,
        origin: Origin,
    ) -> Result<ConversationRecord, ApiError> {
        fields.check()?;
        let position = self.find(conversation)?;
        let old = self.open(position)?.record.clone();
        let mut new = old.clone();
        new.date_updated = self.now();
        new.timers_from = None;
        fields.apply(&mut new);
        if new.unique_name != old.unique_name && self.is_taken(&new) {
            return Err(error::UNIQUE_NAME_TAKEN);
        }
        if let Some(name) = old.unique_name {
            self.by_unique_name.remove(&(old.service_sid, name));
        }
        self.index_conversation(&new);
        self.at_mut(position)?.record = new.clone();
        self.plan_conversation(position);
        self.document_changed(position);
        if new.state == ConversationState::Closed {
            self.unbind_all(position);
        }
        self.emit(EventType::ConversationUpdated, position, origin, None, |account, conversation| {
            let mut params = Builder::new(account, EventType::ConversationUpdated, origin);
            params.conversation(&conversation.record);
            params.finish()
        });
        if new.state != old.state {
            self.tell_state(position, old.state, origin, "API");
        }
        Ok(new)
    }

    /// Sends `onConversationStateUpdated`.
    pub(super) fn tell_state(&mut self, position: u64, from: ConversationState, origin: Origin, reason: &str) {
        self.emit(EventType::ConversationStateUpdated, position, origin, None, |account, conversation| {
            let mut params = Builder::new(account, EventType::ConversationStateUpdated, origin);
            params.state_change(&conversation.record, from, reason);
            params.finish()
        });
    }

    pub(super) fn delete_conversation(&mut self, conversation: &str, origin: Origin) -> Result<(), ApiError> {
        let position = self.find(conversation)?;
        let removed = self.now();
        self.emit(EventType::ConversationRemoved, position, origin, None, |account, conversation| {
            let mut params = Builder::new(account, EventType::ConversationRemoved, origin);
            params.conversation(&conversation.record);
            params.date("DateRemoved", removed);
            params.finish()
        });
        self.unbind_all(position);
        self.conversation_goes(position);
        let Some(conversation) = self.conversations.remove(&position) else { return Ok(()) };
        self.plan_conversation(position);
        self.by_sid.remove(&conversation.record.sid);
        if let Some(name) = conversation.record.unique_name {
            self.by_unique_name.remove(&(conversation.record.service_sid, name));
        }
        self.messages = self.messages.saturating_sub(conversation.messages.len());
        let dirty = &mut self.effects.dirty;
        dirty.extend([Key::Conversation(position), Key::Removed(position)]);
        dirty.extend(conversation.participants.keys().map(|key| Key::Participant(position, *key)));
        dirty.extend(conversation.messages.keys().map(|key| Key::Message(position, *key)));
        dirty.extend(conversation.webhooks.keys().map(|key| Key::Webhook(position, *key)));
        Ok(())
    }

    /// Frees the address pairs of a conversation that is closed or deleted.
    pub(super) fn unbind_all(&mut self, position: u64) {
        let Some(conversation) = self.conversations.get(&position) else { return };
        for binding in conversation.participants.values().filter_map(|participant| participant.binding.as_ref()) {
            let pair = binding.pair();
            if self.bindings.get(&pair) == Some(&position) {
                self.bindings.remove(&pair);
            }
        }
    }
}
