//! Agents follow the configuration file: what is written there holds from the next turn on.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, MissedTickBehavior, interval};
use trunkline_core::ConfigError;

use super::Agents;
use super::roster::{Additions, build};
use super::servers::McpServers;
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

    /// What the file says; `None` if it says nothing: it is not there, or it is being written.
    fn text(&self) -> Result<Option<String>, ConfigError> {
        match std::fs::read_to_string(&self.path) {
            Ok(text) => Ok(Some(text).filter(|text| !text.trim().is_empty())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                let mut problem = ConfigError::new();
                problem.add(self.path.display().to_string(), format!("cannot be read: {error}"));
                Err(problem)
            }
        }
    }

    fn load(&self, text: &str) -> Result<AgentsSettings, ConfigError> {
        AgentsSettings::load(&self.reader.clone().with_file(text)?)
    }
}

/// A name for what a file says, and the rules that `settings` have from other files.
fn name(text: &str, settings: &AgentsSettings) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(text);
    for agent in settings.named.values().chain([&settings.default]) {
        if let AgentSettings::Concierge(ConciergeSource::File { path, .. }) = agent {
            // One that cannot be read is told of when it is loaded.
            digest.update(std::fs::read(path).unwrap_or_default());
        }
    }
    digest.finalize().into()
}

/// Keeps the agents as the file says, until it is dropped. What cannot be used is told of once, and changes nothing.
pub(crate) async fn follow(
    agents: Agents,
    source: Option<Source>,
    additions: Additions,
    first: AgentsSettings,
    mut servers: McpServers,
) {
    let mut settings = first;
    let text = || source.as_ref().and_then(|source| source.text().ok().flatten());
    let mut held = text().map(|text| name(&text, &settings));
    let mut refused: Option<String> = None;
    let mut tried = Instant::now();
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let mut is_new = false;
        // A file that is gone, or empty for the moment that it takes to write it, changes nothing.
        if let (Some(source), Some(text)) = (&source, text())
            && Some(name(&text, &settings)) != held
        {
            match source.load(&text) {
                Ok(said) => {
                    held = Some(name(&text, &said));
                    (settings, refused, is_new) = (said, None, true);
                }
                Err(error) => {
                    // It is read again with each look, as another file may be what is wrong, and told of once.
                    let said = error.to_string();
                    if refused.as_ref() != Some(&said) {
                        tracing::error!(%error, "the configuration has changed and cannot be used; the agents stay as they are");
                        refused = Some(said);
                    }
                }
            }
        }
        let tries = servers.is_any_missing() && tried.elapsed() >= TRY_EVERY;
        if !is_new && !tries {
            continue;
        }
        tried = Instant::now();
        match build(&settings, &additions, &mut servers).await {
            Ok(roster) => {
                agents.replace(roster);
                if is_new {
                    tracing::info!(agents = ?agents.names(), "the agents are those of the changed configuration");
                }
            }
            Err(error) => tracing::error!(%error, "the agents cannot be built; they stay as they are"),
        }
    }
}
