//! What agents did for their answers: calls of tools.

use jiff::Timestamp;
use sqlx::{FromRow, Sqlite, Transaction};
use trunkline_core::Pii;

use crate::store::timestamp;
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

/// Calls that are told of one conversation or telephone call at once.
const MAX_TOLD: i64 = 500;
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
