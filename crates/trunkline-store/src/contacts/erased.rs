//! What is kept of people who were forgotten: that they want nothing, and that what a platform tells again is old.

use jiff::Timestamp;
use sqlx::{Sqlite, SqliteConnection, Transaction};

use crate::{Store, StoreError, salt};

/// What stands before the hash of an address in place of the address.
const MARK: &str = "erased:";

/// Decisions of a person who is forgotten: those that they want nothing stay, under a hash of the address.
pub(super) async fn hide_consent(transaction: &mut Transaction<'_, Sqlite>, address: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM consent WHERE address = $1 AND NOT opted_out")
        .bind(address)
        .execute(&mut **transaction)
        .await?;
    let is_any: Option<i64> = sqlx::query_scalar("SELECT 1 FROM consent WHERE address = $1 LIMIT 1")
        .bind(address)
        .fetch_optional(&mut **transaction)
        .await?;
    if is_any.is_none() {
        return Ok(());
    }
    let hidden = format!("{MARK}{}", salt::make_hash(transaction, &["consent", address]).await?);
    sqlx::query("DELETE FROM consent WHERE address = $1").bind(&hidden).execute(&mut **transaction).await?;
    sqlx::query("UPDATE consent SET address = $2 WHERE address = $1")
        .bind(address)
        .bind(hidden)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Gives the decisions that are kept of a forgotten person back to their address, which is known again.
pub(crate) async fn adopt_consent(transaction: &mut Transaction<'_, Sqlite>, address: &str) -> Result<(), StoreError> {
    let Some(hash) = salt::hash(transaction, &["consent", address]).await? else { return Ok(()) };
    sqlx::query(
        "UPDATE consent SET address = $1 WHERE address = $2
         AND NOT EXISTS (SELECT 1 FROM consent known WHERE known.address = $1 AND known.sender = consent.sender)",
    )
    .bind(address)
    .bind(format!("{MARK}{hash}"))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Notes that what was said in a conversation up to `at` is not taken again.
pub(super) async fn note_erased(
    transaction: &mut Transaction<'_, Sqlite>,
    connector: &str,
    conversation: &str,
    at: i64,
) -> Result<(), StoreError> {
    let hash = salt::make_hash(transaction, &["conversation", connector, conversation]).await?;
    sqlx::query(
        "INSERT INTO erased (hash, erased_at) VALUES ($1, $2)
         ON CONFLICT (hash) DO UPDATE SET erased_at = excluded.erased_at",
    )
    .bind(hash)
    .bind(at)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Until when, in milliseconds, a conversation was forgotten; `None` if it never was.
async fn erased_since(
    connection: &mut SqliteConnection,
    connector: &str,
    conversation: &str,
) -> Result<Option<i64>, StoreError> {
    let Some(hash) = salt::hash(connection, &["conversation", connector, conversation]).await? else {
        return Ok(None);
    };
    let sql = "SELECT erased_at FROM erased WHERE hash = $1";
    Ok(sqlx::query_scalar(sql).bind(hash).fetch_optional(connection).await?)
}

impl Store {
    /// Whether what happened at this time in a conversation belongs to a person who was forgotten since.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn is_erased(&self, connector: &str, conversation: &str, at: Timestamp) -> Result<bool, StoreError> {
        let mut reader = self.reader.acquire().await?;
        let until = erased_since(&mut reader, connector, conversation).await?;
        Ok(until.is_some_and(|until| at.as_millisecond() <= until))
    }

    /// Whether a person whose address this was wants nothing, and was forgotten since.
    pub(crate) async fn opted_out_and_erased(&self, address: &str) -> Result<bool, StoreError> {
        let mut reader = self.reader.acquire().await?;
        let Some(hash) = salt::hash(&mut reader, &["consent", address]).await? else { return Ok(false) };
        let sql = "SELECT 1 FROM consent WHERE address = $1 AND opted_out LIMIT 1";
        let found: Option<i64> =
            sqlx::query_scalar(sql).bind(format!("{MARK}{hash}")).fetch_optional(&mut *reader).await?;
        Ok(found.is_some())
    }
}
