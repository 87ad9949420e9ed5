//! A person texts one of the account's numbers: routing by the pair of addresses, and auto-creation.
//!
//! Source: Twilio's page on inbound auto-creation.

use trunkline_proto::sid::{AnySid, ChannelMessageSid, ConversationSid, ParticipantSid};

use super::State;
use super::address::Address;
use super::conversations::ConversationFields;
use super::events::{EventType, Origin, PreEvent};
use super::limits;
use super::media::MediaFields;
use super::messages::MessageFields;
use super::participants::ParticipantFields;
use super::records::{
    AutoCreation, AutoCreationKind, Binding, DeliveryStatus, Direction, MediaRef, PhoneMessage, ScopedTarget,
};
use super::scoped_webhooks::ScopedWebhookFields;
use crate::error::{self, ApiError};
use crate::journal::Happening;
use crate::webhooks::params::{Builder, DraftMessage};

/// A text from a person. The last three fields are what a pre-event's answer may set.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(crate) from: Address,
    pub(crate) to: Address,
    pub(crate) body: Option<String>,
    pub(crate) media: Vec<MediaFields>,
    pub(crate) author: Option<String>,
    pub(crate) attributes: Option<String>,
    pub(crate) friendly_name: Option<String>,
}

/// Where a text went.
#[expect(clippy::struct_field_names, reason = "the names are those of the control API")]
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct TextAnswer {
    /// Nothing if it went into no conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) conversation_sid: Option<ConversationSid>,
    /// That of the conversation's message, else the same as `channel_message_sid`.
    pub(crate) message_sid: AnySid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) participant_sid: Option<ParticipantSid>,
    pub(crate) channel_message_sid: ChannelMessageSid,
}

impl Text {
    fn pair(&self) -> (String, String) {
        (self.from.to_string(), self.to.to_string())
    }

    fn author(&self) -> &str {
        self.author.as_deref().unwrap_or_else(|| self.from.as_str())
    }

    fn check(&self) -> Result<(), ApiError> {
        if self.body.as_deref().unwrap_or_default().is_empty() && self.media.is_empty() {
            return Err(ApiError::parameter("body or media"));
        }
        if self.body.as_ref().is_some_and(|body| body.len() > limits::MAX_BODY_BYTES) {
            return Err(error::MESSAGE_TOO_LONG);
        }
        if self.media.len() > limits::MAX_MEDIA_PER_MESSAGE {
            return Err(ApiError::parameter("media"));
        }
        if !self.from.same_channel(&self.to) {
            return Err(ApiError::parameter("from and to are on different channels"));
        }
        Ok(())
    }

    /// The conversation that a rule makes of the text. A rule whose service is gone makes it in the default one.
    fn conversation_fields(&self, state: &State, rule: &AutoCreation) -> ConversationFields {
        ConversationFields {
            service_sid: rule.service_sid.filter(|service| state.service(*service).is_ok()),
            friendly_name: self.friendly_name.clone(),
            ..ConversationFields::default()
        }
    }
}

impl State {
    pub(super) fn pre_text(&self, text: &Text, origin: Origin) -> Result<Option<PreEvent>, ApiError> {
        text.check()?;
        let media: Vec<MediaRef> = text.media.iter().map(MediaFields::preview).collect();
        if let Some(position) = self.bindings.get(&text.pair()) {
            let conversation = self.at(*position)?;
            let author = conversation.participants.values().find(|one| one.is_author(text.from.as_str()));
            return Ok(self.pre(EventType::MessageAdd, conversation.record.service_sid, || {
                let mut params = self.params(EventType::MessageAdd, origin);
                params.new_message(
                    &conversation.record,
                    &DraftMessage {
                        body: text.body.as_deref(),
                        author: text.author(),
                        participant_sid: author.map(|one| one.sid.as_str()),
                        attributes: text.attributes.as_deref().unwrap_or("{}"),
                        media: &media,
                    },
                );
                params.finish()
            }));
        }
        let rule = match self.auto_creation(&text.to) {
            Ok(rule) => rule,
            Err(_) if self.answers_texts(text.to.as_str()) => return Ok(None),
            Err(problem) => return Err(problem),
        };
        let fields = text.conversation_fields(self, rule);
        let draft = self.draft_conversation(&fields);
        Ok(self.pre(EventType::ConversationAdd, draft.service_sid, || {
            let mut params = self.params(EventType::ConversationAdd, origin);
            params.new_conversation(&draft);
            params.pair(text.from.as_str(), text.to.as_str());
            params.some("MessageBody", text.body.as_deref());
            params.finish()
        }))
    }

