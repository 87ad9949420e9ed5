//! A local Twilio for tests and offline work, on one port.
//!
//! - Conversations v1 REST under Twilio's own paths (`/v1/…` and `/v1/Services/{IS}/…`), with its JSON, pages and
//!   error codes; the media service under `/v1/Services/{IS}/Media`.
//! - Messages and calls under `/2010-04-01/Accounts/{AC}`, with the documents that answer them.
//! - Webhooks as Twilio sends them: signed, with pre-events that may refuse or change, in order within a conversation,
//!   never repeated.
//! - Clients with a socket at `/v3/wsconnect`: Twilsock, Sync and what Twilio's own Conversations SDKs ask inside it, by
//!   access token; the media service for them under `/mcs`.
//! - Phones under `/emulator/v1`: text the account's number as a person and read what comes back; a phone to use in
//!   the browser at `/phone`.
//! - Faults under `/emulator/v1/faults`: dropped and broken answers, latency, 429 and 5xx, webhooks that are lost, late,
//!   doubled, out of order or signed wrongly, and sockets that break, stall or are refused.
//! - A clock under `/emulator/v1/clock` that can be put forward: timers of conversations and scheduled messages follow it.
//! - What happened, in order, at `/emulator/v1/log`.
//!
//! ```no_run
//! # async fn run() -> Result<(), trunkline_emulator::StartError> {
//! use trunkline_emulator::Emulator;
//!
//! let emulator = Emulator::builder().listen(([127, 0, 0, 1], 0).into()).start().await?;
//! println!("{} with account {}", emulator.url(), emulator.account().account_sid);
//! emulator.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! It never uses the Twilio client of this workspace: client and emulator are each held to Twilio's documents and SDKs
//! instead of to each other.

mod account;
mod clock;
mod control;
mod emulator;
mod error;
mod faults;
mod journal;
mod messaging;
mod owner;
mod percent;
mod phone_page;
mod realtime;
mod rest;
mod server;
mod state;
mod store;
mod telephone;
mod webhooks;

pub use account::{Account, AccountConfig, AccountError};
pub use clock::Clock;
pub use emulator::{Builder, Emulator, StartError};
pub use store::StoreError;
