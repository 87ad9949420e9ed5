//! Tools of Model Context Protocol servers, over standard streams or streamable HTTP.
//!
//! Source: Model Context Protocol, *Transports* and *Tools*. The protocol is the official crate's.

mod server;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{HeaderName, HeaderValue};
use rmcp::model::{CallToolRequestParams, CallToolResult, ContentBlock, JsonObject, MetaObject, RequestMetaObject};
use serde_json::Value;
use tokio::time::timeout;
use trunkline_core::{ConfigError, Pii, Secret};

use super::{Tool, ToolContext, ToolError, ToolOutput, ToolSpec, is_tool_name};
use server::Server;

/// How a server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum McpTransport {
    /// A program of this machine: its path and arguments, and its environment. It sees of ours only `PATH`, `HOME`,
    /// `LANG` and `TMPDIR`, so that it learns no secret.
    Program {
        /// The program and its arguments.
        command: Vec<String>,
        /// What it is told.
        env: BTreeMap<String, Secret>,
    },
    /// A URL, `http://…` or `https://…`.
    Http {
        /// Where.
        url: String,
        /// Headers of each request.
        headers: BTreeMap<String, Secret>,
    },
}

/// A server, and which of its tools are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpConfig {
    /// Our name for it; its tools are called `NAME__TOOL`.
    pub name: String,
    /// How it is reached.
    pub transport: McpTransport,
    /// Those of its tools that are wanted; none named: all.
    pub tools: Vec<String>,
}

/// Why a server gives no tools. Nothing of what it says is repeated.
#[derive(Debug, thiserror::Error)]
#[error("the MCP server {name} {what}")]
pub struct McpError {
    name: String,
    what: &'static str,
}

impl McpError {
    /// Stable across releases; listed in `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "tool.mcp_unavailable"
    }
}

/// How long is waited for a server to list its tools, if it has to begin first too.
const LIST_TIMEOUT: Duration = Duration::from_secs(15);
/// What names a call in its `_meta`: the same again is the same wish.
const IDEMPOTENCY_KEY: &str = "trunkline/idempotency-key";
/// Tools of one server; more are left out.
const MAX_TOOLS: usize = 128;
/// What is told of a tool, in bytes.
const MAX_DESCRIPTION_BYTES: usize = 4 << 10;
/// A server of tools, which is begun when its tools are asked for, and begun again when it ends or is silent.
/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct McpServer(Arc<Server>);

impl McpServer {
    /// Begins nothing yet.
    #[must_use]
    pub fn new(config: McpConfig) -> Self {
        Self(Arc::new(Server::new(config)))
    }

    /// How it is configured.
    #[must_use]
    pub fn config(&self) -> &McpConfig {
        self.0.config()
    }

    /// Lists its tools. One that takes long to begin goes on to do so: the next time it may be there.
    ///
    /// # Errors
    /// `tool.mcp_unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn tools(&self) -> Result<Vec<Arc<dyn Tool>>, McpError> {
        let config = self.config();
        let failed = |what| McpError { name: config.name.clone(), what };
        let listed = timeout(LIST_TIMEOUT, self.0.list()).await.unwrap_or_else(|_| {
            // One that only takes long to begin is left to do so.
            self.0.give_up();
            Err("does not answer")
        });
        let listed = listed.map_err(failed)?;
        let is_wanted = |name: &str| config.tools.is_empty() || config.tools.iter().any(|wanted| wanted == name);
        let tools = listed.into_iter().filter(|tool| is_wanted(&tool.name)).take(MAX_TOOLS);
        Ok(tools.filter_map(|tool| McpTool::new(&self.0, &tool)).map(|tool| Arc::new(tool) as _).collect())
    }
}

/// Whether the configuration of a server can be used.
///
/// # Errors
/// Every setting that cannot.
pub fn check_mcp(config: &McpConfig) -> Result<(), ConfigError> {
    let mut problems = ConfigError::new();
    if !is_tool_name(&config.name) || config.name.len() > 32 {
        problems.add("name", "must have 1 to 32 letters, digits, - and _");
    }
    match &config.transport {
        McpTransport::Program { command, .. } if command.is_empty() => {
            problems.add("command", "is empty; name a program");
        }
        McpTransport::Http { url, headers } => {
            if reqwest::Url::parse(url).map_or(true, |url| !matches!(url.scheme(), "http" | "https")) {
                problems.add("url", "must be a URL that begins with http:// or https://");
            }
            for (name, value) in headers {
                if header(name, value).is_none() {
                    problems.add(format!("headers.{name}"), "is not a header");
                }
            }
        }
        McpTransport::Program { .. } => {}
    }
    problems.or(())
}

fn header(name: &str, value: &Secret) -> Option<(HeaderName, HeaderValue)> {
    let mut value = HeaderValue::try_from(value.expose()).ok()?;
    value.set_sensitive(true);
    Some((HeaderName::try_from(name).ok()?, value))
}

struct McpTool {
    spec: ToolSpec,
    /// The server's name for it.
    name: String,
    /// The server says that it only looks.
    is_read_only: bool,
    server: Arc<Server>,
}

impl McpTool {
    /// `None` if a model could not call it by its name.
    fn new(server: &Arc<Server>, tool: &rmcp::model::Tool) -> Option<Self> {
        let name = format!("{}__{}", server.config().name, tool.name);
        let mut description = tool.description.as_deref().unwrap_or_default().to_owned();
        description.truncate(description.floor_char_boundary(MAX_DESCRIPTION_BYTES));
        let parameters = Value::Object((*tool.input_schema).clone());
        let is_read_only = tool.annotations.as_ref().is_some_and(|hints| hints.read_only_hint == Some(true));
        is_tool_name(&name).then(|| Self {
            spec: ToolSpec { name, description, parameters },
            name: tool.name.to_string(),
            is_read_only,
            server: Arc::clone(server),
        })
    }
}

#[async_trait]
impl Tool for McpTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn acts(&self) -> bool {
        !self.is_read_only
    }

    async fn call(&self, arguments: Value, context: &ToolContext) -> Result<ToolOutput, ToolError> {
        let mut params = CallToolRequestParams::new(self.name.clone());
        params.arguments = match arguments {
            Value::Object(arguments) => Some(arguments),
            _ => None,
        };
        let mut meta = JsonObject::new();
        meta.insert(IDEMPOTENCY_KEY.to_owned(), context.key.clone().into());
        if let Some(traceparent) = &context.traceparent {
            meta.insert("traceparent".to_owned(), traceparent.clone().into());
        }
        params.meta = Some(RequestMetaObject(MetaObject(meta)));
        let result = self.server.call(params, context.deadline).await?;
        let text = words(&result);
        // What a tool says of its failure is for the model, as what it gives is.
        if result.is_error == Some(true) { Err(ToolError::Failed(text)) } else { Ok(said(text)) }
    }
}

fn said(text: String) -> ToolOutput {
    ToolOutput { content: Pii::new(text), effects: Vec::new() }
}

/// The words of a result; what is not words is named.
fn words(result: &CallToolResult) -> String {
    let part = |block: &ContentBlock| match block {
        ContentBlock::Text(text) => text.text.clone(),
        _ => "[something that is not text]".to_owned(),
    };
    let text = result.content.iter().map(part).collect::<Vec<_>>().join("\n");
    match &result.structured_content {
        Some(value) if text.is_empty() => value.to_string(),
        _ => text,
    }
}
