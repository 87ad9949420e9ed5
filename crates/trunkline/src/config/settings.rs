//! The validated form: one plain struct per subsystem.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use trunkline_bus::Subjects;
use trunkline_core::messaging::Config;
use trunkline_core::{ConfigError, Secret};
use trunkline_twilio::realtime::{ApiKeyTokens, RealtimeSettings};
use url::Url;

use super::table as key;
use super::token::MIN_TOKEN_LEN;
use super::{
    AgentsSettings, EmbeddingsSettings, KeywordSettings, KnowledgeSettings, MediaSettings, MessagingSettings, Reader,
    RecallSettings, SearchSettings, SenderRates, Splitting, SummarySettings, VoiceSettings, WhatsAppSettings,
    WorkflowSettings, agent, calls, embeddings, knowledge, media, messaging, people, rates, realtime, summary, texts,
    workflows,
};

const MILLISECOND: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_mins(1);
const MONTH: Duration = Duration::from_hours(30 * 24);
use crate::agents::Source;
use crate::edge::People;
use crate::people::Numbers;

/// Everything, validated.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the gateway listens.
    pub listen: SocketAddr,
    /// Where the emulator of `up` listens.
    pub emulator_listen: SocketAddr,
    /// The folder of the store and the bus.
    pub data_dir: PathBuf,
    /// The subjects of this instance.
    pub subjects: Subjects,
    /// How long a stopping gateway waits.
    pub drain: Duration,
    /// The Twilio connector; `None` if it is switched off.
    pub twilio: Option<TwilioSettings>,
    /// Calls; `None` if they are switched off.
    pub voice: Option<Box<VoiceSettings>>,
    /// The web chat; `None` if it is switched off.
    pub webchat: Option<WebChatSettings>,
    /// Conversation lanes and sending.
    pub pipeline: Pipeline,
    /// Files that people send.
    pub media: MediaSettings,
    /// Reading back what was missed.
    pub catch_up: CatchUpSettings,
    /// Who answers, and what they may use.
    pub agents: AgentsSettings,
    /// The file that the agents follow while they answer, if there is one.
    pub agents_source: Option<Source>,
    /// The folder of recordings, whether any are made now or not.
    pub recordings: PathBuf,
    /// How numbers that people type are read.
    pub numbers: Numbers,
    /// Documents that agents may answer from.
    pub knowledge: KnowledgeSettings,
    /// How long what was said can be found.
    pub search: SearchSettings,
    /// What agents are reminded of.
    pub recall: RecallSettings,
    /// What was said before the latest messages, in short.
    pub summary: SummarySettings,
    /// The model that tells what words mean; `None` if there is none.
    pub embeddings: Option<EmbeddingsSettings>,
    /// Workflows; `None` if there are none.
    pub workflows: Option<WorkflowSettings>,
    /// The console.
    pub console: Console,
    /// Logs, traces and metrics.
    pub telemetry: TelemetrySettings,
}

/// The Twilio account and how to reach it.
#[derive(Debug, Clone)]
pub struct TwilioSettings {
    /// The configuration of the backend named `twilio` in the registry.
    pub backend: Config,
    /// The account that webhooks must name.
    pub account_sid: String,
    /// The bot's identity.
    pub identity: String,
    /// Our number, if it is known.
    pub phone_number: Option<String>,
    /// Whether chat identities are people to answer.
    pub answer_chat: bool,
    /// Numbers without Conversations.
    pub messaging: MessagingSettings,
    /// What the edge needs.
    pub edge: Edge,
    /// The socket; `None` if it is switched off.
    pub realtime: Option<RealtimeConfig>,
}

/// Taking part in conversations over the socket.
#[derive(Debug, Clone)]
pub struct RealtimeConfig {
    /// Makes access tokens.
    pub tokens: ApiKeyTokens,
    /// Where and how it connects.
    pub connection: RealtimeSettings,
    /// Whether answers are sent over it.
    pub sends: bool,
}

impl TwilioSettings {
    /// Whose messages are answered.
    pub fn people(&self) -> People {
        People::new(&self.identity, self.phone_number.clone(), self.answer_chat)
    }
}

/// The webhook edge.
#[derive(Debug, Clone)]
pub struct Edge {
    /// Scheme, host and path prefix under which the provider sees us; empty for the address that is listened on.
    pub public_base: String,
}

