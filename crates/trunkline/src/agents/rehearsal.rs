//! Agents that are tried on what was said before. Their tools reach nothing: they give what they gave then.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::task::TaskTracker;
use trunkline_agent::tools::{Tool, ToolContext, ToolError, ToolOutput, ToolSpec};
use trunkline_core::{Channel, ConfigError};

use super::Agents;
use super::own_tools::{search_spec, send_spec};
use super::roster::{Additions, Offer, assemble, offers};
use super::servers::McpServers;
use crate::config::AgentsSettings;
use crate::scheduled::specs;

/// What a tool gave when it was called.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The tool.
    pub tool: String,
    /// What it was given, JSON.
    pub arguments: String,
    /// What it gave.
    pub result: String,
}

/// The agents of a configuration, for a rehearsal. Tools of the program are not among theirs; MCP servers are asked for
/// the names of their tools and for nothing else.
///
/// # Errors
/// Every setting that cannot be used.
///
/// # Cancel safety
/// Cancel-safe.
pub async fn rehearse(settings: &AgentsSettings, recorded: Vec<Recorded>) -> Result<Agents, ConfigError> {
    let recorded: Arc<[Recorded]> = recorded.into();
    let additions = Additions { tools: Vec::new(), agents: Vec::new(), journal: None, acting: TaskTracker::new() };
    let offered = offers(settings, &additions, &mut McpServers::default()).await?;
    let played = |spec: &ToolSpec| Arc::new(Played { spec: spec.clone(), recorded: Arc::clone(&recorded) });
    let own = [search_spec(), send_spec()].into_iter().chain(specs()).map(|spec| Offer::of(played(&spec)));
    let offered = offered
        .into_iter()
        .map(|offer| if offer.is_built_in { offer } else { Offer { tool: played(offer.tool.spec()), ..offer } });
    Ok(Agents::new(assemble(settings, &offered.chain(own).collect::<Vec<_>>(), &additions)?))
}

/// A tool that gives what it gave then.
struct Played {
    spec: ToolSpec,
    recorded: Arc<[Recorded]>,
}

#[async_trait]
impl Tool for Played {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn is_offered_on(&self, channel: Channel) -> bool {
        self.spec.name != send_spec().name || channel == Channel::Voice
    }

    async fn call(&self, arguments: Value, _: &ToolContext) -> Result<ToolOutput, ToolError> {
        let same = |one: &&Recorded| {
            one.tool == self.spec.name
                && serde_json::from_str::<Value>(&one.arguments).is_ok_and(|was| was == arguments)
        };
        let was = self.recorded.iter().find(same);
        was.map(|one| ToolOutput::text(one.result.as_str()))
            .ok_or_else(|| ToolError::Failed("it was not called like this then, and is not called now".to_owned()))
    }
}
