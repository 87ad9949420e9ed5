//! Forgetting a person: everything that is theirs leaves every table, in one transaction.
//!
//! What stays is not about them any more: that somebody with an address of this (salted) hash wants nothing, so that a
//! person who said STOP is not written to because they were forgotten; and that conversations of this (salted) hash were
//! forgotten, so that a platform that still holds them does not bring them back.

use serde::{Deserialize, Serialize};
use sqlx::{Sqlite, Transaction};

use super::erased::{hide_consent, note_erased};
use super::{resolve, wire};
use crate::store::now_ms;
use crate::{Store, StoreError};

/// What was forgotten, for whoever holds more of it than the tables did.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// Names the erasure: the contact.
    pub id: String,
    /// The contact, and those that had become a part of it.
    pub contacts: Vec<String>,
    /// What tells that something is theirs: addresses, names of conversations, calls and messages.
    pub identifiers: Vec<String>,
    /// Connectors and their names for the conversations.
    pub conversations: Vec<(String, String)>,
    /// Calls, by the session's name.
    pub calls: Vec<String>,
    /// Names of recordings' files.
    pub recordings: Vec<String>,
    /// Hashes of files that nobody else refers to.
    pub files: Vec<String>,
    /// How many messages and turns of calls there were.
    pub utterances: u64,
}

type Conversation = (String, String, String);
type Call = (String, String, Option<String>);

impl Store {
    /// Forgets a person. Nothing of them is left in the tables, but for what is still to be done: the outcome names what
    /// others hold (files, recordings, copies on the bus), and is kept until
    /// [`finish_erasure`](Store::finish_erasure) says that it is done. What is left in files of the database is what
    /// [`wipe`](Store::wipe) is for.
    ///
    /// # Errors
    /// `store.not_found`; `store.in_call` while a call with them goes on; `store.unavailable`.
    ///
    /// # Cancel safety
    /// They may have been forgotten; what is left to do is then among [`erasures`](Store::erasures).
    pub async fn erase_contact(&self, contact_id: &str) -> Result<Erasure, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let id = resolve(&mut transaction, contact_id).await?.ok_or(StoreError::NotFound { what: "contact" })?;
        let in_call: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM call WHERE contact_id = $1 AND ended_at IS NULL LIMIT 1")
                .bind(&id)
                .fetch_optional(&mut *transaction)
                .await?;
        if in_call.is_some() {
            return Err(StoreError::InCall);
        }
        let mut erasure = Erasure::default();
        conversations(&mut transaction, &id, &mut erasure).await?;
        calls(&mut transaction, &id, &mut erasure).await?;
        addresses(&mut transaction, &id, &mut erasure).await?;
        for sql in [
            "DELETE FROM passage WHERE contact_id = $1",
            "DELETE FROM contact_memory WHERE contact_id = $1",
            "DELETE FROM contact_address WHERE contact_id = $1",
        ] {
            sqlx::query(sql).bind(&id).execute(&mut *transaction).await?;
        }
        workflows(&mut transaction, &id, &erasure).await?;
        erasure.contacts = sqlx::query_scalar("DELETE FROM contact WHERE merged_into = $1 RETURNING id")
            .bind(&id)
            .fetch_all(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM contact WHERE id = $1").bind(&id).execute(&mut *transaction).await?;
        erasure.contacts.push(id.clone());
        erasure.id = id;
        let work = serde_json::to_string(&erasure).map_err(|_| StoreError::Unreadable { column: "erasure.work" })?;
        sqlx::query("INSERT INTO erasure (id, work) VALUES ($1, $2)")
            .bind(&erasure.id)
            .bind(work)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(erasure)
    }

    /// Erasures of which something is left to do, because an earlier run was cut off.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn erasures(&self) -> Result<Vec<Erasure>, StoreError> {
        let rows: Vec<String> =
            sqlx::query_scalar("SELECT work FROM erasure ORDER BY id").fetch_all(&self.reader).await?;
        let read = |work: &String| serde_json::from_str(work);
        rows.iter().map(read).collect::<Result<_, _>>().map_err(|_| StoreError::Unreadable { column: "erasure.work" })
    }

    /// Forgets whom an erasure is about: what others held of them is gone. What is left to do is to
    /// [`wipe`](Store::wipe), and it stays among [`erasures`](Store::erasures) until that is done too.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been noted; noting it again is harmless.
    pub async fn empty_erasure(&self, id: &str) -> Result<(), StoreError> {
        let bare = Erasure { id: id.to_owned(), ..Erasure::default() };
        let work = serde_json::to_string(&bare).map_err(|_| StoreError::Unreadable { column: "erasure.work" })?;
        sqlx::query("UPDATE erasure SET work = $2 WHERE id = $1").bind(id).bind(work).execute(&self.writer).await?;
        Ok(())
    }

    /// Notes that nothing is left to do of an erasure.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been noted; noting it again is harmless.
    pub async fn finish_erasure(&self, id: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM erasure WHERE id = $1").bind(id).execute(&self.writer).await?;
        Ok(())
    }
}

