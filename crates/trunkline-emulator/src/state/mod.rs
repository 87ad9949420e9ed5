//! Everything the emulator knows, as a plain value: mutations go in, answers and effects come out.
//!
//! There is no socket, task or file here; [`owner`](crate::owner) holds the one value and carries out its effects.
//! Time and randomness come in through the constructor.
//!
//! Invariants: `by_sid` and `positions` agree; a pair of addresses is in `bindings` exactly as long as its participant
//! is in a conversation that is not closed; positions and message indexes only grow.

pub(crate) mod address;
mod addresses;
pub(crate) mod calls;
mod clocking;
mod configuration;
mod content;
mod conversations;
mod credentials;
mod delivery;
pub(crate) mod events;
pub(crate) mod limits;
mod load;
mod media;
mod messages;
pub(crate) mod messaging;
pub(crate) mod mutation;
mod notifications;
pub(crate) mod paging;
mod participants;
mod participations;
mod phones;
mod rates;
mod receiving;
pub(crate) mod records;
mod roles;
mod scoped_webhooks;
mod segments;
mod services;
pub(crate) mod sync;
#[cfg(test)]
mod tests;
mod texts;
mod users;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use jiff::Timestamp;
use rand::RngExt;
use rand::rngs::StdRng;
use trunkline_proto::sid::{ConversationSid, MediaSid, ServiceSid, UserSid};

pub(crate) use self::addresses::AddressFields;
pub(crate) use self::configuration::{ConfigurationFields, WebhookConfigFields};
pub(crate) use self::content::{ContentFields, ContentTemplate};
pub(crate) use self::conversations::{ConversationFields, ConversationFilter};
pub(crate) use self::credentials::{Credential, CredentialFields, PushBinding, PushBindingFields, PushKind};
pub(crate) use self::delivery::Delivery;
pub(crate) use self::load::Stored;
pub(crate) use self::media::MediaFields;
pub(crate) use self::messages::MessageFields;
pub(crate) use self::mutation::{Answer, Mutation, Step};
pub(crate) use self::notifications::{Notification, NotificationFields, NotificationsFields};
pub(crate) use self::participants::{ParticipantFields, ReadHorizon};
pub(crate) use self::participations::{Participation, Who};
pub(crate) use self::receiving::{Receiving, Rules};
pub(crate) use self::roles::{Role, RoleFields};
pub(crate) use self::scoped_webhooks::ScopedWebhookFields;
pub(crate) use self::services::{Service, ServiceFields};
pub(crate) use self::texts::Text;
pub(crate) use self::users::UserFields;
use crate::account::Account;
use crate::clock::Clock;
use crate::error::ApiError;
use events::{Event, EventType, Origin, Params, PreEvent, Target};
use records::{
    AddressConfiguration, Configuration, Conversation, ConversationState, MediaRecord, PhoneMessage, User,
    WebhookConfig,
};
use sync::Outgoing;

/// The whole state of one emulator.
pub(crate) struct State {
    pub(crate) account: Account,
    pub(crate) configuration: Configuration,
    clock: Clock,
    random: StdRng,
    conversations: BTreeMap<u64, Conversation>,
    by_sid: HashMap<ConversationSid, u64>,
    by_unique_name: HashMap<(ServiceSid, String), u64>,
    /// (address, proxy address) → position of the conversation it is bound in.
    bindings: HashMap<(String, String), u64>,
    addresses: BTreeMap<u64, AddressConfiguration>,
    phones: BTreeMap<String, BTreeMap<u64, PhoneMessage>>,
    media: HashMap<MediaSid, (MediaRecord, Bytes)>,
    media_bytes: usize,
    messages: usize,
    users: BTreeMap<u64, User>,
    by_identity: HashMap<(ServiceSid, String), u64>,
    user_sids: HashMap<UserSid, u64>,
    /// Position of a user → positions of the conversations that the user is in.
    memberships: HashMap<u64, BTreeSet<u64>>,
    services: BTreeMap<u64, Service>,
    service_positions: HashMap<ServiceSid, u64>,
    roles: BTreeMap<u64, Role>,
    credentials: BTreeMap<u64, Credential>,
    push_bindings: BTreeMap<u64, PushBinding>,
    contents: BTreeMap<u64, ContentTemplate>,
    messaging: messaging::Messaging,
    /// How phones take messages, where somebody said so.
    receiving: BTreeMap<String, Receiving>,
    pub(crate) rules: Rules,
    rates: rates::Rates,
    /// What happens by itself, and when.
    agenda: clocking::Agenda,
    calls: calls::Calls,
    next_position: u64,
    /// The last event of all objects together; it only grows.
    last_event: u64,
    effects: Effects,
}

