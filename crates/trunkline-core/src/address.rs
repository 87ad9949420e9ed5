//! Where a person can be reached: a telephone number on a channel.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A way to reach a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum Channel {
    /// Text messages over the telephone network.
    Sms,
    /// WhatsApp.
    Whatsapp,
    /// A chat client that is connected by identity.
    Chat,
    /// Electronic mail.
    Email,
    /// A telephone call.
    Voice,
}

impl Channel {
    /// The lower-case word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Whatsapp => "whatsapp",
            Self::Chat => "chat",
            Self::Email => "email",
            Self::Voice => "voice",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Channel {
    type Err = AddressError;

    fn from_str(s: &str) -> Result<Self, AddressError> {
        [Self::Sms, Self::Whatsapp, Self::Chat, Self::Email, Self::Voice]
            .into_iter()
            .find(|channel| channel.as_str().eq_ignore_ascii_case(s))
            .ok_or(AddressError::UnknownChannel)
    }
}

/// A telephone number in E.164 form: `+`, then 7 to 15 digits, the first not zero (ITU-T E.164, section 6).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct E164(String);

impl E164 {
    /// The number with its leading `+`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for E164 {
    type Err = AddressError;

    fn from_str(s: &str) -> Result<Self, AddressError> {
        let digits = s.strip_prefix('+').ok_or(AddressError::NotE164)?;
        let well_formed = (7..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        if well_formed { Ok(Self(s.to_owned())) } else { Err(AddressError::NotE164) }
    }
}

/// `Debug` shows that there is a number, not which.
impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("E164([personal])")
    }
}

/// An address with its channel, as it stands in an envelope: `+15550001111`, `whatsapp:+15550001111`, or an identity.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContactAddress {
    channel: Channel,
    address: String,
}

impl ContactAddress {
    /// An address may be this long, in bytes (Conversations limits page: 256 characters).
    pub const MAX_LEN: usize = 1024;

    /// Reads an address. A number is SMS, `whatsapp:` in front of a number is WhatsApp, with `@` it is e-mail,
    /// anything else is a chat identity.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if text.len() > Self::MAX_LEN {
            return Err(AddressError::TooLong);
        }
        if let Some(number) = text.strip_prefix("whatsapp:") {
            let number = number.parse::<E164>()?;
            return Ok(Self { channel: Channel::Whatsapp, address: number.0 });
        }
        let channel = if text.parse::<E164>().is_ok() {
            Channel::Sms
        } else if text.contains('@') {
            Channel::Email
        } else {
            Channel::Chat
        };
        Ok(Self { channel, address: text.to_owned() })
    }

    /// The other end of a telephone call: a number, or what stands in its place when it is withheld.
    ///
    /// # Errors
    /// [`AddressError::Empty`], [`AddressError::TooLong`].
    pub fn of_call(text: &str) -> Result<Self, AddressError> {
        let address = Self::parse(text)?.address;
        Ok(Self { channel: Channel::Voice, address })
    }

    /// An address on a channel, without a prefix for it.
    ///
    /// # Errors
    /// [`AddressError::Empty`], [`AddressError::TooLong`], and [`AddressError::NotE164`] on WhatsApp and SMS.
    pub fn on(channel: Channel, address: &str) -> Result<Self, AddressError> {
        let address = Self::parse(address)?.address;
        if matches!(channel, Channel::Sms | Channel::Whatsapp) {
            address.parse::<E164>()?;
        }
        Ok(Self { channel, address })
    }

    /// The channel.
    pub const fn channel(&self) -> Channel {
        self.channel
    }

    /// The address without a channel prefix: the number is the same on SMS and WhatsApp.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The address as the provider writes it.
    pub fn to_wire(&self) -> String {
        match self.channel {
            Channel::Whatsapp => format!("whatsapp:{}", self.address),
            Channel::Sms | Channel::Chat | Channel::Email | Channel::Voice => self.address.clone(),
        }
    }
}

/// `Debug` shows the channel, not who.
impl fmt::Debug for ContactAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:[personal]", self.channel)
    }
}

/// An address that cannot be used. The messages do not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Nothing was given.
    #[error("an address is missing")]
    Empty,
    /// Longer than [`ContactAddress::MAX_LEN`].
    #[error("the address is longer than {} bytes", ContactAddress::MAX_LEN)]
    TooLong,
    /// Not a telephone number.
    #[error("not a telephone number in E.164 form (+ and 7 to 15 digits)")]
    NotE164,
    /// A channel that this version does not know.
    #[error("unknown channel (known: sms, whatsapp, chat, email)")]
    UnknownChannel,
}

impl AddressError {
    /// Stable across releases; listed in `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "core.address.empty",
            Self::TooLong => "core.address.too_long",
            Self::NotE164 => "core.address.not_e164",
            Self::UnknownChannel => "core.address.unknown_channel",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_and_identities_find_their_channel() {
        for (text, channel) in [
            ("+15550001111", Channel::Sms),
            ("whatsapp:+15550001111", Channel::Whatsapp),
            ("ada@example.com", Channel::Email),
            ("ada", Channel::Chat),
        ] {
            let address = ContactAddress::parse(text).expect(text);
            assert_eq!(address.channel(), channel, "{text}");
            assert_eq!(address.to_wire(), text);
        }
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        for text in ["15550001111", "+", "+0555000111", "+1555", "+1234567890123456", "+1555000111x"] {
            assert_eq!(text.parse::<E164>(), Err(AddressError::NotE164), "{text}");
        }
        assert_eq!(ContactAddress::parse("whatsapp:ada"), Err(AddressError::NotE164));
        assert_eq!(ContactAddress::parse(""), Err(AddressError::Empty));
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_keeps_the_wire_form(text in "\\PC{0,40}") {
            if let Ok(address) = ContactAddress::parse(&text) {
                prop_assert_eq!(address.to_wire(), text);
            }
        }
    }
}
