//! Gives passages their vectors.
//!
//! What is to be done stands in the table: passages that no vector of the present model was made for. So nothing is lost
//! by a stop, by a model that is away, or by another model: what waits is found again.

use std::time::Duration;

use tokio::time::Instant;
use trunkline_agent::embeddings::EmbeddingError;
use trunkline_core::{Pii, Retry};
use trunkline_store::{Store, StoreError, Unembedded, VectorModel};

use super::ModelOfMeaning;
use crate::telemetry::Metrics;

/// How often it is looked what waits.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked whether passages have vectors of another model.
const REVIEW_EVERY: Duration = Duration::from_mins(1);
/// Passages of one batch.
const AT_ONCE: u32 = 32;
/// The pause between two batches while there is more.
const BREATH: Duration = Duration::from_millis(20);
/// The wait after a model has failed; it doubles.
const BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_mins(1);
/// What a model that works takes.
const PROBE: &str = "hello";

/// Why a batch has no vectors.
enum Trouble {
    Model(EmbeddingError),
    Store(StoreError),
}

impl From<EmbeddingError> for Trouble {
    fn from(error: EmbeddingError) -> Self {
        Self::Model(error)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Trouble {
    const fn code(&self) -> &'static str {
        match self {
            Self::Model(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }

    /// How long the far side wants to be left alone.
    const fn after(&self) -> Duration {
        match self {
            Self::Model(error) => match error.retry() {
                Retry::After(after) => after,
                _ => Duration::ZERO,
            },
            Self::Store(_) => Duration::ZERO,
        }
    }
}

/// What one round tells the next.
#[derive(Default)]
struct Rounds {
    /// When it was looked last whether passages have vectors of another model.
    reviewed: Option<Instant>,
    /// Whether the last batch has failed over what may be of one of its texts.
    is_suspect: bool,
}

/// Makes vectors of what waits.
pub(crate) struct Embedding {
    store: Store,
    model: ModelOfMeaning,
    metrics: Metrics,
}

impl Embedding {
    pub(crate) const fn new(store: Store, model: ModelOfMeaning, metrics: Metrics) -> Self {
        Self { store, model, metrics }
    }

    /// Works until it is dropped.
    ///
    /// # Cancel safety
    /// Cancel-safe: what is not done is done by the next one.
    pub(crate) async fn run(self) {
        let mut rounds = Rounds::default();
        let mut failures = 0_u32;
        loop {
            let wait = match self.round(&mut rounds).await {
                Ok(is_more) => {
                    failures = 0;
                    if is_more { BREATH } else { LOOK_EVERY }
                }
                Err(trouble) => {
                    let wait = BACKOFF.saturating_mul(2_u32.saturating_pow(failures)).min(MAX_BACKOFF);
                    let wait = wait.max(trouble.after());
                    failures = failures.saturating_add(1);
                    self.metrics.embedded("failed", 1);
                    let seconds = wait.as_secs();
                    tracing::warn!(error.code = trouble.code(), "passages have no vectors; tried again in {seconds} s");
                    wait
                }
            };
            if let Ok(waiting) = self.store.unembedded_count().await {
                self.metrics.embeddings_waiting(waiting);
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Does one batch of what waits; whether there may be more.
    async fn round(&self, rounds: &mut Rounds) -> Result<bool, Trouble> {
        let model = self.vector_model().await?;
        if rounds.reviewed.is_none_or(|at| at.elapsed() >= REVIEW_EVERY) {
            while self.store.await_vectors(&model).await? > 0 {
                tokio::time::sleep(BREATH).await;
            }
            self.store.load_vectors(&model).await?;
            rounds.reviewed = Some(Instant::now());
        }
        let waiting = self.store.unembedded(AT_ONCE).await?;
        if waiting.is_empty() {
            return Ok(false);
        }
        let texts: Vec<_> = waiting.iter().map(|one| text(&self.model.passage_prefix, one)).collect();
        match self.model.embedder.embed(&texts).await {
            Ok(vectors) => {
                let vectors = waiting.into_iter().map(|one| one.id).zip(vectors.into_iter().map(Some)).collect();
                self.put(&model, vectors).await?;
            }
            // Trouble that passes is over the second time. What has come in meanwhile may be of the batch by then.
            Err(error) if error.is_of_a_text() || (error.may_be_of_a_text() && rounds.is_suspect) => {
                if !self.works().await {
                    return Err(error.into());
                }
                for (one, text) in waiting.into_iter().zip(&texts) {
                    let vector = self.alone(text).await?;
                    self.put(&model, vec![(one.id, vector)]).await?;
                }
            }
            Err(error) => {
                rounds.is_suspect = error.may_be_of_a_text();
                return Err(error.into());
            }
        }
        rounds.is_suspect = false;
        Ok(true)
    }

    async fn put(&self, model: &VectorModel, vectors: Vec<(String, Option<Vec<f32>>)>) -> Result<(), StoreError> {
        let put = self.store.put_vectors(model, &vectors).await?;
        self.metrics.embedded("embedded", put);
        self.metrics.embedded("refused", vectors.iter().filter(|(_, vector)| vector.is_none()).count() as u64);
        Ok(())
    }

    /// What vectors are compared with: a model that has made none yet makes one.
    async fn vector_model(&self) -> Result<VectorModel, EmbeddingError> {
        let embedder = &self.model.embedder;
        let dimensions = match embedder.dimensions() {
            Some(dimensions) => dimensions,
            None => embedder.embed(&[Pii::new(PROBE.to_owned())]).await?.first().map_or(0, Vec::len),
        };
        Ok(self.model.of_vectors(dimensions))
    }

    /// Whether the model takes anything at all.
    async fn works(&self) -> bool {
        self.model.embedder.embed(&[Pii::new(PROBE.to_owned())]).await.is_ok()
    }

    /// The vector of one text; `None` where it is the text that the model fails over. One that it refuses is not asked
    /// for again; other trouble must come twice, and the model must work for something else right then.
    async fn alone(&self, text: &Pii<String>) -> Result<Option<Vec<f32>>, EmbeddingError> {
        let ask = async || self.model.embedder.embed(std::slice::from_ref(text)).await;
        let mut asked = ask().await;
        if matches!(&asked, Err(error) if error.may_be_of_a_text() && !error.is_of_a_text()) {
            asked = ask().await;
        }
        let error = match asked {
            Ok(mut vector) => return Ok(vector.pop()),
            Err(error) => error,
        };
        if error.is_of_a_text() || (error.may_be_of_a_text() && self.works().await) {
            tracing::warn!(error.code = error.code(), "a passage is found by its words alone");
            return Ok(None);
        }
        Err(error)
    }
}

/// A passage with where it stands, which is often what it is about.
fn text(prefix: &str, passage: &Unembedded) -> Pii<String> {
    let (title, text) = (passage.title.expose(), passage.text.expose());
    Pii::new(if title.is_empty() { format!("{prefix}{text}") } else { format!("{prefix}{title}\n{text}") })
}