/// `Debug` shows how much, not whose.
impl std::fmt::Debug for Erasure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Erasure")
            .field("id", &self.id)
            .field("conversations", &self.conversations.len())
            .field("calls", &self.calls.len())
            .finish_non_exhaustive()
    }
}

async fn conversations(
    transaction: &mut Transaction<'_, Sqlite>,
    contact_id: &str,
    erasure: &mut Erasure,
) -> Result<(), StoreError> {
    let rows: Vec<Conversation> =
        sqlx::query_as("SELECT id, connector, external_id FROM conversation WHERE contact_id = $1")
            .bind(contact_id)
            .fetch_all(&mut **transaction)
            .await?;
    for (id, connector, external_id) in rows {
        let until = last_heard_of(transaction, &id, &connector, &external_id).await?;
        let files: Vec<String> = sqlx::query_scalar(
            "SELECT f.hash FROM message_media f JOIN message m ON m.id = f.message_id
             WHERE m.conversation_id = $1 AND f.hash IS NOT NULL
             UNION SELECT media_hash FROM outbox WHERE conversation_id = $1 AND media_hash IS NOT NULL",
        )
        .bind(&id)
        .fetch_all(&mut **transaction)
        .await?;
        for sql in [
            "DELETE FROM message_media WHERE message_id IN (SELECT id FROM message WHERE conversation_id = $1)",
            "DELETE FROM outbox WHERE conversation_id = $1",
            "DELETE FROM memory WHERE conversation_id = $1",
            "DELETE FROM messaging_session WHERE conversation_id = $1",
            "DELETE FROM tool_call WHERE conversation_id = $1",
            "DELETE FROM scheduled_text WHERE conversation_id = $1",
            "DELETE FROM conversation_summary WHERE conversation_id = $1",
        ] {
            sqlx::query(sql).bind(&id).execute(&mut **transaction).await?;
        }
        let messages: Vec<Option<String>> =
            sqlx::query_scalar("DELETE FROM message WHERE conversation_id = $1 RETURNING external_id")
                .bind(&id)
                .fetch_all(&mut **transaction)
                .await?;
        erasure.utterances += messages.len() as u64;
        for sql in ["DELETE FROM unindexed WHERE source_id = $1", "DELETE FROM conversation WHERE id = $1"] {
            sqlx::query(sql).bind(&id).execute(&mut **transaction).await?;
        }
        forget_files(transaction, files, erasure).await?;
        beside(transaction, &connector, &external_id).await?;
        note_erased(transaction, &connector, &external_id, until).await?;
        erasure.identifiers.extend([id, external_id.clone()]);
        erasure.conversations.push((connector, external_id));
    }
    Ok(())
}

/// The latest that a platform has told of a conversation, by its own clock: what is older is what is forgotten.
async fn last_heard_of(
    transaction: &mut Transaction<'_, Sqlite>,
    id: &str,
    connector: &str,
    external_id: &str,
) -> Result<i64, StoreError> {
    let at: Option<i64> = sqlx::query_scalar(
        "SELECT max(at) FROM (
             SELECT max(created_at) AS at FROM message WHERE conversation_id = $1 AND direction = 'in'
             UNION ALL SELECT max(changed_at) FROM participant WHERE connector = $2 AND conversation = $3
             UNION ALL SELECT max(changed_at) FROM conversation_name WHERE connector = $2 AND external_id = $3)",
    )
    .bind(id)
    .bind(connector)
    .bind(external_id)
    .fetch_one(&mut **transaction)
    .await?;
    Ok(at.unwrap_or_else(now_ms))
}

/// What is known of a conversation by its platform's name.
async fn beside(
    transaction: &mut Transaction<'_, Sqlite>,
    connector: &str,
    external_id: &str,
) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM participant WHERE connector = $1 AND conversation = $2",
        "DELETE FROM removed_message WHERE connector = $1 AND conversation = $2",
        "DELETE FROM conversation_name WHERE connector = $1 AND external_id = $2",
        // The web chat is a platform of our own; names of its conversations are nobody else's.
        "DELETE FROM chat_message WHERE $1 = 'webchat' AND chat_id = $2",
        "DELETE FROM chat WHERE $1 = 'webchat' AND id = $2",
    ] {
        sqlx::query(sql).bind(connector).bind(external_id).execute(&mut **transaction).await?;
    }
    Ok(())
}

