//! Settings of texts that follow the rules of their channel: keywords and the window of WhatsApp.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use trunkline_core::ConfigError;

use super::Reader;
use super::table as key;
use crate::connectors::MAX_TEXT_CHARS;

/// What is said to keywords, and by whom.
#[derive(Debug, Clone)]
pub struct KeywordSettings {
    /// Who confirms.
    pub replies: KeywordReplies,
    /// To whoever wants nothing more.
    pub stop: String,
    /// To whoever wants messages again.
    pub start: String,
    /// To whoever asks what this is.
    pub help: String,
}

/// Who confirms keywords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeywordReplies {
    /// Twilio on SMS, the gateway on WhatsApp.
    Auto,
    /// The gateway.
    Gateway,
    /// Twilio.
    Twilio,
}

/// What WhatsApp allows.
#[derive(Debug, Clone)]
pub struct WhatsAppSettings {
    /// How long after a person's message anything may be sent to them; zero leaves it to the provider.
    pub window: Duration,
    /// What is sent after that.
    pub template: Option<Template>,
}

/// A template that takes the place of a text.
#[derive(Debug, Clone)]
pub struct Template {
    /// The provider's name for it.
    pub sid: String,
    /// What is filled in; `{text}` stands for the text.
    pub variables: BTreeMap<String, String>,
}

/// How a long answer becomes several messages.
#[derive(Debug, Clone)]
pub struct Splitting {
    /// Characters of one message on SMS.
    pub sms_chars: usize,
    /// Characters of one message on WhatsApp.
    pub whatsapp_chars: usize,
    /// Messages of one answer.
    pub max_parts: usize,
}

/// Twilio's prefix of templates.
const CONTENT_PREFIX: &str = "HX";
const CONTENT_LEN: usize = 34;
/// A message of fewer characters is not worth one.
const MIN_CHARS: usize = 20;
/// Messages of one answer that may be asked for.
const MAX_PARTS: usize = 20;
const MONTH: Duration = Duration::from_hours(30 * 24);

pub(super) fn keywords(reader: &Reader, problems: &mut ConfigError) -> KeywordSettings {
    let replies = match reader.text_or_default(&key::KEYWORD_REPLIES) {
        "auto" => KeywordReplies::Auto,
        "gateway" => KeywordReplies::Gateway,
        "twilio" => KeywordReplies::Twilio,
        _ => {
            problems.add(reader.name_of(&key::KEYWORD_REPLIES), "must be auto, gateway or twilio");
            KeywordReplies::Auto
        }
    };
    let text = |setting| reader.text_or_default(setting).to_owned();
    KeywordSettings {
        replies,
        stop: text(&key::STOP_REPLY),
        start: text(&key::START_REPLY),
        help: text(&key::HELP_REPLY),
    }
}

pub(super) fn whatsapp(reader: &Reader, problems: &mut ConfigError) -> WhatsAppSettings {
    let window = reader.duration(&key::WHATSAPP_WINDOW, Duration::ZERO..=MONTH, problems);
    let variables = reader.text_or_default(&key::WHATSAPP_TEMPLATE_VARIABLES);
    let variables = if variables.is_empty() { Ok(BTreeMap::new()) } else { serde_json::from_str(variables) };
    let variables = variables.unwrap_or_else(|_| {
        let problem = r#"must be a JSON object of texts such as {"1":"{text}"}"#;
        problems.add(reader.name_of(&key::WHATSAPP_TEMPLATE_VARIABLES), problem);
        BTreeMap::new()
    });
    let sid = reader.text_or_default(&key::WHATSAPP_TEMPLATE);
    if !sid.is_empty() && !is_content_sid(sid) {
        problems.add(reader.name_of(&key::WHATSAPP_TEMPLATE), "must be HX and 32 hexadecimal digits");
    }
    let template = (!sid.is_empty()).then(|| Template { sid: sid.to_owned(), variables });
    WhatsAppSettings { window, template }
}

pub(super) fn splitting(reader: &Reader, problems: &mut ConfigError) -> Splitting {
    let mut within = |setting, range: RangeInclusive<usize>| {
        let number = reader.parsed(setting, "a number", problems);
        if !range.contains(&number) {
            let problem = format!("must be between {} and {}", range.start(), range.end());
            problems.add(reader.name_of(setting), problem);
        }
        number
    };
    Splitting {
        sms_chars: within(&key::SMS_CHARS, MIN_CHARS..=MAX_TEXT_CHARS),
        whatsapp_chars: within(&key::WHATSAPP_CHARS, MIN_CHARS..=MAX_TEXT_CHARS),
        max_parts: within(&key::MAX_PARTS, 1..=MAX_PARTS),
    }
}

/// Whether a text can be the name of a template.
pub(crate) fn is_content_sid(text: &str) -> bool {
    text.len() == CONTENT_LEN
        && text.strip_prefix(CONTENT_PREFIX).is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
