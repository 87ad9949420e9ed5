//! The provider's settings, read from the contract's [`Config`] and checked all at once.

use std::num::NonZeroU32;
use std::time::Duration;

use trunkline_core::ConfigError;
use trunkline_core::messaging::Config;
use trunkline_proto::sid::ServiceSid;
use trunkline_proto::signature::SigningKeys;

mod reader;

pub(crate) use self::reader::Reader;
use crate::rest::{RestConfig, RetryPolicy};

/// The settings that this provider knows, with what they mean. Others are refused, because they are spelling mistakes.
pub const SETTINGS: &[(&str, &str)] = &[
    ("account_sid", "the account, AC…; required"),
    ("auth_token", "its token, or several while it is rotated, the primary first; required"),
    ("api_key", "an API key, SK…, to authenticate requests with instead of the token"),
    ("api_secret", "the secret of the API key"),
    ("chat_service_sid", "the Conversations service, IS…; the account's default service if unset"),
    ("identity", "the chat identity that messages are written as"),
    ("phone_number", "the account's own address, as proxy address of participants that name none"),
    ("webhook_url", "public address for webhooks, registered at start if set"),
    ("base_url", "one address for every Twilio host, for an emulator"),
    ("api_version", "version of the Conversations API; default v1"),
    ("region", "Twilio region such as ie1"),
    ("edge", "Twilio edge such as dublin; default: the region's"),
    ("connect_timeout_ms", "time to connect, 1 to 60000; default 5000"),
    ("attempt_timeout_ms", "time of one attempt, 1 to 600000; default 10000"),
    ("stream_buffer_size", "messages that wait for a slow receiver, 1 to 65536; default 256"),
    ("messages_per_second", "the sender's rate, 1 to 1000; default: no limit"),
    ("shared_keys", "webhook signing keys besides the token, each as id:secret"),
];

/// Default of `stream_buffer_size`.
const STREAM_BUFFER: usize = 256;
const MAX_STREAM_BUFFER: usize = 65_536;

/// The settings after they were checked.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) rest: RestConfig,
    pub(crate) signing_keys: SigningKeys,
    pub(crate) identity: Option<String>,
    pub(crate) phone_number: Option<String>,
    pub(crate) webhook_url: Option<String>,
    pub(crate) stream_buffer: usize,
}

impl Settings {
    /// Reads and checks everything; every problem is reported.
    pub(crate) fn from_config(config: &Config) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(config, SETTINGS);
        let account = reader.account();
        let tokens = reader.tokens();
        let credentials = reader.credentials(account, &tokens);
        let service_sid: Option<ServiceSid> = reader.sid("chat_service_sid");
        let endpoints = reader.endpoints();
        let webhook_url = reader.webhook_url();
        let api_version = api_version(&mut reader);
        let connect_timeout = reader.number("connect_timeout_ms", 1, 60_000);
        let attempt_timeout = reader.number("attempt_timeout_ms", 1, 600_000);
        let stream_buffer = reader.number("stream_buffer_size", 1, MAX_STREAM_BUFFER as u64);
        let messages_per_second = reader.number("messages_per_second", 1, 1_000);
        let signing_keys = reader.signing_keys(&tokens);
        let (identity, phone_number) = (reader.text("identity"), reader.text("phone_number"));

        let (Some(credentials), Some(endpoints)) = (credentials, endpoints) else { return Err(reader.problems) };
        let defaults = RestConfig::new(credentials, endpoints);
        let rest = RestConfig {
            service_sid,
            api_version: api_version.unwrap_or(defaults.api_version.clone()),
            connect_timeout: connect_timeout.map_or(defaults.connect_timeout, Duration::from_millis),
            attempt_timeout: attempt_timeout.map_or(defaults.attempt_timeout, Duration::from_millis),
            operation_timeout: config.timeout(),
            retry: RetryPolicy {
                max_retries: config.max_retries(),
                delay: config.retry_delay(),
                backoff: config.retry_backoff(),
                ..RetryPolicy::default()
            },
            messages_per_second: messages_per_second.and_then(|rate| NonZeroU32::new(u32::try_from(rate).ok()?)),
            ..defaults
        };
        let stream_buffer = stream_buffer.and_then(|size| usize::try_from(size).ok()).unwrap_or(STREAM_BUFFER);
        let settings = Self {
            rest,
            signing_keys,
            identity: identity.map(str::to_owned),
            phone_number: phone_number.map(str::to_owned),
            webhook_url,
            stream_buffer,
        };
        reader.problems.or(settings)
    }
}

