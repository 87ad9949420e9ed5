//! Makes summaries, one conversation after the other.

use std::sync::{Arc, PoisonError};

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tracing::Instrument as _;
use trunkline_agent::{Agent, AgentError, Role, SummaryRequest, Utterance};
use trunkline_core::{Pii, Retry};
use trunkline_store::{ConversationRow, Direction, StoreError, SummaryRow, UnsummarisedRow};

use super::Summaries;
use super::select::select;

/// Conversations that are worked on at once.
const AT_ONCE: usize = 2;
/// Messages that are read at once.
const MAX_READ: u32 = 200;
/// Of the messages that are not summarised, this many bytes at most; agents see about as much of them.
const KEPT_BYTES: usize = 16 << 10;
/// A summary is made when there is this much to say, in messages or bytes: each is a question to a model.
const WORTH_MESSAGES: usize = 10;
const WORTH_BYTES: usize = 8 << 10;
/// What a model is given at once, in bytes, and of one message.
const MAX_INPUT_BYTES: usize = 24 << 10;
const MAX_MESSAGE_BYTES: usize = 2 << 10;
/// Questions to a model in a row while a conversation goes on; what is left then is for the next turn.
const MAX_ROUNDS: usize = 5;
/// The longest summary that is kept, in bytes.
const MAX_SUMMARY_BYTES: usize = 4 << 10;
/// Who made a summary without a model.
const SELECTION: &str = "selection";
/// Closed conversations that an earlier process may have left are made up for: those of this long, and so many.
const MADE_UP_FOR: SignedDuration = SignedDuration::from_hours(24);
const MAX_MADE_UP_FOR: u32 = 1_000;

/// A new summary.
struct Made {
    text: Pii<String>,
    by: String,
    /// A model was asked and made none.
    is_failed: bool,
}

impl Summaries {
    /// Makes summaries for as long as it is polled.
    ///
    /// # Cancel safety
    /// Cancel-safe: what was not made is made after a later turn.
    pub(crate) async fn run(self) {
        if let Err(error) = self.make_up().await {
            tracing::warn!(
                error.code = error.code(),
                "summaries that an earlier run did not make could not be looked up"
            );
        }
        join_all((0..AT_ONCE).map(|_| self.work())).await;
    }

    /// Asks for the summaries of conversations that are over, which no turn will ask for again.
    async fn make_up(&self) -> Result<(), StoreError> {
        let inner = &self.0;
        if inner.settings.after == 0 {
            return Ok(());
        }
        let since = Timestamp::now().checked_sub(MADE_UP_FOR).unwrap_or(Timestamp::MIN);
        let longer_than = u32::try_from(inner.settings.after).unwrap_or(u32::MAX);
        let left = inner.store.closed_unsummarised(since, longer_than, MAX_MADE_UP_FOR).await?;
        for id in &left {
            self.over(id);
        }
        Ok(())
    }

    async fn work(&self) {
        loop {
            let job = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
            let Some((id, is_over)) = job else {
                self.0.wake.notified().await;
                continue;
            };
            let span = tracing::debug_span!("text.summary", conversation.id = id, error.code = tracing::field::Empty);
            if let Err(error) = self.summarise(&id, is_over).instrument(span).await {
                tracing::warn!(error.code = error.code(), "a summary could not be made");
            }
            self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).busy.remove(&id);
            // It may have waited for this.
            self.0.wake.notify_one();
        }
    }

    async fn summarise(&self, id: &str, is_over: bool) -> Result<(), StoreError> {
        let store = &self.0.store;
        let (mut rounds, mut asks_model) = (0, true);
        // Nobody asks again for one that is over, so that it is made to its end: each round takes in messages.
        while is_over || rounds < MAX_ROUNDS {
            rounds += 1;
            let Some(row) = store.conversation(id).await? else { return Ok(()) };
            let read_at = Timestamp::now();
            let before = store.summary_of_conversation(id).await?;
            let unsaid = store.unsummarised(id, before.as_ref().map(|before| before.upto), MAX_READ).await?;
            let count = due(&unsaid, if is_over { 0 } else { self.0.settings.after });
            let bytes = bytes(unsaid.get(..count).unwrap_or_default());
            if count == 0 || (!is_over && count < WORTH_MESSAGES && bytes < WORTH_BYTES) {
                return Ok(());
            }
            let Some((said, upto)) = batch(&unsaid, count) else { return Ok(()) };
            let Some(made) = self.made(&row, before.as_ref(), said, upto, (is_over, asks_model)).await? else {
                return Ok(());
            };
            asks_model &= !made.is_failed;
            let before = before.map(|before| before.upto);
            if !store.keep_summary(id, before, upto, (&made.text, &made.by), read_at).await? {
                self.0.metrics.summary("outdated");
                return Ok(());
            }
            self.0.metrics.summary(if made.by == SELECTION { "selected" } else { "made" });
        }
        Ok(())
    }

    /// The new summary; `None` if there is none.
    async fn made(
        &self,
        row: &ConversationRow,
        before: Option<&SummaryRow>,
        said: Vec<Utterance>,
        upto: i64,
        (is_over, asks_model): (bool, bool),
    ) -> Result<Option<Made>, StoreError> {
        let so_far = before.map(|before| before.text.clone());
        let selected = |said: &[Utterance], is_failed| {
            let so_far = before.map_or("", |before| before.text.expose());
            let text = Pii::new(select(so_far, said, MAX_SUMMARY_BYTES));
            Some(Made { text, by: SELECTION.to_owned(), is_failed })
        };
        if said.is_empty() {
            // What was taken away is passed over.
            let by = before.map_or(SELECTION, |before| before.made_by.as_str()).to_owned();
            return Ok(Some(Made { text: so_far.unwrap_or_default(), by, is_failed: false }));
        }
        let agent = if asks_model { self.0.agents.of_conversation(&self.0.store, row).await? } else { None };
        let Some(agent) = agent else { return Ok(selected(&said, false)) };
        match self.asked(&agent, row, so_far, &said, upto).await {
            Ok(Some((text, by))) => Ok(Some(Made { text, by, is_failed: false })),
            Ok(None) => Ok(selected(&said, false)),
            Err(error) => {
                tracing::Span::current().record("error.code", error.code());
                tracing::warn!(error.code = error.code(), "a model makes no summary");
                self.0.metrics.summary("failed");
                // What it refuses or withholds now it would the next time, and all that comes behind would wait for it;
                // of a conversation that is over there is no next time.
                Ok(if is_over || error.retry() == Retry::No { selected(&said, true) } else { None })
            }
        }
    }

    async fn asked(
        &self,
        agent: &Arc<dyn Agent>,
        row: &ConversationRow,
        so_far: Option<Pii<String>>,
        said: &[Utterance],
        upto: i64,
    ) -> Result<Option<(Pii<String>, String)>, AgentError> {
        let settings = &self.0.settings;
        let request = SummaryRequest {
            id: format!("summary-{}-{upto}", row.id),
            so_far,
            said: said.to_vec(),
            deadline: settings.deadline,
            max_tokens: settings.tokens,
        };
        let asked = tokio::time::timeout(settings.deadline, agent.summarise(request));
        let Some(summary) = asked.await.unwrap_or(Err(AgentError::Timeout(settings.deadline)))? else {
            return Ok(None);
        };
        summary.usage.iter().for_each(|usage| self.0.metrics.model_used(usage));
        let model = summary.usage.first().map_or_else(|| "model".to_owned(), |usage| usage.model.clone());
        let text = summary.text.expose().trim();
        let text = text.get(..text.floor_char_boundary(MAX_SUMMARY_BYTES)).unwrap_or_default();
        Ok(Some((Pii::new(text.to_owned()), model)))
    }
}

