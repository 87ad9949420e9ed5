//! Reading back what was missed: the provider's webhooks come at most once.
//!
//! A pass looks at the open conversations of one connector, newest change first, records every message behind what is
//! known, and wakes the lane of each conversation that has missed one. It runs at a start, at the end of an outage, when
//! a gap could not be filled, and quietly now and then. It is bounded by count and by rate. Each connector has passes of
//! its own: one that is out of reach holds up no other.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Context;
use super::inbox::read_inbox;
use super::read_back::{ReadBackError, read_back};
use super::wait::backoff;
use crate::connectors::Connector;

/// The waits after a pass that failed.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const MAX_WAIT: Duration = Duration::from_secs(15);

/// Asks for a pass, and knows which connectors are out of reach. Cheap to clone.
#[derive(Clone, Default)]
pub struct CatchUpTrigger {
    /// Of each connector that has passes.
    wanted: Arc<Mutex<BTreeMap<String, Arc<Notify>>>>,
    recorded: Arc<Notify>,
    lost: Arc<Mutex<BTreeSet<String>>>,
}

impl CatchUpTrigger {
    /// A pass over every connector is wanted; several wishes are one pass.
    pub fn request(&self) {
        for wanted in self.wanted.lock().unwrap_or_else(PoisonError::into_inner).values() {
            wanted.notify_one();
        }
    }

    /// A pass over one connector is wanted. A connector without passes makes none.
    pub fn request_of(&self, connector: &str) {
        if let Some(wanted) = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).get(connector) {
            wanted.notify_one();
        }
    }

    /// What a connector's passes wait for.
    fn wishes_of(&self, connector: &str) -> Arc<Notify> {
        Arc::clone(self.wanted.lock().unwrap_or_else(PoisonError::into_inner).entry(connector.to_owned()).or_default())
    }

    /// Texts were recorded that no lane has heard of.
    pub fn wake(&self) {
        self.recorded.notify_one();
    }

    /// Waits for [`wake`](Self::wake).
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn woken(&self) {
        self.recorded.notified().await;
    }

    /// A connector is out of reach.
    pub fn lost(&self, connector: &str) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if !lost.contains(connector) {
            lost.insert(connector.to_owned());
            tracing::warn!(connector, "the provider cannot be reached; what is to be sent waits");
        }
    }

    /// Whether a connector is out of reach.
    pub fn is_anyone_lost(&self) -> bool {
        !self.lost.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// A connector answers. If it did not before, a pass is wanted.
    pub fn reached(&self, connector: &str) {
        let was_lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner).remove(connector);
        if was_lost {
            tracing::info!(connector, "the provider answers again");
            self.request_of(connector);
        }
    }
}

/// The task that reads one connector back.
pub struct CatchUp {
    context: Context,
    connector: Arc<dyn Connector>,
    wanted: Arc<Notify>,
    rate: DefaultDirectRateLimiter,
}

impl CatchUp {
    /// A task over what `connector` has.
    pub fn new(context: Context, connector: Arc<dyn Connector>) -> Self {
        let per_second = NonZeroU32::new(context.catch_up.rate).unwrap_or(NonZeroU32::MIN);
        let wanted = context.missed.wishes_of(connector.name());
        Self { context, connector, wanted, rate: RateLimiter::direct(Quota::per_second(per_second)) }
    }

    /// Passes at the start, on request and now and then, until `stop`.
    ///
    /// # Cancel safety
    /// Cancel-safe: the next start makes a pass.
    pub async fn run(self, stop: CancellationToken) {
        if !self.context.catch_up.enabled {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.passes() => {}
        }
    }

    async fn passes(&self) {
        let mut failures = 0;
        loop {
            match self.pass().await {
                Ok(found) => {
                    failures = 0;
                    if found > 0 {
                        self.context.metrics.caught_up("pass", found);
                        let connector = self.connector.name();
                        tracing::info!(connector, messages = found, "read back what was missed");
                    }
                    self.until_wanted().await;
                }
                Err(error) => {
                    let connector = self.connector.name();
                    tracing::warn!(connector, %error, "what was missed could not be read back; trying again");
                    failures += 1;
                    tokio::time::sleep(FIRST_WAIT.min(MAX_WAIT) + backoff(FIRST_WAIT, failures, MAX_WAIT)).await;
                }
            }
        }
    }

    async fn until_wanted(&self) {
        let wanted = self.wanted.notified();
        let interval = self.context.catch_up.interval;
        if interval.is_zero() {
            return wanted.await;
        }
        // Either way a pass follows.
        let _by_time = tokio::time::timeout(interval, wanted).await.is_err();
    }

    /// One pass; returns how many messages had been missed.
    async fn pass(&self) -> Result<usize, ReadBackError> {
        let passed = self.pass_over().await;
        if let Err(ReadBackError::Connector(error)) = &passed
            && error.unreachable
        {
            self.context.missed.lost(self.connector.name());
        }
        passed
    }

    async fn pass_over(&self) -> Result<usize, ReadBackError> {
        let connector = self.connector.as_ref();
        self.rate.until_ready().await;
        if let Some(found) = read_inbox(&self.context, connector).await? {
            self.context.missed.reached(connector.name());
            return Ok(found);
        }
        let open = connector.open_conversations(self.context.catch_up.conversations).await?;
        self.context.missed.reached(connector.name());
        let mut found = 0;
        for conversation in open {
            self.rate.until_ready().await;
            found += read_back_conversation(&self.context, connector, &conversation).await?;
        }
        Ok(found)
    }
}

/// Records what is not known of one conversation, and wakes its lane; returns how many messages were missed. One that
/// went away has none.
pub(crate) async fn read_back_conversation(
    context: &Context,
    connector: &dyn Connector,
    conversation: &str,
) -> Result<usize, ReadBackError> {
    let known = context.store.conversation_by_external(connector.name(), conversation).await?;
    let after = known.map_or(-1, |row| row.read_index);
    let mut missed = 0;
    let read = read_back(context, connector, conversation, after, &mut missed).await;
    if missed > 0 {
        context.missed.wake();
    }
    match read {
        Ok(()) => Ok(missed),
        Err(ReadBackError::Connector(error)) if error.retry == trunkline_core::Retry::No => Ok(missed),
        Err(error) => Err(error),
    }
}