/// What has to happen because of mutations, in their order.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Records that changed: the store writes or removes them.
    pub(crate) dirty: BTreeSet<Key>,
    /// Everything was removed before `dirty`.
    pub(crate) cleared: bool,
    pub(crate) events: Vec<Event>,
    pub(crate) phone_lines: Vec<(String, PhoneMessage)>,
    pub(crate) deliveries: Vec<Delivery>,
    /// What sockets have to hear or to know.
    pub(crate) outgoing: Vec<Outgoing>,
}

/// Names one stored record. Numbers are positions, message indexes where a message is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Account,
    Configuration,
    Address(u64),
    Conversation(u64),
    Participant(u64, u64),
    Message(u64, u64),
    Webhook(u64, u64),
    Line(String, u64),
    Media(MediaSid),
    User(u64),
    Service(u64),
    Role(u64),
    Credential(u64),
    PushBinding(u64),
    Content(u64),
    ChannelMessage(u64),
    /// (person, the account's address)
    OptOut((String, String)),
    /// By the phone's number.
    Receiving(String),
    Rules,
    /// What was removed from a conversation.
    Removed(u64),
    /// The last event.
    Events,
    Call(u64),
    Recording(u64),
    Number(u64),
    /// By the phone's number.
    Answering(String),
}

impl State {
    /// An empty state with the account's own address configurations.
    pub(crate) fn new(account: Account, clock: Clock, random: StdRng) -> Self {
        let mut state = Self::bare(account, clock, random);
        state.last_event = state.first_event();
        state.effects.dirty.insert(Key::Account);
        state.restore_defaults();
        state
    }

    /// The event that a state without a past begins after. Clients that knew an emulator which forgot everything have
    /// smaller ones, so that they do not take new events for old.
    fn first_event(&self) -> u64 {
        u64::try_from(self.now().as_microsecond()).unwrap_or_default()
    }

    fn bare(account: Account, clock: Clock, random: StdRng) -> Self {
        Self {
            account,
            configuration: Configuration::default(),
            clock,
            random,
            conversations: BTreeMap::new(),
            by_sid: HashMap::new(),
            by_unique_name: HashMap::new(),
            bindings: HashMap::new(),
            addresses: BTreeMap::new(),
            phones: BTreeMap::new(),
            media: HashMap::new(),
            media_bytes: 0,
            messages: 0,
            users: BTreeMap::new(),
            by_identity: HashMap::new(),
            user_sids: HashMap::new(),
            memberships: HashMap::new(),
            services: BTreeMap::new(),
            service_positions: HashMap::new(),
            roles: BTreeMap::new(),
            credentials: BTreeMap::new(),
            push_bindings: BTreeMap::new(),
            contents: BTreeMap::new(),
            messaging: messaging::Messaging::default(),
            receiving: BTreeMap::new(),
            rules: Rules::default(),
            rates: rates::Rates::default(),
            agenda: clocking::Agenda::default(),
            calls: calls::Calls::default(),
            next_position: 0,
            last_event: 0,
            effects: Effects::default(),
        }
    }

    /// Empties everything but the account, and gives its number its address configurations back.
    pub(crate) fn reset(&mut self) {
        self.configuration = Configuration::default();
        self.conversations.clear();
        self.by_sid.clear();
        self.by_unique_name.clear();
        self.bindings.clear();
        self.addresses.clear();
        self.phones.clear();
        self.media.clear();
        self.media_bytes = 0;
        self.messages = 0;
        self.users.clear();
        self.by_identity.clear();
        self.user_sids.clear();
        self.memberships.clear();
        self.services.clear();
        self.service_positions.clear();
        self.roles.clear();
        self.credentials.clear();
        self.push_bindings.clear();
        self.contents.clear();
        self.messaging = messaging::Messaging::default();
        self.receiving.clear();
        self.rules = Rules::default();
        self.rates = rates::Rates::default();
        self.agenda = clocking::Agenda::default();
        self.calls = self.calls.emptied();
        self.effects = Effects { cleared: true, ..Effects::default() };
        // Events go on counting: a client that comes back knows the old ones.
        self.effects.dirty.extend([Key::Account, Key::Events]);
        self.restore_defaults();
    }