fn api_version(reader: &mut Reader<'_>) -> Option<String> {
    let version = reader.text("api_version")?;
    let is_usable = version.strip_prefix('v').is_some_and(|number| number.parse::<u8>().is_ok());
    if !is_usable {
        reader.problems.add("api_version", "must be v and a number, such as v1");
    }
    is_usable.then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use trunkline_core::messaging::ConfigBuilder;

    use super::*;
    use crate::rest::Credentials;

    const AC: &str = "AC00000000000000000000000000000001";

    fn valid() -> ConfigBuilder {
        Config::builder().provider("twilio").setting("account_sid", AC).secret("auth_token", "t")
    }

    fn problems(builder: ConfigBuilder) -> Vec<String> {
        let error = Settings::from_config(&builder.build().unwrap()).unwrap_err();
        error.problems().iter().map(|problem| problem.key.clone()).collect()
    }

    #[test]
    fn account_and_token_are_enough() {
        let settings = Settings::from_config(&valid().build().unwrap()).unwrap();
        assert_eq!(settings.rest.endpoints.conversations.as_str(), "https://conversations.twilio.com/");
        assert_eq!(settings.rest.operation_timeout, Duration::from_secs(30));
        assert_eq!((settings.stream_buffer, settings.rest.messages_per_second), (256, None));
        assert!(!format!("{settings:?}").contains("\"t\""));
    }

    #[test]
    fn every_setting_arrives() {
        let config = valid()
            .retry(5, Duration::from_millis(3), 4.0)
            .timeout(Duration::from_secs(7))
            .setting("api_key", "SK00000000000000000000000000000001")
            .secret("api_secret", "s")
            .setting("chat_service_sid", "IS00000000000000000000000000000001")
            .setting("base_url", "http://127.0.0.1:8090")
            .setting("connect_timeout_ms", "11")
            .setting("attempt_timeout_ms", "12")
            .setting("stream_buffer_size", "13")
            .setting("messages_per_second", "14")
            .secrets("shared_keys", vec!["id:secret:with:colons".into()]);
        let settings = Settings::from_config(&config.build().unwrap()).unwrap();
        assert_eq!(
            settings.rest.credentials,
            Credentials::api_key("SK00000000000000000000000000000001".parse().unwrap(), "s".into())
        );
        assert_eq!(settings.rest.connect_timeout, Duration::from_millis(11));
        assert_eq!(settings.rest.attempt_timeout, Duration::from_millis(12));
        assert_eq!((settings.stream_buffer, settings.rest.messages_per_second), (13, NonZeroU32::new(14)));
        assert_eq!((settings.rest.retry.max_retries, settings.rest.retry.delay), (5, Duration::from_millis(3)));
        assert_eq!(settings.rest.operation_timeout, Duration::from_secs(7));
    }

    #[test]
    fn every_problem_is_reported_with_its_key_and_without_its_value() {
        let builder = Config::builder()
            .provider("twilio")
            .setting("account_sid", "hidden")
            .setting("api_key", "SK00000000000000000000000000000001")
            .setting("chat_service_sid", "hidden")
            .setting("base_url", "hidden")
            .setting("webhook_url", "hidden")
            .setting("api_version", "2010")
            .setting("stream_buffer_size", "0")
            .setting("colour", "blue")
            .secrets("shared_keys", vec!["hidden".into()]);
        let error = Settings::from_config(&builder.clone().build().unwrap()).unwrap_err().to_string();
        assert!(!error.contains("hidden"), "{error}");
        let mut keys = problems(builder);
        keys.sort_unstable();
        assert_eq!(
            keys,
            [
                "account_sid",
                "api_key",
                "api_version",
                "auth_token",
                "base_url",
                "chat_service_sid",
                "colour",
                "shared_keys",
                "stream_buffer_size",
                "webhook_url"
            ]
        );
        assert_eq!(problems(Config::builder().provider("twilio")), ["account_sid", "auth_token"]);
        assert_eq!(problems(valid().setting("region", "mars1")), ["region"]);
    }
}
