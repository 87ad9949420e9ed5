//! Proves now and then that the engines can write and read, and sets the gauges.

use std::time::Duration;

use trunkline_bus::BusError;
use trunkline_store::StoreError;

use crate::edge::Readiness;
use crate::pipeline::{Context, INGRESS_CONSUMER, SENDER_CONSUMER};

/// How often it is done.
const PROBE_EVERY: Duration = Duration::from_secs(2);

/// Goes on until it is dropped.
pub(super) async fn probe(context: Context, readiness: Readiness) {
    loop {
        match bus(&context).await {
            // Webhooks were refused meanwhile, and the provider does not repeat them.
            Ok(()) if readiness.bus_works() => context.missed.request(),
            Ok(()) => {}
            Err(error) => readiness.bus_failed(&error.to_string()),
        }
        match store(&context).await {
            Ok(()) => readiness.store_works(),
            Err(error) => readiness.store_failed(&error.to_string()),
        }
        tokio::time::sleep(PROBE_EVERY).await;
    }
}

async fn bus(context: &Context) -> Result<(), BusError> {
    context.bus.probe().await?;
    for consumer in [INGRESS_CONSUMER, SENDER_CONSUMER] {
        context.metrics.backlog(consumer, context.bus.backlog(consumer).await?);
    }
    Ok(())
}

async fn store(context: &Context) -> Result<(), StoreError> {
    context.store.probe().await?;
    let (conversations, people) = context.store.active_counts().await?;
    context.metrics.live(conversations, people);
    Ok(())
}
