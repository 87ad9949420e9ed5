//! The words that every part of Trunkline shares, and the contracts of messaging and voice backends.
//!
//! This crate knows no provider, no runtime, no clock and no socket. A provider crate implements
//! [`messaging::ConversationalBackend`]; the bus carries [`Envelope`]s; everything that is secret or personal is
//! wrapped in [`Secret`] or [`Pii`] before it can reach a log line.
//!
//! ```
//! use std::time::Duration;
//! use trunkline_core::Config;
//!
//! let config = Config::builder()
//!     .provider("twilio")
//!     .timeout(Duration::from_secs(30))
//!     .retry(3, Duration::from_secs(1), 2.0)
//!     .observability(true, true, true)
//!     .build()?;
//! assert_eq!(config.provider(), "twilio");
//! # Ok::<(), trunkline_core::ConfigError>(())
//! ```

#![forbid(unsafe_code)]

mod address;
mod backend_config;
mod config_error;
mod derived;
mod envelope;
pub mod event;
mod health;
pub mod messaging;
mod operation_error;
mod redact;
mod registry;
mod retry;
pub mod turn;
mod vocabulary;
pub mod voice;

pub use address::{AddressError, Channel, ContactAddress, E164};
pub use backend_config::{Config, ConfigBuilder, Setting};
pub use config_error::{ConfigError, Problem};
pub use derived::derived_name;
pub use envelope::{Envelope, EnvelopeError, SPEC_VERSION};
pub use health::{HealthState, HealthStatus};
pub use operation_error::OperationError;
pub use redact::{Pii, Secret};
pub use registry::{Factory, Registry, UnknownProvider};
pub use retry::Retry;
pub use vocabulary::Vocabulary;
