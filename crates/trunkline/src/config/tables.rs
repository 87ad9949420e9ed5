//! The tables of the file that are named by whoever writes it: `[models.…]`, `[agents.…]`, `[tools.…]`, `[mcp.…]` and
//! `[[routes]]`. Each is read as a whole; a problem is told under the table's name.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use trunkline_core::{ConfigError, Secret};

use super::reader::variable;

/// The sections of the file that are read here.
pub(super) const SECTIONS: [&str; 5] = ["models", "agents", "tools", "mcp", "routes"];
/// Tables of one section; more are a problem.
const MAX_TABLES: usize = 200;

/// A text, or `env:NAME`: the value of an environment variable, so that secrets need not stand in the file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Word(String);

impl Word {
    /// The value; a problem is noted if the variable is not set.
    pub(super) fn value(&self, key: &str, problems: &mut ConfigError) -> Secret {
        let Some(name) = self.0.strip_prefix("env:") else { return Secret::new(self.0.as_str()) };
        Secret::new(variable(name).unwrap_or_else(|| {
            problems.add(key, format!("the environment variable {name} is not set"));
            String::new()
        }))
    }

    /// Those of several.
    pub(super) fn values(
        words: &BTreeMap<String, Self>,
        key: &str,
        problems: &mut ConfigError,
    ) -> BTreeMap<String, Secret> {
        words.iter().map(|(name, word)| (name.clone(), word.value(&format!("{key}.{name}"), problems))).collect()
    }
}

/// `[models.NAME]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ModelTable {
    pub(super) api: Option<String>,
    pub(super) model: String,
    pub(super) base_url: Option<String>,
    pub(super) api_key: Word,
}

/// `[agents.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AgentTable {
    pub(super) kind: String,
    #[serde(default)]
    pub(super) concierge: Option<String>,
    #[serde(default)]
    pub(super) models: Vec<String>,
    #[serde(default)]
    pub(super) instructions: Option<String>,
    #[serde(default)]
    pub(super) tools: Option<Vec<String>>,
    #[serde(default)]
    pub(super) url: Option<String>,
    #[serde(default)]
    pub(super) secret: Word,
}

/// `[tools.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToolTable {
    pub(super) url: String,
    pub(super) description: String,
    #[serde(default = "post")]
    pub(super) method: String,
    #[serde(default = "nothing")]
    pub(super) parameters: Value,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Word>,
}

fn post() -> String {
    "POST".to_owned()
}

fn nothing() -> Value {
    json!({"type": "object", "properties": {}})
}

/// `[mcp.NAME]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct McpTable {
    pub(super) command: Vec<String>,
    pub(super) env: BTreeMap<String, Word>,
    pub(super) url: Option<String>,
    pub(super) headers: BTreeMap<String, Word>,
    pub(super) tools: Vec<String>,
}

/// The tables of a section, by name.
pub(super) fn named<T: DeserializeOwned>(
    tables: &toml::Table,
    section: &str,
    problems: &mut ConfigError,
) -> BTreeMap<String, T> {
    let Some(value) = tables.get(section) else { return BTreeMap::new() };
    let Some(entries) = value.as_table() else {
        problems.add(section, format!("is not a table of tables, such as [{section}.name]"));
        return BTreeMap::new();
    };
    if entries.len() > MAX_TABLES {
        problems.add(section, format!("has more than {MAX_TABLES} tables"));
    }
    let mut read = BTreeMap::new();
    for (name, value) in entries.iter().take(MAX_TABLES) {
        match value.clone().try_into::<T>() {
            Ok(table) => drop(read.insert(name.clone(), table)),
            Err(error) => problems.add(format!("{section}.{name}"), shape_of(error.message())),
        }
    }
    read
}

/// The tables of a list, in order.
pub(super) fn list<T: DeserializeOwned>(tables: &toml::Table, section: &str, problems: &mut ConfigError) -> Vec<T> {
    let Some(value) = tables.get(section) else { return Vec::new() };
    let Some(entries) = value.as_array() else {
        problems.add(section, format!("is not a list of tables, such as [[{section}]]"));
        return Vec::new();
    };
    let mut read = Vec::new();
    for (place, value) in entries.iter().take(MAX_TABLES).enumerate() {
        match value.clone().try_into::<T>() {
            Ok(table) => read.push(table),
            Err(error) => problems.add(format!("{section}[{place}]"), shape_of(error.message())),
        }
    }
    read
}

/// What is wrong with a table, without the values that it holds: one of them may be a secret.
fn shape_of(message: &str) -> String {
    let message = message.trim();
    match (message.split_once(": "), message.rsplit_once(", expected ")) {
        (Some((kind @ ("invalid type" | "invalid value"), _)), Some((_, expected))) => {
            format!("{kind}, expected {expected}")
        }
        (Some((kind, _)), None) => kind.to_owned(),
        _ => message.to_owned(),
    }
}
