//! `trunkline conversations` and `trunkline messages`, against a gateway that runs.

use serde_json::Value;

use crate::support::{ADA, BOB, CONSOLE_TOKEN, Finished, Program, World};

async fn run(world: &World, args: &[&str]) -> Finished {
    let url = world.gateway_url("");
    let env = [("TRUNKLINE_CONSOLE_TOKEN".to_owned(), CONSOLE_TOKEN.to_owned())];
    Program::run(world.folder.path(), &env.into(), &[args, &["--gateway", &url]].concat()).await
}

/// What a command prints that works.
async fn lines(world: &World, args: &[&str]) -> Vec<String> {
    let done = run(world, args).await;
    assert_eq!(done.code, Some(0), "{args:?}: {done:?}");
    done.stdout.lines().map(str::to_owned).collect()
}

async fn objects(world: &World, args: &[&str]) -> Vec<Value> {
    let lines = lines(world, args).await;
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn conversations_are_listed_shown_exported_and_closed() {
    let world = World::start(&[]).await;
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    world.text(BOB, "text 2").await;
    world.expect_answers(BOB, &["answer 2"]).await;
    world.until_idle().await;

    let listed = objects(&world, &["conversations", "list", "--json"]).await;
    let addresses: Vec<_> = listed.iter().map(|one| one["address"].as_str().unwrap()).collect();
    assert_eq!(addresses, [BOB, ADA], "the latest change first");
    let (id, name) = (listed[1]["id"].as_str().unwrap(), listed[1]["external_id"].as_str().unwrap());
    assert_eq!(lines(&world, &["conversations", "list", "--limit", "1"]).await.len(), 1);
    assert!(lines(&world, &["conversations", "list", "--channel", "whatsapp"]).await.is_empty());
    let table = lines(&world, &["conversations", "list"]).await;
    assert!(table[1].contains(id) && table[1].contains("sms") && table[1].ends_with("> answer 1"), "{table:?}");

    let shown = lines(&world, &["conversations", "show", name]).await;
    assert!(shown.iter().any(|line| line.contains("< text 1  (received)")), "{shown:?}");
    let [both] = &objects(&world, &["conversations", "show", id, "--json"]).await[..] else { panic!("one object") };
    assert_eq!(both["conversation"]["session"]["state"], "active");
    assert_eq!(both["messages"].as_array().unwrap().len(), 2);

    let all = objects(&world, &["conversations", "export", "--all", "--json"]).await;
    let said: Vec<_> = all.iter().map(|message| message["text"].as_str().unwrap()).collect();
    assert_eq!(said, ["text 2", "answer 2", "text 1", "answer 1"]);
    assert!(all.iter().all(|message| message["conversation"].is_string()));

    assert_eq!(lines(&world, &["conversations", "close", name]).await, [id]);
    let closed = objects(&world, &["conversations", "list", "--json", "--state", "closed"]).await;
    assert_eq!(closed.iter().map(|one| one["id"].as_str().unwrap()).collect::<Vec<_>>(), [id]);
}

#[tokio::test]
async fn a_message_is_sent_once_and_its_end_is_told() {
    let world = World::start(&[]).await;
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    let send = ["messages", "send", "--to", ADA, "--id", "reminder", "--wait", "20", "Tomorrow at ten"];
    assert_eq!(lines(&world, &send).await.len(), 1);
    let again = run(&world, &send).await;
    assert!(again.code == Some(0) && again.stderr.contains("not sent again"), "{again:?}");
    world.expect_answers(ADA, &["answer 1", "Tomorrow at ten"]).await;

    let [sent] = &objects(&world, &["messages", "send", "--to", ADA, "--wait", "20", "--json", "Bye"]).await[..] else {
        panic!("one object")
    };
    assert!(["sent", "delivered"].contains(&sent["message"]["status"].as_str().unwrap()), "{sent}");
    for (args, reason) in [
        (&["messages", "send", "--to", BOB, "x"][..], "they have to write first"),
        (&["messages", "send", "--conversation", "nobody", "x"], "there is no such conversation"),
        (&["messages", "send", "--to", ADA, "  "], "(bus_api.nothing_to_say)"),
        (&["conversations", "show", "CH00000000000000000000000000000009"], "knows no conversation of the name"),
    ] {
        let done = run(&world, args).await;
        assert!(done.code == Some(1) && done.stderr.contains(reason), "{args:?}: {done:?}");
    }
    for (args, reason) in [
        (&["messages", "send", "--to", ADA, "--template", "HX1", "--var", "1"][..], "NAME=VALUE"),
        (&["messages", "send", "--to", "whatsapp:555", "x"], "+15550001111"),
        (&["conversations", "list", "--state", "foo"], "opted_out"),
        (&["conversations", "list", "--limit", "0"], "1.."),
    ] {
        let done = run(&world, args).await;
        assert!(done.code == Some(2) && done.stderr.contains(reason), "{args:?}: {done:?}");
    }
    let id = objects(&world, &["conversations", "list", "--json"]).await[0]["id"].as_str().unwrap().to_owned();
    lines(&world, &["conversations", "close", &id]).await;
    let done = run(&world, &["messages", "send", "--conversation", &id, "x"]).await;
    assert!(done.code == Some(1) && done.stderr.contains("bus_api.conversation_closed"), "{done:?}");
}

#[tokio::test]
async fn a_gateway_that_is_not_there_or_not_ours_is_named() {
    let world = World::start(&[]).await;
    let folder = world.folder.path();
    let url = world.gateway_url("");
    let list = ["conversations", "list", "--gateway"];
    let wrong = [("TRUNKLINE_CONSOLE_TOKEN".to_owned(), "not-this-token-at-all".to_owned())];
    let done = Program::run(folder, &wrong.into(), &[&list[..], &[&url]].concat()).await;
    assert!(done.code == Some(1) && done.stderr.contains("does not take the token"), "{done:?}");
    let right = [("TRUNKLINE_CONSOLE_TOKEN".to_owned(), CONSOLE_TOKEN.to_owned())];
    let done = Program::run(folder, &right.into(), &[&list[..], &["http://127.0.0.1:1"]].concat()).await;
    assert!(done.code == Some(1) && done.stderr.contains("no gateway answers"), "{done:?}");
    let done = Program::run(folder, &[].into(), &[&list[..], &[&url, "--data-dir", "nowhere"]].concat()).await;
    assert!(done.code == Some(1) && done.stderr.contains("--data-dir"), "{done:?}");
}
