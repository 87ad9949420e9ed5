//! A durable consumer of the embedded engine.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::Instant;
use trunkline_core::Envelope;
use trunkline_core::event::DeadLetter;

use super::in_flight::{Due, InFlight};
use super::reader::{Read, Row};
use super::writer::{Command, Held, Settled, StoredConsumer};
use super::{Shared, encode_letter, lock};
use crate::error::TOO_MANY_DELIVERIES;
use crate::{BusError, Consumer, ConsumerOptions, Delivery, Settle};

/// How many envelopes are read ahead.
const PAGE: usize = 256;
/// How often to look for what another process has appended (an operator's replay).
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The right to consume under a durable name, given back on drop.
pub(super) struct Claim {
    shared: Arc<Shared>,
    durable: String,
}

impl Claim {
    pub(super) fn new(shared: &Arc<Shared>, durable: &str) -> Result<Self, BusError> {
        if !lock(&shared.running).insert(durable.to_owned()) {
            return Err(BusError::ConsumerBusy { durable: durable.to_owned() });
        }
        Ok(Self { shared: Arc::clone(shared), durable: durable.to_owned() })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.shared.running).remove(&self.durable);
    }
}

pub(super) struct EmbeddedConsumer {
    claim: Claim,
    options: ConsumerOptions,
    key: i64,
    /// Everything up to here was read.
    cursor: i64,
    ready: VecDeque<Row>,
    /// Acknowledged in an earlier life, above the floor.
    acked: HashSet<i64>,
    /// Deliveries in an earlier life.
    attempts: HashMap<i64, u32>,
    in_flight: Arc<InFlight>,
    appended: watch::Receiver<u64>,
}

impl EmbeddedConsumer {
    pub(super) fn new(claim: Claim, options: ConsumerOptions, stored: StoredConsumer) -> Self {
        let appended = claim.shared.appended.clone();
        Self {
            claim,
            options,
            key: stored.key,
            cursor: stored.floor,
            ready: VecDeque::new(),
            acked: stored.acked,
            attempts: stored.attempts,
            in_flight: Arc::new(InFlight::starting_at(stored.floor)),
            appended,
        }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.claim.shared
    }

    fn deliver(&self, due: Due) -> Delivery {
        let settle = EmbeddedSettle {
            shared: Arc::clone(self.shared()),
            in_flight: Arc::clone(&self.in_flight),
            consumer: self.key,
            seq: due.seq,
            lease: self.options.lease,
            origin: self.options.subject.as_str().to_owned(),
            envelope: due.envelope.clone(),
            attempt: due.attempt,
        };
        Delivery::new(due.envelope, due.attempt, Box::new(settle))
    }

    /// What was handed out before and is due again. Gives up on what was handed out too often.
    async fn again(&mut self) -> Result<Option<Delivery>, BusError> {
        let now = Instant::now();
        while let Some(due) = self.in_flight.take_due(now, now + self.options.lease) {
            if due.attempt > self.options.max_deliveries {
                let deliveries = due.attempt - 1;
                let delivery = self.deliver(due);
                let reason = format!("delivered {deliveries} times without an acknowledgement");
                delivery.bury(TOO_MANY_DELIVERIES, &reason).await?;
                continue;
            }
            let (consumer, seq, attempts) = (self.key, due.seq, due.attempt - 1);
            let noted = Command::Attempt { consumer, seq, attempts };
            self.shared().writer.send(noted).await.map_err(|_| BusError::Closed)?;
            return Ok(Some(self.deliver(due)));
        }
        Ok(None)
    }

