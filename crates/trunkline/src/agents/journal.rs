//! The journal of tool calls, in the store.

use async_trait::async_trait;
use trunkline_agent::tools::{JournalError, MadeCall, ToolCall, ToolContext, ToolError, ToolJournal, ToolReport};
use trunkline_core::{Channel, Pii};
use trunkline_store::{NewToolCall, Store, StoreError, ToolCallEnd, ToolPlace};

use super::report::kept_arguments;
use crate::live::Live;
use crate::telemetry::Metrics;

/// Keeps calls of tools with the conversations and telephone calls that they are made for.
pub(crate) struct StoreJournal {
    store: Store,
    metrics: Metrics,
    live: Live,
}

impl StoreJournal {
    pub(crate) const fn new(store: Store, metrics: Metrics, live: Live) -> Self {
        Self { store, metrics, live }
    }

    fn changed(&self, context: &ToolContext) {
        match place(context) {
            ToolPlace::Conversation(id) => self.live.changed(id),
            ToolPlace::Call(_) => self.live.calls_changed(),
        }
    }
}

fn place(context: &ToolContext) -> ToolPlace<'_> {
    match context.channel {
        Channel::Voice => ToolPlace::Call(&context.conversation),
        _ => ToolPlace::Conversation(&context.conversation),
    }
}

fn failed(error: &StoreError) -> JournalError {
    tracing::error!(error.code = error.code(), "the journal of tool calls cannot be used");
    JournalError
}

#[async_trait]
impl ToolJournal for StoreJournal {
    async fn made(&self, context: &ToolContext) -> Result<Vec<MadeCall>, JournalError> {
        let open = self.store.open_tool_calls(place(context)).await.map_err(|error| failed(&error))?;
        let made = open.into_iter().map(|one| MadeCall {
            key: one.key,
            tool: one.tool,
            arguments: Pii::new(one.arguments),
            result: Pii::new(one.result),
            error_code: one.error_code,
            lost_effects: one.has_effects,
        });
        Ok(made.collect())
    }

    async fn begins(&self, context: &ToolContext, call: &ToolCall, acts: bool) -> Result<usize, JournalError> {
        let new = NewToolCall {
            place: place(context),
            turn: &context.turn,
            key: &context.key,
            tool: &call.name,
            arguments: kept_arguments(call.arguments.expose()),
            acts,
            unfinished: ToolError::Unfinished.code(),
        };
        let number = self.store.begin_tool_call(&new).await.map_err(|error| failed(&error))?;
        self.changed(context);
        Ok(usize::try_from(number).unwrap_or(usize::MAX))
    }

    async fn ends(&self, context: &ToolContext, report: &ToolReport, has_effects: bool) {
        self.metrics.tool_called(report);
        let end = ToolCallEnd {
            result: report.result.expose(),
            error_code: report.error_code,
            duration_ms: i64::try_from(report.duration.as_millis()).unwrap_or(i64::MAX),
            has_effects,
        };
        let number = i64::try_from(report.number).unwrap_or(i64::MAX);
        if let Err(error) = self.store.end_tool_call(&context.turn, number, &end).await {
            failed(&error);
        }
        self.changed(context);
    }
}
