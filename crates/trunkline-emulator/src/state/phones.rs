//! Phones: what each one sent and got, in order. A phone exists as soon as something happened on it.

use super::limits;
use super::records::{DeliveryStatus, PhoneMessage};
use super::{Key, State};

/// One phone in the list of phones.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct PhoneSummary {
    pub(crate) address: String,
    pub(crate) sent: usize,
    pub(crate) received: usize,
}

impl State {
    /// Everything on one phone, oldest first. Empty for a phone that nobody used.
    pub(crate) fn phone(&self, address: &str) -> Vec<PhoneMessage> {
        self.phones.get(address).map(|lines| lines.values().cloned().collect()).unwrap_or_default()
    }

    pub(crate) fn phones(&self) -> Vec<PhoneSummary> {
        let summary = |(address, lines): (&String, &std::collections::BTreeMap<u64, PhoneMessage>)| {
            let sent = lines.values().filter(|line| line.direction == super::records::Direction::Sent).count();
            PhoneSummary { address: address.clone(), sent, received: lines.len().saturating_sub(sent) }
        };
        self.phones.iter().map(summary).collect()
    }

    /// Adds a line to a phone and returns its position. The oldest line goes when there are too many.
    pub(super) fn add_line(&mut self, address: &str, line: PhoneMessage) -> u64 {
        let position = self.position();
        let lines = self.phones.entry(address.to_owned()).or_default();
        lines.insert(position, line.clone());
        if lines.len() > limits::MAX_LINES_PER_PHONE
            && let Some((oldest, _)) = lines.pop_first()
        {
            self.effects.dirty.insert(Key::Line(address.to_owned(), oldest));
        }
        self.effects.dirty.insert(Key::Line(address.to_owned(), position));
        self.effects.phone_lines.push((address.to_owned(), line));
        position
    }

    /// What a line says of its message changes; the line as it is now.
    pub(super) fn set_line_status(
        &mut self,
        address: &str,
        position: u64,
        status: DeliveryStatus,
        error_code: Option<u32>,
    ) -> Option<PhoneMessage> {
        let line = self.phones.get_mut(address)?.get_mut(&position)?;
        line.status = status;
        line.error_code = error_code;
        let line = line.clone();
        self.effects.dirty.insert(Key::Line(address.to_owned(), position));
        self.effects.phone_lines.push((address.to_owned(), line.clone()));
        Some(line)
    }
}
