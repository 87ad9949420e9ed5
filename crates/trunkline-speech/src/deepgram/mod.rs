//! Deepgram as an ear: recognition over a WebSocket while the caller speaks.
//!
//! Source: Deepgram's API reference, *Speech to Text, Live Audio* (`/v1/listen`), and its guides *Endpointing*,
//! *Utterance End*, *Keyterm Prompting*, *Audio Keep Alive*, *Finalize* and *Close Stream*, as read in November 2026.
//! μ-law goes out as it came from the telephone.

mod message;
mod session;

use async_trait::async_trait;
use reqwest::header::AUTHORIZATION;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use trunkline_core::{Secret, Vocabulary};
use url::Url;

use crate::provider::{Endpoint, Timeouts, socket};
use crate::recognition::{MAX_TRANSCRIPTS, Recognition, RecognitionRequest, Recognizer};
use crate::{SpeechError, live};

const NAME: &str = "deepgram";
/// Where Deepgram is.
pub const BASE_URL: &str = "wss://api.deepgram.com";
/// The model, if none is chosen.
pub const MODEL: &str = "nova-3";
/// The silence after which Deepgram takes an utterance for ended. Its own default of 10 ms cuts people short.
const ENDPOINTING_MS: u32 = 300;
/// The gap between words after which an utterance is over where noise hides the silence. Less than 1 s is not supported.
const UTTERANCE_END_MS: u32 = 1_000;
/// Terms that are sent, at most: Deepgram's limit.
const MAX_TERMS: usize = 100;
/// Bytes of all terms, at most. Deepgram's limit is 500 tokens, and names have about two bytes a token at worst.
const MAX_TERM_BYTES: usize = 1_000;

/// Where and how to listen.
#[derive(Debug, Clone)]
pub struct DeepgramConfig {
    endpoint: Endpoint,
    model: String,
    timeouts: Timeouts,
}

impl DeepgramConfig {
    /// Listens at `base_url` ([`BASE_URL`] is Deepgram's own) with [`MODEL`].
    ///
    /// # Errors
    /// `speech.config`: the address cannot be used, or the key is missing or cannot be sent.
    pub fn new(base_url: &str, key: &Secret) -> Result<Self, SpeechError> {
        let endpoint = Endpoint::with_key(base_url, AUTHORIZATION, "Token ", key)?;
        Ok(Self { endpoint, model: MODEL.to_owned(), timeouts: Timeouts::default() })
    }

    /// Listens with another model.
    #[must_use]
    pub fn with_model(self, model: impl Into<String>) -> Self {
        Self { model: model.into(), ..self }
    }

    /// Is more or less patient.
    #[must_use]
    pub fn with_timeouts(self, timeouts: Timeouts) -> Self {
        Self { timeouts, ..self }
    }

    fn address(&self, request: &RecognitionRequest) -> Url {
        let mut url = self.endpoint.socket(&["v1", "listen"]);
        let mut query = url.query_pairs_mut();
        query
            .append_pair("encoding", "mulaw")
            .append_pair("sample_rate", "8000")
            .append_pair("channels", "1")
            .append_pair("model", &self.model)
            .append_pair("language", &request.language)
            .append_pair("interim_results", "true")
            .append_pair("endpointing", &ENDPOINTING_MS.to_string())
            .append_pair("utterance_end_ms", &UTTERANCE_END_MS.to_string())
            .append_pair("vad_events", "true")
            .append_pair("smart_format", "true");
        // Older models know the same under another name.
        let name = if self.model.starts_with("nova-3") { "keyterm" } else { "keywords" };
        for term in terms(&request.vocabulary) {
            query.append_pair(name, term);
        }
        drop(query);
        url
    }
}

/// What Deepgram should know. More than its limit would end the stream, so the rest is left out.
fn terms(vocabulary: &Vocabulary) -> impl Iterator<Item = &str> {
    let mut room = MAX_TERM_BYTES;
    vocabulary.words().filter(|word| !word.trim().is_empty()).take(MAX_TERMS).take_while(move |word| {
        let fits = word.len() <= room;
        room = room.saturating_sub(word.len());
        fits
    })
}

/// Deepgram as a [`Recognizer`]. A connection for each recognition; to connect again is for whoever asked.
#[derive(Debug, Clone)]
pub struct DeepgramRecognizer(DeepgramConfig);

impl DeepgramRecognizer {
    /// Listens as `config` says.
    pub const fn new(config: DeepgramConfig) -> Self {
        Self(config)
    }
}

#[async_trait]
impl Recognizer for DeepgramRecognizer {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn open(&self, request: RecognitionRequest) -> Result<Recognition, SpeechError> {
        let Self(config) = self;
        let socket = socket::open(NAME, &config.endpoint, &config.address(&request), config.timeouts).await?;
        let (sink, source) = live::channel();
        let (transcripts, receiver) = mpsc::channel(MAX_TRANSCRIPTS);
        let stop = CancellationToken::new();
        crate::tasks::spawn(session::run(socket, source, transcripts, stop.clone()).in_current_span());
        Ok(Recognition::new(sink, receiver, stop.drop_guard()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_stay_below_the_limit() {
        let mut vocabulary = Vocabulary::new();
        vocabulary.list("name", (0..500).map(|index| format!("Name Number {index}")));
        let sent: Vec<_> = terms(&vocabulary).collect();
        assert!(sent.len() > 50 && sent.len() <= MAX_TERMS);
        assert!(sent.iter().map(|term| term.len()).sum::<usize>() <= MAX_TERM_BYTES);
    }

    #[test]
    fn terms_are_named_as_the_model_knows_them() {
        let config = DeepgramConfig::new(BASE_URL, &"key".into()).expect("good");
        let mut request = RecognitionRequest::default();
        request.vocabulary.list("name", ["Ada & Co"]);
        let url = config.clone().with_model("nova-2-phonecall").address(&request);
        assert!(url.as_str().ends_with("&keywords=Ada+%26+Co"), "{url}");
        assert!(config.address(&request).as_str().ends_with("&keyterm=Ada+%26+Co"));
    }
}
