//! The workspace's own automation: `cargo xtask tidy`.

mod arrows;
mod files;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let task = std::env::args().nth(1);
    if task.as_deref() == Some("tidy") {
        return report(&root);
    }
    say("usage: cargo xtask tidy");
    ExitCode::from(64)
}

fn report(root: &std::path::Path) -> ExitCode {
    let problems = arrows::check(root).and_then(|mut found| {
        found.extend(files::check(root)?);
        Ok(found)
    });
    match problems {
        Ok(found) if found.is_empty() => {
            say("tidy: arrows, file sizes and tests are in order");
            ExitCode::SUCCESS
        }
        Ok(found) => {
            for problem in &found {
                say(problem);
            }
            say(&format!("tidy: {} to mend", found.len()));
            ExitCode::FAILURE
        }
        Err(error) => {
            say(&format!("tidy could not run: {error:#}"));
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stderr, reason = "a command line tool talks on stderr")]
fn say(line: &str) {
    eprintln!("{line}");
}
