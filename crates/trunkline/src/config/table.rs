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
    MESSAGING_NUMBERS = "twilio.messaging_numbers", "TRUNKLINE_MESSAGING_NUMBERS", "", "Our numbers, WhatsApp senders (`whatsapp:+…`) and Messaging Services (`MG…`) that people write to without Conversations, separated by commas. When set, messages to others are not taken at `/webhooks/twilio/messaging`; what was missed is read back for these, and for those that somebody has written to.";
    REGISTER_MESSAGING = "twilio.register_messaging", "TRUNKLINE_REGISTER_MESSAGING", "false", "Whether the messages of those numbers (of `TWILIO_PHONE_NUMBER` when none is named) are pointed here at start. A number whose messages go into Conversations must not be: it would be answered twice.";
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
    SMS_CHARS = "texts.sms_chars", "TRUNKLINE_SMS_CHARS", "1600", "Characters of one message on SMS; a longer answer is split at the ends of sentences. Between 20 and 1600, which is what Twilio takes.";
    WHATSAPP_CHARS = "texts.whatsapp_chars", "TRUNKLINE_WHATSAPP_CHARS", "1600", "Characters of one message on WhatsApp. Between 20 and 1600.";
    MAX_PARTS = "texts.max_parts", "TRUNKLINE_MAX_PARTS", "5", "Messages of one answer; what is behind them is left out. At most 20.";
    SENDER_RATES = "texts.sender_rates", "TRUNKLINE_SENDER_RATES", "auto", "How many messages a second our addresses send: numbers with their rate, such as `+15550001111=10,whatsapp:+15550001111=80`, and for the others `on` (Twilio's own: 1 of a long code, 3 of a toll-free number, 100 of a short code, 80 on WhatsApp), `off`, or `auto`: on unless `TWILIO_BASE_URL` is set.";
    KEYWORD_REPLIES = "texts.keyword_replies", "TRUNKLINE_KEYWORD_REPLIES", "auto", "Who confirms STOP, START and HELP: `gateway`, `twilio`, or `auto`: Twilio on SMS, where it does so by itself, and the gateway on WhatsApp.";
    STOP_REPLY = "texts.stop_reply", "TRUNKLINE_STOP_REPLY", "You will not hear from us again. Write START if you change your mind.", "What the gateway says to whoever opts out. Empty says nothing.";
    START_REPLY = "texts.start_reply", "TRUNKLINE_START_REPLY", "Welcome back: you will hear from us again. Write STOP to end that.", "What it says to whoever opts in again. Empty says nothing.";
    HELP_REPLY = "texts.help_reply", "TRUNKLINE_HELP_REPLY", "You are writing with an automatic assistant. Write STOP and you will not hear from us again.", "What it says to HELP and INFO. Empty says nothing.";
    WHATSAPP_WINDOW = "texts.whatsapp_window", "TRUNKLINE_WHATSAPP_WINDOW", "24h", "How long after a person's last message anything may be sent to them on WhatsApp; after that only templates. 0 leaves it to Twilio. At most 720h.";
    WHATSAPP_TEMPLATE = "texts.whatsapp_template", "TRUNKLINE_WHATSAPP_TEMPLATE", "", "The template (`HX…`) that is sent in place of a text when the window is closed. Such a text is refused when not set.";
    WHATSAPP_TEMPLATE_VARIABLES = "texts.whatsapp_template_variables", "TRUNKLINE_WHATSAPP_TEMPLATE_VARIABLES", "", "What is filled in there, a JSON object of texts; `{text}` stands for the text that could not be sent.";

    MEDIA_TYPES = "media.types", "TRUNKLINE_MEDIA_TYPES", "image/jpeg,image/png,image/gif,image/webp,video/mp4,video/webm,audio/mpeg,audio/wav,audio/ogg,audio/mp4", "Kinds of files that are taken from people, by their content. What is listed by default is all that can be.";
    MEDIA_MAX_BYTES = "media.max_bytes", "TRUNKLINE_MEDIA_MAX_BYTES", "16777216", "The largest file that is taken. Between 1024 and 104857600.";
    MEDIA_MAX_TOTAL_BYTES = "media.max_total_bytes", "TRUNKLINE_MEDIA_MAX_TOTAL_BYTES", "10737418240", "How much all files that are kept may have together; what does not fit is refused with `files.full`.";
    MEDIA_TIMEOUT = "media.timeout", "TRUNKLINE_MEDIA_TIMEOUT", "20s", "How long the files of one burst of texts may take. At most 5m.";
    MEDIA_REFUSED = "media.refused", "TRUNKLINE_MEDIA_REFUSED", "Sorry, that file cannot be opened here. Pictures (JPEG, PNG, GIF, WebP), videos (MP4, WebM) and sound (MP3, WAV, OGG, M4A) of a moderate size can.", "What a person hears whose file is not taken. Empty says nothing.";
    MEDIA_BASE_URL = "media.base_url", "TRUNKLINE_MEDIA_BASE_URL", "", "Scheme and host under which agents elsewhere reach this gateway's API for files; the address it listens on when not set.";

    CATCH_UP = "catch_up.enabled", "TRUNKLINE_CATCH_UP", "true", "Whether missed messages are read back from the provider.";
    CATCH_UP_RATE = "catch_up.rate", "TRUNKLINE_CATCH_UP_RATE", "50", "Reads per second while catching up.";
    CATCH_UP_CONVERSATIONS = "catch_up.conversations", "TRUNKLINE_CATCH_UP_CONVERSATIONS", "1000", "How many conversations one pass looks at, newest first.";
    CATCH_UP_INTERVAL = "catch_up.interval", "TRUNKLINE_CATCH_UP_INTERVAL", "60s", "How often a quiet pass looks for webhooks that were lost. 0 turns it off. At most 24h.";
    CATCH_UP_MAX_AGE = "catch_up.max_age", "TRUNKLINE_CATCH_UP_MAX_AGE", "24h", "Messages older than this are recorded but not answered any more. At most 720h.";
    CATCH_UP_LOOK_BACK = "catch_up.look_back", "TRUNKLINE_CATCH_UP_LOOK_BACK", "5m", "How far before its very first start the gateway answers what it finds. At most 720h.";

    COUNTRY = "people.country", "TRUNKLINE_COUNTRY", "", "The country of numbers that are typed without a country code, as two letters such as `US`; that of `TWILIO_PHONE_NUMBER` when not set, else `US`.";

    KNOWLEDGE_MAX_BYTES = "knowledge.max_bytes", "TRUNKLINE_KNOWLEDGE_MAX_BYTES", "20971520", "The largest document that is taken in. Between 1024 and 104857600.";
    PDF_PROGRAM = "knowledge.pdf_program", "TRUNKLINE_PDF_PROGRAM", "", "Who reads PDFs: a program with its arguments, separated by blanks, that gets a PDF on standard input and writes its text to standard output, pages separated by form feeds, such as `pdftotext - -`. When not set `trunkline pdf-text` does, in a process with limits of memory and time.";
    SEARCH_RETENTION = "search.retention", "TRUNKLINE_SEARCH_RETENTION", "2160h", "How long what was said in calls and conversations can be found. 0 keeps it out of the search. At most 87600h.";
    SEARCH_QUIET = "search.quiet", "TRUNKLINE_SEARCH_QUIET", "10m", "How long it must be quiet in a conversation that is not closed before it can be found. At most 720h.";
    RECALL_TEXT_DEADLINE = "recall.text_deadline", "TRUNKLINE_RECALL_TEXT_DEADLINE", "150ms", "How long the answer to a text waits for what the person's words remind of: documents, and what was said with them before. What comes later is left out. 0 turns it off. At most 10s.";
    RECALL_CALL_DEADLINE = "recall.call_deadline", "TRUNKLINE_RECALL_CALL_DEADLINE", "50ms", "The same in a call. At most 10s.";
    RECALL_COLLECTIONS = "recall.collections", "TRUNKLINE_RECALL_COLLECTIONS", "*", "Collections that agents are reminded of, separated by commas; `*` for all, `none` for none.";
    RECALL_PASSAGES = "recall.passages", "TRUNKLINE_RECALL_PASSAGES", "5", "Passages that an agent is given with a turn. At most 20.";
    EMBEDDINGS_URL = "embeddings.url", "TRUNKLINE_EMBEDDINGS_URL", "", "Where a model of embeddings is, in OpenAI's API: what stands before `/embeddings`, such as `https://api.openai.com/v1` or `http://127.0.0.1:11434/v1`. With it passages are found by what they mean too; when not set, the words alone decide. What can be searched is sent there.";
    EMBEDDINGS_FOLDER = "embeddings.folder", "TRUNKLINE_EMBEDDINGS_FOLDER", "", "In the place of a URL: the folder of a sentence transformer (`config.json`, `tokenizer.json`, `model.safetensors`; of the kind BERT) that is run here. Only in programs that are built with the feature `local-embeddings`.";
    EMBEDDINGS_MODEL = "embeddings.model", "TRUNKLINE_EMBEDDINGS_MODEL", "", "The model's name there. With another one everything is embedded anew.";
    EMBEDDINGS_KEY = "embeddings.key", "TRUNKLINE_EMBEDDINGS_KEY", "", "The server's key.", secret;
    EMBEDDINGS_DIMENSIONS = "embeddings.dimensions", "TRUNKLINE_EMBEDDINGS_DIMENSIONS", "", "How many numbers a vector is to have, for models that can be asked for fewer. Between 1 and 4096; what the model gives when not set.";
    EMBEDDINGS_NEARNESS = "embeddings.nearness", "TRUNKLINE_EMBEDDINGS_NEARNESS", "0.25", "How near a passage must be to be found by its meaning, as the cosine, between -1 and 1. What is near differs from model to model.";
    EMBEDDINGS_QUESTION_PREFIX = "embeddings.question_prefix", "TRUNKLINE_EMBEDDINGS_QUESTION_PREFIX", "", "What the model wants before a question, such as `query: ` (E5) or `search_query: ` (Nomic). At most 200 bytes.";
    EMBEDDINGS_PASSAGE_PREFIX = "embeddings.passage_prefix", "TRUNKLINE_EMBEDDINGS_PASSAGE_PREFIX", "", "The same before a passage, such as `passage: ` or `search_document: `. With another one everything is embedded anew.";
    EMBEDDINGS_TIMEOUT = "embeddings.timeout", "TRUNKLINE_EMBEDDINGS_TIMEOUT", "30s", "How long the model may take for one batch of passages. At most 5m. Whoever waits for an answer waits no longer than `recall` says.";
    RECALL_ANSWERS = "recall.answers", "TRUNKLINE_RECALL_ANSWERS", "true", "Whether the concierge, where no rule fits, answers with the sentences of a passage that fits well, and names where they stand.";
    SUMMARY_AFTER = "summary.after", "TRUNKLINE_SUMMARY_AFTER", "30", "The latest messages of a conversation that agents see as they are; what is older is kept as a running summary, made in the background: by the agent's model, or by selection where it has none. 0 turns summaries off. At most 30.";
    SUMMARY_DEADLINE = "summary.deadline", "TRUNKLINE_SUMMARY_DEADLINE", "30s", "How long a model may take for a summary; no answer waits for it. Between 1s and 5m.";
    SUMMARY_TOKENS = "summary.tokens", "TRUNKLINE_SUMMARY_TOKENS", "400", "The longest summary of a model, in tokens. Between 50 and 2000.";

    AGENT = "agent.kind", "TRUNKLINE_AGENT", "concierge", "`concierge` (rules, no model), `chat` (an OpenAI-compatible server), `http` (an agent of yours behind a URL), or `none` (an agent of yours on the bus, see docs/agents.md).";
    CONCIERGE = "agent.concierge", "TRUNKLINE_CONCIERGE", "", "File with the concierge's rules; built-in rules when not set.";
    MODEL_API = "agent.api", "TRUNKLINE_MODEL_API", "openai", "The API that the server of that model speaks: `openai` (Chat Completions, which many servers speak) or `anthropic` (Messages).";
    MODELS = "agent.models", "TRUNKLINE_MODELS", "", "The models that `chat` asks, in order, by their names in `[models.…]`, separated by commas; the next one is asked when one does not begin to answer. When not set: the one of `TRUNKLINE_MODEL`.";
    TOOLS = "agent.tools", "TRUNKLINE_TOOLS", "*", "What `chat` may use beside words: names of tools, of `[mcp.…]` servers, or `*` for all, separated by commas.";
    TOOL_TIMEOUT = "agent.tool_timeout", "TRUNKLINE_TOOL_TIMEOUT", "10s", "How long one tool may take. At most 5m.";
    TOOL_CALLS = "agent.tool_calls", "TRUNKLINE_TOOL_CALLS", "16", "How many tools an agent may call in one turn. Between 0 and 100.";
    MODEL = "agent.model", "TRUNKLINE_MODEL", "", "The model that `chat` asks.";
    MODEL_BASE_URL = "agent.base_url", "OPENAI_BASE_URL", "https://api.openai.com/v1", "Where `chat` asks.";
    MODEL_KEY = "agent.api_key", "OPENAI_API_KEY", "", "The server's key.", secret;
    ANTHROPIC_BASE_URL = "agent.anthropic_base_url", "ANTHROPIC_BASE_URL", "https://api.anthropic.com/v1", "Where `chat` asks when the API is `anthropic`.";
    ANTHROPIC_KEY = "agent.anthropic_api_key", "ANTHROPIC_API_KEY", "", "That server's key.", secret;
    INSTRUCTIONS = "agent.instructions", "TRUNKLINE_INSTRUCTIONS", "", "What the model is told first.";
    AGENT_URL = "agent.url", "TRUNKLINE_AGENT_URL", "", "Where `http` posts each turn: `http://…` or `https://…`.";
    AGENT_SECRET = "agent.secret", "TRUNKLINE_AGENT_SECRET", "", "What `http` signs each turn with, 16 characters or more; over https or to this machine it is the bearer token as well. Nothing is signed when not set.", secret;

    WORKFLOWS = "workflows.folder", "TRUNKLINE_WORKFLOWS", "", "Folder of workflows, one `*.toml` each (see docs/workflows.md). There are none when not set.";
    WORKFLOWS_AT_ONCE = "workflows.at_once", "TRUNKLINE_WORKFLOWS_AT_ONCE", "64", "Runs of workflows that are at work at once, over all of them; others wait. Each workflow has its own number beside that.";
    WORKFLOWS_ALLOWED_HOSTS = "workflows.allowed_hosts", "TRUNKLINE_WORKFLOWS_ALLOWED_HOSTS", "", "Hosts that requests of workflows may go to although their addresses are not of the public internet, such as `crm.internal` or `127.0.0.1`, separated by commas.";
    WORKFLOWS_KEEP = "workflows.keep", "TRUNKLINE_WORKFLOWS_KEEP", "720h", "How long runs of workflows are kept that are over.";

    VOICE = "calls.enabled", "TRUNKLINE_VOICE", "auto", "Whether calls are answered and placed: `true`, `false`, or `auto`: if `TWILIO_PHONE_NUMBER` is set.";
    API_VERSION = "twilio.api_version", "TWILIO_API_VERSION", "2010-04-01", "Version of the Voice API.";
    STREAM_TIMEOUT = "twilio.stream_timeout", "TWILIO_STREAM_TIMEOUT", "30s", "How long a call's socket may take to come. At most 10m.";
    STREAM_BUFFER_SIZE = "twilio.stream_buffer_size", "TWILIO_STREAM_BUFFER_SIZE", "4096", "Bytes that are kept ready for the outgoing audio of a call.";
    MAX_CALLS = "calls.max", "TRUNKLINE_MAX_CALLS", "200", "Calls at the same time.";
    CALL_OVERFLOW = "calls.overflow", "TRUNKLINE_CALL_OVERFLOW", "apologise", "What callers beyond that hear: `apologise` (an apology, then the line is dropped), `queue` (they wait) or `message` (Twilio records a message, which `recording.completed.v1` tells of).";
    VOICE_LANGUAGE = "calls.language", "TRUNKLINE_VOICE_LANGUAGE", "en-US", "The language of calls, as a BCP 47 tag.";
    GREETING = "calls.greeting", "TRUNKLINE_GREETING", "Hello! How can I help you?", "The first words of a call.";
    GREETING_KNOWN = "calls.greeting_known", "TRUNKLINE_GREETING_KNOWN", "Hello {name}! How can I help you?", "The first words to someone whose `name` is remembered.";
    BACK = "calls.back", "TRUNKLINE_BACK", "Thank you for waiting.", "The first words to someone who was on hold, or whom nobody took over.";
    REPROMPT = "calls.reprompt", "TRUNKLINE_REPROMPT", "Are you still there?", "What a person hears who has said nothing for a while.";
    GOODBYE = "calls.goodbye", "TRUNKLINE_GOODBYE", "Thank you for calling. Goodbye.", "The last words when a person stays silent, or a call has lasted too long.";
    FILLER = "calls.filler", "TRUNKLINE_FILLER", "One moment, please.", "What a person hears while an answer takes long. Empty says nothing.";
    CALL_APOLOGY = "calls.apology", "TRUNKLINE_CALL_APOLOGY", "I am sorry, something went wrong on our side. Please say that again.", "What a person hears when an answer could not be made.";
    CALL_DRAINING = "calls.draining", "TRUNKLINE_CALL_DRAINING", "I am sorry, we have to end this call. Please call again in a moment. Goodbye.", "The last words of calls that live when the gateway has to stop.";
    END_SILENCE = "calls.end_silence", "TRUNKLINE_END_SILENCE", "600ms", "The silence that ends what a person says, to begin with; it adapts to them. Between 100ms and 5s.";
    REPROMPT_AFTER = "calls.reprompt_after", "TRUNKLINE_REPROMPT_AFTER", "8s", "The silence after which a person is asked again. Between 1s and 1h.";
    MAX_REPROMPTS = "calls.max_reprompts", "TRUNKLINE_MAX_REPROMPTS", "2", "How often, before the goodbye.";
    MAX_CALL_DURATION = "calls.max_duration", "TRUNKLINE_MAX_CALL_DURATION", "1h", "How long a call may last. At most 4h.";
    PROVIDER_RECORDING = "calls.provider_recording", "TRUNKLINE_PROVIDER_RECORDING", "off", "Whether Twilio records calls too, and keeps the files: `off`, `mono` or `dual`. Facts tell of them (`recording.completed.v1`).";
    RECORD_CALLS = "calls.record", "TRUNKLINE_RECORD_CALLS", "false", "Whether calls are recorded here: a WAV file for each, the person on the left. With `trunkline up` they are unless this says `false`.";
    RECORDINGS = "calls.recordings", "TRUNKLINE_RECORDINGS", "", "The folder of recordings; `recordings` in the data folder when not set.";
    TRANSFER_TO = "calls.transfer_to", "TRUNKLINE_TRANSFER_TO", "", "The number, E.164, of whoever takes over when the agent hands a caller over. The agent goes on when not set.";
    TRANSFER_TIMEOUT = "calls.transfer_timeout", "TRUNKLINE_TRANSFER_TIMEOUT", "20s", "How long it may ring there before the caller is back with the agent.";
    MACHINE_DETECTION = "calls.machine_detection", "TRUNKLINE_MACHINE_DETECTION", "off", "Whether to find out what answers a call that we place: `off`, `enable`, or `detect_message_end`.";
    VOICEMAIL = "calls.voicemail", "TRUNKLINE_VOICEMAIL", "hang_up", "When a machine answers: `hang_up`, `leave_message` (says the greeting), or `talk`.";
    RELAY_NUMBERS = "calls.relay_numbers", "TRUNKLINE_RELAY_NUMBERS", "", "Our numbers at which Twilio listens and speaks (ConversationRelay), separated by commas; `*` for all.";
    RELAY_VOICE = "calls.relay_voice", "TRUNKLINE_RELAY_VOICE", "", "The voice of ConversationRelay; Twilio's default when not set.";
    RELAY_TTS_PROVIDER = "calls.relay_tts_provider", "TRUNKLINE_RELAY_TTS_PROVIDER", "", "Who speaks with ConversationRelay: `ElevenLabs`, `Google` or `Amazon`.";
    RELAY_TRANSCRIPTION_PROVIDER = "calls.relay_transcription_provider", "TRUNKLINE_RELAY_TRANSCRIPTION_PROVIDER", "", "Who listens with ConversationRelay: `Deepgram` or `Google`.";
    RELAY_SPEECH_MODEL = "calls.relay_speech_model", "TRUNKLINE_RELAY_SPEECH_MODEL", "", "The model that listens with ConversationRelay, such as `nova-3-general` or `flux`.";
    RELAY_LANGUAGE = "calls.relay_language", "TRUNKLINE_RELAY_LANGUAGE", "", "Its language; `TRUNKLINE_VOICE_LANGUAGE` when not set.";
    RELAY_TTS_LANGUAGE = "calls.relay_tts_language", "TRUNKLINE_RELAY_TTS_LANGUAGE", "", "Its language when it speaks, if that is another one.";
    RELAY_TRANSCRIPTION_LANGUAGE = "calls.relay_transcription_language", "TRUNKLINE_RELAY_TRANSCRIPTION_LANGUAGE", "", "Its language when it listens, if that is another one.";
    RELAY_WELCOME_GREETING = "calls.relay_welcome_greeting", "TRUNKLINE_RELAY_WELCOME_GREETING", "", "What Twilio says at once at relayed numbers, in place of the greeting from here.";
    RELAY_WELCOME_GREETING_INTERRUPTIBLE = "calls.relay_welcome_greeting_interruptible", "TRUNKLINE_RELAY_WELCOME_GREETING_INTERRUPTIBLE", "", "What stops that: `none`, `dtmf`, `speech` or `any`; Twilio's default is `any`.";
    RELAY_INTERRUPTIBLE = "calls.relay_interruptible", "TRUNKLINE_RELAY_INTERRUPTIBLE", "", "What stops the agent's words: `none`, `dtmf`, `speech` or `any`; Twilio's default is `any`.";
    RELAY_INTERRUPT_SENSITIVITY = "calls.relay_interrupt_sensitivity", "TRUNKLINE_RELAY_INTERRUPT_SENSITIVITY", "", "How little speech is enough for that: `high`, `medium` or `low`; Twilio's default is `high`.";
    RELAY_IGNORE_BACKCHANNEL = "calls.relay_ignore_backchannel", "TRUNKLINE_RELAY_IGNORE_BACKCHANNEL", "", "Whether short words of agreement stop nothing.";
    RELAY_REPORT_INPUT_DURING_AGENT_SPEECH = "calls.relay_report_input_during_agent_speech", "TRUNKLINE_RELAY_REPORT_INPUT_DURING_AGENT_SPEECH", "", "What the agent is told of while it speaks: `none`, `dtmf`, `speech` or `any`; Twilio's default is `none`.";
    RELAY_PREEMPTIBLE = "calls.relay_preemptible", "TRUNKLINE_RELAY_PREEMPTIBLE", "", "Whether new words of the agent replace those that wait to be spoken.";
    RELAY_DTMF_DETECTION = "calls.relay_dtmf_detection", "TRUNKLINE_RELAY_DTMF_DETECTION", "true", "Whether keys are reported.";
    RELAY_PARTIAL_PROMPTS = "calls.relay_partial_prompts", "TRUNKLINE_RELAY_PARTIAL_PROMPTS", "", "Whether words are reported before they are whole (`flux` only): whoever speaks for long is not taken for silent.";
    RELAY_SPEECH_TIMEOUT = "calls.relay_speech_timeout", "TRUNKLINE_RELAY_SPEECH_TIMEOUT", "", "The silence that ends what a person says: `auto`, or 600 to 5000 milliseconds.";
    RELAY_EOT_THRESHOLD = "calls.relay_eot_threshold", "TRUNKLINE_RELAY_EOT_THRESHOLD", "", "How certain it must be that a person is done, 0.5 to 0.9 (`flux` only).";
    RELAY_HINTS = "calls.relay_hints", "TRUNKLINE_RELAY_HINTS", "", "Words to expect, separated by commas.";
    RELAY_PROFANITY_FILTER = "calls.relay_profanity_filter", "TRUNKLINE_RELAY_PROFANITY_FILTER", "", "Whether rude words are masked; Twilio's default is `true`.";
    RELAY_DEEPGRAM_SMART_FORMAT = "calls.relay_deepgram_smart_format", "TRUNKLINE_RELAY_DEEPGRAM_SMART_FORMAT", "", "Whether Deepgram formats what was said; Twilio's default is `true`.";
    RELAY_ELEVENLABS_TEXT_NORMALIZATION = "calls.relay_elevenlabs_text_normalization", "TRUNKLINE_RELAY_ELEVENLABS_TEXT_NORMALIZATION", "", "Whether ElevenLabs makes text ready to be spoken: `on`, `auto` or `off`; Twilio's default is `off`.";
    RELAY_BACKGROUND_NOISE_REDUCTION = "calls.relay_background_noise_reduction", "TRUNKLINE_RELAY_BACKGROUND_NOISE_REDUCTION", "", "Whether noise behind the person is reduced.";
    RELAY_DEBUG = "calls.relay_debug", "TRUNKLINE_RELAY_DEBUG", "", "`debugging`: what Twilio reports of the session beside the conversation.";

    RECOGNIZER = "speech.recognizer", "TRUNKLINE_RECOGNIZER", "auto", "Who listens: `deepgram`, `openai`, `offline` (pocketsphinx with a grammar of the concierge's phrases), several separated by commas, best first, or `none`. `auto`: those with a key, then `offline`.";
    SYNTHESIZER = "speech.synthesizer", "TRUNKLINE_SYNTHESIZER", "auto", "Who speaks: `elevenlabs`, `openai`, `offline` (flite or espeak-ng), several separated by commas, best first, or `none`. `auto`: those with a key, then `offline`.";
    SPEECH_MODEL = "speech.model", "TRUNKLINE_SPEECH_MODEL", "none", "A model that listens and speaks by itself and leads calls: `openai` (its Realtime API, at `OPENAI_BASE_URL`), or `none`. It is told `TRUNKLINE_INSTRUCTIONS`, not the agent; when it fails the others take over.";
    OPENAI_REALTIME_MODEL = "speech.openai_realtime_model", "TRUNKLINE_OPENAI_REALTIME_MODEL", "gpt-realtime", "Which model that is.";
    OPENAI_SPEECH_MODEL = "speech.openai_speech_model", "TRUNKLINE_OPENAI_SPEECH_MODEL", "gpt-4o-mini-tts", "The model that speaks at `OPENAI_BASE_URL`.";
    OPENAI_VOICE = "speech.openai_voice", "TRUNKLINE_OPENAI_VOICE", "alloy", "Its voice.";
    OPENAI_TRANSCRIPTION_MODEL = "speech.openai_transcription_model", "TRUNKLINE_OPENAI_TRANSCRIPTION_MODEL", "gpt-4o-mini-transcribe", "The model that listens at `OPENAI_BASE_URL`.";
    DEEPGRAM_KEY = "speech.deepgram_key", "DEEPGRAM_API_KEY", "", "Deepgram's key.", secret;
    DEEPGRAM_URL = "speech.deepgram_url", "TRUNKLINE_DEEPGRAM_URL", "wss://api.deepgram.com", "Where Deepgram is.";
    DEEPGRAM_MODEL = "speech.deepgram_model", "TRUNKLINE_DEEPGRAM_MODEL", "nova-3", "Deepgram's model.";
    ELEVENLABS_KEY = "speech.elevenlabs_key", "ELEVENLABS_API_KEY", "", "ElevenLabs' key.", secret;
    ELEVENLABS_URL = "speech.elevenlabs_url", "TRUNKLINE_ELEVENLABS_URL", "https://api.elevenlabs.io", "Where ElevenLabs is.";
    ELEVENLABS_VOICE = "speech.elevenlabs_voice", "TRUNKLINE_ELEVENLABS_VOICE", "21m00Tcm4TlvDq8ikWAM", "Its voice.";
    ELEVENLABS_MODEL = "speech.elevenlabs_model", "TRUNKLINE_ELEVENLABS_MODEL", "eleven_flash_v2_5", "Its model.";

    LOG = "telemetry.log", "TRUNKLINE_LOG", "info", "What is logged, as a tracing filter.";
    LOG_FORMAT = "telemetry.log_format", "TRUNKLINE_LOG_FORMAT", "auto", "`json`, `text`, or `auto`: text on a terminal.";
    OTLP_ENDPOINT = "telemetry.otlp_endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT", "", "Where traces and metrics go by OTLP over HTTP; nowhere when not set.";
    OTLP_INTERVAL = "telemetry.otlp_interval", "TRUNKLINE_OTLP_INTERVAL", "15s", "How often metrics are exported. Between 1s and 1h.";
}
