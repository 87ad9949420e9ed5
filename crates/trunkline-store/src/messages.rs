//! Reading messages back, and how far ours have come.

use jiff::Timestamp;
use sqlx::FromRow;
use trunkline_core::Pii;
use trunkline_core::event::{DeliveryStatus, MediaRef};

use crate::store::{now_ms, timestamp};
use crate::{ConversationRow, Store, StoreError};

/// Who spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The person.
    In,
    /// We.
    Out,
}

impl Direction {
    /// `in` or `out`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRow {
    /// Our name for it.
    pub id: String,
    /// Who spoke.
    pub direction: Direction,
    /// The connector's name, once it has one.
    pub external_id: Option<String>,
    /// The row of the outbox that says it, of a message of ours.
    pub outbox_id: Option<String>,
    /// Place in the conversation, once it has one.
    pub index: Option<i64>,
    /// Who wrote it.
    pub author: Pii<String>,
    /// The text.
    pub body: Pii<String>,
    /// Files sent along.
    pub media: Vec<MediaRef>,
    /// How far it has come: `received`, `queued`, or a delivery status.
    pub status: String,
    /// Why it failed, if it did.
    pub error_code: Option<String>,
    /// The trace that it came with.
    pub traceparent: Option<String>,
    /// How often an operator has had it treated again.
    pub replays: u32,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it got other words, if it did.
    pub edited_at: Option<Timestamp>,
    /// When it was taken away, if it was; then it has no words any more.
    pub removed_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct Row {
    id: String,
    direction: String,
    external_id: Option<String>,
    outbox_id: Option<String>,
    position: Option<i64>,
    author: String,
    body: String,
    media: String,
    status: String,
    error_code: Option<String>,
    traceparent: Option<String>,
    replays: i64,
    created_at: i64,
    edited_at: Option<i64>,
    removed_at: Option<i64>,
}

const COLUMNS: &str =
    "id, direction, external_id, outbox_id, position, author, body, media, status, error_code, traceparent, replays,
     created_at, edited_at, removed_at";

impl Store {
    /// What we have said to the address of a conversation by another way since then, oldest first, the latest `limit`: a
    /// workflow may have written to somebody who answers in a conversation of its own.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn said_by_another_way(
        &self,
        conversation: &ConversationRow,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<(Timestamp, Pii<String>)>, StoreError> {
        let rows: Vec<(i64, String)> = sqlx::query_as(
            "SELECT m.created_at, m.body FROM conversation c JOIN message m ON m.conversation_id = c.id
             WHERE c.contact_id = $1 AND c.address = $2 AND c.id <> $3 AND c.connector <> $4
               AND m.direction = 'out' AND m.status <> 'failed' AND m.removed_at IS NULL AND m.created_at >= $5
             ORDER BY m.created_at DESC LIMIT $6",
        )
        .bind(&conversation.contact_id)
        .bind(&conversation.address)
        .bind(&conversation.id)
        .bind(&conversation.connector)
        .bind(since.as_millisecond())
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter().rev().map(|(at, body)| Ok((timestamp(at, "message.created_at")?, Pii::new(body)))).collect()
    }

    /// The messages of a conversation that wait for an answer, in order.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn waiting(&self, conversation_id: &str, limit: u32) -> Result<Vec<MessageRow>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM message WHERE conversation_id = $1 AND answer = 'waiting' ORDER BY position, id LIMIT $2"
        );
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(conversation_id)
            .bind(i64::from(limit))
            .fetch_all(&self.reader)
            .await?;
        rows.into_iter().map(message).collect()
    }

    /// The latest messages of a conversation, oldest first: at most `limit`, before the message `before`.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn messages(
        &self,
        conversation_id: &str,
        limit: u32,
        before: Option<&str>,
    ) -> Result<Vec<MessageRow>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM message
             WHERE conversation_id = $1
               AND ($2 IS NULL OR (place, id) < (SELECT place, id FROM message WHERE id = $2))
             ORDER BY place DESC, id DESC LIMIT $3"
        );
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(conversation_id)
            .bind(before)
            .bind(i64::from(limit))
            .fetch_all(&self.reader)
            .await?;
        rows.into_iter().rev().map(message).collect()
    }

    /// Whether a message is recorded.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn is_recorded(&self, connector: &str, external_id: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM message m JOIN conversation c ON c.id = m.conversation_id
                   WHERE m.external_id = $1 AND c.connector = $2 LIMIT 1";
        let found: Option<i64> =
            sqlx::query_scalar(sql).bind(external_id).bind(connector).fetch_optional(&self.reader).await?;
        Ok(found.is_some())
    }

    /// Moves the status of a message of ours forward; a receipt that arrives late changes nothing. Returns our name
    /// for the conversation, or `None` if no message of that name is known (yet).
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been moved; moving it again is harmless.
    pub async fn advance_status(
        &self,
        external_id: &str,
        status: DeliveryStatus,
        error: Option<u32>,
    ) -> Result<Option<String>, StoreError> {
        let moved = "UPDATE message SET status = $2, status_rank = $3, error_code = $4, updated_at = $5
                     WHERE external_id = $1 AND direction = 'out' AND status_rank < $3 RETURNING conversation_id";
        let moved: Option<String> = sqlx::query_scalar(moved)
            .bind(external_id)
            .bind(status.as_str())
            .bind(rank(status))
            .bind(error.filter(|code| *code != 0).map(|code| code.to_string()))
            .bind(now_ms())
            .fetch_optional(&self.writer)
            .await?;
        if moved.is_some() {
            return Ok(moved);
        }
        let known = "SELECT conversation_id FROM message WHERE external_id = $1 AND direction = 'out'";
        Ok(sqlx::query_scalar(known).bind(external_id).fetch_optional(&self.reader).await?)
    }
}

/// A queued message has rank 0; the order is that of [`DeliveryStatus`].
pub(crate) const fn rank(status: DeliveryStatus) -> i64 {
    match status {
        DeliveryStatus::Created => 1,
        DeliveryStatus::Sent => 2,
        DeliveryStatus::Undelivered => 3,
        DeliveryStatus::Failed => 4,
        DeliveryStatus::Delivered => 5,
        DeliveryStatus::Read => 6,
    }
}

fn message(row: Row) -> Result<MessageRow, StoreError> {
    let direction = match row.direction.as_str() {
        "in" => Direction::In,
        "out" => Direction::Out,
        _ => return Err(StoreError::Unreadable { column: "message.direction" }),
    };
    Ok(MessageRow {
        id: row.id,
        direction,
        external_id: row.external_id,
        outbox_id: row.outbox_id,
        index: row.position,
        author: Pii::new(row.author),
        body: Pii::new(row.body),
        media: serde_json::from_str(&row.media).map_err(|_| StoreError::Unreadable { column: "message.media" })?,
        status: row.status,
        error_code: row.error_code,
        traceparent: row.traceparent,
        replays: u32::try_from(row.replays).map_err(|_| StoreError::Unreadable { column: "message.replays" })?,
        created_at: timestamp(row.created_at, "message.created_at")?,
        edited_at: row.edited_at.map(|at| timestamp(at, "message.edited_at")).transpose()?,
        removed_at: row.removed_at.map(|at| timestamp(at, "message.removed_at")).transpose()?,
    })
}
