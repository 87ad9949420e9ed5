//! Waits: for events, and for times.

use jiff::Timestamp;
use sqlx::{Sqlite, Transaction};
use trunkline_core::Pii;

use crate::{Store, StoreError};

/// An event that some workflow may be about to wait for.
#[derive(Debug, Clone)]
pub struct Fact {
    /// The id of its envelope.
    pub id: String,
    /// Its type.
    pub event_type: String,
    /// As expressions see it, in JSON.
    pub event: Pii<String>,
    /// Whom it is about.
    pub contact_id: Option<String>,
    /// When it was taken note of.
    pub noted_at: Timestamp,
}

/// A step that waits for an event.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct WaitRow {
    /// The run.
    pub run_id: String,
    /// The node.
    pub node: String,
}

/// A step whose time has come.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct DueStep {
    /// The run.
    pub run_id: String,
    /// Its workflow.
    pub workflow: String,
    /// The node.
    pub node: String,
    /// `waiting` or `retrying`.
    pub state: String,
}

/// Facts that are looked through for one wait.
const MAX_LOOKED_BACK: i64 = 10_000;
/// Waits that one event may end.
const MAX_WAITS: i64 = 10_000;

pub(super) async fn keep(transaction: &mut Transaction<'_, Sqlite>, fact: &Fact) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO workflow_fact (id, event_type, event, contact_id, noted_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(&fact.id)
    .bind(&fact.event_type)
    .bind(fact.event.expose())
    .bind(&fact.contact_id)
    .bind(fact.noted_at.as_millisecond())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

impl Store {
    /// Steps that wait for an event of this type, about one of these or about anything.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn waits_for(&self, event_type: &str, about: &[&str]) -> Result<Vec<WaitRow>, StoreError> {
        let mut found = Vec::new();
        for about in about.iter().filter(|about| !about.is_empty()).chain([&""]) {
            let rows: Vec<WaitRow> =
                sqlx::query_as("SELECT run_id, node FROM workflow_wait WHERE event_type = $1 AND about = $2 LIMIT $3")
                    .bind(event_type)
                    .bind(*about)
                    .bind(MAX_WAITS)
                    .fetch_all(&self.reader)
                    .await?;
            for row in rows {
                if !found.contains(&row) {
                    found.push(row);
                }
            }
        }
        Ok(found)
    }

    /// Types of events that some step waits for.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn awaited_types(&self) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar("SELECT DISTINCT event_type FROM workflow_wait").fetch_all(&self.reader).await?)
    }

    /// Events of this type that were noted since `since`, the oldest first.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn facts_since(&self, event_type: &str, since: Timestamp) -> Result<Vec<Pii<String>>, StoreError> {
        // By the writer: what was committed before the wait was is seen, and nothing is missed in between.
        let events: Vec<String> = sqlx::query_scalar(
            "SELECT event FROM workflow_fact WHERE event_type = $1 AND noted_at >= $2 ORDER BY noted_at, id LIMIT $3",
        )
        .bind(event_type)
        .bind(since.as_millisecond())
        .bind(MAX_LOOKED_BACK)
        .fetch_all(&self.writer)
        .await?;
        Ok(events.into_iter().map(Pii::new).collect())
    }

    /// Forgets facts that were noted before `before`.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been done.
    pub async fn forget_facts(&self, before: Timestamp) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM workflow_fact WHERE noted_at < $1")
            .bind(before.as_millisecond())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Ends a wait, once, and has its run go on. Returns whether it ended because of this call.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have ended; then a second call returns false.
    pub async fn finish_wait(
        &self,
        wait: &WaitRow,
        branch: &str,
        output: &Pii<String>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let ended = sqlx::query(
            "UPDATE workflow_step SET state = 'done', branch = $3, output = $4, due_at = NULL, updated_at = $5
             WHERE run_id = $1 AND node = $2 AND state = 'waiting'",
        )
        .bind(&wait.run_id)
        .bind(&wait.node)
        .bind(branch)
        .bind(output.expose())
        .bind(now.as_millisecond())
        .execute(&mut *transaction)
        .await?;
        if ended.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query("DELETE FROM workflow_wait WHERE run_id = $1 AND node = $2")
            .bind(&wait.run_id)
            .bind(&wait.node)
            .execute(&mut *transaction)
            .await?;
        wake(&mut transaction, &wait.run_id, now).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Has a step that failed be tried again, once, and its run go on.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been done.
    pub async fn retry_step(&self, run_id: &str, node: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let again = sqlx::query(
            "UPDATE workflow_step SET state = 'pending', due_at = NULL, updated_at = $3
             WHERE run_id = $1 AND node = $2 AND state = 'retrying'",
        )
        .bind(run_id)
        .bind(node)
        .bind(now.as_millisecond())
        .execute(&mut *transaction)
        .await?;
        if again.rows_affected() == 0 {
            return Ok(false);
        }
        wake(&mut transaction, run_id, now).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Steps whose time has come, at most `limit`.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn due_steps(&self, now: Timestamp, limit: u32) -> Result<Vec<DueStep>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT s.run_id, r.workflow, s.node, s.state FROM workflow_step s JOIN workflow_run r ON r.id = s.run_id
             WHERE s.due_at <= $1 ORDER BY s.due_at LIMIT $2",
        )
        .bind(now.as_millisecond())
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?)
    }

    /// When the next step, or run, is due; `None` if none is.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let due: Option<i64> = sqlx::query_scalar(
            "SELECT min(due_at) FROM (SELECT min(due_at) AS due_at FROM workflow_step
                                      UNION ALL SELECT min(due_at) AS due_at FROM workflow_run) AS due",
        )
        .fetch_one(&self.reader)
        .await?;
        due.map(|due| crate::store::timestamp(due, "workflow_step.due_at")).transpose()
    }
}

/// Has a run that was put aside go on; one that is being worked on is looked at again.
async fn wake(transaction: &mut Transaction<'_, Sqlite>, run_id: &str, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE workflow_run SET version = version + 1, updated_at = $2,
                state = CASE WHEN state = 'waiting' THEN 'queued' ELSE state END
         WHERE id = $1",
    )
    .bind(run_id)
    .bind(now.as_millisecond())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
