//! Settings of the model that tells what words mean.

use std::path::PathBuf;
use std::time::Duration;

use trunkline_agent::embeddings::{EmbeddingEndpoint, EmbeddingEndpointConfig};
use trunkline_core::ConfigError;
use trunkline_core::Problem;

use super::Reader;
use super::table as key;

/// A model of embeddings.
#[derive(Debug, Clone)]
pub struct EmbeddingsSettings {
    /// Where it is.
    pub source: EmbeddingSource,
    /// How near a passage must be to be found by its meaning, as the cosine.
    pub least: f32,
    /// What the model wants before a question.
    pub question_prefix: String,
    /// What the model wants before a passage.
    pub passage_prefix: String,
}

/// Where a model of embeddings is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EmbeddingSource {
    /// Behind a URL.
    Endpoint(EmbeddingEndpointConfig),
    /// In a folder of this machine, in programs that are built with the feature `local-embeddings`.
    Folder(PathBuf),
}

/// The longest prefix, in bytes.
const MAX_PREFIX: usize = 200;

pub(super) fn embeddings(reader: &Reader, problems: &mut ConfigError) -> Option<EmbeddingsSettings> {
    let source = source(reader, problems);
    let least = reader.parsed(&key::EMBEDDINGS_NEARNESS, "a number", problems);
    if !(-1.0..=1.0).contains(&least) {
        problems.add(reader.name_of(&key::EMBEDDINGS_NEARNESS), "must be between -1 and 1");
    }
    let mut prefix = |setting| {
        let prefix = reader.text(setting).unwrap_or_default();
        if prefix.len() > MAX_PREFIX {
            problems.add(reader.name_of(setting), format!("must have at most {MAX_PREFIX} bytes"));
        }
        prefix.to_owned()
    };
    let question_prefix = prefix(&key::EMBEDDINGS_QUESTION_PREFIX);
    let passage_prefix = prefix(&key::EMBEDDINGS_PASSAGE_PREFIX);
    Some(EmbeddingsSettings { source: source?, least, question_prefix, passage_prefix })
}

fn source(reader: &Reader, problems: &mut ConfigError) -> Option<EmbeddingSource> {
    let timeout =
        reader.duration(&key::EMBEDDINGS_TIMEOUT, Duration::from_millis(1)..=Duration::from_mins(5), problems);
    let Some(url) = reader.text(&key::EMBEDDINGS_URL) else {
        let others = [&key::EMBEDDINGS_MODEL, &key::EMBEDDINGS_KEY, &key::EMBEDDINGS_DIMENSIONS];
        for setting in others.into_iter().filter(|setting| reader.text(setting).is_some()) {
            let url = key::EMBEDDINGS_URL.env;
            problems.add(reader.name_of(setting), format!("says nothing without {url}, where the model is"));
        }
        let folder = reader.text(&key::EMBEDDINGS_FOLDER)?;
        if !cfg!(feature = "local-embeddings") {
            let reason = "this program is built without the feature local-embeddings, which runs models itself";
            problems.add(reader.name_of(&key::EMBEDDINGS_FOLDER), reason);
        }
        return Some(EmbeddingSource::Folder(PathBuf::from(folder)));
    };
    if reader.text(&key::EMBEDDINGS_FOLDER).is_some() {
        problems
            .add(reader.name_of(&key::EMBEDDINGS_FOLDER), "a model is behind a URL or in a folder: set one of them");
    }
    let dimensions = reader.text(&key::EMBEDDINGS_DIMENSIONS).map(|text| {
        // 0 is told of below.
        text.parse().unwrap_or(0)
    });
    let config = EmbeddingEndpointConfig {
        base_url: url.to_owned(),
        model: reader.text(&key::EMBEDDINGS_MODEL).unwrap_or_default().to_owned(),
        key: reader.secret(&key::EMBEDDINGS_KEY),
        dimensions,
        timeout,
    };
    // What is wrong is told by the names under which it was set.
    if let Err(wrong) = EmbeddingEndpoint::new(config.clone()) {
        for Problem { key: name, message } in wrong.problems() {
            let setting = match name.as_str() {
                "model" => &key::EMBEDDINGS_MODEL,
                "dimensions" => &key::EMBEDDINGS_DIMENSIONS,
                _ => &key::EMBEDDINGS_URL,
            };
            problems.add(reader.name_of(setting), message.as_str());
        }
    }
    Some(EmbeddingSource::Endpoint(config))
}
