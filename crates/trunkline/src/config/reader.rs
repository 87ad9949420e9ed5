//! Values by setting, and where they came from.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use trunkline_core::{ConfigError, Secret};

use super::duration::show_duration;
use super::parse_duration;
use super::table::{SETTINGS, Setting};
use super::tables::SECTIONS;
use crate::agents::Source;

/// Looks a setting up in flags, environment and file, in that order.
#[derive(Clone, Default)]
pub struct Reader {
    flags: BTreeMap<&'static str, String>,
    env: BTreeMap<String, String>,
    file: BTreeMap<String, String>,
    /// Sections whose tables are named by whoever writes them.
    tables: toml::Table,
    path: Option<PathBuf>,
}

impl Reader {
    /// A reader over an environment, so that tests need not touch the process's own. Empty variables count as unset.
    pub fn new(env: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { env: env.into_iter().filter(|(_, value)| !value.is_empty()).collect(), ..Self::default() }
    }

    /// A reader over the environment of this process.
    pub fn from_process() -> Self {
        let known = |name: &str| SETTINGS.iter().any(|setting| setting.env == name);
        Self::new(std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            known(&name).then(|| (name, value.to_string_lossy().into_owned()))
        }))
    }

    /// Notes where the file is, there already or not, so that agents can follow it.
    #[must_use]
    pub fn with_file_path(self, path: PathBuf) -> Self {
        Self { path: Some(path), ..self }
    }

    /// What agents follow: the file, under this environment and these flags.
    pub(super) fn source(&self) -> Option<Source> {
        let above = Self { flags: self.flags.clone(), env: self.env.clone(), ..Self::default() };
        self.path.clone().map(|path| Source::new(path, above))
    }

    /// Adds the settings of a TOML file; later the environment and flags win over them.
    ///
    /// # Errors
    /// Every key that is not known, every value that is not a text, a number, a boolean or a list of texts.
    pub fn with_file(mut self, text: &str) -> Result<Self, ConfigError> {
        let mut problems = ConfigError::new();
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
                problems.add("trunkline.toml", format!("line {line}: {}", error.message()));
                return Err(problems);
            }
        };
        for (section, value) in &table {
            if SECTIONS.contains(&section.as_str()) {
                self.tables.insert(section.clone(), value.clone());
                continue;
            }
            let Some(entries) = value.as_table() else {
                problems.add(section, "is not a table; settings stand in tables such as [twilio]");
                continue;
            };
            for (name, value) in entries {
                let key = format!("{section}.{name}");
                if !SETTINGS.iter().any(|setting| setting.key == key) {
                    problems.add(key, "is not a setting; see docs/configuration.md");
                    continue;
                }
                match plain(value) {
                    Some(value) => {
                        self.file.insert(key, value);
                    }
                    None => problems.add(key, "must be a text, a number, true, false, or a list of texts"),
                }
            }
        }
        problems.or(self)
    }

    /// The sections whose tables are named by whoever writes them.
    pub(super) const fn tables(&self) -> &toml::Table {
        &self.tables
    }

    /// Adds a flag of the command line.
    #[must_use]
    pub fn with_flag(mut self, setting: &Setting, value: Option<String>) -> Self {
        if let Some(value) = value {
            self.flags.insert(setting.key, value);
        }
        self
    }

    /// The value as it was written, or `None` if it was not.
    pub fn text(&self, setting: &Setting) -> Option<&str> {
        let given = self.flags.get(setting.key).or_else(|| self.env.get(setting.env));
        given.or_else(|| self.file.get(setting.key)).map(String::as_str)
    }

    /// The value as it was written, or the default.
    pub fn text_or_default<'a>(&'a self, setting: &'a Setting) -> &'a str {
        self.text(setting).unwrap_or(setting.default)
    }

    /// The name under which the value was given, for messages.
    pub fn name_of(&self, setting: &Setting) -> String {
        if !self.flags.contains_key(setting.key)
            && !self.env.contains_key(setting.env)
            && self.file.contains_key(setting.key)
        {
            return setting.key.to_owned();
        }
        setting.env.to_owned()
    }

    /// A secret; empty if it is not set.
    pub fn secret(&self, setting: &Setting) -> Secret {
        Secret::new(self.text(setting).unwrap_or_default())
    }

    /// Several secrets, separated by commas.
    pub fn secrets(&self, setting: &Setting) -> Vec<Secret> {
        let text = self.text(setting).unwrap_or_default();
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(Secret::new).collect()
    }

    /// The value as a `T`; a problem is noted and the default taken if it is not one.
    pub fn parsed<T: FromStr + Default>(&self, setting: &Setting, what: &str, problems: &mut ConfigError) -> T {
        self.text_or_default(setting).parse().unwrap_or_else(|_| {
            problems.add(self.name_of(setting), format!("must be {what}"));
            T::default()
        })
    }

    /// The value as a duration within `range`; a problem is noted, and the shortest one taken, if it is not one.
    pub fn duration(&self, setting: &Setting, range: RangeInclusive<Duration>, problems: &mut ConfigError) -> Duration {
        let problem = match parse_duration(self.text_or_default(setting)) {
            Some(duration) if range.contains(&duration) => return duration,
            Some(_) => {
                let (shortest, longest) = (show_duration(*range.start()), show_duration(*range.end()));
                format!("must be between {shortest} and {longest}")
            }
            None => "must be a duration such as 250ms, 30s, 5m or 24h".to_owned(),
        };
        problems.add(self.name_of(setting), problem);
        *range.start()
    }
}

/// A variable of this process that the file names.
pub(super) fn variable(name: &str) -> Option<String> {
    let (_, value) = std::env::vars_os().find(|(known, _)| known == name)?;
    value.into_string().ok().filter(|value| !value.is_empty())
}

fn plain(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(yes) => Some(yes.to_string()),
        toml::Value::Array(parts) => {
            let parts: Option<Vec<_>> = parts.iter().map(toml::Value::as_str).collect();
            parts.map(|parts| parts.join(","))
        }
        _ => None,
    }
}
