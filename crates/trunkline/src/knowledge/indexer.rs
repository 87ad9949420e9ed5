//! Keeps what was said in the index: calls when they are over, conversations when they are closed or it is quiet in them.

use std::time::Duration;

use jiff::Timestamp;
use trunkline_store::{Store, StoreError, Unindexed};

use super::said;
use crate::config::SearchSettings;

/// How often it is looked what is to be done.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often passages are looked for whose time has come.
const PRUNE_EVERY: Duration = Duration::from_mins(1);
/// Calls and conversations that are read in a row before somebody else may write.
const AT_ONCE: u32 = 20;
/// The pause between two such rows while there is more.
const BREATH: Duration = Duration::from_millis(20);

/// Fills the index of what was said.
pub(crate) struct Indexer {
    store: Store,
    settings: SearchSettings,
}

impl Indexer {
    pub(crate) const fn new(store: Store, settings: SearchSettings) -> Self {
        Self { store, settings }
    }

    /// Works until it is dropped.
    ///
    /// # Cancel safety
    /// Cancel-safe: what is not done is done by the next one.
    pub(crate) async fn run(self) {
        let mut pruned = None::<tokio::time::Instant>;
        loop {
            let wait = match self.round().await {
                Ok(true) => BREATH,
                Ok(false) => LOOK_EVERY,
                Err(error) => {
                    tracing::warn!(error.code = error.code(), "what was said could not be put into the index");
                    LOOK_EVERY
                }
            };
            if pruned.is_none_or(|at| at.elapsed() >= PRUNE_EVERY) {
                pruned = Some(tokio::time::Instant::now());
                if let Err(error) = self.prune().await {
                    tracing::warn!(error.code = error.code(), "the index could not be cleared of what is old");
                }
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Does some of what is to be done; whether there may be more.
    async fn round(&self) -> Result<bool, StoreError> {
        if self.settings.retention.is_zero() {
            return Ok(self.store.forget_said().await? > 0);
        }
        let quiet = i64::try_from(self.settings.quiet.as_millis()).unwrap_or(i64::MAX);
        let quiet_since = Timestamp::now().as_millisecond().saturating_sub(quiet);
        let found = self.store.unindexed(quiet_since, AT_ONCE).await?;
        for one in &found {
            self.index(one).await?;
        }
        Ok(found.len() == AT_ONCE as usize)
    }

    async fn index(&self, one: &Unindexed) -> Result<(), StoreError> {
        let keep_ms = i64::try_from(self.settings.retention.as_millis()).unwrap_or(i64::MAX);
        let source = self.store.source(one.kind, &one.source_id).await?;
        self.store.index_source(one, &said::passages(&source), keep_ms).await
    }

    async fn prune(&self) -> Result<(), StoreError> {
        while self.store.prune_passages().await? > 0 {
            tokio::time::sleep(BREATH).await;
        }
        Ok(())
    }
}
