//! The settings of ConversationRelay: attributes of its element, each checked against the values that Twilio documents.
//! An attribute with a wrong value is ignored there without a word, so it is refused here.

use std::ops::RangeInclusive;

use trunkline_proto::twiml::{ConversationRelay, Interruptible, SpeechTimeout};

use super::settings::word;
use crate::settings::Reader;

/// Silence that ends a prompt, in milliseconds.
const SPEECH_TIMEOUT_MS: RangeInclusive<u32> = 600..=5_000;
/// Certainty that a turn is over.
const EOT_THRESHOLD: RangeInclusive<f32> = 0.5..=0.9;

const YES_OR_NO: &[(&str, bool)] = &[("true", true), ("false", false)];

pub(super) fn relay(reader: &mut Reader<'_>) -> ConversationRelay {
    let interruptible: Vec<_> = Interruptible::ALL.iter().map(|value| (value.as_str(), *value)).collect();
    let input = |reader: &mut Reader<'_>, key| word(reader, key, &interruptible);
    let yes_or_no = |reader: &mut Reader<'_>, key| word(reader, key, YES_OR_NO);
    let interrupts = input(reader, "relay_interruptible");
    let greeting_interruptible = input(reader, "relay_welcome_greeting_interruptible");
    let report_input = input(reader, "relay_report_input_during_agent_speech");
    let ignore_backchannel = yes_or_no(reader, "relay_ignore_backchannel");
    let preemptible = yes_or_no(reader, "relay_preemptible");
    let dtmf_detection = yes_or_no(reader, "relay_dtmf_detection");
    let partial_prompts = yes_or_no(reader, "relay_partial_prompts");
    let profanity_filter = yes_or_no(reader, "relay_profanity_filter");
    let deepgram_smart_format = yes_or_no(reader, "relay_deepgram_smart_format");
    let background_noise_reduction = yes_or_no(reader, "relay_background_noise_reduction");
    let one_of = |reader: &mut Reader<'_>, key, words: &[&str]| {
        let words: Vec<_> = words.iter().map(|word| (*word, *word)).collect();
        word(reader, key, &words).map(str::to_owned)
    };
    let tts_provider = one_of(reader, "relay_tts_provider", &["ElevenLabs", "Google", "Amazon"]);
    let transcription_provider = one_of(reader, "relay_transcription_provider", &["Deepgram", "Google"]);
    let interrupt_sensitivity = one_of(reader, "relay_interrupt_sensitivity", &["high", "medium", "low"]);
    let text_normalization = one_of(reader, "relay_elevenlabs_text_normalization", &["on", "auto", "off"]);
    let debug = one_of(reader, "relay_debug", &["debugging"]);
    let speech_timeout = speech_timeout(reader);
    let eot_threshold = eot_threshold(reader);
    let text = |key: &str| reader.text(key).map(str::to_owned);
    ConversationRelay {
        welcome_greeting: text("relay_welcome_greeting"),
        welcome_greeting_interruptible: greeting_interruptible,
        language: text("relay_language"),
        tts_language: text("relay_tts_language"),
        transcription_language: text("relay_transcription_language"),
        tts_provider,
        voice: text("relay_voice"),
        transcription_provider,
        speech_model: text("relay_speech_model"),
        interruptible: interrupts,
        interrupt_sensitivity,
        ignore_backchannel,
        report_input_during_agent_speech: report_input,
        preemptible,
        dtmf_detection,
        partial_prompts,
        speech_timeout,
        eot_threshold,
        hints: text("relay_hints"),
        profanity_filter,
        deepgram_smart_format,
        elevenlabs_text_normalization: text_normalization,
        background_noise_reduction,
        debug,
        ..ConversationRelay::default()
    }
}

fn speech_timeout(reader: &mut Reader<'_>) -> Option<SpeechTimeout> {
    let text = reader.text("relay_speech_timeout")?;
    if text == "auto" {
        return Some(SpeechTimeout::Auto);
    }
    let ms = text.parse().ok().filter(|ms| SPEECH_TIMEOUT_MS.contains(ms));
    if ms.is_none() {
        reader.problems.add("relay_speech_timeout", "must be auto, or milliseconds from 600 to 5000");
    }
    ms.map(SpeechTimeout::After)
}

