//! An address that is somebody else's after all.

use sqlx::{Sqlite, Transaction};
use trunkline_core::Channel;

use super::{Linked, new_contact, resolve, wire};
use crate::search::follow_sources;
use crate::{Store, StoreError};

impl Store {
    /// Gives an address, on one channel or on all, a contact of its own: it takes the conversations and calls that came
    /// by it, and what was remembered in those conversations. What is remembered of the person as a whole stays with
    /// them. Returns the address's contact. An address that has its contact for itself stays as it is.
    ///
    /// # Errors
    /// `store.not_found` if there is no such contact, or nobody has such an address; `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been done; doing it again is harmless.
    pub async fn unlink_address(
        &self,
        contact_id: &str,
        address: &str,
        channel: Option<Channel>,
    ) -> Result<Linked, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let contact_id = resolve(&mut transaction, contact_id).await?;
        let contact_id = contact_id.ok_or(StoreError::NotFound { what: "contact" })?;
        let owners: Vec<(String, String)> = sqlx::query_as(
            "SELECT contact_id, channel FROM contact_address
             WHERE address = $1 AND ($2 IS NULL OR channel = $2) ORDER BY channel",
        )
        .bind(address)
        .bind(channel.map(Channel::as_str))
        .fetch_all(&mut *transaction)
        .await?;
        let Some((first_owner, _)) = owners.first() else { return Err(StoreError::NotFound { what: "address" }) };
        let theirs: Vec<_> = owners.iter().filter(|(owner, _)| *owner == contact_id).collect();
        let all: i64 = sqlx::query_scalar("SELECT count(*) FROM contact_address WHERE contact_id = $1")
            .bind(&contact_id)
            .fetch_one(&mut *transaction)
            .await?;
        if theirs.is_empty() || all == i64::try_from(theirs.len()).unwrap_or_default() {
            let contact_id = if theirs.is_empty() { first_owner.clone() } else { contact_id };
            return Ok(Linked { contact_id, changed: false });
        }
        let own = new_contact(&mut transaction).await?;
        for (_, channel) in theirs {
            give(&mut transaction, (&contact_id, &own), channel, address).await?;
        }
        follow_sources(&mut transaction, &contact_id, &own).await?;
        transaction.commit().await?;
        Ok(Linked { contact_id: own, changed: true })
    }
}

/// Moves what came by an address from one contact to another.
async fn give(
    transaction: &mut Transaction<'_, Sqlite>,
    (from, into): (&str, &str),
    channel: &str,
    address: &str,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE contact_address SET contact_id = $3 WHERE channel = $1 AND address = $2")
        .bind(channel)
        .bind(address)
        .bind(into)
        .execute(&mut **transaction)
        .await?;
    sqlx::query("UPDATE conversation SET contact_id = $4 WHERE contact_id = $1 AND channel = $2 AND address = $3")
        .bind(from)
        .bind(channel)
        .bind(wire(channel, address))
        .bind(into)
        .execute(&mut **transaction)
        .await?;
    if channel == Channel::Voice.as_str() {
        sqlx::query("UPDATE call SET contact_id = $3 WHERE contact_id = $1 AND address = $2")
            .bind(from)
            .bind(address)
            .bind(into)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}
