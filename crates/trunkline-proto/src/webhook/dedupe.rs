//! The key that makes two reports of the same thing one.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{ConversationsEvent as Event, ConversationsWebhook, EventType};
use crate::rest::{ConversationState, MessageMedia};
use crate::sid::{MessageSid, RoleSid};

/// The longest idempotency token that is used; Twilio's are UUIDs. A longer one is ignored.
const MAX_TOKEN_BYTES: usize = 128;

/// The key of a posted message, the same whether a webhook reported it or it was found by reading the conversation.
pub fn message_added_key(message_sid: MessageSid) -> String {
    format!("{message_sid}:{}", EventType::OnMessageAdded)
}

impl ConversationsWebhook {
    /// The key under which this event is published once: two requests with the same key report the same thing.
    ///
    /// - `onMessageAdded`: the message's SID, never the token. The same message may also be found by reading the
    ///   conversation back, where there is no token, and both must be one event.
    /// - Any other event with an `idempotency_token` (from [`IDEMPOTENCY_HEADER`](super::IDEMPOTENCY_HEADER), which is
    ///   *not* covered by the signature): the token and the event's name.
    /// - Otherwise the resource's SID, the event's name, and what tells one change of that resource from the next:
    ///   status, state, or date and content. A delivery update of a message is no duplicate of that message, and two
    ///   different statuses of one receipt are two events.
    /// - Pre-events without a SID, and events not known here: a hash of the content. Pre-events are questions to be
    ///   answered, not facts to be published, so nobody should depend on theirs.
    ///
    /// Keys hold SIDs, names, dates and hashes, never an address or a text.
    pub fn dedupe_key(&self, idempotency_token: Option<&str>) -> String {
        let name = self.event.event_type();
        if let Event::OnMessageAdded(added) = &self.event {
            return message_added_key(added.message_sid);
        }
        let token = idempotency_token.filter(|token| !token.is_empty() && token.len() <= MAX_TOKEN_BYTES);
        match token {
            Some(token) => format!("{token}:{name}"),
            None => self.key_of_content(),
        }
    }

    fn key_of_content(&self) -> String {
        let name = self.event.event_type();
        match &self.event {
            Event::OnConversationAdded(it) => format!("{}:{name}", it.conversation_sid),
            Event::OnMessageAdded(it) => format!("{}:{name}", it.message_sid),
            Event::OnConversationRemoved(it) => format!("{}:{name}", it.conversation_sid),
            Event::OnMessageRemoved(it) => format!("{}:{name}", it.message_sid),
            Event::OnParticipantAdded(it) | Event::OnParticipantRemoved(it) => format!("{}:{name}", it.participant_sid),
            Event::OnUserAdded(it) => format!("{}:{name}", it.user_sid),
            Event::OnConversationStateUpdated(it) => {
                let at = it.state_updated.map(|at| at.to_string()).unwrap_or_default();
                format!("{}:{name}:{}:{at}", it.conversation_sid, it.state_to)
            }
            Event::OnDeliveryUpdated(it) => format!("{}:{name}:{}", it.delivery_receipt_sid, it.status),
            Event::OnConversationUpdate(it) | Event::OnConversationUpdated(it) | Event::OnConversationRemove(it) => {
                let state = it.state.as_ref().map(ConversationState::as_str);
                let content = [it.friendly_name.as_deref(), it.unique_name.as_deref(), it.attributes.as_deref(), state];
                format!("{}:{name}:{}", it.conversation_sid, Revision::of(it.date_updated).with(&content))
            }
            Event::OnMessageUpdate(it) | Event::OnMessageUpdated(it) | Event::OnMessageRemove(it) => {
                let content = [Some(it.body.as_str()), it.author.as_deref(), it.attributes.as_deref()];
                format!("{}:{name}:{}", it.message_sid, Revision::of(it.date_updated).with(&content))
            }
            Event::OnParticipantUpdate(it) | Event::OnParticipantUpdated(it) | Event::OnParticipantRemove(it) => {
                let read = it.last_read_message_index.map(|index| index.to_string());
                let role = it.role_sid.as_ref().map(RoleSid::as_str);
                let proxy = it.messaging_binding.proxy_address.as_deref();
                let content = [it.identity.as_deref(), it.attributes.as_deref(), role, read.as_deref(), proxy];
                format!("{}:{name}:{}", it.participant_sid, Revision::of(it.date_updated).with(&content))
            }
            Event::OnUserUpdate(it) | Event::OnUserUpdated(it) => {
                let online = [it.is_online, it.is_notifiable].map(|flag| flag.map(|flag| flag.to_string()));
                let [online, notifiable] = online.each_ref().map(Option::as_deref);
                let role = it.role_sid.as_ref().map(RoleSid::as_str);
                let content = [it.friendly_name.as_deref(), it.attributes.as_deref(), role, online, notifiable];
                format!("{}:{name}:{}", it.user_sid, Revision::of(it.date_updated).with(&content))
            }
            Event::OnMessageAdd(it) => {
                let media = media_sids(&it.media);
                let content = [Some(it.body.as_str()), it.author.as_deref(), it.attributes.as_deref(), Some(&*media)];
                format!("{}:{name}:{}", it.conversation_sid, Revision::of(None).with(&content))
            }
            Event::OnParticipantAdd(it) => {
                let binding = &it.messaging_binding;
                let content = [it.identity.as_deref(), binding.address.as_deref(), binding.proxy_address.as_deref()];
                format!("{}:{name}:{}", it.conversation_sid, Revision::of(None).with(&content))
            }
            Event::OnConversationAdd(it) => {
                let (binding, media) = (&it.messaging_binding, media_sids(&it.media));
                let addresses = [binding.address.as_deref(), binding.proxy_address.as_deref()];
                let [address, proxy] = addresses;
                let content = [it.unique_name.as_deref(), address, proxy, it.message_body.as_deref(), Some(&*media)];
                format!("{}:{name}:{}", self.common.account_sid, Revision::of(None).with(&content))
            }
            Event::Unknown(_) => {
                let content: Vec<_> = self
                    .unknown
                    .iter()
                    .flat_map(|(name, value)| [name, value])
                    .map(|text| Some(text.as_str()))
                    .collect();
                format!("{}:{name}:{}", self.common.account_sid, Revision::of(None).with(&content))
            }
        }
    }
}

fn media_sids(media: &[MessageMedia]) -> String {
    media.iter().map(|file| file.sid.as_str()).collect()
}

/// What tells one change of a resource from the next. The date alone is not enough, because it may be in whole seconds.
struct Revision(Sha256, Option<Timestamp>);

impl Revision {
    fn of(date: Option<Timestamp>) -> Self {
        Self(Sha256::new(), date)
    }

    /// The date, if there is one, and 64 bits of the content's hash.
    fn with(mut self, content: &[Option<&str>]) -> String {
        for piece in content {
            // Lengths keep the pieces apart; a missing one differs from an empty one.
            self.0.update(piece.map_or(u64::MAX, |text| text.len() as u64).to_le_bytes());
            self.0.update(piece.unwrap_or_default().as_bytes());
        }
        let hash = self.0.finalize();
        let short = u64::from_be_bytes(hash.first_chunk().copied().unwrap_or_default());
        match self.1 {
            Some(date) => format!("{date}:{short:016x}"),
            None => format!("{short:016x}"),
        }
    }
}
