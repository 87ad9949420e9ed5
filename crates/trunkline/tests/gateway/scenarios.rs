//! `trunkline test`: scripted people find out whether agents do what is expected of them.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::Program;

/// A concierge that forgets, and greets nobody by name.
const BROKEN: &str = r#"
name = "forgetful"
greeting = "Hello."
fallback = ["I did not understand."]

[[rule]]
when = ["my name is"]
say = ["Hello Bob."]
"#;

/// Where the voices are that speak for people.
fn env() -> BTreeMap<String, String> {
    std::env::vars().filter(|(name, _)| name == "PATH").collect()
}

fn examples() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/scenarios").display().to_string()
}

#[tokio::test]
async fn our_own_agent_is_as_the_examples_expect() {
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("out.xml").display().to_string();
    let done = Program::run(folder.path(), &env(), &["test", &examples(), "--junit", &junit]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stdout.contains("ok    one person on every channel"), "{done:?}");
    assert!(done.stderr.contains("2 of 2 scenarios are as expected"), "{done:?}");
    let report = std::fs::read_to_string(junit).unwrap();
    assert!(report.contains("tests=\"2\" skipped=\"0\" failures=\"0\""), "{report}");
    assert!(!folder.path().join(".trunkline").exists(), "nothing is left behind");
}

#[tokio::test]
async fn a_broken_agent_is_found() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.toml"), BROKEN).unwrap();
    std::fs::write(folder.path().join("trunkline.toml"), "[agent]\nconcierge = \"rules.toml\"\n").unwrap();
    let junit = folder.path().join("out.xml").display().to_string();
    let args = ["test", &examples(), "--junit", &junit, "--filter", "every channel"];
    let done = Program::run(folder.path(), &env(), &args).await;
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stdout.contains("step 1: the answer \"Hello Bob.\" does not match \"Ada\""), "{done:?}");
    assert!(std::fs::read_to_string(junit).unwrap().contains("failures=\"1\""));
}

#[tokio::test]
async fn every_problem_of_scenario_files_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.toml", "[[step]]\nsay = \"x\"\nexpect = \"(\"\n");
    write("b.toml", "name = \"nothing\"\n");
    write("c.toml", "[[step]]\nsay = \"x\"\nwithin = \"soon\"\n");
    write("d.toml", "[[step]]\nsay = \"x\"\ncolour = \"red\"\n");
    write("e.toml", "channel = \"voice\"\n[[step]]\nsay = \"x\"\nsilent = true\n");
    let path = folder.path().display().to_string();
    let done = Program::run(folder.path(), &env(), &["test", &path]).await;
    assert_eq!(done.code, Some(64), "{done:?}");
    let expected = [
        "a.toml: step 1: \"(\" is not a pattern",
        "b.toml: has 0 steps",
        "c.toml: step 1: within: \"soon\" is not a duration",
        "unknown field `colour`",
        "e.toml: step 1: silent and state are for texts",
    ];
    for problem in expected {
        assert!(done.stderr.contains(problem), "{problem}: {done:?}");
    }
}
