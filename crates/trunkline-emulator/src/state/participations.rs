//! Where somebody takes part: by identity, or by an address of theirs.

use std::collections::BTreeMap;

use trunkline_proto::sid::{ServiceSid, UserSid};

use super::State;
use super::paging::{Cursor, Order, Slice, slice};
use super::records::{ConversationRecord, Participant};

/// Whose conversations are asked for.
#[derive(Debug, Clone)]
pub(crate) enum Who {
    Identity(String),
    Address(String),
}

impl Who {
    fn is(&self, participant: &Participant) -> bool {
        match self {
            Self::Identity(identity) => participant.identity.as_ref() == Some(identity),
            Self::Address(address) => {
                participant.binding.as_ref().is_some_and(|binding| binding.address == *address)
                    || participant.projected_address.as_ref() == Some(address)
            }
        }
    }
}

/// Somebody in a conversation.
#[derive(Debug, Clone)]
pub(crate) struct Participation {
    pub(crate) record: ConversationRecord,
    pub(crate) participant: Participant,
    pub(crate) user_sid: Option<UserSid>,
}

impl State {
    /// Oldest conversations first. Somebody who is in a conversation twice, by two of the account's numbers, is listed
    /// with the first.
    pub(crate) fn list_participations(
        &self,
        service: ServiceSid,
        who: &Who,
        size: usize,
        cursor: Option<Cursor>,
    ) -> Slice<Participation> {
        let found: BTreeMap<u64, Participation> = self
            .conversations
            .iter()
            .filter(|(_, conversation)| conversation.record.service_sid == service)
            .filter_map(|(position, conversation)| {
                let participant = conversation.participants.values().find(|one| who.is(one))?.clone();
                let identity = participant.identity.as_deref();
                let user = identity.and_then(|identity| self.identified(service, identity));
                let user_sid = user.and_then(|user| self.user_at(user)).map(|user| user.sid);
                Some((*position, Participation { record: conversation.record.clone(), participant, user_sid }))
            })
            .collect();
        slice(&found, Order::Ascending, size, cursor, |one| Some(one.clone()))
    }
}