    fn restore_defaults(&mut self) {
        self.configuration.default_messaging_service_sid = Some(self.account.messaging_service.to_string());
        self.effects.dirty.insert(Key::Configuration);
        self.add_own_service(WebhookConfig::default(), false);
        self.add_own_addresses();
        self.add_own_number();
    }

    /// Carries out a mutation, or says whom to ask before it is carried out.
    pub(crate) fn begin(&mut self, mutation: Mutation, origin: Origin) -> Result<Step, ApiError> {
        self.check_permission(&mutation, origin)?;
        self.check_rate(&mutation, origin)?;
        if origin.sends_webhooks()
            && let Some(event) = self.pre_event(&mutation, origin)?
        {
            return Ok(Step::Ask(event, mutation));
        }
        self.execute(mutation, origin).map(Step::Done)
    }

    /// Carries out a mutation that nobody refused.
    pub(crate) fn execute(&mut self, mutation: Mutation, origin: Origin) -> Result<Answer, ApiError> {
        self.check_permission(&mutation, origin)?;
        match mutation {
            Mutation::CreateConversation(fields) => self.create_conversation(&fields, origin).map(Answer::Conversation),
            Mutation::UpdateConversation { conversation, fields } => {
                self.update_conversation(&conversation, &fields, origin).map(Answer::Conversation)
            }
            Mutation::DeleteConversation { conversation } => {
                self.delete_conversation(&conversation, origin).map(|()| Answer::Deleted)
            }
            Mutation::AddParticipant { conversation, fields } => {
                self.add_participant(&conversation, &fields, origin).map(Answer::Participant)
            }
            Mutation::UpdateParticipant { conversation, participant, fields } => {
                self.update_participant(&conversation, &participant, &fields, origin).map(Answer::Participant)
            }
            Mutation::RemoveParticipant { conversation, participant } => {
                self.remove_participant(&conversation, &participant, origin).map(|()| Answer::Deleted)
            }
            Mutation::CreateMessage { conversation, fields } => {
                self.create_message(&conversation, fields, origin).map(Answer::Message)
            }
            Mutation::UpdateMessage { conversation, message, fields } => {
                self.update_message(&conversation, &message, &fields, origin).map(Answer::Message)
            }
            Mutation::RemoveMessage { conversation, message } => {
                self.remove_message(&conversation, &message, origin).map(|()| Answer::Deleted)
            }
            Mutation::Text(text) => self.receive_text(&text, origin).map(Answer::Text),
            Mutation::UpdateUser { user, fields } => self.update_user(&user, &fields, origin).map(Answer::User),
        }
    }