/// The web chat.
#[derive(Debug, Clone)]
pub struct WebChatSettings {
    /// Origins whose pages may show it, beside the gateway's own: scheme, host and port, in lower case.
    pub origins: Vec<String>,
    /// Visitors that may begin to write within a minute from one address.
    pub new_visitors: NonZeroU32,
}

/// Conversation lanes and sending.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Silence that ends a burst; zero answers each text by itself.
    pub debounce: Duration,
    /// Deadline of one try of an agent.
    pub turn_timeout: Duration,
    /// Tries before a turn is given up.
    pub turn_attempts: u32,
    /// Wait before the second try.
    pub turn_backoff: Duration,
    /// What a person hears when a turn is given up.
    pub apology: String,
    /// How long an unknown outcome is left alone.
    pub settle: Duration,
    /// Who opts out and in.
    pub keywords: KeywordSettings,
    /// What WhatsApp allows.
    pub whatsapp: WhatsAppSettings,
    /// How long answers are sent.
    pub splitting: Splitting,
    /// How fast our addresses send.
    pub sender_rates: SenderRates,
}

/// Reading back what was missed.
#[derive(Debug, Clone)]
pub struct CatchUpSettings {
    /// Whether it is done.
    pub enabled: bool,
    /// Reads per second.
    pub rate: u32,
    /// Conversations per pass.
    pub conversations: usize,
    /// Time between quiet passes; zero for none.
    pub interval: Duration,
    /// Older messages are not answered.
    pub max_age: Duration,
    /// How far before the very first start.
    pub look_back: Duration,
}

/// The console.
#[derive(Debug, Clone)]
pub struct Console {
    /// The token that was configured; `None` to make one.
    pub token: Option<Secret>,
}

/// Logs, traces and metrics.
#[derive(Debug, Clone)]
pub struct TelemetrySettings {
    /// Filter directives.
    pub log: String,
    /// `Some(true)` for JSON, `Some(false)` for text, `None` to look at the terminal.
    pub json: Option<bool>,
    /// Base URL of an OTLP receiver.
    pub otlp_endpoint: Option<String>,
    /// Time between metric exports.
    pub otlp_interval: Duration,
}

impl Settings {
    /// Validates everything and reports every problem at once.
    pub fn load(reader: &Reader) -> Result<Self, ConfigError> {
        let mut problems = ConfigError::new();
        let listen = address(reader, &key::LISTEN, &mut problems);
        let enabled: bool = reader.parsed(&key::TWILIO_ENABLED, "true or false", &mut problems);
        let instance = reader.text_or_default(&key::INSTANCE);
        let subjects = Subjects::of_instance(instance).or_else(|| {
            problems.add(reader.name_of(&key::INSTANCE), "must be letters, digits, - and _");
            Subjects::of_instance("main")
        });
        let Some(subjects) = subjects else { return Err(problems) };
        let data_dir = PathBuf::from(reader.text_or_default(&key::DATA_DIR));
        let twilio = if enabled { twilio(reader, &mut problems) } else { None };
        let base = twilio.as_ref().map(|twilio| twilio.edge.public_base.clone());
        let settings = Self {
            listen,
            voice: base.and_then(|base| calls::voice(reader, &data_dir, &base, &mut problems)),
            emulator_listen: address(reader, &key::EMULATOR_LISTEN, &mut problems),
            recordings: calls::recordings(reader, &data_dir),
            data_dir,
            subjects,
            drain: reader.duration(&key::DRAIN, Duration::ZERO..=Duration::from_mins(5), &mut problems),
            twilio,
            webchat: webchat(reader, &mut problems),
            pipeline: pipeline(reader, &mut problems),
            media: media::media(reader, &mut problems),
            catch_up: catch_up(reader, &mut problems),
            agents: agent::agents(reader, &mut problems),
            agents_source: reader.source(),
            numbers: people::numbers(reader, &mut problems),
            knowledge: knowledge::knowledge(reader, &mut problems),
            search: knowledge::search(reader, &mut problems),
            recall: knowledge::recall(reader, &mut problems),
            summary: summary::summary(reader, &mut problems),
            embeddings: embeddings::embeddings(reader, &mut problems),
            workflows: workflows::workflows(reader, &mut problems),
            console: console(reader, &mut problems),
            telemetry: telemetry(reader, &mut problems),
        };
        problems.or(settings)
    }
}

