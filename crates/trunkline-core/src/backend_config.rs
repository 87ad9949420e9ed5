//! Settings that every backend has, and room for those of one provider.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{ConfigError, Secret};

/// A provider's own setting. `Debug` hides secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Setting {
    /// A plain value.
    Text(String),
    /// A credential.
    Secret(Secret),
    /// Several credentials, any of which is accepted: tokens during rotation.
    Secrets(Vec<Secret>),
}

/// A validated configuration. Build one with [`Config::builder`].
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    provider: String,
    timeout: Duration,
    max_retries: u32,
    retry_delay: Duration,
    retry_backoff: f64,
    enable_tracing: bool,
    enable_metrics: bool,
    enable_structured_logging: bool,
    provider_specific: BTreeMap<String, Setting>,
}

impl Config {
    /// Starts from the contract's defaults: 30 s time-out, 3 retries from 1 s doubling, all telemetry on.
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder::default()
    }

    /// The provider's name in the registry.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// How long one operation may take, retries included. Default 30 s.
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// How often an operation that may be repeated is repeated. Default 3.
    pub const fn max_retries(&self) -> u32 {
        self.max_retries
    }

    /// The wait before the first repetition. Default 1 s.
    pub const fn retry_delay(&self) -> Duration {
        self.retry_delay
    }

    /// What the wait is multiplied with for each further repetition. Default 2.
    pub const fn retry_backoff(&self) -> f64 {
        self.retry_backoff
    }

    /// Whether operations have spans. Default true.
    pub const fn enable_tracing(&self) -> bool {
        self.enable_tracing
    }

    /// Whether operations are counted and timed. Default true.
    pub const fn enable_metrics(&self) -> bool {
        self.enable_metrics
    }

    /// Whether operations are logged. Default true.
    pub const fn enable_structured_logging(&self) -> bool {
        self.enable_structured_logging
    }

    /// The provider's setting `key` as plain text.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.provider_specific.get(key)? {
            Setting::Text(text) => Some(text),
            Setting::Secret(_) | Setting::Secrets(_) => None,
        }
    }

    /// The provider's credentials under `key`: none, one, or several.
    pub fn secrets(&self, key: &str) -> &[Secret] {
        match self.provider_specific.get(key) {
            Some(Setting::Secret(secret)) => std::slice::from_ref(secret),
            Some(Setting::Secrets(secrets)) => secrets,
            Some(Setting::Text(_)) | None => &[],
        }
    }

    /// The names of the provider's settings that are set.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.provider_specific.keys().map(String::as_str)
    }
}

/// Collects settings; [`build`](Self::build) checks them all at once.
#[derive(Debug, Clone)]
pub struct ConfigBuilder {
    config: Config,
}

impl Default for ConfigBuilder {
    fn default() -> Self {
        Self {
            config: Config {
                provider: String::new(),
                timeout: Duration::from_secs(30),
                max_retries: 3,
                retry_delay: Duration::from_secs(1),
                retry_backoff: 2.0,
                enable_tracing: true,
                enable_metrics: true,
                enable_structured_logging: true,
                provider_specific: BTreeMap::new(),
            },
        }
    }
}

impl ConfigBuilder {
    /// The longest time-out that is accepted.
    pub const MAX_TIMEOUT: Duration = Duration::from_mins(10);
    /// The most repetitions that are accepted.
    pub const MAX_RETRIES: u32 = 20;

    /// The provider's name in the registry. Required.
    #[must_use]
    pub fn provider(mut self, name: impl Into<String>) -> Self {
        self.config.provider = name.into();
        self
    }

    /// How long one operation may take. Above zero, at most [`Self::MAX_TIMEOUT`].
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.config.timeout = timeout;
        self
    }

    /// How often to repeat (at most [`Self::MAX_RETRIES`]), the first wait, and its multiplier (1 to 10).
    #[must_use]
    pub const fn retry(mut self, max_retries: u32, delay: Duration, backoff: f64) -> Self {
        self.config.max_retries = max_retries;
        self.config.retry_delay = delay;
        self.config.retry_backoff = backoff;
        self
    }

    /// Switches tracing, metrics and structured logging.
    #[must_use]
    pub const fn observability(mut self, tracing: bool, metrics: bool, logging: bool) -> Self {
        self.config.enable_tracing = tracing;
        self.config.enable_metrics = metrics;
        self.config.enable_structured_logging = logging;
        self
    }

    /// A plain setting of the provider.
    #[must_use]
    pub fn setting(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.provider_specific.insert(key.into(), Setting::Text(value.into()));
        self
    }

    /// A credential of the provider.
    #[must_use]
    pub fn secret(mut self, key: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.config.provider_specific.insert(key.into(), Setting::Secret(value.into()));
        self
    }

    /// Several credentials of the provider under one name, any of which is accepted.
    #[must_use]
    pub fn secrets(mut self, key: impl Into<String>, values: Vec<Secret>) -> Self {
        self.config.provider_specific.insert(key.into(), Setting::Secrets(values));
        self
    }

    /// Checks everything and reports every problem at once.
    pub fn build(self) -> Result<Config, ConfigError> {
        let mut problems = ConfigError::new();
        let config = self.config;
        if config.provider.is_empty() {
            problems.add("provider", "is missing; name a registered provider such as twilio");
        }
        if config.timeout.is_zero() || config.timeout > Self::MAX_TIMEOUT {
            problems.add("timeout", format!("must be above 0 and at most {} s", Self::MAX_TIMEOUT.as_secs()));
        }
        if config.max_retries > Self::MAX_RETRIES {
            problems.add("max_retries", format!("must be at most {}", Self::MAX_RETRIES));
        }
        if config.max_retries > 0 && config.retry_delay.is_zero() {
            problems.add("retry_delay", "must be above 0 when there are retries");
        }
        if !(1.0..=10.0).contains(&config.retry_backoff) {
            problems.add("retry_backoff", "must be between 1 and 10");
        }
        problems.or(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_contracts() {
        let config = Config::builder().provider("twilio").build().expect("valid");
        assert_eq!(config.timeout(), Duration::from_secs(30));
        assert_eq!(config.max_retries(), 3);
        assert_eq!(config.retry_delay(), Duration::from_secs(1));
        assert!((config.retry_backoff() - 2.0).abs() < f64::EPSILON);
        assert!(config.enable_tracing() && config.enable_metrics() && config.enable_structured_logging());
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let error =
            Config::builder().timeout(Duration::ZERO).retry(99, Duration::ZERO, f64::NAN).build().expect_err("refused");
        let keys: Vec<_> = error.problems().iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["provider", "timeout", "max_retries", "retry_delay", "retry_backoff"]);
    }

    #[test]
    fn secrets_stay_hidden_and_several_are_kept() {
        let config = Config::builder()
            .provider("twilio")
            .setting("account_sid", "AC1")
            .secrets("auth_token", vec!["old-token".into(), "new-token".into()])
            .build()
            .expect("valid");
        assert!(!format!("{config:?}").contains("-token"));
        assert_eq!(config.secrets("auth_token").len(), 2);
        assert_eq!(config.text("account_sid"), Some("AC1"));
        assert_eq!(config.text("auth_token"), None);
    }
}
