//! Commands from outside of the gateway, made into rows of the outbox.

use sqlx::{Sqlite, Transaction};
use trunkline_core::Pii;

use crate::replies::say;
use crate::store::now_ms;
use crate::{Content, MediaRow, Reply, ReplyKind, Say, Store, StoreError, tool_journal};

/// Something that somebody outside wants to be said.
#[derive(Debug, Clone)]
pub struct NewCommand {
    /// The id that its row gets; the same for the same command.
    pub outbox_id: String,
    /// The connector.
    pub connector: String,
    /// Its name for the conversation.
    pub conversation: String,
    /// The messages that are answered, as the connector names them.
    pub in_reply_to: Vec<String>,
    /// What to say; empty says nothing, and the messages count as answered.
    pub body: Pii<String>,
    /// What is said behind that, each by itself, with nothing else in between.
    pub more: Vec<Pii<String>>,
    /// The template that says it, if one does.
    pub content: Option<Content>,
    /// The file that is sent along, if one is.
    pub media: Option<MediaRow>,
    /// Who speaks.
    pub author: String,
    /// The trace that it belongs to.
    pub traceparent: Option<String>,
}

impl NewCommand {
    /// The ids of its rows, in order: its own, and those of what is said behind it.
    pub fn outbox_ids(&self) -> impl Iterator<Item = String> {
        let behind = (1..=self.more.len()).map(|part| format!("{}.{part}", self.outbox_id));
        std::iter::once(self.outbox_id.clone()).chain(behind)
    }

    /// Whether anything is said at all.
    pub fn says_something(&self) -> bool {
        !self.body.expose().is_empty() || self.content.is_some() || self.media.is_some()
    }
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// Our name for the conversation.
    pub conversation_id: String,
    /// False if it was adopted before.
    pub is_new: bool,
}

impl Store {
    /// Makes a command a row of the outbox and marks what it answers, all or nothing, once.
    ///
    /// # Errors
    /// `store.not_found` if the conversation or a message is not recorded; `store.already_answered` if a message does
    /// not wait for an answer; `store.command_reused` if a command of this id said something else, or
    /// answered other messages; `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been adopted; adopting it again is harmless.
    pub async fn adopt(&self, command: &NewCommand) -> Result<Adopted, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let conversation_id: Option<String> =
            sqlx::query_scalar("SELECT id FROM conversation WHERE connector = $1 AND external_id = $2")
                .bind(&command.connector)
                .bind(&command.conversation)
                .fetch_optional(&mut *transaction)
                .await?;
        let conversation_id = conversation_id.ok_or(StoreError::NotFound { what: "conversation" })?;
        if is_adopted(&mut transaction, &conversation_id, command).await? {
            return Ok(Adopted { conversation_id, is_new: false });
        }
        let now = now_ms();
        for message in &command.in_reply_to {
            mark_answered(&mut transaction, &conversation_id, message, &command.outbox_id, now).await?;
        }
        if !command.in_reply_to.is_empty() {
            tool_journal::settle_all(&mut transaction, &conversation_id, &command.outbox_id).await?;
        }
        if command.says_something() {
            let reply = Reply {
                author: command.author.clone(),
                kind: ReplyKind::Command,
                traceparent: command.traceparent.clone(),
                ..Reply::of(&conversation_id)
            };
            let one =
                Say { body: command.body.clone(), content: command.content.clone(), media: command.media.clone() };
            let group = Some(command.outbox_id.as_str()).filter(|_| !command.more.is_empty());
            let behind = command.more.iter().map(|body| Say::text(body.clone()));
            for (one, outbox_id) in std::iter::once(one).chain(behind).zip(command.outbox_ids()) {
                say(&mut transaction, &reply, &one, &outbox_id, group, now).await?;
            }
        }
        sqlx::query("UPDATE conversation SET updated_at = $2 WHERE id = $1")
            .bind(&conversation_id)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Adopted { conversation_id, is_new: true })
    }
}

