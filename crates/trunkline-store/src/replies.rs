//! Committing what an agent said, and taking it back while it is still unsent.

use std::collections::BTreeMap;

use sqlx::{Sqlite, Transaction};
use trunkline_core::Pii;

use crate::memory::remember;
use crate::store::{new_id, now_ms};
use crate::{Care, MediaRow, Store, StoreError, ToolCallRow, ToolPlace, care, tool_calls, tool_journal};

/// Why something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyKind {
    /// An agent's answer. May be superseded while it is unsent.
    Answer,
    /// What somebody outside of the gateway had us say. Never superseded: only they know whether it still holds.
    Command,
    /// What a person hears when a turn was given up. Never superseded: it is said once.
    Apology,
    /// What confirms a keyword: the one thing that whoever wants nothing more still hears.
    Keyword,
    /// A message again, as a template, because it came too late to be sent as it was.
    Template,
}

impl ReplyKind {
    /// The lower-case word in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Command => "command",
            Self::Apology => "apology",
            Self::Keyword => "keyword",
            Self::Template => "template",
        }
    }
}

/// A template that is sent in place of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// The provider's name for it.
    pub sid: String,
    /// What is filled in, by the names of its places.
    pub variables: Pii<BTreeMap<String, String>>,
}

impl Content {
    pub(crate) fn variables_json(&self) -> String {
        serde_json::to_string(self.variables.expose()).unwrap_or_else(|_| "{}".to_owned())
    }
}

/// One message of a reply.
#[derive(Debug, Clone, Default)]
pub struct Say {
    /// What to say.
    pub body: Pii<String>,
    /// The template that says it, if one does.
    pub content: Option<Content>,
    /// The file that is sent along, if one is.
    pub media: Option<MediaRow>,
}

impl Say {
    /// A text.
    pub fn text(body: Pii<String>) -> Self {
        Self { body, ..Self::default() }
    }
}

/// What a turn came to.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Our name for the conversation.
    pub conversation_id: String,
    /// The messages that it answers, by our names.
    pub answers: Vec<String>,
    /// What to say, message by message; nothing is said if there is none, and the messages count as answered.
    pub says: Vec<Say>,
    /// Who speaks.
    pub author: String,
    /// Why.
    pub kind: ReplyKind,
    /// What to remember.
    pub memories: BTreeMap<String, String>,
    /// Who answers from now on.
    pub care: Care,
    /// The tools that were called for it, as far as they are not kept yet.
    pub tool_calls: Vec<ToolCallRow>,
    /// The names of the calls that it takes account of.
    pub accounts_for: Vec<String>,
    /// The turn that it ends, if it does.
    pub turn: Option<String>,
    /// The trace of the turn.
    pub traceparent: Option<String>,
}

impl Reply {
    /// An answer in a conversation that says nothing yet, to nothing.
    pub fn of(conversation_id: impl Into<String>) -> Self {
        Self {
            conversation_id: conversation_id.into(),
            answers: Vec::new(),
            says: Vec::new(),
            author: String::new(),
            kind: ReplyKind::Answer,
            memories: BTreeMap::new(),
            care: Care::Same,
            tool_calls: Vec::new(),
            accounts_for: Vec::new(),
            turn: None,
            traceparent: None,
        }
    }
}

impl Store {
    /// Commits a reply, the messages that it answers, what is remembered, and its outbox rows, all or nothing. Returns
    /// the ids of the rows, in the order of what is said. They are sent in that order, with nothing in between.
    ///
    /// # Errors
    /// `store.already_answered` if one of the messages is not waiting any more; `store.handed_over` if a person of ours has
    /// taken the conversation over; `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been committed; committing it again is refused.
    pub async fn commit_reply(&self, reply: &Reply) -> Result<Vec<String>, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let now = now_ms();
        let handed_over: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM conversation WHERE id = $1 AND handed_over_at IS NOT NULL")
                .bind(&reply.conversation_id)
                .fetch_optional(&mut *transaction)
                .await?;
        if handed_over.is_some() {
            return Err(StoreError::HandedOver);
        }
        let outbox_ids: Vec<_> = reply.says.iter().map(|_| new_id()).collect();
        let first = outbox_ids.first();
        for message_id in &reply.answers {
            let marked = sqlx::query(
                "UPDATE message SET answer = 'answered', answered_by = $3, updated_at = $4
                 WHERE id = $1 AND conversation_id = $2 AND answer = 'waiting'",
            )
            .bind(message_id)
            .bind(&reply.conversation_id)
            .bind(first)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
            if marked.rows_affected() != 1 {
                return Err(StoreError::AlreadyAnswered);
            }
        }
        remember(&mut transaction, &reply.conversation_id, &reply.memories).await?;
        care::change(&mut transaction, &reply.conversation_id, &reply.care).await?;
        tool_calls::keep(&mut transaction, Some(&reply.conversation_id), None, &reply.tool_calls).await?;
        if reply.kind == ReplyKind::Apology {
            tool_journal::give_up(&mut transaction, ToolPlace::Conversation(&reply.conversation_id)).await?;
            for message_id in &reply.answers {
                sqlx::query("UPDATE message SET given_up_turn = $2 WHERE id = $1")
                    .bind(message_id)
                    .bind(&reply.turn)
                    .execute(&mut *transaction)
                    .await?;
            }
        } else {
            tool_journal::settle(&mut transaction, &reply.accounts_for, first.map(String::as_str)).await?;
        }
        let group = first.filter(|_| outbox_ids.len() > 1).map(String::as_str);
        for (one, outbox_id) in reply.says.iter().zip(&outbox_ids) {
            say(&mut transaction, reply, one, outbox_id, group, now).await?;
        }
        sqlx::query("UPDATE conversation SET updated_at = $2 WHERE id = $1")
            .bind(&reply.conversation_id)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(outbox_ids)
    }

    /// Takes back the answers of a conversation that nobody has begun to send: whole ones, not the rest of one whose first
    /// part is out. The messages that they answered wait again. Returns how many messages of ours were taken back.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been done; doing it again is harmless.
    pub async fn supersede(&self, conversation_id: &str) -> Result<usize, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let taken = take_back(&mut transaction, conversation_id, None, now_ms()).await?;
        transaction.commit().await?;
        Ok(taken)
    }
}

