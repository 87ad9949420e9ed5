//! The provider: started until it answers, and asked whether all is well.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use trunkline_core::HealthState;
use trunkline_core::messaging::{ConversationalBackend, ErrorCode};

use super::twilio::Twilio;
use super::{Gateway, GatewayError};
use crate::edge::Readiness;
use crate::edge::from_twilio::SOURCE;
use crate::pipeline::{CatchUp, Context};

/// How often the provider is asked whether all is well.
const HEALTH_EVERY: Duration = Duration::from_secs(30);
/// The waits before the provider is tried again at a start.
const START_WAIT: Duration = Duration::from_millis(500);
const MAX_START_WAIT: Duration = Duration::from_secs(10);

impl Gateway {
    /// Starts the backend. Refused credentials end the start; an unreachable provider is tried until it answers.
    pub(super) async fn connect(&self, twilio: &Twilio, context: &Context) -> Result<(), GatewayError> {
        let backend = &twilio.observed;
        let started = match backend.start().await {
            Ok(()) => {
                self.readiness.connector_started(SOURCE);
                true
            }
            Err(error) if matches!(error.code(), ErrorCode::InvalidConfig | ErrorCode::AuthError) => {
                self.stages.serving.cancel();
                return Err(GatewayError::Refused(error));
            }
            Err(error) => {
                tracing::warn!(%error, "the provider cannot be reached yet; trying again");
                self.readiness.connector_failed(SOURCE, &error.to_string());
                false
            }
        };
        let (backend, readiness) = (Arc::clone(backend), self.readiness.clone());
        let catch_up = CatchUp::new(context.clone(), Arc::clone(&twilio.connector));
        self.until_taken("connector", async move {
            if !started {
                start_until_it_works(&backend, &readiness).await;
            }
            tokio::join!(catch_up.run(CancellationToken::new()), watch_health(&backend, &readiness));
        });
        Ok(())
    }
}

async fn start_until_it_works(backend: &Arc<dyn ConversationalBackend>, readiness: &Readiness) {
    let mut wait = START_WAIT;
    loop {
        tokio::time::sleep(wait).await;
        match backend.start().await {
            Ok(()) => {
                tracing::info!("the provider answers");
                readiness.connector_started(SOURCE);
                return;
            }
            Err(error) => readiness.connector_failed(SOURCE, &error.to_string()),
        }
        wait = (wait * 2).min(MAX_START_WAIT);
    }
}

async fn watch_health(backend: &Arc<dyn ConversationalBackend>, readiness: &Readiness) {
    loop {
        tokio::time::sleep(HEALTH_EVERY).await;
        match backend.health_check().await {
            Ok(status) if status.state == HealthState::Unhealthy => {
                readiness.connector_failed(SOURCE, &status.reasons.join("; "));
            }
            Ok(_) => readiness.connector_started(SOURCE),
            Err(error) => readiness.connector_failed(SOURCE, &error.to_string()),
        }
    }
}
