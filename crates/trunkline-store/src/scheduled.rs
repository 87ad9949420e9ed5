//! Texts that agents have promised for later.
//!
//! One goes from `waiting` to `sending` to `sent`, or to `cancelled`. Its id is that of its row in the outbox: whoever
//! finds it in `sending` after a crash makes that row again, and it is one row.

use jiff::Timestamp;
use sqlx::{FromRow, Sqlite, Transaction};
use trunkline_core::Pii;

use crate::store::{now_ms, timestamp};
use crate::{Store, StoreError};

/// Texts that may wait for one person.
pub const MAX_SCHEDULED: u32 = 20;
/// Texts of one conversation that are told at once.
const MAX_TOLD: i64 = 200;
/// The same words for the same time are the same promise, also if a turn was redone a moment later.
const SAME_MS: i64 = 60_000;

/// A text to send later.
#[derive(Debug, Clone)]
pub struct NewScheduled {
    /// Its id, and that of its row in the outbox; the same for the same wish.
    pub id: String,
    /// Our name for the conversation.
    pub conversation_id: String,
    /// What to say.
    pub body: Pii<String>,
    /// When.
    pub due_at: Timestamp,
    /// The trace that it belongs to.
    pub traceparent: Option<String>,
}

/// What became of a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheduling {
    /// It waits, under this id: its own, or that of the same words for the same time.
    Waits(String),
    /// It was kept before, and is a message by now, or about to be one.
    Sent,
    /// It was kept before, and was taken back.
    TakenBack,
    /// As many wait for the person as may.
    Full,
}

/// A text that was promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledRow {
    /// Its id, and that of its row in the outbox.
    pub id: String,
    /// Our name for the conversation.
    pub conversation_id: String,
    /// What to say.
    pub body: Pii<String>,
    /// When.
    pub due_at: Timestamp,
    /// `waiting`, `sending`, `sent` or `cancelled`.
    pub state: String,
    /// Why it was cancelled: `agent`, `operator`, `opted_out`, `closed` or `unsendable`.
    pub reason: Option<String>,
    /// The trace that it belongs to.
    pub traceparent: Option<String>,
    /// When it was promised.
    pub created_at: Timestamp,
}

#[derive(FromRow)]
struct Row {
    id: String,
    conversation_id: String,
    body: String,
    due_at: i64,
    state: String,
    reason: Option<String>,
    traceparent: Option<String>,
    created_at: i64,
}

const COLUMNS: &str = "SELECT s.id, s.conversation_id, s.body, s.due_at, s.state, s.reason, s.traceparent, s.created_at
     FROM scheduled_text s";

