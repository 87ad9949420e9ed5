//! Which processor runs what.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Two processors: one for the load, one for the server under it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cores {
    load: usize,
    server: usize,
}

impl Cores {
    /// The first two that this process may use.
    pub(super) fn two() -> Result<Self, String> {
        let allowed = sched_getaffinity(None).map_err(|error| format!("the processors cannot be told: {error}"))?;
        let mut all = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
        match (all.next(), all.next()) {
            (Some(load), Some(server)) => Ok(Self { load, server }),
            _ => Err("the load and the server need a processor each, and there is only one".to_owned()),
        }
    }

    /// Starts a child on the server's processor, then returns to the load's.
    pub(super) fn start<T>(self, start: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        pin(self.server)?;
        let started = start();
        pin(self.load)?;
        started
    }
}

fn pin(cpu: usize) -> Result<(), String> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).map_err(|error| format!("processor {cpu} cannot be chosen: {error}"))
}
