//! People and the addresses at which they are reached.
//!
//! The same number on SMS, on WhatsApp and on the telephone is one person unless somebody says otherwise
//! ([`Store::unlink_address`](crate::Store::unlink_address)); different addresses are different people until somebody
//! says that they are one ([`Store::link_contacts`](crate::Store::link_contacts)).

mod erase;
mod erased;
mod link;
mod list;
mod unlink;

use sqlx::{Sqlite, Transaction};
use trunkline_core::{Channel, ContactAddress};

pub use erase::Erasure;
pub(crate) use erased::adopt_consent;
pub use link::Linked;
pub use list::{ContactAddressRow, ContactRow, Decision, MAX_CONTACTS};

use crate::StoreError;
use crate::store::{new_id, now_ms};

/// The contact behind an address, made if there is none. The same number on another channel is the same person.
pub(crate) async fn contact_of(
    transaction: &mut Transaction<'_, Sqlite>,
    address: &ContactAddress,
) -> Result<String, StoreError> {
    let known: Option<(String, bool)> = sqlx::query_as(
        "SELECT contact_id, channel = $2 FROM contact_address WHERE address = $1
         ORDER BY channel = $2 DESC, channel LIMIT 1",
    )
    .bind(address.address())
    .bind(address.channel().as_str())
    .fetch_optional(&mut **transaction)
    .await?;
    let contact_id = match known {
        Some((contact_id, true)) => return Ok(contact_id),
        Some((contact_id, false)) => contact_id,
        None => new_contact(transaction).await?,
    };
    sqlx::query("INSERT INTO contact_address (channel, address, contact_id) VALUES ($1, $2, $3)")
        .bind(address.channel().as_str())
        .bind(address.address())
        .bind(&contact_id)
        .execute(&mut **transaction)
        .await?;
    // What a person has decided outlives what else was known of them.
    adopt_consent(transaction, &address.to_wire()).await?;
    Ok(contact_id)
}

/// A contact without an address.
async fn new_contact(transaction: &mut Transaction<'_, Sqlite>) -> Result<String, StoreError> {
    let contact_id = new_id();
    sqlx::query("INSERT INTO contact (id, created_at) VALUES ($1, $2)")
        .bind(&contact_id)
        .bind(now_ms())
        .execute(&mut **transaction)
        .await?;
    Ok(contact_id)
}

/// The contact of this name, or the one that it became a part of.
async fn resolve(connection: &mut sqlx::SqliteConnection, contact_id: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT COALESCE(merged_into, id) FROM contact WHERE id = $1";
    Ok(sqlx::query_scalar(sql).bind(contact_id).fetch_optional(connection).await?)
}

/// An address as platforms write it.
fn wire(channel: &str, address: &str) -> String {
    if channel == Channel::Whatsapp.as_str() { format!("whatsapp:{address}") } else { address.to_owned() }
}
