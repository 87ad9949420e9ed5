//! Sends what was promised when it is time.

use std::time::Duration;

use trunkline_core::Pii;
use trunkline_store::{Consent, ConversationRow, NewCommand, ScheduledRow, StoreError};

use super::ScheduledTexts;
use crate::pipeline::{is_taken, limits, send_row, split};

/// Promises that are looked at together.
const BATCH: u32 = 200;
/// The longest sleep; the system's clock may be set meanwhile.
const MAX_SLEEP: Duration = Duration::from_secs(30);
/// The wait before the store is asked again when it could not be used.
const STORE_WAIT: Duration = Duration::from_secs(1);
/// Who speaks.
const AUTHOR: &str = "agent";

/// What became of a promise that is due.
enum Became {
    Message,
    /// None, for this reason.
    Cancelled(&'static str),
    /// None: somebody took it back while it was looked at, and has said why.
    TakenBack,
}

impl ScheduledTexts {
    /// Keeps promises for as long as it is polled.
    ///
    /// # Cancel safety
    /// Cancel-safe: what was not sent is due at the next start, and nothing is sent twice.
    pub(crate) async fn run(self) {
        let mut moves = self.0.clock.moves();
        loop {
            let sleep = match self.look().await {
                Ok(sleep) => sleep,
                Err(error) => {
                    tracing::error!(error.code = error.code(), "promised texts cannot be looked up; trying again");
                    STORE_WAIT
                }
            };
            tokio::select! {
                () = tokio::time::sleep(sleep) => {}
                () = self.0.new.notified() => {}
                () = moves.next() => {}
            }
        }
    }

    /// Sends what is due, and says how long nothing will be.
    async fn look(&self) -> Result<Duration, StoreError> {
        let store = &self.0.context.store;
        loop {
            let due = store.due_scheduled(self.0.clock.now(), BATCH).await?;
            let mut is_any_left = false;
            for row in &due {
                if let Err(error) = self.keep(row).await {
                    let code = error.code();
                    tracing::error!(
                        error.code = code,
                        scheduled.id = row.id,
                        "a promised text stays due; trying again"
                    );
                    is_any_left = true;
                }
            }
            if is_any_left {
                return Ok(STORE_WAIT);
            }
            if due.len() < BATCH as usize {
                break;
            }
        }
        let Some(next) = store.next_scheduled().await? else { return Ok(MAX_SLEEP) };
        Ok(Duration::try_from(next.duration_since(self.0.clock.now())).unwrap_or(Duration::ZERO).min(MAX_SLEEP))
    }

    /// Sends what is due, and notes what became of it.
    async fn keep(&self, row: &ScheduledRow) -> Result<(), StoreError> {
        let cancelled = match self.send(row).await? {
            Became::Message => None,
            Became::Cancelled(reason) => Some(reason),
            Became::TakenBack => return Ok(()),
        };
        self.0.context.store.end_scheduled(&row.id, cancelled).await?;
        self.0.context.metrics.scheduled(cancelled.unwrap_or("sent"));
        self.0.context.live.changed(&row.conversation_id);
        Ok(())
    }

    /// Makes a promise a message.
    async fn send(&self, row: &ScheduledRow) -> Result<Became, StoreError> {
        let context = &self.0.context;
        // An earlier process may have come so far and no further; what has happened since does not undo it.
        if is_taken(context, &row.id).await? {
            return Ok(Became::Message);
        }
        let Some(conversation) = context.store.conversation(&row.conversation_id).await? else {
            // The person was erased since it was read.
            return Ok(Became::Cancelled("closed"));
        };
        if conversation.state == "closed" {
            return Ok(Became::Cancelled("closed"));
        }
        if context.store.consent(&conversation.id).await? == Consent::Withdrawn {
            return Ok(Became::Cancelled("opted_out"));
        }
        let mut parts = split(row.body.expose(), limits(context, &conversation));
        if parts.is_empty() {
            return Ok(Became::Cancelled("unsendable"));
        }
        if !context.store.begin_scheduled(&row.id).await? {
            return Ok(Became::TakenBack);
        }
        let command = command(row, &conversation, parts.remove(0), parts);
        let adopted = match context.store.adopt(&command).await {
            Ok(adopted) => adopted,
            // It is a message already, split by other settings.
            Err(StoreError::CommandReused) => return Ok(Became::Message),
            Err(StoreError::NotFound { .. }) => return Ok(Became::Cancelled("closed")),
            Err(error) => return Err(error),
        };
        if adopted.is_new {
            // Whether the rules of its channel let it pass is found out as for every message: one that they do not is
            // shown as failed.
            for outbox_id in command.outbox_ids() {
                send_row(context, &outbox_id).await;
            }
        }
        Ok(Became::Message)
    }
}

fn command(row: &ScheduledRow, conversation: &ConversationRow, first: String, rest: Vec<String>) -> NewCommand {
    NewCommand {
        outbox_id: row.id.clone(),
        connector: conversation.connector.clone(),
        conversation: conversation.external_id.clone(),
        in_reply_to: Vec::new(),
        body: Pii::new(first),
        more: rest.into_iter().map(Pii::new).collect(),
        content: None,
        media: None,
        author: AUTHOR.to_owned(),
        traceparent: row.traceparent.clone(),
    }
}
