//! Programmable Messaging: messages of the API of 2010-04-01, out and in, each a record of its own.
//!
//! A message from a person has a record whether or not it also went into a conversation. Messages that go out of
//! conversations have none; their receipts name a SID that only the phone knows.

mod create;
mod inbound;
mod keywords;
mod record;
mod telling;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use trunkline_proto::sid::ChannelMessageSid;

pub(crate) use self::create::ChannelMessageFields;
pub(crate) use self::inbound::Reply;
pub(crate) use self::record::{ChannelMessage, MessageStatus};
use super::delivery::Delivery;
use super::limits;
use super::paging::{Cursor, Order, Slice, slice};
use super::records::{DeliveryStatus, Direction, MediaRef, PhoneMessage};
use super::{Key, State};
use crate::error::{self, ApiError};

/// All messages, and who wants none.
#[derive(Debug, Default)]
pub(super) struct Messaging {
    pub(super) messages: BTreeMap<u64, ChannelMessage>,
    pub(super) by_sid: HashMap<ChannelMessageSid, u64>,
    /// (person, the account's address)
    pub(super) opted_out: BTreeSet<(String, String)>,
}

/// Which messages a list shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChannelMessageFilter {
    pub(crate) to: Option<String>,
    pub(crate) from: Option<String>,
    /// Sent at or after this time.
    pub(crate) since: Option<Timestamp>,
    /// Sent before this time.
    pub(crate) until: Option<Timestamp>,
}

impl ChannelMessageFilter {
    fn shows(&self, message: &ChannelMessage) -> bool {
        let same = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        let sent = message.date_sent;
        same(&self.to, &message.to)
            && same(&self.from, &message.from)
            && self.since.is_none_or(|since| sent.is_some_and(|sent| sent >= since))
            && self.until.is_none_or(|until| sent.is_some_and(|sent| sent < until))
    }
}

impl State {
    /// The newest messages first.
    pub(crate) fn list_channel_messages(
        &self,
        filter: &ChannelMessageFilter,
        size: usize,
        cursor: Option<Cursor>,
    ) -> Slice<ChannelMessage> {
        slice(&self.messaging.messages, Order::Descending, size, cursor, |message| {
            filter.shows(message).then(|| message.clone())
        })
    }

    pub(crate) fn channel_message(&self, sid: &str) -> Result<&ChannelMessage, ApiError> {
        let position = sid.parse().ok().and_then(|sid| self.messaging.by_sid.get(&sid));
        let found = position.and_then(|position| self.messaging.messages.get(position));
        found.ok_or_else(|| ApiError::not_found(&format!("/Messages/{sid}.json")))
    }

    /// Takes the text of a message that is over away, or a scheduled one back.
    pub(crate) fn update_channel_message(
        &mut self,
        sid: &str,
        body: Option<&str>,
        status: Option<&str>,
    ) -> Result<ChannelMessage, ApiError> {
        let mut message = self.channel_message(sid)?.clone();
        match status {
            None => {}
            Some("canceled") if message.status == MessageStatus::Scheduled => {
                message.status = MessageStatus::Canceled;
                self.unschedule(&message);
            }
            Some("canceled") => return Err(error::CANNOT_CANCEL),
            Some(_) => return Err(ApiError::parameter("Status")),
        }
        match body {
            None => {}
            Some("") if message.status.is_final() => message.body = Some(String::new()),
            Some("") => return Err(error::MESSAGE_NOT_FINAL),
            Some(_) => return Err(error::ONLY_REDACTION),
        }
        message.date_updated = self.now();
        self.put_channel_message(message.clone());
        if status.is_some() {
            self.tell_status(&message);
        }
        Ok(message)
    }

    pub(crate) fn delete_channel_message(&mut self, sid: &str) -> Result<(), ApiError> {
        let message = self.channel_message(sid)?.clone();
        if !message.status.is_final() {
            return Err(error::MESSAGE_NOT_FINAL);
        }
        self.forget_channel_message(message.position);
        Ok(())
    }

    pub(crate) fn set_feedback(&mut self, sid: &str, outcome: String) -> Result<ChannelMessage, ApiError> {
        let mut message = self.channel_message(sid)?.clone();
        message.feedback = Some(outcome);
        message.date_updated = self.now();
        self.put_channel_message(message.clone());
        Ok(message)
    }

