//! A sentence transformer out of a folder, on this machine's processors. Nothing leaves the machine.
//!
//! The folder is as such models are published: `config.json`, `tokenizer.json`, `model.safetensors` and, where it is not
//! the mean of all tokens that counts, `1_Pooling/config.json`. Only models of the kind BERT are read, which most small
//! ones are.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokenizers::{Tokenizer, TruncationParams};
use tokio::sync::Semaphore;
use trunkline_core::{ConfigError, Pii};
use trunkline_store::MAX_DIMENSIONS;

use super::{Embedder, EmbeddingError, cut};

/// The largest model, in bytes.
const MAX_MODEL_BYTES: u64 = 2 << 30;
/// The largest of the other files, in bytes.
const MAX_FILE_BYTES: u64 = 64 << 20;
/// Tokens of a text; what is behind them does not count.
const MAX_TOKENS: usize = 512;

/// A model in memory. Texts are embedded one at a time, whoever asks, each on a thread that may block.
pub struct EmbeddingFolder {
    model: Arc<Model>,
    name: String,
    turn: Arc<Semaphore>,
}

struct Model {
    bert: BertModel,
    tokenizer: Tokenizer,
    dimensions: usize,
    is_of_first: bool,
}

/// Which tokens make the vector of a text.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Pooling {
    pooling_mode_cls_token: bool,
    pooling_mode_mean_tokens: bool,
}

impl EmbeddingFolder {
    /// Reads the model of `folder` into memory. It takes a second or so for a small one, and blocks.
    ///
    /// # Errors
    /// What is missing, too large, or not such a model, by its file.
    pub fn open(folder: &Path) -> Result<Self, ConfigError> {
        let config = file(folder, "config.json", MAX_FILE_BYTES)?;
        let config: Config = serde_json::from_slice(&config).map_err(|_| wrong("config.json", NOT_BERT))?;
        if config.model_type.as_deref() != Some("bert") || !(1..=MAX_DIMENSIONS).contains(&config.hidden_size) {
            return Err(wrong("config.json", NOT_BERT));
        }
        let pooling = if folder.join(POOLING).exists() {
            let text = file(folder, POOLING, MAX_FILE_BYTES)?;
            serde_json::from_slice(&text).map_err(|_| wrong(POOLING, "cannot be read"))?
        } else {
            Pooling { pooling_mode_mean_tokens: true, ..Pooling::default() }
        };
        if pooling.pooling_mode_cls_token == pooling.pooling_mode_mean_tokens {
            return Err(wrong(POOLING, "must name the mean of the tokens, or the first one, and nothing else"));
        }
        let tokens = file(folder, "tokenizer.json", MAX_FILE_BYTES)?;
        let mut tokenizer =
            Tokenizer::from_bytes(tokens).map_err(|_| wrong("tokenizer.json", "is no tokenizer that is known"))?;
        let longest =
            TruncationParams { max_length: MAX_TOKENS.min(config.max_position_embeddings), ..Default::default() };
        tokenizer.with_padding(None);
        tokenizer.with_truncation(Some(longest)).map_err(|_| wrong("tokenizer.json", "cannot cut a text"))?;
        let weights = file(folder, "model.safetensors", MAX_MODEL_BYTES)?;
        let name = name(folder, &weights);
        let bert = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu)
            .and_then(|weights| BertModel::load(weights, &config))
            .map_err(|_| wrong("model.safetensors", "does not fit config.json"))?;
        let is_of_first = pooling.pooling_mode_cls_token;
        let model = Model { bert, tokenizer, dimensions: config.hidden_size, is_of_first };
        Ok(Self { model: Arc::new(model), name, turn: Arc::new(Semaphore::new(1)) })
    }
}

const POOLING: &str = "1_Pooling/config.json";
const NOT_BERT: &str = "is not that of a sentence transformer of the kind BERT";

fn wrong(name: &str, why: &str) -> ConfigError {
    let mut problem = ConfigError::new();
    problem.add("folder", format!("{name} {why}"));
    problem
}

fn file(folder: &Path, name: &str, most: u64) -> Result<Vec<u8>, ConfigError> {
    let mut content = Vec::new();
    let read = File::open(folder.join(name)).and_then(|file| file.take(most + 1).read_to_end(&mut content));
    match read {
        Ok(bytes) if bytes as u64 <= most => Ok(content),
        Ok(_) => Err(wrong(name, "is too large")),
        Err(error) => Err(wrong(name, &format!("cannot be read: {error}"))),
    }
}

/// The folder's name, and a part of the hash of the model: another model in the same folder has another name.
fn name(folder: &Path, weights: &[u8]) -> String {
    let digest: [u8; 32] = Sha256::digest(weights).into();
    let head = digest.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    let folder = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    format!("{folder}@{head:016x}")
}

#[async_trait]
impl Embedder for EmbeddingFolder {
    fn model(&self) -> &str {
        &self.name
    }

    fn dimensions(&self) -> Option<usize> {
        Some(self.model.dimensions)
    }

    /// What is under way ends with the text that it is at, also where nobody waits for it any more.
    async fn embed(&self, texts: &[Pii<String>]) -> Result<Vec<Vec<f32>>, EmbeddingError> {
        let mut vectors = Vec::with_capacity(texts.len());
        for text in texts {
            let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(|_| EmbeddingError::Failed)?;
            let (model, text) = (Arc::clone(&self.model), text.clone());
            let work = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                model.vector(cut(text.expose())).ok()
            });
            let vector = work.await.ok().flatten().filter(|vector| vector.iter().all(|number| number.is_finite()));
            vectors.push(vector.ok_or(EmbeddingError::Failed)?);
        }
        Ok(vectors)
    }
}

impl Model {
    fn vector(&self, text: &str) -> candle_core::Result<Vec<f32>> {
        let encoding = self.tokenizer.encode(text, true).map_err(candle_core::Error::wrap)?;
        let tokens = Tensor::new(encoding.get_ids(), &Device::Cpu)?.unsqueeze(0)?;
        let states = self.bert.forward(&tokens, &tokens.zeros_like()?, None)?.squeeze(0)?;
        let vector = if self.is_of_first { states.get(0)? } else { states.mean(0)? };
        let length = vector.sqr()?.sum_all()?.sqrt()?;
        vector.broadcast_div(&length)?.to_vec1()
    }
}

#[cfg(test)]
mod tests;
