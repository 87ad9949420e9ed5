//! Access tokens: what a client shows when it opens a real-time connection.
//!
//! A token is a JSON Web Token (RFC 7519) signed with HMAC-SHA256 by the secret of an API key. It names the account,
//! the key, the person (`identity`) and what the person may use (`grants`). [`AccessToken::mint`] writes one,
//! [`AccessToken::read`] believes one.
//!
//! No other algorithm is read, whatever the header says: a verifier that lets the token choose can be talked into
//! `none`.
//!
//! Not here: when to renew a token, which services an account has.
//!
//! Source: `/docs/iam/access-tokens`; the tokens of the Python (9.13.0) and Node (6.2.0) helper libraries.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The `cty` of every token's header.
pub const CONTENT_TYPE: &str = "twilio-fpa;v=1";

/// The longest life of a token, in seconds: 24 hours. A longer one is refused with 20157.
pub const MAX_LIFETIME_SECONDS: i64 = 24 * 60 * 60;

/// The longest token that is read, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

const ALGORITHM: &str = "HS256";

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// The account, `AC…`.
    pub account_sid: String,
    /// The API key whose secret signs, `SK…`.
    pub key_sid: String,
    /// Who connects.
    pub identity: String,
    /// The Conversations service that may be used, `IS…`; `None` without a chat grant.
    pub chat_service_sid: Option<String>,
    /// When the token was made, in seconds since 1970. It is part of the token's own id.
    pub issued_at: i64,
    /// Not to be believed before this moment, in seconds since 1970.
    pub not_before: Option<i64>,
    /// Not to be believed from this moment on, in seconds since 1970.
    pub expires_at: i64,
    /// The region that the key belongs to, such as `ie1`; `None` for `us1`.
    pub region: Option<String>,
}

/// Why a token is not believed. No part of the token is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessTokenError {
    /// It is not a token of this kind.
    #[error("the access token is malformed: {what}")]
    Malformed {
        /// What is wrong with it.
        what: &'static str,
    },
    /// Its signature was not made with this secret.
    #[error("the access token is not signed by this API key")]
    Signature,
    /// Its time is over.
    #[error("the access token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the access token is not valid yet")]
    NotYet,
    /// It would live longer than 24 hours.
    #[error("the access token would live longer than 24 hours")]
    TooLong,
}

impl AccessTokenError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "proto.access_token.malformed",
            Self::Signature => "proto.access_token.signature",
            Self::Expired => "proto.access_token.expired",
            Self::NotYet => "proto.access_token.not_yet",
            Self::TooLong => "proto.access_token.too_long",
        }
    }

    /// Twilio's number for it.
    pub fn twilio_code(&self) -> u32 {
        match self {
            Self::Malformed { .. } => 20101,
            Self::Expired => 20104,
            Self::NotYet => 20105,
            Self::Signature => 20107,
            Self::TooLong => 20157,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    cty: &'a str,
    typ: &'a str,
    alg: &'a str,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    twr: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    jti: String,
    iss: String,
    sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    exp: i64,
    grants: Grants,
}

#[derive(Serialize, Deserialize)]
struct Grants {
    identity: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chat: Option<ChatGrant>,
}

#[derive(Serialize, Deserialize)]
struct ChatGrant {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service_sid: Option<String>,
}

impl AccessToken {
    /// Writes the token, signed with the API key's secret.
    pub fn mint(&self, secret: &[u8]) -> String {
        let header = Header { cty: CONTENT_TYPE, typ: "JWT", alg: ALGORITHM, twr: self.region.clone() };
        let claims = Claims {
            jti: format!("{}-{}", self.key_sid, self.issued_at),
            iss: self.key_sid.clone(),
            sub: self.account_sid.clone(),
            iat: Some(self.issued_at),
            nbf: self.not_before,
            exp: self.expires_at,
            grants: Grants {
                identity: self.identity.clone(),
                chat: self.chat_service_sid.clone().map(|sid| ChatGrant { service_sid: Some(sid) }),
            },
        };
        let mut token = format!("{}.{}", part(&header), part(&claims));
        let signature = mac(secret, &token).finalize().into_bytes();
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature));
        token
    }

    /// Reads a token and checks its signature and its times against `now`, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// `proto.access_token.malformed`, `.signature`, `.expired`, `.not_yet`, `.too_long`. Nothing that is not signed is
    /// looked at but the header.
    pub fn read(token: &str, secret: &[u8], now: i64) -> Result<Self, AccessTokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(malformed("it is longer than 8 KiB"));
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(malformed("it does not have three parts"))?;
        let (header, claims) = signed.split_once('.').ok_or(malformed("it does not have three parts"))?;
        let header = decoded(header)?;
        let header: Header<'_> =
            serde_json::from_slice(&header).map_err(|_| malformed("its header is no such header"))?;
        if header.alg != ALGORITHM || header.cty != CONTENT_TYPE {
            return Err(malformed("its header names another algorithm or content type"));
        }
        mac(secret, signed).verify_slice(&decoded(signature)?).map_err(|_| AccessTokenError::Signature)?;
        let claims: Claims =
            serde_json::from_slice(&decoded(claims)?).map_err(|_| malformed("its claims are no such claims"))?;
        let issued_at = claims.iat.or(claims.nbf).unwrap_or(now);
        if claims.exp <= now {
            return Err(AccessTokenError::Expired);
        }
        if claims.nbf.is_some_and(|start| start > now.saturating_add(CLOCK_SKEW_SECONDS)) {
            return Err(AccessTokenError::NotYet);
        }
        if claims.exp.saturating_sub(issued_at) > MAX_LIFETIME_SECONDS {
            return Err(AccessTokenError::TooLong);
        }
        Ok(Self {
            account_sid: claims.sub,
            key_sid: claims.iss,
            identity: claims.grants.identity,
            chat_service_sid: claims.grants.chat.and_then(|grant| grant.service_sid),
            issued_at,
            not_before: claims.nbf,
            expires_at: claims.exp,
            region: header.twr,
        })
    }
}

/// How far the clock of whoever made a token may be ahead, in seconds.
const CLOCK_SKEW_SECONDS: i64 = 60;

const fn malformed(what: &'static str) -> AccessTokenError {
    AccessTokenError::Malformed { what }
}

fn part(value: &impl Serialize) -> String {
    // Plain texts and numbers: there is nothing in them that cannot be written.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap_or_default())
}

fn decoded(part: &str) -> Result<Vec<u8>, AccessTokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed("a part is not base64url"))
}

#[expect(clippy::expect_used, reason = "HMAC is defined for keys of every length")]
fn mac(secret: &[u8], text: &str) -> Hmac<Sha256> {
    let mut mac: Hmac<Sha256> = Hmac::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac
}

#[cfg(test)]
mod tests;
