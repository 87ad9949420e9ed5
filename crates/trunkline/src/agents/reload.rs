//! Agents follow the configuration file: what is written there holds from the next turn on.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, MissedTickBehavior, interval};
use trunkline_core::ConfigError;

use super::Agents;
use super::roster::{Additions, build};
use crate::config::{AgentSettings, AgentsSettings, ConciergeSource, Reader};

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often servers are tried whose tools are missing.
const TRY_EVERY: Duration = Duration::from_secs(30);

/// A configuration file, and what stands above it.
#[derive(Clone)]
pub struct Source {
    path: PathBuf,
    reader: Reader,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Source {
    /// The file at `path`, under the environment and the flags of `reader`.
    #[must_use]
    pub const fn new(path: PathBuf, reader: Reader) -> Self {
        Self { path, reader }
    }

    /// What the file says. One that is not there says nothing.
    fn text(&self) -> Result<String, ConfigError> {
        match std::fs::read_to_string(&self.path) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => {
                let mut problem = ConfigError::new();
                problem.add(self.path.display().to_string(), format!("cannot be read: {error}"));
                Err(problem)
            }
        }
    }

    /// A name for what the file says, and the rules that `settings` have from other files.
    fn name(&self, settings: &AgentsSettings) -> Result<[u8; 32], ConfigError> {
        let mut digest = Sha256::new();
        digest.update(self.text()?);
        for agent in settings.named.values().chain([&settings.default]) {
            if let AgentSettings::Concierge(ConciergeSource::File { path, .. }) = agent {
                // One that cannot be read is told of when it is loaded.
                digest.update(std::fs::read(path).unwrap_or_default());
            }
        }
        Ok(digest.finalize().into())
    }

    fn load(&self) -> Result<AgentsSettings, ConfigError> {
        AgentsSettings::load(&self.reader.clone().with_file(&self.text()?)?)
    }
}

/// Keeps the agents as the file says, until it is dropped. What cannot be used is told of once, and changes nothing.
pub(crate) async fn follow(
    agents: Agents,
    source: Option<Source>,
    additions: Additions,
    first: AgentsSettings,
    mut is_missing_tools: bool,
) {
    let mut settings = first;
    let name = |settings: &AgentsSettings| source.as_ref().map(|source| source.name(settings)).transpose();
    let mut held = name(&settings).ok().flatten();
    let mut tried = Instant::now();
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let now = name(&settings).ok().flatten();
        let mut is_new = false;
        if now != held
            && let Some(source) = &source
        {
            match source.load() {
                Ok(said) => {
                    settings = said;
                    held = name(&settings).ok().flatten();
                    is_new = true;
                }
                Err(error) => {
                    // Told once; when it is mended, it is read as something new.
                    tracing::error!(%error, "the configuration has changed and cannot be used; the agents stay as they are");
                    held = now;
                }
            }
        }
        let tries = is_missing_tools && tried.elapsed() >= TRY_EVERY;
        if !is_new && !tries {
            continue;
        }
        tried = Instant::now();
        match build(&settings, &additions).await {
            Ok(built) => {
                is_missing_tools = built.is_missing_tools;
                agents.replace(built.roster);
                if is_new {
                    tracing::info!(agents = ?agents.names(), "the agents are those of the changed configuration");
                }
            }
            Err(error) => tracing::error!(%error, "the agents cannot be built; they stay as they are"),
        }
    }
}
