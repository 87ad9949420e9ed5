//! Calls: whether there are any, how they are led, who listens and who speaks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use trunkline_agent::turns::Policy;
use trunkline_core::voice::RecordingMode;
use trunkline_core::{Config, ConfigError, E164, Secret};

use super::Reader;
use super::table as key;
use crate::calls::{CallSettings, VoicemailPolicy};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

/// Calls of a gateway.
#[derive(Debug, Clone)]
pub struct VoiceSettings {
    /// The configuration of the backend named `twilio` in the registry of voice.
    pub backend: Config,
    /// How calls are led.
    pub calls: CallSettings,
    /// Who listens and who speaks.
    pub speech: SpeechSettings,
}

/// An engine of speech, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Programs of this machine.
    Offline,
    /// A server with OpenAI's API.
    OpenAi,
    /// Deepgram.
    Deepgram,
    /// `ElevenLabs`.
    ElevenLabs,
}

/// Who listens and who speaks.
#[derive(Debug, Clone)]
pub struct SpeechSettings {
    /// Who listens, best first.
    pub recognizers: Vec<Engine>,
    /// Who speaks, best first.
    pub voices: Vec<Engine>,
    /// Whether an engine that is not there is an error: it was asked for by name.
    pub is_strict: bool,
    /// A server with OpenAI's API.
    pub openai: Provider,
    /// Whether OpenAI's realtime model leads calls by itself, and which.
    pub speech_model: Option<String>,
    /// OpenAI's model that speaks.
    pub openai_speech_model: String,
    /// OpenAI's model that listens.
    pub openai_transcription_model: String,
    /// Deepgram.
    pub deepgram: Provider,
    /// Deepgram's model.
    pub deepgram_model: String,
    /// `ElevenLabs`.
    pub elevenlabs: Provider,
    /// The model of `ElevenLabs`.
    pub elevenlabs_model: String,
}

/// A provider of speech.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Where it is.
    pub base_url: String,
    /// Its key; none if it was not given.
    pub key: Option<Secret>,
    /// The voice that speaks, as the provider names it.
    pub voice: String,
}

/// Reads the settings of calls. `backend` has what messaging was configured with: the account and where it is.
pub(super) fn voice(
    reader: &Reader,
    data_dir: &Path,
    public_base: &str,
    problems: &mut ConfigError,
) -> Option<Box<VoiceSettings>> {
    let has_number = reader.text(&key::PHONE_NUMBER).is_some();
    let is_on = match reader.text_or_default(&key::VOICE) {
        "auto" => has_number,
        "true" => true,
        "false" => false,
        _ => {
            problems.add(reader.name_of(&key::VOICE), "must be true, false or auto");
            false
        }
    };
    if !is_on {
        return None;
    }
    if !has_number {
        problems.add(reader.name_of(&key::PHONE_NUMBER), "is missing: calls need our number, E.164");
        return None;
    }
    if public_base.is_empty() {
        if reader.text_or_default(&key::VOICE) == "true" {
            problems.add(reader.name_of(&key::WEBHOOK_URL), "is missing: Twilio must be able to reach us for calls");
        }
        return None;
    }
    let calls = calls(reader, data_dir, problems);
    let speech = speech(reader, problems);
    let backend = backend(reader, public_base, problems)?;
    Some(Box::new(VoiceSettings { backend, calls, speech }))
}

