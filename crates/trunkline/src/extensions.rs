//! What a program adds to the gateway: handlers of events, tools, and agents of its own.

use std::sync::Arc;

use trunkline_agent::Agent;
use trunkline_agent::tools::Tool;

use crate::handlers::Handlers;

/// Everything that a program adds.
///
/// ```
/// use std::sync::Arc;
///
/// use schemars::JsonSchema;
/// use serde::Deserialize;
/// use trunkline::Extensions;
/// use trunkline_agent::tools::{FunctionTool, ToolOutput};
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Order {
///     /// The number on the receipt.
///     number: u32,
/// }
///
/// let tool = FunctionTool::new("order_status", "Where an order is.", |order: Order, _| async move {
///     Ok(ToolOutput::text(format!("order {} is on its way", order.number)))
/// });
/// let extensions = Extensions::new().tool(Arc::new(tool));
/// // Gateway::start_with(settings, server, &telemetry, extensions).await?;
/// ```
#[derive(Default)]
pub struct Extensions {
    pub(crate) handlers: Handlers,
    pub(crate) tools: Vec<Arc<dyn Tool>>,
    pub(crate) agents: Vec<(String, Arc<dyn Agent>)>,
}

impl Extensions {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Handlers of events, in the place of those that are there.
    #[must_use]
    pub fn handlers(mut self, handlers: Handlers) -> Self {
        self.handlers = handlers;
        self
    }

    /// Adds a tool, which the settings name like any other (`TRUNKLINE_TOOLS`, `tools` of `[agents.…]`).
    #[must_use]
    pub fn tool(mut self, tool: Arc<dyn Tool>) -> Self {
        self.tools.push(tool);
        self
    }

    /// Adds an agent, in the place of one of the settings with this name. `default` answers where no route says
    /// otherwise.
    #[must_use]
    pub fn agent(mut self, name: impl Into<String>, agent: Arc<dyn Agent>) -> Self {
        self.agents.push((name.into(), agent));
        self
    }
}

impl From<Handlers> for Extensions {
    fn from(handlers: Handlers) -> Self {
        Self::new().handlers(handlers)
    }
}
