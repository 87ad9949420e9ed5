//! Whether an access token is good for this account and its service.

use trunkline_proto::access_token::{AccessToken, AccessTokenError};
use trunkline_proto::twilsock::server::{Grant, Refusal};

use crate::account::Account;

/// What the token grants at `now_ms`, in milliseconds since 1970.
pub(super) fn check(account: &Account, token: &str, now_ms: i64) -> Result<Grant, Refusal> {
    let read = AccessToken::read(token, account.api_secret.as_bytes(), now_ms.div_euclid(1000));
    let token = read.map_err(|problem| refusal(401, Some(problem.twilio_code())))?;
    let is_own = token.key_sid == account.api_key.as_str() && token.account_sid == account.account_sid.as_str();
    if !is_own {
        return Err(refusal(401, Some(AccessTokenError::Signature.twilio_code())));
    }
    if token.chat_service_sid.as_deref() != Some(account.chat_service_sid.as_str()) {
        return Err(refusal(403, Some(ACCESS_DENIED)));
    }
    Ok(Grant { identity: token.identity, expires_at_ms: token.expires_at.saturating_mul(1000) })
}

fn refusal(status: u16, error_code: Option<u32>) -> Refusal {
    Refusal { status, error_code, backoff: None }
}

const ACCESS_DENIED: u32 = 20006;

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;
    use crate::account::AccountConfig;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn only_tokens_of_this_account_and_service_are_good() {
        let account = Account::resolve(AccountConfig::default(), None, &mut StdRng::seed_from_u64(1)).unwrap();
        let good = AccessToken {
            account_sid: account.account_sid.to_string(),
            key_sid: account.api_key.to_string(),
            identity: "alice".to_owned(),
            chat_service_sid: Some(account.chat_service_sid.to_string()),
            issued_at: NOW,
            not_before: None,
            expires_at: NOW + 60,
            region: None,
        };
        let check = |token: &AccessToken, secret: &str, now: i64| {
            check(&account, &token.mint(secret.as_bytes()), now * 1000)
                .map_err(|refusal| (refusal.status, refusal.error_code))
        };
        let secret = account.api_secret.as_str();
        let grant = Grant { identity: "alice".to_owned(), expires_at_ms: (NOW + 60) * 1000 };
        assert_eq!(check(&good, secret, NOW), Ok(grant));
        assert_eq!(check(&good, secret, NOW + 60), Err((401, Some(20104))));
        assert_eq!(check(&good, "another secret", NOW), Err((401, Some(20107))));
        let other = AccessToken { key_sid: format!("SK{}", "0".repeat(32)), ..good.clone() };
        assert_eq!(check(&other, secret, NOW), Err((401, Some(20107))));
        let other = AccessToken { chat_service_sid: None, ..good };
        assert_eq!(check(&other, secret, NOW), Err((403, Some(20006))));
    }
}
