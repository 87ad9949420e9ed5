//! The Twilio side of a gateway.

use std::net::SocketAddr;
use std::sync::Arc;

use opentelemetry::metrics::Meter;
use tokio::sync::mpsc;
use trunkline_core::ConfigError;
use trunkline_core::messaging::ConversationalBackend;
use trunkline_store::Store;
use trunkline_twilio::TwilioMessaging;
use trunkline_twilio::realtime::Event;
use trunkline_twilio::rest::ChannelMessages;

use super::{GatewayError, messaging};
use crate::Clock;
use crate::config::TwilioSettings;
use crate::connectors::{Connector, TwilioConnector};
use crate::media::{MediaFolder, MediaLinks};
use crate::realtime::{Participation, ParticipationHandle, Realtime, Wishes};
use crate::telemetry::{Metrics, Observed};

/// What belongs to Twilio.
pub(super) struct Twilio {
    pub(super) settings: TwilioSettings,
    pub(super) backend: Arc<TwilioMessaging>,
    pub(super) observed: Arc<dyn ConversationalBackend>,
    pub(super) connector: Arc<dyn Connector>,
    /// Numbers without Conversations.
    pub(super) messaging: Arc<dyn Connector>,
    pub(super) messages: ChannelMessages,
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
    /// The ways out by this account.
    pub(super) fn connectors(&self) -> [Arc<dyn Connector>; 2] {
        [Arc::clone(&self.connector), Arc::clone(&self.messaging)]
    }

    /// Builds everything; the socket begins to connect.
    pub(super) fn build(
        mut settings: TwilioSettings,
        address: SocketAddr,
        meter: &Meter,
        metrics: Metrics,
        store: &Store,
        (folder, links): (MediaFolder, MediaLinks),
        clock: &Clock,
    ) -> Result<Self, GatewayError> {
        // Whoever takes the place of the provider on this machine reaches us on this machine.
        let is_public = !settings.edge.public_base.is_empty() || settings.backend.text("base_url").is_some();
        if settings.edge.public_base.is_empty() {
            settings.edge.public_base = format!("http://{address}");
        }
        if let Some(realtime) = &mut settings.realtime {
            let clock = clock.clone();
            realtime.tokens = realtime.tokens.clone().clock(move || clock.now());
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
        let watched = Arc::new(Observed::new(inner, &settings.account_sid, meter));
        let observed: Arc<dyn ConversationalBackend> = Arc::clone(&watched) as _;
        let (rest, people) = (backend.rest().clone(), settings.people());
        let realtime = parts.as_ref().map(|parts| parts.realtime.clone());
        let connector = TwilioConnector::new(Arc::clone(&observed), rest, &settings.identity, people, realtime, folder);
        let account = settings.account_sid.parse().map_err(|_| no_account())?;
        let messages = backend.rest().channel_messages(account);
        let messaging =
            messaging::connector(&settings, messages.clone(), store.clone(), is_public.then_some(links), watched);
        let connector = Arc::new(connector);
        Ok(Self { settings, backend, observed, connector, messaging, messages, realtime: parts })
    }
}

/// The backend was built with it, so that this does not happen.
fn no_account() -> GatewayError {
    let mut problems = ConfigError::new();
    problems.add("account_sid", "must be the SID of an account (AC…)");
    GatewayError::Config(problems)
}