fn bytes(rows: &[UnsummarisedRow]) -> usize {
    rows.iter().map(|row| row.text.expose().len()).sum()
}

/// How many of these, from the first, are older than what agents see: all but the last `keep`, and fewer of those where
/// they are long.
fn due(rows: &[UnsummarisedRow], keep: usize) -> usize {
    let mut budget = KEPT_BYTES;
    let seen = rows.iter().rev().take(keep).take_while(|row| {
        let left = budget.checked_sub(row.text.expose().len());
        budget = left.unwrap_or_default();
        left.is_some()
    });
    rows.len() - seen.count()
}

/// The first of `count` messages that fit together, and the place of the last of them.
fn batch(rows: &[UnsummarisedRow], count: usize) -> Option<(Vec<Utterance>, i64)> {
    let mut budget = MAX_INPUT_BYTES;
    let (mut said, mut upto) = (Vec::new(), None);
    for row in rows.iter().take(count) {
        let text = row.text.expose();
        let text = text.get(..text.floor_char_boundary(MAX_MESSAGE_BYTES)).unwrap_or_default();
        // Those of one place are not parted.
        match budget.checked_sub(text.len()) {
            Some(left) => budget = left,
            None if upto == Some(row.place) => {}
            None => break,
        }
        upto = Some(row.place);
        if !text.trim().is_empty() {
            let role = if row.direction == Direction::In { Role::Person } else { Role::Agent };
            said.push(Utterance { role, text: Pii::new(text.to_owned()) });
        }
    }
    upto.map(|upto| (said, upto))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(texts: &[&str]) -> Vec<UnsummarisedRow> {
        let row = |(place, text): (usize, &&str)| UnsummarisedRow {
            place: i64::try_from(place).unwrap(),
            direction: if place % 2 == 0 { Direction::In } else { Direction::Out },
            text: Pii::new((*text).to_owned()),
        };
        texts.iter().enumerate().map(row).collect()
    }

    #[test]
    fn the_latest_messages_are_left_alone_unless_they_are_long() {
        assert_eq!(due(&rows(&["a", "b", "c"]), 2), 1);
        assert_eq!(due(&rows(&["a", "b"]), 2), 0);
        assert_eq!(due(&rows(&["a", "b"]), 0), 2);
        let long = "x".repeat(KEPT_BYTES - 1);
        assert_eq!(due(&rows(&["a", "b", &long, "c"]), 3), 2);
        assert_eq!(due(&[], 3), 0);
    }

    #[test]
    fn a_batch_is_bounded_and_passes_over_what_was_taken_away() {
        let (said, upto) = batch(&rows(&["a", "", "c", "d"]), 3).unwrap();
        assert_eq!((said.len(), upto), (2, 2));
        assert_eq!(said[1], Utterance { role: Role::Person, text: Pii::new("c".to_owned()) });
        let long = "é".repeat(MAX_INPUT_BYTES);
        let many: Vec<_> = std::iter::repeat_n(long.as_str(), 30).collect();
        let (said, upto) = batch(&rows(&many), 30).unwrap();
        assert_eq!((said.len(), upto), (MAX_INPUT_BYTES / MAX_MESSAGE_BYTES, 11));
        assert!(said.iter().all(|one| one.text.expose().len() <= MAX_MESSAGE_BYTES));
        assert!(batch(&[], 3).is_none());
    }
}
