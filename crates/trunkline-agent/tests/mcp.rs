//! Servers of the Model Context Protocol that hang, end, and take their time.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use trunkline_agent::tools::{McpConfig, McpServer, McpTransport, Tool, ToolCall, ToolContext, ToolLimits, Toolbox};
use trunkline_core::{Channel, Pii, Secret};

/// A server over standard streams. It notes each of its starts, waits before it answers the second one, and does what
/// it is asked for: tell the name of the call, hang, or end.
const SERVER: &str = r#"
import json, os, sys, time
with open(os.environ["STARTS"], "a+") as starts:
    starts.write(f"{os.getpid()}\n")
    starts.seek(0)
    number = len(starts.readlines())
def answer(id, result):
    print(json.dumps({"jsonrpc": "2.0", "id": id, "result": result}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    method, params = asked.get("method"), asked.get("params", {})
    if method == "initialize":
        if number == 2:
            time.sleep(float(os.environ["SLOW"]))
        answer(asked["id"], {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}},
                             "serverInfo": {"name": "s", "version": "1"}})
    elif method == "tools/list":
        if number == 1 and os.environ.get("LIST") == "hang":
            continue
        schema = {"type": "object"}
        answer(asked["id"], {"tools": [
            {"name": "do", "description": "d", "inputSchema": schema},
            {"name": "look", "description": "d", "inputSchema": schema, "annotations": {"readOnlyHint": True}}]})
    elif method == "tools/call":
        what = params["arguments"].get("what")
        if what == "hang":
            continue
        if what == "end":
            sys.exit(0)
        text = json.dumps([params["_meta"].get("trunkline/idempotency-key"), params["_meta"].get("traceparent")])
        answer(asked["id"], {"content": [{"type": "text", "text": text}]})
"#;

struct World {
    folder: tempfile::TempDir,
    tools: Vec<Arc<dyn Tool>>,
    _server: McpServer,
}

impl World {
    async fn start(slow: &str) -> Self {
        Self::started(slow, "").await
    }

    /// The server, begun by a shell that stays in front of it.
    async fn started(slow: &str, list: &str) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let command = ["sh", "-c", "python3 -c \"$PROGRAM\"; true"].map(str::to_owned).to_vec();
        let starts = Self::starts_file(folder.path()).display().to_string();
        let env =
            [("STARTS", starts), ("SLOW", slow.to_owned()), ("LIST", list.to_owned()), ("PROGRAM", SERVER.to_owned())];
        let env: BTreeMap<_, _> = env.into_iter().map(|(name, value)| (name.to_owned(), Secret::from(value))).collect();
        let transport = McpTransport::Program { command, env };
        let server = McpServer::new(McpConfig { name: "s".to_owned(), transport, tools: Vec::new() });
        let tools = match server.tools().await {
            Ok(tools) => tools,
            Err(error) => {
                assert_eq!((error.code(), list), ("tool.mcp_unavailable", "hang"));
                server.tools().await.expect("tools")
            }
        };
        Self { folder, tools, _server: server }
    }

    fn starts_file(folder: &Path) -> PathBuf {
        folder.join("starts")
    }

    fn starts(&self) -> usize {
        std::fs::read_to_string(Self::starts_file(self.folder.path())).expect("starts").lines().count()
    }

    /// The first process is gone, though it was not the one that was begun.
    async fn until_gone(&self) {
        let starts = std::fs::read_to_string(Self::starts_file(self.folder.path())).expect("starts");
        let process = format!("/proc/{}", starts.lines().next().expect("a process"));
        let patience = tokio::time::Instant::now() + Duration::from_secs(15);
        let mut looks = tokio::time::interval(Duration::from_millis(50));
        while Path::new(&process).exists() {
            assert!(tokio::time::Instant::now() < patience, "the server is left behind");
            looks.tick().await;
        }
    }

    /// What a call gives within `timeout`.
    async fn call(&self, arguments: Value, timeout: Duration) -> (String, Option<&'static str>) {
        let limits = ToolLimits { timeout, ..ToolLimits::default() };
        let tools = self.tools.iter().cloned().fold(Toolbox::new(limits), Toolbox::with);
        let context = ToolContext {
            turn: "turn-1".into(),
            number: 0,
            key: "key-1".into(),
            conversation: "c".into(),
            contact: "p".into(),
            channel: Channel::Sms,
            deadline: Duration::from_secs(20),
            traceparent: Some("00-1-2-01".into()),
        };
        let call = ToolCall { id: "1".into(), name: "s__do".into(), arguments: Pii::new(arguments.to_string()) };
        let (report, _) = tools.one(&call, &context).await;
        (report.result.into_inner(), report.error_code)
    }
}

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_call_has_a_name_and_a_trace_and_a_tool_that_looks_does_not_act() {
    let world = World::start("0").await;
    let acts: Vec<_> = world.tools.iter().map(|tool| (tool.spec().name.as_str(), tool.acts())).collect();
    assert_eq!(acts, [("s__do", true), ("s__look", false)]);
    assert_eq!(world.call(json!({}), LONG).await, (r#"["key-1", "00-1-2-01"]"#.to_owned(), None));
}

#[tokio::test]
async fn a_server_that_hangs_is_replaced_after_three_calls() {
    let world = World::start("0").await;
    for _ in 0..2 {
        assert_eq!(world.call(json!({"what": "hang"}), SHORT).await.1, Some("tool.timeout"));
    }
    assert_eq!(world.call(json!({}), LONG).await.1, None, "one that answers again is kept");
    for _ in 0..3 {
        assert_eq!(world.starts(), 1);
        assert_eq!(world.call(json!({"what": "hang"}), SHORT).await.1, Some("tool.timeout"));
    }
    assert_eq!(world.call(json!({}), LONG).await.1, None);
    assert_eq!(world.starts(), 2);
    world.until_gone().await;
}

#[tokio::test]
async fn a_server_that_hangs_when_it_is_to_list_its_tools_is_replaced() {
    let world = World::started("0", "hang").await;
    assert_eq!((world.starts(), world.tools.len()), (2, 2));
    world.until_gone().await;
}

#[tokio::test]
async fn a_server_that_begins_slowly_is_not_begun_again_and_again() {
    let world = World::start("2").await;
    assert_eq!(world.call(json!({"what": "end"}), LONG).await.1, Some("tool.unreachable"));
    // It takes longer to begin than a call may last.
    for _ in 0..4 {
        assert_eq!(world.call(json!({}), SHORT).await.1, Some("tool.timeout"));
    }
    assert_eq!(world.call(json!({}), LONG).await.1, None);
    assert_eq!(world.starts(), 2);
}
