//! What is to be said, and what became of it.

use jiff::Timestamp;
use sqlx::FromRow;
use trunkline_core::Pii;
use trunkline_core::event::DeliveryStatus;

use crate::conversations::advance_read_index;
use crate::messages::rank;
use crate::store::now_ms;
use crate::{Content, Store, StoreError, sessions};

/// Something to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its id: the message carries it, and the bus knows the command by it.
    pub id: String,
    /// Our name for the conversation.
    pub conversation_id: String,
    /// The connector that reaches it.
    pub connector: String,
    /// The connector's name for the conversation.
    pub conversation: String,
    /// The channel of the conversation.
    pub channel: String,
    /// Why it is said: `answer`, `command`, `apology`, `keyword` or `template`.
    pub kind: String,
    /// What to say.
    pub body: Pii<String>,
    /// The template that says it, if one does.
    pub content: Option<Content>,
    /// The hash of the file that is sent along, if one is.
    pub media: Option<String>,
    /// How often sending it was begun.
    pub attempts: i64,
    /// Every message up to this index was known when sending was first begun; ours, if it was made, stands behind it.
    pub claimed_after: Option<i64>,
    /// The trace of the turn.
    pub traceparent: Option<String>,
}

/// Who may send a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// You: nobody has tried, or the last try surely had no effect.
    Yours(OutboxRow),
    /// It was begun and its outcome is not known, or the provider has told of its message meanwhile. Look there before
    /// trying again.
    Unknown(OutboxRow),
    /// Not yet: something that was committed before it in the same conversation is not settled.
    Behind,
    /// Nobody: it was sent, it failed for good, or it was superseded.
    Settled,
}

/// What the provider made of a message that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The provider's name for the message.
    pub external_id: String,
    /// Its place in the conversation.
    pub index: u64,
}

#[derive(FromRow)]
struct Row {
    id: String,
    conversation_id: String,
    connector: String,
    external_id: String,
    channel: String,
    kind: String,
    body: String,
    content_sid: Option<String>,
    content_variables: Option<String>,
    media_hash: Option<String>,
    state: String,
    attempts: i64,
    claimed_after: Option<i64>,
    traceparent: Option<String>,
    conversation_state: String,
    is_told: bool,
}

const SELECT: &str = "
SELECT o.id, o.conversation_id, c.connector, c.external_id, c.channel, o.kind, o.body, o.content_sid,
       o.content_variables, o.media_hash, o.state, o.attempts, o.claimed_after, o.traceparent,
       c.state AS conversation_state,
       EXISTS (SELECT 1 FROM message m WHERE m.outbox_id = o.id AND m.external_id IS NOT NULL) AS is_told
FROM outbox o JOIN conversation c ON c.id = o.conversation_id";

