//! What can go wrong with speech.

use std::time::Duration;

use trunkline_core::Retry;

/// Why there are no words or no sound. Messages hold neither what was said nor a credential.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpeechError {
    /// A setting is missing or wrong.
    #[error("{0}")]
    Config(String),
    /// The program of an offline engine is not installed or cannot be started.
    #[error("{program} cannot be started: {reason}; install Debian's package {package}")]
    Program {
        /// The program.
        program: &'static str,
        /// What the system says.
        reason: String,
        /// Debian's package that brings it.
        package: &'static str,
    },
    /// The engine's process ended, or the provider closed the connection, before it was told to.
    #[error("{engine} ended: {reason}")]
    Ended {
        /// The engine.
        engine: &'static str,
        /// How, as far as known.
        reason: String,
    },
    /// The provider refuses the key, the model or the request.
    #[error("{engine} refused the request with status {status}")]
    Refused {
        /// The engine.
        engine: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// The provider asks to slow down, or has trouble of its own.
    #[error("{engine} is not available, status {status}")]
    Unavailable {
        /// The engine.
        engine: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// The provider cannot be reached.
    #[error("{engine} cannot be reached")]
    Unreachable {
        /// The engine.
        engine: &'static str,
    },
    /// Nothing came within the time-out.
    #[error("{engine} did not answer within {} ms", .after.as_millis())]
    Timeout {
        /// The engine.
        engine: &'static str,
        /// The time-out.
        after: Duration,
    },
    /// What came is not what the engine documents.
    #[error("{engine} sent something that cannot be read: {what}")]
    Malformed {
        /// The engine.
        engine: &'static str,
        /// What could not be read; none of its values.
        what: &'static str,
    },
    /// There is more text or sound than the limit allows.
    #[error("{what} is longer than {limit}")]
    TooLong {
        /// What.
        what: &'static str,
        /// The limit with its unit.
        limit: String,
    },
}

impl SpeechError {
    /// Stable across releases; listed in `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Config(_) => "speech.config",
            Self::Program { .. } => "speech.program",
            Self::Ended { .. } => "speech.ended",
            Self::Refused { .. } => "speech.refused",
            Self::Unavailable { .. } => "speech.unavailable",
            Self::Unreachable { .. } => "speech.unreachable",
            Self::Timeout { .. } => "speech.timeout",
            Self::Malformed { .. } => "speech.malformed",
            Self::TooLong { .. } => "speech.too_long",
        }
    }

    /// Whether another try may work.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Config(_) | Self::Program { .. } | Self::Refused { .. } | Self::TooLong { .. } => Retry::No,
            Self::Ended { .. }
            | Self::Unavailable { .. }
            | Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Malformed { .. } => Retry::After(Duration::ZERO),
        }
    }
}
