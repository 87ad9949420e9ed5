//! Logs, traces and metrics: set up once, named in one place.
//!
//! Names are literal: a metric is called on the page and by OTLP as it is called here. Nothing personal is recorded:
//! no number, no body, no token; identifiers only.

mod agents;
mod backend;
mod logs;
mod metrics;
pub mod names;
mod operations;
mod setup;
mod streams;
mod trace;
mod voice;

pub use backend::Observed;
pub use metrics::Metrics;
pub(crate) use setup::page;
pub use setup::{Telemetry, TelemetryError};
pub use streams::observe_streams;
pub use trace::{set_parent, traceparent};
pub use voice::ObservedVoice;
