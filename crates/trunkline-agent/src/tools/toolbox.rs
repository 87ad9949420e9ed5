//! The tools of one agent, with limits on their use.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::Value;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use trunkline_core::{Channel, Pii};

use super::{
    Effect, JournalError, MadeCall, Tool, ToolContext, ToolEntry, ToolError, ToolJournal, ToolOutput, ToolSpec, ToolUse,
};

/// What a model is told of one result, in bytes; the rest is left out.
pub const MAX_RESULT_BYTES: usize = 16 << 10;
/// What a model may give one tool, in bytes.
pub const MAX_ARGUMENT_BYTES: usize = 16 << 10;
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
    /// Its name, [`ToolContext::key`].
    pub key: String,
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
    /// It is in the journal already.
    pub is_kept: bool,
}

/// The tools of one agent. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Toolbox {
    tools: BTreeMap<String, Arc<dyn Tool>>,
    limits: ToolLimits,
    journal: Option<Arc<dyn ToolJournal>>,
    /// What acts is not broken off: its end has to be known.
    acting: TaskTracker,
}

impl Toolbox {
    /// An empty box.
    #[must_use]
    pub fn new(limits: ToolLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Has each call written down before it is made, and after it. What acts then is a task among `acting`, and goes on
    /// to its end when the answer that wanted it is broken off.
    #[must_use]
    pub fn journaled(mut self, journal: Arc<dyn ToolJournal>, acting: TaskTracker) -> Self {
        (self.journal, self.acting) = (Some(journal), acting);
        self
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
        Self { tools, ..self.clone() }
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

    /// The calls that acted and that no answer has taken account of. None without a journal.
    ///
    /// # Errors
    /// [`JournalError`].
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn made(&self, context: &ToolContext) -> Result<Vec<MadeCall>, JournalError> {
        match &self.journal {
            Some(journal) => journal.made(context).await,
            None => Ok(Vec::new()),
        }
    }

    /// Makes the calls that a model asks for together, as many at once as the limits say; `used` names them. The results
    /// are in the order of the calls.
    ///
    /// # Cancel safety
    /// As [`Self::one`].
    pub async fn run(
        &self,
        calls: &[ToolCall],
        context: &ToolContext,
        used: &mut ToolUse,
    ) -> Vec<(ToolReport, Vec<Effect>)> {
        let named: Vec<_> = calls.iter().map(|call| used.name(context, call)).collect();
        let work: Vec<_> = calls.iter().zip(&named).map(|(call, context)| self.one(call, context)).collect();
        let outcomes: Vec<_> = stream::iter(work).buffered(self.limits.at_once.max(1)).collect().await;
        for ((call, context), (report, _)) in calls.iter().zip(&named).zip(&outcomes) {
            used.ended(&context.key, call, report);
        }
        outcomes
    }

    /// Makes one call.
    ///
    /// # Cancel safety
    /// As [`Tool::call`]. With a journal, what acts goes on to its end, and is kept.
    pub async fn one(&self, call: &ToolCall, context: &ToolContext) -> (ToolReport, Vec<Effect>) {
        let span = tracing::info_span!("agent.tool", tool.name = %known_name(self, &call.name), error.code = tracing::field::Empty);
        let call = Call {
            tool: self.tools.get(&call.name).cloned(),
            wish: call.clone(),
            context: context.clone(),
            limit: self.limits.timeout.min(context.deadline),
        };
        // A model may ask for any number of calls; what is not made is not written down.
        let not_made = |error| (call.report(&Err(error), Duration::ZERO), Vec::new());
        if context.number >= self.limits.calls {
            return not_made(if call.tool.is_some() { ToolError::OverBudget } else { ToolError::Unknown });
        }
        let Some(journal) = &self.journal else { return call.made().instrument(span).await };
        let acts = call.tool.as_ref().is_some_and(|tool| tool.acts()) && call.arguments().is_ok();
        let Ok(entry) = journal.begins(context, &call.wish, acts).await else {
            return not_made(if call.tool.is_some() { ToolError::Unreachable } else { ToolError::Unknown });
        };
        let broken = call.report(&Err(ToolError::Unreachable), Duration::ZERO);
        let broken = ToolReport { number: entry.number(), is_kept: true, ..broken };
        let work = call.written_down(entry).instrument(span);
        if acts { self.acting.spawn(work).await.unwrap_or_else(|_| (broken, Vec::new())) } else { work.await }
    }
}

/// A call of a tool.
struct Call {
    /// `None`: there is no such tool.
    tool: Option<Arc<dyn Tool>>,
    wish: ToolCall,
    context: ToolContext,
    limit: Duration,
}

impl Call {
    async fn made(self) -> (ToolReport, Vec<Effect>) {
        let begun = Instant::now();
        let outcome = self.outcome().await;
        if let Err(error) = &outcome {
            tracing::Span::current().record("error.code", error.code());
        }
        let report = self.report(&outcome, begun.elapsed());
        (report, outcome.map(|output| output.effects).unwrap_or_default())
    }

    async fn written_down(self, entry: Box<dyn ToolEntry>) -> (ToolReport, Vec<Effect>) {
        let number = entry.number();
        let (report, effects) = self.made().await;
        let report = ToolReport { number, is_kept: true, ..report };
        entry.ends(&report, &effects).await;
        (report, effects)
    }

    fn report(&self, outcome: &Result<ToolOutput, ToolError>, duration: Duration) -> ToolReport {
        let (result, error_code) = match outcome {
            Ok(output) => (output.content.expose().clone(), None),
            Err(error) => (format!("error: {error}"), Some(error.code())),
        };
        ToolReport {
            number: self.context.number,
            key: self.context.key.clone(),
            tool: self.wish.name.clone(),
            arguments: self.wish.arguments.clone(),
            result: Pii::new(cut(result)),
            error_code,
            duration,
            is_kept: false,
        }
    }

    async fn outcome(&self) -> Result<ToolOutput, ToolError> {
        let tool = self.tool.as_ref().ok_or(ToolError::Unknown)?;
        let context = ToolContext { deadline: self.limit, ..self.context.clone() };
        let work = tool.call(self.arguments()?, &context);
        tokio::time::timeout(self.limit, work).await.unwrap_or(Err(ToolError::Timeout(self.limit)))
    }

    /// What the model wrote, if it is an object.
    fn arguments(&self) -> Result<Value, ToolError> {
        let written = self.wish.arguments.expose().trim();
        if written.len() > MAX_ARGUMENT_BYTES {
            return Err(ToolError::BadArguments(format!("they are longer than {MAX_ARGUMENT_BYTES} bytes")));
        }
        let written = if written.is_empty() { "{}" } else { written };
        let arguments: Value =
            serde_json::from_str(written).map_err(|_| ToolError::BadArguments("they are not JSON".to_owned()))?;
        if !arguments.is_object() {
            return Err(ToolError::BadArguments("they are not an object".to_owned()));
        }
        Ok(arguments)
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
