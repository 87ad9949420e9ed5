//! The verbs that tie a call to a socket or to something beside it.

use super::attribute::{HttpMethod, Interruptible, SpeechTimeout, Track, attributes};

attributes! {
    /// `<Connect>`: hand the call over until the other side ends it.
    Connect {
        /// Requested afterwards. Default: the document goes on.
        action: String = "action",
        /// Of `action`. Default POST.
        method: HttpMethod = "method",
    }
    contents {
        /// To what.
        target: ConnectTarget,
    }
}

/// What a call is handed to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectTarget {
    /// A socket that takes and gives audio.
    Stream(Stream),
    /// A socket that takes and gives words.
    ConversationRelay(Box<ConversationRelay>),
}

impl Default for ConnectTarget {
    fn default() -> Self {
        Self::Stream(Stream::default())
    }
}

impl From<Stream> for ConnectTarget {
    fn from(stream: Stream) -> Self {
        Self::Stream(stream)
    }
}

impl From<ConversationRelay> for ConnectTarget {
    fn from(relay: ConversationRelay) -> Self {
        Self::ConversationRelay(Box::new(relay))
    }
}

impl Connect {
    /// Hands the call over; then the document goes on.
    pub fn to(target: impl Into<ConnectTarget>) -> Self {
        Self { target: target.into(), ..Self::default() }
    }
}

attributes! {
    /// `<Start>`: begin something beside the call.
    Start {
        /// Requested afterwards.
        action: String = "action",
        /// Of `action`. Default POST.
        method: HttpMethod = "method",
    }
    contents {
        /// What.
        target: StartTarget,
    }
}

/// What runs beside a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartTarget {
    /// A socket that takes audio.
    Stream(Stream),
    /// Words as they are spoken.
    Transcription(Transcription),
}

impl Default for StartTarget {
    fn default() -> Self {
        Self::Stream(Stream::default())
    }
}

/// `<Stop>`: end what was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// What.
    pub target: StopTarget,
}

/// What is ended, by the name it was given, or the only one there is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopTarget {
    /// A stream.
    Stream(Option<String>),
    /// A transcription.
    Transcription(Option<String>),
}

attributes! {
    /// `<Stream>`: the call's audio over a WebSocket.
    Stream {
        /// To stop it by. Unique in the call.
        name: String = "name",
        /// Of an installed connector.
        connector_name: String = "connectorName",
        /// `wss://…`, without a query.
        url: String = "url",
        /// Default `inbound_track`, which is the only one inside `<Connect>`.
        track: Track = "track",
        /// Told of the stream's beginning, end and failure.
        status_callback: String = "statusCallback",
        /// Of `status_callback`. Default POST.
        status_callback_method: HttpMethod = "statusCallbackMethod",
        /// Default `audio/x-mulaw`.
        audio_format: String = "audioFormat",
        /// In hertz. Default 8000.
        sample_rate: u32 = "sampleRate",
    }
    contents {
        /// Handed to the server in `start`. Name and value together at most 500 characters.
        parameters: Vec<Parameter>,
    }
}

attributes! {
    /// `<Parameter>`: a name and a value for the server.
    Parameter {
        /// The name.
        name: String = "name",
        /// The value.
        value: String = "value",
    }
}

impl Parameter {
    /// A parameter.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: Some(name.into()), value: Some(value.into()) }
    }
}

attributes! {
    /// `<Transcription>`: words of the call while it lasts.
    Transcription {
        /// To stop it by.
        name: String = "name",
        /// Default `both_tracks`.
        track: Track = "track",
        /// Told of what is said.
        status_callback_url: String = "statusCallbackUrl",
        /// Of `status_callback_url`. Default POST.
        status_callback_method: HttpMethod = "statusCallbackMethod",
        /// What the far side is called.
        inbound_track_label: String = "inboundTrackLabel",
        /// What the near side is called.
        outbound_track_label: String = "outboundTrackLabel",
        /// Default false.
        partial_results: bool = "partialResults",
        /// Default `en-US`.
        language_code: String = "languageCode",
        /// Default `google`.
        transcription_engine: String = "transcriptionEngine",
        /// Default true.
        profanity_filter: bool = "profanityFilter",
        /// Default `telephony`.
        speech_model: String = "speechModel",
        /// Phrases to expect, separated by commas.
        hints: String = "hints",
        /// Default true.
        enable_automatic_punctuation: bool = "enableAutomaticPunctuation",
        /// SID of an Intelligence service.
        intelligence_service: String = "intelligenceService",
        /// Default false.
        enable_provider_data: bool = "enableProviderData",
    }
}

