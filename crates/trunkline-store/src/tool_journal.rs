//! The journal of tool calls: written before a tool is called and when it has ended, open until an answer takes account
//! of it.

use jiff::Timestamp;
use sqlx::{FromRow, Sqlite, Transaction};
use trunkline_core::Pii;

use crate::store::{now_ms, timestamp};
use crate::{Store, StoreError};

/// Where tools are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolPlace<'a> {
    /// A conversation, by our name for it.
    Conversation(&'a str),
    /// A telephone call, by our name for it.
    Call(&'a str),
}

/// A call of a tool that is about to be made.
#[derive(Debug, Clone)]
pub struct NewToolCall<'a> {
    /// Where.
    pub place: ToolPlace<'a>,
    /// The turn that it is made for.
    pub turn: &'a str,
    /// Its name, which the tool is told.
    pub key: &'a str,
    /// The tool.
    pub tool: &'a str,
    /// What it is given, JSON.
    pub arguments: &'a str,
    /// It may change something outside.
    pub acts: bool,
    /// The code that says that its end is not known.
    pub unfinished: &'static str,
}

/// How a call of a tool has ended.
#[derive(Debug, Clone)]
pub struct ToolCallEnd<'a> {
    /// What the model is told.
    pub result: &'a str,
    /// Why it failed.
    pub error_code: Option<&'a str>,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// What it is to change of the conversation, as JSON; nothing if it changes nothing.
    pub effects: Option<&'a str>,
}

/// A call that acted, and that no answer has taken account of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenToolCall {
    /// The turn that it was made for.
    pub turn: String,
    /// Its name.
    pub key: String,
    /// The tool.
    pub tool: String,
    /// What it was given, JSON.
    pub arguments: Pii<String>,
    /// What it gave.
    pub result: Pii<String>,
    /// Why it failed, or that its end is not known.
    pub error_code: Option<String>,
    /// What it is to change of the conversation, as JSON.
    pub effects: Option<Pii<String>>,
    /// When it ended, or else began.
    pub at: Timestamp,
}

#[derive(FromRow)]
struct OpenRow {
    turn: String,
    key: String,
    tool: String,
    arguments: String,
    result: String,
    error_code: Option<String>,
    effects: Option<String>,
    created_at: i64,
}

/// Open calls that are looked at; the latest.
const MAX_OPEN: i64 = 128;
/// For how long calls of other conversations and telephone calls with the person, which are over, are open, in
/// milliseconds: a day.
const OPEN_ELSEWHERE_MS: i64 = 24 * 3_600_000;
/// What settles a call that no message of ours tells of.
const NOTHING: &str = "nothing";
/// What settles a call that was told to turns that were given up.
const GIVEN_UP: &str = "given_up";

/// The rows of calls that are open in a conversation or call ($1, of the person $2), and in what is over since $3.
const OPEN: &str = "
SELECT rowid FROM tool_call WHERE COLUMN = $1 AND acts = 1 AND settled_by IS NULL
UNION
SELECT t.rowid FROM tool_call t JOIN conversation c ON c.id = t.conversation_id
WHERE c.contact_id = $2 AND c.state = 'closed' AND t.acts = 1 AND t.settled_by IS NULL AND t.created_at > $3
UNION
SELECT t.rowid FROM tool_call t JOIN call c ON c.id = t.call_id
WHERE c.contact_id = $2 AND c.ended_at IS NOT NULL AND t.acts = 1 AND t.settled_by IS NULL AND t.created_at > $3";

