//! To and from the store: which text a record has, and the state that a store's records make.

use std::collections::BTreeMap;

use bytes::Bytes;
use rand::rngs::StdRng;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::calls::records::{AnsweringRecord, CallRecord, NumberRecord, RecordingRecord};
use super::records::{
    AddressConfiguration, Configuration, Conversation, ConversationRecord, ConversationState, MediaRecord, Message,
    Participant, PhoneEntry, ScopedWebhook, User,
};
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
        for user in stored.read::<User>(USER)? {
            state.seen(user.position);
            state.index_user(user);
        }
        state.load_conversations(stored)?;
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
        match stored.read::<Configuration>(CONFIGURATION)?.into_iter().next() {
            Some(configuration) => state.configuration = configuration,
            None => state.restore_defaults(),
        }
        // Participants of a file that knew no users yet.
        state.ensure_members();
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

    fn load_conversations(&mut self, stored: &Stored) -> Result<(), BadRecord> {
        for record in stored.read::<ConversationRecord>(CONVERSATION)? {
            self.seen(record.position);
            self.index_conversation(&record);
            self.conversations.insert(record.position, Conversation::new(record));
        }
        for participant in stored.read::<Participant>(PARTICIPANT)? {
            let Some(position) = self.by_sid.get(&participant.conversation_sid).copied() else { continue };
            let Some(conversation) = self.conversations.get_mut(&position) else { continue };
            if let Some(binding) = &participant.binding
                && conversation.record.state != ConversationState::Closed
            {
                self.bindings.insert((binding.address.clone(), binding.proxy_address.clone()), position);
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
const REMOVED: &str = "removed";
const EVENTS: &str = "events";
