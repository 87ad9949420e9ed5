//! What the client needs to know.

use std::num::NonZeroU32;
use std::time::Duration;

use trunkline_core::Secret;
use trunkline_proto::sid::{AccountSid, ApiKeySid, ServiceSid};

use super::{Endpoints, RetryPolicy};

/// How requests are authenticated: HTTP Basic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    pub(super) user: String,
    pub(super) password: Secret,
}

impl Credentials {
    /// The account's own token.
    pub fn auth_token(account: AccountSid, token: Secret) -> Self {
        Self { user: account.to_string(), password: token }
    }

    /// An API key, which can be revoked by itself.
    pub fn api_key(key: ApiKeySid, secret: Secret) -> Self {
        Self { user: key.to_string(), password: secret }
    }
}

/// The settings of a [`RestClient`](super::RestClient).
#[derive(Debug, Clone)]
pub struct RestConfig {
    /// How requests are authenticated.
    pub credentials: Credentials,
    /// The service whose resources are meant; `None` for the account's default service.
    pub service_sid: Option<ServiceSid>,
    /// Where the services are.
    pub endpoints: Endpoints,
    /// First piece of every path. Default `v1`.
    pub api_version: String,
    /// Time to connect, TLS included. Default 5 s.
    pub connect_timeout: Duration,
    /// Time of one attempt. Default 10 s.
    pub attempt_timeout: Duration,
    /// Time of an operation with all its repetitions and waits. Default 30 s.
    pub operation_timeout: Duration,
    /// When requests are repeated.
    pub retry: RetryPolicy,
    /// The most messages that are created a second, for the one sender that this client sends as. Default: no limit.
    pub messages_per_second: Option<NonZeroU32>,
}

impl RestConfig {
    /// The defaults, with these credentials at these endpoints.
    pub fn new(credentials: Credentials, endpoints: Endpoints) -> Self {
        Self {
            credentials,
            service_sid: None,
            endpoints,
            api_version: "v1".to_owned(),
            connect_timeout: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(10),
            operation_timeout: Duration::from_secs(30),
            retry: RetryPolicy::default(),
            messages_per_second: None,
        }
    }
}