fn eot_threshold(reader: &mut Reader<'_>) -> Option<String> {
    let text = reader.text("relay_eot_threshold")?;
    let is_known = text.parse().is_ok_and(|threshold: f32| EOT_THRESHOLD.contains(&threshold));
    if !is_known {
        reader.problems.add("relay_eot_threshold", "must be from 0.5 to 0.9");
    }
    is_known.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use trunkline_core::Config;
    use trunkline_core::voice::{CallDirection, SessionId, VoiceSession};

    use super::super::settings::{Settings, VOICE_SETTINGS};

    const GIVEN: &[(&str, &str, &str)] = &[
        ("relay_welcome_greeting", "Hello!", r#"welcomeGreeting="Hello!""#),
        ("relay_welcome_greeting_interruptible", "none", r#"welcomeGreetingInterruptible="none""#),
        ("relay_language", "de-DE", r#"language="de-DE""#),
        ("relay_tts_language", "en-US", r#"ttsLanguage="en-US""#),
        ("relay_transcription_language", "en-GB", r#"transcriptionLanguage="en-GB""#),
        ("relay_tts_provider", "Google", r#"ttsProvider="Google""#),
        ("relay_voice", "en-US-Journey-O", r#"voice="en-US-Journey-O""#),
        ("relay_transcription_provider", "Deepgram", r#"transcriptionProvider="Deepgram""#),
        ("relay_speech_model", "flux", r#"speechModel="flux""#),
        ("relay_interruptible", "speech", r#"interruptible="speech""#),
        ("relay_interrupt_sensitivity", "low", r#"interruptSensitivity="low""#),
        ("relay_ignore_backchannel", "true", r#"ignoreBackchannel="true""#),
        ("relay_report_input_during_agent_speech", "any", r#"reportInputDuringAgentSpeech="any""#),
        ("relay_preemptible", "true", r#"preemptible="true""#),
        ("relay_dtmf_detection", "true", r#"dtmfDetection="true""#),
        ("relay_partial_prompts", "true", r#"partialPrompts="true""#),
        ("relay_speech_timeout", "900", r#"speechTimeout="900""#),
        ("relay_eot_threshold", "0.7", r#"eotThreshold="0.7""#),
        ("relay_hints", "Ada,Bob", r#"hints="Ada,Bob""#),
        ("relay_profanity_filter", "false", r#"profanityFilter="false""#),
        ("relay_deepgram_smart_format", "false", r#"deepgramSmartFormat="false""#),
        ("relay_elevenlabs_text_normalization", "auto", r#"elevenlabsTextNormalization="auto""#),
        ("relay_background_noise_reduction", "true", r#"backgroundNoiseReduction="true""#),
        ("relay_debug", "debugging", r#"debug="debugging""#),
    ];

    fn config<'a>(more: impl IntoIterator<Item = (&'a str, &'a str)>) -> Config {
        let config = Config::builder()
            .provider("twilio")
            .setting("account_sid", "AC00000000000000000000000000000001")
            .secret("auth_token", "t")
            .setting("phone_number", "+15557654321");
        more.into_iter().fold(config, |config, (key, value)| config.setting(key, value)).build().unwrap()
    }

    #[test]
    fn every_setting_is_an_attribute_of_the_document() {
        let settings = Settings::from_config(&config(GIVEN.iter().map(|(key, value, _)| (*key, *value)))).unwrap();
        let connect = trunkline_proto::twiml::Connect::to(settings.relay);
        let document =
            trunkline_proto::twiml::Response::new().with(trunkline_proto::twiml::Verb::Connect(connect)).to_xml();
        for (key, _, attribute) in GIVEN {
            assert!(document.contains(attribute), "{key}: {document}");
        }
        let known = VOICE_SETTINGS.iter().filter(|(name, _)| name.starts_with("relay_") && *name != "relay_numbers");
        assert_eq!(known.count(), GIVEN.len(), "each of them is tried here");
    }

    #[test]
    fn values_that_twilio_would_ignore_are_refused() {
        let wrong = GIVEN.iter().map(|(key, ..)| *key).filter(|key| {
            !matches!(
                key.trim_start_matches("relay_"),
                "welcome_greeting"
                    | "language"
                    | "tts_language"
                    | "transcription_language"
                    | "voice"
                    | "speech_model"
                    | "hints"
            )
        });
        let wrong: Vec<_> = wrong.map(|key| (key, "sometimes")).collect();
        let error = Settings::from_config(&config(wrong.clone())).unwrap_err();
        let mut named: Vec<_> = error.problems().iter().map(|problem| problem.key.as_str()).collect();
        let mut expected: Vec<_> = wrong.iter().map(|(key, _)| *key).collect();
        named.sort_unstable();
        expected.sort_unstable();
        assert_eq!(named, expected);
    }

    #[test]
    fn a_call_that_comes_back_is_not_welcomed_again() {
        use super::super::{document, live::Live, paths::Places, sessions::Sessions};
        let voice = super::super::backend::TwilioVoice::new(config([("relay_welcome_greeting", "Hello!")])).unwrap();
        let now = jiff::Timestamp::now();
        let id = SessionId::new("s");
        let session = VoiceSession::new(id, CallDirection::Inbound, "+15550001111", "+15557654321", now);
        let patience = std::time::Duration::from_secs(1);
        let live = Live::new(session.clone(), voice.inner().current(), String::new(), true, patience);
        let (sessions, places) = (Sessions::default(), Places::new("https://gateway.example.com"));
        assert!(document::connect(&live, &sessions, &places).to_xml().contains("welcomeGreeting"));
        session.set_state(trunkline_core::voice::SessionState::Connected, now);
        assert!(!document::connect(&live, &sessions, &places).to_xml().contains("welcomeGreeting"));
    }
}