    /// What the mutations since the last call brought about.
    pub(crate) fn take_effects(&mut self) -> Effects {
        std::mem::take(&mut self.effects)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn random_sid<S>(&mut self, make: impl FnOnce([u8; 16]) -> S) -> S {
        make(self.random.random())
    }

    fn position(&mut self) -> u64 {
        let position = self.next_position;
        self.next_position = position.saturating_add(1);
        position
    }

    /// The position of the conversation with this SID, or with this unique name in the account's own service.
    fn find(&self, conversation: &str) -> Result<u64, ApiError> {
        let by_sid = conversation.parse().ok().and_then(|sid: ConversationSid| self.by_sid.get(&sid));
        by_sid
            .or_else(|| self.by_unique_name.get(&(self.account.chat_service_sid, conversation.to_owned())))
            .copied()
            .ok_or_else(|| ApiError::not_found(&format!("/Conversations/{conversation}")))
    }

    fn at(&self, position: u64) -> Result<&Conversation, ApiError> {
        self.conversations.get(&position).ok_or_else(|| ApiError::not_found("/Conversations"))
    }

    fn at_mut(&mut self, position: u64) -> Result<&mut Conversation, ApiError> {
        self.conversations.get_mut(&position).ok_or_else(|| ApiError::not_found("/Conversations"))
    }

    /// The conversation with this SID or unique name.
    pub(crate) fn conversation(&self, conversation: &str) -> Result<&Conversation, ApiError> {
        self.at(self.find(conversation)?)
    }

    pub(crate) fn conversation_at(&self, position: u64) -> Option<&Conversation> {
        self.conversations.get(&position)
    }

    fn open(&self, position: u64) -> Result<&Conversation, ApiError> {
        let conversation = self.at(position)?;
        if conversation.record.state == ConversationState::Closed {
            return Err(crate::error::CLOSED);
        }
        Ok(conversation)
    }

    /// Who listens to a post-event of this conversation: account, service, then the conversation's own webhooks.
    fn post_targets(&self, kind: EventType, conversation: &Conversation, body: Option<&str>) -> Vec<Target> {
        let wide = self.wide_targets(kind, conversation.record.service_sid);
        let own = conversation.webhooks.values().filter_map(|webhook| webhook.target_for(kind, body));
        wide.chain(own).collect()
    }

    /// Who listens to a post-event of anything: account, then service.
    fn wide_targets(&self, kind: EventType, service: ServiceSid) -> impl Iterator<Item = Target> {
        let targets = self.wide_webhooks(service);
        targets.filter_map(move |config| target(config, kind, config.post_webhook_url.as_deref()))
    }

    /// Who is asked before a change: account, then service.
    fn pre_targets(&self, kind: EventType, service: ServiceSid) -> Vec<Target> {
        let targets = self.wide_webhooks(service);
        targets.filter_map(|config| target(config, kind, config.pre_webhook_url.as_deref())).collect()
    }

    fn wide_webhooks(&self, service: ServiceSid) -> impl Iterator<Item = &WebhookConfig> {
        let of_service = self.service(service).ok().map(|service| &service.webhooks);
        std::iter::once(&self.configuration.webhooks).chain(of_service)
    }

    /// Tells of something that happened in the conversation at `position`, if anybody listens.
    fn emit(
        &mut self,
        kind: EventType,
        position: u64,
        origin: Origin,
        body: Option<&str>,
        params: impl FnOnce(&Account, &Conversation) -> Params,
    ) {
        if !origin.sends_webhooks() {
            return;
        }
        let Some(conversation) = self.conversations.get(&position) else { return };
        let targets = self.post_targets(kind, conversation, body);
        if targets.is_empty() {
            return;
        }
        let mut params = params(&self.account, conversation);
        let lane = conversation.record.sid.into();
        if let Some(identity) = self.client_identity(origin) {
            params.push(("ClientIdentity", identity));
        }
        self.effects.events.push(Event { kind: kind.as_str(), lane, targets, params });
    }

    /// Tells of something that happened to a user, if anybody listens.
    fn emit_user(&mut self, kind: EventType, user: &User, origin: Origin) {
        let targets: Vec<Target> = self.wide_targets(kind, user.service_sid).collect();
        if !origin.sends_webhooks() || targets.is_empty() {
            return;
        }
        let mut params = self.params(kind, origin);
        params.user(user);
        params.user_dates(user, kind);
        self.effects.events.push(Event {
            kind: kind.as_str(),
            lane: user.sid.into(),
            targets,
            params: params.finish(),
        });
    }

    fn pre(&self, kind: EventType, service: ServiceSid, params: impl FnOnce() -> Params) -> Option<PreEvent> {
        let targets = self.pre_targets(kind, service);
        (!targets.is_empty()).then(|| PreEvent { kind, targets, params: params() })
    }
}

fn target(config: &WebhookConfig, kind: EventType, url: Option<&str>) -> Option<Target> {
    let listens = config.filters.as_ref().is_some_and(|filters| filters.contains(&kind));
    let url = url.filter(|url| listens && !url.is_empty())?;
    Some(Target { url: url.to_owned(), method: config.method.unwrap_or(records::Method::Post) })
}

/// The version of the API that messages and calls belong to.
pub(crate) const API_VERSION: &str = "2010-04-01";

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("conversations", &self.conversations.len()).finish_non_exhaustive()
    }
}