    /// A text arrives: into the conversation its pair is bound in, or into a new one; or for the number's webhook alone.
    pub(super) fn receive_text(&mut self, text: &Text, origin: Origin) -> Result<TextAnswer, ApiError> {
        text.check()?;
        self.check_room(text)?;
        self.note(Happening::TextReceived, None);
        let bound = self.bindings.get(&text.pair()).copied();
        let place = if let Some(position) = bound {
            Some((position, self.bound_participant(position, text)?))
        } else if self.auto_creation(&text.to).is_err() && self.answers_texts(text.to.as_str()) {
            None
        } else {
            let (position, binding) = self.auto_create(text, origin)?;
            Some((position, self.auto_join(position, binding, origin)?))
        };
        let mut media = Vec::with_capacity(text.media.len());
        for file in &text.media {
            media.push(self.add_media(file.clone())?.reference());
        }
        let channel_message_sid = self.channel_message_sid(!media.is_empty());
        let received = self.receive_channel_message(channel_message_sid, text, media.clone());
        let mut answer = TextAnswer {
            conversation_sid: None,
            message_sid: channel_message_sid.into(),
            participant_sid: None,
            channel_message_sid,
        };
        if let Some((position, participant_sid)) = place {
            let fields = MessageFields {
                author: Some(text.author().to_owned()),
                body: text.body.clone(),
                attributes: text.attributes.clone(),
                ..MessageFields::default()
            };
            let message = self.publish(position, fields, Some(participant_sid), media, origin)?;
            answer.conversation_sid = Some(message.conversation_sid);
            answer.message_sid = message.sid.into();
            answer.participant_sid = Some(participant_sid);
        }
        let line = PhoneMessage {
            direction: Direction::Sent,
            from: received.from,
            to: received.to,
            body: received.body,
            media: received.media,
            status: DeliveryStatus::Delivered,
            error_code: None,
            conversation_sid: answer.conversation_sid,
            message_sid: answer.message_sid,
            at: received.date_created,
        };
        self.add_line(text.from.as_str(), line);
        self.heed_keyword(&text.from, &text.to, text.body.as_deref().unwrap_or_default());
        Ok(answer)
    }

    /// Nothing of a text is kept unless all of it can be.
    fn check_room(&self, text: &Text) -> Result<(), ApiError> {
        let bytes = text.media.iter().fold(self.media_bytes, |sum, file| sum.saturating_add(file.content.len()));
        let files = self.media.len().saturating_add(text.media.len());
        let has_room = self.messages < limits::MAX_MESSAGES
            && bytes <= limits::MAX_TOTAL_MEDIA_BYTES
            && files <= limits::MAX_MEDIA_FILES;
        if has_room { Ok(()) } else { Err(error::FULL) }
    }

    fn bound_participant(&self, position: u64, text: &Text) -> Result<ParticipantSid, ApiError> {
        let (address, proxy) = text.pair();
        let participants = &self.at(position)?.participants;
        let is_bound = |binding: &Binding| binding.address == address && binding.proxy_address == proxy;
        let found = participants.values().find(|one| one.binding.as_ref().is_some_and(is_bound));
        found.map(|one| one.sid).ok_or_else(|| ApiError::not_found("/Participants"))
    }

    /// Makes the conversation of a new pair, with the webhook that its address configuration asks for.
    fn auto_create(&mut self, text: &Text, origin: Origin) -> Result<(u64, Binding), ApiError> {
        let rule = self.auto_creation(&text.to)?.clone();
        let position = self.insert_conversation(&text.conversation_fields(self, &rule))?;
        let own = match rule.kind {
            AutoCreationKind::Webhook => rule.webhook_url.map(|url| ScopedTarget::Webhook {
                url,
                method: rule.webhook_method.unwrap_or(super::records::Method::Post),
                filters: rule.webhook_filters,
            }),
            AutoCreationKind::Studio => rule.studio_flow_sid.map(|flow_sid| ScopedTarget::Studio { flow_sid }),
            AutoCreationKind::Default => None,
        };
        if let Some(target) = own {
            self.insert_scoped_webhook(position, &ScopedWebhookFields::from_target(target))?;
        }
        let binding = Binding {
            channel: text.from.channel().to_owned(),
            address: text.from.to_string(),
            proxy_address: text.to.to_string(),
        };
        self.emit(EventType::ConversationAdded, position, origin, None, |account, conversation| {
            let mut params = Builder::new(account, EventType::ConversationAdded, origin);
            params.conversation(&conversation.record);
            params.pair(&binding.address, &binding.proxy_address);
            params.finish()
        });
        Ok((position, binding))
    }

    /// The person joins the conversation that was made for them.
    fn auto_join(&mut self, position: u64, binding: Binding, origin: Origin) -> Result<ParticipantSid, ApiError> {
        let participant = self.insert_participant(position, &ParticipantFields::default(), Some(binding), origin)?;
        self.emit(EventType::ParticipantAdded, position, origin, None, |account, _| {
            let mut params = Builder::new(account, EventType::ParticipantAdded, origin);
            params.participant(&participant);
            params.finish()
        });
        Ok(participant.sid)
    }
}
