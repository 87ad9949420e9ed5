//! What agents did for their answers: calls of tools.

use jiff::Timestamp;
use sqlx::{FromRow, Sqlite, Transaction};
use trunkline_core::Pii;

use crate::store::{now_ms, timestamp};
use crate::{Store, StoreError};

/// One call of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCallRow {
    /// The turn that it was made for.
    pub turn: String,
    /// Which call of the turn, from 0.
    pub number: i64,
    /// The tool.
    pub tool: String,
    /// What it was given, JSON.
    pub arguments: Pii<String>,
    /// What it gave, or what the model was told of its failure.
    pub result: Pii<String>,
    /// Why it failed.
    pub error_code: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// When it ended.
    pub created_at: Timestamp,
}

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
    /// It had effects, which count only with its answer.
    pub has_effects: bool,
}

/// A call that acted, and that no answer has told of.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct OpenToolCall {
    /// Its name.
    pub key: String,
    /// The tool.
    pub tool: String,
    /// What it was given, JSON.
    pub arguments: String,
    /// What it gave.
    pub result: String,
    /// Why it failed, or that its end is not known.
    pub error_code: Option<String>,
    /// It had effects, which are lost.
    pub has_effects: bool,
}

/// Calls that are told of one conversation or telephone call at once.
const MAX_TOLD: i64 = 500;
/// Calls that a try is told of; the latest.
const MAX_OPEN: i64 = 64;
/// What settles a call that no message of ours tells of.
const NOTHING: &str = "nothing";
/// What settles a call that was told of in a telephone call.
const HEARD: &str = "heard";

#[derive(FromRow)]
struct Row {
    turn: String,
    number: i64,
    tool: String,
    arguments: String,
    result: String,
    error_code: Option<String>,
    duration_ms: i64,
    created_at: i64,
}

const SELECT: &str = "SELECT turn, number, tool, arguments, result, error_code, duration_ms, created_at FROM tool_call";

impl Store {
    /// The latest tool calls of a conversation, oldest first.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn tool_calls(&self, conversation_id: &str) -> Result<Vec<ToolCallRow>, StoreError> {
        self.told("conversation_id", conversation_id).await
    }

    /// The latest tool calls of a telephone call, oldest first.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn tool_calls_of_call(&self, call_id: &str) -> Result<Vec<ToolCallRow>, StoreError> {
        self.told("call_id", call_id).await
    }

    /// Keeps the tool calls of an answer in a telephone call.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Some may have been kept; keeping them again changes nothing.
    pub async fn keep_tool_calls_of_call(&self, call_id: &str, calls: &[ToolCallRow]) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await?;
        keep(&mut transaction, None, Some(call_id), calls).await?;
        transaction.commit().await?;
        Ok(())
    }

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
            "UPDATE tool_call SET result = $3, error_code = $4, duration_ms = $5, created_at = $6,
                                  acts = CASE WHEN acts > 0 AND $7 THEN 2 ELSE acts END
             WHERE turn = $1 AND number = $2",
        )
        .bind(turn)
        .bind(number)
        .bind(end.result)
        .bind(end.error_code)
        .bind(end.duration_ms)
        .bind(now_ms())
        .bind(end.has_effects)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// The latest calls that acted and that no answer has told of, oldest first.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn open_tool_calls(&self, place: ToolPlace<'_>) -> Result<Vec<OpenToolCall>, StoreError> {
        let (column, id) = match place {
            ToolPlace::Conversation(id) => ("conversation_id", id),
            ToolPlace::Call(id) => ("call_id", id),
        };
        let sql = format!(
            "SELECT key, tool, arguments, result, error_code, acts = 2 AS has_effects FROM tool_call
             WHERE {column} = $1 AND acts > 0 AND settled_by IS NULL ORDER BY created_at DESC, number DESC LIMIT $2"
        );
        let mut open: Vec<OpenToolCall> =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).bind(MAX_OPEN).fetch_all(&self.reader).await?;
        open.reverse();
        Ok(open)
    }

    /// What tools did in a telephone call was told of.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been done; doing it again is harmless.
    pub async fn settle_tool_calls_of_call(&self, call_id: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE tool_call SET settled_by = $2 WHERE call_id = $1 AND acts > 0 AND settled_by IS NULL")
            .bind(call_id)
            .bind(HEARD)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    async fn told(&self, column: &str, id: &str) -> Result<Vec<ToolCallRow>, StoreError> {
        let sql = format!("{SELECT} WHERE {column} = $1 ORDER BY created_at DESC, number DESC LIMIT $2");
        let rows: Vec<Row> =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).bind(MAX_TOLD).fetch_all(&self.reader).await?;
        rows.into_iter().rev().map(told).collect()
    }
}

fn told(row: Row) -> Result<ToolCallRow, StoreError> {
    Ok(ToolCallRow {
        turn: row.turn,
        number: row.number,
        tool: row.tool,
        arguments: Pii::new(row.arguments),
        result: Pii::new(row.result),
        error_code: row.error_code,
        duration_ms: row.duration_ms,
        created_at: timestamp(row.created_at, "tool_call.created_at")?,
    })
}

/// An answer tells of what tools did in a conversation: the one that begins with this row, if it says anything.
pub(crate) async fn settle(
    transaction: &mut Transaction<'_, Sqlite>,
    conversation_id: &str,
    outbox_id: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE tool_call SET settled_by = $2 WHERE conversation_id = $1 AND acts > 0 AND settled_by IS NULL")
        .bind(conversation_id)
        .bind(outbox_id.unwrap_or(NOTHING))
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

pub(crate) async fn keep(
    transaction: &mut Transaction<'_, Sqlite>,
    conversation_id: Option<&str>,
    call_id: Option<&str>,
    calls: &[ToolCallRow],
) -> Result<(), StoreError> {
    for call in calls {
        sqlx::query(
            "INSERT INTO tool_call
                 (turn, number, conversation_id, call_id, tool, arguments, result, error_code, duration_ms, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
        )
        .bind(&call.turn)
        .bind(call.number)
        .bind(conversation_id)
        .bind(call_id)
        .bind(&call.tool)
        .bind(call.arguments.expose())
        .bind(call.result.expose())
        .bind(&call.error_code)
        .bind(call.duration_ms)
        .bind(call.created_at.as_millisecond())
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}