impl Store {
    /// Writes down that a tool is about to be called; returns the call's number in its turn.
    ///
    /// # Errors
    /// `store.unavailable`, also when there is no such conversation or telephone call.
    ///
    /// # Cancel safety
    /// It may have been written down.
    pub async fn begin_tool_call(&self, new: &NewToolCall<'_>) -> Result<i64, StoreError> {
        let (conversation, call) = match new.place {
            ToolPlace::Conversation(id) => (Some(id), None),
            ToolPlace::Call(id) => (None, Some(id)),
        };
        let number = sqlx::query_scalar(
            "INSERT INTO tool_call (turn, number, conversation_id, call_id, tool, arguments, result, error_code,
                                    duration_ms, created_at, key, acts)
             VALUES ($1, (SELECT COALESCE(max(number) + 1, 0) FROM tool_call WHERE turn = $1), $2, $3, $4, $5, '', $6,
                     0, $7, $8, $9)
             RETURNING number",
        )
        .bind(new.turn)
        .bind(conversation)
        .bind(call)
        .bind(new.tool)
        .bind(new.arguments)
        .bind(new.unfinished)
        .bind(now_ms())
        .bind(new.key)
        .bind(i64::from(new.acts))
        .fetch_one(&self.writer)
        .await?;
        Ok(number)
    }

    /// Writes down how a call of a tool has ended. One that is not known any more stays so.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been written down.
    pub async fn end_tool_call(&self, turn: &str, number: i64, end: &ToolCallEnd<'_>) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE tool_call SET result = $3, error_code = $4, duration_ms = $5, created_at = $6, effects = $7
             WHERE turn = $1 AND number = $2",
        )
        .bind(turn)
        .bind(number)
        .bind(end.result)
        .bind(end.error_code)
        .bind(end.duration_ms)
        .bind(now_ms())
        .bind(end.effects)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// The latest calls that acted and that no answer has taken account of, oldest first: those of this conversation or
    /// call, and those of a day of what is over with the person.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn open_tool_calls(
        &self,
        place: ToolPlace<'_>,
        contact_id: &str,
    ) -> Result<Vec<OpenToolCall>, StoreError> {
        let sql = format!(
            "SELECT turn, key, tool, arguments, result, error_code, effects, created_at FROM tool_call
             WHERE rowid IN ({}) ORDER BY created_at DESC, number DESC LIMIT $4",
            open(place)
        );
        let rows: Vec<OpenRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(place.id())
            .bind(contact_id)
            .bind(now_ms() - OPEN_ELSEWHERE_MS)
            .bind(MAX_OPEN)
            .fetch_all(&self.reader)
            .await?;
        let read = |row: OpenRow| {
            Ok(OpenToolCall {
                turn: row.turn,
                key: row.key,
                tool: row.tool,
                arguments: Pii::new(row.arguments),
                result: Pii::new(row.result),
                error_code: row.error_code,
                effects: row.effects.map(Pii::new),
                at: timestamp(row.created_at, "tool_call.created_at")?,
            })
        };
        rows.into_iter().rev().map(read).collect()
    }

    /// An answer that was heard has taken account of the calls of these names.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been done; doing it again is harmless.
    pub async fn settle_tool_calls(&self, keys: &[String]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut transaction = self.writer.begin().await?;
        settle(&mut transaction, keys, None).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// A turn of a telephone call came to nothing. What it was told of, or has done, is told to one more.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been noted.
    pub async fn turn_of_call_failed(&self, call_id: &str) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await?;
        give_up(&mut transaction, ToolPlace::Call(call_id)).await?;
        transaction.commit().await?;
        Ok(())
    }
}

impl ToolPlace<'_> {
    const fn id(&self) -> &str {
        match self {
            Self::Conversation(id) | Self::Call(id) => id,
        }
    }

    const fn column(self) -> &'static str {
        match self {
            Self::Conversation(_) => "conversation_id",
            Self::Call(_) => "call_id",
        }
    }
}

fn open(place: ToolPlace<'_>) -> String {
    OPEN.replace("COLUMN", place.column())
}

/// An answer takes account of the calls of these names: the one that begins with this row, if it says anything.
pub(crate) async fn settle(
    transaction: &mut Transaction<'_, Sqlite>,
    keys: &[String],
    outbox_id: Option<&str>,
) -> Result<(), StoreError> {
    for key in keys {
        sqlx::query("UPDATE tool_call SET settled_by = $2 WHERE key = $1 AND acts = 1 AND settled_by IS NULL")
            .bind(key)
            .bind(outbox_id.unwrap_or(NOTHING))
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

/// A person of ours has dealt with a conversation, whatever tools did before.
pub(crate) async fn settle_all(
    transaction: &mut Transaction<'_, Sqlite>,
    conversation_id: &str,
    outbox_id: &str,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE tool_call SET settled_by = $2 WHERE conversation_id = $1 AND acts = 1 AND settled_by IS NULL")
        .bind(conversation_id)
        .bind(outbox_id)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// A turn was given up. Calls that one before it was told of are told of no more: they may be why.
pub(crate) async fn give_up(transaction: &mut Transaction<'_, Sqlite>, place: ToolPlace<'_>) -> Result<(), StoreError> {
    let table = match place {
        ToolPlace::Conversation(_) => "conversation",
        ToolPlace::Call(_) => "call",
    };
    let contact: Option<String> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT contact_id FROM {table} WHERE id = $1")))
            .bind(place.id())
            .fetch_optional(&mut **transaction)
            .await?;
    let sql = format!(
        "UPDATE tool_call SET given_up = given_up + 1, settled_by = CASE WHEN given_up > 0 THEN '{GIVEN_UP}' END
         WHERE rowid IN ({})",
        open(place)
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(place.id())
        .bind(contact)
        .bind(now_ms() - OPEN_ELSEWHERE_MS)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// What was done for a message whose turn was given up is told when it is treated again.
pub(crate) async fn reopen_of_message(
    transaction: &mut Transaction<'_, Sqlite>,
    message_id: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE tool_call SET settled_by = NULL, given_up = 0
         WHERE acts = 1 AND turn = (SELECT given_up_turn FROM message WHERE id = $1)",
    )
    .bind(message_id)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The answer that begins with this row is taken back.
pub(crate) async fn reopen(transaction: &mut Transaction<'_, Sqlite>, outbox_id: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE tool_call SET settled_by = NULL WHERE settled_by = $1")
        .bind(outbox_id)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
