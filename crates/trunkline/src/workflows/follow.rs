//! The engine follows its folder: what is written there holds from the next event on.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use trunkline_agent::workflow::Workflow;
use trunkline_store::StoreError;

use super::engine::Workflows;
use super::folder::{FolderError, MAX_FILES, read_folder};

/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the files of a folder look like from outside: names, times and lengths.
type Seen = Vec<(std::ffi::OsString, Option<SystemTime>, u64)>;

/// What a look at the folder found.
struct Look {
    seen: Option<Seen>,
    /// What was read, where there was reason to.
    read: Option<Result<Vec<Workflow>, FolderError>>,
}

impl Workflows {
    /// Takes up what changes in the folder, until it is dropped. What cannot be used is told of once, and changes nothing.
    ///
    /// # Cancel safety
    /// Cancel-safe: what was not taken up is taken up by the next start.
    pub(super) async fn follow(self) {
        // What was taken up, or refused for good.
        let mut held = None;
        let mut before = None;
        let mut refused: Option<String> = None;
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let folder = self.0.settings.folder.clone();
            let (seen_before, settled) = (before.clone(), held.clone());
            // A folder on a disk that does not answer holds up nobody else, and is not looked at a second time meanwhile.
            let looked = spawn_blocking(move || look(&folder, seen_before.as_ref(), settled.as_ref())).await;
            let Ok(Look { seen, read }) = looked else { continue };
            before.clone_from(&seen);
            let (is_passing, code, why) = match read {
                None => continue,
                Some(Ok(workflows)) => match self.replace(workflows).await {
                    Ok(()) => {
                        (held, refused) = (seen, None);
                        continue;
                    }
                    Err(error) => (true, error.code(), error.to_string()),
                },
                Some(Err(error)) => (error.is_passing(), error.code(), error.to_string()),
            };
            // What may pass is tried again with each look; what is wrong with files, when they have changed.
            if !is_passing {
                held = seen;
            }
            if refused.as_ref() != Some(&why) {
                tracing::error!(error.code = code, reason = %why, "the workflows have changed and cannot be used; they stay as they are");
                refused = Some(why);
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

/// Looks at the folder, and reads it if it is another than `held`. Blocks.
fn look(folder: &Path, before: Option<&Seen>, held: Option<&Seen>) -> Look {
    let seen = seen(folder).ok();
    // A file that is being written looks different with each look: it is read when it does not any more.
    let is_quiet = before == seen.as_ref();
    let read = (is_quiet && held != seen.as_ref()).then(|| read_folder(folder));
    Look { seen, read }
}

fn seen(folder: &Path) -> io::Result<Seen> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if Path::new(&entry.file_name()).extension().is_none_or(|kind| kind != "toml") {
            continue;
        }
        let about = std::fs::metadata(entry.path())?;
        if !about.is_file() {
            continue;
        }
        files.push((entry.file_name(), about.modified().ok(), about.len()));
        if files.len() > MAX_FILES {
            break;
        }
    }
    files.sort();
    Ok(files)
}
