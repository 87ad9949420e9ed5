//! Putting passages into the index and taking them out.

use jiff::Timestamp;
use sqlx::{Sqlite, Transaction};
use trunkline_core::Pii;

use super::scope_of_kind;
use crate::store::{new_id, now_ms};
use crate::{Store, StoreError};

/// Passages that are taken out at once when their time has come.
const PRUNED_AT_ONCE: i64 = 2_000;

/// What a passage is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassageKind {
    /// A document that was taken in.
    Document,
    /// A call.
    Transcript,
    /// A conversation of texts.
    Conversation,
}

impl PassageKind {
    /// The lower-case word in the store and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Transcript => "transcript",
            Self::Conversation => "conversation",
        }
    }

    pub(super) fn from_name(name: &str) -> Result<Self, StoreError> {
        match name {
            "document" => Ok(Self::Document),
            "transcript" => Ok(Self::Transcript),
            "conversation" => Ok(Self::Conversation),
            _ => Err(StoreError::Unreadable { column: "passage.kind" }),
        }
    }
}

/// A passage to be put into the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPassage {
    /// Where in its source it stands, in words: the headings above it, or a day.
    pub title: Pii<String>,
    /// What it says.
    pub text: Pii<String>,
    /// When it was said; now if none.
    pub at: Option<Timestamp>,
}

/// Whose passages these are, and for how long.
pub(super) struct Shelf<'a> {
    pub(super) kind: PassageKind,
    pub(super) source_id: &'a str,
    pub(super) contact_id: Option<&'a str>,
    /// The word of its collection or its person.
    pub(super) scope: String,
    /// How long after it was said each is kept, in milliseconds.
    pub(super) keep_ms: Option<i64>,
}

/// Puts these in the place of what is in the index of their source.
pub(super) async fn replace(
    transaction: &mut Transaction<'_, Sqlite>,
    shelf: &Shelf<'_>,
    passages: &[NewPassage],
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM passage WHERE source_id = $1 AND kind = $2")
        .bind(shelf.source_id)
        .bind(shelf.kind.as_str())
        .execute(&mut **transaction)
        .await?;
    let now = now_ms();
    for (position, passage) in (0_i64..).zip(passages) {
        let at = passage.at.map_or(now, Timestamp::as_millisecond);
        let expires_at = shelf.keep_ms.map(|keep| at.saturating_add(keep));
        if expires_at.is_some_and(|expires_at| expires_at <= now) {
            continue;
        }
        sqlx::query(
            "INSERT INTO passage (id, kind, source_id, contact_id, scope, title, position, text, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(new_id())
        .bind(shelf.kind.as_str())
        .bind(shelf.source_id)
        .bind(shelf.contact_id)
        .bind(format!("{} {}", shelf.scope, scope_of_kind(shelf.kind)))
        .bind(passage.title.expose())
        .bind(position)
        .bind(passage.text.expose())
        .bind(at)
        .bind(expires_at)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

impl Store {
    /// Takes passages out of the index whose time has come: some of them. Returns how many.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been done; doing it again is harmless.
    pub async fn prune_passages(&self) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "DELETE FROM passage WHERE seq IN (
                 SELECT seq FROM passage WHERE expires_at IS NOT NULL AND expires_at <= $1 ORDER BY expires_at LIMIT $2)",
        )
        .bind(now_ms())
        .bind(PRUNED_AT_ONCE)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected())
    }

    /// Takes what was said out of the index, and out of what waits for it: some of it. Returns how much.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been done; doing it again is harmless.
    pub async fn forget_said(&self) -> Result<u64, StoreError> {
        let mut gone = 0;
        for sql in [
            "DELETE FROM passage WHERE seq IN (SELECT seq FROM passage WHERE kind <> 'document' LIMIT $1)",
            "DELETE FROM unindexed WHERE source_id IN (SELECT source_id FROM unindexed LIMIT $1)",
        ] {
            gone += sqlx::query(sql).bind(PRUNED_AT_ONCE).execute(&self.writer).await?.rows_affected();
        }
        Ok(gone)
    }

    /// How many passages are in the index.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn passage_count(&self) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM passage").fetch_one(&self.reader).await?;
        Ok(count.unsigned_abs())
    }
}