impl Store {
    /// Rows that are not settled, in order: at most `limit`, after `seq`, created before `before`. With their `seq`.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn open_outbox(
        &self,
        after: i64,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<(i64, OutboxRow)>, StoreError> {
        let sql = "SELECT o.seq FROM outbox o WHERE o.state IN ('pending', 'sending') AND o.seq > $1
                   AND o.created_at < $2 ORDER BY o.seq LIMIT $3";
        let seqs: Vec<i64> = sqlx::query_scalar(sql)
            .bind(after)
            .bind(before.as_millisecond())
            .bind(i64::from(limit))
            .fetch_all(&self.reader)
            .await?;
        let mut rows = Vec::with_capacity(seqs.len());
        for seq in seqs {
            let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} WHERE o.seq = $1")))
                .bind(seq)
                .fetch_optional(&self.reader)
                .await?;
            if let Some(row) = row {
                rows.push((seq, outbox_row(row)));
            }
        }
        Ok(rows)
    }

    /// One row, whatever its state.
    ///
    /// # Errors
    /// `store.not_found`, `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn outbox_row(&self, id: &str) -> Result<OutboxRow, StoreError> {
        let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} WHERE o.id = $1")))
            .bind(id)
            .fetch_optional(&self.reader)
            .await?;
        row.map(outbox_row).ok_or(StoreError::NotFound { what: "outbox row" })
    }

    /// Asks for the right to send a row: moves it from pending to sending. In a conversation that was closed nothing is
    /// sent any more: the row fails.
    ///
    /// # Errors
    /// `store.not_found`, `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// It may have been claimed; the next claim then says that its outcome is unknown, which is harmless.
    pub async fn claim(&self, id: &str) -> Result<Claim, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} WHERE o.id = $1")))
            .bind(id)
            .fetch_optional(&mut *transaction)
            .await?;
        let row = row.ok_or(StoreError::NotFound { what: "outbox row" })?;
        let (state, is_over, is_told) = (row.state.clone(), row.conversation_state == "closed", row.is_told);
        let mut row = outbox_row(row);
        match state.as_str() {
            "pending" if is_told => return Ok(Claim::Unknown(row)),
            "pending" if is_over => {
                sessions::give_up(&mut transaction, id, now_ms()).await?;
                transaction.commit().await?;
                return Ok(Claim::Settled);
            }
            "pending" => {}
            "sending" => return Ok(Claim::Unknown(row)),
            _ => return Ok(Claim::Settled),
        }
        let earlier: Option<i64> = sqlx::query_scalar(
            "SELECT o.seq FROM outbox o JOIN outbox this ON this.id = $1
             WHERE o.conversation_id = this.conversation_id AND o.seq < this.seq AND o.state IN ('pending', 'sending')
             LIMIT 1",
        )
        .bind(id)
        .fetch_optional(&mut *transaction)
        .await?;
        if earlier.is_some() {
            return Ok(Claim::Behind);
        }
        let claimed_after: i64 = sqlx::query_scalar(
            "UPDATE outbox SET state = 'sending', attempts = attempts + 1, updated_at = $2,
                    claimed_at = COALESCE(claimed_at, $2),
                    claimed_after = COALESCE(claimed_after, (SELECT read_index FROM conversation
                                                             WHERE conversation.id = outbox.conversation_id))
             WHERE id = $1 RETURNING claimed_after",
        )
        .bind(id)
        .bind(now_ms())
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        row.attempts += 1;
        row.claimed_after = Some(claimed_after);
        Ok(Claim::Yours(row))
    }

    /// Gives the right to send back: the try surely had no effect.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been given back; giving it back again is harmless.
    pub async fn release(&self, id: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE outbox SET state = 'pending', updated_at = $2 WHERE id = $1 AND state = 'sending'")
            .bind(id)
            .bind(now_ms())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Settles a row as sent.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been settled; settling it again is harmless.
    pub async fn mark_sent(&self, row: &OutboxRow, sent: &Sent) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await?;
        let now = now_ms();
        let position = i64::try_from(sent.index).unwrap_or(i64::MAX);
        sqlx::query("UPDATE outbox SET state = 'sent', external_id = $2, updated_at = $3 WHERE id = $1")
            .bind(&row.id)
            .bind(&sent.external_id)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "UPDATE message SET external_id = $2, position = $3, place = $3 * 2, updated_at = $6,
                    status = CASE WHEN status_rank < $5 THEN $4 ELSE status END,
                    status_rank = CASE WHEN status_rank < $5 THEN $5 ELSE status_rank END
             WHERE outbox_id = $1",
        )
        .bind(&row.id)
        .bind(&sent.external_id)
        .bind(position)
        .bind(DeliveryStatus::Created.as_str())
        .bind(rank(DeliveryStatus::Created))
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        let read_index: i64 =
            sqlx::query_scalar("UPDATE conversation SET updated_at = $2 WHERE id = $1 RETURNING read_index")
                .bind(&row.conversation_id)
                .bind(now)
                .fetch_one(&mut *transaction)
                .await?;
        if position == read_index + 1 {
            advance_read_index(&mut transaction, &row.conversation_id, read_index).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Settles a row as failed for good, and with it what comes behind it in the same answer.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been settled; settling it again is harmless.
    pub async fn mark_failed(&self, row: &OutboxRow, error_code: &str) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await?;
        let now = now_ms();
        let failed: Vec<String> = sqlx::query_scalar(
            "UPDATE outbox SET state = 'failed', error_code = $2, updated_at = $3
             WHERE id = $1 OR (state = 'pending' AND group_id = (SELECT group_id FROM outbox WHERE id = $1))
             RETURNING id",
        )
        .bind(&row.id)
        .bind(error_code)
        .bind(now)
        .fetch_all(&mut *transaction)
        .await?;
        for id in failed {
            sqlx::query("UPDATE message SET status = 'failed', status_rank = $3, error_code = $2, updated_at = $4 WHERE outbox_id = $1")
                .bind(id)
                .bind(error_code)
                .bind(rank(DeliveryStatus::Failed))
                .bind(now)
                .execute(&mut *transaction)
                .await?;
        }
        sqlx::query("UPDATE conversation SET updated_at = $2 WHERE id = $1")
            .bind(&row.conversation_id)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}

fn outbox_row(row: Row) -> OutboxRow {
    let variables =
        row.content_variables.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    OutboxRow {
        id: row.id,
        conversation_id: row.conversation_id,
        connector: row.connector,
        conversation: row.external_id,
        channel: row.channel,
        kind: row.kind,
        body: Pii::new(row.body),
        content: row.content_sid.map(|sid| Content { sid, variables: Pii::new(variables) }),
        media: row.media_hash,
        attempts: row.attempts,
        claimed_after: row.claimed_after,
        traceparent: row.traceparent,
    }
}
