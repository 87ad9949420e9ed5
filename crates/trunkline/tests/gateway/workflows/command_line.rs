//! `trunkline workflow`.

use super::*;
use crate::support::{Finished, Program};

async fn command(world: &World, args: &[&str]) -> Finished {
    let url = world.gateway_url("");
    let env = [("TRUNKLINE_CONSOLE_TOKEN".to_owned(), CONSOLE_TOKEN.to_owned())];
    Program::run(world.folder.path(), &env.into(), &[&["workflow"], args, &["--gateway", &url]].concat()).await
}

#[tokio::test]
async fn definitions_are_validated_without_a_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.toml");
    std::fs::write(&path, "name = \"bad\"\n[[trigger]]\napi = true\n[node.a]\nkind = \"sned_text\"\n").unwrap();
    let bad = path.display().to_string();
    let good = examples().display().to_string();
    let none = std::collections::BTreeMap::new();
    let done = Program::run(folder.path(), &none, &["workflow", "validate", &good]).await;
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), "1 fine\n"), "{done:?}");
    let done = Program::run(folder.path(), &none, &["workflow", "validate", &good, &bad]).await;
    assert_eq!(done.code, Some(1), "{done:?}");
    assert_eq!(done.stdout, format!("{bad}:5:8: there is no kind of node sned_text; is send_text meant?\n"));
    let done = Program::run(folder.path(), &none, &["workflow", "validate", "--json", &bad]).await;
    let problem: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((problem["line"].as_u64(), problem["column"].as_u64()), (Some(5), Some(8)));
    let done = Program::run(folder.path(), &none, &["workflow", "validate", "nowhere.toml"]).await;
    assert_eq!(done.code, Some(1), "{done:?}");
}

#[tokio::test]
async fn runs_are_begun_listed_shown_and_replayed() {
    let far = Far::start().await;
    let text = format!(
        "name = \"tell\"\ndescription = \"Tells\"\n[[trigger]]\napi = true\n[node.tell]\nkind = \"http\"\nurl = \"{}\"\n",
        far.url("/never"),
    );
    let world = start(&[&text], &[]).await;
    let listed = command(&world, &["list"]).await;
    assert!(listed.stdout.starts_with("tell ") && listed.stdout.contains("1 nodes"), "{listed:?}");
    let begun = command(&world, &["run", "tell", "--data", "{\"a\": 1}", "--id", "first"]).await;
    assert_eq!(begun.code, Some(0), "{begun:?}");
    let id = begun.stdout.trim().to_owned();
    until_run(&world, &id, "failed").await;
    let failed = command(&world, &["runs", "--state", "failed"]).await;
    assert!(failed.stdout.contains(&id) && failed.stdout.contains("tell: workflow.http_status"), "{failed:?}");
    assert_eq!(command(&world, &["runs", "--state", "done"]).await.stdout, "");
    let shown = command(&world, &["show", &id, "--json"]).await;
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!((&shown["event"]["data"]["a"], &shown["definition"]["name"]), (&json!(1), &json!("tell")));
    let shown = command(&world, &["show", &id]).await;
    assert!(shown.stdout.contains("tell ") && shown.stdout.contains("workflow.http_status"), "{shown:?}");
    let replayed = command(&world, &["replay", &id]).await;
    assert_eq!((replayed.code, replayed.stdout), (Some(0), format!("{id} queued\n")));
    until("it is tried again", async || (far.came("/never").len() == 2).then_some(())).await;
    until_run(&world, &id, "failed").await;
    let over = command(&world, &["cancel", &id]).await;
    assert!(over.code == Some(1) && over.stderr.contains("workflow.wrong_state"), "{over:?}");
    let wrong = command(&world, &["run", "tell", "--data", "[1]"]).await;
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
}