/// Takes back the answers of a conversation that nobody has begun to send, or `only` the one that begins with this row.
/// Returns how many messages of ours that were.
pub(crate) async fn take_back(
    transaction: &mut Transaction<'_, Sqlite>,
    conversation_id: &str,
    only: Option<&str>,
    now: i64,
) -> Result<usize, StoreError> {
    let taken: Vec<String> = sqlx::query_scalar(
        "UPDATE outbox SET state = 'superseded', updated_at = $2
         WHERE conversation_id = $1 AND state = 'pending' AND kind = 'answer' AND attempts = 0
           AND ($3 IS NULL OR id = $3 OR group_id = $3)
           AND (group_id IS NULL OR NOT EXISTS (
               SELECT 1 FROM outbox other WHERE other.group_id = outbox.group_id
                                            AND (other.state <> 'pending' OR other.attempts > 0)))
         RETURNING id",
    )
    .bind(conversation_id)
    .bind(now)
    .bind(only)
    .fetch_all(&mut **transaction)
    .await?;
    for outbox_id in &taken {
        sqlx::query("DELETE FROM message_media WHERE message_id IN (SELECT id FROM message WHERE outbox_id = $1)")
            .bind(outbox_id)
            .execute(&mut **transaction)
            .await?;
        sqlx::query("DELETE FROM message WHERE outbox_id = $1").bind(outbox_id).execute(&mut **transaction).await?;
        tool_journal::reopen(transaction, outbox_id).await?;
        sqlx::query(
            "UPDATE message SET answer = 'waiting', answered_by = NULL, updated_at = $2 WHERE answered_by = $1",
        )
        .bind(outbox_id)
        .bind(now)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(taken.len())
}

pub(crate) async fn say(
    transaction: &mut Transaction<'_, Sqlite>,
    reply: &Reply,
    one: &Say,
    outbox_id: &str,
    group: Option<&str>,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO outbox (id, conversation_id, kind, body, state, attempts, traceparent, created_at, updated_at,
                             group_id, content_sid, content_variables, media_hash)
         VALUES ($1, $2, $3, $4, 'pending', 0, $5, $6, $6, $7, $8, $9, $10)",
    )
    .bind(outbox_id)
    .bind(&reply.conversation_id)
    .bind(reply.kind.as_str())
    .bind(one.body.expose())
    .bind(&reply.traceparent)
    .bind(now)
    .bind(group)
    .bind(one.content.as_ref().map(|content| &content.sid))
    .bind(one.content.as_ref().map(Content::variables_json))
    .bind(one.media.as_ref().map(|media| &media.hash))
    .execute(&mut **transaction)
    .await?;
    let message_id = new_id();
    let media: Vec<_> = one.media.iter().map(MediaRow::reference).collect();
    sqlx::query(
        "INSERT INTO message (id, conversation_id, direction, author, body, media, status, status_rank, outbox_id,
                              traceparent, created_at, updated_at, place)
         VALUES ($1, $2, 'out', $3, $4, $8, 'queued', 0, $5, $6, $7, $7,
                 (SELECT COALESCE(max(place), -1) + 1 FROM message WHERE conversation_id = $2))",
    )
    .bind(&message_id)
    .bind(&reply.conversation_id)
    .bind(&reply.author)
    .bind(one.body.expose())
    .bind(outbox_id)
    .bind(&reply.traceparent)
    .bind(now)
    .bind(serde_json::to_string(&media).unwrap_or_else(|_| "[]".to_owned()))
    .execute(&mut **transaction)
    .await?;
    if let Some(media) = &one.media {
        sqlx::query("INSERT INTO message_media (message_id, position, hash, updated_at) VALUES ($1, 0, $2, $3)")
            .bind(&message_id)
            .bind(&media.hash)
            .bind(now)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}
