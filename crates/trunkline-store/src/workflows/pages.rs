//! Lists of runs, and how many there are.

use sqlx::FromRow;

use super::{RUN, Row, RunRow, run};
use crate::{Store, StoreError};

/// How many runs of a workflow are in a state.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct RunCounts {
    /// The workflow.
    pub workflow: String,
    /// As in [`RunRow`].
    pub state: String,
    /// How many.
    pub runs: i64,
}

impl Store {
    /// The latest runs, of one workflow or all, in one state or any: at most `limit`, before the cursor
    /// `(created_at ms, id)`.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn latest_runs(
        &self,
        (workflow, state): (Option<&str>, Option<&str>),
        limit: u32,
        before: Option<(i64, &str)>,
    ) -> Result<Vec<RunRow>, StoreError> {
        let (at, id) = before.unwrap_or((i64::MAX, ""));
        // One condition for each that is wanted, so that an index answers.
        let of_workflow = if workflow.is_some() { "workflow = $4" } else { "$4 IS NULL" };
        let in_state = if state.is_some() { "state = $5" } else { "$5 IS NULL" };
        let sql = format!(
            "{RUN} WHERE {of_workflow} AND {in_state} AND (created_at < $1 OR (created_at = $1 AND id < $2))
             ORDER BY created_at DESC, id DESC LIMIT $3"
        );
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(at)
            .bind(id)
            .bind(i64::from(limit))
            .bind(workflow)
            .bind(state)
            .fetch_all(&self.reader)
            .await?;
        rows.into_iter().map(run).collect()
    }

    /// How many runs there are, by workflow and state.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn run_counts(&self) -> Result<Vec<RunCounts>, StoreError> {
        Ok(sqlx::query_as("SELECT workflow, state, count(*) AS runs FROM workflow_run GROUP BY workflow, state")
            .fetch_all(&self.reader)
            .await?)
    }

    /// How many runs have failed and wait for an operator.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn failed_run_count(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar("SELECT count(*) FROM workflow_run WHERE state = 'failed'")
            .fetch_one(&self.reader)
            .await?)
    }
}
