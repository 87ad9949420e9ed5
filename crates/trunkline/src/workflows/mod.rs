//! Workflows, run: what happens when something happens, whatever is restarted meanwhile.
//!
//! ```text
//! bus ─▶ Triggers ─▶ runs (store) ─▶ lane of the workflow ─▶ drive: plan, step, save ─▶ effects
//!            └─▶ waits (store) ──────────▶┘      ▲
//! clock ─▶ Timer ─▶ schedules, time-outs, retries ┘
//! ```
//!
//! Nothing of a run is only in memory: a step is noted before it has an effect and when it has had it, and a process that
//! comes after another one goes on from there. Invariants: a run begins once for each event; a step that is done is not
//! done again; a step whose effect may be there already is carried out under the same name as before, or looked up
//! first; one workflow's runs take no more than its own places, so that a slow one is slow alone.

mod api;
pub(crate) mod codes;
mod drive;
mod engine;
mod event;
mod folder;
mod follow;
mod lanes;
mod loaded;
mod round;
mod run;
mod step;
mod timer;
mod triggers;

pub use engine::Workflows;
pub use folder::{FolderError, InvalidFile, read_file, read_folder};

pub(crate) use api::workflow_routes;
pub(crate) use engine::{CONSUMER, Provider, SINCE, WorkflowsError};
