//! What was said and is to become passages: calls that are over, conversations in which it is quiet.

use sqlx::{Sqlite, Transaction};
use trunkline_core::Pii;

use super::passages::{NewPassage, Shelf, replace};
use super::{PassageKind, scope_of_contact};
use crate::store::timestamp;
use crate::{Store, StoreError};

/// What of one conversation or call is put into the index, in utterances: the latest.
const MAX_UTTERANCES: i64 = 2_000;

/// A call or a conversation that is not in the index as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unindexed {
    /// `Transcript` or `Conversation`.
    pub kind: PassageKind,
    /// The call or the conversation.
    pub source_id: String,
    /// When it last changed, in milliseconds.
    pub at: i64,
}

/// What was said in a call or a conversation.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// With whom; empty if it is gone.
    pub contact_id: String,
    /// The channel, as a lower-case word.
    pub channel: String,
    /// By the person or not, the words, and when: in order.
    pub said: Vec<(bool, Pii<String>, jiff::Timestamp)>,
}

impl Store {
    /// Calls that are over, and conversations that are closed or in which nothing has happened since `quiet_since`
    /// (milliseconds), that are not in the index as they stand: at most `limit`, the longest wait first.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn unindexed(&self, quiet_since: i64, limit: u32) -> Result<Vec<Unindexed>, StoreError> {
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT u.kind, u.source_id, u.at FROM unindexed u LEFT JOIN conversation c ON c.id = u.source_id
             WHERE u.kind = 'transcript' OR u.at <= $1 OR c.id IS NULL OR c.state = 'closed' ORDER BY u.at LIMIT $2",
        )
        .bind(quiet_since)
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?;
        let read = |(kind, source_id, at): (String, String, i64)| {
            Ok(Unindexed { kind: PassageKind::from_name(&kind)?, source_id, at })
        };
        rows.into_iter().map(read).collect()
    }

    /// What was said in a call or a conversation.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn source(&self, kind: PassageKind, source_id: &str) -> Result<Source, StoreError> {
        let (of_whom, said) = if kind == PassageKind::Transcript {
            (
                "SELECT contact_id, 'voice' FROM call WHERE id = $1",
                "SELECT is_person, text, at FROM (
                     SELECT TRUE AS is_person, t.person AS text, k.started_at + t.at_ms AS at, 2 * t.number AS place
                     FROM call_turn t JOIN call k ON k.id = t.call_id WHERE t.call_id = $1
                     UNION ALL
                     SELECT FALSE, t.agent, k.started_at + t.at_ms, 2 * t.number + 1
                     FROM call_turn t JOIN call k ON k.id = t.call_id WHERE t.call_id = $1
                 ) WHERE text <> '' ORDER BY place DESC LIMIT $2",
            )
        } else {
            (
                "SELECT contact_id, channel FROM conversation WHERE id = $1",
                "SELECT direction = 'in', body, created_at FROM message
                 WHERE conversation_id = $1 AND body <> '' AND removed_at IS NULL AND status <> 'failed'
                 ORDER BY place DESC, id DESC LIMIT $2",
            )
        };
        let whose: Option<(String, String)> =
            sqlx::query_as(of_whom).bind(source_id).fetch_optional(&self.reader).await?;
        let Some((contact_id, channel)) = whose else { return Ok(Source::default()) };
        let rows: Vec<(bool, String, i64)> =
            sqlx::query_as(said).bind(source_id).bind(MAX_UTTERANCES).fetch_all(&self.reader).await?;
        let read = |(is_person, text, at): (bool, String, i64)| {
            Ok((is_person, Pii::new(text), timestamp(at, "message.created_at")?))
        };
        let said = rows.into_iter().rev().map(read).collect::<Result<_, StoreError>>()?;
        Ok(Source { contact_id, channel, said })
    }

    /// Puts what was said in the place of what is in the index of it, to be kept for `keep_ms` after it was said. What
    /// has changed since it was read comes again.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been done; doing it again is harmless.
    pub async fn index_source(&self, of: &Unindexed, passages: &[NewPassage], keep_ms: i64) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await?;
        let done = sqlx::query("DELETE FROM unindexed WHERE kind = $1 AND source_id = $2 AND at = $3")
            .bind(of.kind.as_str())
            .bind(&of.source_id)
            .bind(of.at)
            .execute(&mut *transaction)
            .await?;
        // Whose it is now: the person may have been linked, or forgotten, since it was read.
        if done.rows_affected() > 0
            && let Some(contact_id) = contact_of_source(&mut transaction, of).await?
        {
            let shelf = Shelf {
                kind: of.kind,
                source_id: &of.source_id,
                contact_id: Some(&contact_id),
                scope: scope_of_contact(&contact_id),
                keep_ms: Some(keep_ms),
            };
            replace(&mut transaction, &shelf, passages).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

async fn contact_of_source(
    transaction: &mut Transaction<'_, Sqlite>,
    of: &Unindexed,
) -> Result<Option<String>, StoreError> {
    let sql = if of.kind == PassageKind::Transcript {
        "SELECT contact_id FROM call WHERE id = $1"
    } else {
        "SELECT contact_id FROM conversation WHERE id = $1"
    };
    Ok(sqlx::query_scalar(sql).bind(&of.source_id).fetch_optional(&mut **transaction).await?)
}
