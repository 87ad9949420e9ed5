//! What can go wrong with vectors.

use std::time::Duration;

use trunkline_core::Retry;

/// Why there are no vectors. Messages contain nothing of the texts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddingError {
    /// The server refuses the request: key, model name, or a text that is too long for it. A redirect is not followed.
    #[error("the server of embeddings refused the request with status {status}")]
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// The server asks to slow down, or has trouble of its own.
    #[error("the server of embeddings is not available, status {status}")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// How long it asks to be left alone; zero if it does not say.
        after: Duration,
    },
    /// The server cannot be reached, or the connection was lost.
    #[error("the server of embeddings cannot be reached")]
    Unreachable,
    /// The server did not answer in time.
    #[error("the server of embeddings did not answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The answer is not what the API documents: another count of vectors than of texts, or something else than finite
    /// numbers.
    #[error("the answer of the server of embeddings cannot be read: {0}")]
    Malformed(&'static str),
    /// The vectors have another count of numbers than is set, or than the first ones had. A server whose model was
    /// changed is used again after the next start.
    #[error("vectors have {found} numbers where {expected} were expected")]
    Dimensions {
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// The model that runs here has failed over a text.
    #[error("the model of embeddings has failed")]
    Failed,
    /// The answer is larger than vectors can be.
    #[error("the answer of the server of embeddings is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
}

impl EmbeddingError {
    /// Stable across releases; listed in `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "embeddings.refused",
            Self::Unavailable { .. } => "embeddings.unavailable",
            Self::Unreachable => "embeddings.unreachable",
            Self::Timeout(_) => "embeddings.timeout",
            Self::Malformed(_) => "embeddings.malformed",
            Self::Dimensions { .. } => "embeddings.dimensions",
            Self::Failed => "embeddings.failed",
            Self::TooLarge { .. } => "embeddings.too_large",
        }
    }

    /// Whether another try may bring vectors.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Refused { .. } | Self::Dimensions { .. } | Self::TooLarge { .. } => Retry::No,
            Self::Unavailable { after, .. } => Retry::After(*after),
            Self::Unreachable | Self::Timeout(_) | Self::Malformed(_) | Self::Failed => Retry::After(Duration::ZERO),
        }
    }

    /// Whether it may be one of the texts that is refused, and not whoever asks.
    #[must_use]
    pub const fn is_of_a_text(&self) -> bool {
        matches!(self, Self::Refused { status: 400 | 413 | 422 } | Self::Failed)
    }

    /// Whether it is what a server in trouble says, and some servers say over a single text too: an error of its own, no
    /// answer in time, or one that cannot be used. A server that asks to be left alone means itself.
    #[must_use]
    pub const fn may_be_of_a_text(&self) -> bool {
        match self {
            Self::Unavailable { status, after } => *status >= 500 && after.is_zero(),
            Self::Timeout(_) | Self::Malformed(_) | Self::Dimensions { .. } | Self::TooLarge { .. } => true,
            Self::Refused { .. } | Self::Unreachable | Self::Failed => self.is_of_a_text(),
        }
    }
}
