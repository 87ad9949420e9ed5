//! Names and SIDs of Sync objects.

use trunkline_proto::sid::{ConversationSid, UserSid};
use trunkline_proto::sync::ObjectKind;

use super::super::State;
use crate::error::ApiError;

/// One Sync object, by the position of its user or conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ObjectId {
    /// A user's conversations.
    Conversations(u64),
    /// A user's name and attributes.
    Info(u64),
    /// A conversation.
    Document(u64),
    /// Its messages.
    Messages(u64),
    /// Its participants.
    Roster(u64),
}

impl ObjectId {
    pub(crate) fn kind(self) -> ObjectKind {
        match self {
            Self::Document(_) => ObjectKind::Document,
            Self::Messages(_) => ObjectKind::List,
            Self::Conversations(_) | Self::Info(_) | Self::Roster(_) => ObjectKind::Map,
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Conversations(_) => CONVERSATIONS,
            Self::Info(_) => INFO,
            Self::Document(_) => DOCUMENT,
            Self::Messages(_) => MESSAGES,
            Self::Roster(_) => ROSTER,
        }
    }
}

/// A kind as the names of events and their fields begin.
pub(super) fn word(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Map => "map",
        ObjectKind::List => "list",
        ObjectKind::Document => "document",
    }
}

impl State {
    /// The name of an object, such as `CH….roster`. Empty if there is none.
    pub(crate) fn object_name(&self, object: ObjectId) -> String {
        self.owner_sid(object).map(|sid| format!("{sid}.{}", object.suffix())).unwrap_or_default()
    }

    /// The Sync SID of an object: the digits of its user or conversation behind a prefix of Sync, turned for the one
    /// map that would otherwise have the SID of another. Empty if there is none.
    pub(crate) fn object_sid(&self, object: ObjectId) -> String {
        let Some(owner) = self.owner_sid(object) else { return String::new() };
        let digits = owner.trim_start_matches(|letter: char| letter.is_ascii_uppercase());
        match object {
            ObjectId::Document(_) => format!("ET{digits}"),
            ObjectId::Messages(_) => format!("ES{digits}"),
            ObjectId::Conversations(_) | ObjectId::Roster(_) => format!("MP{digits}"),
            ObjectId::Info(_) => format!("MP{}", digits.chars().rev().collect::<String>()),
        }
    }

    fn owner_sid(&self, object: ObjectId) -> Option<&str> {
        match object {
            ObjectId::Conversations(user) | ObjectId::Info(user) => self.users.get(&user).map(|user| user.sid.as_str()),
            ObjectId::Document(position) | ObjectId::Messages(position) | ObjectId::Roster(position) => {
                self.conversations.get(&position).map(|one| one.record.sid.as_str())
            }
        }
    }

    /// The object of a kind with this name or Sync SID.
    pub(crate) fn object(&self, kind: ObjectKind, id: &str) -> Result<ObjectId, ApiError> {
        let found = match id.split_once('.') {
            Some((owner, suffix)) => self.object_by_name(owner, suffix),
            None => self.object_by_sid(id),
        };
        found
            .filter(|object| object.kind() == kind)
            .ok_or_else(|| ApiError::not_found(&format!("/{}/{id}", kind.collection())))
    }

    fn object_by_name(&self, owner: &str, suffix: &str) -> Option<ObjectId> {
        let user = || owner.parse().ok().and_then(|sid: UserSid| self.user_sids.get(&sid)).copied();
        let conversation = || owner.parse().ok().and_then(|sid: ConversationSid| self.by_sid.get(&sid)).copied();
        Some(match suffix {
            CONVERSATIONS => ObjectId::Conversations(user()?),
            INFO => ObjectId::Info(user()?),
            DOCUMENT => ObjectId::Document(conversation()?),
            MESSAGES => ObjectId::Messages(conversation()?),
            ROSTER => ObjectId::Roster(conversation()?),
            _ => return None,
        })
    }

    fn object_by_sid(&self, sid: &str) -> Option<ObjectId> {
        let (prefix, digits) = sid.split_at_checked(2)?;
        let conversation = || self.by_sid.get(&format!("CH{digits}").parse().ok()?).copied();
        let user = |digits: &str| self.user_sids.get(&format!("US{digits}").parse().ok()?).copied();
        match prefix {
            "ET" => conversation().map(ObjectId::Document),
            "ES" => conversation().map(ObjectId::Messages),
            "MP" => conversation()
                .map(ObjectId::Roster)
                .or_else(|| user(digits).map(ObjectId::Conversations))
                .or_else(|| user(&digits.chars().rev().collect::<String>()).map(ObjectId::Info)),
            _ => None,
        }
    }

    /// The last event of an object.
    pub(crate) fn object_event(&self, object: ObjectId) -> u64 {
        let record = |position: u64| self.conversations.get(&position).map(|one| one.record.log).unwrap_or_default();
        match object {
            ObjectId::Conversations(user) => self.users.get(&user).map_or(0, |user| user.conversations_event),
            ObjectId::Info(user) => {
                self.users.get(&user).map_or(0, |user| user.name_log.changed.max(user.attributes_log.changed))
            }
            ObjectId::Document(position) => record(position).document,
            ObjectId::Messages(position) => record(position).messages,
            ObjectId::Roster(position) => record(position).roster,
        }
    }
}

const CONVERSATIONS: &str = "channels";
const INFO: &str = "info";
const DOCUMENT: &str = "channel";
const MESSAGES: &str = "messages";
const ROSTER: &str = "roster";
