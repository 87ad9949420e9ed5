//! A model that listens and speaks itself, over the Realtime API's WebSocket.
//!
//! μ-law goes through untouched, both ways. The server finds where the person begins and ends, and begins answers; it
//! interrupts none: whether somebody interrupts is decided by the call, which knows what has been heard
//! ([`Order::Cancel`](crate::dialogue::Order::Cancel), [`Order::Truncate`](crate::dialogue::Order::Truncate)).
//!
//! Events have the names of the API's final form. The names of its preview are understood too, where servers still send
//! them.

mod message;
mod replies;
mod session;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::OpenAiConfig;
use crate::dialogue::{Dialogue, DialogueRequest, MAX_EVENTS, MAX_ORDERS, SpeechModel};
use crate::provider::socket;
use crate::{SpeechError, live};

const NAME: &str = "openai-realtime";
/// The model, if none is chosen.
pub const REALTIME_MODEL: &str = "gpt-realtime";
/// The voice, if none is chosen.
pub const REALTIME_VOICE: &str = "marin";
/// What writes down what the person says.
const TRANSCRIPTION_MODEL: &str = "gpt-4o-mini-transcribe";

/// The server as a [`SpeechModel`]. A connection for each dialogue; to connect again is for whoever asked.
#[derive(Debug, Clone)]
pub struct OpenAiRealtime {
    config: OpenAiConfig,
    model: String,
    voice: String,
    transcription_model: String,
}

impl OpenAiRealtime {
    /// Talks with [`REALTIME_MODEL`] and [`REALTIME_VOICE`].
    pub fn new(config: OpenAiConfig) -> Self {
        Self {
            config,
            model: REALTIME_MODEL.to_owned(),
            voice: REALTIME_VOICE.to_owned(),
            transcription_model: TRANSCRIPTION_MODEL.to_owned(),
        }
    }

    /// Talks with another model.
    #[must_use]
    pub fn with_model(self, model: impl Into<String>) -> Self {
        Self { model: model.into(), ..self }
    }

    /// Talks with another voice.
    #[must_use]
    pub fn with_voice(self, voice: impl Into<String>) -> Self {
        Self { voice: voice.into(), ..self }
    }

    /// Has another model write down what the person says. Default `gpt-4o-mini-transcribe`.
    #[must_use]
    pub fn with_transcription_model(self, model: impl Into<String>) -> Self {
        Self { transcription_model: model.into(), ..self }
    }
}

#[async_trait]
impl SpeechModel for OpenAiRealtime {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn open(&self, request: DialogueRequest) -> Result<Dialogue, SpeechError> {
        let mut url = self.config.endpoint.socket(&["realtime"]);
        url.query_pairs_mut().append_pair("model", &self.model);
        let opening = message::opening(self, &request)?;
        let timeouts = self.config.timeouts;
        let mut socket = socket::open(NAME, &self.config.endpoint, &url, timeouts).await?;
        let confirmed = tokio::time::timeout(timeouts.first_byte, session::open(&mut socket, opening)).await;
        let replies = confirmed.map_err(|_| SpeechError::Timeout { engine: NAME, after: timeouts.first_byte })??;
        let (sink, source) = live::channel();
        let (orders, ordered) = mpsc::channel(MAX_ORDERS);
        let (events, happened) = mpsc::channel(MAX_EVENTS);
        let stop = CancellationToken::new();
        crate::tasks::spawn(session::run(socket, replies, source, ordered, events, stop.clone()).in_current_span());
        Ok(Dialogue::new(sink, orders, happened, stop.drop_guard()))
    }
}
