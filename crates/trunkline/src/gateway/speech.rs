//! The engines that listen and speak, built from their settings.

use std::sync::Arc;

use trunkline_core::ConfigError;
use trunkline_speech::offline::{Ear, OfflineRecognizer, OfflineSynthesizer, Voice};
use trunkline_speech::{Recognizer, SpeechError, Synthesizer};

use crate::calls::Engines;
use crate::config::{Engine, SpeechSettings};

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
    problems.or(engines)
}

fn refuse(settings: &SpeechSettings, setting: &str, error: &SpeechError, problems: &mut ConfigError) {
    if settings.is_strict {
        problems.add(setting, error.to_string());
    } else {
        tracing::warn!(error.code = error.code(), %error, setting, "an engine of speech is left out");
    }
}

fn recognizer(engine: Engine, _settings: &SpeechSettings) -> Result<Arc<dyn Recognizer>, SpeechError> {
    Ok(match engine {
        Engine::Offline => Arc::new(OfflineRecognizer::new(Ear::find()?)),
        Engine::OpenAi | Engine::Deepgram | Engine::ElevenLabs => {
            return Err(SpeechError::Config("this engine does not listen".to_owned()));
        }
    })
}

fn voice(engine: Engine, _settings: &SpeechSettings) -> Result<Arc<dyn Synthesizer>, SpeechError> {
    Ok(match engine {
        Engine::Offline => Arc::new(OfflineSynthesizer::new(Voice::find()?)),
        Engine::OpenAi | Engine::Deepgram | Engine::ElevenLabs => {
            return Err(SpeechError::Config("this engine does not speak".to_owned()));
        }
    })
}
