//! What an agent is reminded of before it answers: what was said with this person before, and what the collections know.
//!
//! It has a deadline. What is not found by then is not waited for, and that is counted: an answer without a reminder is
//! better than none in time. Nobody is reminded of what somebody else has said: the index is asked for this person, and
//! what it finds is looked at once more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use trunkline_agent::Passage;
use trunkline_core::Pii;
use trunkline_store::{Found, PassageKind, Scope, Store, StoreError};

use crate::config::RecallSettings;
use crate::meaning::{Finder, PATIENCE, Sought};
use crate::telemetry::Metrics;

/// What is searched for, in bytes: the latest of what was said.
const MAX_WORDS: usize = 1_000;
/// The part of the deadline that the meaning of the words may take.
const SHARE_OF_MEANING: f64 = 0.8;
/// Of one passage, in bytes.
const MAX_PASSAGE_BYTES: usize = 2_000;
/// Of all passages of one turn, in bytes.
const MAX_BYTES: usize = 8 << 10;

/// How a turn comes: that decides how long it may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By text.
    Text,
    /// In a call.
    Call,
}

/// Reminds agents. Cheap to clone.
#[derive(Clone)]
pub struct Recall {
    finder: Finder,
    settings: Arc<RecallSettings>,
    metrics: Metrics,
    tasks: TaskTracker,
}

impl Recall {
    /// By what `finder` finds.
    pub fn new(finder: Finder, settings: RecallSettings, metrics: Metrics) -> Self {
        Self { finder, settings: Arc::new(settings), metrics, tasks: TaskTracker::new() }
    }

    /// Never reminds.
    pub fn off(store: Store, metrics: Metrics) -> Self {
        let settings = RecallSettings {
            call_deadline: Duration::ZERO,
            text_deadline: Duration::ZERO,
            collections: None,
            passages: 0,
        };
        Self::new(Finder::new(store, None), settings, metrics)
    }

    /// What this person's words remind of: first what fits best. `but` is a conversation or call that is left out,
    /// because the agent sees it anyway.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn passages(&self, way: Way, contact: &str, but: Option<&str>, input: &[Pii<String>]) -> Vec<Passage> {
        let deadline = self.deadline(way);
        if deadline.is_zero() || self.settings.passages == 0 {
            return Vec::new();
        }
        let begun = Instant::now();
        // What the words find is not lost because what they mean comes late.
        let patience = deadline.mul_f64(SHARE_OF_MEANING);
        let sought = tokio::time::timeout(deadline, self.find(contact, but, input, patience)).await;
        let without = self.finder.without_meaning();
        let (outcome, meaning, found) = match sought {
            Ok(Ok(Sought { found, meaning })) if found.is_empty() => ("nothing", meaning, Vec::new()),
            Ok(Ok(Sought { found, meaning })) => ("found", meaning, found),
            Ok(Err(error)) => {
                tracing::warn!(error.code = error.code(), "nothing could be recalled");
                ("failed", without, Vec::new())
            }
            Err(_) => ("late", without, Vec::new()),
        };
        self.metrics.recall(outcome, meaning, begun.elapsed());
        bounded(found, self.settings.passages)
    }

    /// The same without a deadline of its own, for an agent that asks.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn search(&self, contact: &str, input: &[Pii<String>]) -> Result<Vec<Passage>, StoreError> {
        let sought = self.find(contact, None, input, PATIENCE).await?;
        Ok(bounded(sought.found, self.settings.passages))
    }

    /// A call with this person rings: what will be searched is brought into memory, so that the first turn finds it there,
    /// and the model of meanings is connected to.
    pub(crate) fn warm(&self, contact: &str) {
        if self.deadline(Way::Call).is_zero() {
            return;
        }
        let (recall, contact) = (self.clone(), contact.to_owned());
        let work = async move {
            let input = [Pii::new("appointment order name address number".to_owned())];
            let _warm = recall.find(&contact, None, &input, PATIENCE).await;
        };
        self.tasks.spawn(work.in_current_span());
    }

    fn deadline(&self, way: Way) -> Duration {
        match way {
            Way::Text => self.settings.text_deadline,
            Way::Call => self.settings.call_deadline,
        }
    }

    async fn find(
        &self,
        contact: &str,
        but: Option<&str>,
        input: &[Pii<String>],
        patience: Duration,
    ) -> Result<Sought, StoreError> {
        let known = self.settings.collections.clone().map(Scope::Collections);
        let scopes = known.into_iter().chain([Scope::Contact(contact.to_owned())]).collect();
        let limit = u32::try_from(self.settings.passages).unwrap_or(u32::MAX);
        self.finder.find(&words(input), scopes, limit, but, patience).await
    }
}

/// The latest words of what was said.
fn words(input: &[Pii<String>]) -> Pii<String> {
    let joined = input.iter().map(|text| text.expose().as_str()).collect::<Vec<_>>().join(" ");
    let from = joined.ceil_char_boundary(joined.len().saturating_sub(MAX_WORDS));
    Pii::new(joined.get(from..).unwrap_or_default().to_owned())
}

fn bounded(found: Vec<Found>, most: usize) -> Vec<Passage> {
    let mut budget = MAX_BYTES;
    let mut passages = Vec::new();
    for one in found.into_iter().take(most) {
        let text = one.text.expose();
        let end = text.floor_char_boundary(MAX_PASSAGE_BYTES);
        let text = text.get(..end).unwrap_or_default().to_owned();
        let Some(left) = budget.checked_sub(text.len()) else { break };
        budget = left;
        let title = one.title.expose().clone();
        let source = if one.kind == PassageKind::Document { one.source } else { title.clone() };
        passages.push(Passage {
            kind: one.kind.as_str().to_owned(),
            source: Pii::new(source),
            title: Pii::new(title),
            text: Pii::new(text),
            coverage: one.coverage,
        });
    }
    passages
}

#[cfg(test)]
mod tests;
