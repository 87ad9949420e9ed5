//! What happens by itself: timers of conversations, and messages that were scheduled.
//!
//! The [`Agenda`] knows when the next thing is due; the state's owner waits until then by the emulator's clock, which may
//! be advanced by hand.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;

use super::State;
use super::delivery::Delivery;
use super::events::{EventType, Origin};
use super::messaging::{ChannelMessage, MessageStatus};
use super::records::ConversationState;
use crate::error::ApiError;
use crate::webhooks::params::Builder;

/// Something that is due at a time, by its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Due {
    Conversation(u64),
    Message(u64),
}

/// What is due, and when.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    by_time: BTreeSet<(Timestamp, Due)>,
    times: HashMap<Due, Timestamp>,
}

impl Agenda {
    fn set(&mut self, due: Due, at: Option<Timestamp>) {
        if let Some(before) = self.times.remove(&due) {
            self.by_time.remove(&(before, due));
        }
        if let Some(at) = at {
            self.times.insert(due, at);
            self.by_time.insert((at, due));
        }
    }

    fn pop(&mut self, now: Timestamp) -> Option<(Timestamp, Due)> {
        let first = *self.by_time.first().filter(|(at, _)| *at <= now)?;
        self.set(first.1, None);
        Some(first)
    }
}

impl State {
    /// How long until something happens by itself, by the emulator's clock. At least a millisecond and at most an hour:
    /// then the owner looks again.
    pub(crate) fn until_due(&self) -> Option<Duration> {
        let (at, _) = self.agenda.by_time.first()?;
        let left = at.duration_since(self.now());
        let left = Duration::try_from(left).unwrap_or_default();
        Some(left.clamp(SHORTEST_WAIT, LONGEST_WAIT))
    }

    /// Puts the clock forward or back; what is due by then has happened when this returns.
    pub(crate) fn shift_clock(&mut self, offset_ms: i64) -> Result<(), ApiError> {
        if !self.clock.shift(offset_ms) {
            return Err(ApiError::parameter("the time is too far away"));
        }
        self.run_due();
        Ok(())
    }

    /// Lets everything happen that is due by now, in its order.
    pub(crate) fn run_due(&mut self) {
        let now = self.now();
        while let Some((at, due)) = self.agenda.pop(now) {
            match due {
                Due::Conversation(position) => self.time_is_up(position, at),
                Due::Message(position) => self.send_scheduled(position),
            }
        }
    }

    /// Plans what is next for a conversation, after anything about it changed.
    pub(super) fn plan_conversation(&mut self, position: u64) {
        let next = self.conversations.get(&position).and_then(|conversation| {
            let (inactive, closed) = conversation.record.timer_dates();
            inactive.into_iter().chain(closed).min()
        });
        self.agenda.set(Due::Conversation(position), next);
    }

    pub(super) fn schedule(&mut self, message: &ChannelMessage, at: Timestamp) {
        self.agenda.set(Due::Message(message.position), Some(at));
    }

    pub(super) fn unschedule(&mut self, message: &ChannelMessage) {
        self.agenda.set(Due::Message(message.position), None);
    }

    /// Plans everything anew, after a start.
    pub(super) fn plan_everything(&mut self) {
        for position in self.conversations.keys().copied().collect::<Vec<_>>() {
            self.plan_conversation(position);
        }
        let scheduled = self.messaging.messages.values().filter(|one| one.status == MessageStatus::Scheduled);
        for message in scheduled.cloned().collect::<Vec<_>>() {
            if let Some(at) = message.send_at {
                self.schedule(&message, at);
            }
        }
    }

    /// A timer of a conversation ran out at `at`: the change is of that time, however late it is made.
    fn time_is_up(&mut self, position: u64, at: Timestamp) {
        let Some(conversation) = self.conversations.get_mut(&position) else { return };
        let record = &mut conversation.record;
        let (_, closed) = record.timer_dates();
        let before = record.state;
        let is_closed = closed.is_some_and(|closed| closed <= at);
        record.state = if is_closed { ConversationState::Closed } else { ConversationState::Inactive };
        record.timers_from = record.timers_from.or(Some(record.date_updated));
        record.date_updated = at;
        if is_closed {
            self.unbind_all(position);
        }
        self.plan_conversation(position);
        self.document_changed(position);
        self.emit(EventType::ConversationStateUpdated, position, Origin::Timer, None, |account, conversation| {
            let mut params = Builder::new(account, EventType::ConversationStateUpdated, Origin::Timer);
            params.state_change(&conversation.record, before, "TIMER");
            params.finish()
        });
    }

    fn send_scheduled(&mut self, position: u64) {
        let Some(message) = self.messaging.messages.get(&position) else { return };
        let message = ChannelMessage { status: MessageStatus::Queued, date_updated: self.now(), ..message.clone() };
        self.put_channel_message(message);
        self.effects.deliveries.push(Delivery::Send(position));
    }
}

const SHORTEST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_hours(1);