fn backend(reader: &Reader, public_base: &str, problems: &mut ConfigError) -> Option<Config> {
    let stream_timeout = reader.duration(&key::STREAM_TIMEOUT, SECOND..=Duration::from_mins(10), problems);
    let mut builder = Config::builder()
        .provider("twilio")
        .timeout(reader.duration(&key::TIMEOUT, Duration::from_millis(1)..=Duration::from_mins(5), problems))
        .retry(
            reader.parsed(&key::MAX_RETRIES, "a number", problems),
            reader.duration(&key::RETRY_DELAY, Duration::ZERO..=Duration::from_mins(1), problems),
            2.0,
        )
        .secrets("auth_token", reader.secrets(&key::AUTH_TOKEN))
        .setting("stream_timeout", format!("{}ms", stream_timeout.as_millis()))
        .setting("stream_buffer_size", reader.text_or_default(&key::STREAM_BUFFER_SIZE))
        .setting("api_version", reader.text_or_default(&key::API_VERSION))
        .setting("max_calls", reader.text_or_default(&key::MAX_CALLS))
        .setting("overflow", reader.text_or_default(&key::CALL_OVERFLOW))
        .setting("record_calls", reader.text_or_default(&key::PROVIDER_RECORDING))
        .setting("machine_detection", reader.text_or_default(&key::MACHINE_DETECTION));
    for (name, setting) in [
        ("account_sid", &key::ACCOUNT_SID),
        ("api_key", &key::API_KEY),
        ("base_url", &key::BASE_URL),
        ("region", &key::REGION),
        ("edge", &key::EDGE),
        ("phone_number", &key::PHONE_NUMBER),
        ("relay_numbers", &key::RELAY_NUMBERS),
        ("relay_voice", &key::RELAY_VOICE),
        ("relay_tts_provider", &key::RELAY_TTS_PROVIDER),
        ("relay_transcription_provider", &key::RELAY_TRANSCRIPTION_PROVIDER),
        ("relay_speech_model", &key::RELAY_SPEECH_MODEL),
        ("relay_tts_language", &key::RELAY_TTS_LANGUAGE),
        ("relay_transcription_language", &key::RELAY_TRANSCRIPTION_LANGUAGE),
        ("relay_welcome_greeting", &key::RELAY_WELCOME_GREETING),
        ("relay_welcome_greeting_interruptible", &key::RELAY_WELCOME_GREETING_INTERRUPTIBLE),
        ("relay_interruptible", &key::RELAY_INTERRUPTIBLE),
        ("relay_interrupt_sensitivity", &key::RELAY_INTERRUPT_SENSITIVITY),
        ("relay_ignore_backchannel", &key::RELAY_IGNORE_BACKCHANNEL),
        ("relay_report_input_during_agent_speech", &key::RELAY_REPORT_INPUT_DURING_AGENT_SPEECH),
        ("relay_preemptible", &key::RELAY_PREEMPTIBLE),
        ("relay_dtmf_detection", &key::RELAY_DTMF_DETECTION),
        ("relay_partial_prompts", &key::RELAY_PARTIAL_PROMPTS),
        ("relay_speech_timeout", &key::RELAY_SPEECH_TIMEOUT),
        ("relay_eot_threshold", &key::RELAY_EOT_THRESHOLD),
        ("relay_hints", &key::RELAY_HINTS),
        ("relay_profanity_filter", &key::RELAY_PROFANITY_FILTER),
        ("relay_deepgram_smart_format", &key::RELAY_DEEPGRAM_SMART_FORMAT),
        ("relay_elevenlabs_text_normalization", &key::RELAY_ELEVENLABS_TEXT_NORMALIZATION),
        ("relay_background_noise_reduction", &key::RELAY_BACKGROUND_NOISE_REDUCTION),
        ("relay_debug", &key::RELAY_DEBUG),
    ] {
        let value = reader.text(setting).or_else(|| Some(setting.default).filter(|default| !default.is_empty()));
        if let Some(value) = value {
            builder = builder.setting(name, value);
        }
    }
    let language = reader.text(&key::RELAY_LANGUAGE).unwrap_or_else(|| reader.text_or_default(&key::VOICE_LANGUAGE));
    builder = builder.setting("relay_language", language);
    builder = builder.setting("webhook_url", public_base);
    if reader.text(&key::API_SECRET).is_some() {
        builder = builder.secret("api_secret", reader.secret(&key::API_SECRET));
    }
    if reader.text(&key::SHARED_KEYS).is_some() {
        builder = builder.secrets("shared_keys", reader.secrets(&key::SHARED_KEYS));
    }
    // What is wrong with what both share was told when messaging was read.
    builder.build().ok()
}

fn calls(reader: &Reader, data_dir: &Path, problems: &mut ConfigError) -> CallSettings {
    let policy = Policy {
        end_silence: reader.duration(&key::END_SILENCE, Duration::from_millis(100)..=Duration::from_secs(5), problems),
        reprompt_after: reader.duration(&key::REPROMPT_AFTER, SECOND..=HOUR, problems),
        max_reprompts: reader.parsed(&key::MAX_REPROMPTS, "a number", problems),
        max_duration: reader.duration(&key::MAX_CALL_DURATION, SECOND..=Duration::from_hours(4), problems),
        ..Policy::default()
    };
    let transfer_to = reader.text(&key::TRANSFER_TO).and_then(|text| {
        text.parse::<E164>().map_or_else(
            |_| {
                problems.add(reader.name_of(&key::TRANSFER_TO), "must be a number in E.164 form");
                None
            },
            Some,
        )
    });
    let voicemail = match reader.text_or_default(&key::VOICEMAIL) {
        "hang_up" => VoicemailPolicy::HangUp,
        "leave_message" => VoicemailPolicy::LeaveMessage,
        "talk" => VoicemailPolicy::Talk,
        _ => {
            problems.add(reader.name_of(&key::VOICEMAIL), "must be hang_up, leave_message or talk");
            VoicemailPolicy::HangUp
        }
    };
    let provider_recording = match reader.text_or_default(&key::PROVIDER_RECORDING) {
        "off" => RecordingMode::Off,
        "mono" => RecordingMode::Mono,
        "dual" => RecordingMode::Dual,
        _ => {
            problems.add(reader.name_of(&key::PROVIDER_RECORDING), "must be off, mono or dual");
            RecordingMode::Off
        }
    };
    let is_recorded: bool = reader.parsed(&key::RECORD_CALLS, "true or false", problems);
    let text = |setting| reader.text_or_default(setting).to_owned();
    CallSettings {
        policy,
        language: text(&key::VOICE_LANGUAGE),
        greeting: text(&key::GREETING),
        relay_welcome: text(&key::RELAY_WELCOME_GREETING),
        greeting_known: text(&key::GREETING_KNOWN),
        back: text(&key::BACK),
        reprompt: text(&key::REPROMPT),
        goodbye: text(&key::GOODBYE),
        filler: text(&key::FILLER),
        apology: text(&key::CALL_APOLOGY),
        draining: text(&key::CALL_DRAINING),
        model_instructions: text(&key::INSTRUCTIONS),
        transfer_to,
        transfer_timeout: reader.duration(&key::TRANSFER_TIMEOUT, SECOND..=Duration::from_mins(10), problems),
        voicemail,
        provider_recording,
        recordings: is_recorded.then(|| recordings(reader, data_dir)),
    }
}

