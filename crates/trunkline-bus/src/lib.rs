//! The durable log between the edge, the agents and the connectors.
//!
//! One trait, [`Bus`]; an engine behind it. What every engine promises, and what the conformance suite under `tests/`
//! checks of each:
//!
//! - [`Bus::publish`] returns when the envelope is on disk. The same id on the same subject is kept once.
//! - A durable consumer gets every envelope of its subject at least once, in order of publication, and remembers
//!   across restarts what was acknowledged. What is not acknowledged within its lease comes again.
//! - What comes too often, or is given up by its consumer, becomes a dead letter with a reason, and can be replayed.
//!
//! The engine here is [`EmbeddedBus`]: one SQLite file in WAL mode, for one machine. It knows nothing of the store.

mod bus;
mod delivery;
mod embedded;
mod error;
mod subject;

pub use bus::{Bus, Consumer, ConsumerOptions, Erased, Published, StoredDeadLetter};
pub use delivery::{Delivery, Settle};
pub use embedded::{EmbeddedBus, EmbeddedOptions};
pub use error::BusError;
pub use subject::{Subject, Subjects};
