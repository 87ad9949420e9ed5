//! What agents report of themselves, as rows of the store.

use jiff::Timestamp;
use trunkline_agent::tools::ToolReport;
use trunkline_core::Pii;
use trunkline_store::ToolCallRow;

use crate::telemetry::Metrics;

/// What a model wrote for a tool is kept up to this many bytes.
const MAX_KEPT_ARGUMENTS: usize = 16 << 10;

/// The tool calls of a turn: counted, and ready to be kept.
pub(crate) fn tool_calls(metrics: &Metrics, turn: &str, reports: Vec<ToolReport>) -> Vec<ToolCallRow> {
    let now = Timestamp::now();
    let row = |report: ToolReport| {
        metrics.tool_called(&report);
        let mut arguments = report.arguments.into_inner();
        arguments.truncate(arguments.floor_char_boundary(MAX_KEPT_ARGUMENTS));
        ToolCallRow {
            turn: turn.to_owned(),
            number: i64::try_from(report.number).unwrap_or(i64::MAX),
            tool: report.tool,
            arguments: Pii::new(arguments),
            result: report.result,
            error_code: report.error_code.map(str::to_owned),
            duration_ms: i64::try_from(report.duration.as_millis()).unwrap_or(i64::MAX),
            created_at: now,
        }
    };
    reports.into_iter().map(row).collect()
}
