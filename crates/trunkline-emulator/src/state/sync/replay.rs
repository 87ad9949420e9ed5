//! What a client missed: everything of an object with a later event than the client knows.

use super::super::State;
use super::changes::Change;
use super::views::message_item;
use super::{Item, Log, ObjectId};

/// The events after the one that a client knows, in their order.
#[derive(Debug)]
pub(crate) enum Replay {
    Changes(Vec<Change>),
    /// So much was removed meanwhile that the object has to be opened anew.
    Forgotten,
}

impl State {
    /// What happened to an object after an event.
    pub(crate) fn replay(&self, object: ObjectId, since: u64) -> Replay {
        if self.object_event(object) <= since {
            return Replay::Changes(Vec::new());
        }
        let changes = match object {
            ObjectId::Document(position) => Some(self.document_change(position).into_iter().collect()),
            ObjectId::Messages(position) => self.replay_messages(position, since),
            ObjectId::Conversations(_) | ObjectId::Info(_) | ObjectId::Roster(_) => self.replay_map(object, since),
        };
        let Some(mut changes) = changes else { return Replay::Forgotten };
        changes.sort_by_key(|change| change.id);
        Replay::Changes(changes)
    }

    fn replay_messages(&self, position: u64, since: u64) -> Option<Vec<Change>> {
        let conversation = self.conversations.get(&position)?;
        let object = ObjectId::Messages(position);
        let gone = conversation.removed.messages.since(since)?;
        let mut changes: Vec<_> =
            gone.map(|(event, index)| self.removal(object, event, &super::ItemKey::Index(index))).collect();
        let later = conversation.messages.values().filter(|message| message.log.changed > since);
        changes.extend(later.flat_map(|message| self.item_changes(object, message_item(message), since)));
        Some(changes)
    }

    fn replay_map(&self, object: ObjectId, since: u64) -> Option<Vec<Change>> {
        let mut changes: Vec<Change> = match object {
            ObjectId::Conversations(user) => {
                let gone = self.users.get(&user)?.left.since(since)?;
                gone.map(|(event, sid)| self.removal(object, event, &sid.as_str().into())).collect()
            }
            ObjectId::Roster(position) => {
                let gone = self.conversations.get(&position)?.removed.participants.since(since)?;
                gone.map(|(event, sid)| self.removal(object, event, &sid.as_str().into())).collect()
            }
            _ => Vec::new(),
        };
        let later = self.map_items(object).into_iter().filter(|item| item.log.changed > since);
        changes.extend(later.flat_map(|item| self.item_changes(object, item, since)));
        Some(changes)
    }

    /// An item that came and changed meanwhile is told at both places: among the others that came, it keeps its own.
    fn item_changes(&self, object: ObjectId, item: Item, since: u64) -> impl Iterator<Item = Change> {
        let Log { created, changed } = item.log;
        let came = (created > since).then(|| Item { log: Log::at(created), ..item.clone() });
        let update = (changed > created.max(since)).then_some(item);
        let came = came.map(|item| self.change(object, item, true));
        came.into_iter().chain(update.map(|item| self.change(object, item, false)))
    }
}
