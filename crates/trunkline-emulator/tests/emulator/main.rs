//! The emulator over real sockets.

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
