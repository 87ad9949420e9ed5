//! Running summaries: what falls out of the history that agents see is kept in short, for each conversation.
//!
//! They are made in the background when a turn is over, by the model of the agent that answers in the conversation, or,
//! where it has none, by selection of sentences. Nobody waits for one: a summary that fails or is late costs nothing, and
//! the next turn has it tried again.

mod given;
mod select;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use trunkline_store::Store;

use crate::agents::Agents;
use crate::config::SummarySettings;
use crate::telemetry::Metrics;

/// Conversations that may wait for a summary; of more, the next turn has it tried again.
const MAX_WAITING: usize = 10_000;

/// The summaries of a gateway. Cheap to clone.
#[derive(Clone)]
pub struct Summaries(Arc<Inner>);

struct Inner {
    store: Store,
    agents: Agents,
    settings: SummarySettings,
    metrics: Metrics,
    queue: Mutex<Queue>,
    wake: Notify,
}

#[derive(Default)]
struct Queue {
    /// Conversations, and whether each is over.
    waiting: BTreeMap<String, bool>,
    /// Those that are being worked on.
    busy: BTreeSet<String>,
}

impl Queue {
    fn take(&mut self) -> Option<(String, bool)> {
        let id = self.waiting.keys().find(|id| !self.busy.contains(*id))?.clone();
        let is_over = self.waiting.remove(&id)?;
        self.busy.insert(id.clone());
        Some((id, is_over))
    }
}

impl Summaries {
    /// Over `store`, by the models of `agents`.
    pub fn new(store: Store, agents: Agents, settings: SummarySettings, metrics: Metrics) -> Self {
        let (queue, wake) = (Mutex::default(), Notify::new());
        Self(Arc::new(Inner { store, agents, settings, metrics, queue, wake }))
    }

    /// Makes none and gives none.
    pub fn off(store: Store, metrics: Metrics) -> Self {
        Self::new(store, Agents::default(), SummarySettings::off(), metrics)
    }

    /// A turn of a conversation is over.
    pub(crate) fn turned(&self, conversation_id: &str) {
        self.ask(conversation_id, false);
    }

    /// A conversation is over: all of it is said in short.
    pub(crate) fn over(&self, conversation_id: &str) {
        self.ask(conversation_id, true);
    }

    fn ask(&self, conversation_id: &str, is_over: bool) {
        if self.0.settings.after == 0 {
            return;
        }
        let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.waiting.len() < MAX_WAITING || queue.waiting.contains_key(conversation_id) {
            *queue.waiting.entry(conversation_id.to_owned()).or_default() |= is_over;
            drop(queue);
            self.0.wake.notify_one();
        }
    }
}
