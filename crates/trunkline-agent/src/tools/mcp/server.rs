//! The session with a server: begun once, shared by its calls, replaced when it is over or nothing comes of it.

use std::fmt;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use rmcp::ServiceExt as _;
use rmcp::model::{CallToolRequestParams, CallToolResult, Tool};
use rmcp::service::{RoleClient, RunningService, ServiceError};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use tokio::process::Command;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::{McpConfig, McpTransport, header};
use crate::tools::ToolError;

/// How long a server may take to begin. Programs may fetch themselves first.
const BEGIN_TIMEOUT: Duration = Duration::from_mins(1);
/// Calls without an answer, one after the other, after which the session is given up.
const MAX_SILENT: u32 = 3;
/// What is left of a call's time when its silence is noted.
const MARGIN: Duration = Duration::from_millis(50);
/// The environment that a program inherits.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];

type Session = RunningService<RoleClient, ()>;
type Begun = Result<Arc<Session>, &'static str>;

/// A server.
pub(super) struct Server {
    config: Arc<McpConfig>,
    state: Mutex<State>,
    beginnings: TaskTracker,
}

#[derive(Default)]
struct State {
    /// The session, or its beginning.
    session: Option<Shared<BoxFuture<'static, Begun>>>,
    /// Calls that had no answer since the last one that had.
    silent: u32,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Server {
    pub(super) fn new(config: McpConfig) -> Self {
        Self { config: Arc::new(config), state: Mutex::default(), beginnings: TaskTracker::new() }
    }

    pub(super) fn config(&self) -> &McpConfig {
        &self.config
    }

    pub(super) async fn list(&self) -> Result<Vec<Tool>, &'static str> {
        self.session().await?.list_all_tools().await.map_err(|_| "does not list its tools")
    }

    /// Calls a tool.
    pub(super) async fn call(
        &self,
        params: CallToolRequestParams,
        deadline: Duration,
    ) -> Result<CallToolResult, ToolError> {
        let called = async {
            let session = self.session().await.map_err(|_| ToolError::Unreachable)?;
            let answered = session.call_tool(params).await;
            self.answered();
            answered.map_err(|error| match error {
                ServiceError::McpError(_) => ToolError::Failed("the server refused the call".to_owned()),
                _ => ToolError::Unreachable,
            })
        };
        if let Ok(answered) = timeout(deadline.saturating_sub(MARGIN), called).await {
            return answered;
        }
        self.was_silent();
        Err(ToolError::Timeout(deadline))
    }

    /// The session, begun anew if there is none any more. Its beginning is a task of its own, so that it comes to its end
    /// also when whoever waits for it gives up.
    async fn session(&self) -> Begun {
        let session = {
            let mut state = self.state();
            let usable = state.session.clone().filter(is_usable);
            usable.unwrap_or_else(|| state.session.insert(self.begin_session()).clone())
        };
        session.await
    }

    fn begin_session(&self) -> Shared<BoxFuture<'static, Begun>> {
        let config = Arc::clone(&self.config);
        let begun = async move { timeout(BEGIN_TIMEOUT, begin(&config)).await.unwrap_or(Err("does not answer")) };
        let begun = self.beginnings.spawn(begun);
        async move { begun.await.unwrap_or(Err("cannot be begun")).map(Arc::new) }.boxed().shared()
    }

    fn answered(&self) {
        self.state().silent = 0;
    }

    /// A call had no answer. A server that hangs is replaced; one that only begins is left to do so.
    fn was_silent(&self) {
        let mut state = self.state();
        let has_begun = state.session.as_ref().is_some_and(|session| session.peek().is_some());
        state.silent += u32::from(has_begun);
        if state.silent >= MAX_SILENT {
            (state.session, state.silent) = (None, 0);
            tracing::warn!(mcp.server = self.config.name, "an MCP server does not answer; it is begun again");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a session is open, or begins.
fn is_usable(session: &Shared<BoxFuture<'static, Begun>>) -> bool {
    match session.peek() {
        None => true,
        Some(Ok(session)) => !session.is_closed() && !session.is_transport_closed(),
        Some(Err(_)) => false,
    }
}

async fn begin(config: &McpConfig) -> Result<Session, &'static str> {
    match &config.transport {
        McpTransport::Program { command, env } => {
            let (program, arguments) = command.split_first().ok_or("has no program")?;
            let mut command = Command::new(program);
            command.args(arguments).env_clear().kill_on_drop(true);
            command.envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
            command.envs(env.iter().map(|(name, value)| (name, value.expose())));
            // What it says there is nobody's to read: it may hold people's words.
            let (process, _) =
                TokioChildProcess::builder(command).stderr(Stdio::null()).spawn().map_err(|_| "cannot be started")?;
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
