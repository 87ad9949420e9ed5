//! Vectors of texts: what they mean, in numbers, so that texts can be compared that have no word in common.
//!
//! [`Embedder`] is the contract; [`EmbeddingEndpoint`] asks a server. With the feature `local-embeddings` there is
//! `EmbeddingFolder` too, which reads a model from a folder.

mod endpoint;
mod error;
#[cfg(feature = "local-embeddings")]
mod folder;

use async_trait::async_trait;
use trunkline_core::Pii;

pub use endpoint::{EmbeddingEndpoint, EmbeddingEndpointConfig};
pub use error::EmbeddingError;
#[cfg(feature = "local-embeddings")]
pub use folder::EmbeddingFolder;

/// A longer text is cut, in bytes.
pub const MAX_TEXT_BYTES: usize = 8 << 10;

/// Something that makes vectors of texts.
#[async_trait]
pub trait Embedder: Send + Sync {
    /// The model's name. Vectors of the same name, with as many numbers, can be compared.
    fn model(&self) -> &str;

    /// How many numbers a vector has; `None` until that is known.
    fn dimensions(&self) -> Option<usize>;

    /// A vector for each of `texts`, in their order. All have as many numbers, now and later, and each number is finite.
    ///
    /// # Errors
    /// [`EmbeddingError`]; then there are vectors for none of them.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future ends what is under way.
    async fn embed(&self, texts: &[Pii<String>]) -> Result<Vec<Vec<f32>>, EmbeddingError>;
}

/// As much of a text as is embedded. No model takes one without a letter.
fn cut(text: &str) -> &str {
    let text = text.get(..text.floor_char_boundary(MAX_TEXT_BYTES)).unwrap_or_default();
    if text.trim().is_empty() { "-" } else { text }
}
