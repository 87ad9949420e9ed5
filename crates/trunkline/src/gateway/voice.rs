//! The calls of a gateway.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::metrics::Meter;
use tokio_util::task::TaskTracker;
use trunkline_core::HealthState;
use trunkline_core::voice::{ErrorCode, VoiceBackend};
use trunkline_twilio::voice::TwilioVoice;

use super::GatewayError;
use super::speech::engines;
use crate::calls::Calls;
use crate::config::VoiceSettings;
use crate::edge::{Readiness, VoiceEdge, Warnings};
use crate::pipeline::Context;
use crate::telemetry::{ObservedVoice, observe_streams};

/// How often the number's webhook and the provider are looked at.
const HEALTH_EVERY: Duration = Duration::from_secs(30);
/// How often what is live is counted.
const GAUGES_EVERY: Duration = Duration::from_secs(2);
/// The waits before the provider is tried again at a start.
const START_WAIT: Duration = Duration::from_millis(500);
const MAX_START_WAIT: Duration = Duration::from_secs(10);

/// What belongs to calls.
pub(super) struct Voice {
    pub(super) edge: Arc<VoiceEdge>,
    pub(super) calls: Calls,
    twilio: TwilioVoice,
    observed: Arc<ObservedVoice>,
    backend: Arc<dyn VoiceBackend>,
}

impl Voice {
    pub(super) fn build(
        settings: VoiceSettings,
        public_base: String,
        address: SocketAddr,
        context: &Context,
        readiness: Readiness,
        (account, meter): (&str, &Meter),
    ) -> Result<Self, GatewayError> {
        let public_base = if public_base.is_empty() { format!("http://{address}") } else { public_base };
        let twilio = TwilioVoice::new(settings.backend).map_err(GatewayError::VoiceRefused)?;
        let counters = twilio.counters();
        observe_streams(meter, &counters);
        let observed = ObservedVoice::new(Arc::new(twilio.clone()), account, meter, move || counters.streams());
        let observed = Arc::new(observed);
        let backend: Arc<dyn VoiceBackend> = Arc::clone(&observed) as _;
        let engines = engines(&settings.speech)?;
        if engines.voices.is_empty() || engines.recognizers.is_empty() {
            tracing::warn!(
                voices = engines.voices.len(),
                recognizers = engines.recognizers.len(),
                "calls have no voice or no ear: install flite and pocketsphinx, or set a provider's key"
            );
        }
        let calls = Calls::new(context.clone(), settings.calls, Arc::clone(&backend), engines);
        let edge = VoiceEdge {
            twilio: twilio.clone(),
            backend: Arc::clone(&backend),
            calls: calls.clone(),
            bus: Arc::clone(&context.bus),
            ingress: context.subjects.ingress.clone(),
            public_base,
            readiness,
            metrics: context.metrics.clone(),
            warnings: Warnings::default(),
            sockets: TaskTracker::new(),
        };
        Ok(Self { edge: Arc::new(edge), calls, twilio, backend, observed })
    }

    /// Starts the backend and keeps it well. Refused credentials are an error; an unreachable provider is tried until it
    /// answers.
    pub(super) async fn start(&self) -> Result<bool, GatewayError> {
        match self.backend.start().await {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.code(), ErrorCode::InvalidConfig | ErrorCode::AuthError) => {
                Err(GatewayError::VoiceRefused(error))
            }
            Err(error) => {
                tracing::warn!(%error, "calls cannot be taken yet; trying again");
                Ok(false)
            }
        }
    }

    /// Watches over the backend until it is dropped.
    pub(super) fn keep(&self, is_started: bool) -> impl Future<Output = ()> + Send + use<> {
        let (twilio, backend) = (self.twilio.clone(), Arc::clone(&self.backend));
        async move {
            let mut wait = START_WAIT;
            let mut is_started = is_started;
            while !is_started {
                tokio::time::sleep(wait).await;
                is_started = backend.start().await.is_ok();
                wait = (wait * 2).min(MAX_START_WAIT);
            }
            loop {
                tokio::time::sleep(HEALTH_EVERY).await;
                match backend.health_check().await {
                    Ok(status) if status.state != HealthState::Healthy => {
                        tracing::warn!(reasons = status.reasons.join("; "), "calls are in trouble");
                    }
                    Ok(_) => {
                        if let Err(error) = twilio.register_number().await {
                            tracing::warn!(error.code = error.code().as_str(), %error, "the number could not be looked at");
                        }
                    }
                    Err(error) => tracing::warn!(%error, "calls are in trouble"),
                }
                match twilio.sweep(jiff::Timestamp::now()).await {
                    Ok(0) => {}
                    Ok(calls) => tracing::warn!(calls, "calls were over, and no callback had told so"),
                    Err(error) => tracing::warn!(%error, "calls that may be over could not be asked about"),
                }
            }
        }
    }

    /// Records how many calls there are, for as long as it is polled.
    pub(super) fn count(&self) -> impl Future<Output = ()> + Send + use<> {
        let observed = Arc::clone(&self.observed);
        async move {
            let mut ticks = tokio::time::interval(GAUGES_EVERY);
            loop {
                ticks.tick().await;
                observed.record_gauges();
            }
        }
    }

    pub(super) fn backend(&self) -> Arc<dyn VoiceBackend> {
        Arc::clone(&self.backend)
    }
}
