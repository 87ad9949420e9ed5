//! The workspace's own automation: `cargo xtask tidy`, `cargo xtask docs`.

mod arrows;
mod docs;
mod files;
mod sources;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;

const USAGE: &str = "\
usage: cargo xtask tidy            dependency arrows, file sizes, no sleeping tests
       cargo xtask docs            writes the reference pages and the schemas in docs from the sources
       cargo xtask docs --check    says which of them is stale";

fn main() -> ExitCode {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let words: Vec<_> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tidy"] => report("tidy", tidy(&root), "arrows, file sizes and tests are in order"),
        ["docs"] => report("docs", docs::write(&root), "the documents are written"),
        ["docs", "--check"] => report("docs", docs::check(&root), "the documents are what the sources say"),
        _ => {
            say(USAGE);
            ExitCode::from(64)
        }
    }
}

fn tidy(root: &Path) -> Result<Vec<String>> {
    let mut problems = arrows::check(root)?;
    problems.extend(files::check(root)?);
    Ok(problems)
}

fn report(task: &str, problems: Result<Vec<String>>, good: &str) -> ExitCode {
    match problems {
        Ok(found) if found.is_empty() => {
            say(&format!("{task}: {good}"));
            ExitCode::SUCCESS
        }
        Ok(found) => {
            for problem in &found {
                say(problem);
            }
            say(&format!("{task}: {} to mend", found.len()));
            ExitCode::FAILURE
        }
        Err(error) => {
            say(&format!("{task} could not run: {error:#}"));
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stderr, reason = "a command line tool talks on stderr")]
fn say(line: &str) {
    eprintln!("{line}");
}
