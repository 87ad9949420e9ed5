//! The journal of tool calls, in the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use trunkline_agent::tools::{
    Effect, JournalError, MadeCall, ToolCall, ToolContext, ToolEntry, ToolError, ToolJournal, ToolReport,
};
use trunkline_core::{Channel, Pii};
use trunkline_store::{NewToolCall, Store, StoreError, ToolCallEnd, ToolPlace};

use super::report::kept_arguments;
use crate::live::Live;
use crate::telemetry::Metrics;

/// How long a turn waits for a tool that an earlier one has begun, before it goes on without knowing its end.
const RUNNING_PATIENCE: Duration = Duration::from_secs(5);

/// Keeps calls of tools with the conversations and telephone calls that they are made for. Cheap to clone.
#[derive(Clone)]
pub(crate) struct StoreJournal(Arc<Inner>);

struct Inner {
    store: Store,
    metrics: Metrics,
    live: Live,
    /// How many calls that act are being made, by conversation or telephone call.
    running: Mutex<HashMap<String, usize>>,
    ended: Notify,
}

impl StoreJournal {
    pub(crate) fn new(store: Store, metrics: Metrics, live: Live) -> Self {
        Self(Arc::new(Inner { store, metrics, live, running: Mutex::default(), ended: Notify::new() }))
    }

    /// Waits until nothing is being done in a conversation or telephone call.
    async fn until_done(&self, place: &str) {
        loop {
            let ended = self.0.ended.notified();
            if !self.0.running.lock().unwrap_or_else(PoisonError::into_inner).contains_key(place) {
                return;
            }
            ended.await;
        }
    }

    fn changed(&self, context: &ToolContext) {
        match place(context) {
            ToolPlace::Conversation(id) => self.0.live.changed(id),
            ToolPlace::Call(_) => self.0.live.calls_changed(),
        }
    }
}

/// A call that is being made.
struct Entry {
    journal: StoreJournal,
    context: ToolContext,
    number: i64,
    _running: Option<Running>,
}

/// Something is being done until this is dropped.
struct Running {
    journal: StoreJournal,
    place: String,
}

impl Running {
    fn begin(journal: &StoreJournal, place: &str) -> Self {
        *journal.0.running.lock().unwrap_or_else(PoisonError::into_inner).entry(place.to_owned()).or_default() += 1;
        Self { journal: journal.clone(), place: place.to_owned() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = self.journal.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = running.get_mut(&self.place) {
            *count -= 1;
            if *count == 0 {
                running.remove(&self.place);
            }
        }
        drop(running);
        self.journal.0.ended.notify_waiters();
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

/// An effect, as the store has it.
#[derive(Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
enum Kept {
    Remember { name: String, value: String },
    HandOver,
    HandOverTo { agent: String },
    EndCall,
}

fn kept(effects: &[Effect]) -> Option<String> {
    let kept = effects.iter().filter_map(|effect| match effect {
        Effect::Remember { name, value } => Some(Kept::Remember { name: name.clone(), value: value.expose().clone() }),
        Effect::HandOver => Some(Kept::HandOver),
        Effect::HandOverTo(agent) => Some(Kept::HandOverTo { agent: agent.clone() }),
        Effect::EndCall => Some(Kept::EndCall),
        _ => None,
    });
    let kept: Vec<_> = kept.collect();
    if kept.is_empty() { None } else { serde_json::to_string(&kept).ok() }
}

fn effects(kept: &str) -> Vec<Effect> {
    let kept: Vec<Kept> = serde_json::from_str(kept).unwrap_or_default();
    let effect = |kept| match kept {
        Kept::Remember { name, value } => Effect::Remember { name, value: Pii::new(value) },
        Kept::HandOver => Effect::HandOver,
        Kept::HandOverTo { agent } => Effect::HandOverTo(agent),
        Kept::EndCall => Effect::EndCall,
    };
    kept.into_iter().map(effect).collect()
}

#[async_trait]
impl ToolJournal for StoreJournal {
    async fn made(&self, context: &ToolContext) -> Result<Vec<MadeCall>, JournalError> {
        let patience = RUNNING_PATIENCE.min(context.deadline / 4);
        let _done = tokio::time::timeout(patience, self.until_done(&context.conversation)).await.is_ok();
        let open = self.0.store.open_tool_calls(place(context), &context.contact).await;
        let made = open.map_err(|error| failed(&error))?.into_iter().map(|one| MadeCall {
            turn: one.turn,
            key: one.key,
            tool: one.tool,
            arguments: one.arguments,
            result: one.result,
            error_code: one.error_code,
            effects: one.effects.map(|kept| effects(kept.expose())).unwrap_or_default(),
            at: one.at,
        });
        Ok(made.collect())
    }

    async fn begins(
        &self,
        context: &ToolContext,
        call: &ToolCall,
        acts: bool,
    ) -> Result<Box<dyn ToolEntry>, JournalError> {
        let running = acts.then(|| Running::begin(self, &context.conversation));
        let new = NewToolCall {
            place: place(context),
            turn: &context.turn,
            key: &context.key,
            tool: &call.name,
            arguments: kept_arguments(call.arguments.expose()),
            acts,
            unfinished: ToolError::Unfinished.code(),
        };
        let number = self.0.store.begin_tool_call(&new).await.map_err(|error| failed(&error))?;
        self.changed(context);
        Ok(Box::new(Entry { journal: self.clone(), context: context.clone(), number, _running: running }))
    }
}

#[async_trait]
impl ToolEntry for Entry {
    fn number(&self) -> usize {
        usize::try_from(self.number).unwrap_or(usize::MAX)
    }

    async fn ends(self: Box<Self>, report: &ToolReport, effects: &[Effect]) {
        let StoreJournal(inner) = &self.journal;
        inner.metrics.tool_called(report);
        let effects = kept(effects);
        let end = ToolCallEnd {
            result: report.result.expose(),
            error_code: report.error_code,
            duration_ms: i64::try_from(report.duration.as_millis()).unwrap_or(i64::MAX),
            effects: effects.as_deref(),
        };
        if let Err(error) = inner.store.end_tool_call(&self.context.turn, self.number, &end).await {
            failed(&error);
        }
        self.journal.changed(&self.context);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_are_kept_as_they_are() {
        let all = [
            Effect::Remember { name: "name".into(), value: Pii::new("Ada".into()) },
            Effect::HandOver,
            Effect::HandOverTo("billing".into()),
            Effect::EndCall,
        ];
        assert_eq!(effects(&kept(&all).unwrap()), all);
        assert_eq!(kept(&[]), None);
    }
}
