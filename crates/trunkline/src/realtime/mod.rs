//! Taking part in Twilio's conversations in real time: the hybrid way.
//!
//! ```text
//! webhook ─▶ bus ─▶ Participation (REST: adds our identity) ┐
//!                                                            ▼
//!                              Twilio ─▶ socket ─▶ Listener ─▶ bus (the same event as the webhook's, once)
//! ```
//!
//! The webhook and the socket are two ways to hear of the same message; either is enough. Coverage tells when the
//! socket hears of less than there is.

mod coverage;
mod listener;
mod participation;
mod status;

use std::sync::Arc;

use trunkline_twilio::realtime::{Event, RealtimeClient};
use trunkline_twilio::rest::RestClient;

pub(crate) use self::coverage::Coverage;
pub(crate) use self::listener::Listener;
pub(crate) use self::participation::CONSUMER as PARTICIPATION_CONSUMER;
pub(crate) use self::participation::{Participation, ParticipationHandle, Wishes};
pub(crate) use self::status::status;
use crate::config::RealtimeConfig;
use crate::telemetry::Metrics;

/// The real-time side of the Twilio connector. Cheap to clone.
#[derive(Clone)]
pub struct Realtime {
    client: RealtimeClient,
    coverage: Arc<Coverage>,
}

impl Realtime {
    /// Starts to connect. The events go to a [`Listener`].
    pub(crate) fn start(
        config: &RealtimeConfig,
        participation: ParticipationHandle,
        metrics: Metrics,
    ) -> (Self, tokio::sync::mpsc::Receiver<Event>) {
        let (client, events) = RealtimeClient::start(config.tokens.clone(), config.connection.clone());
        let coverage = Arc::new(Coverage::new(client.clone(), participation, metrics));
        (Self { client, coverage }, events)
    }

    /// The client.
    pub fn client(&self) -> &RealtimeClient {
        &self.client
    }

    /// Compares what the socket hears of with what there is.
    pub(crate) fn coverage(&self) -> &Coverage {
        &self.coverage
    }
}

/// What [`Participation`] works with.
pub(crate) struct Joining {
    /// Adds our identity.
    pub(crate) rest: RestClient,
    /// Our identity.
    pub(crate) identity: String,
}