fn address(reader: &Reader, setting: &key::Setting, problems: &mut ConfigError) -> SocketAddr {
    let text = reader.text_or_default(setting);
    text.parse().unwrap_or_else(|_| {
        problems.add(reader.name_of(setting), "must be an address and a port such as 127.0.0.1:8080");
        SocketAddr::from(([127, 0, 0, 1], 0))
    })
}

fn twilio(reader: &Reader, problems: &mut ConfigError) -> Option<TwilioSettings> {
    let required = [(&key::ACCOUNT_SID, "the account's SID (AC…)"), (&key::AUTH_TOKEN, "the account's auth token")];
    for (setting, what) in required {
        if reader.text(setting).is_none() {
            problems.add(
                reader.name_of(setting),
                format!("is missing: set it to {what}, or run `trunkline up`, which needs no account"),
            );
        }
    }
    if reader.text(&key::API_KEY).is_some() != reader.text(&key::API_SECRET).is_some() {
        problems.add(reader.name_of(&key::API_SECRET), "API key and secret belong together: set both or neither");
    }
    let mut builder = Config::builder()
        .provider("twilio")
        .timeout(reader.duration(&key::TIMEOUT, MILLISECOND..=Duration::from_mins(5), problems))
        .retry(
            reader.parsed(&key::MAX_RETRIES, "a number", problems),
            reader.duration(&key::RETRY_DELAY, Duration::ZERO..=MINUTE, problems),
            2.0,
        )
        .secrets("auth_token", reader.secrets(&key::AUTH_TOKEN));
    for (name, setting) in [
        ("account_sid", &key::ACCOUNT_SID),
        ("api_key", &key::API_KEY),
        ("chat_service_sid", &key::CHAT_SERVICE_SID),
        ("base_url", &key::BASE_URL),
        ("webhook_url", &key::WEBHOOK_URL),
        ("region", &key::REGION),
        ("edge", &key::EDGE),
        ("phone_number", &key::PHONE_NUMBER),
    ] {
        if let Some(value) = reader.text(setting) {
            builder = builder.setting(name, value);
        }
    }
    builder = builder
        .setting("api_version", reader.text_or_default(&key::CONVERSATIONS_API_VERSION))
        .setting("identity", reader.text_or_default(&key::IDENTITY));
    if reader.text(&key::API_SECRET).is_some() {
        builder = builder.secret("api_secret", reader.secret(&key::API_SECRET));
    }
    if reader.text(&key::SHARED_KEYS).is_some() {
        builder = builder.secrets("shared_keys", reader.secrets(&key::SHARED_KEYS));
    }
    let public_base = public_base(reader, problems);
    let realtime = realtime::realtime(reader, problems);
    match builder.build() {
        Ok(backend) => Some(TwilioSettings {
            backend,
            account_sid: reader.text(&key::ACCOUNT_SID).unwrap_or_default().to_owned(),
            identity: reader.text_or_default(&key::IDENTITY).to_owned(),
            phone_number: reader.text(&key::PHONE_NUMBER).map(str::to_owned),
            answer_chat: reader.parsed(&key::ANSWER_CHAT, "true or false", problems),
            messaging: messaging::messaging(reader, problems),
            edge: Edge { public_base },
            realtime,
        }),
        Err(error) => {
            problems.extend(error);
            None
        }
    }
}

/// What stands before `/webhooks/…` in the URLs that the provider calls.
fn public_base(reader: &Reader, problems: &mut ConfigError) -> String {
    let Some(text) = reader.text(&key::WEBHOOK_URL) else { return String::new() };
    let usable = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if usable.is_none() {
        problems.add(reader.name_of(&key::WEBHOOK_URL), "must be an http:// or https:// URL that Twilio can reach");
    }
    let bare = text.split(['?', '#']).next().unwrap_or(text);
    if let Some(base) = bare.strip_suffix("/webhooks/twilio") {
        return base.to_owned();
    }
    problems.add(reader.name_of(&key::WEBHOOK_URL), "must end in /webhooks/twilio, where this program listens");
    String::new()
}

fn webchat(reader: &Reader, problems: &mut ConfigError) -> Option<WebChatSettings> {
    let enabled: bool = reader.parsed(&key::WEBCHAT, "true or false", problems);
    let mut origins = Vec::new();
    for text in reader.text_or_default(&key::WEBCHAT_ORIGINS).split(',').map(str::trim).filter(|text| !text.is_empty())
    {
        match origin(text) {
            Some(origin) => origins.push(origin),
            None => problems.add(
                reader.name_of(&key::WEBCHAT_ORIGINS),
                "must be origins such as https://shop.example.com: scheme, host, perhaps a port, and nothing behind it",
            ),
        }
    }
    let new_visitors = reader.text_or_default(&key::WEBCHAT_NEW_VISITORS).parse().unwrap_or_else(|_| {
        problems.add(reader.name_of(&key::WEBCHAT_NEW_VISITORS), "must be a number above 0");
        NonZeroU32::MIN
    });
    enabled.then_some(WebChatSettings { origins, new_visitors })
}

