//! The carrier: messages go out to phones, and receipts come back in two steps, sent and delivered.

use trunkline_proto::sid::{ChannelMessageSid, ReceiptSid};

use super::address::Address;
use super::events::{EventType, Origin};
use super::paging::{Cursor, Order, Slice, slice};
use super::records::{Binding, DeliveryStatus, Direction, Message, PhoneMessage, Receipt};
use super::{Key, State};
use crate::error::ApiError;
use crate::webhooks::params::Builder;

/// A message on its way to one phone: the phone, and the line that waits to be `delivered`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    phone: String,
    line: u64,
}

impl State {
    pub(crate) fn list_receipts(
        &self,
        conversation: &str,
        message: &str,
        size: usize,
        cursor: Option<Cursor>,
    ) -> Result<(Message, Slice<Receipt>), ApiError> {
        let message = self.message(conversation, message)?;
        let page = slice(&message.receipts, Order::Ascending, size, cursor, |receipt| Some(receipt.clone()));
        Ok((message.clone(), page))
    }

    /// Sends a message to every phone in the conversation except its author's.
    pub(super) fn send_out(&mut self, position: u64, index: u64) {
        let Some(conversation) = self.conversations.get(&position) else { return };
        let Some(message) = conversation.messages.get(&index).cloned() else { return };
        let recipients: Vec<_> = conversation
            .participants
            .values()
            .filter(|one| Some(one.sid) != message.participant_sid)
            .filter_map(|one| Some((one.sid, one.binding.clone()?)))
            .collect();
        for (key, (participant_sid, binding)) in (0..).zip(recipients) {
            let now = self.now();
            let line = self.add_line(&binding.address, received(&message, &binding));
            let receipt = Receipt {
                sid: self.random_sid(ReceiptSid::from_random),
                channel_message_sid: self.channel_message_sid(!message.media.is_empty()),
                participant_sid,
                status: DeliveryStatus::Sent,
                phone_entry: line,
                date_created: now,
                date_updated: now,
            };
            self.set_receipt(position, index, key, &receipt, &binding.address);
            self.effects.deliveries.push(Delivery { phone: binding.address, line });
        }
    }

    /// A message arrived at a phone: line and receipt become `delivered`. The line does so even if message or
    /// participant are gone by now; nothing happens if it was delivered before.
    pub(crate) fn deliver(&mut self, delivery: &Delivery) {
        let Delivery { phone, line } = delivery;
        let waiting = self.phones.get(phone).and_then(|lines| lines.get(line));
        let Some(waiting) = waiting.filter(|line| line.status < DeliveryStatus::Delivered).cloned() else { return };
        self.set_line_status(phone, *line, DeliveryStatus::Delivered);
        let Some(position) = self.by_sid.get(&waiting.conversation_sid).copied() else { return };
        let message = self.conversations.get(&position).and_then(|one| one.message(waiting.message_sid));
        let Some(message) = message else { return };
        let receipt = message.receipts.iter().find(|(_, receipt)| receipt.phone_entry == *line);
        let Some((key, receipt)) = receipt else { return };
        let (index, key) = (message.index, *key);
        let receipt = Receipt { status: DeliveryStatus::Delivered, date_updated: self.now(), ..receipt.clone() };
        self.set_receipt(position, index, key, &receipt, phone);
        self.message_changed(position, index);
    }

    /// What was on its way when the emulator stopped.
    pub(super) fn undelivered(&self) -> Vec<Delivery> {
        let waiting = self.phones.iter().flat_map(|(phone, lines)| {
            let waits = lines.iter().filter(|(_, line)| line.status < DeliveryStatus::Delivered);
            waits.map(|(line, _)| Delivery { phone: phone.clone(), line: *line })
        });
        waiting.collect()
    }

    fn set_receipt(&mut self, position: u64, index: u64, key: u64, receipt: &Receipt, phone: &str) {
        let Some(conversation) = self.conversations.get_mut(&position) else { return };
        let Some(message) = conversation.messages.get_mut(&index) else { return };
        message.receipts.insert(key, receipt.clone());
        let message = message.clone();
        self.effects.dirty.insert(Key::Message(position, index));
        let origin = Origin::Channel(phone.parse::<Address>().map_or("SMS", |address| address.source()));
        self.emit(EventType::DeliveryUpdated, position, origin, None, |account, _| {
            let mut params = Builder::new(account, EventType::DeliveryUpdated, origin);
            params.delivery(account, &message, receipt, receipt.status);
            params.finish()
        });
    }

    /// `SM…`, or `MM…` for a message with files.
    pub(super) fn channel_message_sid(&mut self, has_media: bool) -> ChannelMessageSid {
        let sid = self.random_sid(ChannelMessageSid::from_random);
        let digits = sid.as_str().trim_start_matches("SM");
        if has_media { format!("MM{digits}").parse().unwrap_or(sid) } else { sid }
    }
}

fn received(message: &Message, binding: &Binding) -> PhoneMessage {
    PhoneMessage {
        direction: Direction::Received,
        from: binding.proxy_address.clone(),
        to: binding.address.clone(),
        body: message.body.clone(),
        media: message.media.clone(),
        status: DeliveryStatus::Sent,
        conversation_sid: message.conversation_sid,
        message_sid: message.sid,
        at: message.date_created,
    }
}
