//! The workflows of a gateway.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use trunkline_bus::Bus;

use super::GatewayError;
use super::twilio::Twilio;
use super::voice::Voice;
use crate::Clock;
use crate::config::WorkflowSettings;
use crate::pipeline::Context;
use crate::workflows::{CONSUMER, Provider, SINCE, Workflows, read_folder};

/// Builds the engine of the configured folder; without one, nothing is kept for it any more.
pub(super) async fn build(
    settings: Option<WorkflowSettings>,
    context: &Context,
    twilio: Option<&Twilio>,
    voice: Option<&Voice>,
    (clock, stop): (Clock, CancellationToken),
) -> Result<Option<Workflows>, GatewayError> {
    let Some(settings) = settings else {
        let bus: &Arc<dyn Bus> = &context.bus;
        bus.forget(CONSUMER).await?;
        // What happens while there are none starts none later.
        if context.store.cursor(SINCE).await?.is_some_and(|since| since > 0) {
            context.store.set_cursor(SINCE, 0).await?;
        }
        return Ok(None);
    };
    let loaded = read_folder(&settings.folder).map_err(GatewayError::Workflows)?;
    let provider = Provider {
        account: twilio.map(|twilio| twilio.settings.account_sid.clone()).unwrap_or_default(),
        number: twilio.and_then(|twilio| twilio.settings.phone_number.clone()),
        backend: twilio.map(|twilio| Arc::clone(&twilio.observed)),
        calls: voice.map(|voice| (voice.calls.clone(), voice.edge.twilio.clone())),
    };
    Ok(Some(Workflows::new(context.clone(), provider, settings, loaded, (clock, stop))))
}
