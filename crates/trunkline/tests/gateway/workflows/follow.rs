//! The folder is followed while workflows run.

use std::time::Duration;

use super::*;

fn posting(name: &str, far: &Far, path: &str, wait: &str) -> String {
    format!(
        r#"
name = "{name}"
[[trigger]]
api = true
{wait}
[node.post]
kind = "http"
url = "{}"
{}"#,
        far.url(path),
        if wait.is_empty() { "" } else { "needs = [\"hold.event\"]" }
    )
}

/// Longer than the folder is left alone.
const LOOKS: Duration = Duration::from_millis(3_500);
/// Waits for another text.
const HOLD: &str = "[node.hold]\nkind = \"wait\"\nevent = \"message.added\"\nfor = \"1h\"\n";

fn write(world: &World, file: &str, text: &str) {
    std::fs::write(world.folder.path().join("workflows").join(file), text).unwrap();
}

async fn until_in_force(world: &World, name: &str, words: &str) {
    until(&format!("{name} says {words}"), async || {
        let listed = world.api("/api/v1/workflows").await;
        let is_there = listed["workflows"].as_array().unwrap().iter().any(|one| one["name"] == name);
        let shown = if is_there { world.api(&format!("/api/v1/workflows/{name}")).await } else { Value::Null };
        shown["source"].as_str().unwrap_or_default().contains(words).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_changed_definition_holds_from_the_next_run_on_and_a_broken_one_changes_nothing() {
    let far = Far::start().await;
    let world = start(&[&posting("post", &far, "/old", HOLD)], &[]).await;
    let old = begin(&world, "post", json!({})).await;
    until_run(&world, &old, "waiting").await;

    // Broken, then whole: with another workflow, and without what the old run waits for.
    write(&world, "0.toml", "name = \"post\"\n[[trigger]]\napi = true\n[node.post]\nkind = \"nonsense\"\n");
    write(&world, "other.toml", &posting("other", &far, "/other", ""));
    let refused = async || {
        let path = "/api/v1/workflows/other/runs";
        post(&world, path, &json!({})).await.status
    };
    let written = std::time::Instant::now();
    until("it was looked at some times", async || (written.elapsed() > LOOKS).then_some(())).await;
    assert_eq!(refused().await, StatusCode::NOT_FOUND, "nothing of a folder with a broken file is taken up");
    assert_eq!(world.api("/api/v1/workflows/post").await["source"], posting("post", &far, "/old", HOLD));
    write(&world, "0.toml", &posting("post", &far, "/new", ""));
    until_in_force(&world, "post", "/new").await;
    until_in_force(&world, "other", "/other").await;
    let new = begin(&world, "post", json!({})).await;
    until_run(&world, &new, "done").await;
    assert_eq!((far.came("/new").len(), far.came("/old").len()), (1, 0));

    world.text("+15550001111", "text 1").await;
    let done = until_run(&world, &old, "done").await;
    assert_eq!(step(&done, "hold")["branch"], "event", "{done}");
    assert_eq!((far.came("/new").len(), far.came("/old").len()), (1, 1), "a run goes on with what it began with");

    // One that is gone begins nothing any more.
    std::fs::remove_file(world.folder.path().join("workflows/other.toml")).unwrap();
    until("it is gone", async || (refused().await == StatusCode::NOT_FOUND).then_some(())).await;
}

#[tokio::test]
async fn what_is_in_force_is_kept_however_long_nothing_begins_it() {
    let far = Far::start().await;
    let world = start(&[&posting("post", &far, "/a", "")], &[("TRUNKLINE_WORKFLOWS_KEEP", "1s")]).await;
    let first = begin(&world, "post", json!({})).await;
    until_run(&world, &first, "done").await;
    world.gateway().clock().advance(Duration::from_hours(1));
    until("the run is forgotten", async || runs(&world, "post").await.is_empty().then_some(())).await;
    let second = begin(&world, "post", json!({})).await;
    until_run(&world, &second, "done").await;
}

#[tokio::test]
async fn what_is_no_regular_file_holds_up_nobody() {
    let far = Far::start().await;
    let mut world = start(&[&posting("post", &far, "/old", "")], &[]).await;
    let pipe = world.folder.path().join("workflows/x.toml");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let written = std::time::Instant::now();
    until("it was looked at some times", async || (written.elapsed() > LOOKS).then_some(())).await;
    write(&world, "0.toml", &posting("post", &far, "/new", ""));
    until_in_force(&world, "post", "/new").await;

    // It is there at the start too.
    world.stop_gateway().await;
    world.start_gateway().await;
    until_in_force(&world, "post", "/new").await;
}
