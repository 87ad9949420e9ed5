//! Who takes care of a conversation: which agent, or a person of ours.

use jiff::Timestamp;
use sqlx::{Sqlite, Transaction};

use crate::store::now_ms;
use crate::{Store, StoreError};

/// A change of who answers in a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Care {
    /// Nothing changes.
    #[default]
    Same,
    /// A person of ours answers from now on: what people write waits for them.
    HandOver,
    /// The agents answer again.
    Resume,
    /// This agent answers from now on; without a name, the one that the routes choose.
    Agent(Option<String>),
}

impl Store {
    /// Changes who answers in a conversation; returns since when a person of ours does, if one does now.
    ///
    /// # Errors
    /// `store.not_found`, `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// It may have been changed; changing it again is harmless.
    pub async fn set_care(&self, conversation_id: &str, care: &Care) -> Result<Option<Timestamp>, StoreError> {
        let mut transaction = self.writer.begin().await?;
        change(&mut transaction, conversation_id, care).await?;
        let since: Option<Option<i64>> = sqlx::query_scalar("SELECT handed_over_at FROM conversation WHERE id = $1")
            .bind(conversation_id)
            .fetch_optional(&mut *transaction)
            .await?;
        let since = since.ok_or(StoreError::NotFound { what: "conversation" })?;
        transaction.commit().await?;
        since.map(|since| crate::store::timestamp(since, "conversation.handed_over_at")).transpose()
    }
}

pub(crate) async fn change(
    transaction: &mut Transaction<'_, Sqlite>,
    conversation_id: &str,
    care: &Care,
) -> Result<(), StoreError> {
    let sql = match care {
        Care::Same => return Ok(()),
        Care::HandOver => "UPDATE conversation SET handed_over_at = COALESCE(handed_over_at, $2) WHERE id = $1",
        Care::Resume => "UPDATE conversation SET handed_over_at = NULL, updated_at = $2 WHERE id = $1",
        Care::Agent(_) => "UPDATE conversation SET updated_at = $2, agent = $3 WHERE id = $1",
    };
    let query = sqlx::query(sql).bind(conversation_id).bind(now_ms());
    let query = if let Care::Agent(name) = care { query.bind(name) } else { query };
    query.execute(&mut **transaction).await?;
    Ok(())
}
