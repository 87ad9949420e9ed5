//! Tools of Model Context Protocol servers, over standard streams or streamable HTTP.
//!
//! Source: Model Context Protocol, *Transports* and *Tools*. The protocol is the official crate's.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{HeaderName, HeaderValue};
use rmcp::ServiceExt as _;
use rmcp::model::{CallToolRequestParams, CallToolResult, ContentBlock};
use rmcp::service::{RoleClient, RunningService, ServiceError};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use serde_json::Value;
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use trunkline_core::{ConfigError, Pii, Secret};

use super::{Tool, ToolContext, ToolError, ToolOutput, ToolSpec, is_tool_name};

/// How a server is reached.
#[derive(Debug, Clone)]
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
#[derive(Debug, Clone)]
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

/// How long a server may take to begin, and to list its tools.
const START_TIMEOUT: Duration = Duration::from_secs(15);
/// Tools of one server; more are left out.
const MAX_TOOLS: usize = 128;
/// What is told of a tool, in bytes.
const MAX_DESCRIPTION_BYTES: usize = 4 << 10;
/// The environment that a program inherits.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];

type Session = RunningService<RoleClient, ()>;

/// A server. One that ends is begun again with the next call.
struct Server {
    config: McpConfig,
    session: Mutex<Option<Arc<Session>>>,
    /// Whoever has it may begin a session.
    beginning: Semaphore,
}

/// Connects to a server and lists its tools.
///
/// # Errors
/// `tool.mcp_unavailable`.
///
/// # Cancel safety
/// Cancel-safe: what was begun is ended.
pub async fn mcp_tools(config: McpConfig) -> Result<Vec<Arc<dyn Tool>>, McpError> {
    let name = config.name.clone();
    let failed = |what| McpError { name: name.clone(), what };
    let server = Arc::new(Server { config, session: Mutex::default(), beginning: Semaphore::new(1) });
    let listed = async { server.session().await?.list_all_tools().await.map_err(|_| "does not list its tools") };
    let listed = timeout(START_TIMEOUT, listed).await.unwrap_or(Err("does not answer")).map_err(failed)?;
    let wanted = &server.config.tools;
    let tools = listed.into_iter().filter(|tool| wanted.is_empty() || wanted.iter().any(|name| *name == tool.name));
    Ok(tools.take(MAX_TOOLS).filter_map(|tool| McpTool::new(&server, &tool)).map(|tool| Arc::new(tool) as _).collect())
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

impl Server {
    /// The session, begun anew if there is none any more.
    async fn session(&self) -> Result<Arc<Session>, &'static str> {
        let _permit = self.beginning.acquire().await.map_err(|_| "is closed")?;
        if let Some(session) = self.open_session() {
            return Ok(session);
        }
        let begun = timeout(START_TIMEOUT, self.begin()).await.unwrap_or(Err("does not answer"))?;
        let begun = Arc::new(begun);
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&begun));
        Ok(begun)
    }

    fn open_session(&self) -> Option<Arc<Session>> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.as_ref().filter(|session| !session.is_closed() && !session.is_transport_closed()).cloned()
    }

    async fn begin(&self) -> Result<Session, &'static str> {
        match &self.config.transport {
            McpTransport::Program { command, env } => {
                let (program, arguments) = command.split_first().ok_or("has no program")?;
                let mut command = Command::new(program);
                command.args(arguments).env_clear().kill_on_drop(true);
                command.envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
                command.envs(env.iter().map(|(name, value)| (name, value.expose())));
                // What it says there is nobody's to read: it may hold people's words.
                let (process, _) = TokioChildProcess::builder(command)
                    .stderr(Stdio::null())
                    .spawn()
                    .map_err(|_| "cannot be started")?;
                ().serve(process).await.map_err(|_| "does not speak the protocol")
            }
            McpTransport::Http { url, headers } => {
                let mut config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
                config.custom_headers = headers.iter().filter_map(|(name, value)| header(name, value)).collect();
                let transport = StreamableHttpClientTransport::from_config(config);
                ().serve(transport).await.map_err(|_| "cannot be reached, or does not speak the protocol")
            }
        }
    }

    async fn call(&self, tool: &str, arguments: Value) -> Result<CallToolResult, ToolError> {
        let session = self.session().await.map_err(|_| ToolError::Unreachable)?;
        let mut params = CallToolRequestParams::new(tool.to_owned());
        params.arguments = match arguments {
            Value::Object(arguments) => Some(arguments),
            _ => None,
        };
        session.call_tool(params).await.map_err(|error| match error {
            ServiceError::McpError(_) => ToolError::Failed("the server refused the call".to_owned()),
            _ => ToolError::Unreachable,
        })
    }
}

struct McpTool {
    spec: ToolSpec,
    /// The server's name for it.
    name: String,
    server: Arc<Server>,
}

impl McpTool {
    /// `None` if a model could not call it by its name.
    fn new(server: &Arc<Server>, tool: &rmcp::model::Tool) -> Option<Self> {
        let name = format!("{}__{}", server.config.name, tool.name);
        let mut description = tool.description.as_deref().unwrap_or_default().to_owned();
        description.truncate(description.floor_char_boundary(MAX_DESCRIPTION_BYTES));
        let parameters = Value::Object((*tool.input_schema).clone());
        is_tool_name(&name).then(|| Self {
            spec: ToolSpec { name, description, parameters },
            name: tool.name.to_string(),
            server: Arc::clone(server),
        })
    }
}

#[async_trait]
impl Tool for McpTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, arguments: Value, _: &ToolContext) -> Result<ToolOutput, ToolError> {
        let result = self.server.call(&self.name, arguments).await?;
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