/// Of these files, those that nobody refers to any more.
async fn forget_files(
    transaction: &mut Transaction<'_, Sqlite>,
    files: Vec<String>,
    erasure: &mut Erasure,
) -> Result<(), StoreError> {
    for hash in files {
        let gone = sqlx::query(
            "DELETE FROM media WHERE hash = $1
             AND NOT EXISTS (SELECT 1 FROM message_media WHERE hash = $1)
             AND NOT EXISTS (SELECT 1 FROM outbox WHERE media_hash = $1)",
        )
        .bind(&hash)
        .execute(&mut **transaction)
        .await?;
        if gone.rows_affected() > 0 {
            erasure.files.push(hash);
        }
    }
    Ok(())
}

async fn calls(
    transaction: &mut Transaction<'_, Sqlite>,
    contact_id: &str,
    erasure: &mut Erasure,
) -> Result<(), StoreError> {
    let rows: Vec<Call> = sqlx::query_as("SELECT id, external_id, recording FROM call WHERE contact_id = $1")
        .bind(contact_id)
        .fetch_all(&mut **transaction)
        .await?;
    for (id, external_id, recording) in rows {
        let turns =
            sqlx::query("DELETE FROM call_turn WHERE call_id = $1").bind(&id).execute(&mut **transaction).await?;
        erasure.utterances += turns.rows_affected();
        for sql in [
            "DELETE FROM tool_call WHERE call_id = $1",
            "DELETE FROM unindexed WHERE source_id = $1",
            "DELETE FROM call WHERE id = $1",
        ] {
            sqlx::query(sql).bind(&id).execute(&mut **transaction).await?;
        }
        erasure.recordings.extend(recording);
        erasure.identifiers.extend([id.clone(), external_id]);
        erasure.calls.push(id);
    }
    Ok(())
}

/// Runs of workflows that a person began or is named in, and facts that wait for some.
async fn workflows(
    transaction: &mut Transaction<'_, Sqlite>,
    contact_id: &str,
    erasure: &Erasure,
) -> Result<(), StoreError> {
    // One parameter however many there are.
    let identifiers = serde_json::to_string(&erasure.identifiers).unwrap_or_else(|_| "[]".to_owned());
    let contacts = "(SELECT id FROM contact WHERE id = $1 OR merged_into = $1)";
    // As a whole text of JSON, perhaps behind the name of a channel: a longer number is somebody else's.
    let names = |column: &str| {
        format!(
            "EXISTS (SELECT 1 FROM json_each($2) WHERE instr({column}, '\"' || value || '\"') > 0
                     OR instr({column}, ':' || value || '\"') > 0)"
        )
    };
    let (of_run, of_step, of_fact) = (names("workflow_run.event"), names("s.output"), names("workflow_fact.event"));
    for sql in [
        format!(
            "DELETE FROM workflow_run WHERE contact_id IN {contacts} OR {of_run}
             OR person IN (SELECT value FROM json_each($2) UNION SELECT 'whatsapp:' || value FROM json_each($2))
             OR EXISTS (SELECT 1 FROM workflow_step s WHERE s.run_id = workflow_run.id AND {of_step})"
        ),
        format!("DELETE FROM workflow_fact WHERE contact_id IN {contacts} OR {of_fact}"),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(contact_id).bind(&identifiers).execute(&mut **transaction).await?;
    }
    Ok(())
}

/// What others know by a person's address: decisions, and what they said in conversations that are not theirs.
async fn addresses(
    transaction: &mut Transaction<'_, Sqlite>,
    contact_id: &str,
    erasure: &mut Erasure,
) -> Result<(), StoreError> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT channel, address FROM contact_address WHERE contact_id = $1")
            .bind(contact_id)
            .fetch_all(&mut **transaction)
            .await?;
    for (channel, address) in rows {
        let wire = wire(&channel, &address);
        hide_consent(transaction, &wire).await?;
        for sql in [
            "DELETE FROM message_media WHERE message_id IN (SELECT id FROM message WHERE author = $1)",
            // It may have their words: it is made anew without them.
            "DELETE FROM conversation_summary WHERE $2 > 0
             AND conversation_id IN (SELECT conversation_id FROM message WHERE author = $1)",
            "UPDATE message SET author = '', body = '', media = '[]', removed_at = COALESCE(removed_at, $2),
                    updated_at = $2, answer = CASE answer WHEN 'waiting' THEN 'history' ELSE answer END
             WHERE author = $1",
            "DELETE FROM participant WHERE address = $1 AND $2 > 0",
            "DELETE FROM participant WHERE identity = $1 AND $2 > 0",
        ] {
            sqlx::query(sql).bind(&wire).bind(now_ms()).execute(&mut **transaction).await?;
        }
        if !erasure.identifiers.contains(&address) {
            erasure.identifiers.push(address);
        }
    }
    Ok(())
}
