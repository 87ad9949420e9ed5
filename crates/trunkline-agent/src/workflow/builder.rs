//! Workflows built in Rust. What is built is a definition like any other: it is written down, read and validated.

use std::time::Duration;

use toml::{Table, Value};

use super::definition::Workflow;
use super::problem::InvalidWorkflow;

/// A workflow that is being built.
///
/// ```
/// use trunkline_agent::workflow::{Builder, NodeBuilder};
///
/// let workflow = Builder::new("missed-call")
///     .on_when("call.failed", "event.data.status == 'no-answer'")
///     .node("sorry", NodeBuilder::new("send_text").set("to", "${ event.person }").set("text", "Sorry we missed you!"))
///     .build()?;
/// assert_eq!(workflow.nodes.len(), 1);
/// # Ok::<(), trunkline_agent::workflow::InvalidWorkflow>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Builder {
    table: Table,
    triggers: Vec<Value>,
    nodes: Table,
}

impl Builder {
    /// A workflow of this name, without triggers and nodes.
    pub fn new(name: impl Into<String>) -> Self {
        let mut builder = Self::default();
        builder.table.insert("name".to_owned(), Value::String(name.into()));
        builder
    }

    /// Sets a field of the workflow: `description`, `timeout`, `at_once`, `on_failure`.
    #[must_use]
    pub fn set(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.table.insert(field.to_owned(), value.into());
        self
    }

    /// Every event of this type starts it.
    #[must_use]
    pub fn on(self, event: &str) -> Self {
        self.trigger([("on", Value::from(event))])
    }

    /// An event of this type starts it if the condition holds.
    #[must_use]
    pub fn on_when(self, event: &str, condition: &str) -> Self {
        self.trigger([("on", Value::from(event)), ("when", Value::from(condition))])
    }

    /// It is started each time that the clock shows a multiple of this.
    #[must_use]
    pub fn every(self, time: Duration) -> Self {
        self.trigger([("every", Value::from(format!("{}ms", time.as_millis())))])
    }

    /// It is started as a cron expression says, in UTC.
    #[must_use]
    pub fn cron(self, expression: &str) -> Self {
        self.trigger([("cron", Value::from(expression))])
    }

    /// It may be started by request.
    #[must_use]
    pub fn on_request(self) -> Self {
        self.trigger([("api", Value::from(true))])
    }

    fn trigger<const N: usize>(mut self, fields: [(&str, Value); N]) -> Self {
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
        self.triggers.push(Value::Table(fields.collect()));
        self
    }

    /// Adds a node.
    #[must_use]
    pub fn node(mut self, name: &str, node: NodeBuilder) -> Self {
        self.nodes.insert(name.to_owned(), Value::Table(node.0));
        self
    }

    /// The definition as text.
    pub fn to_toml(&self) -> String {
        let mut table = self.table.clone();
        if !self.triggers.is_empty() {
            table.insert("trigger".to_owned(), Value::Array(self.triggers.clone()));
        }
        table.insert("node".to_owned(), Value::Table(self.nodes.clone()));
        table.to_string()
    }

    /// The workflow.
    ///
    /// # Errors
    /// Everything that is wrong with it; lines and columns are those of [`to_toml`](Self::to_toml).
    pub fn build(&self) -> Result<Workflow, InvalidWorkflow> {
        Workflow::parse(&self.to_toml())
    }
}

/// A node that is being built.
#[derive(Debug, Clone)]
pub struct NodeBuilder(Table);

impl NodeBuilder {
    /// A node of this kind: `send_text`, `wait`, `http`, …
    pub fn new(kind: &str) -> Self {
        Self(Table::from_iter([("kind".to_owned(), Value::from(kind))]))
    }

    /// Sets a field.
    #[must_use]
    pub fn set(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0.insert(field.to_owned(), value.into());
        self
    }

    /// It comes after these.
    #[must_use]
    pub fn after<const N: usize>(self, nodes: [&str; N]) -> Self {
        let nodes: Vec<_> = nodes.into_iter().map(Value::from).collect();
        self.set("needs", nodes)
    }

    /// How often it is tried, and the wait before the second try.
    #[must_use]
    pub fn retry(self, attempts: u32, backoff: Duration) -> Self {
        let mut retry = Table::new();
        retry.insert("attempts".to_owned(), Value::from(i64::from(attempts)));
        retry.insert("backoff".to_owned(), Value::from(format!("{}ms", backoff.as_millis())));
        self.set("retry", retry)
    }
}
