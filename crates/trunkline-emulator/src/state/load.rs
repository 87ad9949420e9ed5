//! To and from the store: which text a record has, and the state that a store's records make.

use std::collections::BTreeMap;

use bytes::Bytes;
use rand::rngs::StdRng;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use trunkline_proto::sid::ServiceSid;

use super::calls::records::{AnsweringRecord, CallRecord, NumberRecord, RecordingRecord};
use super::content::ContentTemplate;
use super::credentials::{Credential, PushBinding};
use super::messaging::ChannelMessage;
use super::receiving::{ReceivingRecord, Rules};
use super::records::{
    AddressConfiguration, Configuration, Conversation, ConversationRecord, ConversationState, MediaRecord, Message,
    Participant, PhoneEntry, ScopedWebhook, User,
};
use super::roles::Role;
use super::services::{self, Service};
use super::sync::Removed;
use super::{Delivery, Key, State};
use crate::account::Account;
use crate::clock::Clock;

/// A record that does not say what its kind should.
#[derive(Debug, thiserror::Error)]
#[error("a stored {kind} cannot be read")]
pub(crate) struct BadRecord {
    pub(crate) kind: &'static str,
    #[source]
    source: serde_json::Error,
}

/// Everything a store holds: records as text by kind, and the bytes of files.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub(crate) records: BTreeMap<String, Vec<String>>,
    pub(crate) media: Vec<(String, Bytes)>,
}

impl Stored {
    /// The stored account, if there is one.
    pub(crate) fn account(&self) -> Result<Option<Account>, BadRecord> {
        Ok(self.read::<Account>(ACCOUNT)?.into_iter().next())
    }

    fn read<T: DeserializeOwned>(&self, kind: &'static str) -> Result<Vec<T>, BadRecord> {
        let texts = self.records.get(kind).map(Vec::as_slice).unwrap_or_default();
        texts.iter().map(|text| serde_json::from_str(text).map_err(|source| BadRecord { kind, source })).collect()
    }
}

impl Key {
    /// The record's kind and its id within the kind.
    pub(crate) fn name(&self) -> (&'static str, String) {
        match self {
            Self::Account => (ACCOUNT, String::new()),
            Self::Configuration => (CONFIGURATION, String::new()),
            Self::Address(position) => (ADDRESS, position.to_string()),
            Self::Conversation(position) => (CONVERSATION, position.to_string()),
            Self::Participant(position, place) => (PARTICIPANT, format!("{position}/{place}")),
            Self::Message(position, index) => (MESSAGE, format!("{position}/{index}")),
            Self::Webhook(position, place) => (WEBHOOK, format!("{position}/{place}")),
            Self::Line(_, position) => (LINE, position.to_string()),
            Self::Media(sid) => (MEDIA, sid.to_string()),
            Self::User(position) => (USER, position.to_string()),
            Self::Service(position) => (SERVICE, position.to_string()),
            Self::Role(position) => (ROLE, position.to_string()),
            Self::Credential(position) => (CREDENTIAL, position.to_string()),
            Self::PushBinding(position) => (PUSH_BINDING, position.to_string()),
            Self::Content(position) => (CONTENT, position.to_string()),
            Self::ChannelMessage(position) => (CHANNEL_MESSAGE, position.to_string()),
            Self::OptOut((person, own)) => (OPT_OUT, format!("{person} {own}")),
            Self::Receiving(phone) => (RECEIVING, phone.clone()),
            Self::Rules => (RULES, String::new()),
            Self::Removed(position) => (REMOVED, position.to_string()),
            Self::Events => (EVENTS, String::new()),
            Self::Call(position) => (CALL, position.to_string()),
            Self::Recording(position) => (RECORDING, position.to_string()),
            Self::Number(position) => (NUMBER, position.to_string()),
            Self::Answering(number) => (ANSWERING, number.clone()),
        }
    }
}

impl State {
    /// The state that `stored` holds. Messages that were on their way are to be delivered again.
    pub(crate) fn load(
        account: Account,
        clock: Clock,
        random: StdRng,
        stored: &Stored,
    ) -> Result<(Self, Vec<Delivery>), BadRecord> {
        let mut state = Self::bare(account, clock, random);
        state.effects.dirty.insert(Key::Account);
        let stored_event = stored.read::<u64>(EVENTS)?.into_iter().next();
        state.last_event = stored_event.unwrap_or_else(|| state.first_event());
        let configuration = stored.read::<Configuration>(CONFIGURATION)?.into_iter().next();
        let is_unconfigured = configuration.is_none();
        state.configuration = configuration.unwrap_or_default();
        let own = Own::of(&state.account, stored)?;
        state.load_services(stored, own)?;
        for mut user in stored.read::<User>(USER)? {
            state.seen(user.position);
            user.service_sid = own.adopt(user.service_sid);
            state.index_user(user);
        }
        state.load_conversations(stored, own)?;
        for configuration in stored.read::<AddressConfiguration>(ADDRESS)? {
            state.seen(configuration.position);
            state.addresses.insert(configuration.position, configuration);
        }
        for line in stored.read::<PhoneEntry>(LINE)? {
            state.seen(line.position);
            state.phones.entry(line.phone).or_default().insert(line.position, line.message);
        }
        let mut contents: BTreeMap<String, Bytes> = stored.media.iter().cloned().collect();
        for record in stored.read::<MediaRecord>(MEDIA)? {
            let content = contents.remove(record.sid.as_str()).unwrap_or_default();
            state.media_bytes = state.media_bytes.saturating_add(content.len());
            state.media.insert(record.sid, (record, content));
        }
        state.load_calls(stored)?;
        state.load_messaging(stored, own)?;
        state.found_own_service();
        if is_unconfigured {
            state.restore_defaults();
        }
        // Participants of a file that knew no users yet.
        state.ensure_members();
        state.plan_everything();
        let deliveries = state.undelivered();
        Ok((state, deliveries))
    }

