//! The tools of one agent, with limits on their use.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::Value;
use tracing::Instrument as _;
use trunkline_core::{Channel, Pii};

use super::{Effect, Tool, ToolContext, ToolError, ToolSpec};

/// What a model is told of one result, in bytes; the rest is left out.
pub const MAX_RESULT_BYTES: usize = 16 << 10;
/// What a model may give one tool, in bytes.
const MAX_ARGUMENT_BYTES: usize = 64 << 10;
/// What a model is told where a result was cut.
const CUT: &str = "\n[the rest was left out]";

/// How much an agent may use its tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolLimits {
    /// Longest wait for one tool. Default 10 s.
    pub timeout: Duration,
    /// Calls of one turn. Default 16.
    pub calls: usize,
    /// Calls at the same time, of those that the model asks for together. Default 4.
    pub at_once: usize,
    /// How often a model is asked again with results, in one turn. Default 8.
    pub rounds: usize,
}

impl Default for ToolLimits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), calls: 16, at_once: 4, rounds: 8 }
    }
}

/// What a model asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The model's name for the call.
    pub id: String,
    /// The tool.
    pub name: String,
    /// JSON, as the model wrote it.
    pub arguments: Pii<String>,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolReport {
    /// Which call of the turn, from 0.
    pub number: usize,
    /// The tool.
    pub tool: String,
    /// What it was given, JSON.
    pub arguments: Pii<String>,
    /// What the model is told.
    pub result: Pii<String>,
    /// Why it failed.
    pub error_code: Option<&'static str>,
    /// How long it took.
    pub duration: Duration,
}

/// The tools of one agent. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Toolbox {
    tools: BTreeMap<String, Arc<dyn Tool>>,
    limits: ToolLimits,
}

impl Toolbox {
    /// An empty box.
    #[must_use]
    pub fn new(limits: ToolLimits) -> Self {
        Self { tools: BTreeMap::new(), limits }
    }

    /// Adds a tool; one of the same name is replaced.
    #[must_use]
    pub fn with(mut self, tool: Arc<dyn Tool>) -> Self {
        self.tools.insert(tool.spec().name.clone(), tool);
        self
    }

    /// Those that mean something on a channel.
    #[must_use]
    pub fn offered_on(&self, channel: Channel) -> Self {
        let offered = self.tools.iter().filter(|(_, tool)| tool.is_offered_on(channel));
        let tools = offered.map(|(name, tool)| (name.clone(), Arc::clone(tool))).collect();
        Self { tools, limits: self.limits.clone() }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    /// The tool of a name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.tools.get(name)
    }

    /// What a model is told of its tools, by name.
    pub fn specs(&self) -> impl Iterator<Item = &ToolSpec> {
        self.tools.values().map(|tool| tool.spec())
    }

    /// The limits.
    #[must_use]
    pub const fn limits(&self) -> &ToolLimits {
        &self.limits
    }

    /// Makes the calls that a model asks for together, as many at once as the limits say. `context` names the first of
    /// them. The results are in the order of the calls.
    ///
    /// # Cancel safety
    /// As [`Tool::call`].
    pub async fn run(&self, calls: &[ToolCall], context: &ToolContext) -> Vec<(ToolReport, Vec<Effect>)> {
        let mut work = Vec::with_capacity(calls.len());
        for (place, call) in calls.iter().enumerate() {
            let context = ToolContext { number: context.number + place, ..context.clone() };
            work.push(async move { self.one(call, &context).await });
        }
        stream::iter(work).buffered(self.limits.at_once.max(1)).collect().await
    }

    /// Makes one call.
    ///
    /// # Cancel safety
    /// As [`Tool::call`].
    pub async fn one(&self, call: &ToolCall, context: &ToolContext) -> (ToolReport, Vec<Effect>) {
        let span = tracing::info_span!("agent.tool", tool.name = %known_name(self, &call.name), error.code = tracing::field::Empty);
        let begun = Instant::now();
        let outcome = self.called(call, context).instrument(span.clone()).await;
        let (result, effects, error_code) = match outcome {
            Ok(output) => (output.content.into_inner(), output.effects, None),
            Err(error) => {
                span.record("error.code", error.code());
                (format!("error: {error}"), Vec::new(), Some(error.code()))
            }
        };
        let report = ToolReport {
            number: context.number,
            tool: call.name.clone(),
            arguments: call.arguments.clone(),
            result: Pii::new(cut(result)),
            error_code,
            duration: begun.elapsed(),
        };
        (report, effects)
    }

    async fn called(&self, call: &ToolCall, context: &ToolContext) -> Result<super::ToolOutput, ToolError> {
        let tool = self.tools.get(&call.name).ok_or(ToolError::Unknown)?;
        if context.number >= self.limits.calls {
            return Err(ToolError::OverBudget);
        }
        let written = call.arguments.expose().trim();
        if written.len() > MAX_ARGUMENT_BYTES {
            return Err(ToolError::BadArguments(format!("they are longer than {MAX_ARGUMENT_BYTES} bytes")));
        }
        let written = if written.is_empty() { "{}" } else { written };
        let arguments: Value =
            serde_json::from_str(written).map_err(|_| ToolError::BadArguments("they are not JSON".to_owned()))?;
        if !arguments.is_object() {
            return Err(ToolError::BadArguments("they are not an object".to_owned()));
        }
        let limit = self.limits.timeout.min(context.deadline);
        let context = ToolContext { deadline: limit, ..context.clone() };
        let work = tool.call(arguments, &context);
        tokio::time::timeout(limit, work).await.unwrap_or(Err(ToolError::Timeout(limit)))
    }
}

/// A model may ask for anything: only names that are known go into traces.
fn known_name<'a>(tools: &Toolbox, name: &'a str) -> &'a str {
    if tools.tools.contains_key(name) { name } else { "unknown" }
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_RESULT_BYTES {
        let end = text.floor_char_boundary(MAX_RESULT_BYTES - CUT.len());
        text.truncate(end);
        text.push_str(CUT);
    }
    text
}
