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
use trunkline_store::{Found, PassageKind, Scope, Search, Store, StoreError};

use crate::config::RecallSettings;
use crate::telemetry::Metrics;

/// What is searched for, in bytes: the latest of what was said.
const MAX_WORDS: usize = 1_000;
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
    store: Store,
    settings: Arc<RecallSettings>,
    metrics: Metrics,
    tasks: TaskTracker,
}

impl Recall {
    /// Over `store`.
    pub fn new(store: Store, settings: RecallSettings, metrics: Metrics) -> Self {
        Self { store, settings: Arc::new(settings), metrics, tasks: TaskTracker::new() }
    }

    /// Never reminds.
    pub fn off(store: Store, metrics: Metrics) -> Self {
        let settings = RecallSettings {
            call_deadline: Duration::ZERO,
            text_deadline: Duration::ZERO,
            collections: None,
            passages: 0,
        };
        Self::new(store, settings, metrics)
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
        let found = tokio::time::timeout(deadline, self.find(contact, but, input)).await;
        let (outcome, passages) = match found {
            Ok(Ok(found)) if found.is_empty() => ("nothing", Vec::new()),
            Ok(Ok(found)) => ("found", found),
            Ok(Err(error)) => {
                tracing::warn!(error.code = error.code(), "nothing could be recalled");
                ("failed", Vec::new())
            }
            Err(_) => ("late", Vec::new()),
        };
        self.metrics.recall(outcome, begun.elapsed());
        passages
    }

    /// The same without a deadline of its own, for an agent that asks.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn search(&self, contact: &str, input: &[Pii<String>]) -> Result<Vec<Passage>, StoreError> {
        self.find(contact, None, input).await
    }

    /// A call with this person rings: what will be searched is brought into memory, so that the first turn finds it there.
    pub(crate) fn warm(&self, contact: &str) {
        if self.deadline(Way::Call).is_zero() {
            return;
        }
        let (recall, contact) = (self.clone(), contact.to_owned());
        let work = async move {
            let input = [Pii::new("appointment order name address number".to_owned())];
            let _warm = recall.find(&contact, None, &input).await;
        };
        self.tasks.spawn(work.in_current_span());
    }

    fn deadline(&self, way: Way) -> Duration {
        match way {
            Way::Text => self.settings.text_deadline,
            Way::Call => self.settings.call_deadline,
        }
    }

    async fn find(&self, contact: &str, but: Option<&str>, input: &[Pii<String>]) -> Result<Vec<Passage>, StoreError> {
        let words = words(input);
        let search = |scope| Search {
            words: words.clone(),
            scope,
            limit: u32::try_from(self.settings.passages).unwrap_or(u32::MAX),
            but: but.map(str::to_owned),
        };
        let theirs = async {
            let found = self.store.search(&search(Scope::Contact(contact.to_owned()))).await?;
            let is_theirs = |found: &Found| found.contact_id.as_deref() == Some(contact);
            Ok(found.into_iter().filter(is_theirs).collect::<Vec<_>>())
        };
        let known = async {
            match &self.settings.collections {
                Some(collections) => self.store.search(&search(Scope::Collections(collections.clone()))).await,
                None => Ok(Vec::new()),
            }
        };
        let (theirs, known): (Result<Vec<_>, StoreError>, _) = tokio::join!(theirs, known);
        let mut all = known?;
        all.extend(theirs?);
        all.sort_by(|one, other| other.coverage.total_cmp(&one.coverage).then(other.score.total_cmp(&one.score)));
        Ok(bounded(all, self.settings.passages))
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
