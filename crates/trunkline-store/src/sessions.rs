//! Messaging sessions: which agent talks in a conversation, since when, and until when.
//!
//! A session is all here, so that whoever comes after a restart goes on with it.

use jiff::Timestamp;
use sqlx::{FromRow, Sqlite, Transaction};
use trunkline_core::event::DeliveryStatus;

use crate::messages::rank;
use crate::store::{new_id, now_ms, timestamp};
use crate::{Store, StoreError, scheduled};

/// The code of an answer that was not sent any more.
const CLOSED: &str = "conversation_closed";

/// An agent in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Our name for it.
    pub id: String,
    /// The agent.
    pub agent: String,
    /// Whether it goes on.
    pub is_active: bool,
    /// When it began.
    pub started_at: Timestamp,
    /// When something last happened in it.
    pub last_activity_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct Row {
    id: String,
    agent: String,
    state: String,
    started_at: i64,
    last_activity_at: i64,
    closed_at: Option<i64>,
}

impl Store {
    /// Goes on with the session of a conversation, or begins one, with this agent.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been begun; going on with it is harmless.
    pub async fn open_session(&self, conversation_id: &str, agent: &str) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO messaging_session (id, conversation_id, agent, state, started_at, last_activity_at)
             VALUES ($1, $2, $3, 'active', $4, $4)
             ON CONFLICT (conversation_id) WHERE state = 'active'
             DO UPDATE SET agent = excluded.agent, last_activity_at = excluded.last_activity_at",
        )
        .bind(new_id())
        .bind(conversation_id)
        .bind(agent)
        .bind(now_ms())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// The latest session of a conversation.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn session(&self, conversation_id: &str) -> Result<Option<SessionRow>, StoreError> {
        let sql = "SELECT s.id, s.agent, s.state, s.started_at, s.closed_at,
                          CASE WHEN s.state = 'active' AND c.updated_at > s.last_activity_at
                              THEN c.updated_at ELSE s.last_activity_at END AS last_activity_at
                   FROM messaging_session s JOIN conversation c ON c.id = s.conversation_id
                   WHERE s.conversation_id = $1 ORDER BY s.started_at DESC, s.id DESC LIMIT 1";
        let row: Option<Row> = sqlx::query_as(sql).bind(conversation_id).fetch_optional(&self.reader).await?;
        row.map(session).transpose()
    }
}

/// Ends what goes on in a conversation that was closed: its session, texts that wait, also for their time, answers that
/// surely were not sent.
pub(crate) async fn end(
    transaction: &mut Transaction<'_, Sqlite>,
    conversation_id: &str,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE messaging_session SET state = 'closed', closed_at = $2, last_activity_at = $2
         WHERE conversation_id = $1 AND state = 'active'",
    )
    .bind(conversation_id)
    .bind(now)
    .execute(&mut **transaction)
    .await?;
    sqlx::query(
        "UPDATE message SET answer = 'history', updated_at = $2 WHERE conversation_id = $1 AND answer = 'waiting'",
    )
    .bind(conversation_id)
    .bind(now)
    .execute(&mut **transaction)
    .await?;
    let unsent: Vec<String> =
        sqlx::query_scalar("SELECT id FROM outbox WHERE conversation_id = $1 AND state = 'pending'")
            .bind(conversation_id)
            .fetch_all(&mut **transaction)
            .await?;
    for outbox_id in unsent {
        give_up(transaction, &outbox_id, now).await?;
    }
    scheduled::take_back(transaction, conversation_id, "closed").await
}

/// Settles a row that is not sent any more, because its conversation was closed.
pub(crate) async fn give_up(
    transaction: &mut Transaction<'_, Sqlite>,
    outbox_id: &str,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE outbox SET state = 'failed', error_code = $3, updated_at = $2 WHERE id = $1")
        .bind(outbox_id)
        .bind(now)
        .bind(CLOSED)
        .execute(&mut **transaction)
        .await?;
    sqlx::query(
        "UPDATE message SET status = 'failed', status_rank = $4, error_code = $3, updated_at = $2
         WHERE outbox_id = $1",
    )
    .bind(outbox_id)
    .bind(now)
    .bind(CLOSED)
    .bind(rank(DeliveryStatus::Failed))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

fn session(row: Row) -> Result<SessionRow, StoreError> {
    Ok(SessionRow {
        id: row.id,
        agent: row.agent,
        is_active: row.state == "active",
        started_at: timestamp(row.started_at, "messaging_session.started_at")?,
        last_activity_at: timestamp(row.last_activity_at, "messaging_session.last_activity_at")?,
        closed_at: row.closed_at.map(|at| timestamp(at, "messaging_session.closed_at")).transpose()?,
    })
}
