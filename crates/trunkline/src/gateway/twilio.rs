//! The Twilio side of a gateway.

use std::net::SocketAddr;
use std::sync::Arc;

use opentelemetry::metrics::Meter;
use tokio::sync::mpsc;
use trunkline_core::messaging::ConversationalBackend;
use trunkline_twilio::TwilioMessaging;
use trunkline_twilio::realtime::Event;

use super::GatewayError;
use crate::config::TwilioSettings;
use crate::connectors::{Connector, TwilioConnector};
use crate::media::MediaFolder;
use crate::realtime::{Participation, ParticipationHandle, Realtime, Wishes};
use crate::telemetry::{Metrics, Observed};

/// What belongs to Twilio.
pub(super) struct Twilio {
    pub(super) settings: TwilioSettings,
    pub(super) backend: Arc<TwilioMessaging>,
    pub(super) observed: Arc<dyn ConversationalBackend>,
    pub(super) connector: Arc<dyn Connector>,
    /// What the tasks of the socket need; taken when they start.
    pub(super) realtime: Option<RealtimeParts>,
}

/// What the tasks of the socket need.
pub(super) struct RealtimeParts {
    pub(super) realtime: Realtime,
    pub(super) events: mpsc::Receiver<Event>,
    pub(super) participation: ParticipationHandle,
    pub(super) wishes: Wishes,
}

impl Twilio {
    /// Builds everything; the socket begins to connect.
    pub(super) fn build(
        mut settings: TwilioSettings,
        address: SocketAddr,
        meter: &Meter,
        metrics: Metrics,
        folder: MediaFolder,
    ) -> Result<Self, GatewayError> {
        if settings.edge.public_base.is_empty() {
            settings.edge.public_base = format!("http://{address}");
        }
        let backend = Arc::new(TwilioMessaging::new(settings.backend.clone()).map_err(GatewayError::Refused)?);
        let parts = settings.realtime.as_ref().map(|config| {
            let (participation, wishes) = Participation::wishes();
            let (realtime, events) = Realtime::start(config, participation.clone(), metrics);
            if config.sends {
                backend.send_by(realtime.client().clone());
            }
            RealtimeParts { realtime, events, participation, wishes }
        });
        let inner: Arc<dyn ConversationalBackend> = Arc::clone(&backend) as _;
        let observed: Arc<dyn ConversationalBackend> = Arc::new(Observed::new(inner, &settings.account_sid, meter));
        let (rest, people) = (backend.rest().clone(), settings.people());
        let realtime = parts.as_ref().map(|parts| parts.realtime.clone());
        let connector = TwilioConnector::new(Arc::clone(&observed), rest, &settings.identity, people, realtime, folder);
        Ok(Self { settings, backend, observed, connector: Arc::new(connector), realtime: parts })
    }
}
