//! Voices and ears: spoken words and understood words, offline. Without the programs calls go on in silence.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use trunkline_audio::g711;
use trunkline_speech::Vocabulary;
use trunkline_speech::offline::{Ear, Voice};

use super::clip::Sound;

/// Speaks and listens. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Studio(Arc<Inner>);

struct Inner {
    voice: Option<Voice>,
    ear: Option<Ear>,
    spoken: Mutex<Spoken>,
    listeners: Semaphore,
}

#[derive(Default)]
struct Spoken {
    sounds: HashMap<String, Sound>,
    bytes: usize,
}

/// Why there is no sound or no word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StudioError {
    #[error("no voice is installed (Debian: flite or espeak-ng)")]
    NoVoice,
    #[error("no recogniser is installed (Debian: pocketsphinx and pocketsphinx-en-us)")]
    NoEar,
    #[error("the text cannot be spoken or is too long")]
    Unspeakable,
    #[error("the recogniser failed")]
    Deaf,
}

impl Studio {
    pub(crate) fn find() -> Self {
        let inner = Inner {
            voice: Voice::find().ok(),
            ear: Ear::find().ok(),
            spoken: Mutex::default(),
            listeners: Semaphore::new(LISTENERS),
        };
        Self(Arc::new(inner))
    }

    /// The text as telephone audio. The same text is spoken once and kept.
    pub(crate) async fn speak(&self, text: &str) -> Result<Sound, StudioError> {
        if text.chars().all(|letter| !letter.is_alphanumeric()) {
            return Ok(Sound::default());
        }
        if text.len() > MAX_TEXT_BYTES {
            return Err(StudioError::Unspeakable);
        }
        if let Some(sound) = self.spoken(|spoken| spoken.sounds.get(text).cloned()) {
            return Ok(sound);
        }
        let voice = self.0.voice.as_ref().ok_or(StudioError::NoVoice)?;
        let samples = voice.speak(text).await.map_err(|_| StudioError::Unspeakable)?;
        let sound: Sound = samples.iter().map(|sample| g711::encode(*sample)).collect();
        self.spoken(|spoken| {
            if spoken.bytes.saturating_add(sound.len()) > MAX_KEPT_BYTES {
                *spoken = Spoken::default();
            }
            spoken.bytes = spoken.bytes.saturating_add(sound.len());
            spoken.sounds.insert(text.to_owned(), Arc::clone(&sound));
        });
        Ok(sound)
    }

    /// Which of the phrases was said; empty if none was understood.
    pub(crate) async fn understand(&self, audio: &[u8], phrases: &[String]) -> Result<String, StudioError> {
        let ear = self.0.ear.as_ref().ok_or(StudioError::NoEar)?;
        let _permit = self.0.listeners.acquire().await.map_err(|_| StudioError::Deaf)?;
        let samples: Vec<i16> = audio.iter().map(|code| g711::decode(*code)).collect();
        let vocabulary = Vocabulary::of(phrases.iter().cloned());
        ear.recognise(&samples, &vocabulary).await.map_err(|_| StudioError::Deaf)
    }

    fn spoken<T>(&self, work: impl FnOnce(&mut Spoken) -> T) -> T {
        work(&mut self.0.spoken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Phrases of a list that is separated by commas.
pub(crate) fn phrases(hints: Option<&str>) -> Vec<String> {
    let phrases = hints.unwrap_or_default().split(',').map(str::trim).filter(|phrase| !phrase.is_empty());
    phrases.take(MAX_PHRASES).map(str::to_owned).collect()
}

/// Recognisers at once; more wait their turn.
const LISTENERS: usize = 2;
/// Longest text that is spoken, in bytes.
const MAX_TEXT_BYTES: usize = 4096;
/// Bytes of spoken texts that are kept.
const MAX_KEPT_BYTES: usize = 16 * 1024 * 1024;
/// Phrases that are listened for.
pub(crate) const MAX_PHRASES: usize = 500;
