//! Numbers without Conversations.

use trunkline_core::{Channel, ConfigError, ContactAddress};
use trunkline_proto::sid::MessagingServiceSid;

use super::Reader;
use super::table as key;

/// Numbers and senders without Conversations.
const MAX_NUMBERS: usize = 100;

/// Programmable Messaging: numbers without Conversations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessagingSettings {
    /// Our numbers, senders and Messaging Services whose messages are taken; empty for whichever are pointed here.
    pub numbers: Vec<String>,
    /// Whether numbers are pointed here at start.
    pub registers: bool,
}

impl MessagingSettings {
    /// Whether this address is known to be ours: nobody to answer.
    pub fn owns(&self, address: &str) -> bool {
        self.numbers.iter().any(|number| number == address)
    }

    /// Whether messages to this address of ours are taken.
    pub fn takes(&self, own: &str) -> bool {
        self.numbers.is_empty() || self.owns(own)
    }
}

pub(super) fn messaging(reader: &Reader, problems: &mut ConfigError) -> MessagingSettings {
    let text = reader.text_or_default(&key::MESSAGING_NUMBERS);
    let numbers: Vec<_> = text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect();
    let is_known = |own: &String| {
        let channel = ContactAddress::parse(own).map(|address| address.channel());
        own.parse::<MessagingServiceSid>().is_ok() || matches!(channel, Ok(Channel::Sms | Channel::Whatsapp))
    };
    if numbers.len() > MAX_NUMBERS || !numbers.iter().all(is_known) {
        let what = "must be numbers such as +15550001111, WhatsApp senders such as whatsapp:+15550001111, or Messaging \
                    Services (MG…), separated by commas, at most 100";
        problems.add(reader.name_of(&key::MESSAGING_NUMBERS), what);
    }
    let registers = reader.parsed(&key::REGISTER_MESSAGING, "true or false", problems);
    if registers && reader.text(&key::WEBHOOK_URL).is_none() {
        problems.add(reader.name_of(&key::REGISTER_MESSAGING), "needs TWILIO_WEBHOOK_URL: where messages are to come");
    }
    MessagingSettings { numbers, registers }
}
