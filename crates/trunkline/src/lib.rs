//! The program as a library: gateway, console, configuration and telemetry.
//!
//! [`Gateway`] is the whole of it. [`registry`] knows the messaging backends that this version was built with:
//!
//! ```
//! use trunkline_core::messaging::Config;
//!
//! let config = Config::builder()
//!     .provider("twilio")
//!     .setting("account_sid", "AC00000000000000000000000000000001")
//!     .secret("auth_token", "the account's token")
//!     .build()?;
//! let backend = trunkline::registry().create("twilio", config)?;
//! assert_eq!(backend.config().provider(), "twilio");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod agents;
mod bus_api;
pub mod calls;
mod clock;
pub mod config;
pub mod connectors;
pub mod console;
pub mod edge;
mod extensions;
mod gateway;
pub mod handlers;
pub mod knowledge;
pub mod live;
pub mod meaning;
pub mod media;
pub mod people;
pub mod pipeline;
mod process;
mod realtime;
pub mod recall;
pub mod scheduled;
mod server;
pub mod summaries;
pub mod telemetry;
pub mod webchat;
pub mod workflows;

pub use clock::Clock;
pub use extensions::Extensions;
pub use gateway::{Gateway, GatewayError};
pub use process::{keep_files_private, raise_open_files};
pub use server::{Server, ServerError};

use trunkline_core::messaging::Registry;

/// The messaging backends of this version, by name: `twilio`.
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    trunkline_twilio::register(&mut registry);
    registry
}

/// The examples of the page on testing.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/testing.md")]
struct PageOnTesting;

/// The examples of the page on models.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/models.md")]
struct PageOnModels;
