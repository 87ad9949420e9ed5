//! What an agent chose to remember of a conversation.

use std::collections::BTreeMap;

use sqlx::{Sqlite, Transaction};

use crate::store::now_ms;
use crate::{Store, StoreError};

/// A conversation keeps this many memories; the oldest make room.
pub const MAX_MEMORIES: i64 = 200;
/// A name or a value longer than this, in bytes, is not kept.
pub const MAX_MEMORY_BYTES: usize = 4096;

impl Store {
    /// Everything that is remembered of a contact, whatever the channel, by name. The latest counts. Names that begin with
    /// a dot are about one conversation; only those of `conversation_id` are among them.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn memories_of_contact(
        &self,
        contact_id: &str,
        conversation_id: Option<&str>,
    ) -> Result<BTreeMap<String, String>, StoreError> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT name, value FROM (
                 SELECT m.name AS name, m.value AS value, m.updated_at AS at
                 FROM memory m JOIN conversation c ON c.id = m.conversation_id
                 WHERE c.contact_id = $1 AND (m.conversation_id = $2 OR m.name NOT LIKE '.%')
                 UNION ALL
                 SELECT name, value, updated_at FROM contact_memory WHERE contact_id = $1
             ) ORDER BY at",
        )
        .bind(contact_id)
        .bind(conversation_id)
        .fetch_all(&self.reader)
        .await?;
        Ok(rows.into_iter().collect())
    }

    /// Everything remembered of a conversation, by name.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn memories(&self, conversation_id: &str) -> Result<BTreeMap<String, String>, StoreError> {
        let rows: Vec<(String, String)> = sqlx::query_as("SELECT name, value FROM memory WHERE conversation_id = $1")
            .bind(conversation_id)
            .fetch_all(&self.reader)
            .await?;
        Ok(rows.into_iter().collect())
    }
}

pub(crate) async fn remember(
    transaction: &mut Transaction<'_, Sqlite>,
    conversation_id: &str,
    memories: &BTreeMap<String, String>,
) -> Result<(), StoreError> {
    let mut kept = false;
    for (name, value) in memories {
        if name.len() > MAX_MEMORY_BYTES || value.len() > MAX_MEMORY_BYTES {
            continue;
        }
        sqlx::query(
            "INSERT INTO memory (conversation_id, name, value, updated_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (conversation_id, name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
        )
        .bind(conversation_id)
        .bind(name)
        .bind(value)
        .bind(now_ms())
        .execute(&mut **transaction)
        .await?;
        kept = true;
    }
    if kept {
        sqlx::query(
            "DELETE FROM memory WHERE conversation_id = $1 AND name NOT IN (
                 SELECT name FROM memory WHERE conversation_id = $1 ORDER BY updated_at DESC, name LIMIT $2)",
        )
        .bind(conversation_id)
        .bind(MAX_MEMORIES)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

/// As [`remember`], of a person and not of one conversation.
pub(crate) async fn remember_of_contact(
    transaction: &mut Transaction<'_, Sqlite>,
    contact_id: &str,
    memories: &BTreeMap<String, String>,
) -> Result<(), StoreError> {
    for (name, value) in memories.iter().take(usize::try_from(MAX_MEMORIES).unwrap_or_default()) {
        if name.len() > MAX_MEMORY_BYTES || value.len() > MAX_MEMORY_BYTES {
            continue;
        }
        sqlx::query(
            "INSERT INTO contact_memory (contact_id, name, value, updated_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (contact_id, name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
        )
        .bind(contact_id)
        .bind(name)
        .bind(value)
        .bind(now_ms())
        .execute(&mut **transaction)
        .await?;
    }
    sqlx::query(
        "DELETE FROM contact_memory WHERE contact_id = $1 AND name NOT IN (
             SELECT name FROM contact_memory WHERE contact_id = $1 ORDER BY updated_at DESC, name LIMIT $2)",
    )
    .bind(contact_id)
    .bind(MAX_MEMORIES)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
