//! What was said in conversations before their latest messages, in short.
//!
//! A summary says up to which message it goes. One whose messages were changed or taken away is forgotten, and made
//! anew of what stands there now.

use jiff::Timestamp;
use sqlx::{FromRow, Sqlite, Transaction};
use trunkline_core::Pii;

use crate::store::{now_ms, timestamp};
use crate::{Direction, Store, StoreError};

/// A summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryRow {
    /// Our name for the conversation.
    pub conversation_id: String,
    /// Its channel, as a lower-case word.
    pub channel: String,
    /// What was said.
    pub text: Pii<String>,
    /// Every message up to this place is in it.
    pub upto: i64,
    /// A model's name, or `selection`.
    pub made_by: String,
    /// When it was made.
    pub updated_at: Timestamp,
}

/// A message that is in no summary yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsummarisedRow {
    /// Its place in the conversation.
    pub place: i64,
    /// Who said it.
    pub direction: Direction,
    /// What; nothing if it was taken away or could not be delivered.
    pub text: Pii<String>,
}

#[derive(FromRow)]
struct Row {
    conversation_id: String,
    channel: String,
    summary: String,
    upto: i64,
    made_by: String,
    updated_at: i64,
}

const COLUMNS: &str = "SELECT s.conversation_id, c.channel, s.summary, s.upto, s.made_by, s.updated_at
     FROM conversation_summary s JOIN conversation c ON c.id = s.conversation_id";

impl Store {
    /// The summary of a conversation, if it has one.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn summary_of_conversation(&self, conversation_id: &str) -> Result<Option<SummaryRow>, StoreError> {
        let sql = format!("{COLUMNS} WHERE s.conversation_id = $1");
        let found: Option<Row> =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(conversation_id).fetch_optional(&self.reader).await?;
        found.map(row).transpose()
    }

    /// The summaries of a person's conversations, the latest first, at most `limit`.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn summaries_of(&self, contact_id: &str, limit: u32) -> Result<Vec<SummaryRow>, StoreError> {
        let sql =
            format!("{COLUMNS} WHERE c.contact_id = $1 ORDER BY s.updated_at DESC, s.conversation_id DESC LIMIT $2");
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(contact_id)
            .bind(i64::from(limit))
            .fetch_all(&self.reader)
            .await?;
        rows.into_iter().map(row).collect()
    }

    /// The messages of a conversation that are in no summary, the oldest first: those behind place `upto`, at most
    /// `limit`.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn unsummarised(
        &self,
        conversation_id: &str,
        upto: Option<i64>,
        limit: u32,
    ) -> Result<Vec<UnsummarisedRow>, StoreError> {
        let rows: Vec<(i64, String, String)> = sqlx::query_as(
            "SELECT place, direction, CASE WHEN removed_at IS NULL AND status <> 'failed' THEN body ELSE '' END
             FROM message WHERE conversation_id = $1 AND place > $2 ORDER BY place, id LIMIT $3",
        )
        .bind(conversation_id)
        .bind(upto.unwrap_or(-1))
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?;
        let read = |(place, direction, text): (i64, String, String)| {
            let direction = match direction.as_str() {
                "in" => Direction::In,
                "out" => Direction::Out,
                _ => return Err(StoreError::Unreadable { column: "message.direction" }),
            };
            Ok(UnsummarisedRow { place, direction, text: Pii::new(text) })
        };
        rows.into_iter().map(read).collect()
    }

    /// Conversations that were closed since `since` and have messages in no summary, the latest first, at most `limit`: of
    /// those without a summary, the ones of more than `longer_than` messages.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn closed_unsummarised(
        &self,
        since: Timestamp,
        longer_than: u32,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let ids = sqlx::query_scalar(
            "SELECT c.id FROM conversation c LEFT JOIN conversation_summary s ON s.conversation_id = c.id
             WHERE c.updated_at >= $1 AND c.state = 'closed' AND c.closed_at >= $1
               AND EXISTS (SELECT 1 FROM message m WHERE m.conversation_id = c.id AND m.place > COALESCE(s.upto, -1))
               AND (s.upto IS NOT NULL
                    OR EXISTS (SELECT 1 FROM message m WHERE m.conversation_id = c.id LIMIT 1 OFFSET $2))
             ORDER BY c.updated_at DESC, c.id DESC LIMIT $3",
        )
        .bind(since.as_millisecond())
        .bind(i64::from(longer_than))
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?;
        Ok(ids)
    }

    /// Keeps a summary in the place of the one that went up to `before`, unless that one is not there any more, or one of
    /// its messages has changed since `read_at`. Returns whether it was kept.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been kept.
    pub async fn keep_summary(
        &self,
        conversation_id: &str,
        before: Option<i64>,
        upto: i64,
        (text, made_by): (&Pii<String>, &str),
        read_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let changed: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM message WHERE conversation_id = $1 AND place <= $2 AND updated_at >= $3
               AND (edited_at IS NOT NULL OR removed_at IS NOT NULL) LIMIT 1",
        )
        .bind(conversation_id)
        .bind(upto)
        .bind(read_at.as_millisecond())
        .fetch_optional(&mut *transaction)
        .await?;
        if changed.is_some() {
            return Ok(false);
        }
        let sql = match before {
            // Of a conversation that was erased meanwhile nothing is kept.
            None => {
                "INSERT INTO conversation_summary (conversation_id, summary, upto, made_by, updated_at)
                 SELECT id, $2, $3, $4, $5 FROM conversation WHERE id = $1 AND $6 = -1
                 ON CONFLICT (conversation_id) DO NOTHING"
            }
            Some(_) => {
                "UPDATE conversation_summary SET summary = $2, upto = $3, made_by = $4, updated_at = $5
                 WHERE conversation_id = $1 AND upto = $6"
            }
        };
        let kept = sqlx::query(sql)
            .bind(conversation_id)
            .bind(text.expose())
            .bind(upto)
            .bind(made_by)
            .bind(now_ms())
            .bind(before.unwrap_or(-1))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(kept.rows_affected() > 0)
    }
}

/// Forgets the summary that a message is in: it has other words now, or none.
pub(crate) async fn forget_of_message(
    transaction: &mut Transaction<'_, Sqlite>,
    message_id: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM conversation_summary WHERE EXISTS (
             SELECT 1 FROM message m WHERE m.id = $1 AND m.conversation_id = conversation_summary.conversation_id
                                       AND m.place <= conversation_summary.upto)",
    )
    .bind(message_id)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

fn row(row: Row) -> Result<SummaryRow, StoreError> {
    Ok(SummaryRow {
        conversation_id: row.conversation_id,
        channel: row.channel,
        text: Pii::new(row.summary),
        upto: row.upto,
        made_by: row.made_by,
        updated_at: timestamp(row.updated_at, "conversation_summary.updated_at")?,
    })
}
