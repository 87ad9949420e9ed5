//! Where the provider comes in: webhooks, and the probes of whoever runs this.
//!
//! A webhook is answered with 200 only when its event is safe on the bus.

pub(crate) mod changes;
mod codes;
pub(crate) mod from_messaging;
pub(crate) mod from_twilio;
mod health;
mod intake;
mod messaging;
mod public_url;
mod upgrade;
mod voice;
mod webhook;

pub use from_messaging::MESSAGES_PATH;
pub use from_twilio::People;
pub use health::{Readiness, health_routes};
pub use intake::MAX_BODY_BYTES;
pub use messaging::messaging_routes;
pub use voice::{VoiceEdge, call_sockets, voice_routes};
pub use webhook::{CHECK_PATH, Warnings, WebhookEdge, webhook_routes};
