//! Whether the socket hears of every open conversation.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

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
    /// What the last look missed.
    missing: AtomicUsize,
}

impl Coverage {
    pub(super) fn new(client: RealtimeClient, participation: ParticipationHandle, metrics: Metrics) -> Self {
        Self { client, participation, metrics, missing: AtomicUsize::new(0) }
    }

    /// Tells the metrics where we are.
    pub(super) fn count(&self) {
        self.metrics.realtime_conversations(self.client.snapshot().conversations, self.missing());
    }

    /// How many open conversations the socket did not hear of at the last look.
    pub(crate) fn missing(&self) -> usize {
        self.missing.load(Ordering::Relaxed)
    }

    /// Looks: `open` are the account's open conversations, or the newest of them. Those without us are joined.
    pub(crate) async fn look(&self, open: &[String]) {
        let snapshot = self.client.snapshot();
        if snapshot.state != ConnectionState::Connected || !snapshot.is_initialized {
            return;
        }
        let Ok(ours) = self.client.conversations().await else { return };
        let ours: HashSet<String> = ours.into_iter().collect();
        let missing: Vec<&String> = open.iter().filter(|conversation| !ours.contains(*conversation)).collect();
        let before = self.missing.swap(missing.len(), Ordering::Relaxed);
        self.count();
        if missing.is_empty() {
            return;
        }
        // A conversation that was made a moment ago is on its way; what is missing twice in a row is worth a word.
        if before > 0 {
            tracing::warn!(
                missing = missing.len(),
                open = open.len(),
                "our identity is in {} of the account's open conversations; adding it",
                if ours.is_empty() { "none" } else { "fewer than all" }
            );
        }
        for conversation in missing.into_iter().take(MAX_WISHES) {
            // Whatever was believed of it was wrong.
            self.participation.left(conversation);
            self.participation.wish(conversation);
        }
    }
}
