//! The emulator over real sockets.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that finds something else fails here")]

mod auto_creation;
mod control;
mod faults;
mod limits;
mod media;
mod phones;
mod pre_webhooks;
mod rest;
mod restart;
#[path = "../support/mod.rs"]
mod support;
mod webhooks;
