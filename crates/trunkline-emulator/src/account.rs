//! The one account that an emulator serves: its credentials, service, identity and number.
//!
//! Everything may be given; what is not given is made up at the first start and, with a data file, kept.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use trunkline_proto::sid::{AccountSid, ApiKeySid, MessagingServiceSid, RoleSid, ServiceSid};

use crate::state::address::Address;

/// What is known of the account before the emulator starts. Unset fields are made up.
#[derive(Clone, Default)]
pub struct AccountConfig {
    /// `AC…`
    pub account_sid: Option<String>,
    /// The primary auth token: REST password and webhook signing key.
    pub auth_token: Option<String>,
    /// `SK…`
    pub api_key: Option<String>,
    /// The secret of `api_key`.
    pub api_secret: Option<String>,
    /// `IS…`, the default Conversations service.
    pub chat_service_sid: Option<String>,
    /// The chat identity that the gateway's bot uses. The emulator only passes it on.
    pub identity: Option<String>,
    /// The account's number in E.164 form. It takes SMS and WhatsApp.
    pub phone_number: Option<String>,
}

impl fmt::Debug for AccountConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountConfig").finish_non_exhaustive()
    }
}

/// A value of [`AccountConfig`] that cannot be used. It names the field and never repeats the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// A SID with the wrong prefix, length or digits.
    #[error("{field} is not a valid sid")]
    Sid {
        /// The field of [`AccountConfig`].
        field: &'static str,
    },
    /// The number is not `+` and 7 to 15 digits.
    #[error("phone_number is not an e.164 number")]
    PhoneNumber,
    /// A secret or identity that is empty or longer than 256 bytes.
    #[error("{field} is empty or too long")]
    Text {
        /// The field of [`AccountConfig`].
        field: &'static str,
    },
}

impl AccountError {
    /// `emulator.account.invalid`.
    pub fn code(&self) -> &'static str {
        "emulator.account.invalid"
    }
}

/// The account that is served.
#[derive(Clone, Serialize, Deserialize)]
pub struct Account {
    /// `AC…`
    pub account_sid: AccountSid,
    /// The primary auth token.
    pub auth_token: String,
    /// `SK…`
    pub api_key: ApiKeySid,
    /// The secret of `api_key`.
    pub api_secret: String,
    /// `IS…`, the default service.
    pub chat_service_sid: ServiceSid,
    /// The identity for the gateway's bot.
    pub identity: String,
    /// The account's number in E.164 form.
    pub phone_number: String,
    /// The role that every participant gets unless one is named.
    pub(crate) participant_role: RoleSid,
    /// The Messaging Service of new conversations unless one is named.
    pub(crate) messaging_service: MessagingServiceSid,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("account_sid", &self.account_sid).finish_non_exhaustive()
    }
}

impl Account {
    /// The account that `config` describes; what it leaves open comes from `stored`, else it is random.
    pub(crate) fn resolve(
        config: AccountConfig,
        stored: Option<Self>,
        random: &mut impl Rng,
    ) -> Result<Self, AccountError> {
        let stored = stored.unwrap_or_else(|| Self::generate(random));
        Ok(Self {
            account_sid: sid(config.account_sid, stored.account_sid, "account_sid")?,
            auth_token: text(config.auth_token, stored.auth_token, "auth_token")?,
            api_key: sid(config.api_key, stored.api_key, "api_key")?,
            api_secret: text(config.api_secret, stored.api_secret, "api_secret")?,
            chat_service_sid: sid(config.chat_service_sid, stored.chat_service_sid, "chat_service_sid")?,
            identity: text(config.identity, stored.identity, "identity")?,
            phone_number: match config.phone_number {
                Some(number) if matches!(number.parse(), Ok(Address::Sms(_))) => number,
                Some(_) => return Err(AccountError::PhoneNumber),
                None => stored.phone_number,
            },
            participant_role: stored.participant_role,
            messaging_service: stored.messaging_service,
        })
    }

