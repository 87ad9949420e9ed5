//! The session with a server: begun once, shared by its calls, replaced when it is over or nothing comes of it.

use std::fmt;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use process_wrap::tokio::{CommandWrap, ProcessGroup};
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
/// A session, or its beginning; the number tells it from others.
type Numbered = (u64, Shared<BoxFuture<'static, Begun>>);

/// A server.
pub(super) struct Server {
    config: Arc<McpConfig>,
    state: Mutex<State>,
    beginnings: TaskTracker,
}

#[derive(Default)]
struct State {
    session: Option<Numbered>,
    /// How many sessions there were.
    count: u64,
    /// Calls of this session that had no answer since the last one that had.
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
        let (_, session) = self.session();
        session.await?.list_all_tools().await.map_err(|_| "does not list its tools")
    }

    /// Calls a tool.
    pub(super) async fn call(
        &self,
        params: CallToolRequestParams,
        deadline: Duration,
    ) -> Result<CallToolResult, ToolError> {
        let (number, session) = self.session();
        let called = async {
            let answered = session.await.map_err(|_| ToolError::Unreachable)?.call_tool(params).await;
            self.answered(number);
            answered.map_err(|error| match error {
                ServiceError::McpError(_) => ToolError::Failed("the server refused the call".to_owned()),
                _ => ToolError::Unreachable,
            })
        };
        if let Ok(answered) = timeout(deadline.saturating_sub(MARGIN), called).await {
            return answered;
        }
        self.was_silent(number);
        Err(ToolError::Timeout(deadline))
    }

    /// Begins anew with the next call, unless it is only beginning.
    pub(super) fn give_up(&self) {
        let mut state = self.state();
        if state.has_begun() {
            (state.session, state.silent) = (None, 0);
        }
    }

    /// The session, begun anew if there is none any more. Its beginning is a task of its own, so that it comes to its end
    /// also when whoever waits for it gives up.
    fn session(&self) -> Numbered {
        let mut state = self.state();
        if let Some(usable) = state.session.clone().filter(|(_, session)| is_usable(session)) {
            return usable;
        }
        let config = Arc::clone(&self.config);
        let begun = async move { timeout(BEGIN_TIMEOUT, begin(&config)).await.unwrap_or(Err("does not answer")) };
        let begun = self.beginnings.spawn(begun);
        let session = async move { begun.await.unwrap_or(Err("cannot be begun")).map(Arc::new) }.boxed().shared();
        state.count += 1;
        state.silent = 0;
        let numbered = (state.count, session);
        state.session = Some(numbered.clone());
        numbered
    }

    fn answered(&self, number: u64) {
        let mut state = self.state();
        if state.count == number {
            state.silent = 0;
        }
    }

    /// A call had no answer. A server that hangs is replaced; one that only begins is left to do so.
    fn was_silent(&self, number: u64) {
        let mut state = self.state();
        if state.count != number || !state.has_begun() {
            return;
        }
        state.silent += 1;
        if state.silent >= MAX_SILENT {
            (state.session, state.silent) = (None, 0);
            tracing::warn!(mcp.server = self.config.name, "an MCP server does not answer; it is begun again");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_begun(&self) -> bool {
        self.session.as_ref().is_some_and(|(_, session)| session.peek().is_some())
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
            // Starters such as `npx` leave the server behind when they alone are ended.
            let mut command = CommandWrap::from(command);
            command.wrap(ProcessGroup::leader());
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
