//! The settings of the voice backend, checked all at once.

use std::time::Duration;

use trunkline_core::voice::{MachineDetection, RecordingMode};
use trunkline_core::{Config, ConfigError, E164};
use trunkline_proto::sid::AccountSid;
use trunkline_proto::signature::SigningKeys;
use trunkline_proto::twiml::ConversationRelay;

use super::paths::Places;
use super::relay_settings::relay;
use crate::rest::calls::CALLS_API_VERSION;
use crate::rest::{RestConfig, RetryPolicy};
use crate::settings::Reader;

/// The settings that the voice provider knows, with what they mean. Others are refused: they are spelling mistakes.
pub const VOICE_SETTINGS: &[(&str, &str)] = &[
    ("account_sid", "the account, AC…; required"),
    ("auth_token", "its token, or several while it is rotated, the primary first; required"),
    ("api_key", "an API key, SK…, to authenticate requests with instead of the token"),
    ("api_secret", "the secret of the API key"),
    ("phone_number", "the number that calls come from and go to, in E.164 form; required"),
    ("webhook_url", "public address of the gateway; its number is registered at start if set"),
    ("base_url", "one address for every Twilio host, for an emulator; default https://api.twilio.com"),
    ("api_version", "version of the API; default 2010-04-01"),
    ("region", "Twilio region such as ie1"),
    ("edge", "Twilio edge such as dublin; default: the region's"),
    ("connect_timeout_ms", "time to connect, 1 to 60000; default 5000"),
    ("attempt_timeout_ms", "time of one attempt, 1 to 600000; default 10000"),
    ("shared_keys", "webhook signing keys besides the token, each as id:secret"),
    ("stream_timeout", "time for a call's socket to come, such as 30s or 500ms, at most 600s; default 30s"),
    ("stream_buffer_size", "bytes that are kept ready for outgoing audio, 1 to 65536; default 4096"),
    ("max_calls", "calls at the same time, 1 to 100000; default 200"),
    ("overflow", "what callers beyond that hear: apologise (default), queue or message"),
    ("relay_numbers", "our numbers where Twilio recognises and speaks, separated by commas; * for all"),
    ("relay_language", "language of ConversationRelay, such as en-US"),
    ("relay_voice", "voice of ConversationRelay"),
    ("relay_tts_provider", "who speaks: ElevenLabs, Google or Amazon"),
    ("relay_transcription_provider", "who recognises: Deepgram or Google"),
    ("relay_speech_model", "the recogniser's model"),
    ("relay_tts_language", "its language when it speaks, if that is another one"),
    ("relay_transcription_language", "its language when it listens, if that is another one"),
    ("relay_welcome_greeting", "what ConversationRelay says at once"),
    ("relay_welcome_greeting_interruptible", "what stops that: none, dtmf, speech or any"),
    ("relay_interruptible", "what stops its speech: none, dtmf, speech or any"),
    ("relay_interrupt_sensitivity", "how little speech is enough: high, medium or low"),
    ("relay_ignore_backchannel", "whether short words of agreement stop nothing: true or false"),
    ("relay_report_input_during_agent_speech", "what is reported while it speaks: none, dtmf, speech or any"),
    ("relay_preemptible", "whether new words replace those that wait: true or false"),
    ("relay_dtmf_detection", "whether it reports keys: true or false"),
    ("relay_partial_prompts", "whether prompts are reported before they are whole: true or false"),
    ("relay_speech_timeout", "silence that ends a prompt: auto, or 600 to 5000 milliseconds"),
    ("relay_eot_threshold", "certainty that a turn is over, 0.5 to 0.9"),
    ("relay_hints", "phrases for it to expect, separated by commas"),
    ("relay_profanity_filter", "whether rude words are masked: true or false"),
    ("relay_deepgram_smart_format", "whether recognised text is formatted: true or false"),
    ("relay_elevenlabs_text_normalization", "whether text is made ready to be spoken: on, auto or off"),
    ("relay_background_noise_reduction", "whether noise is reduced: true or false"),
    ("relay_debug", "debugging: what it reports beside the conversation"),
    ("record_calls", "whether calls are recorded: off (default), mono or dual"),
    ("machine_detection", "whether to find out what answers: off (default), enable or detect_message_end"),
];

