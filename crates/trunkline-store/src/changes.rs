//! Messages that were changed or taken away, and names and attributes of conversations.

use jiff::Timestamp;
use serde_json::{Map, Value};
use sqlx::{Sqlite, Transaction};
use trunkline_core::Pii;
use trunkline_core::event::ConversationUpdated;

use crate::replies::take_back;
use crate::store::now_ms;
use crate::{Store, StoreError, summaries};

/// How long a message that was taken away before it was recorded is remembered.
const REMEMBERED_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// What taking a message away came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Our name for the conversation.
    pub conversation_id: String,
    /// Other messages wait again: the answer that covered them together with this one was taken back.
    pub others_wait: bool,
}

impl Store {
    /// Gives a message other words; a change that is told late changes nothing. Returns our name for the conversation,
    /// or `None` if no such message is recorded (yet).
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been done; doing it again is harmless.
    pub async fn edit_message(
        &self,
        connector: &str,
        conversation: &str,
        message: &str,
        text: &Pii<String>,
        at: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let Some((id, conversation_id, _)) = find(&mut transaction, connector, conversation, message).await? else {
            return Ok(None);
        };
        let changed = sqlx::query(
            "UPDATE message SET body = $2, edited_at = $3, updated_at = $4
             WHERE id = $1 AND removed_at IS NULL AND body <> $2 AND COALESCE(edited_at, 0) <= $3",
        )
        .bind(&id)
        .bind(text.expose())
        .bind(at.as_millisecond())
        .bind(now_ms())
        .execute(&mut *transaction)
        .await?;
        if changed.rows_affected() > 0 {
            summaries::forget_of_message(&mut transaction, &id).await?;
        }
        touch(&mut transaction, &conversation_id).await?;
        transaction.commit().await?;
        Ok(Some(conversation_id))
    }

    /// Takes a message away: its words are forgotten, and it is not answered any more. An answer that nobody has begun
    /// to send is taken back. One that is not recorded yet is remembered as gone; then there is nothing to return.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been done; doing it again is harmless.
    pub async fn remove_message(
        &self,
        connector: &str,
        conversation: &str,
        message: &str,
        at: Timestamp,
    ) -> Result<Option<Removed>, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let now = now_ms();
        let Some((id, conversation_id, answered_by)) = find(&mut transaction, connector, conversation, message).await?
        else {
            sqlx::query("DELETE FROM removed_message WHERE noted_at < $1")
                .bind(now - REMEMBERED_MS)
                .execute(&mut *transaction)
                .await?;
            sqlx::query(
                "INSERT INTO removed_message (connector, conversation, external_id, removed_at, noted_at)
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            )
            .bind(connector)
            .bind(conversation)
            .bind(message)
            .bind(at.as_millisecond())
            .bind(now)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            return Ok(None);
        };
        let taken_back = match &answered_by {
            Some(outbox_id) => take_back(&mut transaction, &conversation_id, Some(outbox_id), now).await? > 0,
            None => false,
        };
        sqlx::query(
            "UPDATE message SET body = '', media = '[]', removed_at = COALESCE(removed_at, $2), updated_at = $3,
                    answer = CASE answer WHEN 'waiting' THEN 'history' ELSE answer END
             WHERE id = $1",
        )
        .bind(&id)
        .bind(at.as_millisecond())
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        sqlx::query("DELETE FROM message_media WHERE message_id = $1").bind(&id).execute(&mut *transaction).await?;
        summaries::forget_of_message(&mut transaction, &id).await?;
        let others_wait = taken_back && is_any_waiting(&mut transaction, &conversation_id).await?;
        touch(&mut transaction, &conversation_id).await?;
        transaction.commit().await?;
        Ok(Some(Removed { conversation_id, others_wait }))
    }

    /// Notes what a conversation is called, and what its platform keeps beside it; what is told late changes nothing.
    /// Returns our name for it, if it is recorded.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been noted; noting it again is harmless.
    pub async fn name_conversation(
        &self,
        connector: &str,
        told: &ConversationUpdated,
    ) -> Result<Option<String>, StoreError> {
        let attributes = told.attributes.as_ref().and_then(|told| serde_json::to_string(told).ok());
        sqlx::query(
            "INSERT INTO conversation_name (connector, external_id, friendly_name, unique_name, changed_at, attributes)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (connector, external_id) DO UPDATE SET
                 friendly_name = excluded.friendly_name, unique_name = excluded.unique_name,
                 attributes = COALESCE(excluded.attributes, conversation_name.attributes),
                 changed_at = excluded.changed_at
             WHERE excluded.changed_at >= conversation_name.changed_at",
        )
        .bind(connector)
        .bind(&told.conversation)
        .bind(&told.friendly_name)
        .bind(&told.unique_name)
        .bind(told.changed.as_millisecond())
        .bind(attributes)
        .execute(&self.writer)
        .await?;
        Ok(self.conversation_by_external(connector, &told.conversation).await?.map(|row| row.id))
    }

    /// What a conversation's platform keeps beside it, as it was last told; `None` if nobody has told.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn attributes_of_conversation(
        &self,
        connector: &str,
        external_id: &str,
    ) -> Result<Option<Map<String, Value>>, StoreError> {
        let sql = "SELECT attributes FROM conversation_name WHERE connector = $1 AND external_id = $2";
        let told: Option<Option<String>> =
            sqlx::query_scalar(sql).bind(connector).bind(external_id).fetch_optional(&self.reader).await?;
        told.flatten().map(|told| read_attributes(&told)).transpose()
    }
}

/// What stands in a row.
pub(crate) fn read_attributes(told: &str) -> Result<Map<String, Value>, StoreError> {
    serde_json::from_str(told).map_err(|_| StoreError::Unreadable { column: "conversation_name.attributes" })
}

/// When a message that is being recorded was taken away, if it was.
pub(crate) async fn removed_before(
    transaction: &mut Transaction<'_, Sqlite>,
    connector: &str,
    conversation: &str,
    message: &str,
) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT removed_at FROM removed_message WHERE connector = $1 AND conversation = $2 AND external_id = $3";
    let found = sqlx::query_scalar(sql).bind(connector).bind(conversation).bind(message);
    Ok(found.fetch_optional(&mut **transaction).await?)
}

/// Our names for a message and its conversation, and the row of its answer.
async fn find(
    transaction: &mut Transaction<'_, Sqlite>,
    connector: &str,
    conversation: &str,
    message: &str,
) -> Result<Option<(String, String, Option<String>)>, StoreError> {
    let sql = "SELECT m.id, m.conversation_id, m.answered_by
               FROM message m JOIN conversation c ON c.id = m.conversation_id
               WHERE c.connector = $1 AND c.external_id = $2 AND m.external_id = $3";
    let found = sqlx::query_as(sql).bind(connector).bind(conversation).bind(message);
    Ok(found.fetch_optional(&mut **transaction).await?)
}

async fn is_any_waiting(transaction: &mut Transaction<'_, Sqlite>, conversation_id: &str) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM message WHERE conversation_id = $1 AND answer = 'waiting' LIMIT 1";
    let found: Option<i64> = sqlx::query_scalar(sql).bind(conversation_id).fetch_optional(&mut **transaction).await?;
    Ok(found.is_some())
}

async fn touch(transaction: &mut Transaction<'_, Sqlite>, conversation_id: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE conversation SET updated_at = $2 WHERE id = $1")
        .bind(conversation_id)
        .bind(now_ms())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
