//! How many messages a second our addresses may send.
//!
//! Source: Twilio's pages on message throughput (long codes, toll-free numbers, short codes in North America) and on
//! WhatsApp. What a carrier registration allows beyond that is a setting.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use trunkline_core::ConfigError;

use super::Reader;
use super::table as key;

const LONG_CODE: NonZeroU32 = NonZeroU32::new(1).unwrap();
const TOLL_FREE: NonZeroU32 = NonZeroU32::new(3).unwrap();
const SHORT_CODE: NonZeroU32 = NonZeroU32::new(100).unwrap();
const WHATSAPP: NonZeroU32 = NonZeroU32::new(80).unwrap();
const WHATSAPP_PREFIX: &str = "whatsapp:";
/// Area codes of toll-free numbers in North America.
const TOLL_FREE_CODES: &[&str] = &["800", "833", "844", "855", "866", "877", "888"];
/// Digits of the longest short code.
const SHORT_CODE_LEN: usize = 6;
/// The highest rate that may be asked for.
const MAX_RATE: u32 = 10_000;
/// Addresses that may have a rate of their own.
const MAX_SENDERS: usize = 1000;

/// Rates of our addresses.
#[derive(Debug, Clone, Default)]
pub struct SenderRates {
    /// Of those that are named.
    named: BTreeMap<String, NonZeroU32>,
    /// Whether the others have Twilio's.
    defaults: bool,
}

impl SenderRates {
    /// Whether any address has a rate.
    pub fn any(&self) -> bool {
        self.defaults || !self.named.is_empty()
    }

    /// Messages a second of an address; `None` if it has no limit.
    pub fn of(&self, sender: &str) -> Option<NonZeroU32> {
        self.named.get(sender).copied().or_else(|| self.defaults.then(|| by_kind(sender)))
    }
}

fn by_kind(sender: &str) -> NonZeroU32 {
    if sender.starts_with(WHATSAPP_PREFIX) {
        return WHATSAPP;
    }
    let Some(number) = sender.strip_prefix('+') else {
        let is_short = sender.len() <= SHORT_CODE_LEN && sender.bytes().all(|byte| byte.is_ascii_digit());
        return if is_short { SHORT_CODE } else { LONG_CODE };
    };
    let area = number.strip_prefix('1').filter(|rest| rest.len() == 10).and_then(|rest| rest.get(..3));
    if area.is_some_and(|area| TOLL_FREE_CODES.contains(&area)) { TOLL_FREE } else { LONG_CODE }
}

pub(super) fn sender_rates(reader: &Reader, problems: &mut ConfigError) -> SenderRates {
    let mut rates = SenderRates { defaults: reader.text(&key::BASE_URL).is_none(), ..SenderRates::default() };
    for part in reader.text_or_default(&key::SENDER_RATES).split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let named = part.split_once('=').and_then(|(sender, rate)| {
            let rate = rate.trim().parse::<NonZeroU32>().ok().filter(|rate| rate.get() <= MAX_RATE)?;
            Some((sender.trim(), rate))
        });
        match (part, named) {
            ("auto", _) => {}
            ("on", _) => rates.defaults = true,
            ("off", _) => rates.defaults = false,
            (_, Some((sender, rate))) if !sender.is_empty() && rates.named.len() < MAX_SENDERS => {
                rates.named.insert(sender.to_owned(), rate);
            }
            _ => problems.add(
                reader.name_of(&key::SENDER_RATES),
                format!("must be auto, on, off, or numbers with their rate (1 to {MAX_RATE}), such as +15550001111=10"),
            ),
        }
    }
    rates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(env: &[(&str, &str)]) -> Result<SenderRates, ConfigError> {
        let env: Vec<_> = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut problems = ConfigError::new();
        let rates = sender_rates(&Reader::new(env), &mut problems);
        problems.or(rates)
    }

    #[test]
    fn addresses_have_the_rates_of_their_kind() {
        let rates = rates(&[]).unwrap();
        for (sender, rate) in [
            ("+15550001111", 1),
            ("+18885550001", 3),
            ("+448000000000", 1),
            ("12345", 100),
            ("whatsapp:+15550001111", 80),
        ] {
            assert_eq!(rates.of(sender).map(NonZeroU32::get), Some(rate), "{sender}");
        }
    }

    #[test]
    fn some_addresses_have_a_rate_of_their_own() {
        let named = ("TRUNKLINE_SENDER_RATES", "off, +15550001111=20");
        let off = rates(&[named]).unwrap();
        assert_eq!(off.of("+15550001111").map(NonZeroU32::get), Some(20));
        assert_eq!((off.of("+15550002222"), off.any()), (None, true));
        let local = ("TWILIO_BASE_URL", "http://127.0.0.1:8090");
        assert!(!rates(&[local]).unwrap().any());
        assert!(rates(&[local, ("TRUNKLINE_SENDER_RATES", "on")]).unwrap().any());
        for bad in ["+15550001111", "+15550001111=0", "+15550001111=x", "=3", "fast"] {
            let problem = rates(&[("TRUNKLINE_SENDER_RATES", bad)]).unwrap_err().to_string();
            assert!(problem.contains("TRUNKLINE_SENDER_RATES") && !problem.contains("fast"), "{problem}");
        }
    }
}