attributes! {
    /// `<ConversationRelay>`: recognition and speech are Twilio's, words go over a WebSocket.
    ///
    /// Attributes are written in camel case and read in any.
    ConversationRelay {
        /// `wss://…`
        url: String = "url",
        /// Spoken at once.
        welcome_greeting: String = "welcomeGreeting",
        /// What stops the greeting. Default `any`.
        welcome_greeting_interruptible: Interruptible = "welcomeGreetingInterruptible",
        /// Both directions. Default `en-US`.
        language: String = "language",
        /// Of speech.
        tts_language: String = "ttsLanguage",
        /// Of recognition.
        transcription_language: String = "transcriptionLanguage",
        /// Default `ElevenLabs`.
        tts_provider: String = "ttsProvider",
        /// Default: the provider's.
        voice: String = "voice",
        /// Default `Deepgram`.
        transcription_provider: String = "transcriptionProvider",
        /// The recogniser's model.
        speech_model: String = "speechModel",
        /// What stops speech. Default `any`.
        interruptible: Interruptible = "interruptible",
        /// `high` (default), `medium` or `low`.
        interrupt_sensitivity: String = "interruptSensitivity",
        /// Whether short words of agreement are passed over. Default false.
        ignore_backchannel: bool = "ignoreBackchannel",
        /// Which input is reported while the agent speaks. Default `none`.
        report_input_during_agent_speech: Interruptible = "reportInputDuringAgentSpeech",
        /// Whether new words replace those that wait. Default false.
        preemptible: bool = "preemptible",
        /// Whether digits are reported. Default false.
        dtmf_detection: bool = "dtmfDetection",
        /// Whether prompts are reported before they are whole. Default false.
        partial_prompts: bool = "partialPrompts",
        /// Silence that ends a prompt: `auto`, or 600 to 5000 ms.
        speech_timeout: SpeechTimeout = "speechTimeout",
        /// Certainty that a turn is over, 0.5 to 0.9.
        eot_threshold: String = "eotThreshold",
        /// Phrases to expect, separated by commas.
        hints: String = "hints",
        /// Default true.
        profanity_filter: bool = "profanityFilter",
        /// Default true.
        deepgram_smart_format: bool = "deepgramSmartFormat",
        /// `on`, `auto` or `off` (default).
        elevenlabs_text_normalization: String = "elevenlabsTextNormalization",
        /// Default false.
        background_noise_reduction: bool = "backgroundNoiseReduction",
        /// `speaker-events`, `tokens-played`, separated by a space.
        events: String = "events",
        /// `debugging`, and what `events` takes.
        debug: String = "debug",
        /// Whether an unfinished prompt is reported when the caller hangs up.
        partial_prompt_on_hangup: bool = "partialPromptOnHangup",
        /// Certainty at which a turn is taken as likely over.
        eager_eot_threshold: String = "eagerEotThreshold",
        /// How turns are told apart.
        turn_detection: String = "turnDetection",
        /// Whether recognised text is formatted.
        asr_smart_format: String = "asrSmartFormat",
        /// How text is made ready to be spoken.
        tts_text_normalization: String = "ttsTextNormalization",
        /// The same by the language.
        tts_language_text_normalization: String = "ttsLanguageTextNormalization",
        /// The same, of one provider.
        elevenlabs_language_text_normalization: String = "elevenlabsLanguageTextNormalization",
        /// What is added to prompts.
        include_in_prompt: String = "includeInPrompt",
        /// The caller's name.
        customer_name: String = "customerName",
        /// Whether a lost socket is opened again.
        application_reconnect: String = "applicationReconnect",
        /// Whether the agent's own words are kept out of prompts.
        echo_prompt_filtering: String = "echoPromptFiltering",
        /// An Intelligence service.
        intelligence_service: String = "intelligenceService",
        /// A configuration of Conversation Orchestrator.
        conversation_configuration: String = "conversationConfiguration",
        /// A conversation of it.
        conversation_id: String = "conversationId",
    }
    contents {
        /// Languages to switch to.
        languages: Vec<Language>,
        /// Handed to the server in `setup`.
        parameters: Vec<Parameter>,
    }
}

attributes! {
    /// `<Language>`: how one language is spoken and understood.
    Language {
        /// Such as `sv-SE`.
        code: String = "code",
        /// Of speech.
        tts_provider: String = "ttsProvider",
        /// Of speech.
        voice: String = "voice",
        /// Of recognition.
        transcription_provider: String = "transcriptionProvider",
        /// Phrases to expect, separated by commas.
        hints: String = "hints",
        /// Whether recognised text is formatted.
        asr_smart_format: String = "asrSmartFormat",
        /// How text is made ready to be spoken.
        tts_text_normalization: String = "ttsTextNormalization",
        /// The same by the language.
        tts_language_text_normalization: String = "ttsLanguageTextNormalization",
        /// Of recognition.
        speech_model: String = "speechModel",
    }
}
