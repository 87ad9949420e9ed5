//! Addresses as people type them, made into those that platforms use.

use phonenumber::country::Id;
use phonenumber::{Mode, PhoneNumber};
use trunkline_core::{AddressError, Channel, ContactAddress, E164};

/// Where a number without a country code belongs when nothing else tells.
const COUNTRY: Id = Id::US;

/// Reads numbers.
#[derive(Debug, Clone, Copy)]
pub struct Numbers {
    country: Id,
}

impl Numbers {
    /// Numbers without a country code are of this country: two letters of ISO 3166-1, such as `DE`.
    pub fn of_country(country: &str) -> Option<Self> {
        country.to_ascii_uppercase().parse().ok().map(|country| Self { country })
    }

    /// Numbers without a country code are of the country of this number of ours.
    pub fn like(own: Option<&str>) -> Self {
        let country = own.and_then(|own| phonenumber::parse(None, own).ok()).and_then(|own| own.country().id());
        Self { country: country.unwrap_or(COUNTRY) }
    }

    /// A number in E.164 form, however it was written; `None` if it is none.
    pub fn e164(&self, text: &str) -> Option<E164> {
        let is_of_number = |letter: char| letter.is_ascii_digit() || " ()+-./\u{a0}".contains(letter);
        if !text.chars().all(is_of_number) {
            return None;
        }
        // Written by many behind a country code, and dialled by nobody.
        let text = if text.starts_with(['+', '0']) { text.replace("(0)", "") } else { text.to_owned() };
        let number: PhoneNumber = phonenumber::parse(Some(self.country), &text).ok()?;
        number.format().mode(Mode::E164).to_string().parse().ok()
    }

    /// An address, however it was written, on a channel if one is named.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn address(&self, text: &str, channel: Option<Channel>) -> Result<ContactAddress, AddressError> {
        let text = text.trim();
        let (text, channel) = match text.strip_prefix("whatsapp:") {
            Some(number) => (number.trim(), Some(channel.unwrap_or(Channel::Whatsapp))),
            None => (text, channel),
        };
        let address = match self.e164(text) {
            Some(number) => number.as_str().to_owned(),
            None if text.contains('@') => text.to_lowercase(),
            None => text.to_owned(),
        };
        match channel {
            Some(channel) => ContactAddress::on(channel, &address),
            None => ContactAddress::parse(&address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        let german = Numbers::of_country("de").expect("a country");
        let american = Numbers::like(Some("+15557654321"));
        for (numbers, text, expected) in [
            (american, "(415) 555-2671", "+14155552671"),
            (american, "+1 415.555.2671", "+14155552671"),
            (american, "+15550001111", "+15550001111"),
            (american, "+49 (0)30 901820", "+4930901820"),
            (german, "030 / 90 18 20", "+4930901820"),
            (german, "0049 30 901820", "+4930901820"),
            (german, "+1 415 555 2671", "+14155552671"),
        ] {
            assert_eq!(numbers.e164(text).expect(text).as_str(), expected, "{text}");
        }
        for text in ["", "ada", "12", "+1415555267x", "ada@example.com"] {
            assert!(american.e164(text).is_none(), "{text}");
        }
        assert!(Numbers::of_country("Germany").is_none());
    }

    #[test]
    fn addresses_find_their_channel() {
        let numbers = Numbers::like(None);
        for (text, channel, expected) in [
            ("(415) 555-2671", None, "+14155552671"),
            ("whatsapp:+1 415 555 2671", None, "whatsapp:+14155552671"),
            ("415 555 2671", Some(Channel::Whatsapp), "whatsapp:+14155552671"),
            ("Ada@Example.com", None, "ada@example.com"),
            ("ada", None, "ada"),
        ] {
            assert_eq!(numbers.address(text, channel).expect(text).to_wire(), expected, "{text}");
        }
        assert!(numbers.address("ada", Some(Channel::Sms)).is_err());
        assert!(numbers.address(" ", None).is_err());
    }
}
