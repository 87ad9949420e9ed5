//! The beginning and the end of runs.

use jiff::Timestamp;
use sqlx::{Sqlite, Transaction};
use trunkline_core::Pii;

use super::steps::write;
use super::{Fact, RUN, Row, RunRow, StepChange, run};
use crate::{Store, StoreError};

/// A run that is to begin.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its name.
    pub id: String,
    /// The workflow.
    pub workflow: String,
    /// Its text, which was kept by [`Store::keep_definition`].
    pub revision: String,
    /// What starts it: the same for the same event, time or request.
    pub trigger_key: String,
    /// The event, as expressions see it, in JSON.
    pub event: Pii<String>,
    /// The address of whom it is about, if it is about somebody.
    pub person: Option<Pii<String>>,
    /// The contact.
    pub contact_id: Option<String>,
    /// Whether it is worked on at once by who begins it; otherwise it waits to be claimed.
    pub is_claimed: bool,
    /// Steps that begin with it.
    pub steps: Vec<StepChange>,
    /// The trace that it belongs to.
    pub traceparent: Option<String>,
    /// When it begins.
    pub now: Timestamp,
    /// When it has taken too long.
    pub due_at: Timestamp,
}

impl Store {
    /// Keeps the text of a workflow, once.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been kept; keeping it again is harmless.
    pub async fn keep_definition(
        &self,
        revision: &str,
        workflow: &str,
        source: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO workflow_definition (revision, workflow, source, loaded_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (revision) DO UPDATE SET loaded_at = excluded.loaded_at",
        )
        .bind(revision)
        .bind(workflow)
        .bind(source)
        .bind(now.as_millisecond())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// The text of a workflow that a run began with.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn definition(&self, revision: &str) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar("SELECT source FROM workflow_definition WHERE revision = $1")
            .bind(revision)
            .fetch_optional(&self.reader)
            .await?)
    }

    /// Begins runs and keeps facts, all or none. Returns which of the runs are new: one that was begun by the same thing
    /// before is not begun again.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// They may have begun; beginning them again is harmless.
    pub async fn begin_runs(&self, runs: &[NewRun], facts: &[Fact]) -> Result<Vec<bool>, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let mut new = Vec::with_capacity(runs.len());
        for run in runs {
            new.push(begin(&mut transaction, run).await?);
        }
        for fact in facts {
            super::waits::keep(&mut transaction, fact).await?;
        }
        transaction.commit().await?;
        Ok(new)
    }

    /// Takes runs of a workflow that wait for a worker, the longest wait first: at most `limit`. They are the caller's now.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// They may have been taken; the next [`requeue_runs`](Self::requeue_runs) gives them back.
    pub async fn claim_runs(&self, workflow: &str, limit: u32, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let waiting: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM workflow_run WHERE workflow = $1 AND state = 'queued' LIMIT 1")
                .bind(workflow)
                .fetch_optional(&self.reader)
                .await?;
        if waiting.is_none() {
            return Ok(Vec::new());
        }
        let sql = "UPDATE workflow_run SET state = 'running', updated_at = $3 WHERE id IN (
                       SELECT id FROM workflow_run WHERE workflow = $1 AND state = 'queued'
                       ORDER BY updated_at, id LIMIT $2)
                   RETURNING id";
        Ok(sqlx::query_scalar(sql)
            .bind(workflow)
            .bind(i64::from(limit))
            .bind(now.as_millisecond())
            .fetch_all(&self.writer)
            .await?)
    }

    /// Gives back what an earlier process worked on. Returns the workflows of which runs wait for a worker.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been done; doing it again is harmless while nobody works.
    pub async fn requeue_runs(&self) -> Result<Vec<String>, StoreError> {
        sqlx::query("UPDATE workflow_run SET state = 'queued', version = version + 1 WHERE state = 'running'")
            .execute(&self.writer)
            .await?;
        Ok(sqlx::query_scalar("SELECT DISTINCT workflow FROM workflow_run WHERE state = 'queued'")
            .fetch_all(&self.reader)
            .await?)
    }

    /// A run.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn workflow_run(&self, id: &str) -> Result<Option<RunRow>, StoreError> {
        let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!("{RUN} WHERE id = $1")))
            .bind(id)
            .fetch_optional(&self.reader)
            .await?;
        row.map(run).transpose()
    }

    /// Ends a run that is not over: it is cancelled, or, with a code, failed. Its steps that are not settled are
    /// cancelled. Returns false if it is over already, or there is none.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been done; doing it again is harmless.
    pub async fn stop_run(&self, id: &str, error_code: Option<&str>, now: Timestamp) -> Result<bool, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let state = if error_code.is_some() { "failed" } else { "cancelled" };
        let stopped = sqlx::query(
            "UPDATE workflow_run SET state = $2, error_code = $3, version = version + 1, due_at = NULL, updated_at = $4,
                    ended_at = $4
             WHERE id = $1 AND state IN ('queued', 'running', 'waiting')",
        )
        .bind(id)
        .bind(state)
        .bind(error_code)
        .bind(now.as_millisecond())
        .execute(&mut *transaction)
        .await?;
        if stopped.rows_affected() == 0 {
            return Ok(false);
        }
        cancel_steps(&mut transaction, id, now).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Has a run that failed go on from where it failed: steps that failed, or were cancelled or passed over for that, may
    /// begin again; what is done stays done. Returns false if the run has not failed.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been done; then a second call returns false.
    pub async fn replay_run(&self, id: &str, now: Timestamp, due_at: Timestamp) -> Result<bool, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let replayed = sqlx::query(
            "UPDATE workflow_run SET state = 'queued', error_code = NULL, error_node = NULL, version = version + 1,
                    replays = replays + 1, due_at = $3, updated_at = $2, ended_at = NULL
             WHERE id = $1 AND state IN ('failed', 'compensated', 'cancelled')",
        )
        .bind(id)
        .bind(now.as_millisecond())
        .bind(due_at.as_millisecond())
        .execute(&mut *transaction)
        .await?;
        if replayed.rows_affected() == 0 {
            return Ok(false);
        }
        // The first try of a step whose effect may be there already stays known: it is looked up before it is repeated.
        sqlx::query(
            "UPDATE workflow_step SET state = 'pending', attempts = 0, due_at = NULL, error_code = NULL, branch = NULL,
                    updated_at = $2
             WHERE run_id = $1 AND state IN ('failed', 'cancelled', 'skipped')",
        )
        .bind(id)
        .bind(now.as_millisecond())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Runs that have taken too long, at most `limit`.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn overdue_runs(&self, now: Timestamp, limit: u32) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar("SELECT id FROM workflow_run WHERE due_at <= $1 ORDER BY due_at LIMIT $2")
            .bind(now.as_millisecond())
            .bind(i64::from(limit))
            .fetch_all(&self.reader)
            .await?)
    }

    /// Forgets runs that were over before `before`, with their steps, at most `limit`, and texts that no run needs.
    /// Returns how many runs.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been done.
    pub async fn forget_runs(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let gone = sqlx::query(
            "DELETE FROM workflow_run WHERE id IN (
                 SELECT id FROM workflow_run WHERE ended_at < $1 ORDER BY ended_at LIMIT $2)",
        )
        .bind(before.as_millisecond())
        .bind(i64::from(limit))
        .execute(&mut *transaction)
        .await?;
        if gone.rows_affected() > 0 {
            sqlx::query(
                "DELETE FROM workflow_definition WHERE loaded_at < $1
                    AND NOT EXISTS (SELECT 1 FROM workflow_run r WHERE r.revision = workflow_definition.revision)",
            )
            .bind(before.as_millisecond())
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(gone.rows_affected())
    }
}

