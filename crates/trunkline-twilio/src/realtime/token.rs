//! Where access tokens come from.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use trunkline_core::Secret;
use trunkline_proto::access_token::{AccessToken, MAX_LIFETIME_SECONDS};
use trunkline_proto::sid::{AccountSid, ApiKeySid, ServiceSid};

/// How long tokens live unless told otherwise: an hour, as the helper libraries' do.
pub const DEFAULT_TOKEN_TTL: Duration = Duration::from_hours(1);

/// The shortest life of a token that makes sense: it is announced three minutes before its end.
pub const MIN_TOKEN_TTL: Duration = Duration::from_mins(3);

/// A token, and for how long it is good.
#[derive(Debug, Clone)]
pub struct AccessTokenGrant {
    /// The token.
    pub token: Secret,
    /// Counted from now.
    pub lifetime: Duration,
}

/// Why no token was made. No personal data, no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct TokenError {
    /// For people.
    pub reason: String,
}

/// Makes access tokens.
#[async_trait]
pub trait TokenProvider: Send + Sync {
    /// A new token.
    ///
    /// # Errors
    ///
    /// See [`TokenError`]. It is tried again, later each time.
    ///
    /// # Cancel safety
    ///
    /// Must be cancel-safe: a client that stops waits for no token.
    async fn token(&self) -> Result<AccessTokenGrant, TokenError>;
}

/// Makes tokens with the secret of an API key, here.
#[derive(Debug, Clone)]
pub struct ApiKeyTokens {
    account: AccountSid,
    key: ApiKeySid,
    secret: Secret,
    service: ServiceSid,
    identity: String,
    region: Option<String>,
    ttl: Duration,
    now: Now,
}

/// Where the time is read.
#[derive(Clone)]
struct Now(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl fmt::Debug for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Now")
    }
}

impl ApiKeyTokens {
    /// Tokens that let `identity` use Conversations in `service`, for an hour each.
    pub fn new(
        account: AccountSid,
        key: ApiKeySid,
        secret: Secret,
        service: ServiceSid,
        identity: impl Into<String>,
    ) -> Self {
        Self {
            account,
            key,
            secret,
            service,
            identity: identity.into(),
            region: None,
            ttl: DEFAULT_TOKEN_TTL,
            now: Now(Arc::new(Timestamp::now)),
        }
    }

    /// Sets how long they live: 3 minutes to 24 hours; what lies outside is moved to the border.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        let most = Duration::from_secs(MAX_LIFETIME_SECONDS.unsigned_abs());
        self.ttl = ttl.clamp(MIN_TOKEN_TTL, most);
        self
    }

    /// Reads the time elsewhere: whoever takes the provider's place may have put its clock forward.
    #[must_use]
    pub fn clock(mut self, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.now = Now(Arc::new(now));
        self
    }

    /// Names the region that the key belongs to.
    #[must_use]
    pub fn region(mut self, region: Option<String>) -> Self {
        self.region = region;
        self
    }
}

#[async_trait]
impl TokenProvider for ApiKeyTokens {
    async fn token(&self) -> Result<AccessTokenGrant, TokenError> {
        let now = (self.now.0)().as_second();
        let seconds = i64::try_from(self.ttl.as_secs()).unwrap_or(MAX_LIFETIME_SECONDS);
        let token = AccessToken {
            account_sid: self.account.as_str().to_owned(),
            key_sid: self.key.as_str().to_owned(),
            identity: self.identity.clone(),
            chat_service_sid: Some(self.service.as_str().to_owned()),
            issued_at: now,
            not_before: None,
            expires_at: now.saturating_add(seconds),
            region: self.region.clone(),
        };
        let token = Secret::new(token.mint(self.secret.expose().as_bytes()));
        Ok(AccessTokenGrant { token, lifetime: self.ttl })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> ApiKeyTokens {
        ApiKeyTokens::new(
            "AC00000000000000000000000000000001".parse().unwrap(),
            "SK00000000000000000000000000000001".parse().unwrap(),
            Secret::new("secret"),
            "IS00000000000000000000000000000001".parse().unwrap(),
            "bot",
        )
    }

    #[tokio::test]
    async fn a_token_says_who_and_for_how_long() {
        let grant = tokens().ttl(Duration::from_mins(10)).region(Some("ie1".into())).token().await.unwrap();
        let now = Timestamp::now().as_second();
        let token = AccessToken::read(grant.token.expose(), b"secret", now).unwrap();
        assert_eq!((token.identity.as_str(), token.region.as_deref()), ("bot", Some("ie1")));
        assert!((595..=600).contains(&(token.expires_at - now)));
        assert_eq!(grant.lifetime, Duration::from_mins(10));
    }

    #[tokio::test]
    async fn a_life_has_bounds() {
        assert_eq!(tokens().ttl(Duration::from_secs(1)).token().await.unwrap().lifetime, MIN_TOKEN_TTL);
        let long = tokens().ttl(Duration::from_hours(100)).token().await.unwrap();
        assert_eq!(long.lifetime, Duration::from_hours(24));
    }
}
