//! Webhooks of one conversation: at most five, post-events only.

use trunkline_proto::sid::{AnySid, WebhookSid};

use super::events::{Event, EventType, Origin, Target};
use super::limits;
use super::paging::{Cursor, Order, Slice, slice};
use super::records::{Method, ScopedTarget, ScopedWebhook};
use super::{Key, State};
use crate::error::{self, ApiError};
use crate::webhooks::params::Builder;

/// What a caller says of a webhook. `None` is not said.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScopedWebhookFields {
    pub(crate) target: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) filters: Option<Vec<String>>,
    pub(crate) triggers: Option<Vec<String>>,
    pub(crate) flow_sid: Option<String>,
    /// A new webhook hears of the messages after this one as well.
    pub(crate) replay_after: Option<u64>,
}

impl ScopedWebhookFields {
    pub(super) fn from_target(target: ScopedTarget) -> Self {
        match target {
            ScopedTarget::Webhook { url, method, filters } => Self {
                target: Some("webhook".to_owned()),
                url: Some(url),
                method: Some(method.lower().to_owned()),
                filters: Some(filters.iter().map(|event| event.as_str().to_owned()).collect()),
                ..Self::default()
            },
            ScopedTarget::Trigger { url, method, triggers } => Self {
                target: Some("trigger".to_owned()),
                url: Some(url),
                method: Some(method.lower().to_owned()),
                triggers: Some(triggers),
                ..Self::default()
            },
            ScopedTarget::Studio { flow_sid } => {
                Self { target: Some("studio".to_owned()), flow_sid: Some(flow_sid), ..Self::default() }
            }
        }
    }

    /// The webhook that these fields describe, completed from what it was before.
    fn target(&self, before: Option<&ScopedTarget>) -> Result<ScopedTarget, ApiError> {
        let kind = match (&self.target, before) {
            (_, Some(ScopedTarget::Webhook { .. })) => "webhook",
            (_, Some(ScopedTarget::Trigger { .. })) => "trigger",
            (_, Some(ScopedTarget::Studio { .. })) => "studio",
            (Some(kind), None) => kind.as_str(),
            (None, None) => return Err(error::WEBHOOK_TYPE_MISSING),
        };
        match kind.to_ascii_lowercase().as_str() {
            "webhook" => {
                let old = match before {
                    Some(ScopedTarget::Webhook { url, method, filters }) => Some((url, *method, filters)),
                    _ => None,
                };
                let filters = match &self.filters {
                    Some(names) => parse_filters(names)?,
                    None => old.map(|(_, _, filters)| filters.clone()).ok_or(error::WEBHOOK_FILTER_MISSING)?,
                };
                let (url, method) = self.request(old.map(|(url, method, _)| (url.as_str(), method)))?;
                Ok(ScopedTarget::Webhook { url, method, filters })
            }
            "trigger" => {
                let old = match before {
                    Some(ScopedTarget::Trigger { url, method, triggers }) => Some((url, *method, triggers)),
                    _ => None,
                };
                let triggers = match &self.triggers {
                    Some(triggers) => check_triggers(triggers)?,
                    None => old.map(|(_, _, triggers)| triggers.clone()).ok_or(error::WEBHOOK_TRIGGER_MISSING)?,
                };
                let (url, method) = self.request(old.map(|(url, method, _)| (url.as_str(), method)))?;
                Ok(ScopedTarget::Trigger { url, method, triggers })
            }
            "studio" => {
                let flow_sid = match (&self.flow_sid, before) {
                    (Some(sid), _) => sid.clone(),
                    (None, Some(ScopedTarget::Studio { flow_sid })) => flow_sid.clone(),
                    (None, _) => return Err(error::WEBHOOK_FLOW_SID),
                };
                let is_flow = flow_sid.starts_with("FW") && flow_sid.parse::<AnySid>().is_ok();
                if is_flow { Ok(ScopedTarget::Studio { flow_sid }) } else { Err(error::WEBHOOK_FLOW_SID) }
            }
            _ => Err(error::WEBHOOK_TYPE),
        }
    }

    fn request(&self, before: Option<(&str, Method)>) -> Result<(String, Method), ApiError> {
        let url = self.url.as_deref().or(before.map(|(url, _)| url)).ok_or(error::WEBHOOK_URL_MISSING)?;
        limits::check_url(url)?;
        let method = match &self.method {
            Some(text) => Method::parse(text).ok_or_else(|| ApiError::parameter("Configuration.Method"))?,
            None => before.map_or(Method::Post, |(_, method)| method),
        };
        Ok((url.to_owned(), method))
    }
}

/// Event names as a filter; a name that no event has is refused.
pub(super) fn parse_filters(names: &[String]) -> Result<Vec<EventType>, ApiError> {
    names.iter().map(|name| EventType::parse(name).ok_or(error::WEBHOOK_FILTER)).collect()
}

fn check_triggers(triggers: &[String]) -> Result<Vec<String>, ApiError> {
    if triggers.len() > limits::MAX_TRIGGERS {
        return Err(error::TOO_MANY_TRIGGERS);
    }
    let is_good = |word: &String| !word.is_empty() && word.chars().count() <= limits::MAX_NAME_CHARS;
    if triggers.iter().all(is_good) { Ok(triggers.to_vec()) } else { Err(error::WEBHOOK_TRIGGER) }
}

