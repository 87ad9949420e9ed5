//! A server with an OpenAI-compatible API of embeddings.
//!
//! Source: OpenAI API reference, *Create embeddings*. Of the request only `model`, `input` and, where it is set,
//! `dimensions` are sent, so that servers that know no more of it can be used.

use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, Url};
use serde::Deserialize;
use serde_json::json;
use trunkline_core::{ConfigError, Pii, Secret};
use trunkline_store::MAX_DIMENSIONS;

use super::{Embedder, EmbeddingError, cut};

/// Texts of one request: as many as the servers that people run themselves take.
const MAX_BATCH: usize = 32;
/// What is read of an answer, in bytes.
const MAX_ANSWER_BYTES: usize = 8 << 20;
/// Tries of one request.
const ATTEMPTS: u32 = 3;
/// The wait before the second try; it doubles.
const BACKOFF: Duration = Duration::from_millis(250);
/// A server that wants to be left alone for longer is not waited for here.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// Whatever it asks for.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(5);
/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where vectors are made.
#[derive(Debug, Clone)]
pub struct EmbeddingEndpointConfig {
    /// What stands before `/embeddings`, such as `https://api.openai.com/v1`.
    pub base_url: String,
    /// The model's name at the server.
    pub model: String,
    /// The server's key; empty for a server that wants none.
    pub key: Secret,
    /// How many numbers a vector is to have; as many as it has if none. The server is asked for as many.
    pub dimensions: Option<usize>,
    /// How long one request may take.
    pub timeout: Duration,
}

/// A server that makes vectors. Texts are sent in batches of at most 32; a batch that fails for now is tried three times.
pub struct EmbeddingEndpoint {
    client: Client,
    url: Url,
    config: EmbeddingEndpointConfig,
    /// What the first answer had, or what is configured.
    dimensions: OnceLock<usize>,
}

impl EmbeddingEndpoint {
    /// Prepares the client; connects to nothing yet.
    ///
    /// # Errors
    /// Every setting that cannot be used.
    pub fn new(config: EmbeddingEndpointConfig) -> Result<Self, ConfigError> {
        let mut problems = ConfigError::new();
        let url = Url::parse(&format!("{}/embeddings", config.base_url.trim_end_matches('/')));
        let url = url.ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        if url.is_none() {
            problems.add("url", "must be a URL that begins with http:// or https://");
        }
        if url.as_ref().is_some_and(|url| url.query().is_some() || url.fragment().is_some()) {
            problems.add("url", "must have no query and no fragment: /embeddings comes behind its path");
        }
        if config.model.is_empty() {
            problems.add("model", "must be given");
        }
        if config.dimensions.is_some_and(|count| !(1..=MAX_DIMENSIONS).contains(&count)) {
            problems.add("dimensions", format!("must be between 1 and {MAX_DIMENSIONS}"));
        }
        let client = Client::builder().connect_timeout(CONNECT_TIMEOUT).redirect(reqwest::redirect::Policy::none());
        let client = client.build().inspect_err(|_| problems.add("url", "no HTTP client can be built here")).ok();
        let dimensions = config.dimensions.map_or_else(OnceLock::new, OnceLock::from);
        match (url, client) {
            (Some(url), Some(client)) => problems.or(Self { client, url, config, dimensions }),
            _ => Err(problems),
        }
    }

    async fn batch(&self, texts: &[Pii<String>]) -> Result<Vec<Vec<f32>>, EmbeddingError> {
        let mut attempt = 1;
        loop {
            let tried = tokio::time::timeout(self.config.timeout, self.ask(texts)).await;
            let error = match tried.unwrap_or(Err(EmbeddingError::Timeout(self.config.timeout))) {
                Ok(vectors) => return Ok(vectors),
                Err(error) => error,
            };
            let wait = match &error {
                EmbeddingError::Unavailable { after, .. } => Some((*after).max(BACKOFF * 2_u32.pow(attempt - 1))),
                EmbeddingError::Unreachable => Some(BACKOFF * 2_u32.pow(attempt - 1)),
                _ => None,
            };
            match wait {
                Some(wait) if attempt < ATTEMPTS && wait <= MAX_WAIT => tokio::time::sleep(wait).await,
                _ => return Err(error),
            }
            attempt += 1;
        }
    }

