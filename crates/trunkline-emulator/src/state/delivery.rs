//! The carrier: messages go out to phones, and receipts come back as the phones say: sent, then delivered, read or
//! undelivered, or failed without having been sent.

use trunkline_proto::sid::{ChannelMessageSid, ReceiptSid};

use super::address::Address;
use super::events::{EventType, Origin};
use super::paging::{Cursor, Order, Slice, slice};
use super::receiving::ReceivingRule;
use super::records::{Binding, DeliveryStatus, Direction, Message, PhoneMessage, Receipt};
use super::{Key, State};
use crate::error::{self, ApiError};
use crate::webhooks::params::Builder;

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// One of Programmable Messaging waits to be sent, by its position.
    Send(u64),
    /// To a phone, whose line waits to be told what became of it.
    Arrive { phone: String, line: u64 },
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
            .filter_map(|one| Some((one.sid, one.binding.clone().filter(Binding::is_whole)?)))
            .collect();
        for (key, (participant_sid, binding)) in (0..).zip(recipients) {
            let now = self.now();
            let is_template = message.content_sid.is_some();
            let error_code = self.refusal(&binding.address, &binding.proxy_address, &message.media, is_template);
            let status = if error_code.is_some() { DeliveryStatus::Failed } else { DeliveryStatus::Sent };
            let line = self.add_line(&binding.address, received(&message, &binding, status, error_code));
            let receipt = Receipt {
                sid: self.random_sid(ReceiptSid::from_random),
                channel_message_sid: self.channel_message_sid(!message.media.is_empty()),
                participant_sid,
                status,
                error_code: error_code.unwrap_or_default(),
                phone_entry: line,
                date_created: now,
                date_updated: now,
            };
            self.set_receipt(position, index, key, &receipt, &binding.address);
            if error_code.is_none() {
                self.effects.deliveries.push(Delivery::Arrive { phone: binding.address, line });
            }
        }
    }

    /// A message goes on: it is sent, or it arrives and what the phone does with it becomes of it. Nothing happens if it
    /// is not on its way any more.
    pub(crate) fn deliver(&mut self, delivery: &Delivery) {
        let (phone, line) = match delivery {
            Delivery::Send(position) => return self.send_channel_message(*position),
            Delivery::Arrive { phone, line } => (phone, *line),
        };
        let waiting = self.phones.get(phone).and_then(|lines| lines.get(&line));
        if waiting.is_none_or(|line| line.status != DeliveryStatus::Sent) {
            return;
        }
        match self.receiving(phone).rule {
            ReceivingRule::Hold => {}
            // What fails did so before it was sent; the rule is newer than the message.
            ReceivingRule::Deliver | ReceivingRule::Failed => self.settle(phone, line, DeliveryStatus::Delivered, None),
            ReceivingRule::Read => {
                self.settle(phone, line, DeliveryStatus::Delivered, None);
                self.settle(phone, line, DeliveryStatus::Read, None);
            }
            ReceivingRule::Undelivered => {
                let code = self.receiving(phone).error_code.unwrap_or(UNDELIVERED);
                self.settle(phone, line, DeliveryStatus::Undelivered, Some(code));
            }
        }
    }

    /// Somebody at a phone says what became of a message that it got.
    pub(crate) fn report(
        &mut self,
        phone: &str,
        message_sid: &str,
        status: DeliveryStatus,
        error_code: Option<u32>,
    ) -> Result<PhoneMessage, ApiError> {
        let missing = || ApiError::not_found(&format!("/phones/{phone}/messages/{message_sid}"));
        let lines = self.phones.get(phone).ok_or_else(missing)?;
        let found = lines
            .iter()
            .rev()
            .find(|(_, line)| line.direction == Direction::Received && line.message_sid.as_str() == message_sid);
        let (line, before) = found.map(|(line, message)| (*line, message.status)).ok_or_else(missing)?;
        if !before.can_become(status) {
            return Err(error::NOT_ON_ITS_WAY);
        }
        let has_code = matches!(status, DeliveryStatus::Failed | DeliveryStatus::Undelivered);
        self.settle(phone, line, status, has_code.then(|| error_code.unwrap_or(UNDELIVERED)));
        self.phones.get(phone).and_then(|lines| lines.get(&line)).cloned().ok_or_else(missing)
    }

    /// Line, receipt and message move on. The line does so even if message or participant are gone by now.
    fn settle(&mut self, phone: &str, line: u64, status: DeliveryStatus, error_code: Option<u32>) {
        let Some(told) = self.set_line_status(phone, line, status, error_code) else { return };
        let Some(conversation) = told.conversation_sid else {
            return self.channel_message_settled(&told, status, error_code);
        };
        let Some(position) = self.by_sid.get(&conversation).copied() else { return };
        let Ok(sid) = told.message_sid.try_into() else { return };
        let Some(message) = self.conversations.get(&position).and_then(|one| one.message(sid)) else { return };
        let receipt = message.receipts.iter().find(|(_, receipt)| receipt.phone_entry == line);
        let Some((key, receipt)) = receipt else { return };
        let (index, key) = (message.index, *key);
        let error_code = error_code.unwrap_or_default();
        let receipt = Receipt { status, error_code, date_updated: self.now(), ..receipt.clone() };
        self.set_receipt(position, index, key, &receipt, phone);
        self.message_changed(position, index);
    }

    /// What was on its way when the emulator stopped.
    pub(super) fn undelivered(&self) -> Vec<Delivery> {
        let arriving = self.phones.iter().flat_map(|(phone, lines)| {
            let waits = lines.iter().filter(|(_, line)| line.status == DeliveryStatus::Sent);
            waits.map(|(line, _)| Delivery::Arrive { phone: phone.clone(), line: *line })
        });
        self.unsent().chain(arriving).collect()
    }

    fn set_receipt(&mut self, position: u64, index: u64, key: u64, receipt: &Receipt, phone: &str) {
        let Some(conversation) = self.conversations.get_mut(&position) else { return };
        let Some(message) = conversation.messages.get_mut(&index) else { return };
        message.receipts.insert(key, receipt.clone());
        let message = message.clone();
        self.effects.dirty.insert(Key::Message(position, index));
        let origin = Origin::Channel(phone.parse::<Address>().map_or("SMS", |address| address.source()));
        self.emit(EventType::DeliveryUpdated, position, origin, None, |account, conversation| {
            let mut params = Builder::new(account, EventType::DeliveryUpdated, origin);
            params.delivery(conversation.record.service_sid, &message, receipt);
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

fn received(message: &Message, binding: &Binding, status: DeliveryStatus, error_code: Option<u32>) -> PhoneMessage {
    PhoneMessage {
        direction: Direction::Received,
        from: binding.proxy_address.clone(),
        to: binding.address.clone(),
        body: message.body.clone(),
        media: message.media.clone(),
        status,
        error_code,
        conversation_sid: Some(message.conversation_sid),
        message_sid: message.sid.into(),
        at: message.date_created,
    }
}

/// What a message that a phone does not take is told: an unknown error.
pub(super) const UNDELIVERED: u32 = 30008;