impl ScopedWebhook {
    /// Where this webhook hears of an event. Pre-events are for the account and the service only; a trigger hears of
    /// new messages that contain one of its words. Studio flows are not run.
    pub(super) fn target_for(&self, kind: EventType, body: Option<&str>) -> Option<Target> {
        let (url, method) = match &self.target {
            ScopedTarget::Webhook { url, method, filters } if !kind.is_pre() && filters.contains(&kind) => {
                (url, method)
            }
            ScopedTarget::Trigger { url, method, triggers } if kind == EventType::MessageAdded => {
                let body = body?.to_lowercase();
                triggers.iter().find(|word| body.contains(&word.to_lowercase()))?;
                (url, method)
            }
            _ => return None,
        };
        Some(Target { url: url.clone(), method: *method })
    }
}

impl State {
    pub(crate) fn list_scoped_webhooks(
        &self,
        conversation: &str,
        size: usize,
        cursor: Option<Cursor>,
    ) -> Result<Slice<ScopedWebhook>, ApiError> {
        let webhooks = &self.conversation(conversation)?.webhooks;
        Ok(slice(webhooks, Order::Ascending, size, cursor, |webhook| Some(webhook.clone())))
    }

    pub(crate) fn scoped_webhook(&self, conversation: &str, webhook: &str) -> Result<&ScopedWebhook, ApiError> {
        let webhooks = &self.conversation(conversation)?.webhooks;
        webhooks
            .values()
            .find(|one| one.sid.as_str() == webhook)
            .ok_or_else(|| ApiError::not_found(&format!("/Conversations/{conversation}/Webhooks/{webhook}")))
    }

    pub(crate) fn add_scoped_webhook(
        &mut self,
        conversation: &str,
        fields: &ScopedWebhookFields,
    ) -> Result<ScopedWebhook, ApiError> {
        let position = self.find(conversation)?;
        self.open(position)?;
        let webhook = self.insert_scoped_webhook(position, fields)?;
        if let Some(after) = fields.replay_after {
            self.tell_of_earlier(position, &webhook, after);
        }
        Ok(webhook)
    }

    /// Tells a webhook of messages that are there already.
    fn tell_of_earlier(&mut self, position: u64, webhook: &ScopedWebhook, after: u64) {
        let Some(conversation) = self.conversations.get(&position) else { return };
        let kind = EventType::MessageAdded;
        let later = conversation.messages.range(after.saturating_add(1)..).map(|(_, message)| message);
        let events: Vec<Event> = later
            .filter_map(|message| {
                let target = webhook.target_for(kind, message.body.as_deref())?;
                let mut params = Builder::new(&self.account, kind, Origin::Rest { webhooks: true });
                params.message(&conversation.record, message);
                let lane = conversation.record.sid.into();
                Some(Event { kind: kind.as_str(), lane, targets: vec![target], params: params.finish() })
            })
            .collect();
        self.effects.events.extend(events);
    }

    pub(super) fn insert_scoped_webhook(
        &mut self,
        position: u64,
        fields: &ScopedWebhookFields,
    ) -> Result<ScopedWebhook, ApiError> {
        let target = fields.target(None)?;
        if self.at(position)?.webhooks.len() >= limits::MAX_SCOPED_WEBHOOKS {
            return Err(error::TOO_MANY_WEBHOOKS);
        }
        let now = self.now();
        let sid = self.random_sid(WebhookSid::from_random);
        let conversation = self.at_mut(position)?;
        let place = conversation.record.next_position;
        conversation.record.next_position = place.saturating_add(1);
        let webhook = ScopedWebhook {
            sid,
            conversation_sid: conversation.record.sid,
            position: place,
            target,
            date_created: now,
            date_updated: now,
        };
        conversation.webhooks.insert(place, webhook.clone());
        self.effects.dirty.extend([Key::Conversation(position), Key::Webhook(position, place)]);
        Ok(webhook)
    }

    pub(crate) fn update_scoped_webhook(
        &mut self,
        conversation: &str,
        webhook: &str,
        fields: &ScopedWebhookFields,
    ) -> Result<ScopedWebhook, ApiError> {
        let position = self.find(conversation)?;
        let mut new = self.scoped_webhook(conversation, webhook)?.clone();
        new.target = fields.target(Some(&new.target))?;
        new.date_updated = self.now();
        self.at_mut(position)?.webhooks.insert(new.position, new.clone());
        self.effects.dirty.insert(Key::Webhook(position, new.position));
        Ok(new)
    }

    pub(crate) fn remove_scoped_webhook(&mut self, conversation: &str, webhook: &str) -> Result<(), ApiError> {
        let position = self.find(conversation)?;
        let place = self.scoped_webhook(conversation, webhook)?.position;
        self.at_mut(position)?.webhooks.remove(&place);
        self.effects.dirty.insert(Key::Webhook(position, place));
        Ok(())
    }
}
