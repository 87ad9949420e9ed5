//! The trait that every engine implements.

use std::time::Duration;

use async_trait::async_trait;
use trunkline_core::Envelope;
use trunkline_core::event::DeadLetter;

use crate::{BusError, Delivery, Subject};

/// What became of a published envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// It is on disk.
    New,
    /// One with this id was there already; nothing was written.
    Duplicate,
}

/// Who consumes what, and how patiently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerOptions {
    /// The name under which the bus remembers what was acknowledged.
    pub durable: String,
    /// The stream to read, from its beginning the first time.
    pub subject: Subject,
    /// How long a delivery may stay unsettled before it comes again. [`Delivery::extend`] starts it anew.
    pub lease: Duration,
    /// How many deliveries may be unsettled at once; at the bound the consumer waits.
    pub max_in_flight: usize,
    /// After this many deliveries without an acknowledgement it becomes a dead letter.
    pub max_deliveries: u32,
}

impl ConsumerOptions {
    /// A lease of 30 s, 1024 unsettled deliveries, 10 tries.
    pub fn new(durable: impl Into<String>, subject: Subject) -> Self {
        Self {
            durable: durable.into(),
            subject,
            lease: Duration::from_secs(30),
            max_in_flight: 1024,
            max_deliveries: 10,
        }
    }
}

/// A dead letter as it lies on the bus.
#[derive(Clone)]
pub struct StoredDeadLetter {
    /// Its id, for [`Bus::replay`].
    pub id: String,
    /// When it was buried.
    pub at: jiff::Timestamp,
    /// What it is.
    pub letter: DeadLetter,
}

/// What was taken out of the bus.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    /// Envelopes of the log.
    pub envelopes: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// Whether nothing of them is left in the files either. False where a file is too large to be written anew.
    pub is_wiped: bool,
}

/// A durable log with named streams and durable consumers.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Appends an envelope and returns when it is safe on disk.
    ///
    /// # Errors
    /// `bus.unavailable`, `bus.full`, `bus.too_large`, `bus.closed`: nothing was kept.
    ///
    /// # Cancel safety
    /// The envelope may have been kept; publishing it again is harmless.
    async fn publish(&self, subject: &Subject, envelope: &Envelope) -> Result<Published, BusError>;

    /// Starts the durable consumer `options.durable` where it left off.
    ///
    /// # Errors
    /// `bus.consumer_busy` while another one of that name lives; `bus.unavailable`, `bus.closed`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    async fn consume(&self, options: ConsumerOptions) -> Result<Box<dyn Consumer>, BusError>;

    /// Forgets a durable consumer, so that nothing is kept for its sake any more. One that nobody knows is forgotten
    /// already.
    ///
    /// # Errors
    /// `bus.consumer_busy` while it is running; `bus.unavailable`, `bus.closed`.
    ///
    /// # Cancel safety
    /// It may have been forgotten; forgetting it again is harmless.
    async fn forget(&self, durable: &str) -> Result<(), BusError>;

    /// How many envelopes of the consumer's subject are not acknowledged yet, delivered or not.
    ///
    /// # Errors
    /// `bus.unavailable`, `bus.closed`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    async fn backlog(&self, durable: &str) -> Result<u64, BusError>;

    /// Keeps `letter` for an operator. Burying the same envelope twice keeps it once.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    ///
    /// # Cancel safety
    /// It may have been kept; burying it again is harmless.
    async fn bury(&self, letter: &DeadLetter) -> Result<(), BusError>;

    /// The dead letters that wait, oldest first, at most `limit`.
    ///
    /// # Errors
    /// `bus.unavailable`, `bus.envelope`, `bus.closed`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    async fn dead_letters(&self, limit: usize) -> Result<Vec<StoredDeadLetter>, BusError>;

    /// How many dead letters wait.
    ///
    /// # Errors
    /// `bus.unavailable`, `bus.closed`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    async fn dead_letter_count(&self) -> Result<u64, BusError>;

    /// Puts the envelope of a dead letter back where it came from, marked as a replay under a number that was not used
    /// yet, and takes the letter away.
    ///
    /// # Errors
    /// `bus.no_such_dead_letter`, `bus.unavailable`, `bus.closed`.
    ///
    /// # Cancel safety
    /// It may have been replayed; a second call then says that there is no such letter.
    async fn replay(&self, id: &str) -> Result<(), BusError>;

    /// Takes every envelope, and every dead letter, in which one of `identifiers` stands out of the bus, and out of its
    /// files. What a consumer holds at that moment it still has. Returns what it came to.
    ///
    /// # Errors
    /// `bus.unavailable`, `bus.closed`: some may have been taken out.
    ///
    /// # Cancel safety
    /// Some may have been taken out; doing it again takes out the rest.
    async fn erase(&self, identifiers: &[String]) -> Result<Erased, BusError>;

    /// Proves that the bus can write, by writing.
    ///
    /// # Errors
    /// `bus.unavailable`, `bus.full`, `bus.closed`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    async fn probe(&self) -> Result<(), BusError>;

    /// Writes out what is queued and ends. Consumers end with `bus.closed`.
    ///
    /// # Cancel safety
    /// Call it again to wait for the end.
    async fn close(&self);
}

/// A durable consumer. Dropping it frees its name; what it had not settled comes again to the next of that name.
#[async_trait]
pub trait Consumer: Send {
    /// Waits for the next delivery, new or again.
    ///
    /// # Errors
    /// `bus.unavailable`: call again later. `bus.closed`: the end.
    ///
    /// # Cancel safety
    /// Cancel-safe: no delivery is lost.
    async fn next(&mut self) -> Result<Delivery, BusError>;
}
