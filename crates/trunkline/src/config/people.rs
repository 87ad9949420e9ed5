//! Settings of people.

use trunkline_core::ConfigError;

use super::Reader;
use super::table as key;
use crate::people::Numbers;

/// How numbers that people type are read.
pub(super) fn numbers(reader: &Reader, problems: &mut ConfigError) -> Numbers {
    let own = Numbers::like(reader.text(&key::PHONE_NUMBER));
    let Some(country) = reader.text(&key::COUNTRY) else { return own };
    Numbers::of_country(country).unwrap_or_else(|| {
        problems.add(reader.name_of(&key::COUNTRY), "must be a country as two letters such as US or DE");
        own
    })
}
