//! Finding people and conversations with them, before they have written.

use std::collections::BTreeMap;

use trunkline_core::ContactAddress;

use crate::contacts::contact_of;
use crate::memory::{remember, remember_of_contact};
use crate::store::{new_id, now_ms};
use crate::{ConversationRow, Store, StoreError};

const CONVERSATION: &str = "SELECT id, connector, external_id, channel, address, contact_id, state, read_index,
                                   own_address, agent, handed_over_at FROM conversation";

impl Store {
    /// The latest conversation with an address that is not closed; with `own`, one in which they write to that address of
    /// ours.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn open_conversation_with(
        &self,
        address: &str,
        own: Option<&str>,
    ) -> Result<Option<ConversationRow>, StoreError> {
        let sql = format!(
            "{CONVERSATION} WHERE address = $1 AND state <> 'closed'
                 AND ($2 IS NULL OR own_address IS NULL OR own_address = $2)
             ORDER BY updated_at DESC, id DESC LIMIT 1"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(address).bind(own).fetch_optional(&self.reader).await?)
    }

    /// The conversation that `connector` calls `external_id`, begun by us if nobody has written in it yet.
    ///
    /// # Errors
    /// `store.unavailable`, `store.not_found`.
    ///
    /// # Cancel safety
    /// It may have been begun; beginning it again is harmless.
    pub async fn begin_conversation(
        &self,
        connector: &str,
        external_id: &str,
        address: &ContactAddress,
        own: &str,
    ) -> Result<ConversationRow, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let contact_id = contact_of(&mut transaction, address).await?;
        sqlx::query(
            "INSERT INTO conversation
                 (id, connector, external_id, channel, address, contact_id, state, read_index, created_at, updated_at,
                  own_address)
             VALUES ($1, $2, $3, $4, $5, $6, 'active', -1, $7, $7, $8) ON CONFLICT (connector, external_id) DO NOTHING",
        )
        .bind(new_id())
        .bind(connector)
        .bind(external_id)
        .bind(address.channel().as_str())
        .bind(address.to_wire())
        .bind(contact_id)
        .bind(now_ms())
        .bind(own)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        let row = self.conversation_by_external(connector, external_id).await?;
        row.ok_or(StoreError::NotFound { what: "conversation" })
    }

    /// Keeps memories of a conversation.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// They may have been kept; keeping them again is harmless.
    pub async fn remember(&self, conversation_id: &str, values: &BTreeMap<String, String>) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await?;
        remember(&mut transaction, conversation_id, values).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Keeps memories of a person, who is made known if they are not. Returns the contact.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// They may have been kept; keeping them again is harmless.
    pub async fn remember_of(
        &self,
        address: &ContactAddress,
        values: &BTreeMap<String, String>,
    ) -> Result<String, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let contact_id = contact_of(&mut transaction, address).await?;
        remember_of_contact(&mut transaction, &contact_id, values).await?;
        transaction.commit().await?;
        Ok(contact_id)
    }

    /// The call that `connector` calls `external_id`: the first session of it.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn call_began_at(&self, external_id: &str) -> Result<Option<i64>, StoreError> {
        Ok(sqlx::query_scalar("SELECT min(started_at) FROM call WHERE external_id = $1")
            .bind(external_id)
            .fetch_one(&self.reader)
            .await?)
    }
}
