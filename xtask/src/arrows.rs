//! Which crate may depend on which. The table is the one in `ARCHITECTURE.md`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Crate, and the workspace crates that it may use in its library or program.
const MAY_USE: &[(&str, &[&str])] = &[
    ("trunkline-core", &[]),
    ("trunkline-proto", &[]),
    ("trunkline-audio", &[]),
    ("trunkline-speech", &["trunkline-core", "trunkline-audio"]),
    ("trunkline-store", &["trunkline-core"]),
    ("trunkline-bus", &["trunkline-core"]),
    ("trunkline-twilio", &["trunkline-core", "trunkline-proto"]),
    ("trunkline-agent", &["trunkline-core", "trunkline-store", "trunkline-audio"]),
    ("trunkline-emulator", &["trunkline-proto", "trunkline-audio", "trunkline-speech"]),
    ("trunkline-testing", &["trunkline-core"]),
    (
        "trunkline",
        &[
            "trunkline-core",
            "trunkline-proto",
            "trunkline-audio",
            "trunkline-speech",
            "trunkline-store",
            "trunkline-bus",
            "trunkline-twilio",
            "trunkline-agent",
            "trunkline-emulator",
        ],
    ),
    ("xtask", &["trunkline-core", "trunkline-twilio"]),
];

/// Crate, and the workspace crates that its tests may use on top of that.
const TESTS_MAY_USE: &[(&str, &[&str])] = &[
    ("trunkline-twilio", &["trunkline-emulator", "trunkline-testing"]),
    ("trunkline-agent", &["trunkline-testing"]),
    ("trunkline", &["trunkline-testing"]),
];

/// Crates that hold values and contracts only: no runtime, no socket.
const PURE: &[&str] = &["trunkline-core", "trunkline-proto", "trunkline-audio"];
const RUNTIMES: &[&str] = &["tokio", "hyper", "reqwest", "axum", "async-std", "smol", "mio", "socket2"];

/// Reads `cargo metadata` and lists every arrow that the table does not allow.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .context("running cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).context("reading cargo metadata")?;

    let packages = metadata.get("packages").and_then(Value::as_array).context("cargo metadata without packages")?;
    let members: Vec<&str> = packages.iter().filter_map(|package| text(package, "name")).collect();
    let mut problems = Vec::new();
    for package in packages {
        let name = text(package, "name").context("a package without a name")?;
        let Some(allowed) = entry(MAY_USE, name) else {
            problems.push(format!("{name}: not on the map; add it to ARCHITECTURE.md and to xtask/src/arrows.rs"));
            continue;
        };
        let in_tests = entry(TESTS_MAY_USE, name).unwrap_or_default();
        for dependency in package.get("dependencies").and_then(Value::as_array).into_iter().flatten() {
            let target = text(dependency, "name").unwrap_or_default();
            let is_dev = text(dependency, "kind") == Some("dev");
            let known = allowed.contains(&target) || (is_dev && in_tests.contains(&target)) || target == name;
            if members.contains(&target) && !known {
                problems.push(format!("{name} -> {target}: this arrow is not on the map"));
            }
            if !is_dev && PURE.contains(&name) && RUNTIMES.contains(&target) {
                problems.push(format!("{name} -> {target}: this crate knows no runtime and no socket"));
            }
        }
    }
    Ok(problems)
}

fn entry<'a>(table: &[(&str, &'a [&'a str])], name: &str) -> Option<&'a [&'a str]> {
    table.iter().find(|(crate_name, _)| *crate_name == name).map(|(_, targets)| *targets)
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}