    /// One file of a message.
    pub(crate) fn channel_media(&self, sid: &str, media: &str) -> Result<(&ChannelMessage, &MediaRef), ApiError> {
        let message = self.channel_message(sid)?;
        let found = message.media.iter().find(|file| file.sid.as_str() == media);
        let missing = || ApiError::not_found(&format!("/Messages/{sid}/Media/{media}.json"));
        found.map(|file| (message, file)).ok_or_else(missing)
    }

    /// Takes a file away from a message, and its bytes with it.
    pub(crate) fn delete_channel_media(&mut self, sid: &str, media: &str) -> Result<(), ApiError> {
        let (mut message, media) = self.channel_media(sid, media).map(|(message, file)| (message.clone(), file.sid))?;
        message.media.retain(|file| file.sid != media);
        message.date_updated = self.now();
        self.put_channel_message(message);
        self.remove_media(media);
        Ok(())
    }

    /// Keeps a new message; the oldest that is over goes when there are too many.
    pub(super) fn insert_channel_message(&mut self, message: ChannelMessage) {
        if self.messaging.messages.len() >= limits::MAX_CHANNEL_MESSAGES {
            let over = self.messaging.messages.values().find(|one| one.status.is_final());
            if let Some(position) = over.map(|one| one.position) {
                self.forget_channel_message(position);
            }
        }
        self.index_channel_message(message.clone());
        self.put_channel_message(message);
    }

    pub(super) fn index_channel_message(&mut self, message: ChannelMessage) {
        self.messaging.by_sid.insert(message.sid, message.position);
        self.messaging.messages.insert(message.position, message);
    }

    pub(super) fn put_channel_message(&mut self, message: ChannelMessage) {
        self.effects.dirty.insert(Key::ChannelMessage(message.position));
        self.messaging.messages.insert(message.position, message);
    }

    fn forget_channel_message(&mut self, position: u64) {
        if let Some(gone) = self.messaging.messages.remove(&position) {
            self.messaging.by_sid.remove(&gone.sid);
            self.effects.dirty.insert(Key::ChannelMessage(position));
            for file in gone.media {
                self.remove_media(file.sid);
            }
        }
    }

    /// What waits to be sent.
    pub(super) fn unsent(&self) -> impl Iterator<Item = Delivery> {
        let waits = |message: &&ChannelMessage| message.status.is_waiting();
        self.messaging.messages.values().filter(waits).map(|message| Delivery::Send(message.position))
    }

    /// Hands a message to the carrier.
    pub(super) fn send_channel_message(&mut self, position: u64) {
        let Some(mut message) = self.messaging.messages.get(&position).cloned() else { return };
        if !message.status.is_waiting() {
            return;
        }
        let now = self.now();
        let is_late = message.valid_until.is_some_and(|until| now > until);
        let expired = is_late.then_some(error::QUEUE_EXPIRED);
        let refusal = || {
            self.refusal(
                &message.to,
                &message.from,
                &message.media,
                message.content_sid.is_some() || message.is_service_text,
            )
        };
        message.error_code = message.error_code.or(expired).or_else(refusal);
        message.date_updated = now;
        if message.error_code.is_some() {
            message.status = MessageStatus::Failed;
        } else {
            message.status = MessageStatus::Sent;
            message.date_sent = Some(now);
        }
        let status = if message.error_code.is_some() { DeliveryStatus::Failed } else { DeliveryStatus::Sent };
        let line = self.add_line(&message.to, message.line(Direction::Received, status));
        self.put_channel_message(message.clone());
        self.tell_status(&message);
        if status == DeliveryStatus::Sent {
            self.effects.deliveries.push(Delivery::Arrive { phone: message.to, line });
        }
    }

    /// A message's line says what became of it.
    pub(super) fn channel_message_settled(
        &mut self,
        line: &PhoneMessage,
        status: DeliveryStatus,
        error_code: Option<u32>,
    ) {
        let Ok(mut message) = self.channel_message(line.message_sid.as_str()).cloned() else { return };
        message.status = status.into();
        message.error_code = error_code;
        message.date_updated = self.now();
        self.put_channel_message(message.clone());
        self.tell_status(&message);
    }
}

/// Longest and shortest time from now that a message may be scheduled for.
const SCHEDULE_FROM: SignedDuration = SignedDuration::from_mins(5);
const SCHEDULE_UNTIL: SignedDuration = SignedDuration::from_hours(35 * 24);
