//! The consumers of those outside, and what each has in hand.
//!
//! A lease is kept here, so that each request may ask for one of its own length; the bus's own lease is longer than any
//! of them and only matters when the gateway is gone, which frees everything. A lease that is over is noticed when its
//! consumer asks again, or while it waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::time::{Instant, timeout_at};
use trunkline_bus::{Bus, BusError, Consumer, ConsumerOptions, Delivery, Subject};

use super::codes;
use super::failure::Failure;

/// Consumers that may be in use at once.
const MAX_CONSUMERS: usize = 16;
/// Deliveries that one consumer may have in hand; at the bound it gets no more.
const MAX_IN_HAND: usize = 256;
/// What was delivered this often without an acknowledgement becomes a dead letter.
const MAX_DELIVERIES: u32 = 100;
/// The longest lease.
pub(super) const MAX_LEASE: Duration = Duration::from_mins(10);
/// The bus's own lease.
const BUS_LEASE: Duration = Duration::from_mins(15);
/// Stands before a name from outside, so that it is none of the gateway's own.
const PREFIX: &str = "api.";

/// What stands for a delivery in the hands of somebody outside.
pub(super) type DeliveryId = String;

pub(super) struct Consumers {
    bus: Arc<dyn Bus>,
    subject: Subject,
    slots: Mutex<BTreeMap<String, Slot>>,
}

#[derive(Default)]
struct Slot {
    /// `None` while a request waits with it.
    consumer: Option<Box<dyn Consumer>>,
    in_hand: BTreeMap<DeliveryId, Leased>,
}

struct Leased {
    delivery: Delivery,
    lease: Duration,
    until: Instant,
}

/// How a delivery is settled.
#[derive(Clone, Copy)]
pub(super) enum Settlement {
    Ack,
    Nack(Duration),
    Extend,
}

impl Consumers {
    pub(super) fn new(bus: Arc<dyn Bus>, subject: Subject) -> Self {
        Self { bus, subject, slots: Mutex::default() }
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<String, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the consumer called `name`, until what is returned is dropped.
    pub(super) async fn borrow(&self, name: &str) -> Result<Borrowed<'_>, Failure> {
        let mut borrowed = self.reserve(name)?;
        if borrowed.consumer.is_none() {
            let options = ConsumerOptions {
                lease: BUS_LEASE,
                max_in_flight: MAX_IN_HAND,
                max_deliveries: MAX_DELIVERIES,
                ..ConsumerOptions::new(format!("{PREFIX}{name}"), self.subject.clone())
            };
            borrowed.consumer = Some(self.bus.consume(options).await?);
        }
        Ok(borrowed)
    }

    /// Takes the slot of `name`, with its consumer unless it is new: then the slot is there before the bus is asked, so
    /// that requests at the same time cannot make more of them than there may be.
    fn reserve(&self, name: &str) -> Result<Borrowed<'_>, Failure> {
        let mut slots = self.slots();
        let consumer = match slots.get_mut(name).map(|slot| slot.consumer.take()) {
            Some(None) => return Err(BusError::ConsumerBusy { durable: name.to_owned() }.into()),
            Some(consumer) => consumer,
            None if slots.len() >= MAX_CONSUMERS => {
                let why = format!("{MAX_CONSUMERS} consumers are in use; forget one that is not needed any more");
                return Err(Failure(StatusCode::CONFLICT, codes::TOO_MANY_CONSUMERS, why));
            }
            None => {
                slots.insert(name.to_owned(), Slot::default());
                None
            }
        };
        Ok(Borrowed { consumers: self, name: name.to_owned(), consumer })
    }

    /// Settles a delivery; returns false if it is not in anybody's hands any more.
    pub(super) async fn settle(&self, id: &str, settlement: Settlement) -> Result<bool, BusError> {
        let taken = {
            let mut slots = self.slots();
            let Some(slot) = slots.values_mut().find(|slot| slot.in_hand.contains_key(id)) else { return Ok(false) };
            let now = Instant::now();
            match (settlement, slot.in_hand.get_mut(id)) {
                (Settlement::Extend, Some(leased)) if leased.until > now => {
                    leased.until = now + leased.lease;
                    leased.delivery.extend();
                    return Ok(true);
                }
                // Over: it comes again when its consumer asks.
                (_, Some(leased)) if leased.until <= now => return Ok(false),
                _ => slot.in_hand.remove(id),
            }
        };
        let Some(leased) = taken else { return Ok(false) };
        match settlement {
            Settlement::Ack | Settlement::Extend => leased.delivery.ack().await?,
            Settlement::Nack(delay) => leased.delivery.nak(delay).await?,
        }
        Ok(true)
    }

    /// Forgets a consumer and where it stands.
    pub(super) async fn forget(&self, name: &str) -> Result<(), Failure> {
        let slot = {
            let mut slots = self.slots();
            if slots.get(name).is_some_and(|slot| slot.consumer.is_none()) {
                return Err(BusError::ConsumerBusy { durable: name.to_owned() }.into());
            }
            slots.remove(name)
        };
        drop(slot);
        Ok(self.bus.forget(&format!("{PREFIX}{name}")).await?)
    }
}

