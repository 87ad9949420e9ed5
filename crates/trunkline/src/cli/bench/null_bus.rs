//! A bus that keeps nothing: what a webhook costs before it is stored.

use async_trait::async_trait;
use trunkline_bus::{Bus, BusError, Consumer, ConsumerOptions, Erased, Published, StoredDeadLetter, Subject};
use trunkline_core::Envelope;
use trunkline_core::event::DeadLetter;

pub(super) struct NullBus;

#[async_trait]
impl Bus for NullBus {
    async fn publish(&self, _: &Subject, _: &Envelope) -> Result<Published, BusError> {
        Ok(Published::New)
    }

    async fn consume(&self, _: ConsumerOptions) -> Result<Box<dyn Consumer>, BusError> {
        Err(BusError::Closed)
    }

    async fn forget(&self, _: &str) -> Result<(), BusError> {
        Ok(())
    }

    async fn backlog(&self, _: &str) -> Result<u64, BusError> {
        Ok(0)
    }

    async fn bury(&self, _: &DeadLetter) -> Result<(), BusError> {
        Ok(())
    }

    async fn dead_letters(&self, _: usize) -> Result<Vec<StoredDeadLetter>, BusError> {
        Ok(Vec::new())
    }

    async fn dead_letter_count(&self) -> Result<u64, BusError> {
        Ok(0)
    }

    async fn replay(&self, _: &str) -> Result<(), BusError> {
        Err(BusError::NoSuchDeadLetter)
    }

    async fn erase(&self, _: &[String]) -> Result<Erased, BusError> {
        Ok(Erased::default())
    }

    async fn probe(&self) -> Result<(), BusError> {
        Ok(())
    }

    async fn close(&self) {}
}
