//! Settings by name, and what is wrong with them.

use trunkline_core::messaging::Config;
use trunkline_core::{ConfigError, Secret};
use trunkline_proto::sid::{AccountSid, ApiKeySid};
use trunkline_proto::signature::SigningKeys;
use url::Url;

use crate::rest::{Credentials, Endpoints};

/// Reads settings and notes what is wrong with them.
pub(crate) struct Reader<'a> {
    config: &'a Config,
    pub(crate) problems: ConfigError,
}

impl<'a> Reader<'a> {
    /// Keys that are not in `known` are problems.
    pub(crate) fn new(config: &'a Config, known: &[(&str, &str)]) -> Self {
        let mut problems = ConfigError::new();
        for key in config.keys() {
            if !known.iter().any(|(known, _)| *known == key) {
                problems.add(key, "is not a setting of the twilio provider");
            }
        }
        Self { config, problems }
    }

    pub(crate) fn account(&mut self) -> Option<AccountSid> {
        let account = self.sid("account_sid");
        if account.is_none() && self.text("account_sid").is_none() {
            self.problems.add("account_sid", "is missing");
        }
        account
    }

    pub(crate) fn tokens(&mut self) -> Vec<&'a Secret> {
        let tokens: Vec<_> = self.config.secrets("auth_token").iter().filter(|token| !token.is_empty()).collect();
        if tokens.is_empty() {
            self.problems.add("auth_token", "is missing");
        }
        tokens
    }

    pub(crate) fn credentials(&mut self, account: Option<AccountSid>, tokens: &[&Secret]) -> Option<Credentials> {
        let key: Option<ApiKeySid> = self.sid("api_key");
        let secret = self.config.secrets("api_secret").first().filter(|secret| !secret.is_empty());
        if secret.is_some() != self.text("api_key").is_some() {
            self.problems.add("api_key", "and api_secret belong together; set both or neither");
        }
        match (key, secret, account, tokens.first()) {
            (Some(key), Some(secret), _, _) => Some(Credentials::api_key(key, secret.clone())),
            (_, _, Some(account), Some(token)) => Some(Credentials::auth_token(account, (*token).clone())),
            _ => None,
        }
    }

    pub(crate) fn text(&self, key: &str) -> Option<&'a str> {
        self.config.text(key).filter(|text| !text.is_empty())
    }

    pub(crate) fn sid<T: std::str::FromStr<Err = trunkline_proto::sid::SidError>>(&mut self, key: &str) -> Option<T> {
        self.text(key)?.parse().map_err(|error: T::Err| self.problems.add(key, error.to_string())).ok()
    }

    pub(crate) fn number(&mut self, key: &str, least: u64, most: u64) -> Option<u64> {
        let number = self.text(key)?.parse().ok().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.problems.add(key, format!("must be a whole number from {least} to {most}"));
        }
        number
    }

    pub(crate) fn endpoints(&mut self) -> Option<Endpoints> {
        let (region, edge) = (self.text("region"), self.text("edge"));
        let (key, endpoints) = match self.text("base_url") {
            Some(base_url) => ("base_url", Endpoints::all_at(base_url)),
            None => (if region.is_some() { "region" } else { "edge" }, Endpoints::twilio(region, edge)),
        };
        endpoints.map_err(|error| self.problems.add(key, error.to_string())).ok()
    }

    pub(crate) fn webhook_url(&mut self) -> Option<String> {
        let text = self.text("webhook_url")?;
        let is_usable = Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !is_usable {
            self.problems.add("webhook_url", "must be an http or https URL");
        }
        is_usable.then(|| text.to_owned())
    }

    pub(crate) fn signing_keys(&mut self, tokens: &[&Secret]) -> SigningKeys {
        let mut keys = SigningKeys::new(tokens.iter().map(|token| token.expose()));
        for shared in self.config.secrets("shared_keys") {
            match shared.expose().split_once(':') {
                Some((id, secret)) if !id.is_empty() && !secret.is_empty() => keys = keys.with_shared_key(id, secret),
                _ => self.problems.add("shared_keys", "must each be an id, a colon and a secret"),
            }
        }
        keys
    }
}
