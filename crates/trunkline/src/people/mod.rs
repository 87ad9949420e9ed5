//! People: who they are on every channel, what is kept of them, and forgetting them.
//!
//! The store knows contacts; this room is what is asked of it from outside: the API, one document of everything that is
//! held of a person, and an erasure that reaches what the store does not hold (files, recordings, the bus).

mod codes;
mod erase;
mod export;
mod number;
mod routes;
mod show;

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::task::TaskTracker;
use trunkline_bus::Bus;
use trunkline_store::Store;

use crate::media::MediaFolder;

pub use number::Numbers;
pub(crate) use routes::people_routes;

/// What the room works with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct People {
    /// The system of record.
    pub(crate) store: Store,
    /// The durable log.
    pub(crate) bus: Arc<dyn Bus>,
    /// Files that people sent.
    pub(crate) media: MediaFolder,
    /// The folder of recordings, whether any are made now or not.
    pub(crate) recordings: PathBuf,
    /// How numbers are read.
    pub(crate) numbers: Numbers,
    /// Where work runs that goes on when nobody waits for it.
    pub(crate) tasks: TaskTracker,
}