    fn generate(random: &mut impl Rng) -> Self {
        let number = random.random_range(0..1_000_000_u32);
        Self {
            account_sid: AccountSid::from_random(random.random()),
            auth_token: hex(random.random()),
            api_key: ApiKeySid::from_random(random.random()),
            api_secret: hex(random.random()),
            chat_service_sid: ServiceSid::from_random(random.random()),
            identity: "trunkline".to_owned(),
            // 555 is no North American area code, so no real telephone has such a number.
            phone_number: format!("+15550{number:06}"),
            participant_role: RoleSid::from_random(random.random()),
            messaging_service: MessagingServiceSid::from_random(random.random()),
        }
    }

    /// Whether an `Authorization` header carries the account's token or the key's secret.
    pub(crate) fn accepts(&self, authorization: &str) -> bool {
        let Some((user, password)) = basic_credentials(authorization) else { return false };
        let known = [(self.account_sid.as_str(), &self.auth_token), (self.api_key.as_str(), &self.api_secret)];
        known.iter().any(|(sid, secret)| {
            bool::from(user.as_bytes().ct_eq(sid.as_bytes()) & password.as_bytes().ct_eq(secret.as_bytes()))
        })
    }
}

fn basic_credentials(authorization: &str) -> Option<(String, String)> {
    let (scheme, encoded) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn sid<S: std::str::FromStr>(given: Option<String>, otherwise: S, field: &'static str) -> Result<S, AccountError> {
    given.map_or(Ok(otherwise), |text| text.parse().map_err(|_| AccountError::Sid { field }))
}

fn text(given: Option<String>, otherwise: String, field: &'static str) -> Result<String, AccountError> {
    match given {
        Some(text) if text.is_empty() || text.len() > MAX_TEXT_BYTES => Err(AccountError::Text { field }),
        Some(text) => Ok(text),
        None => Ok(otherwise),
    }
}

/// Thirty-two hexadecimal digits, as tokens and secrets have them.
pub(crate) fn hex(bytes: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// Longest secret or identity in bytes.
const MAX_TEXT_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    fn random() -> StdRng {
        StdRng::seed_from_u64(1)
    }

    #[test]
    fn unset_fields_are_made_up_and_set_ones_kept() {
        let config = AccountConfig { phone_number: Some("+15550001234".to_owned()), ..AccountConfig::default() };
        let account = Account::resolve(config, None, &mut random()).unwrap();
        assert_eq!(account.phone_number, "+15550001234");
        assert_eq!(account.auth_token.len(), 32);
        let again = Account::resolve(AccountConfig::default(), Some(account.clone()), &mut random()).unwrap();
        assert_eq!(again.auth_token, account.auth_token);
        assert_eq!(again.phone_number, account.phone_number);
    }

    #[test]
    fn a_made_up_number_is_e164() {
        let account = Account::resolve(AccountConfig::default(), None, &mut random()).unwrap();
        assert!(matches!(account.phone_number.parse(), Ok(Address::Sms(_))), "{}", account.phone_number);
    }

    #[test]
    fn bad_fields_are_named() {
        let bad_sid = AccountConfig { account_sid: Some("AC1".to_owned()), ..AccountConfig::default() };
        let error = Account::resolve(bad_sid, None, &mut random()).unwrap_err();
        assert_eq!(error, AccountError::Sid { field: "account_sid" });
        let bad_number = AccountConfig { phone_number: Some("5551234".to_owned()), ..AccountConfig::default() };
        assert_eq!(Account::resolve(bad_number, None, &mut random()).unwrap_err(), AccountError::PhoneNumber);
    }

    #[test]
    fn token_and_key_open_and_nothing_else_does() {
        let account = Account::resolve(AccountConfig::default(), None, &mut random()).unwrap();
        let basic = |user: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        assert!(account.accepts(&basic(account.account_sid.as_str(), &account.auth_token)));
        assert!(account.accepts(&basic(account.api_key.as_str(), &account.api_secret)));
        assert!(!account.accepts(&basic(account.api_key.as_str(), &account.auth_token)));
        assert!(!account.accepts(&basic(account.account_sid.as_str(), "")));
        assert!(!account.accepts("Bearer x"));
        assert!(!account.accepts("Basic !"));
    }

    #[test]
    fn debug_shows_no_secret() {
        let account = Account::resolve(AccountConfig::default(), None, &mut random()).unwrap();
        let shown = format!("{account:?}");
        assert!(!shown.contains(&account.auth_token) && !shown.contains(&account.phone_number), "{shown}");
    }
}