async fn begin(transaction: &mut Transaction<'_, Sqlite>, run: &NewRun) -> Result<bool, StoreError> {
    let inserted = sqlx::query(
        "INSERT INTO workflow_run (id, workflow, revision, trigger_key, event, person, contact_id, state, traceparent,
                                   due_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) ON CONFLICT (workflow, trigger_key) DO NOTHING",
    )
    .bind(&run.id)
    .bind(&run.workflow)
    .bind(&run.revision)
    .bind(&run.trigger_key)
    .bind(run.event.expose())
    .bind(run.person.as_ref().map(Pii::expose))
    .bind(&run.contact_id)
    .bind(if run.is_claimed { "running" } else { "queued" })
    .bind(&run.traceparent)
    .bind(run.due_at.as_millisecond())
    .bind(run.now.as_millisecond())
    .execute(&mut **transaction)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(false);
    }
    for step in &run.steps {
        write(transaction, &run.id, step, run.now).await?;
    }
    Ok(true)
}

pub(super) async fn cancel_steps(
    transaction: &mut Transaction<'_, Sqlite>,
    run_id: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE workflow_step SET state = 'cancelled', due_at = NULL, updated_at = $2
         WHERE run_id = $1 AND state IN ('pending', 'running', 'waiting', 'retrying')",
    )
    .bind(run_id)
    .bind(now.as_millisecond())
    .execute(&mut **transaction)
    .await?;
    sqlx::query("DELETE FROM workflow_wait WHERE run_id = $1").bind(run_id).execute(&mut **transaction).await?;
    Ok(())
}
