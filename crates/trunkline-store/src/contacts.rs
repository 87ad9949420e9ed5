//! People and the addresses at which they are reached.

use sqlx::{Sqlite, Transaction};
use trunkline_core::ContactAddress;

use crate::StoreError;
use crate::store::{new_id, now_ms};

/// The contact behind an address, made if there is none. The same number on another channel is the same person.
pub(crate) async fn contact_of(
    transaction: &mut Transaction<'_, Sqlite>,
    address: &ContactAddress,
) -> Result<String, StoreError> {
    let known: Option<(String, bool)> = sqlx::query_as(
        "SELECT contact_id, channel = $2 FROM contact_address WHERE address = $1 ORDER BY channel = $2 DESC LIMIT 1",
    )
    .bind(address.address())
    .bind(address.channel().as_str())
    .fetch_optional(&mut **transaction)
    .await?;
    let contact_id = match known {
        Some((contact_id, true)) => return Ok(contact_id),
        Some((contact_id, false)) => contact_id,
        None => {
            let contact_id = new_id();
            sqlx::query("INSERT INTO contact (id, created_at) VALUES ($1, $2)")
                .bind(&contact_id)
                .bind(now_ms())
                .execute(&mut **transaction)
                .await?;
            contact_id
        }
    };
    sqlx::query("INSERT INTO contact_address (channel, address, contact_id) VALUES ($1, $2, $3)")
        .bind(address.channel().as_str())
        .bind(address.address())
        .bind(&contact_id)
        .execute(&mut **transaction)
        .await?;
    Ok(contact_id)
}
