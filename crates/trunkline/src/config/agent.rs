//! Who answers, and what they need for it.

use std::path::PathBuf;

use trunkline_agent::models::{ModelApi, ModelConfig};
use trunkline_agent::{ChatModelConfig, HttpAgent, HttpAgentConfig};
use trunkline_core::ConfigError;

use super::Reader;
use super::table as key;

/// Who answers.
#[derive(Debug, Clone)]
pub enum AgentSettings {
    /// Rules.
    Concierge(ConciergeSource),
    /// A model.
    Chat(Box<ChatModelConfig>),
    /// Somebody else's agent, by HTTP.
    Http(Box<HttpAgentConfig>),
    /// Nobody here: whoever reads the bus.
    Nobody,
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

pub(super) fn agent(reader: &Reader, problems: &mut ConfigError) -> AgentSettings {
    match reader.text_or_default(&key::AGENT) {
        "concierge" => AgentSettings::Concierge(concierge(reader, problems)),
        "chat" => {
            let mut model = ModelConfig::new(ModelApi::OpenAi, reader.text_or_default(&key::MODEL));
            reader.text_or_default(&key::MODEL_BASE_URL).clone_into(&mut model.base_url);
            model.api_key = reader.secret(&key::MODEL_KEY);
            let mut config = ChatModelConfig::with(vec![model]);
            if let Some(instructions) = reader.text(&key::INSTRUCTIONS) {
                instructions.clone_into(&mut config.instructions);
            }
            if reader.text_or_default(&key::MODEL).is_empty() {
                problems.add(reader.name_of(&key::MODEL), "is missing: name the model that the chat agent asks");
            }
            AgentSettings::Chat(Box::new(config))
        }
        "http" => AgentSettings::Http(Box::new(http(reader, problems))),
        "none" => AgentSettings::Nobody,
        _ => {
            problems.add(reader.name_of(&key::AGENT), "must be concierge, chat, http or none");
            AgentSettings::Concierge(ConciergeSource::BuiltIn)
        }
    }
}

fn concierge(reader: &Reader, problems: &mut ConfigError) -> ConciergeSource {
    let Some(path) = reader.text(&key::CONCIERGE).map(PathBuf::from) else { return ConciergeSource::BuiltIn };
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            if let Err(error) = trunkline_agent::Concierge::from_toml(&text) {
                problems.extend(error);
            }
            ConciergeSource::File { path, text }
        }
        Err(error) => {
            problems.add(reader.name_of(&key::CONCIERGE), format!("cannot read {}: {error}", path.display()));
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
