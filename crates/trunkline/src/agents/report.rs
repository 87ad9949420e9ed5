//! What agents report of themselves, as rows of the store.

use jiff::Timestamp;
use trunkline_agent::tools::{MAX_ARGUMENT_BYTES, ToolError, ToolReport};
use trunkline_core::Pii;
use trunkline_store::ToolCallRow;

use crate::telemetry::Metrics;

/// What is kept of what a tool was given: all that a tool takes.
pub(super) fn kept_arguments(arguments: &str) -> &str {
    arguments.get(..arguments.floor_char_boundary(MAX_ARGUMENT_BYTES)).unwrap_or_default()
}

/// The tool calls of a turn that no journal has kept: counted, and ready to be kept.
pub(crate) fn tool_calls(metrics: &Metrics, turn: &str, reports: Vec<ToolReport>) -> Vec<ToolCallRow> {
    let now = Timestamp::now();
    let row = |report: ToolReport| {
        metrics.tool_called(&report);
        ToolCallRow {
            turn: turn.to_owned(),
            number: i64::try_from(report.number).unwrap_or(i64::MAX),
            tool: report.tool,
            arguments: Pii::new(kept_arguments(report.arguments.expose()).to_owned()),
            result: report.result,
            error_code: report.error_code.map(str::to_owned),
            duration_ms: i64::try_from(report.duration.as_millis()).unwrap_or(i64::MAX),
            created_at: now,
        }
    };
    let is_worth = |row: &ToolCallRow| row.error_code.as_deref() != Some(ToolError::OverBudget.code());
    // A model may ask for any number of calls; what is not made any more is counted and not kept.
    reports.into_iter().filter(|report| !report.is_kept).map(row).filter(is_worth).collect()
}
