//! The parameters of each webhook, exactly those that Twilio's page on Conversations webhooks lists.
//!
//! A parameter without a value is left out, save the few that the page shows as always there.

use jiff::Timestamp;
use serde_json::json;
use trunkline_proto::sid::ServiceSid;

use crate::account::Account;
use crate::clock::iso_millis;
use crate::state::events::{EventType, Origin, Params};
use crate::state::records::{
    Binding, ConversationRecord, ConversationState, MediaRef, Message, Participant, Receipt, User,
};

/// Builds the parameters of one webhook.
#[derive(Debug)]
pub(crate) struct Builder(Params);

impl Builder {
    pub(crate) fn new(account: &Account, kind: EventType, origin: Origin) -> Self {
        let mut builder = Self(Vec::with_capacity(20));
        builder.put("AccountSid", account.account_sid.as_str());
        builder.put("EventType", kind.as_str());
        builder.put("Source", origin.source());
        builder.put("RetryCount", "0");
        builder
    }

    pub(crate) fn put(&mut self, name: &'static str, value: impl Into<String>) {
        self.0.push((name, value.into()));
    }

    pub(crate) fn some(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    pub(crate) fn finish(self) -> Params {
        self.0
    }

    /// Parameters of a conversation that exists.
    pub(crate) fn conversation(&mut self, record: &ConversationRecord) {
        self.put("ConversationSid", record.sid.as_str());
        self.put("DateCreated", iso_millis(record.date_created));
        self.put("DateUpdated", iso_millis(record.date_updated));
        self.new_conversation(record);
    }

    /// Parameters of a conversation that has no SID yet.
    pub(crate) fn new_conversation(&mut self, record: &ConversationRecord) {
        self.some("FriendlyName", record.friendly_name.as_deref());
        self.put("UniqueName", record.unique_name.as_deref().unwrap_or_default());
        self.put("Attributes", record.attributes.as_str());
        self.put("ChatServiceSid", record.service_sid.as_str());
        self.some("MessagingServiceSid", record.messaging_service_sid.as_deref());
        self.put("State", record.state.as_str());
    }

    /// The pair that an auto-created conversation is for.
    pub(crate) fn pair(&mut self, address: &str, proxy_address: &str) {
        self.put("MessagingBinding.ProxyAddress", proxy_address);
        self.put("MessagingBinding.Address", address);
        self.put("MessagingBinding.AuthorAddress", address);
    }

    /// `onConversationStateUpdated` beyond the common parameters.
    pub(crate) fn state_change(&mut self, record: &ConversationRecord, from: ConversationState, reason: &str) {
        self.put("ChatServiceSid", record.service_sid.as_str());
        self.put("ConversationSid", record.sid.as_str());
        self.some("MessagingServiceSid", record.messaging_service_sid.as_deref());
        self.put("StateUpdated", iso_millis(record.date_updated));
        self.put("StateFrom", from.as_str());
        self.put("StateTo", record.state.as_str());
        self.put("Reason", reason);
    }

    /// A message that is not there yet: no SID and no index.
    pub(crate) fn new_message(&mut self, conversation: &ConversationRecord, message: &DraftMessage<'_>) {
        self.put("ConversationSid", conversation.sid.as_str());
        self.put("Body", message.body.unwrap_or_default());
        self.put("Author", message.author);
        self.some("ParticipantSid", message.participant_sid);
        self.put("Attributes", message.attributes);
        self.media(message.media);
    }

    /// A message that is there.
    pub(crate) fn message(&mut self, conversation: &ConversationRecord, message: &Message) {
        self.put("ConversationSid", message.conversation_sid.as_str());
        self.put("MessageSid", message.sid.as_str());
        self.some("MessagingServiceSid", conversation.messaging_service_sid.as_deref());
        self.put("Index", message.index.to_string());
        self.put("DateCreated", iso_millis(message.date_created));
        self.put("Body", message.body.as_deref().unwrap_or_default());
        self.put("Author", message.author.as_str());
        self.some("ParticipantSid", message.participant_sid.as_ref().map(AsRef::as_ref));
        self.put("Attributes", message.attributes.as_str());
        self.media(&message.media);
    }

    fn media(&mut self, media: &[MediaRef]) {
        if media.is_empty() {
            return;
        }
        let list: Vec<_> = media
            .iter()
            .map(|file| {
                json!({
                    "Sid": file.sid, "Filename": file.filename, "ContentType": file.content_type, "Size": file.size,
                })
            })
            .collect();
        self.put("Media", serde_json::Value::Array(list).to_string());
    }

    /// A participant that is not there yet.
    pub(crate) fn new_participant(&mut self, conversation_sid: &str, participant: &DraftParticipant<'_>) {
        self.put("ConversationSid", conversation_sid);
        self.some("Identity", participant.identity);
        self.put("RoleSid", participant.role_sid);
        self.put("Attributes", participant.attributes);
        match participant.binding {
            Some(binding) => {
                self.put("MessagingBinding.ProxyAddress", binding.proxy_address.as_str());
                self.put("MessagingBinding.Address", binding.address.as_str());
                self.put("MessagingBinding.Type", binding.channel.to_uppercase());
            }
            None => self.put("MessagingBinding.Type", "CHAT"),
        }
    }

    /// A participant that is there.
    pub(crate) fn participant(&mut self, participant: &Participant) {
        self.new_participant(
            participant.conversation_sid.as_str(),
            &DraftParticipant {
                identity: participant.identity.as_deref(),
                role_sid: participant.role_sid.as_str(),
                attributes: &participant.attributes,
                binding: participant.binding.as_ref(),
            },
        );
        self.put("ParticipantSid", participant.sid.as_str());
        self.put("DateCreated", iso_millis(participant.date_created));
    }

    /// A user, without dates.
    pub(crate) fn user(&mut self, user: &User) {
        self.put("ChatServiceSid", user.service_sid.as_str());
        self.put("UserSid", user.sid.as_str());
        self.put("Identity", user.identity.as_str());
        self.put("RoleSid", user.role_sid.as_str());
        self.put("Attributes", user.attributes.as_str());
        self.put("FriendlyName", user.friendly_name.as_deref().unwrap_or_default());
    }

    /// The dates that an event of a user has; after a change also whether the user is there, which is never known.
    pub(crate) fn user_dates(&mut self, user: &User, kind: EventType) {
        if kind != EventType::UserUpdate {
            self.date("DateCreated", user.date_created);
        }
        if kind != EventType::UserAdded {
            self.date("DateUpdated", user.date_updated);
        }
        if kind == EventType::UserUpdated {
            self.put("isOnline", "false");
            self.put("isNotifiable", "false");
        }
    }

    /// `onDeliveryUpdated` beyond the common parameters.
    pub(crate) fn delivery(&mut self, service: ServiceSid, message: &Message, receipt: &Receipt) {
        self.put("ConversationSid", message.conversation_sid.as_str());
        self.put("ChatServiceSid", service.as_str());
        self.put("MessageSid", message.sid.as_str());
        self.put("DeliveryReceiptSid", receipt.sid.as_str());
        self.put("ChannelMessageSid", receipt.channel_message_sid.as_str());
        self.put("ParticipantSid", receipt.participant_sid.as_str());
        self.put("Status", receipt.status.as_str());
        self.put("ErrorCode", receipt.error_code.to_string());
        self.put("DateCreated", iso_millis(receipt.date_created));
        self.put("DateUpdated", iso_millis(receipt.date_updated));
    }

    pub(crate) fn date(&mut self, name: &'static str, at: Timestamp) {
        self.put(name, iso_millis(at));
    }
}

/// A message before it is published.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DraftMessage<'a> {
    pub(crate) body: Option<&'a str>,
    pub(crate) author: &'a str,
    pub(crate) participant_sid: Option<&'a str>,
    pub(crate) attributes: &'a str,
    pub(crate) media: &'a [MediaRef],
}

/// A participant before it joins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DraftParticipant<'a> {
    pub(crate) identity: Option<&'a str>,
    pub(crate) role_sid: &'a str,
    pub(crate) attributes: &'a str,
    pub(crate) binding: Option<&'a Binding>,
}