impl Store {
    /// The messages that a command has answered, as the connector names them.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn answered_by(&self, outbox_id: &str) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT external_id FROM message WHERE answered_by = $1 AND external_id IS NOT NULL ORDER BY place";
        Ok(sqlx::query_scalar(sql).bind(outbox_id).fetch_all(&self.reader).await?)
    }
}

/// Conversation, text, template, what is filled in there, and file of a row.
type Said = (String, String, Option<String>, Option<String>, Option<String>);

/// Whether the very same command was adopted before.
async fn is_adopted(
    transaction: &mut Transaction<'_, Sqlite>,
    conversation_id: &str,
    command: &NewCommand,
) -> Result<bool, StoreError> {
    let row: Option<Said> = sqlx::query_as(
        "SELECT conversation_id, body, content_sid, content_variables, media_hash FROM outbox WHERE id = $1",
    )
    .bind(&command.outbox_id)
    .fetch_optional(&mut **transaction)
    .await?;
    let marked: Vec<(String, Option<String>)> =
        sqlx::query_as("SELECT conversation_id, external_id FROM message WHERE answered_by = $1")
            .bind(&command.outbox_id)
            .fetch_all(&mut **transaction)
            .await?;
    let behind: Vec<String> =
        sqlx::query_scalar("SELECT body FROM outbox WHERE group_id = $1 AND id <> $1 ORDER BY rowid")
            .bind(&command.outbox_id)
            .fetch_all(&mut **transaction)
            .await?;
    let body = command.body.expose();
    let is_known = row.is_some() || !marked.is_empty();
    let said_the_same = match &row {
        Some((conversation, said, template, variables, media)) => {
            let content = command.content.as_ref();
            conversation == conversation_id
                && said == body
                && behind.iter().eq(command.more.iter().map(Pii::expose))
                && template.as_ref() == content.map(|content| &content.sid)
                && *variables == content.map(Content::variables_json)
                && media.as_ref() == command.media.as_ref().map(|media| &media.hash)
        }
        None => !command.says_something(),
    };
    // Messages that an operator has had treated again are not marked any more.
    let answered_the_same = marked.iter().all(|(conversation, message)| {
        conversation == conversation_id && message.as_ref().is_some_and(|message| command.in_reply_to.contains(message))
    });
    // Also when a text waits that it names: one more than before, or one that an operator has had treated again. To call
    // that done would leave it without an answer.
    if is_known
        && !(said_the_same && answered_the_same && !is_any_waiting(transaction, conversation_id, command).await?)
    {
        return Err(StoreError::CommandReused);
    }
    Ok(is_known)
}

async fn is_any_waiting(
    transaction: &mut Transaction<'_, Sqlite>,
    conversation_id: &str,
    command: &NewCommand,
) -> Result<bool, StoreError> {
    for message in &command.in_reply_to {
        let waiting: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM message WHERE conversation_id = $1 AND external_id = $2 AND answer = 'waiting'",
        )
        .bind(conversation_id)
        .bind(message)
        .fetch_optional(&mut **transaction)
        .await?;
        if waiting.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn mark_answered(
    transaction: &mut Transaction<'_, Sqlite>,
    conversation_id: &str,
    message: &str,
    outbox_id: &str,
    now: i64,
) -> Result<(), StoreError> {
    let marked = sqlx::query(
        "UPDATE message SET answer = 'answered', answered_by = $3, updated_at = $4
         WHERE conversation_id = $1 AND external_id = $2 AND answer = 'waiting'",
    )
    .bind(conversation_id)
    .bind(message)
    .bind(outbox_id)
    .bind(now)
    .execute(&mut **transaction)
    .await?;
    if marked.rows_affected() == 1 {
        return Ok(());
    }
    let known: Option<i64> = sqlx::query_scalar(
        "SELECT 1 FROM message WHERE conversation_id = $1 AND external_id = $2 AND direction = 'in'",
    )
    .bind(conversation_id)
    .bind(message)
    .fetch_optional(&mut **transaction)
    .await?;
    Err(if known.is_some() { StoreError::AlreadyAnswered } else { StoreError::NotFound { what: "message" } })
}
