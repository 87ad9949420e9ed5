//! The MCP servers of a configuration. One that has told its tools is kept, also when others are away or the rest of the
//! configuration changes.

use std::sync::Arc;

use futures_util::future::join_all;
use trunkline_agent::tools::{McpConfig, McpServer, Tool};

/// Servers, and the tools of those that have answered.
#[derive(Default)]
pub(crate) struct McpServers(Vec<Known>);

struct Known {
    server: McpServer,
    /// `None`: it has not told them yet.
    tools: Option<Vec<Arc<dyn Tool>>>,
}

impl McpServers {
    /// Has these servers and no others, and asks those for their tools that have not told them.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub(super) async fn ask(&mut self, wanted: &[McpConfig]) {
        self.0.retain(|known| wanted.contains(known.server.config()));
        for config in wanted {
            if !self.0.iter().any(|known| known.server.config() == config) {
                self.0.push(Known { server: McpServer::new(config.clone()), tools: None });
            }
        }
        let missing = self.0.iter_mut().filter(|known| known.tools.is_none());
        join_all(missing.map(|known| async {
            match known.server.tools().await {
                Ok(tools) => known.tools = Some(tools),
                Err(error) => {
                    tracing::error!(error.code = error.code(), %error, "its tools are missing; it is tried again");
                }
            }
        }))
        .await;
    }

    /// Whether one of them has not told its tools.
    pub(super) fn is_any_missing(&self) -> bool {
        self.0.iter().any(|known| known.tools.is_none())
    }

    /// Every tool, with the name of its server.
    pub(super) fn tools(&self) -> impl Iterator<Item = (&str, Arc<dyn Tool>)> {
        self.0.iter().flat_map(|known| {
            let name = known.server.config().name.as_str();
            known.tools.iter().flatten().map(move |tool| (name, Arc::clone(tool)))
        })
    }
}
