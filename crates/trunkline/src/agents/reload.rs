//! Agents follow the configuration file: what is written there holds from the next turn on.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use trunkline_core::ConfigError;

use super::Agents;
use super::roster::{Additions, build};
use super::servers::McpServers;
use crate::config::{AgentSettings, AgentsSettings, ConciergeSource, Reader, read_regular};

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

    /// What the file says; `None` if it says nothing: it cannot be read, or it is being written.
    fn text(&self) -> Option<String> {
        read_regular(&self.path).ok().filter(|text| !text.trim().is_empty())
    }

    fn load(&self, text: &str) -> Result<AgentsSettings, ConfigError> {
        AgentsSettings::load(&self.reader.clone().with_file(text)?)
    }
}

/// What a look at the files found: new settings and their name, or what is wrong with them; nothing if they are as they
/// were.
type Look = Option<Result<(AgentsSettings, Name), ConfigError>>;
type Name = [u8; 32];

/// Looks at the file. One that is gone, or empty for the moment that it takes to write it, changes nothing. Blocks.
fn look(source: &Source, settings: &AgentsSettings, held: Option<Name>) -> Look {
    let text = source.text()?;
    if Some(name(&text, settings)) == held {
        return None;
    }
    Some(source.load(&text).map(|said| {
        let name = name(&text, &said);
        (said, name)
    }))
}

/// A name for what a file says, and the rules that `settings` have from other files.
fn name(text: &str, settings: &AgentsSettings) -> Name {
    let mut digest = Sha256::new();
    digest.update(text);
    for agent in settings.named.values().chain([&settings.default]) {
        if let AgentSettings::Concierge(ConciergeSource::File { path, .. }) = agent {
            // One that cannot be read is told of when it is loaded.
            digest.update(read_regular(path).unwrap_or_default());
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
    let mut settings = Arc::new(first);
    let mut held = None;
    if let Some(source) = source.clone() {
        let settings = Arc::clone(&settings);
        let named = spawn_blocking(move || source.text().map(|text| name(&text, &settings))).await;
        held = named.ok().flatten();
    }
    let mut looking: Option<JoinHandle<Look>> = None;
    let mut refused: Option<String> = None;
    let mut tried = Instant::now();
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let mut is_new = false;
        let mut found = None;
        if let Some(source) = &source {
            let mut under_way = looking.take().unwrap_or_else(|| {
                let (source, settings) = (source.clone(), Arc::clone(&settings));
                spawn_blocking(move || look(&source, &settings, held))
            });
            // A disk that does not answer holds up nobody else, and is not asked a second time meanwhile.
            match timeout(LOOK_EVERY, &mut under_way).await {
                Ok(looked) => found = looked.ok().flatten(),
                Err(_) => looking = Some(under_way),
            }
        }
        match found {
            None => {}
            Some(Ok((said, name))) => {
                held = Some(name);
                (settings, refused, is_new) = (Arc::new(said), None, true);
            }
            Some(Err(error)) => {
                // It is read again with each look, as another file may be what is wrong, and told of once.
                let said = error.to_string();
                if refused.as_ref() != Some(&said) {
                    tracing::error!(%error, "the configuration has changed and cannot be used; the agents stay as they are");
                    refused = Some(said);
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
