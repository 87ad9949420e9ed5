//! People in a list, and one of them whole.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::FromRow;
use trunkline_core::Pii;

use super::resolve;
use crate::store::timestamp;
use crate::{Store, StoreError};

/// The largest page of people.
pub const MAX_CONTACTS: u32 = 500;

/// A way to reach a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactAddressRow {
    /// The channel, as a lower-case word.
    pub channel: String,
    /// The address, without a prefix for the channel.
    pub address: Pii<String>,
}

/// A person in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactRow {
    /// Our name for them.
    pub id: String,
    /// What is remembered as their name.
    pub name: Option<Pii<String>>,
    /// Where they are reached, by channel.
    pub addresses: Vec<ContactAddressRow>,
    /// Whether they want nothing at one of their addresses at least.
    pub opted_out: bool,
    /// When we first heard of them.
    pub created_at: Timestamp,
    /// When something last happened between them and us.
    pub seen_at: Option<Timestamp>,
}

/// What a person has decided about hearing from us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Their address, as platforms write it.
    pub address: Pii<String>,
    /// Our address that it is about; empty for every one of ours.
    pub sender: String,
    /// Whether they want nothing.
    pub opted_out: bool,
    /// `person` or `provider`.
    pub told_by: String,
    /// When.
    pub changed_at: Timestamp,
}

#[derive(FromRow)]
struct RawContact {
    id: String,
    name: Option<String>,
    opted_out: bool,
    created_at: i64,
    seen_at: Option<i64>,
}

/// People who were not made a part of somebody else.
const CONTACTS: &str = "
SELECT p.id, p.created_at,
       (SELECT max(at) FROM (
            SELECT max(updated_at) AS at FROM conversation WHERE contact_id = p.id
            UNION ALL SELECT max(started_at) FROM call WHERE contact_id = p.id)) AS seen_at,
       (SELECT value FROM (
            SELECT m.value AS value, m.updated_at AS at FROM memory m JOIN conversation c ON c.id = m.conversation_id
            WHERE c.contact_id = p.id AND m.name = 'name'
            UNION ALL SELECT value, updated_at FROM contact_memory WHERE contact_id = p.id AND name = 'name')
        ORDER BY at DESC LIMIT 1) AS name,
       EXISTS (SELECT 1 FROM contact_address a JOIN consent d
               ON d.address = CASE a.channel WHEN 'whatsapp' THEN 'whatsapp:' || a.address ELSE a.address END
               WHERE a.contact_id = p.id AND d.opted_out) AS opted_out
FROM contact p WHERE p.merged_into IS NULL";

impl Store {
    /// People, the latest first: at most `limit` (and [`MAX_CONTACTS`]), behind the one named `after`. With `query`, those
    /// with an address or a remembered name that contains it, in any case.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn contacts(
        &self,
        query: Option<&str>,
        limit: u32,
        after: Option<&str>,
    ) -> Result<Vec<ContactRow>, StoreError> {
        let pattern = query.map(|query| format!("%{}%", escaped(query)));
        let sql = format!(
            r"{CONTACTS} AND ($1 IS NULL OR p.id < $1)
              AND ($2 IS NULL
                   OR EXISTS (SELECT 1 FROM contact_address a
                              WHERE a.contact_id = p.id AND a.address LIKE $2 ESCAPE '\')
                   OR EXISTS (SELECT 1 FROM contact_memory m
                              WHERE m.contact_id = p.id AND m.name = 'name' AND m.value LIKE $2 ESCAPE '\')
                   OR EXISTS (SELECT 1 FROM memory m JOIN conversation c ON c.id = m.conversation_id
                              WHERE c.contact_id = p.id AND m.name = 'name' AND m.value LIKE $2 ESCAPE '\'))
              ORDER BY p.id DESC LIMIT $3"
        );
        let rows: Vec<RawContact> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(after)
            .bind(pattern)
            .bind(i64::from(limit.min(MAX_CONTACTS)))
            .fetch_all(&self.reader)
            .await?;
        self.with_addresses(rows).await
    }

    /// A person by our name for them, or by one that they had before they were linked.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn contact(&self, contact_id: &str) -> Result<Option<ContactRow>, StoreError> {
        let mut reader = self.reader.acquire().await?;
        let Some(id) = resolve(&mut reader, contact_id).await? else { return Ok(None) };
        drop(reader);
        let rows: Vec<RawContact> = sqlx::query_as(sqlx::AssertSqlSafe(format!("{CONTACTS} AND p.id = $1")))
            .bind(id)
            .fetch_all(&self.reader)
            .await?;
        Ok(self.with_addresses(rows).await?.pop())
    }

    /// The person behind an address, on whichever channel.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn contact_at(&self, address: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT contact_id FROM contact_address WHERE address = $1 ORDER BY channel LIMIT 1";
        Ok(sqlx::query_scalar(sql).bind(address).fetch_optional(&self.reader).await?)
    }

    /// What a person has decided about hearing from us, by address.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn decisions_of(&self, contact_id: &str) -> Result<Vec<Decision>, StoreError> {
        let rows: Vec<(String, String, bool, String, i64)> = sqlx::query_as(
            "SELECT DISTINCT d.address, d.sender, d.opted_out, d.told_by, d.changed_at
             FROM contact_address a JOIN consent d
             ON d.address = CASE a.channel WHEN 'whatsapp' THEN 'whatsapp:' || a.address ELSE a.address END
             WHERE a.contact_id = $1 ORDER BY d.address, d.sender",
        )
        .bind(contact_id)
        .fetch_all(&self.reader)
        .await?;
        let decision = |(address, sender, opted_out, told_by, changed_at)| {
            let changed_at = timestamp(changed_at, "consent.changed_at")?;
            Ok(Decision { address: Pii::new(address), sender, opted_out, told_by, changed_at })
        };
        rows.into_iter().map(decision).collect()
    }

    async fn with_addresses(&self, rows: Vec<RawContact>) -> Result<Vec<ContactRow>, StoreError> {
        let ids: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
        // One parameter however many people there are.
        let ids = serde_json::to_string(&ids).unwrap_or_default();
        let found: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT contact_id, channel, address FROM contact_address
             WHERE contact_id IN (SELECT value FROM json_each($1)) ORDER BY channel, address",
        )
        .bind(ids)
        .fetch_all(&self.reader)
        .await?;
        let mut addresses: BTreeMap<String, Vec<ContactAddressRow>> = BTreeMap::new();
        for (contact_id, channel, address) in found {
            let row = ContactAddressRow { channel, address: Pii::new(address) };
            addresses.entry(contact_id).or_default().push(row);
        }
        let whole = |row: RawContact| {
            Ok(ContactRow {
                addresses: addresses.remove(&row.id).unwrap_or_default(),
                id: row.id,
                name: row.name.map(Pii::new),
                opted_out: row.opted_out,
                created_at: timestamp(row.created_at, "contact.created_at")?,
                seen_at: row.seen_at.map(|at| timestamp(at, "conversation.updated_at")).transpose()?,
            })
        };
        rows.into_iter().map(whole).collect()
    }
}

/// What a pattern would read as more than itself.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_")
}
