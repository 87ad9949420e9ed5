//! The API of 2010 as types: calls and what belongs to them, and the webhooks of a call.
//!
//! Reading tolerates unknown fields, missing ones and unknown words. Dates are RFC 2822. What a person could be known by
//! is not printed.
//!
//! Not here: paths, parameters of requests, what an emulator answers.
//!
//! Source: Twilio's description of the API of 2010-04-01 and its page on the call resource, November 2026.

mod callback;
mod page;
mod resource;
#[cfg(test)]
mod tests;

pub use self::callback::{CallWebhook, Geography};
pub use self::page::CallsPage;
pub(crate) use self::resource::parse_date;
pub use self::resource::{Call, CallStream, CallTranscription, IncomingPhoneNumber, Recording};