    fn load_calls(&mut self, stored: &Stored) -> Result<(), BadRecord> {
        for call in stored.read::<CallRecord>(CALL)? {
            self.seen(call.position);
            self.index_call(call);
        }
        for recording in stored.read::<RecordingRecord>(RECORDING)? {
            self.seen(recording.position);
            self.index_recording(recording);
        }
        for number in stored.read::<NumberRecord>(NUMBER)? {
            self.seen(number.position);
            self.calls.numbers.insert(number.position, number);
        }
        for rule in stored.read::<AnsweringRecord>(ANSWERING)? {
            self.calls.answering.insert(rule.number.clone(), rule);
        }
        self.add_own_number();
        self.end_lost_calls();
        Ok(())
    }

    fn load_messaging(&mut self, stored: &Stored, own: Own) -> Result<(), BadRecord> {
        for message in stored.read::<ChannelMessage>(CHANNEL_MESSAGE)? {
            self.seen(message.position);
            self.index_channel_message(message);
        }
        self.messaging.opted_out.extend(stored.read::<(String, String)>(OPT_OUT)?);
        for ReceivingRecord { phone, receiving } in stored.read(RECEIVING)? {
            self.receiving.insert(phone, receiving);
        }
        for template in stored.read::<ContentTemplate>(CONTENT)? {
            self.seen(template.position);
            self.contents.insert(template.position, template);
        }
        for credential in stored.read::<Credential>(CREDENTIAL)? {
            self.seen(credential.position);
            self.credentials.insert(credential.position, credential);
        }
        for mut binding in stored.read::<PushBinding>(PUSH_BINDING)? {
            self.seen(binding.position);
            binding.service_sid = own.adopt(binding.service_sid);
            self.push_bindings.insert(binding.position, binding);
        }
        self.rules = stored.read::<Rules>(RULES)?.into_iter().next().unwrap_or_default();
        Ok(())
    }

    fn load_services(&mut self, stored: &Stored, own: Own) -> Result<(), BadRecord> {
        for mut service in stored.read::<Service>(SERVICE)? {
            self.seen(service.position);
            service.sid = own.adopt(service.sid);
            self.service_positions.insert(service.sid, service.position);
            self.services.insert(service.position, service);
        }
        for mut role in stored.read::<Role>(ROLE)? {
            self.seen(role.position);
            role.service_sid = own.adopt(role.service_sid);
            self.roles.insert(role.position, role);
        }
        Ok(())
    }

    /// Makes the record of the account's own service for a file that has none; its users get the role of users, which
    /// there was none of then. All positions that are taken must have been seen.
    fn found_own_service(&mut self) {
        let own = self.account.chat_service_sid;
        if self.service_positions.contains_key(&own) {
            return;
        }
        let Configuration { service_webhooks, reachability_enabled, .. } = self.configuration.clone();
        self.add_own_service(service_webhooks, reachability_enabled);
        let Ok(role) = self.service(own).map(|service| service.user_role) else { return };
        let former = self.account.participant_role;
        for user in self.users.values_mut().filter(|user| user.role_sid == former) {
            user.role_sid = role;
            self.effects.dirty.insert(Key::User(user.position));
        }
    }

    fn load_conversations(&mut self, stored: &Stored, own: Own) -> Result<(), BadRecord> {
        for mut record in stored.read::<ConversationRecord>(CONVERSATION)? {
            self.seen(record.position);
            record.service_sid = own.adopt(record.service_sid);
            self.index_conversation(&record);
            self.conversations.insert(record.position, Conversation::new(record));
        }
        for participant in stored.read::<Participant>(PARTICIPANT)? {
            let Some(position) = self.by_sid.get(&participant.conversation_sid).copied() else { continue };
            let Some(conversation) = self.conversations.get_mut(&position) else { continue };
            if let Some(binding) = participant.binding.as_ref().filter(|binding| binding.is_whole())
                && conversation.record.state != ConversationState::Closed
            {
                self.bindings.insert(binding.pair(), position);
            }
            conversation.participants.insert(participant.position, participant);
        }
        for message in stored.read::<Message>(MESSAGE)? {
            let Some(position) = self.by_sid.get(&message.conversation_sid) else { continue };
            let Some(conversation) = self.conversations.get_mut(position) else { continue };
            conversation.message_indexes.insert(message.sid, message.index);
            conversation.messages.insert(message.index, message);
            self.messages = self.messages.saturating_add(1);
        }
        for webhook in stored.read::<ScopedWebhook>(WEBHOOK)? {
            let Some(position) = self.by_sid.get(&webhook.conversation_sid) else { continue };
            let Some(conversation) = self.conversations.get_mut(position) else { continue };
            conversation.webhooks.insert(webhook.position, webhook);
        }
        for StoredRemoved { position, removed } in stored.read(REMOVED)? {
            if let Some(conversation) = self.conversations.get_mut(&position) {
                conversation.removed = removed;
            }
        }
        Ok(())
    }

