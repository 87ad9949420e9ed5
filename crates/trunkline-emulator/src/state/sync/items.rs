//! Reading the items of lists and maps, page by page.

use std::ops::Bound;

use jiff::Timestamp;
use serde_json::Value;

use super::super::State;
use super::super::paging::Order;
use super::views::message_item;
use super::{Item, ItemKey, ObjectId};
use crate::error::ApiError;

/// Which items are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ItemQuery {
    pub(crate) start: Start,
    pub(crate) order: Order,
    pub(crate) size: usize,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    /// At the end that the order begins with.
    End,
    /// At this key or index, itself included.
    From(String),
    /// Only this key or index.
    Only(String),
}

/// Items in the order that was asked for, and whether there are more on either side.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page {
    pub(crate) items: Vec<Item>,
    pub(crate) before: bool,
    pub(crate) after: bool,
}

impl State {
    /// A page of an object's items.
    pub(crate) fn items(&self, object: ObjectId, query: &ItemQuery) -> Result<Page, ApiError> {
        let wanted = query.size.saturating_add(1);
        if let ObjectId::Messages(position) = object {
            return self.message_page(position, query, wanted);
        }
        let mut all = self.map_items(object);
        all.sort_by(|a, b| a.key.to_string().encode_utf16().cmp(b.key.to_string().encode_utf16()));
        if query.order == Order::Descending {
            all.reverse();
        }
        let total = all.len();
        let mut rest: Vec<Item> = match &query.start {
            Start::End => all,
            Start::Only(key) => all.into_iter().filter(|item| item.key.to_string() == *key).collect(),
            Start::From(key) => {
                let comes_before = |item: &Item| match query.order {
                    Order::Ascending => item.key.to_string() < *key,
                    Order::Descending => item.key.to_string() > *key,
                };
                all.into_iter().skip_while(comes_before).collect()
            }
        };
        let before = !matches!(query.start, Start::Only(_)) && rest.len() < total;
        let after = rest.len() >= wanted;
        rest.truncate(query.size);
        Ok(Page { items: rest, before, after })
    }

    /// All items of a map, in no order.
    pub(super) fn map_items(&self, object: ObjectId) -> Vec<Item> {
        match object {
            ObjectId::Conversations(user) => self
                .memberships(user)
                .filter_map(|(position, participant)| {
                    Some(self.own_item(position, self.conversations.get(&position)?, participant))
                })
                .collect(),
            ObjectId::Info(user) => self.users.get(&user).map_or_else(Vec::new, |user| {
                let keys = [super::super::users::ATTRIBUTES, super::super::users::FRIENDLY_NAME];
                keys.into_iter().filter_map(|key| user.info_item(key)).collect()
            }),
            ObjectId::Roster(position) => self.conversations.get(&position).map_or_else(Vec::new, |conversation| {
                conversation.participants.values().map(|participant| self.roster_item(participant)).collect()
            }),
            ObjectId::Document(_) | ObjectId::Messages(_) => Vec::new(),
        }
    }

    fn message_page(&self, position: u64, query: &ItemQuery, wanted: usize) -> Result<Page, ApiError> {
        let messages = &self.at(position)?.messages;
        let index = |text: &str| text.parse::<u64>().map_err(|_| ApiError::parameter("From or Index"));
        let range = match (&query.start, query.order) {
            (Start::End, _) => (Bound::Unbounded, Bound::Unbounded),
            (Start::Only(text), _) => {
                let index = index(text)?;
                (Bound::Included(index), Bound::Included(index))
            }
            (Start::From(text), Order::Ascending) => (Bound::Included(index(text)?), Bound::Unbounded),
            (Start::From(text), Order::Descending) => (Bound::Unbounded, Bound::Included(index(text)?)),
        };
        let found = messages.range(range);
        let mut items: Vec<Item> = match query.order {
            Order::Ascending => found.take(wanted).map(|(_, message)| message_item(message)).collect(),
            Order::Descending => found.rev().take(wanted).map(|(_, message)| message_item(message)).collect(),
        };
        let after = items.len() >= wanted;
        items.truncate(query.size);
        let edge = match query.order {
            Order::Ascending => messages.first_key_value(),
            Order::Descending => messages.last_key_value(),
        };
        let first = items.first().map(|item| item.key.clone());
        let before = !matches!(query.start, Start::Only(_))
            && match (first, edge) {
                (Some(ItemKey::Index(first)), Some((edge, _))) => first != *edge,
                (None, Some(_)) => true,
                _ => false,
            };
        Ok(Page { items, before, after })
    }

    /// When an object was made and when it was changed last.
    pub(crate) fn object_dates(&self, object: ObjectId) -> [Timestamp; 2] {
        let dates = match object {
            ObjectId::Conversations(user) | ObjectId::Info(user) => {
                self.users.get(&user).map(|user| [user.date_created, user.date_updated])
            }
            ObjectId::Document(position) | ObjectId::Messages(position) | ObjectId::Roster(position) => {
                self.conversations.get(&position).map(|one| [one.record.date_created, one.record.date_updated])
            }
        };
        dates.unwrap_or_default()
    }

    /// The data of a document; an empty object for what is none.
    pub(crate) fn object_data(&self, object: ObjectId) -> Value {
        let data = match object {
            ObjectId::Document(position) => self.document_data(position),
            _ => None,
        };
        data.unwrap_or_else(|| Value::Object(serde_json::Map::new()))
    }
}
