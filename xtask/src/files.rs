//! Rules about single files: how long they may be, and what tests may not do.

use std::path::Path;

use anyhow::Result;

use crate::sources::rust_files;

/// A source file longer than this has two subjects.
const MAX_LINES: usize = 800;
/// A test that sleeps is slow when it passes and flaky when it does not.
const SLEEPS: &[&str] = &["thread::sleep(", "time::sleep(", "sleep_until("];
/// `tokio::time::sleep` inside a wait-until loop of a test harness is the one place where polling is honest.
const MAY_POLL: &str = "tests/support/";

pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for source in rust_files(root)? {
        problems.extend(check_file(&source.name, &source.text));
    }
    Ok(problems)
}

fn check_file(name: &str, source: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let lines = source.lines().count();
    if lines > MAX_LINES && !name.contains("tests") {
        problems.push(format!("{name}: {lines} lines, the limit is {MAX_LINES}: one subject each"));
    }
    let mut in_tests = name.contains("/tests/") || name.ends_with("/tests.rs");
    if name.contains(MAY_POLL) || name.starts_with("xtask/") {
        return problems;
    }
    for (number, line) in source.lines().enumerate() {
        in_tests |= line.trim_start().starts_with("#[cfg(test)]");
        if in_tests && SLEEPS.iter().any(|sleep| line.contains(sleep)) {
            problems.push(format!("{name}:{}: a test sleeps; wait on a condition with a deadline", number + 1));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleeping_test_is_named_with_its_line() {
        let found = check_file("crates/a/tests/b.rs", "fn a() {\n    tokio::time::sleep(d).await;\n}\n");
        assert_eq!(found, ["crates/a/tests/b.rs:2: a test sleeps; wait on a condition with a deadline"]);
    }

    #[test]
    fn sleeping_outside_tests_is_allowed() {
        assert!(check_file("crates/a/src/b.rs", "tokio::time::sleep(d).await;\n").is_empty());
    }

    #[test]
    fn a_long_file_is_named() {
        let found = check_file("crates/a/src/b.rs", &"\n".repeat(MAX_LINES + 1));
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