    fn seen(&mut self, position: u64) {
        self.next_position = self.next_position.max(position.saturating_add(1));
    }

    /// The text of a record, or nothing if it is gone.
    pub(crate) fn record_text(&self, key: &Key) -> Option<Result<String, serde_json::Error>> {
        match key {
            Key::Account => Some(text(&self.account)),
            Key::Configuration => Some(text(&self.configuration)),
            Key::Address(position) => self.addresses.get(position).map(text),
            Key::Conversation(position) => self.conversations.get(position).map(|one| text(&one.record)),
            Key::Participant(position, place) => self.conversations.get(position)?.participants.get(place).map(text),
            Key::Message(position, index) => self.conversations.get(position)?.messages.get(index).map(text),
            Key::Webhook(position, place) => self.conversations.get(position)?.webhooks.get(place).map(text),
            Key::Line(phone, position) => {
                let message = self.phones.get(phone)?.get(position)?.clone();
                Some(text(&PhoneEntry { phone: phone.clone(), position: *position, message }))
            }
            Key::Media(sid) => self.media_record(*sid).map(text),
            Key::User(position) => self.users.get(position).map(text),
            Key::Service(position) => self.services.get(position).map(text),
            Key::Role(position) => self.roles.get(position).map(text),
            Key::Credential(position) => self.credentials.get(position).map(text),
            Key::PushBinding(position) => self.push_bindings.get(position).map(text),
            Key::Content(position) => self.contents.get(position).map(text),
            Key::ChannelMessage(position) => self.messaging.messages.get(position).map(text),
            Key::OptOut(pair) => self.messaging.opted_out.get(pair).map(text),
            Key::Receiving(phone) => {
                let receiving = *self.receiving.get(phone)?;
                Some(text(&ReceivingRecord { phone: phone.clone(), receiving }))
            }
            Key::Rules => Some(text(&self.rules)),
            Key::Removed(position) => {
                let removed = &self.conversations.get(position)?.removed;
                Some(text(&StoredRemoved { position: *position, removed: removed.clone() }))
            }
            Key::Events => Some(text(&self.last_event)),
            Key::Call(position) => self.calls.legs.get(position).map(text),
            Key::Recording(position) => self.calls.recordings.get(position).map(text),
            Key::Number(position) => self.calls.numbers.get(position).map(text),
            Key::Answering(number) => self.calls.answering.get(number).map(text),
        }
    }
}

/// What the account's own service is called, and was called when the file was written.
#[derive(Debug, Clone, Copy)]
struct Own {
    now: ServiceSid,
    before: ServiceSid,
}

impl Own {
    fn of(account: &Account, stored: &Stored) -> Result<Self, BadRecord> {
        let now = account.chat_service_sid;
        Ok(Self { now, before: stored.account()?.map_or(now, |account| account.chat_service_sid) })
    }

    /// The service of a record: what belonged to the own service still does.
    fn adopt(self, sid: ServiceSid) -> ServiceSid {
        if sid == self.before || sid == services::not_said() { self.now } else { sid }
    }
}

#[derive(Serialize, Deserialize)]
struct StoredRemoved {
    position: u64,
    removed: Removed,
}

fn text<T: Serialize>(record: &T) -> Result<String, serde_json::Error> {
    serde_json::to_string(record)
}

const CALL: &str = "call";
const RECORDING: &str = "recording";
const NUMBER: &str = "number";
const ANSWERING: &str = "answering";
const ACCOUNT: &str = "account";
const CONFIGURATION: &str = "configuration";
const ADDRESS: &str = "address";
const CONVERSATION: &str = "conversation";
const PARTICIPANT: &str = "participant";
const MESSAGE: &str = "message";
const WEBHOOK: &str = "webhook";
const LINE: &str = "line";
const MEDIA: &str = "media";
const USER: &str = "user";
const SERVICE: &str = "service";
const ROLE: &str = "role";
const CREDENTIAL: &str = "credential";
const PUSH_BINDING: &str = "push_binding";
const CONTENT: &str = "content";
const CHANNEL_MESSAGE: &str = "channel_message";
const OPT_OUT: &str = "opt_out";
const RECEIVING: &str = "receiving";
const RULES: &str = "rules";
const REMOVED: &str = "removed";
const EVENTS: &str = "events";
