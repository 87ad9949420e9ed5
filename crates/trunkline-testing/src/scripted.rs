//! A messaging backend without a provider: everything is in memory, and it fails when told to.

mod backend;
mod calls;
mod rules;
mod script;
mod state;
mod streams;
mod webhook;

pub use self::backend::{MAX_CONVERSATIONS, MAX_MESSAGES, PROVIDER, ScriptedBackend, register};
pub use self::calls::{Call, MAX_CALLS};
pub use self::script::Step;
pub use self::streams::{STREAM_BUFFER, STREAM_BUFFER_SETTING};
pub use self::webhook::{SIGNATURE_HEADER, SIGNING_KEY_SETTING};
