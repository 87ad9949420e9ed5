//! The Rust files of the workspace, as git lists them.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// A file and its text.
pub(crate) struct Source {
    /// Path from the root, with `/`.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// Every Rust file that is tracked or about to be, by name.
pub(crate) fn rust_files(root: &Path) -> Result<Vec<Source>> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "*.rs"])
        .current_dir(root)
        .output()
        .context("running git ls-files")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let mut names: Vec<_> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    names.sort_unstable();
    // A file that was deleted but not yet staged is still listed.
    let read = |name: String| Some(Source { text: fs::read_to_string(root.join(&name)).ok()?, name });
    Ok(names.into_iter().filter_map(read).collect())
}
