//! Agents, routes and tools, built from their settings.

use std::sync::Arc;

use tokio_util::task::TaskTracker;
use trunkline_agent::tools::{EndCall, HandOver, HandOverTo, HttpTool, Remember, Tool, ToolJournal, Toolbox};
use trunkline_agent::{Agent, ChatModel, ChatModelConfig, Concierge, HttpAgent};
use trunkline_core::ConfigError;

use super::servers::McpServers;
use super::{DEFAULT, Roster};
use crate::config::{AgentSettings, AgentsSettings, ChatSettings, ConciergeSource};

/// Whoever takes every tool.
const ALL: &str = "*";

/// A tool, and the name by which settings ask for it: its own, or its server's.
pub(super) struct Offer {
    pub(super) name: String,
    pub(super) tool: Arc<dyn Tool>,
    /// It reaches nothing outside.
    pub(super) is_built_in: bool,
}

/// What the program itself adds.
pub(crate) struct Additions {
    pub(crate) tools: Vec<Arc<dyn Tool>>,
    pub(crate) agents: Vec<(String, Arc<dyn Agent>)>,
    /// Where calls of tools are written down.
    pub(crate) journal: Option<Arc<dyn ToolJournal>>,
    /// Tools that act, to their end.
    pub(crate) acting: TaskTracker,
}

/// Builds everything, and connects to the MCP servers that are new or away.
pub(crate) async fn build(
    settings: &AgentsSettings,
    additions: &Additions,
    servers: &mut McpServers,
) -> Result<Roster, ConfigError> {
    let offers = offers(settings, additions, servers).await?;
    assemble(settings, &offers, additions)
}

/// Every tool there is.
pub(super) async fn offers(
    settings: &AgentsSettings,
    additions: &Additions,
    servers: &mut McpServers,
) -> Result<Vec<Offer>, ConfigError> {
    let built_in = built_in().into_iter().map(|tool| Offer { is_built_in: true, ..Offer::of(tool) });
    let mut offers: Vec<Offer> = built_in.chain(additions.tools.iter().cloned().map(Offer::of)).collect();
    let mut problems = ConfigError::new();
    for config in &settings.tools {
        match HttpTool::new(config.clone()) {
            Ok(tool) => offers.push(Offer::of(Arc::new(tool))),
            Err(error) => problems.extend(error),
        }
    }
    servers.ask(&settings.mcp).await;
    offers.extend(servers.tools().map(|(server, tool)| Offer { name: server.to_owned(), ..Offer::of(tool) }));
    problems.or(offers)
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
        match agent(name, one, offers, &colleagues, settings, additions) {
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
        Self { name: tool.spec().name.clone(), tool, is_built_in: false }
    }
}

fn built_in() -> [Arc<dyn Tool>; 3] {
    [Arc::new(Remember::default()), Arc::new(HandOver::default()), Arc::new(EndCall::default())]
}

fn agent(
    name: &str,
    settings: &AgentSettings,
    offers: &[Offer],
    colleagues: &[String],
    all: &AgentsSettings,
    additions: &Additions,
) -> Result<Option<Arc<dyn Agent>>, ConfigError> {
    Ok(Some(match settings {
        AgentSettings::Concierge(source) => {
            let concierge = match source {
                ConciergeSource::BuiltIn => Concierge::built_in()?,
                ConciergeSource::File { text, .. } => Concierge::from_toml(text)?,
            };
            Arc::new(concierge.recalling(all.concierge_recalls))
        }
        AgentSettings::Chat(chat) => Arc::new(chat_model(name, chat, offers, colleagues, all, additions)?),
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
    additions: &Additions,
) -> Result<ChatModel, ConfigError> {
    let mut tools = Toolbox::new(all.limits.clone());
    if let Some(journal) = &additions.journal {
        tools = tools.journaled(Arc::clone(journal), additions.acting.clone());
    }
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
