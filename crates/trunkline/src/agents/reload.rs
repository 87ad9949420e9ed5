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

/// What the agents' part of the configuration says, and a name for what it says.
type Said = (AgentsSettings, [u8; 32]);

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

    /// Reads the file again. One that is not there says nothing.
    fn read(&self) -> Result<Said, ConfigError> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                let mut problem = ConfigError::new();
                problem.add(self.path.display().to_string(), format!("cannot be read: {error}"));
                return Err(problem);
            }
        };
        let settings = AgentsSettings::load(&self.reader.clone().with_file(&text)?)?;
        let mut digest = Sha256::new();
        digest.update(&text);
        for agent in settings.named.values().chain([&settings.default]) {
            if let AgentSettings::Concierge(ConciergeSource::File { text, .. }) = agent {
                digest.update(text);
            }
        }
        Ok((settings, digest.finalize().into()))
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
    let mut held = source.as_ref().and_then(|source| source.read().ok()).map(|(_, name)| name);
    let mut complained: Option<String> = None;
    let mut tried = Instant::now();
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let mut is_new = false;
        match source.as_ref().map(Source::read) {
            Some(Ok((said, name))) if Some(name) != held => {
                (settings, held, is_new) = (said, Some(name), true);
            }
            Some(Err(error)) => {
                let said = error.to_string();
                if complained.as_ref() != Some(&said) {
                    tracing::error!(%error, "the configuration has changed and cannot be used; the agents stay as they are");
                    complained = Some(said);
                }
                // When it is mended, it is read as something new.
                held = None;
                continue;
            }
            _ => {}
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
                complained = None;
                if is_new {
                    tracing::info!(agents = ?agents.names(), "the agents are those of the changed configuration");
                }
            }
            Err(error) => tracing::error!(%error, "the agents cannot be built; they stay as they are"),
        }
    }
}
