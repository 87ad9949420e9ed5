//! A server with OpenAI's API: a voice, an ear, and a model that is both.
//!
//! | Type | Endpoint | Source, in OpenAI's API reference as read in November 2026 |
//! |---|---|---|
//! | [`OpenAiSynthesizer`] | `POST /audio/speech` | *Create speech* |
//! | [`OpenAiRecognizer`] | `POST /audio/transcriptions` | *Create transcription* |
//! | [`OpenAiRealtime`] | `/realtime`, a WebSocket | *Realtime: client events*, *server events* |

mod realtime;
mod recognition;
mod synthesis;

use reqwest::header::AUTHORIZATION;
use trunkline_core::Secret;

pub use self::realtime::{OpenAiRealtime, REALTIME_MODEL, REALTIME_VOICE};
pub use self::recognition::OpenAiRecognizer;
pub use self::synthesis::OpenAiSynthesizer;
use crate::SpeechError;
use crate::provider::{Endpoint, Timeouts};

/// The engines' name, as in metrics.
const NAME: &str = "openai";
/// Where OpenAI is.
pub const BASE_URL: &str = "https://api.openai.com/v1";

/// Where the server is.
#[derive(Debug, Clone)]
pub struct OpenAiConfig {
    endpoint: Endpoint,
    timeouts: Timeouts,
}

impl OpenAiConfig {
    /// The server at `base_url` ([`BASE_URL`] is OpenAI's own), its `/v1` included. The key may be empty: servers of one's
    /// own often want none.
    ///
    /// # Errors
    /// `speech.config`: the address cannot be used, or the key cannot be sent.
    pub fn new(base_url: &str, key: &Secret) -> Result<Self, SpeechError> {
        let endpoint = Endpoint::new(base_url, AUTHORIZATION, "Bearer ", key)?;
        Ok(Self { endpoint, timeouts: Timeouts::default() })
    }

    /// Is more or less patient.
    #[must_use]
    pub fn with_timeouts(self, timeouts: Timeouts) -> Self {
        Self { timeouts, ..self }
    }
}

/// The language of a BCP 47 tag, in the two or three letters that are asked for.
fn language(tag: &str) -> Option<String> {
    let primary = tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
    (matches!(primary.len(), 2 | 3) && primary.bytes().all(|letter| letter.is_ascii_alphabetic())).then_some(primary)
}
