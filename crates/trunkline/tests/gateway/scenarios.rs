//! `trunkline test`: scripted people find out whether agents do what is expected of them.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::{CONSOLE_TOKEN, Program, World, until};

const ADA: &str = "+15550001111";

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

#[tokio::test]
async fn a_replay_shows_what_another_agent_says_now() {
    let world = World::start(&[("TRUNKLINE_CONCIERGE", "")]).await;
    for text in ["my name is Ada", "what is my name?"] {
        let before = world.answers(ADA).await.len();
        world.text(ADA, text).await;
        until("it is answered", async || (world.answers(ADA).await.len() > before).then_some(())).await;
    }
    world.until_idle().await;
    let id = world.api("/api/v1/conversations").await["conversations"][0]["id"].as_str().unwrap().to_owned();
    let folder = world.folder.path();
    let (gateway, data) = (world.gateway_url(""), world.data_dir().display().to_string());
    std::fs::write(folder.join("rules.toml"), BROKEN).unwrap();
    let other = folder.join("other.toml");
    std::fs::write(&other, "[agent]\nconcierge = \"rules.toml\"\n").unwrap();
    let other = other.display().to_string();
    let base = ["replay", &id, "--gateway", &gateway, "--data-dir", &data];
    let env = world.env().clone();

    let same = Program::run(folder, &env, &base).await;
    assert_eq!(same.code, Some(0), "{same:?}");
    assert!(same.stderr.contains("0 of 2 answers have other words"), "{same:?}");

    let changed = Program::run(
        folder,
        &BTreeMap::from([("TRUNKLINE_CONSOLE_TOKEN".into(), CONSOLE_TOKEN.into())]),
        &[&base[..], &["--against", &other, "--strict"]].concat(),
    )
    .await;
    assert_eq!(changed.code, Some(1), "{changed:?}");
    assert!(
        changed.stdout.contains("then    Your name is Ada.")
            && changed.stdout.contains("~ now     I did not understand."),
        "{changed:?}"
    );
    assert!(changed.stderr.contains("2 of 2 answers have other words"), "{changed:?}");
    assert_eq!(world.answers(ADA).await.len(), 2, "nothing was sent");
}
