//! The emulator over real sockets.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that finds something else fails here")]

mod auto_creation;
mod calls;
mod clock;
mod contract;
mod control;
mod conversations;
mod faults;
mod limits;
mod line;
mod media;
mod media_tokens;
mod messaging;
mod phones;
mod pre_webhooks;
mod realtime;
mod realtime_faults;
mod realtime_permissions;
mod realtime_replay;
mod receipts;
mod relay;
mod rest;
mod restart;
mod services;
mod streams;
#[path = "../support/mod.rs"]
mod support;
mod users;
mod voice;
mod webhooks;