/// A consumer in use by one request.
pub(super) struct Borrowed<'a> {
    consumers: &'a Consumers,
    name: String,
    /// `None` until the bus has given it; who ends before that leaves no slot behind.
    consumer: Option<Box<dyn Consumer>>,
}

impl Borrowed<'_> {
    /// The next delivery; `None` if there is none until `by`.
    pub(super) async fn next(&mut self, by: Instant) -> Result<Option<Delivery>, BusError> {
        loop {
            self.give_back_what_is_over().await?;
            let wake = self.first_end().map_or(by, |end| end.min(by));
            let Some(consumer) = &mut self.consumer else { return Ok(None) };
            match timeout_at(wake, consumer.next()).await {
                Ok(delivery) => return delivery.map(Some),
                Err(_) if wake >= by => return Ok(None),
                Err(_) => {}
            }
        }
    }

    /// Puts a delivery into the hands of who asked.
    pub(super) fn lease(&self, delivery: Delivery, lease: Duration) -> DeliveryId {
        let id = format!("{:032x}", rand::random::<u128>());
        if let Some(slot) = self.consumers.slots().get_mut(&self.name) {
            slot.in_hand.insert(id.clone(), Leased { delivery, lease, until: Instant::now() + lease });
        }
        id
    }

    fn first_end(&self) -> Option<Instant> {
        self.consumers.slots().get(&self.name)?.in_hand.values().map(|leased| leased.until).min()
    }

    async fn give_back_what_is_over(&mut self) -> Result<(), BusError> {
        while let Some(leased) = self.take_over_due() {
            leased.delivery.nak(Duration::ZERO).await?;
        }
        Ok(())
    }

    fn take_over_due(&self) -> Option<Leased> {
        let mut slots = self.consumers.slots();
        let slot = slots.get_mut(&self.name)?;
        let now = Instant::now();
        let id = slot.in_hand.iter().find(|(_, leased)| leased.until <= now).map(|(id, _)| id.clone())?;
        slot.in_hand.remove(&id)
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        let mut slots = self.consumers.slots();
        match (self.consumer.take(), slots.get_mut(&self.name)) {
            (Some(consumer), Some(slot)) => slot.consumer = Some(consumer),
            (None, Some(_)) => drop(slots.remove(&self.name)),
            (_, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use futures_util::future::join_all;
    use trunkline_bus::{EmbeddedBus, EmbeddedOptions, Subjects};

    use super::*;

    fn consumers(folder: &tempfile::TempDir) -> Consumers {
        let bus = EmbeddedBus::open(&EmbeddedOptions::new(folder.path().join("bus.db"))).unwrap();
        Consumers::new(Arc::new(bus), Subjects::of_instance("test").unwrap().ingress)
    }

    #[tokio::test]
    async fn those_who_ask_at_the_same_time_get_no_more_than_there_may_be() {
        let folder = tempfile::tempdir().unwrap();
        let consumers = consumers(&folder);
        let names: Vec<_> = (0..3 * MAX_CONSUMERS).map(|number| format!("c{number}")).collect();
        let borrowed = join_all(names.iter().map(|name| consumers.borrow(name))).await;
        let refused: Vec<_> = borrowed.iter().filter_map(|it| it.as_ref().err()).map(|failure| failure.1).collect();
        assert_eq!(refused, vec![codes::TOO_MANY_CONSUMERS; 2 * MAX_CONSUMERS]);
        drop(borrowed);
        assert_eq!(consumers.slots().len(), MAX_CONSUMERS, "they keep their names");
        let twice = join_all(["c0", "c0"].map(|name| consumers.borrow(name))).await;
        assert!(twice[0].is_ok());
        assert_eq!(twice[1].as_ref().err().map(|failure| failure.1), Some(codes::CONSUMER_BUSY));
    }

    #[tokio::test]
    async fn who_goes_before_the_bus_has_answered_leaves_no_slot() {
        let folder = tempfile::tempdir().unwrap();
        let consumers = consumers(&folder);
        let mut first = Box::pin(consumers.borrow("a"));
        assert!(first.as_mut().now_or_never().is_none(), "the bus has not answered yet");
        let other = consumers.borrow("a").await.err();
        assert_eq!(other.map(|failure| failure.1), Some(codes::CONSUMER_BUSY));
        drop(first);
        assert!(consumers.slots().is_empty());
        drop(consumers.borrow("a").await.unwrap());
        assert!(consumers.slots().get("a").is_some_and(|slot| slot.consumer.is_some()), "it can be borrowed again");
    }
}
