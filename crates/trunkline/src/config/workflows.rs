//! Settings of workflows.

use std::path::PathBuf;
use std::time::Duration;

use trunkline_core::ConfigError;

use super::Reader;
use super::table as key;

/// How workflows are run.
#[derive(Debug, Clone)]
pub struct WorkflowSettings {
    /// The folder of their definitions.
    pub folder: PathBuf,
    /// Runs at work at once, over all workflows.
    pub at_once: usize,
    /// Hosts that requests may go to although they are not of the public internet.
    pub allowed_hosts: Vec<String>,
    /// How long runs are kept that are over.
    pub keep: Duration,
}

const MAX_AT_ONCE: usize = 10_000;
const MAX_KEEP: Duration = Duration::from_hours(24 * 366 * 10);

pub(super) fn workflows(reader: &Reader, problems: &mut ConfigError) -> Option<WorkflowSettings> {
    let at_once = reader.parsed(&key::WORKFLOWS_AT_ONCE, "a number", problems);
    if !(1..=MAX_AT_ONCE).contains(&at_once) {
        problems.add(reader.name_of(&key::WORKFLOWS_AT_ONCE), format!("must be between 1 and {MAX_AT_ONCE}"));
    }
    let hosts = reader.text_or_default(&key::WORKFLOWS_ALLOWED_HOSTS).split(',').map(str::trim);
    let allowed_hosts: Vec<_> = hosts.filter(|host| !host.is_empty()).map(str::to_owned).collect();
    if allowed_hosts.iter().any(|host| host.contains("://") || host.contains('/')) {
        let reason = "must be names of hosts or addresses such as crm.internal, without scheme and port";
        problems.add(reader.name_of(&key::WORKFLOWS_ALLOWED_HOSTS), reason);
    }
    let keep = reader.duration(&key::WORKFLOWS_KEEP, Duration::from_secs(1)..=MAX_KEEP, problems);
    let folder = reader.text(&key::WORKFLOWS)?;
    Some(WorkflowSettings { folder: PathBuf::from(folder), at_once, allowed_hosts, keep })
}
