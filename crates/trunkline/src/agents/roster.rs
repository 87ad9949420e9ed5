//! Agents, routes and tools, built from their settings.

use std::sync::Arc;

use futures_util::future::join_all;
use trunkline_agent::tools::{EndCall, HandOver, HandOverTo, HttpTool, McpConfig, Remember, Tool, Toolbox, mcp_tools};
use trunkline_agent::{Agent, ChatModel, ChatModelConfig, Concierge, HttpAgent};
use trunkline_core::ConfigError;

use super::{DEFAULT, Roster};
use crate::config::{AgentSettings, AgentsSettings, ChatSettings, ConciergeSource};

/// Whoever takes every tool.
const ALL: &str = "*";

/// What came of the settings.
pub(crate) struct Built {
    pub(crate) roster: Roster,
    /// MCP servers that could not be reached: their tools are missing.
    pub(crate) is_missing_tools: bool,
}

/// A tool, and the name by which settings ask for it: its own, or its server's.
pub(super) struct Offer {
    pub(super) name: String,
    pub(super) tool: Arc<dyn Tool>,
    /// It reaches nothing outside.
    pub(super) is_harmless: bool,
}

/// What the program itself adds.
pub(crate) struct Additions {
    pub(crate) tools: Vec<Arc<dyn Tool>>,
    pub(crate) agents: Vec<(String, Arc<dyn Agent>)>,
}

/// Builds everything, and connects to MCP servers.
pub(crate) async fn build(settings: &AgentsSettings, additions: &Additions) -> Result<Built, ConfigError> {
    let (offers, is_missing_tools) = offers(settings, additions).await?;
    Ok(Built { roster: assemble(settings, &offers, additions)?, is_missing_tools })
}

/// Every tool there is, and whether a server is away.
pub(super) async fn offers(
    settings: &AgentsSettings,
    additions: &Additions,
) -> Result<(Vec<Offer>, bool), ConfigError> {
    let harmless = built_in().into_iter().map(|tool| Offer { is_harmless: true, ..Offer::of(tool) });
    let mut offers: Vec<Offer> = harmless.chain(additions.tools.iter().cloned().map(Offer::of)).collect();
    let mut problems = ConfigError::new();
    for config in &settings.tools {
        match HttpTool::new(config.clone()) {
            Ok(tool) => offers.push(Offer::of(Arc::new(tool))),
            Err(error) => problems.extend(error),
        }
    }
    let (of_servers, is_missing_tools) = of_servers(&settings.mcp).await;
    offers.extend(of_servers);
    problems.or((offers, is_missing_tools))
}

/// The agents and routes of a configuration, with these tools to choose from.
pub(super) fn assemble(
    settings: &AgentsSettings,
    offers: &[Offer],
    additions: &Additions,
) -> Result<Roster, ConfigError> {
    let mut problems = ConfigError::new();
    let colleagues: Vec<_> = settings.named.keys().cloned().chain([DEFAULT.to_owned()]).collect();
    let all = offers.iter().map(|offer| Arc::clone(&offer.tool));
    let mut roster = Roster::new().tools(all.fold(Toolbox::new(settings.limits.clone()), Toolbox::with));
    let default = [(DEFAULT, &settings.default)].into_iter();
    for (name, one) in default.chain(settings.named.iter().map(|(name, one)| (name.as_str(), one))) {
        match agent(name, one, offers, &colleagues, settings) {
            Ok(Some(agent)) => roster = roster.with(name, agent),
            Ok(None) => {}
            Err(error) => problems.extend(error),
        }
    }
    for (name, agent) in &additions.agents {
        roster = roster.with(name, Arc::clone(agent));
    }
    for route in &settings.routes {
        roster = roster.route(route.clone());
    }
    problems.or(roster)
}

impl Offer {
    pub(super) fn of(tool: Arc<dyn Tool>) -> Self {
        Self { name: tool.spec().name.clone(), tool, is_harmless: false }
    }
}

fn built_in() -> [Arc<dyn Tool>; 3] {
    [Arc::new(Remember::default()), Arc::new(HandOver::default()), Arc::new(EndCall::default())]
}

/// The tools of all servers that answer, and whether one does not.
async fn of_servers(servers: &[McpConfig]) -> (Vec<Offer>, bool) {
    let listed = join_all(servers.iter().map(|server| mcp_tools(server.clone()))).await;
    let mut offers = Vec::new();
    let mut is_missing_tools = false;
    for (server, tools) in servers.iter().zip(listed) {
        match tools {
            Ok(tools) => {
                offers.extend(tools.into_iter().map(|tool| Offer { name: server.name.clone(), ..Offer::of(tool) }));
            }
            Err(error) => {
                is_missing_tools = true;
                tracing::error!(error.code = error.code(), %error, "its tools are missing; it is tried again");
            }
        }
    }
    (offers, is_missing_tools)
}

fn agent(
    name: &str,
    settings: &AgentSettings,
    offers: &[Offer],
    colleagues: &[String],
    all: &AgentsSettings,
) -> Result<Option<Arc<dyn Agent>>, ConfigError> {
    Ok(Some(match settings {
        AgentSettings::Concierge(source) => {
            let concierge = match source {
                ConciergeSource::BuiltIn => Concierge::built_in()?,
                ConciergeSource::File { text, .. } => Concierge::from_toml(text)?,
            };
            Arc::new(concierge.recalling(all.concierge_recalls))
        }
        AgentSettings::Chat(chat) => Arc::new(chat_model(name, chat, offers, colleagues, all)?),
        AgentSettings::Http(config) => Arc::new(HttpAgent::new((**config).clone())?),
        AgentSettings::Nobody => return Ok(None),
    }))
}

fn chat_model(
    name: &str,
    chat: &ChatSettings,
    offers: &[Offer],
    colleagues: &[String],
    all: &AgentsSettings,
) -> Result<ChatModel, ConfigError> {
    let mut tools = Toolbox::new(all.limits.clone());
    let wants = |offered: &str| chat.tools.iter().any(|wanted| wanted == ALL || wanted == offered);
    for offer in offers.iter().filter(|offer| wants(&offer.name)) {
        tools = tools.with(Arc::clone(&offer.tool));
    }
    let others: Vec<_> = colleagues.iter().filter(|other| *other != name).cloned().collect();
    if !others.is_empty() && wants("hand_over_to") {
        tools = tools.with(Arc::new(HandOverTo::new(others)));
    }
    let known = |wanted: &String| {
        wanted == ALL
            || wanted == "hand_over_to"
            || offers.iter().any(|offer| offer.name == *wanted)
            || all.mcp.iter().any(|server| server.name == *wanted)
    };
    if let Some(unknown) = chat.tools.iter().find(|wanted| !known(wanted)) {
        let mut problem = ConfigError::new();
        let key = if name == DEFAULT { "agent.tools".to_owned() } else { format!("agents.{name}.tools") };
        problem.add(key, format!("names {unknown}, and there is neither such a tool nor such an MCP server"));
        return Err(problem);
    }
    ChatModel::new(ChatModelConfig { tools, ..chat.config.clone() })
}
