//! What becomes of steps, as whoever works on a run writes it down.

use jiff::Timestamp;
use sqlx::{Sqlite, Transaction};
use trunkline_core::Pii;

use super::runs::cancel_steps;
use super::{Step, StepRow, step};
use crate::{Store, StoreError};

/// A step as it is now.
#[derive(Debug, Clone, Default)]
pub struct StepChange {
    /// The node.
    pub node: String,
    /// As in [`StepRow`].
    pub state: &'static str,
    /// Whether a try begins now; noted before it has any effect.
    pub is_try: bool,
    /// Which way it went.
    pub branch: Option<&'static str>,
    /// When a wait is over, or the next try is due.
    pub due_at: Option<Timestamp>,
    /// What it came to, in JSON.
    pub output: Option<Pii<String>>,
    /// Why it failed.
    pub error_code: Option<String>,
    /// The far side's name for its effect.
    pub effect_id: Option<String>,
    /// What it waits for from now on.
    pub waits: Vec<Waiting>,
}

/// Something that a step waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The type of event.
    pub event_type: String,
    /// Whom or what it is about; empty for anything.
    pub about: Pii<String>,
}

/// How a run goes on after its steps have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEnd {
    /// It is put aside until something happens, unless something has happened since it was read at this version.
    Waits {
        /// The version.
        version: i64,
    },
    /// It is over. Steps that are not settled are cancelled.
    Over {
        /// `done`, `compensated` or `failed`.
        state: &'static str,
        /// Why it failed.
        error_code: Option<String>,
        /// The node that failed.
        error_node: Option<String>,
    },
}

/// What saving came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SavedRun {
    /// As was asked.
    Saved,
    /// The steps were saved; the run was not put aside, because something happened meanwhile: read it again.
    Changed,
    /// Nothing was saved: the run is not the caller's any more.
    Gone,
}

const INSERT: &str = "INSERT INTO workflow_step
    (run_id, node, state, branch, attempts, due_at, output, error_code, effect_id, begun_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT (run_id, node) DO UPDATE SET state = excluded.state, branch = excluded.branch,
        attempts = workflow_step.attempts + excluded.attempts, due_at = excluded.due_at,
        output = COALESCE(excluded.output, workflow_step.output), error_code = excluded.error_code,
        effect_id = COALESCE(excluded.effect_id, workflow_step.effect_id),
        begun_at = COALESCE(workflow_step.begun_at, excluded.begun_at), updated_at = excluded.updated_at";

impl Store {
    /// The steps of a run that have begun.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn workflow_steps(&self, run_id: &str) -> Result<Vec<StepRow>, StoreError> {
        let rows: Vec<Step> = sqlx::query_as(
            "SELECT node, state, branch, attempts, due_at, output, error_code, effect_id, begun_at, updated_at
             FROM workflow_step WHERE run_id = $1 ORDER BY begun_at, updated_at, node",
        )
        .bind(run_id)
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter().map(step).collect()
    }

    /// Saves what became of steps, and how the run goes on, all or nothing.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been saved; saving it again is harmless.
    pub async fn save_steps(
        &self,
        run_id: &str,
        changes: &[StepChange],
        end: Option<&RunEnd>,
        now: Timestamp,
    ) -> Result<SavedRun, StoreError> {
        let mut transaction = self.writer.begin().await?;
        if !is_running(&mut transaction, run_id).await? {
            return Ok(SavedRun::Gone);
        }
        for change in changes {
            write(&mut transaction, run_id, change, now).await?;
            if change.state != "waiting" {
                sqlx::query("DELETE FROM workflow_wait WHERE run_id = $1 AND node = $2")
                    .bind(run_id)
                    .bind(&change.node)
                    .execute(&mut *transaction)
                    .await?;
            }
            for waiting in &change.waits {
                sqlx::query(
                    "INSERT INTO workflow_wait (event_type, about, run_id, node) VALUES ($1, $2, $3, $4)
                     ON CONFLICT DO NOTHING",
                )
                .bind(&waiting.event_type)
                .bind(waiting.about.expose())
                .bind(run_id)
                .bind(&change.node)
                .execute(&mut *transaction)
                .await?;
            }
        }
        let mut saved = SavedRun::Saved;
        match end {
            None => {}
            Some(RunEnd::Waits { version }) => {
                let put_aside = sqlx::query(
                    "UPDATE workflow_run SET state = 'waiting', updated_at = $2 WHERE id = $1 AND version = $3",
                )
                .bind(run_id)
                .bind(now.as_millisecond())
                .bind(version)
                .execute(&mut *transaction)
                .await?;
                if put_aside.rows_affected() == 0 {
                    saved = SavedRun::Changed;
                }
            }
            Some(RunEnd::Over { state, error_code, error_node }) => {
                sqlx::query(
                    "UPDATE workflow_run SET state = $2, error_code = $3, error_node = $4, due_at = NULL,
                            updated_at = $5, ended_at = $5
                     WHERE id = $1",
                )
                .bind(run_id)
                .bind(*state)
                .bind(error_code)
                .bind(error_node)
                .bind(now.as_millisecond())
                .execute(&mut *transaction)
                .await?;
                cancel_steps(&mut transaction, run_id, now).await?;
            }
        }
        transaction.commit().await?;
        Ok(saved)
    }

    /// Whether any step of a workflow has had this effect.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn workflow_of_effect(&self, effect_id: &str) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT r.workflow FROM workflow_step s JOIN workflow_run r ON r.id = s.run_id
             WHERE s.effect_id = $1 LIMIT 1",
        )
        .bind(effect_id)
        .fetch_optional(&self.reader)
        .await?)
    }
}

async fn is_running(transaction: &mut Transaction<'_, Sqlite>, run_id: &str) -> Result<bool, StoreError> {
    let state: Option<String> = sqlx::query_scalar("SELECT state FROM workflow_run WHERE id = $1")
        .bind(run_id)
        .fetch_optional(&mut **transaction)
        .await?;
    Ok(state.as_deref() == Some("running"))
}

pub(super) async fn write(
    transaction: &mut Transaction<'_, Sqlite>,
    run_id: &str,
    change: &StepChange,
    now: Timestamp,
) -> Result<(), StoreError> {
    let has_begun = !matches!(change.state, "pending" | "skipped" | "cancelled");
    sqlx::query(INSERT)
        .bind(run_id)
        .bind(&change.node)
        .bind(change.state)
        .bind(change.branch)
        .bind(i64::from(change.is_try))
        .bind(change.due_at.map(Timestamp::as_millisecond))
        .bind(change.output.as_ref().map(Pii::expose))
        .bind(&change.error_code)
        .bind(&change.effect_id)
        .bind(has_begun.then(|| now.as_millisecond()))
        .bind(now.as_millisecond())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
