//! Two contacts that are one person.

use sqlx::{Sqlite, Transaction};
use trunkline_core::ContactAddress;

use super::{contact_of, resolve};
use crate::memory::MAX_MEMORIES;
use crate::search::follow_sources;
use crate::{Store, StoreError};

/// What linking or unlinking came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// The contact: of the person, or of the address that was taken away.
    pub contact_id: String,
    /// False if it was so already.
    pub changed: bool,
}

impl Store {
    /// Makes `other` a part of `contact_id`: its addresses, conversations, calls, memories and passages are from now on
    /// those of `contact_id`. Where both remember something under one name, the later one counts. A contact that was
    /// linked before stays so.
    ///
    /// # Errors
    /// `store.not_found`, `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been done; doing it again is harmless.
    pub async fn link_contacts(&self, contact_id: &str, other: &str) -> Result<Linked, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let no_contact = || StoreError::NotFound { what: "contact" };
        let into = resolve(&mut transaction, contact_id).await?.ok_or_else(no_contact)?;
        let from = resolve(&mut transaction, other).await?.ok_or_else(no_contact)?;
        let changed = into != from;
        if changed {
            merge(&mut transaction, &from, &into).await?;
        }
        transaction.commit().await?;
        Ok(Linked { contact_id: into, changed })
    }

    /// Makes an address, and with it the contact that has it now, a part of `contact_id`. One that nobody has used yet
    /// is theirs from now on.
    ///
    /// # Errors
    /// `store.not_found`, `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been done; doing it again is harmless.
    pub async fn link_address(&self, contact_id: &str, address: &ContactAddress) -> Result<Linked, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let into = resolve(&mut transaction, contact_id).await?;
        let into = into.ok_or(StoreError::NotFound { what: "contact" })?;
        let from = contact_of(&mut transaction, address).await?;
        let changed = into != from;
        if changed {
            merge(&mut transaction, &from, &into).await?;
        }
        transaction.commit().await?;
        Ok(Linked { contact_id: into, changed })
    }
}

async fn merge(transaction: &mut Transaction<'_, Sqlite>, from: &str, into: &str) -> Result<(), StoreError> {
    for sql in [
        "UPDATE contact_address SET contact_id = $2 WHERE contact_id = $1",
        "UPDATE conversation SET contact_id = $2 WHERE contact_id = $1",
        "UPDATE call SET contact_id = $2 WHERE contact_id = $1",
        "UPDATE contact SET merged_into = $2 WHERE id = $1 OR merged_into = $1",
    ] {
        sqlx::query(sql).bind(from).bind(into).execute(&mut **transaction).await?;
    }
    follow_sources(transaction, from, into).await?;
    sqlx::query(
        "INSERT INTO contact_memory (contact_id, name, value, updated_at)
         SELECT $2, name, value, updated_at FROM contact_memory WHERE contact_id = $1
         ON CONFLICT (contact_id, name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
             WHERE excluded.updated_at >= contact_memory.updated_at",
    )
    .bind(from)
    .bind(into)
    .execute(&mut **transaction)
    .await?;
    sqlx::query("DELETE FROM contact_memory WHERE contact_id = $1").bind(from).execute(&mut **transaction).await?;
    sqlx::query(
        "DELETE FROM contact_memory WHERE contact_id = $1 AND name NOT IN (
             SELECT name FROM contact_memory WHERE contact_id = $1 ORDER BY updated_at DESC, name LIMIT $2)",
    )
    .bind(into)
    .bind(MAX_MEMORIES)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