    async fn ask(&self, texts: &[Pii<String>]) -> Result<Vec<Vec<f32>>, EmbeddingError> {
        let input: Vec<_> = texts.iter().map(|text| cut(text.expose())).collect();
        let mut body = json!({ "model": self.config.model, "input": input });
        if let (Some(count), Some(fields)) = (self.config.dimensions, body.as_object_mut()) {
            fields.insert("dimensions".to_owned(), count.into());
        }
        let request = self.client.post(self.url.clone()).json(&body);
        let key = &self.config.key;
        let request = if key.is_empty() { request } else { request.bearer_auth(key.expose()) };
        let response = request.send().await.map_err(|_| EmbeddingError::Unreachable)?;
        let status = response.status();
        if !status.is_success() {
            let after = response.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
            return Err(refused(status.as_u16(), after.map_or(Duration::ZERO, Duration::from_secs)));
        }
        let vectors = read(&whole(response).await?, texts.len())?;
        let found = vectors.first().map_or(0, Vec::len);
        if found == 0 || found > MAX_DIMENSIONS {
            return Err(EmbeddingError::Malformed("a vector has no number, or more than can be kept"));
        }
        let expected = *self.dimensions.get_or_init(|| found);
        match vectors.iter().find(|vector| vector.len() != expected) {
            Some(other) => Err(EmbeddingError::Dimensions { expected, found: other.len() }),
            None => Ok(vectors),
        }
    }
}

#[async_trait]
impl Embedder for EmbeddingEndpoint {
    fn model(&self) -> &str {
        &self.config.model
    }

    fn dimensions(&self) -> Option<usize> {
        self.dimensions.get().copied()
    }

    async fn embed(&self, texts: &[Pii<String>]) -> Result<Vec<Vec<f32>>, EmbeddingError> {
        let mut vectors = Vec::with_capacity(texts.len());
        for batch in texts.chunks(MAX_BATCH) {
            vectors.extend(self.batch(batch).await?);
        }
        Ok(vectors)
    }
}

const fn refused(status: u16, after: Duration) -> EmbeddingError {
    if matches!(status, 408 | 409 | 425 | 429) || status >= 500 {
        let after = if after.as_secs() > MAX_RETRY_AFTER.as_secs() { MAX_RETRY_AFTER } else { after };
        EmbeddingError::Unavailable { status, after }
    } else {
        EmbeddingError::Refused { status }
    }
}

async fn whole(response: Response) -> Result<Vec<u8>, EmbeddingError> {
    let mut bytes = Vec::new();
    let mut body = response.bytes_stream();
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece.map_err(|_| EmbeddingError::Unreachable)?);
        if bytes.len() > MAX_ANSWER_BYTES {
            return Err(EmbeddingError::TooLarge { limit: MAX_ANSWER_BYTES });
        }
    }
    Ok(bytes)
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Embedding>,
}

#[derive(Deserialize)]
struct Embedding {
    /// Of which text; in their order where it is not said.
    index: Option<usize>,
    embedding: Vec<f32>,
}

/// A vector for each text, in their order.
fn read(body: &[u8], count: usize) -> Result<Vec<Vec<f32>>, EmbeddingError> {
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|_| EmbeddingError::Malformed("it is not what the embeddings API documents"))?;
    let wrong = EmbeddingError::Malformed("there is not one vector for each text");
    if answer.data.len() != count {
        return Err(wrong);
    }
    let mut vectors = vec![None; count];
    for (at, Embedding { index, embedding }) in answer.data.into_iter().enumerate() {
        if embedding.iter().any(|number| !number.is_finite()) {
            return Err(EmbeddingError::Malformed("a number of a vector is not finite"));
        }
        if let Some(place) = vectors.get_mut(index.unwrap_or(at)) {
            *place = Some(embedding);
        }
    }
    vectors.into_iter().collect::<Option<_>>().ok_or(wrong)
}

#[cfg(test)]
mod tests;
