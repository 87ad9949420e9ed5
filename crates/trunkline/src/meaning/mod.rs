//! Finding by what words mean: where a model of embeddings is set, beside the words themselves.
//!
//! [`Finder`] searches: by words always, and by meaning where the model answers in time. `Embedding` gives passages
//! their vectors, one batch after the other, whenever they wait for one. Nothing else depends on the model: where there
//! is none, or it is away, the words alone decide.

mod embedding;
mod finder;

use std::sync::Arc;
use std::time::Duration;

use trunkline_agent::embeddings::{Embedder, EmbeddingEndpoint};
use trunkline_core::ConfigError;

use crate::config::{EmbeddingSource, EmbeddingsSettings};

pub(crate) use embedding::Embedding;
pub use finder::{Finder, ModelOfMeaning, Sought};

/// How long somebody who asks waits for the model.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

impl ModelOfMeaning {
    /// The model that the settings name. Connects to nothing yet.
    ///
    /// # Errors
    /// Every setting that cannot be used.
    pub fn of(settings: &EmbeddingsSettings) -> Result<Self, ConfigError> {
        let embedder: Arc<dyn Embedder> = match &settings.source {
            EmbeddingSource::Endpoint(config) => Arc::new(EmbeddingEndpoint::new(config.clone())?),
        };
        Ok(Self { embedder, least: settings.least })
    }
}
