//! Addresses of people and senders: a telephone number, or one behind `whatsapp:`.

use std::fmt;
use std::str::FromStr;

/// An address on a channel, kept as Twilio writes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Address {
    /// `+15550001111`
    Sms(String),
    /// `whatsapp:+15550001111`
    WhatsApp(String),
}

/// A text that is no address of a channel the emulator knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAnAddress;

impl Address {
    /// The channel as REST writes it.
    pub(crate) fn channel(&self) -> &'static str {
        match self {
            Self::Sms(_) => "sms",
            Self::WhatsApp(_) => "whatsapp",
        }
    }

    /// The channel as webhooks write it.
    pub(crate) fn source(&self) -> &'static str {
        match self {
            Self::Sms(_) => "SMS",
            Self::WhatsApp(_) => "WHATSAPP",
        }
    }

    /// The whole address, with its channel prefix.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Sms(text) | Self::WhatsApp(text) => text,
        }
    }

    /// Whether both are on the same channel.
    pub(crate) fn same_channel(&self, other: &Self) -> bool {
        self.channel() == other.channel()
    }
}

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        match text.strip_prefix(WHATSAPP) {
            Some(number) if is_e164(number) => Ok(Self::WhatsApp(text.to_owned())),
            None if is_e164(text) => Ok(Self::Sms(text.to_owned())),
            _ => Err(NotAnAddress),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (MIN_DIGITS..=MAX_DIGITS).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

/// What WhatsApp addresses begin with.
pub(crate) const WHATSAPP: &str = "whatsapp:";
const MIN_DIGITS: usize = 7;
const MAX_DIGITS: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_whatsapp_numbers_are_addresses() {
        assert_eq!("+15550001111".parse(), Ok(Address::Sms("+15550001111".to_owned())));
        let whatsapp: Address = "whatsapp:+15550001111".parse().unwrap();
        assert_eq!((whatsapp.channel(), whatsapp.source()), ("whatsapp", "WHATSAPP"));
    }

    #[test]
    fn anything_else_is_not() {
        for text in
            ["", "+", "15550001111", "+0555000111", "+1555000111a", "whatsapp:", "messenger:1", "+1234567890123456"]
        {
            assert_eq!(text.parse::<Address>(), Err(NotAnAddress), "{text}");
        }
    }
}
