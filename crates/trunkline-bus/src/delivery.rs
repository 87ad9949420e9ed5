//! One envelope in the hands of a consumer.

use std::time::Duration;

use async_trait::async_trait;
use trunkline_core::Envelope;

use crate::BusError;

/// What an engine does when a delivery is settled.
#[async_trait]
pub trait Settle: Send + Sync {
    /// Done: never again.
    async fn ack(&self) -> Result<(), BusError>;
    /// Again, not before `delay` from now.
    async fn nak(&self, delay: Duration) -> Result<(), BusError>;
    /// The lease starts anew.
    fn extend(&self);
    /// Kept for an operator, never again for this consumer; both at once.
    async fn bury(&self, code: &str, reason: &str) -> Result<(), BusError>;
}

/// One envelope, leased to a consumer. Dropped unsettled it comes again when the lease is over.
pub struct Delivery {
    /// The envelope.
    pub envelope: Envelope,
    /// 1 the first time.
    pub attempt: u32,
    settle: Box<dyn Settle>,
}

impl Delivery {
    /// Joins an envelope with the engine's way to settle it.
    pub fn new(envelope: Envelope, attempt: u32, settle: Box<dyn Settle>) -> Self {
        Self { envelope, attempt, settle }
    }

    /// Done. Returns when the engine has taken note; a crash right after may still bring it again.
    ///
    /// # Errors
    /// `bus.closed`: it will come again.
    ///
    /// # Cancel safety
    /// It may come again.
    pub async fn ack(self) -> Result<(), BusError> {
        self.settle.ack().await
    }

    /// Not now: it comes again after `delay`.
    ///
    /// # Errors
    /// `bus.closed`: it will come again anyway.
    ///
    /// # Cancel safety
    /// It comes again at the latest when its lease is over.
    pub async fn nak(self, delay: Duration) -> Result<(), BusError> {
        self.settle.nak(delay).await
    }

    /// Still working on it: the lease starts anew.
    pub fn extend(&self) {
        self.settle.extend();
    }

    /// Given up: it becomes a dead letter with this code and reason, and is acknowledged.
    ///
    /// # Errors
    /// `bus.unavailable`, `bus.closed`: it will come again.
    ///
    /// # Cancel safety
    /// It may come again; it is kept as one dead letter all the same.
    pub async fn bury(self, code: &str, reason: &str) -> Result<(), BusError> {
        self.settle.bury(code, reason).await
    }
}