    /// The next envelope that was not handed out yet in this life.
    async fn fresh(&mut self) -> Result<Option<Delivery>, BusError> {
        loop {
            if self.in_flight.len() >= self.options.max_in_flight {
                return Ok(None);
            }
            let Some(row) = self.ready.pop_front() else {
                self.appended.mark_unchanged();
                let (subject, after) = (self.options.subject.as_str().to_owned(), self.cursor);
                let page = self.shared().read(|reply| Read::Page { subject, after, limit: PAGE, reply }).await?;
                self.cursor = page.read_to;
                self.ready.extend(page.rows);
                if self.ready.is_empty() {
                    self.in_flight.pass(self.cursor);
                    return Ok(None);
                }
                continue;
            };
            if self.acked.remove(&row.seq) {
                self.in_flight.pass(row.seq);
                continue;
            }
            let attempt = self.attempts.remove(&row.seq).map_or(1, |attempts| attempts + 1);
            let envelope = match Envelope::from_json(&row.payload) {
                Ok(envelope) => envelope,
                Err(error) => {
                    // Only a damaged file brings this about: it was valid when it was published.
                    tracing::error!(error.code = error.code(), seq = row.seq, "skipping an unreadable envelope");
                    self.in_flight.pass(row.seq);
                    continue;
                }
            };
            self.in_flight.insert(row.seq, envelope.clone(), attempt, Instant::now() + self.options.lease);
            return Ok(Some(self.deliver(Due { seq: row.seq, envelope, attempt })));
        }
    }
}

#[async_trait]
impl Consumer for EmbeddedConsumer {
    async fn next(&mut self) -> Result<Delivery, BusError> {
        loop {
            if let Some(delivery) = self.again().await? {
                return Ok(delivery);
            }
            if let Some(delivery) = self.fresh().await? {
                return Ok(delivery);
            }
            let look_again = Instant::now() + LOOK_AGAIN;
            let wake = self.in_flight.next_due().map_or(look_again, |due| due.min(look_again));
            tokio::select! {
                changed = self.appended.changed() => changed.map_err(|_| BusError::Closed)?,
                () = self.in_flight.changed.notified() => {}
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }
}

struct EmbeddedSettle {
    shared: Arc<Shared>,
    in_flight: Arc<InFlight>,
    consumer: i64,
    seq: i64,
    lease: Duration,
    origin: String,
    envelope: Envelope,
    attempt: u32,
}

impl EmbeddedSettle {
    fn settled(&self) -> Option<Settled> {
        let floor = self.in_flight.settle(self.seq)?;
        Some(Settled { consumer: self.consumer, seq: self.seq, floor })
    }
}

#[async_trait]
impl Settle for EmbeddedSettle {
    async fn ack(&self) -> Result<(), BusError> {
        let Some(settled) = self.settled() else { return Ok(()) };
        self.shared.writer.send(Command::Ack(settled)).await.map_err(|_| BusError::Closed)
    }

    async fn nak(&self, delay: Duration) -> Result<(), BusError> {
        let Some(attempts) = self.in_flight.postpone(self.seq, delay) else { return Ok(()) };
        let noted = Command::Attempt { consumer: self.consumer, seq: self.seq, attempts };
        self.shared.writer.send(noted).await.map_err(|_| BusError::Closed)
    }

    fn extend(&self) {
        self.in_flight.extend(self.seq, Instant::now() + self.lease);
    }

    async fn bury(&self, code: &str, reason: &str) -> Result<(), BusError> {
        let letter = DeadLetter {
            code: code.to_owned(),
            reason: reason.to_owned(),
            attempts: self.attempt,
            origin: self.origin.clone(),
            envelope: self.envelope.clone(),
            context: std::collections::BTreeMap::new(),
        };
        let (id, payload) = encode_letter(&letter)?;
        let held = Held { consumer: self.consumer, seq: self.seq };
        let delivery = self.in_flight.holds(self.seq).then_some(held);
        self.shared.write(|reply| Command::Bury { id, payload, delivery, reply }).await?;
        // Held until here: no acknowledgement could move the floor over it while it was not safe as a letter.
        if let Some(settled) = self.settled() {
            // Only moves the floor. That the delivery is done was written with the letter, so a closed bus is no loss.
            let _closed = self.shared.writer.send(Command::Ack(settled)).await;
        }
        Ok(())
    }
}
