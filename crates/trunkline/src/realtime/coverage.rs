//! Whether the socket hears of every open conversation.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use trunkline_twilio::realtime::{ConnectionState, RealtimeClient};

use super::ParticipationHandle;
use crate::telemetry::Metrics;

/// Conversations that are wished to be joined after one look.
const MAX_WISHES: usize = 500;

/// See the [module](self).
pub(crate) struct Coverage {
    client: RealtimeClient,
    participation: ParticipationHandle,
    metrics: Metrics,
    /// What the last look missed and what was not joined since.
    missing: Mutex<HashSet<String>>,
    /// How many of them the look before missed as well.
    lasting: AtomicUsize,
}

impl Coverage {
    pub(super) fn new(client: RealtimeClient, participation: ParticipationHandle, metrics: Metrics) -> Self {
        Self { client, participation, metrics, missing: Mutex::default(), lasting: AtomicUsize::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many open conversations the socket does not hear of.
    pub(crate) fn missing(&self) -> usize {
        self.lock().len()
    }

    /// How many of them are no matter of a moment: two looks missed them.
    pub(crate) fn lasting(&self) -> usize {
        self.lasting.load(Ordering::Relaxed).min(self.missing())
    }

    /// The socket hears of this conversation now.
    pub(super) fn joined(&self, conversation: &str) {
        self.lock().remove(conversation);
        self.count();
    }

    /// Tells the metrics where we are.
    pub(super) fn count(&self) {
        self.metrics.realtime_conversations(self.client.snapshot().conversations, self.missing());
    }

    /// Looks: `open` are the account's open conversations, or the newest of them. Those without us are joined.
    pub(crate) async fn look(&self, open: &[String]) {
        let snapshot = self.client.snapshot();
        if snapshot.state != ConnectionState::Connected || !snapshot.is_initialized {
            return;
        }
        let Ok(ours) = self.client.conversations().await else { return };
        let ours: HashSet<String> = ours.into_iter().collect();
        let missing: HashSet<String> = open.iter().filter(|sid| !ours.contains(*sid)).cloned().collect();
        // A conversation that was made a moment ago is on its way; what is missing twice in a row is worth a word.
        let before = std::mem::replace(&mut *self.lock(), missing.clone());
        self.count();
        let still = missing.intersection(&before).count();
        self.lasting.store(still, Ordering::Relaxed);
        if still > 0 {
            tracing::warn!(
                missing = still,
                open = open.len(),
                "our identity is in {} of the account's open conversations; adding it",
                if ours.is_empty() { "none" } else { "fewer than all" }
            );
        }
        for conversation in missing.into_iter().take(MAX_WISHES) {
            // Whatever was believed of it was wrong.
            self.participation.left(&conversation);
            self.participation.wish(&conversation);
        }
    }
}