impl Store {
    /// Keeps a text for later, once, unless [`MAX_SCHEDULED`] wait for the person already.
    ///
    /// # Errors
    /// `store.not_found` if there is no such conversation; `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been kept; keeping it again is harmless.
    pub async fn schedule_text(&self, new: &NewScheduled) -> Result<Scheduling, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let due = new.due_at.as_millisecond();
        let known: Option<(String, String)> = sqlx::query_as(
            "SELECT id, state FROM scheduled_text
             WHERE id = $1 OR (conversation_id = $2 AND body = $3 AND state = 'waiting' AND due_at BETWEEN $4 AND $5)
             ORDER BY CASE state WHEN 'waiting' THEN 0 ELSE 1 END LIMIT 1",
        )
        .bind(&new.id)
        .bind(&new.conversation_id)
        .bind(new.body.expose())
        .bind(due - SAME_MS)
        .bind(due + SAME_MS)
        .fetch_optional(&mut *transaction)
        .await?;
        if let Some((id, state)) = known {
            return Ok(match state.as_str() {
                "waiting" => Scheduling::Waits(id),
                "cancelled" => Scheduling::TakenBack,
                _ => Scheduling::Sent,
            });
        }
        let contact: Option<String> = sqlx::query_scalar("SELECT contact_id FROM conversation WHERE id = $1")
            .bind(&new.conversation_id)
            .fetch_optional(&mut *transaction)
            .await?;
        let contact = contact.ok_or(StoreError::NotFound { what: "conversation" })?;
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM scheduled_text s JOIN conversation c ON c.id = s.conversation_id
             WHERE c.contact_id = $1 AND s.state = 'waiting'",
        )
        .bind(contact)
        .fetch_one(&mut *transaction)
        .await?;
        if waiting >= i64::from(MAX_SCHEDULED) {
            return Ok(Scheduling::Full);
        }
        sqlx::query(
            "INSERT INTO scheduled_text (id, conversation_id, body, due_at, state, traceparent, created_at, updated_at)
             VALUES ($1, $2, $3, $4, 'waiting', $5, $6, $6)",
        )
        .bind(&new.id)
        .bind(&new.conversation_id)
        .bind(new.body.expose())
        .bind(due)
        .bind(&new.traceparent)
        .bind(now_ms())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Scheduling::Waits(new.id.clone()))
    }

    /// What waits for a person in any of their conversations, the next first.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn scheduled_for(&self, contact_id: &str) -> Result<Vec<ScheduledRow>, StoreError> {
        let sql = format!(
            "{COLUMNS} JOIN conversation c ON c.id = s.conversation_id
             WHERE c.contact_id = $1 AND s.state = 'waiting' ORDER BY s.due_at, s.id LIMIT $2"
        );
        let rows: Vec<Row> =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(contact_id).bind(MAX_TOLD).fetch_all(&self.reader).await?;
        rows.into_iter().map(row).collect()
    }

    /// The latest promises of a conversation, whatever became of them, in the order of their times.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn scheduled_in(&self, conversation_id: &str) -> Result<Vec<ScheduledRow>, StoreError> {
        let sql = format!("{COLUMNS} WHERE s.conversation_id = $1 ORDER BY s.due_at DESC, s.id DESC LIMIT $2");
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(conversation_id)
            .bind(MAX_TOLD)
            .fetch_all(&self.reader)
            .await?;
        rows.into_iter().rev().map(row).collect()
    }

    /// Takes a promise to a person back, if it still waits; in this conversation of theirs, or in any. Returns whether it
    /// was taken back by this call.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been taken back.
    pub async fn cancel_scheduled(&self, id: &str, contact_id: &str, reason: &str) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE scheduled_text SET state = 'cancelled', reason = $3, updated_at = $4
             WHERE id = $1 AND state = 'waiting'
               AND conversation_id IN (SELECT id FROM conversation WHERE contact_id = $2)",
        )
        .bind(id)
        .bind(contact_id)
        .bind(reason)
        .bind(now_ms())
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Promises whose time has come, and those that an earlier process was about to send; the oldest first.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn due_scheduled(&self, now: Timestamp, limit: u32) -> Result<Vec<ScheduledRow>, StoreError> {
        let sql = format!(
            "{COLUMNS} WHERE s.state IN ('waiting', 'sending') AND s.due_at <= $1 ORDER BY s.due_at, s.id LIMIT $2"
        );
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(now.as_millisecond())
            .bind(i64::from(limit))
            .fetch_all(&self.reader)
            .await?;
        rows.into_iter().map(row).collect()
    }

    /// When the next promise is due; `None` if none waits.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn next_scheduled(&self) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT min(due_at) FROM scheduled_text WHERE state IN ('waiting', 'sending')";
        let due: Option<i64> = sqlx::query_scalar(sql).fetch_one(&self.reader).await?;
        due.map(|due| timestamp(due, "scheduled_text.due_at")).transpose()
    }

    /// Notes that a promise is about to be sent: from now on it cannot be taken back. False if it was taken back.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been noted; noting it again is harmless.
    pub async fn begin_scheduled(&self, id: &str) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE scheduled_text SET state = 'sending', updated_at = $2
             WHERE id = $1 AND state IN ('waiting', 'sending')",
        )
        .bind(id)
        .bind(now_ms())
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Notes what became of a promise that was about to be sent: it is among the messages, or it is cancelled for this
    /// reason.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been noted; noting it again is harmless.
    pub async fn end_scheduled(&self, id: &str, cancelled: Option<&str>) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE scheduled_text SET state = $2, reason = $3, updated_at = $4
             WHERE id = $1 AND state IN ('waiting', 'sending')",
        )
        .bind(id)
        .bind(if cancelled.is_some() { "cancelled" } else { "sent" })
        .bind(cancelled)
        .bind(now_ms())
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}

/// Takes back what waits in a conversation: the person wants nothing more, or it is over.
pub(crate) async fn take_back(
    transaction: &mut Transaction<'_, Sqlite>,
    conversation_id: &str,
    reason: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE scheduled_text SET state = 'cancelled', reason = $2, updated_at = $3
         WHERE conversation_id = $1 AND state = 'waiting'",
    )
    .bind(conversation_id)
    .bind(reason)
    .bind(now_ms())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

fn row(row: Row) -> Result<ScheduledRow, StoreError> {
    Ok(ScheduledRow {
        id: row.id,
        conversation_id: row.conversation_id,
        body: Pii::new(row.body),
        due_at: timestamp(row.due_at, "scheduled_text.due_at")?,
        state: row.state,
        reason: row.reason,
        traceparent: row.traceparent,
        created_at: timestamp(row.created_at, "scheduled_text.created_at")?,
    })
}
