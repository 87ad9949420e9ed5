//! The deliveries of a consumer that are not settled yet: leases, in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use trunkline_core::Envelope;

use super::lock;

struct Entry {
    envelope: Envelope,
    attempt: u32,
    /// When it may be handed out again: the end of the lease, or of the wait that its consumer asked for.
    due: Instant,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<i64, Entry>,
    /// Nothing is due before this; may be too early, never too late.
    earliest: Option<Instant>,
    /// The newest sequence number that was handed out or passed over.
    handed_out: i64,
}

/// Shared by a consumer and its deliveries.
#[derive(Default)]
pub(super) struct InFlight {
    state: Mutex<State>,
    /// Told whenever something was settled or became due earlier.
    pub(super) changed: Notify,
}

/// A delivery to hand out.
pub(super) struct Due {
    pub(super) seq: i64,
    pub(super) envelope: Envelope,
    pub(super) attempt: u32,
}

impl InFlight {
    pub(super) fn starting_at(floor: i64) -> Self {
        Self { state: Mutex::new(State { handed_out: floor, ..State::default() }), changed: Notify::new() }
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.state).entries.len()
    }

    /// Notes that everything up to `seq` was looked at.
    pub(super) fn pass(&self, seq: i64) {
        let mut state = lock(&self.state);
        state.handed_out = state.handed_out.max(seq);
    }

    pub(super) fn insert(&self, seq: i64, envelope: Envelope, attempt: u32, due: Instant) {
        let mut state = lock(&self.state);
        state.handed_out = state.handed_out.max(seq);
        state.earliest = Some(state.earliest.map_or(due, |earliest| earliest.min(due)));
        state.entries.insert(seq, Entry { envelope, attempt, due });
    }

    /// Takes what is due, lowest number first, and leases it anew until `lease_end`.
    pub(super) fn take_due(&self, now: Instant, lease_end: Instant) -> Option<Due> {
        let mut state = lock(&self.state);
        if state.earliest.is_none_or(|earliest| earliest > now) {
            return None;
        }
        let due = state.entries.iter_mut().find(|(_, entry)| entry.due <= now).map(|(seq, entry)| {
            entry.attempt += 1;
            entry.due = lease_end;
            Due { seq: *seq, envelope: entry.envelope.clone(), attempt: entry.attempt }
        });
        if due.is_none() {
            state.earliest = state.entries.values().map(|entry| entry.due).min();
        }
        due
    }

    /// When to look again.
    pub(super) fn next_due(&self) -> Option<Instant> {
        lock(&self.state).earliest
    }

    /// Whether a delivery is not settled yet.
    pub(super) fn holds(&self, seq: i64) -> bool {
        lock(&self.state).entries.contains_key(&seq)
    }

    /// Removes a delivery. Returns the floor after it, or `None` if it was settled before.
    pub(super) fn settle(&self, seq: i64) -> Option<i64> {
        let floor = {
            let mut state = lock(&self.state);
            state.entries.remove(&seq)?;
            state.entries.keys().next().map_or(state.handed_out, |first| first - 1)
        };
        self.changed.notify_one();
        Some(floor)
    }

    /// Puts a delivery back: it comes again after `delay`.
    pub(super) fn postpone(&self, seq: i64, delay: Duration) -> Option<u32> {
        let attempt = {
            let mut state = lock(&self.state);
            let due = Instant::now() + delay;
            let entry = state.entries.get_mut(&seq)?;
            entry.due = due;
            let attempt = entry.attempt;
            state.earliest = Some(state.earliest.map_or(due, |earliest| earliest.min(due)));
            attempt
        };
        self.changed.notify_one();
        Some(attempt)
    }

    /// Starts the lease of a delivery anew.
    pub(super) fn extend(&self, seq: i64, lease_end: Instant) {
        if let Some(entry) = lock(&self.state).entries.get_mut(&seq) {
            entry.due = lease_end;
        }
    }
}