/// Default of `max_calls`.
pub const DEFAULT_MAX_CALLS: usize = 200;
const MAX_CALLS: u64 = 100_000;
/// Default of `stream_timeout`.
const STREAM_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_STREAM_TIMEOUT: Duration = Duration::from_mins(10);
/// Default of `stream_buffer_size`.
const STREAM_BUFFER: usize = 4_096;

/// What callers beyond the limit hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overflow {
    Apologise,
    Queue,
    Message,
}

/// The settings after they were checked.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) rest: RestConfig,
    pub(super) account: AccountSid,
    pub(super) api_version: String,
    pub(super) signing_keys: SigningKeys,
    pub(super) phone_number: E164,
    pub(super) places: Option<Places>,
    pub(super) stream_timeout: Duration,
    pub(super) stream_buffer: usize,
    pub(super) max_calls: usize,
    pub(super) overflow: Overflow,
    relay_numbers: Vec<String>,
    pub(super) relay: ConversationRelay,
    pub(super) record: RecordingMode,
    pub(super) machine_detection: MachineDetection,
}

impl Settings {
    /// Whether Twilio recognises and speaks for this number of ours.
    pub(super) fn is_relay(&self, number: &str) -> bool {
        self.relay_numbers.iter().any(|one| one == "*" || one == number)
    }

    /// Reads and checks everything; every problem is reported.
    pub(super) fn from_config(config: &Config) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(config, VOICE_SETTINGS);
        let account = reader.account();
        let tokens = reader.tokens();
        let credentials = reader.credentials(account, &tokens);
        let endpoints = reader.endpoints();
        let places = reader.webhook_url().map(|url| Places::new(&url));
        let signing_keys = reader.signing_keys(&tokens);
        let connect_timeout = reader.number("connect_timeout_ms", 1, 60_000);
        let attempt_timeout = reader.number("attempt_timeout_ms", 1, 600_000);
        let stream_buffer = reader.number("stream_buffer_size", 1, 65_536);
        let max_calls = reader.number("max_calls", 1, MAX_CALLS);
        let phone_number = phone_number(&mut reader);
        let api_version = api_version(&mut reader);
        let stream_timeout = stream_timeout(&mut reader);
        let overflow = word(
            &mut reader,
            "overflow",
            &[("apologise", Overflow::Apologise), ("queue", Overflow::Queue), ("message", Overflow::Message)],
        );
        let record = word(
            &mut reader,
            "record_calls",
            &[("off", RecordingMode::Off), ("mono", RecordingMode::Mono), ("dual", RecordingMode::Dual)],
        );
        let machine_detection = word(
            &mut reader,
            "machine_detection",
            &[
                ("off", MachineDetection::Off),
                ("enable", MachineDetection::Enable),
                ("detect_message_end", MachineDetection::DetectMessageEnd),
            ],
        );
        let relay_numbers = reader.text("relay_numbers").map(|list| list.split(',').map(|one| one.trim().to_owned()));
        let relay_numbers = relay_numbers.map(Iterator::collect).unwrap_or_default();
        let relay = relay(&mut reader);
        let (Some(credentials), Some(endpoints), Some(account), Some(phone_number)) =
            (credentials, endpoints, account, phone_number)
        else {
            return Err(reader.problems);
        };
        let defaults = RestConfig::new(credentials, endpoints);
        let rest = RestConfig {
            connect_timeout: connect_timeout.map_or(defaults.connect_timeout, Duration::from_millis),
            attempt_timeout: attempt_timeout.map_or(defaults.attempt_timeout, Duration::from_millis),
            operation_timeout: config.timeout(),
            retry: RetryPolicy {
                max_retries: config.max_retries(),
                delay: config.retry_delay(),
                backoff: config.retry_backoff(),
                ..RetryPolicy::default()
            },
            ..defaults
        };
        let size = |given: Option<u64>, default| given.and_then(|size| usize::try_from(size).ok()).unwrap_or(default);
        let settings = Self {
            rest,
            account,
            api_version,
            signing_keys,
            phone_number,
            places,
            stream_timeout,
            stream_buffer: size(stream_buffer, STREAM_BUFFER),
            max_calls: size(max_calls, DEFAULT_MAX_CALLS),
            overflow: overflow.unwrap_or(Overflow::Apologise),
            relay_numbers,
            relay,
            record: record.unwrap_or_default(),
            machine_detection: machine_detection.unwrap_or_default(),
        };
        reader.problems.or(settings)
    }
}

