//! Who answers, and what they need for it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use trunkline_agent::models::{ModelApi, ModelConfig};
use trunkline_agent::tools::{HttpTool, HttpToolConfig, McpConfig, McpTransport, ToolLimits, ToolSpec, check_mcp};
use trunkline_agent::{ChatModelConfig, HttpAgent, HttpAgentConfig};
use trunkline_core::ConfigError;

use super::tables::{AgentTable, McpTable, ModelTable, ToolTable, Word, list, named};
use super::{Reader, table as key};
use crate::agents::{DEFAULT, MAX_ATTRIBUTES, MAX_DEPTH, Route};

/// Who answers.
#[derive(Debug, Clone)]
pub enum AgentSettings {
    /// Rules.
    Concierge(ConciergeSource),
    /// Language models.
    Chat(Box<ChatSettings>),
    /// Somebody else's agent, by HTTP.
    Http(Box<HttpAgentConfig>),
    /// Nobody here: whoever reads the bus.
    Nobody,
}

/// An agent that asks language models.
#[derive(Debug, Clone)]
pub struct ChatSettings {
    /// Everything but its tools.
    pub config: ChatModelConfig,
    /// Names of tools and of MCP servers, or `*`.
    pub tools: Vec<String>,
}

/// Where the rules are.
#[derive(Debug, Clone)]
pub enum ConciergeSource {
    /// In the program.
    BuiltIn,
    /// In a file, read already.
    File {
        /// Its path.
        path: PathBuf,
        /// Its content.
        text: String,
    },
}

/// All agents, where they answer, and what they may use.
#[derive(Debug, Clone)]
pub struct AgentsSettings {
    /// The one that answers where no route says otherwise.
    pub default: AgentSettings,
    /// The others, by name.
    pub named: BTreeMap<String, AgentSettings>,
    /// Which one answers where; the first that fits is taken.
    pub routes: Vec<Route>,
    /// Tools behind URLs.
    pub tools: Vec<HttpToolConfig>,
    /// MCP servers.
    pub mcp: Vec<McpConfig>,
    /// How much tools may be used.
    pub limits: ToolLimits,
    /// Whether the concierge answers from what a turn reminds of.
    pub concierge_recalls: bool,
}

/// The most calls of tools in one turn.
const MAX_TOOL_CALLS: usize = 100;

impl AgentsSettings {
    /// Reads them.
    ///
    /// # Errors
    /// Every problem, under the name by which the value was given.
    pub fn load(reader: &Reader) -> Result<Self, ConfigError> {
        let mut problems = ConfigError::new();
        let settings = agents(reader, &mut problems);
        problems.or(settings)
    }
}

/// Whether what a route asks for can be asked.
fn attributes_of(place: usize, route: &Route, problems: &mut ConfigError) {
    let key = format!("routes[{place}].attribute");
    if route.attribute.len() > MAX_ATTRIBUTES {
        problems.add(&key, format!("has more than {MAX_ATTRIBUTES} members"));
    }
    for (name, value) in &route.attribute {
        let key = format!("{key}.{name}");
        if name.split('.').count() > MAX_DEPTH {
            problems.add(&key, format!("goes down more than {MAX_DEPTH} members"));
        }
        if !(value.is_string() || value.is_number() || value.is_boolean()) {
            problems.add(key, "must be a text, a number, true or false");
        }
    }
}

pub(super) fn agents(reader: &Reader, problems: &mut ConfigError) -> AgentsSettings {
    let tables = reader.tables();
    let mut models = BTreeMap::new();
    for (name, table) in named::<ModelTable>(tables, "models", problems) {
        let read = model(&format!("models.{name}"), &table, problems);
        models.insert(name, read);
    }
    let mut agents = BTreeMap::new();
    for (name, table) in named::<AgentTable>(tables, "agents", problems) {
        if name == DEFAULT {
            problems.add("agents.default", "is the name of the agent that [agent] describes; take another one");
            continue;
        }
        let read = agent_of(&name, &table, &models, problems);
        agents.insert(name, read);
    }
    let routes: Vec<Route> = list(tables, "routes", problems);
    for (place, route) in routes.iter().enumerate() {
        if route.agent != DEFAULT && !agents.contains_key(&route.agent) {
            problems.add(format!("routes[{place}].agent"), format!("there is no [agents.{}]", route.agent));
        }
        attributes_of(place, route, problems);
    }
    let tools: Vec<_> = named::<ToolTable>(tables, "tools", problems)
        .into_iter()
        .filter_map(|(name, table)| tool(name, table, problems))
        .collect();
    let mcp: Vec<_> = named::<McpTable>(tables, "mcp", problems)
        .into_iter()
        .filter_map(|(name, table)| mcp(name, table, problems))
        .collect();
    let limits = ToolLimits {
        timeout: reader.duration(&key::TOOL_TIMEOUT, Duration::from_millis(1)..=Duration::from_mins(5), problems),
        calls: reader.parsed::<usize>(&key::TOOL_CALLS, "a number between 0 and 100", problems).min(MAX_TOOL_CALLS),
        ..ToolLimits::default()
    };
    AgentsSettings {
        default: default(reader, &models, problems),
        named: agents,
        routes,
        tools,
        mcp,
        limits,
        concierge_recalls: reader.parsed(&key::RECALL_ANSWERS, "true or false", problems),
    }
}

