//! What is known of messages that went out: for platforms on which a message carries nothing of ours.

use std::collections::HashSet;

use jiff::Timestamp;
use sqlx::QueryBuilder;
use trunkline_core::Pii;

use crate::store::{now_ms, timestamp};
use crate::{Store, StoreError};

/// Messages that are asked for at once.
const MAX_ASKED: usize = 500;
/// Addresses of ours that are told.
const MAX_OWN_ADDRESSES: i64 = 1_000;

/// A row that was begun to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What it says.
    pub body: Pii<String>,
    /// It went as a template, whose words are the provider's.
    pub is_template: bool,
    /// When sending it was first begun.
    pub since: Timestamp,
    /// The provider's name for its message, if that became known by another way than the answer to the request.
    pub external_id: Option<String>,
}

impl Store {
    /// What is known of the attempts to send a row; `None` if none was begun.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn attempt(&self, outbox_id: &str) -> Result<Option<Attempt>, StoreError> {
        let sql = "SELECT o.body, o.content_sid IS NOT NULL, o.claimed_at, m.external_id
                   FROM outbox o LEFT JOIN message m ON m.outbox_id = o.id WHERE o.id = $1";
        let row: Option<(String, bool, Option<i64>, Option<String>)> =
            sqlx::query_as(sql).bind(outbox_id).fetch_optional(&self.reader).await?;
        let Some((body, is_template, Some(since), external_id)) = row else { return Ok(None) };
        let since = timestamp(since, "outbox.claimed_at")?;
        Ok(Some(Attempt { body: Pii::new(body), is_template, since, external_id }))
    }

    /// Notes the provider's name for the message of a row, if it has none yet: the provider told of the message before
    /// it answered the request that made it.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been noted; noting it again is harmless.
    pub async fn note_sent(&self, outbox_id: &str, external_id: &str) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE message SET external_id = $2, updated_at = $3
             WHERE outbox_id = $1 AND direction = 'out' AND external_id IS NULL",
        )
        .bind(outbox_id)
        .bind(external_id)
        .bind(now_ms())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Those of `external_ids` that are messages of a conversation, but not the message of the row `outbox_id`: what
    /// the provider tells of that one may be noted at any moment.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn other_messages(
        &self,
        conversation_id: &str,
        outbox_id: &str,
        external_ids: &[String],
    ) -> Result<HashSet<String>, StoreError> {
        let mut known = HashSet::new();
        for some in external_ids.chunks(MAX_ASKED) {
            let mut query = QueryBuilder::new("SELECT external_id FROM message WHERE conversation_id = ");
            query.push_bind(conversation_id);
            query.push(" AND (outbox_id IS NULL OR outbox_id <> ").push_bind(outbox_id).push(") AND external_id IN (");
            let mut ids = query.separated(", ");
            for id in some {
                ids.push_bind(id);
            }
            query.push(")");
            let found: Vec<String> = query.build_query_scalar().fetch_all(&self.reader).await?;
            known.extend(found);
        }
        Ok(known)
    }

    /// The addresses of ours that people write to by a connector.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn own_addresses(&self, connector: &str) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT own_address FROM conversation c
                   WHERE connector = $1 AND own_address IS NOT NULL
                     AND EXISTS (SELECT 1 FROM message m WHERE m.conversation_id = c.id AND m.direction = 'in')
                   ORDER BY own_address LIMIT $2";
        Ok(sqlx::query_scalar(sql).bind(connector).bind(MAX_OWN_ADDRESSES).fetch_all(&self.reader).await?)
    }
}