/// An origin as browsers write it; `None` if the text is more, or less, than one.
fn origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    is_bare.then(|| url.origin().ascii_serialization())
}

fn pipeline(reader: &Reader, problems: &mut ConfigError) -> Pipeline {
    let pipeline = Pipeline {
        debounce: reader.duration(&key::DEBOUNCE, Duration::ZERO..=MINUTE, problems),
        turn_timeout: reader.duration(&key::TURN_TIMEOUT, MILLISECOND..=Duration::from_mins(10), problems),
        turn_attempts: reader.parsed(&key::TURN_ATTEMPTS, "a number", problems),
        turn_backoff: reader.duration(&key::TURN_BACKOFF, Duration::ZERO..=MINUTE, problems),
        apology: reader.text_or_default(&key::APOLOGY).to_owned(),
        settle: reader.duration(&key::SETTLE, Duration::ZERO..=Duration::from_mins(5), problems),
        keywords: texts::keywords(reader, problems),
        whatsapp: texts::whatsapp(reader, problems),
        splitting: texts::splitting(reader, problems),
        sender_rates: rates::sender_rates(reader, problems),
    };
    if !(1..=100).contains(&pipeline.turn_attempts) {
        problems.add(reader.name_of(&key::TURN_ATTEMPTS), "must be between 1 and 100");
    }
    pipeline
}

fn catch_up(reader: &Reader, problems: &mut ConfigError) -> CatchUpSettings {
    let settings = CatchUpSettings {
        enabled: reader.parsed(&key::CATCH_UP, "true or false", problems),
        rate: reader.parsed(&key::CATCH_UP_RATE, "a number", problems),
        conversations: reader.parsed(&key::CATCH_UP_CONVERSATIONS, "a number", problems),
        interval: reader.duration(&key::CATCH_UP_INTERVAL, Duration::ZERO..=Duration::from_hours(24), problems),
        max_age: reader.duration(&key::CATCH_UP_MAX_AGE, Duration::ZERO..=MONTH, problems),
        look_back: reader.duration(&key::CATCH_UP_LOOK_BACK, Duration::ZERO..=MONTH, problems),
    };
    if settings.rate == 0 {
        problems.add(reader.name_of(&key::CATCH_UP_RATE), "must be above 0");
    }
    settings
}

fn console(reader: &Reader, problems: &mut ConfigError) -> Console {
    let token = reader.text(&key::CONSOLE_TOKEN).map(Secret::new);
    if token.as_ref().is_some_and(|token| token.expose().len() < MIN_TOKEN_LEN) {
        problems.add(reader.name_of(&key::CONSOLE_TOKEN), format!("must have at least {MIN_TOKEN_LEN} characters"));
    }
    Console { token }
}

fn telemetry(reader: &Reader, problems: &mut ConfigError) -> TelemetrySettings {
    let log = reader.text_or_default(&key::LOG).to_owned();
    if let Err(error) = log.parse::<tracing_subscriber::filter::Targets>() {
        problems
            .add(reader.name_of(&key::LOG), format!("is not a filter such as info or info,trunkline=debug: {error}"));
    }
    let json = match reader.text_or_default(&key::LOG_FORMAT) {
        "json" => Some(true),
        "text" => Some(false),
        "auto" => None,
        _ => {
            problems.add(reader.name_of(&key::LOG_FORMAT), "must be json, text or auto");
            None
        }
    };
    let otlp_endpoint = reader.text(&key::OTLP_ENDPOINT).map(|text| text.trim_end_matches('/').to_owned());
    if otlp_endpoint.as_ref().is_some_and(|text| Url::parse(text).is_err()) {
        problems.add(reader.name_of(&key::OTLP_ENDPOINT), "must be a URL such as http://127.0.0.1:4318");
    }
    let otlp_interval =
        reader.duration(&key::OTLP_INTERVAL, Duration::from_secs(1)..=Duration::from_hours(1), problems);
    TelemetrySettings { log, json, otlp_endpoint, otlp_interval }
}
