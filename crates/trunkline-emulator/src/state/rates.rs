//! How many changes a service and a conversation take in a second, if [`Rules`](super::Rules) limit them.
//!
//! Source: Twilio's page on limits: per service for conversations, users and roles, per conversation for the rest. Only
//! REST and clients are counted.

use std::collections::HashMap;

use jiff::Timestamp;
use trunkline_proto::sid::{AnySid, ServiceSid};

use super::State;
use super::events::Origin;
use super::mutation::Mutation;
use crate::error::{self, ApiError};

/// Changes of this second, by service or conversation.
#[derive(Debug, Default)]
pub(super) struct Rates {
    second: i64,
    counts: HashMap<AnySid, u32>,
}

impl Rates {
    /// Counts a change; `false` if there were enough in this second.
    fn count(&mut self, of: AnySid, limit: u32, now: Timestamp) -> bool {
        if now.as_second() != self.second {
            *self = Self { second: now.as_second(), counts: HashMap::new() };
        }
        let count = self.counts.entry(of).or_default();
        *count = count.saturating_add(1);
        *count <= limit
    }
}

impl State {
    pub(super) fn check_rate(&mut self, mutation: &Mutation, origin: Origin) -> Result<(), ApiError> {
        let Some(limit) = self.rules.mutations_per_second else { return Ok(()) };
        if !matches!(origin, Origin::Rest { .. } | Origin::Sdk { .. }) {
            return Ok(());
        }
        let now = self.now();
        let service = |of: Option<ServiceSid>| of.unwrap_or_else(|| self.default_service());
        let (of, refusal): (AnySid, _) = match mutation {
            Mutation::CreateConversation(fields) => (service(fields.service_sid).into(), error::SERVICE_RATE),
            Mutation::DeleteConversation { conversation } => {
                (self.conversation(conversation)?.record.service_sid.into(), error::SERVICE_RATE)
            }
            Mutation::UpdateUser { user, .. } => (self.user(user)?.service_sid.into(), error::SERVICE_RATE),
            Mutation::UpdateConversation { conversation, .. }
            | Mutation::AddParticipant { conversation, .. }
            | Mutation::UpdateParticipant { conversation, .. }
            | Mutation::RemoveParticipant { conversation, .. }
            | Mutation::CreateMessage { conversation, .. }
            | Mutation::UpdateMessage { conversation, .. }
            | Mutation::RemoveMessage { conversation, .. } => {
                (self.conversation(conversation)?.record.sid.into(), error::CONVERSATION_RATE)
            }
            Mutation::Text(_) => return Ok(()),
        };
        if self.rates.count(of, limit, now) { Ok(()) } else { Err(refusal) }
    }

    /// Counts a change of a service that is no [`Mutation`]: of its users and roles.
    pub(super) fn check_service_rate(&mut self, service: ServiceSid) -> Result<(), ApiError> {
        let Some(limit) = self.rules.mutations_per_second else { return Ok(()) };
        let now = self.now();
        if self.rates.count(service.into(), limit, now) { Ok(()) } else { Err(error::SERVICE_RATE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_begins_anew() {
        let mut rates = Rates::default();
        let service = ServiceSid::from_random([1; 16]).into();
        let other = ServiceSid::from_random([2; 16]).into();
        let at = |millisecond| Timestamp::from_millisecond(millisecond).unwrap();
        assert!(rates.count(service, 2, at(1_000)) && rates.count(service, 2, at(1_900)));
        assert!(!rates.count(service, 2, at(1_999)) && rates.count(other, 2, at(1_999)));
        assert!(rates.count(service, 2, at(2_000)));
    }
}
