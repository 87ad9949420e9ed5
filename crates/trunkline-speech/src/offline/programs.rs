//! Where the programs are.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::SpeechError;

/// The full path of `program`, from the folders of `path` (the value of `PATH`).
pub(super) fn find(program: &str, path: Option<&OsStr>) -> Option<PathBuf> {
    std::env::split_paths(path?).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

/// The value of `PATH`, which is where child processes are looked for.
pub(super) fn search_path() -> Option<std::ffi::OsString> {
    std::env::var_os("PATH")
}

/// That `program`, which `package` brings, is not there or cannot be run.
pub(super) fn missing(program: &'static str, package: &'static str, reason: &dyn std::fmt::Display) -> SpeechError {
    SpeechError::Program { program, reason: reason.to_string(), package }
}

/// The first of `candidates` that is a folder.
pub(super) fn folder(candidates: &[&str]) -> Option<PathBuf> {
    candidates.iter().map(Path::new).find(|path| path.is_dir()).map(Path::to_owned)
}
