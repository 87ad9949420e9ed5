//! Finding by what words mean: where a model of embeddings is set, beside the words themselves.
//!
//! [`Finder`] searches: by words always, and by meaning where the model answers in time. `Embedding` gives passages
//! their vectors, one batch after the other, whenever they wait for one. Nothing else depends on the model: where there
//! is none, or it is away, the words alone decide.

mod embedding;
mod finder;

use std::path::PathBuf;
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
    /// The model that the settings name. One behind a URL is not connected to yet; one in a folder is read, which takes a
    /// moment.
    ///
    /// # Errors
    /// Every setting that cannot be used.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn of(settings: &EmbeddingsSettings) -> Result<Self, ConfigError> {
        let embedder: Arc<dyn Embedder> = match &settings.source {
            EmbeddingSource::Endpoint(config) => Arc::new(EmbeddingEndpoint::new(config.clone())?),
            EmbeddingSource::Folder(folder) => in_folder(folder.clone()).await?,
        };
        Ok(Self {
            embedder,
            least: settings.least,
            question_prefix: settings.question_prefix.clone(),
            passage_prefix: settings.passage_prefix.clone(),
        })
    }
}

#[cfg(feature = "local-embeddings")]
async fn in_folder(folder: PathBuf) -> Result<Arc<dyn Embedder>, ConfigError> {
    let read = tokio::task::spawn_blocking(move || trunkline_agent::embeddings::EmbeddingFolder::open(&folder));
    match read.await {
        Ok(Ok(model)) => Ok(Arc::new(model)),
        Ok(Err(wrong)) => Err(of_folder(wrong.problems().iter().map(|problem| problem.message.as_str()))),
        Err(_) => Err(of_folder(["cannot be read"])),
    }
}

/// The settings have told of it already.
#[cfg(not(feature = "local-embeddings"))]
fn in_folder(_folder: PathBuf) -> std::future::Ready<Result<Arc<dyn Embedder>, ConfigError>> {
    std::future::ready(Err(of_folder(["cannot be read by this program"])))
}

fn of_folder<'a>(messages: impl IntoIterator<Item = &'a str>) -> ConfigError {
    let mut problems = ConfigError::new();
    for message in messages {
        problems.add("TRUNKLINE_EMBEDDINGS_FOLDER", message);
    }
    problems
}