fn phone_number(reader: &mut Reader<'_>) -> Option<E164> {
    let Some(text) = reader.text("phone_number") else {
        reader.problems.add("phone_number", "is missing");
        return None;
    };
    let number = text.parse().ok();
    if number.is_none() {
        reader.problems.add("phone_number", "must be in E.164 form: +, then 7 to 15 digits");
    }
    number
}

fn api_version(reader: &mut Reader<'_>) -> String {
    let version = reader.text("api_version").unwrap_or(CALLS_API_VERSION);
    if version.len() != CALLS_API_VERSION.len() || !version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        reader.problems.add("api_version", "must be a date such as 2010-04-01");
    }
    version.to_owned()
}

fn stream_timeout(reader: &mut Reader<'_>) -> Duration {
    let Some(text) = reader.text("stream_timeout") else { return STREAM_TIMEOUT };
    let time = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(millis), _) => millis.parse().ok().map(Duration::from_millis),
        (None, Some(seconds)) => seconds.parse().ok().map(Duration::from_secs),
        (None, None) => None,
    };
    let time = time.filter(|time| !time.is_zero() && *time <= MAX_STREAM_TIMEOUT);
    if time.is_none() {
        reader.problems.add("stream_timeout", "must be a time such as 30s or 500ms, at most 600s");
    }
    time.unwrap_or(STREAM_TIMEOUT)
}

pub(super) fn word<T: Copy>(reader: &mut Reader<'_>, key: &str, words: &[(&str, T)]) -> Option<T> {
    let text = reader.text(key)?;
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    if found.is_none() {
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        reader.problems.add(key, format!("must be one of {}", known.join(", ")));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> trunkline_core::ConfigBuilder {
        Config::builder()
            .provider("twilio")
            .setting("account_sid", "AC00000000000000000000000000000001")
            .secret("auth_token", "t")
    }

    #[test]
    fn the_contracts_defaults_hold() {
        let settings =
            Settings::from_config(&config().setting("phone_number", "+15557654321").build().unwrap()).unwrap();
        assert_eq!(settings.rest.endpoints.api.as_str(), "https://api.twilio.com/");
        assert_eq!((settings.api_version.as_str(), settings.stream_buffer), ("2010-04-01", 4096));
        assert_eq!((settings.stream_timeout, settings.max_calls), (Duration::from_secs(30), 200));
        assert_eq!((settings.rest.retry.max_retries, settings.rest.retry.delay), (3, Duration::from_secs(1)));
        assert!(!settings.is_relay("+15557654321") && !format!("{settings:?}").contains("7654321"));
    }

    #[test]
    fn every_problem_is_named_without_its_value() {
        let config = config()
            .setting("phone_number", "hidden")
            .setting("stream_timeout", "hidden")
            .setting("overflow", "hidden")
            .setting("max_calls", "0")
            .setting("relay_dtmf_detection", "hidden")
            .setting("colour", "hidden");
        let error = Settings::from_config(&config.build().unwrap()).unwrap_err();
        assert!(!error.to_string().contains("hidden"), "{error}");
        let mut keys: Vec<_> = error.problems().iter().map(|problem| problem.key.as_str()).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["colour", "max_calls", "overflow", "phone_number", "relay_dtmf_detection", "stream_timeout"]);
    }

    #[test]
    fn numbers_can_be_relayed() {
        let config =
            config().setting("phone_number", "+15557654321").setting("relay_numbers", "+15550000001, +15550000002");
        let settings = Settings::from_config(&config.build().unwrap()).unwrap();
        assert!(settings.is_relay("+15550000002") && !settings.is_relay("+15550000003"));
    }
}
