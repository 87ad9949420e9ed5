//! Committing what an agent said, and taking it back while it is still unsent.

use std::collections::BTreeMap;

use sqlx::{Sqlite, Transaction};
use trunkline_core::Pii;

use crate::memory::remember;
use crate::store::{new_id, now_ms};
use crate::{Store, StoreError};

/// Why something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyKind {
    /// An agent's answer. May be superseded while it is unsent.
    Answer,
    /// What somebody outside of the gateway had us say. Never superseded: only they know whether it still holds.
    Command,
    /// What a person hears when a turn was given up. Never superseded: it is said once.
    Apology,
}

impl ReplyKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Command => "command",
            Self::Apology => "apology",
        }
    }
}

/// What a turn came to.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Our name for the conversation.
    pub conversation_id: String,
    /// The messages that it answers, by our names.
    pub answers: Vec<String>,
    /// What to say; empty says nothing, and the messages count as answered.
    pub body: Pii<String>,
    /// Who speaks.
    pub author: String,
    /// Why.
    pub kind: ReplyKind,
    /// What to remember.
    pub memories: BTreeMap<String, String>,
    /// The trace of the turn.
    pub traceparent: Option<String>,
}

impl Store {
    /// Commits a reply, the messages that it answers, what is remembered, and the outbox row, all or nothing.
    /// Returns the id of the outbox row, or `None` if there is nothing to say.
    ///
    /// # Errors
    /// `store.already_answered` if one of the messages is not waiting any more; `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been committed; committing it again is refused.
    pub async fn commit_reply(&self, reply: &Reply) -> Result<Option<String>, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let now = now_ms();
        let outbox_id = (!reply.body.expose().is_empty()).then(new_id);
        for message_id in &reply.answers {
            let marked = sqlx::query(
                "UPDATE message SET answer = 'answered', answered_by = $3, updated_at = $4
                 WHERE id = $1 AND conversation_id = $2 AND answer = 'waiting'",
            )
            .bind(message_id)
            .bind(&reply.conversation_id)
            .bind(&outbox_id)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
            if marked.rows_affected() != 1 {
                return Err(StoreError::AlreadyAnswered);
            }
        }
        remember(&mut transaction, &reply.conversation_id, &reply.memories).await?;
        if let Some(outbox_id) = &outbox_id {
            say(&mut transaction, reply, outbox_id, now).await?;
        }
        sqlx::query("UPDATE conversation SET updated_at = $2 WHERE id = $1")
            .bind(&reply.conversation_id)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(outbox_id)
    }

    /// Takes back the answers of a conversation that nobody has begun to send. The messages that they answered wait
    /// again. Returns how many answers were taken back.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been done; doing it again is harmless.
    pub async fn supersede(&self, conversation_id: &str) -> Result<usize, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let now = now_ms();
        let taken: Vec<String> = sqlx::query_scalar(
            "UPDATE outbox SET state = 'superseded', updated_at = $2
             WHERE conversation_id = $1 AND state = 'pending' AND kind = 'answer' AND attempts = 0 RETURNING id",
        )
        .bind(conversation_id)
        .bind(now)
        .fetch_all(&mut *transaction)
        .await?;
        for outbox_id in &taken {
            sqlx::query("DELETE FROM message WHERE outbox_id = $1").bind(outbox_id).execute(&mut *transaction).await?;
            sqlx::query(
                "UPDATE message SET answer = 'waiting', answered_by = NULL, updated_at = $2 WHERE answered_by = $1",
            )
            .bind(outbox_id)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(taken.len())
    }
}

pub(crate) async fn say(
    transaction: &mut Transaction<'_, Sqlite>,
    reply: &Reply,
    outbox_id: &str,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO outbox (id, conversation_id, kind, body, state, attempts, traceparent, created_at, updated_at)
         VALUES ($1, $2, $3, $4, 'pending', 0, $5, $6, $6)",
    )
    .bind(outbox_id)
    .bind(&reply.conversation_id)
    .bind(reply.kind.as_str())
    .bind(reply.body.expose())
    .bind(&reply.traceparent)
    .bind(now)
    .execute(&mut **transaction)
    .await?;
    sqlx::query(
        "INSERT INTO message (id, conversation_id, direction, author, body, media, status, status_rank, outbox_id,
                              traceparent, created_at, updated_at, place)
         VALUES ($1, $2, 'out', $3, $4, '[]', 'queued', 0, $5, $6, $7, $7,
                 (SELECT COALESCE(max(place), -1) + 1 FROM message WHERE conversation_id = $2))",
    )
    .bind(new_id())
    .bind(&reply.conversation_id)
    .bind(&reply.author)
    .bind(reply.body.expose())
    .bind(outbox_id)
    .bind(&reply.traceparent)
    .bind(now)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
