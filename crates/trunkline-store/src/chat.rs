//! What was said in web chats: there we are the platform, and this is its log. It knows visitors and their pages, and
//! nothing of turns and answers; the pipeline reads it through the connector, as it reads any provider.

use jiff::Timestamp;
use sqlx::{FromRow, Sqlite, Transaction};
use trunkline_core::Pii;

use crate::store::{now_ms, timestamp};
use crate::{Store, StoreError};

/// Who wrote a line of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatSide {
    /// The visitor, whose page named the message so.
    Visitor {
        /// Unique in its chat.
        client_id: String,
    },
    /// We did.
    Agent {
        /// The row of the outbox; unique.
        outbox_id: String,
    },
}

/// A line of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatLine {
    /// Place in the chat: 0, 1, 2, without a gap.
    pub index: u64,
    /// Who wrote it.
    pub side: ChatSide,
    /// What they wrote.
    pub text: Pii<String>,
    /// When it was added.
    pub at: Timestamp,
}

#[derive(FromRow)]
struct Row {
    position: i64,
    client_id: Option<String>,
    outbox_id: Option<String>,
    body: String,
    created_at: i64,
}

const LINE: &str = "SELECT position, client_id, outbox_id, body, created_at FROM chat_message";

impl Store {
    /// The chat whose visitor holds the token with this hash.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn chat_of_token(&self, token_hash: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT id FROM chat WHERE token_hash = $1";
        Ok(sqlx::query_scalar(sql).bind(token_hash).fetch_optional(&self.reader).await?)
    }

    /// Begins a chat. One that was begun before stays as it is.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been begun; beginning it again is harmless.
    pub async fn begin_chat(&self, chat: &str, token_hash: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO chat (id, token_hash, created_at, updated_at) VALUES ($1, $2, $3, $3)
                   ON CONFLICT (id) DO NOTHING";
        sqlx::query(sql).bind(chat).bind(token_hash).bind(now_ms()).execute(&self.writer).await?;
        Ok(())
    }

    /// Adds a line at the end of a chat, once: where the visitor's name for it, or the row of the outbox, is there
    /// already, nothing is added and the line as it stands is returned.
    ///
    /// # Errors
    /// `store.not_found` for a chat that was never begun, `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// It may have been added; adding it again is harmless.
    pub async fn add_chat_line(&self, chat: &str, side: &ChatSide, text: &Pii<String>) -> Result<ChatLine, StoreError> {
        let mut transaction = self.writer.begin().await?;
        if let Some(known) = known_line(&mut transaction, chat, side).await? {
            return line(known);
        }
        let now = now_ms();
        let touched = sqlx::query("UPDATE chat SET updated_at = $2 WHERE id = $1")
            .bind(chat)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        if touched.rows_affected() == 0 {
            return Err(StoreError::NotFound { what: "chat" });
        }
        let (client_id, outbox_id) = match side {
            ChatSide::Visitor { client_id } => (Some(client_id), None),
            ChatSide::Agent { outbox_id } => (None, Some(outbox_id)),
        };
        let position: i64 = sqlx::query_scalar(
            "INSERT INTO chat_message (chat_id, position, client_id, outbox_id, body, created_at)
             VALUES ($1, (SELECT COALESCE(max(position) + 1, 0) FROM chat_message WHERE chat_id = $1), $2, $3, $4, $5)
             RETURNING position",
        )
        .bind(chat)
        .bind(client_id)
        .bind(outbox_id)
        .bind(text.expose())
        .bind(now)
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        let at = timestamp(now, "chat_message.created_at")?;
        Ok(ChatLine { index: position.unsigned_abs(), side: side.clone(), text: text.clone(), at })
    }

    /// The line that carries `outbox_id`, if there is one.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn chat_line_of_outbox(&self, chat: &str, outbox_id: &str) -> Result<Option<ChatLine>, StoreError> {
        let side = ChatSide::Agent { outbox_id: outbox_id.to_owned() };
        // On the writing connection, behind whatever is being added now.
        let mut transaction = self.writer.begin().await?;
        known_line(&mut transaction, chat, &side).await?.map(line).transpose()
    }

    /// The lines of a chat behind index `after` (-1 for all), oldest first: the oldest `limit` of them.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn chat_lines_after(&self, chat: &str, after: i64, limit: u32) -> Result<Vec<ChatLine>, StoreError> {
        let sql = format!("{LINE} WHERE chat_id = $1 AND position > $2 ORDER BY position LIMIT $3");
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(chat)
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&self.reader)
            .await?;
        rows.into_iter().map(line).collect()
    }

    /// The lines of a chat behind index `after` (-1 for all), oldest first: the newest `limit` of them.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn latest_chat_lines(&self, chat: &str, after: i64, limit: u32) -> Result<Vec<ChatLine>, StoreError> {
        let sql = format!("{LINE} WHERE chat_id = $1 AND position > $2 ORDER BY position DESC LIMIT $3");
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(chat)
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&self.reader)
            .await?;
        rows.into_iter().rev().map(line).collect()
    }

    /// The chats in which something was said, the latest first: at most `limit`.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn latest_chats(&self, limit: u32) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT id FROM chat ORDER BY updated_at DESC, id DESC LIMIT $1";
        Ok(sqlx::query_scalar(sql).bind(i64::from(limit)).fetch_all(&self.reader).await?)
    }
}

async fn known_line(
    transaction: &mut Transaction<'_, Sqlite>,
    chat: &str,
    side: &ChatSide,
) -> Result<Option<Row>, StoreError> {
    let (column, name) = match side {
        ChatSide::Visitor { client_id } => ("client_id", client_id),
        ChatSide::Agent { outbox_id } => ("outbox_id", outbox_id),
    };
    let sql = format!("{LINE} WHERE chat_id = $1 AND {column} = $2");
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(chat).bind(name).fetch_optional(&mut **transaction).await?)
}

fn line(row: Row) -> Result<ChatLine, StoreError> {
    let side = match (row.client_id, row.outbox_id) {
        (Some(client_id), None) => ChatSide::Visitor { client_id },
        (None, Some(outbox_id)) => ChatSide::Agent { outbox_id },
        _ => return Err(StoreError::Unreadable { column: "chat_message.client_id" }),
    };
    Ok(ChatLine {
        index: row.position.unsigned_abs(),
        side,
        text: Pii::new(row.body),
        at: timestamp(row.created_at, "chat_message.created_at")?,
    })
}
