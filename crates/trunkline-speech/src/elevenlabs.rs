//! ElevenLabs as a voice: a sentence goes out as a request, μ-law comes back while it is made.
//!
//! Source: ElevenLabs' API reference, *Text to Speech, Stream speech* (`POST /v1/text-to-speech/:voice_id/stream`), as
//! read in November 2026.
//!
//! Its WebSocket takes text word by word, which gains nothing here: whole sentences are spoken, and each would need a
//! connection of its own. Requests share a connection that is kept, so a sentence begins without any handshake.

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::Client;
use reqwest::header::HeaderName;
use serde::Serialize;
use trunkline_core::Secret;

use crate::SpeechError;
use crate::provider::{Endpoint, Timeouts, http};
use crate::synthesis::{Speech, SynthesisRequest, Synthesizer};

const NAME: &str = "elevenlabs";
/// Where ElevenLabs is.
pub const BASE_URL: &str = "https://api.elevenlabs.io";
/// The model, if none is chosen.
pub const MODEL: &str = "eleven_flash_v2_5";
const KEY_HEADER: HeaderName = HeaderName::from_static("xi-api-key");

/// Where and how to speak.
#[derive(Debug, Clone)]
pub struct ElevenLabsConfig {
    endpoint: Endpoint,
    voice: String,
    model: String,
    timeouts: Timeouts,
}

impl ElevenLabsConfig {
    /// Speaks at `base_url` ([`BASE_URL`] is ElevenLabs' own) with the voice of the id `voice` and [`MODEL`].
    ///
    /// # Errors
    /// `speech.config`: the address cannot be used, the key is missing or cannot be sent, or there is no voice.
    pub fn new(base_url: &str, key: &Secret, voice: impl Into<String>) -> Result<Self, SpeechError> {
        let endpoint = Endpoint::with_key(base_url, KEY_HEADER, "", key)?;
        let voice = voice.into();
        if voice.trim().is_empty() {
            return Err(SpeechError::Config("the id of a voice is missing".to_owned()));
        }
        Ok(Self { endpoint, voice, model: MODEL.to_owned(), timeouts: Timeouts::default() })
    }

    /// Speaks with another model.
    #[must_use]
    pub fn with_model(self, model: impl Into<String>) -> Self {
        Self { model: model.into(), ..self }
    }

    /// Is more or less patient.
    #[must_use]
    pub fn with_timeouts(self, timeouts: Timeouts) -> Self {
        Self { timeouts, ..self }
    }
}

/// ElevenLabs as a [`Synthesizer`].
#[derive(Debug, Clone)]
pub struct ElevenLabsSynthesizer {
    config: ElevenLabsConfig,
    client: Client,
}

impl ElevenLabsSynthesizer {
    /// Speaks as `config` says. Clones share their connections.
    ///
    /// # Errors
    /// `speech.config` if this machine offers no TLS.
    pub fn new(config: ElevenLabsConfig) -> Result<Self, SpeechError> {
        let client = http::client(&config.endpoint, config.timeouts)?;
        Ok(Self { config, client })
    }
}

#[derive(Serialize)]
struct Body<'a> {
    text: &'a str,
    model_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    language_code: Option<&'a str>,
}

/// The language, for models that can be told: the others refuse it.
fn language<'a>(model: &str, tag: &'a str) -> Option<&'a str> {
    model.ends_with("_v2_5").then(|| tag.split('-').next()).flatten()
}

#[async_trait]
impl Synthesizer for ElevenLabsSynthesizer {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn speak(&self, request: SynthesisRequest) -> Result<Speech, SpeechError> {
        request.check()?;
        if !request.has_words() {
            return Ok(Speech::ready(Bytes::new()));
        }
        let Self { config, client } = self;
        let mut url = config.endpoint.http(&["v1", "text-to-speech", &config.voice, "stream"]);
        url.query_pairs_mut().append_pair("output_format", "ulaw_8000");
        let body = Body {
            text: request.text.expose(),
            model_id: &config.model,
            language_code: language(&config.model, &request.language),
        };
        let request = http::identified(client.post(url).json(&body), &config.endpoint);
        let begun = async {
            let answer = http::send(NAME, config.timeouts, request).await?;
            http::speech(NAME, config.timeouts, answer, Option::unwrap_or_default).await
        };
        http::in_time(NAME, config.timeouts, begun).await
    }
}
