//! What the bus can refuse.

use trunkline_core::{EnvelopeError, Retry};

/// A delivery came again and again without an acknowledgement; it is now a dead letter.
pub(crate) const TOO_MANY_DELIVERIES: &str = "bus.too_many_deliveries";

/// Why the bus did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// The engine cannot write or read: disk, permissions, a broken file. Nothing was kept.
    #[error("the bus cannot be used: {reason}")]
    Unavailable {
        /// What the engine said.
        reason: String,
    },
    /// The file has reached its size limit. Nothing was kept.
    #[error("the bus is full: its file has reached {limit_bytes} bytes")]
    Full {
        /// The limit.
        limit_bytes: u64,
    },
    /// The envelope is larger than the bus takes.
    #[error("the envelope has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The envelope cannot be written as JSON, or what is stored cannot be read.
    #[error("the envelope cannot be read or written")]
    Envelope {
        /// Code of the cause.
        code: &'static str,
    },
    /// Another consumer of this name is running.
    #[error("the consumer {durable} is already running")]
    ConsumerBusy {
        /// Its durable name.
        durable: String,
    },
    /// There is no dead letter of that id.
    #[error("there is no such dead letter")]
    NoSuchDeadLetter,
    /// The bus was closed.
    #[error("the bus is closed")]
    Closed,
}

impl BusError {
    /// Stable across releases; listed in `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "bus.unavailable",
            Self::Full { .. } => "bus.full",
            Self::TooLarge { .. } => "bus.too_large",
            Self::Envelope { .. } => "bus.envelope",
            Self::ConsumerBusy { .. } => "bus.consumer_busy",
            Self::NoSuchDeadLetter => "bus.no_such_dead_letter",
            Self::Closed => "bus.closed",
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Unavailable { .. } | Self::Full { .. } => Retry::After(std::time::Duration::from_secs(1)),
            Self::TooLarge { .. }
            | Self::Envelope { .. }
            | Self::ConsumerBusy { .. }
            | Self::NoSuchDeadLetter
            | Self::Closed => Retry::No,
        }
    }
}

impl From<EnvelopeError> for BusError {
    fn from(error: EnvelopeError) -> Self {
        Self::Envelope { code: error.code() }
    }
}
