//! The engine follows its folder: what is written there holds from the next event on.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{MissedTickBehavior, interval};
use trunkline_agent::workflow::Workflow;
use trunkline_store::StoreError;

use super::engine::Workflows;
use super::folder::{MAX_FILES, read_folder};

/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the files of a folder look like from outside: names, times and lengths.
type Seen = Vec<(std::ffi::OsString, Option<SystemTime>, u64)>;

impl Workflows {
    /// Takes up what changes in the folder, until it is dropped. What cannot be used is told of once, and changes nothing.
    ///
    /// # Cancel safety
    /// Cancel-safe: what was not taken up is taken up by the next start.
    pub(super) async fn follow(self) {
        let folder = self.0.settings.folder.clone();
        let mut held = None;
        let mut before = None;
        let mut refused: Option<String> = None;
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let seen = seen(&folder).map_err(|error| error.kind()).ok();
            // A file that is being written looks different with each look: it is read when it does not any more.
            let is_quiet = before == seen;
            before.clone_from(&seen);
            if !is_quiet || held == seen {
                continue;
            }
            let outcome = match read_folder(&folder) {
                Ok(workflows) => self.replace(workflows).await.map_err(|error| (error.code(), error.to_string())),
                Err(error) => Err((error.code(), error.to_string())),
            };
            match outcome {
                Ok(()) => (held, refused) = (seen, None),
                // It is read again with each look, and told of once.
                Err((_, why)) if refused.as_ref() == Some(&why) => {}
                Err((code, why)) => {
                    tracing::error!(error.code = code, reason = %why, "the workflows have changed and cannot be used; they stay as they are");
                    refused = Some(why);
                }
            }
        }
    }

    /// Puts these definitions in force. Runs under way go on with the text that they began with.
    pub(super) async fn replace(&self, workflows: Vec<Workflow>) -> Result<(), StoreError> {
        let inner = &self.0;
        if inner.loaded().is_same(&workflows) {
            return Ok(());
        }
        let now = inner.clock.now();
        for workflow in &workflows {
            inner.context.store.keep_definition(&workflow.revision, &workflow.name, &workflow.source, now).await?;
        }
        let names: Vec<_> = workflows.iter().map(|one| (one.name.clone(), one.at_once)).collect();
        inner.load(workflows.into_iter().map(Arc::new).collect()).await?;
        for (name, at_once) in names {
            let lane = self.lane(&name);
            lane.resize(at_once, self);
            lane.wake();
        }
        // Schedules may have changed.
        inner.timer.notify_one();
        tracing::info!(workflows = inner.loaded().workflows.len(), "the workflows are those of the changed folder");
        Ok(())
    }
}

fn seen(folder: &Path) -> io::Result<Seen> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if Path::new(&entry.file_name()).extension().is_none_or(|kind| kind != "toml") {
            continue;
        }
        let about = std::fs::metadata(entry.path())?;
        files.push((entry.file_name(), about.modified().ok(), about.len()));
        if files.len() > MAX_FILES {
            break;
        }
    }
    files.sort();
    Ok(files)
}