fn default(reader: &Reader, models: &BTreeMap<String, ModelConfig>, problems: &mut ConfigError) -> AgentSettings {
    match reader.text_or_default(&key::AGENT) {
        "concierge" => AgentSettings::Concierge(concierge(
            reader.text(&key::CONCIERGE),
            &reader.name_of(&key::CONCIERGE),
            problems,
        )),
        "chat" => {
            let names = words(reader.text_or_default(&key::MODELS));
            let asked = if names.is_empty() {
                vec![default_model(reader, problems)]
            } else {
                chosen(&names, models, &reader.name_of(&key::MODELS), problems)
            };
            let mut config = ChatModelConfig::with(asked);
            if let Some(instructions) = reader.text(&key::INSTRUCTIONS) {
                instructions.clone_into(&mut config.instructions);
            }
            let tools = words(reader.text_or_default(&key::TOOLS));
            AgentSettings::Chat(Box::new(ChatSettings { config, tools }))
        }
        "http" => AgentSettings::Http(Box::new(http(reader, problems))),
        "none" => AgentSettings::Nobody,
        _ => {
            problems.add(reader.name_of(&key::AGENT), "must be concierge, chat, http or none");
            AgentSettings::Concierge(ConciergeSource::BuiltIn)
        }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn default_model(reader: &Reader, problems: &mut ConfigError) -> ModelConfig {
    let api = ModelApi::from_name(reader.text_or_default(&key::MODEL_API)).unwrap_or_else(|| {
        problems.add(reader.name_of(&key::MODEL_API), "must be openai or anthropic");
        ModelApi::default()
    });
    let mut model = ModelConfig::new(api, reader.text_or_default(&key::MODEL));
    let (url, secret) = match api {
        ModelApi::OpenAi => (&key::MODEL_BASE_URL, &key::MODEL_KEY),
        ModelApi::Anthropic => (&key::ANTHROPIC_BASE_URL, &key::ANTHROPIC_KEY),
    };
    reader.text_or_default(url).clone_into(&mut model.base_url);
    model.api_key = reader.secret(secret);
    if model.model.is_empty() {
        problems.add(reader.name_of(&key::MODEL), "is missing: name the model that the chat agent asks");
    }
    model
}

/// Models by their names.
fn chosen(
    names: &[String],
    models: &BTreeMap<String, ModelConfig>,
    key: &str,
    problems: &mut ConfigError,
) -> Vec<ModelConfig> {
    let mut asked = Vec::with_capacity(names.len());
    for name in names {
        match models.get(name) {
            Some(model) => asked.push(model.clone()),
            None => problems.add(key, format!("there is no [models.{name}]")),
        }
    }
    asked
}

fn model(key: &str, table: &ModelTable, problems: &mut ConfigError) -> ModelConfig {
    let api = table.api.as_deref().map_or(Some(ModelApi::default()), ModelApi::from_name).unwrap_or_else(|| {
        problems.add(format!("{key}.api"), "must be openai or anthropic");
        ModelApi::default()
    });
    let mut model = ModelConfig::new(api, table.model.as_str());
    if let Some(url) = &table.base_url {
        url.clone_into(&mut model.base_url);
    }
    model.api_key = table.api_key.value(&format!("{key}.api_key"), problems);
    renamed(key, model.build().map(drop), problems);
    model
}

/// The problems of a part, under the key of its table.
fn renamed(key: &str, outcome: Result<(), ConfigError>, problems: &mut ConfigError) {
    let Err(error) = outcome else { return };
    for problem in error.problems() {
        let field = problem.key.strip_prefix("agent.").unwrap_or(&problem.key);
        problems.add(format!("{key}.{field}"), &problem.message);
    }
}

fn agent_of(
    name: &str,
    table: &AgentTable,
    models: &BTreeMap<String, ModelConfig>,
    problems: &mut ConfigError,
) -> AgentSettings {
    let key = format!("agents.{name}");
    match table.kind.as_str() {
        "concierge" => {
            AgentSettings::Concierge(concierge(table.concierge.as_deref(), &format!("{key}.concierge"), problems))
        }
        "chat" => {
            if table.models.is_empty() {
                problems.add(format!("{key}.models"), "is missing: name one or more of [models.…]");
            }
            let asked = chosen(&table.models, models, &format!("{key}.models"), problems);
            let mut config = ChatModelConfig::with(asked);
            name.clone_into(&mut config.name);
            if let Some(instructions) = &table.instructions {
                instructions.clone_into(&mut config.instructions);
            }
            let tools = table.tools.clone().unwrap_or_else(|| vec!["*".to_owned()]);
            AgentSettings::Chat(Box::new(ChatSettings { config, tools }))
        }
        "http" => {
            let mut config = HttpAgentConfig::new(table.url.as_deref().unwrap_or_default());
            name.clone_into(&mut config.name);
            config.secret = table.secret.value(&format!("{key}.secret"), problems);
            renamed(&key, HttpAgent::new(config.clone()).map(drop), problems);
            AgentSettings::Http(Box::new(config))
        }
        _ => {
            problems.add(format!("{key}.kind"), "must be concierge, chat or http");
            AgentSettings::Concierge(ConciergeSource::BuiltIn)
        }
    }
}

fn tool(name: String, table: ToolTable, problems: &mut ConfigError) -> Option<HttpToolConfig> {
    let key = format!("tools.{name}");
    let headers = Word::values(&table.headers, &format!("{key}.headers"), problems);
    let spec = ToolSpec { name, description: table.description, parameters: table.parameters };
    let config = HttpToolConfig { spec, url: table.url, method: table.method, headers };
    let checked = HttpTool::new(config.clone()).map(drop);
    let is_good = checked.is_ok();
    renamed(&key, checked, problems);
    is_good.then_some(config)
}

fn mcp(name: String, table: McpTable, problems: &mut ConfigError) -> Option<McpConfig> {
    let key = format!("mcp.{name}");
    let transport = match (table.url, table.command.is_empty()) {
        (Some(url), true) => {
            McpTransport::Http { url, headers: Word::values(&table.headers, &format!("{key}.headers"), problems) }
        }
        (None, false) => McpTransport::Program {
            command: table.command,
            env: Word::values(&table.env, &format!("{key}.env"), problems),
        },
        _ => {
            problems.add(key, "must have either a command or a url");
            return None;
        }
    };
    let config = McpConfig { name, transport, tools: table.tools };
    let checked = check_mcp(&config);
    let is_good = checked.is_ok();
    renamed(&key, checked, problems);
    is_good.then_some(config)
}

/// What a file says. What is no regular file, also behind a link, is refused: nobody knows when reading a pipe would end.
///
/// # Errors
/// The system's; `InvalidInput` for what is no regular file.
pub(crate) fn read_regular(path: &Path) -> io::Result<String> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    std::fs::read_to_string(path)
}

fn concierge(path: Option<&str>, key: &str, problems: &mut ConfigError) -> ConciergeSource {
    let Some(path) = path.map(PathBuf::from) else { return ConciergeSource::BuiltIn };
    match read_regular(&path) {
        Ok(text) => {
            if let Err(error) = trunkline_agent::Concierge::from_toml(&text) {
                problems.extend(error);
            }
            ConciergeSource::File { path, text }
        }
        Err(error) => {
            problems.add(key, format!("cannot read {}: {error}", path.display()));
            ConciergeSource::BuiltIn
        }
    }
}

fn http(reader: &Reader, problems: &mut ConfigError) -> HttpAgentConfig {
    let mut config = HttpAgentConfig::new(reader.text_or_default(&key::AGENT_URL));
    config.secret = reader.secret(&key::AGENT_SECRET);
    if config.url.is_empty() {
        problems.add(reader.name_of(&key::AGENT_URL), "is missing: name the URL of the agent that http asks");
    } else if let Err(error) = HttpAgent::new(config.clone()) {
        for problem in error.problems() {
            let setting = if problem.key == key::AGENT_SECRET.key { &key::AGENT_SECRET } else { &key::AGENT_URL };
            problems.add(reader.name_of(setting), &problem.message);
        }
    }
    config
}
