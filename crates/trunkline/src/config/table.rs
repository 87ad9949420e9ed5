//! Every setting: where it stands in the file, its environment variable, its default.

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its place in `trunkline.toml`: `table.key`.
    pub key: &'static str,
    /// Its environment variable.
    pub env: &'static str,
    /// What holds when it is not set; empty where nothing does.
    pub default: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// Whether its value must never be shown.
    pub secret: bool,
}

macro_rules! settings {
    ($($name:ident = $key:literal, $env:literal, $default:literal, $doc:literal $(, $secret:ident)?;)+) => {
        $(pub(super) const $name: Setting =
            Setting { key: $key, env: $env, default: $default, doc: $doc, secret: settings!(@$($secret)?) };)+

        /// All settings, in the order of the reference page.
        pub const SETTINGS: &[Setting] = &[$($name),+];
    };
    (@secret) => { true };
    (@) => { false };
}

settings! {
    TWILIO_ENABLED = "twilio.enabled", "TWILIO_ENABLED", "true", "Whether the Twilio connector runs.";
    ACCOUNT_SID = "twilio.account_sid", "TWILIO_ACCOUNT_SID", "", "The account (`AC…`). Required by `serve`.";
    AUTH_TOKEN = "twilio.auth_token", "TWILIO_AUTH_TOKEN", "", "The account's token, which signs webhooks. During a rotation: both tokens, separated by a comma, the new one first. Required by `serve`.", secret;
    API_KEY = "twilio.api_key", "TWILIO_API_KEY", "", "An API key (`SK…`); when set it is used for REST in place of the token.";
    API_SECRET = "twilio.api_secret", "TWILIO_API_SECRET", "", "The secret of the API key.", secret;
    CHAT_SERVICE_SID = "twilio.chat_service_sid", "TWILIO_CHAT_SERVICE_SID", "", "The Conversations service (`IS…`); the account's default service when not set.";
    IDENTITY = "twilio.identity", "TWILIO_IDENTITY", "trunkline", "The bot's identity: the author of its messages, never a person to answer.";
    PHONE_NUMBER = "twilio.phone_number", "TWILIO_PHONE_NUMBER", "", "Our number, E.164.";
    ANSWER_CHAT = "twilio.answer_chat", "TRUNKLINE_ANSWER_CHAT", "false", "Whether chat identities are people to answer. Otherwise only addresses are: a chat user may be a colleague.";
    WEBHOOK_URL = "twilio.webhook_url", "TWILIO_WEBHOOK_URL", "", "The public URL of `/webhooks/twilio`. When set it is registered at start, and signatures are checked against it.";
    BASE_URL = "twilio.base_url", "TWILIO_BASE_URL", "", "Replaces every API host, for an emulator. Each API has its own default.";
    REGION = "twilio.region", "TWILIO_REGION", "", "Region, such as `ie1`.";
    EDGE = "twilio.edge", "TWILIO_EDGE", "", "Edge, such as `dublin`.";
    CONVERSATIONS_API_VERSION = "twilio.conversations_api_version", "TWILIO_CONVERSATIONS_API_VERSION", "v1", "Version of the Conversations API.";
    MAX_RETRIES = "twilio.max_retries", "TWILIO_MAX_RETRIES", "3", "How often a REST operation that may be repeated is repeated.";
    RETRY_DELAY = "twilio.retry_delay", "TWILIO_RETRY_DELAY", "1s", "The wait before the first repetition; doubles, with full jitter. At most 1m.";
    TIMEOUT = "twilio.timeout", "TWILIO_TIMEOUT", "30s", "How long one REST operation may take, repetitions included. At most 5m.";
    REALTIME = "twilio.realtime", "TRUNKLINE_REALTIME", "auto", "Whether the bot takes part in conversations over Twilio's socket too: `true`, `false`, or `auto`: if the API key, its secret and the chat service are set.";
    SEND_BY = "twilio.send_by", "TRUNKLINE_SEND_BY", "rest", "How answers are sent: `rest`, or `socket`, which falls back to REST while there is no connection.";
    TOKEN_TTL = "twilio.token_ttl", "TWILIO_TOKEN_TTL", "1h", "How long an access token of the socket lives; it is replaced after 70 to 80 % of that. Between 3m and 24h.";
    SOCKET_URL = "twilio.socket_url", "TRUNKLINE_SOCKET_URL", "", "Address of the socket, `ws://…` or `wss://…`. When not set: at `TWILIO_BASE_URL` if that is set, else Twilio's for the region and the edge.";
    SHARED_KEYS = "twilio.shared_keys", "TWILIO_SHARED_KEYS", "", "Keys of webhooks that are signed with HMAC-SHA256: `id:secret`, separated by commas.", secret;

    WEBCHAT = "web_chat.enabled", "TRUNKLINE_WEBCHAT", "false", "Whether the web chat runs, at `/chat`. With `trunkline up` it does unless this says `false`.";
    WEBCHAT_ORIGINS = "web_chat.origins", "TRUNKLINE_WEBCHAT_ORIGINS", "", "Origins whose pages may show the chat, such as `https://shop.example.com`, separated by commas. The gateway's own pages always may.";
    WEBCHAT_NEW_VISITORS = "web_chat.new_visitors", "TRUNKLINE_WEBCHAT_NEW_VISITORS", "30", "How many new visitors may begin to write within a minute from one address. Behind a proxy all have the address of the proxy. Where it is above 64, one address may also hold that many sockets.";

    LISTEN = "gateway.listen", "TRUNKLINE_LISTEN", "127.0.0.1:8080", "Address of the gateway.";
    EMULATOR_LISTEN = "emulator.listen", "TRUNKLINE_EMULATOR_LISTEN", "127.0.0.1:8090", "Address of the emulator that `up` starts.";
    DATA_DIR = "gateway.data_dir", "TRUNKLINE_DATA_DIR", ".trunkline", "Folder of the store and the bus.";
    INSTANCE = "gateway.instance", "TRUNKLINE_INSTANCE", "main", "Name of this instance on the bus: letters, digits, - and _.";
    CONSOLE_TOKEN = "gateway.console_token", "TRUNKLINE_CONSOLE_TOKEN", "", "Token that opens the console and its API, 16 characters or more; made and kept in the data folder when not set.", secret;
    DRAIN = "gateway.drain", "TRUNKLINE_DRAIN", "10s", "How long a stopping gateway waits for turns and sends that are under way. At most 5m.";

    DEBOUNCE = "texts.debounce", "TRUNKLINE_DEBOUNCE", "500ms", "How long a person must be silent before a burst of texts is answered as one. 0 turns this and superseding off: one answer per text. At most 1m.";
    TURN_TIMEOUT = "texts.turn_timeout", "TRUNKLINE_TURN_TIMEOUT", "30s", "Deadline of one try of an agent. At most 10m.";
    TURN_ATTEMPTS = "texts.turn_attempts", "TRUNKLINE_TURN_ATTEMPTS", "3", "Tries before a turn is given up.";
    TURN_BACKOFF = "texts.turn_backoff", "TRUNKLINE_TURN_BACKOFF", "500ms", "The wait before the second try; doubles, with full jitter. At most 1m.";
    APOLOGY = "texts.apology", "TRUNKLINE_APOLOGY", "Sorry, something went wrong on our side. Please try again in a little while.", "What a person hears when a turn is given up. Empty says nothing.";
    SETTLE = "texts.settle", "TRUNKLINE_SETTLE", "2s", "How long a send whose outcome is unknown is left alone before it is looked up. At most 5m.";

    CATCH_UP = "catch_up.enabled", "TRUNKLINE_CATCH_UP", "true", "Whether missed messages are read back from the provider.";
    CATCH_UP_RATE = "catch_up.rate", "TRUNKLINE_CATCH_UP_RATE", "50", "Reads per second while catching up.";
    CATCH_UP_CONVERSATIONS = "catch_up.conversations", "TRUNKLINE_CATCH_UP_CONVERSATIONS", "1000", "How many conversations one pass looks at, newest first.";
    CATCH_UP_INTERVAL = "catch_up.interval", "TRUNKLINE_CATCH_UP_INTERVAL", "60s", "How often a quiet pass looks for webhooks that were lost. 0 turns it off. At most 24h.";
    CATCH_UP_MAX_AGE = "catch_up.max_age", "TRUNKLINE_CATCH_UP_MAX_AGE", "24h", "Messages older than this are recorded but not answered any more. At most 720h.";
    CATCH_UP_LOOK_BACK = "catch_up.look_back", "TRUNKLINE_CATCH_UP_LOOK_BACK", "5m", "How far before its very first start the gateway answers what it finds. At most 720h.";

    AGENT = "agent.kind", "TRUNKLINE_AGENT", "concierge", "`concierge` (rules, no model), `chat` (an OpenAI-compatible server), `http` (an agent of yours behind a URL), or `none` (an agent of yours on the bus, see docs/agents.md).";
    CONCIERGE = "agent.concierge", "TRUNKLINE_CONCIERGE", "", "File with the concierge's rules; built-in rules when not set.";
    MODEL = "agent.model", "TRUNKLINE_MODEL", "", "The model that `chat` asks.";
    MODEL_BASE_URL = "agent.base_url", "OPENAI_BASE_URL", "https://api.openai.com/v1", "Where `chat` asks.";
    MODEL_KEY = "agent.api_key", "OPENAI_API_KEY", "", "The server's key.", secret;
    INSTRUCTIONS = "agent.instructions", "TRUNKLINE_INSTRUCTIONS", "", "What the model is told first.";
    AGENT_URL = "agent.url", "TRUNKLINE_AGENT_URL", "", "Where `http` posts each turn: `http://…` or `https://…`.";
    AGENT_SECRET = "agent.secret", "TRUNKLINE_AGENT_SECRET", "", "What `http` signs each turn with, 16 characters or more; over https or to this machine it is the bearer token as well. Nothing is signed when not set.", secret;

    LOG = "telemetry.log", "TRUNKLINE_LOG", "info", "What is logged, as a tracing filter.";
    LOG_FORMAT = "telemetry.log_format", "TRUNKLINE_LOG_FORMAT", "auto", "`json`, `text`, or `auto`: text on a terminal.";
    OTLP_ENDPOINT = "telemetry.otlp_endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT", "", "Where traces and metrics go by OTLP over HTTP; nowhere when not set.";
    OTLP_INTERVAL = "telemetry.otlp_interval", "TRUNKLINE_OTLP_INTERVAL", "15s", "How often metrics are exported. Between 1s and 1h.";
}
