//! Texts that agents promise for later: the tools by which they do, and who sends them when it is time.
//!
//! A promise is a row of the store before the agent is told that it was made. Its id is that of its row in the outbox, so
//! that it is sent once, whoever is killed when.

mod codes;
mod routes;
mod send;
mod tools;

use std::sync::Arc;

use tokio::sync::Notify;
use trunkline_agent::tools::Tool;

use crate::Clock;
use crate::agents::Own;
use crate::pipeline::Context;
pub(crate) use routes::{scheduled_routes, shown};
pub(crate) use tools::specs;

/// The promises of a gateway. Cheap to clone.
#[derive(Clone)]
pub struct ScheduledTexts(Arc<Inner>);

struct Inner {
    context: Context,
    own: Own,
    clock: Clock,
    /// There is a promise that may be the next.
    new: Notify,
}

impl ScheduledTexts {
    pub(crate) fn new(context: Context, own: Own, clock: Clock) -> Self {
        Self(Arc::new(Inner { context, own, clock, new: Notify::new() }))
    }

    /// The tools by which agents make promises.
    pub(crate) fn tools(&self) -> [Arc<dyn Tool>; 3] {
        [
            Arc::new(tools::ScheduleText::new(self.clone())),
            Arc::new(tools::ListScheduled::new(self.clone())),
            Arc::new(tools::CancelText::new(self.clone())),
        ]
    }
}