/// The folder of recordings, whether any are made now or not.
pub(super) fn recordings(reader: &Reader, data_dir: &Path) -> PathBuf {
    reader.text(&key::RECORDINGS).map_or_else(|| data_dir.join("recordings"), PathBuf::from)
}

fn speech(reader: &Reader, problems: &mut ConfigError) -> SpeechSettings {
    let provider = |base: &key::Setting, secret: &key::Setting, voice: Option<&key::Setting>| Provider {
        base_url: reader.text_or_default(base).to_owned(),
        key: reader.text(secret).map(|_| reader.secret(secret)),
        voice: voice.map(|voice| reader.text_or_default(voice).to_owned()).unwrap_or_default(),
    };
    let openai = provider(&key::MODEL_BASE_URL, &key::MODEL_KEY, Some(&key::OPENAI_VOICE));
    let deepgram = provider(&key::DEEPGRAM_URL, &key::DEEPGRAM_KEY, None);
    let elevenlabs = provider(&key::ELEVENLABS_URL, &key::ELEVENLABS_KEY, Some(&key::ELEVENLABS_VOICE));
    let mut choose = |setting: &key::Setting, known: &[(&str, Engine)], auto: Vec<Engine>| {
        let text = reader.text_or_default(setting);
        if text == "auto" {
            return (auto, false);
        }
        if text == "none" {
            return (Vec::new(), false);
        }
        let mut engines = Vec::new();
        for word in text.split(',').map(str::trim) {
            let Some((_, engine)) = known.iter().find(|(name, _)| *name == word) else {
                let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
                let expected = format!("must be auto, none, or names of {}, best first", names.join(", "));
                problems.add(reader.name_of(setting), expected);
                break;
            };
            engines.push(*engine);
        }
        (engines, true)
    };
    let with = |key: &Option<Secret>, engine| key.as_ref().map(|_| engine);
    let ears = [with(&deepgram.key, Engine::Deepgram), with(&openai.key, Engine::OpenAi), Some(Engine::Offline)];
    let mouths = [with(&elevenlabs.key, Engine::ElevenLabs), with(&openai.key, Engine::OpenAi), Some(Engine::Offline)];
    let known_ears = [("deepgram", Engine::Deepgram), ("openai", Engine::OpenAi), ("offline", Engine::Offline)];
    let known_mouths = [("elevenlabs", Engine::ElevenLabs), ("openai", Engine::OpenAi), ("offline", Engine::Offline)];
    let (recognizers, by_name) = choose(&key::RECOGNIZER, &known_ears, ears.into_iter().flatten().collect());
    let (voices, also_by_name) = choose(&key::SYNTHESIZER, &known_mouths, mouths.into_iter().flatten().collect());
    let speech_model = match reader.text_or_default(&key::SPEECH_MODEL) {
        "none" => None,
        "openai" => Some(reader.text_or_default(&key::OPENAI_REALTIME_MODEL).to_owned()),
        _ => {
            problems.add(reader.name_of(&key::SPEECH_MODEL), "must be none or openai");
            None
        }
    };
    SpeechSettings {
        speech_model,
        recognizers,
        voices,
        is_strict: by_name || also_by_name,
        openai,
        openai_speech_model: reader.text_or_default(&key::OPENAI_SPEECH_MODEL).to_owned(),
        openai_transcription_model: reader.text_or_default(&key::OPENAI_TRANSCRIPTION_MODEL).to_owned(),
        deepgram,
        deepgram_model: reader.text_or_default(&key::DEEPGRAM_MODEL).to_owned(),
        elevenlabs,
        elevenlabs_model: reader.text_or_default(&key::ELEVENLABS_MODEL).to_owned(),
    }
}
