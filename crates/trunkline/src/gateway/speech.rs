//! The engines that listen and speak, built from their settings.

use std::sync::Arc;

use trunkline_core::{ConfigError, Secret};
use trunkline_speech::deepgram::{DeepgramConfig, DeepgramRecognizer};
use trunkline_speech::elevenlabs::{ElevenLabsConfig, ElevenLabsSynthesizer};
use trunkline_speech::offline::{Ear, OfflineRecognizer, OfflineSynthesizer, Voice};
use trunkline_speech::openai::{self, OpenAiConfig, OpenAiRealtime, OpenAiRecognizer, OpenAiSynthesizer};
use trunkline_speech::{Recognizer, SpeechError, Synthesizer};

use crate::calls::Engines;
use crate::config::{Engine, Provider, SpeechSettings};

/// Builds the engines. One that was not asked for by name and is not there is left out.
///
/// # Errors
/// Engines that were asked for and cannot be built.
pub(super) fn engines(settings: &SpeechSettings) -> Result<Engines, ConfigError> {
    let mut problems = ConfigError::new();
    let mut engines = Engines::default();
    for engine in &settings.recognizers {
        match recognizer(*engine, settings) {
            Ok(recognizer) => engines.recognizers.push(recognizer),
            Err(error) => refuse(settings, "TRUNKLINE_RECOGNIZER", &error, &mut problems),
        }
    }
    for engine in &settings.voices {
        match voice(*engine, settings) {
            Ok(voice) => engines.voices.push(voice),
            Err(error) => refuse(settings, "TRUNKLINE_SYNTHESIZER", &error, &mut problems),
        }
    }
    if let Some(model) = &settings.speech_model {
        match openai(settings) {
            Ok(config) => engines.model = Some(Arc::new(OpenAiRealtime::new(config).with_model(model))),
            Err(error) => problems.add("TRUNKLINE_SPEECH_MODEL", error.to_string()),
        }
    }
    problems.or(engines)
}

fn refuse(settings: &SpeechSettings, setting: &str, error: &SpeechError, problems: &mut ConfigError) {
    if settings.is_strict {
        problems.add(setting, error.to_string());
    } else {
        tracing::warn!(error.code = error.code(), %error, setting, "an engine of speech is left out");
    }
}

fn recognizer(engine: Engine, settings: &SpeechSettings) -> Result<Arc<dyn Recognizer>, SpeechError> {
    Ok(match engine {
        Engine::Offline => Arc::new(OfflineRecognizer::new(Ear::find()?)),
        Engine::Deepgram => {
            let config = DeepgramConfig::new(&settings.deepgram.base_url, &key(&settings.deepgram))?;
            Arc::new(DeepgramRecognizer::new(config.with_model(&settings.deepgram_model)))
        }
        Engine::OpenAi => Arc::new(OpenAiRecognizer::new(openai(settings)?, &settings.openai_transcription_model)?),
        Engine::ElevenLabs => return Err(SpeechError::Config("ElevenLabs does not listen here".to_owned())),
    })
}

fn voice(engine: Engine, settings: &SpeechSettings) -> Result<Arc<dyn Synthesizer>, SpeechError> {
    Ok(match engine {
        Engine::Offline => Arc::new(OfflineSynthesizer::new(Voice::find()?)),
        Engine::ElevenLabs => {
            let Provider { base_url, voice, .. } = &settings.elevenlabs;
            let config = ElevenLabsConfig::new(base_url, &key(&settings.elevenlabs), voice)?;
            Arc::new(ElevenLabsSynthesizer::new(config.with_model(&settings.elevenlabs_model))?)
        }
        Engine::OpenAi => {
            let (model, voice) = (&settings.openai_speech_model, &settings.openai.voice);
            Arc::new(OpenAiSynthesizer::new(openai(settings)?, model, voice)?)
        }
        Engine::Deepgram => return Err(SpeechError::Config("Deepgram does not speak here".to_owned())),
    })
}

fn openai(settings: &SpeechSettings) -> Result<OpenAiConfig, SpeechError> {
    let Provider { base_url, key: given, .. } = &settings.openai;
    // Servers of one's own often want no key; OpenAI does.
    if given.is_none() && base_url.trim_end_matches('/') == openai::BASE_URL {
        return Err(SpeechError::Config("the key of OpenAI is missing: OPENAI_API_KEY".to_owned()));
    }
    OpenAiConfig::new(base_url, &key(&settings.openai))
}

fn key(provider: &Provider) -> Secret {
    provider.key.clone().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(base_url: &str, key: Option<&str>) -> Provider {
        Provider { base_url: base_url.to_owned(), key: key.map(Secret::from), voice: "alloy".to_owned() }
    }

    fn settings(deepgram_key: Option<&str>) -> SpeechSettings {
        SpeechSettings {
            recognizers: vec![Engine::Deepgram, Engine::OpenAi],
            voices: vec![Engine::ElevenLabs, Engine::OpenAi],
            is_strict: true,
            openai: provider("http://127.0.0.1:9/v1", None),
            openai_speech_model: "tts".to_owned(),
            openai_transcription_model: "stt".to_owned(),
            deepgram: provider("wss://api.deepgram.com", deepgram_key),
            deepgram_model: "nova-3".to_owned(),
            elevenlabs: provider("https://api.elevenlabs.io", Some("key")),
            elevenlabs_model: "eleven_flash_v2_5".to_owned(),
        }
    }

    #[test]
    fn engines_come_in_the_order_of_the_settings() {
        let engines = engines(&settings(Some("key"))).expect("engines");
        let ears: Vec<_> = engines.recognizers.iter().map(|ear| ear.name()).collect();
        let voices: Vec<_> = engines.voices.iter().map(|voice| voice.name()).collect();
        assert_eq!((ears, voices), (vec!["deepgram", "openai"], vec!["elevenlabs", "openai"]));
    }

    #[test]
    fn an_engine_that_was_asked_for_by_name_and_has_no_key_is_a_problem() {
        let refused = engines(&settings(None)).map(|_| ()).expect_err("no key").to_string();
        assert!(refused.contains("TRUNKLINE_RECOGNIZER") && refused.contains("key"), "{refused}");
        let left_out = engines(&SpeechSettings { is_strict: false, ..settings(None) }).expect("one is left");
        assert_eq!(left_out.recognizers.len(), 1);
        let openai = SpeechSettings { openai: provider(openai::BASE_URL, None), ..settings(Some("key")) };
        assert!(engines(&openai).map(|_| ()).expect_err("no key").to_string().contains("OPENAI_API_KEY"));
    }
}
