//! The voice contract over Twilio.
//!
//! [`TwilioVoice`] holds the sessions of calls that live, hands out one-use tokens for their sockets, and says in `TwiML`
//! what a call is to do. The audio of a call is moved by whoever polls its stream: no task, no queue between.
//!
//! Not here: telemetry of the contract's operations, which a decorator adds; listening to HTTP, which is the edge's.
//! What it has to serve under the public address is in [`paths`].
//!
//! Source: the contract *Voice Backend API*, version 1.0.0.

mod admission;
mod backend;
mod control;
mod document;
mod events;
mod failure;
mod live;
mod media;
mod over;
pub mod paths;
mod relay;
mod relay_settings;
mod sessions;
mod settings;
mod socket;
mod start;
mod sweep;
mod webhooks;

pub use self::admission::{Admission, SocketKind};
pub use self::backend::{Counters, TwilioVoice, register};
pub use self::events::{CallEvent, CallEventKind};
pub use self::media::MAX_QUEUED_BYTES;
pub use self::settings::{DEFAULT_MAX_CALLS, VOICE_SETTINGS};
pub use self::socket::{CallSocket, MAX_SOCKET_MESSAGE, SocketError};
pub use self::start::NumberRegistration;
