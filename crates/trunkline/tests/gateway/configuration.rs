//! The command line and its settings, as an operator meets them.

use std::collections::BTreeMap;
use std::path::Path;

use reqwest::{Method, StatusCode};

use crate::support::{ADA, CONSOLE_TOKEN, Finished, Program, World, answer, free_address, until};

const MISCONFIGURED: Option<i32> = Some(64);

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Runs the program to its end in a folder of its own.
async fn run(pairs: &[(&str, &str)], args: &[&str]) -> Finished {
    let folder = tempfile::tempdir().unwrap();
    Program::run(folder.path(), &env(pairs), args).await
}

fn assert_says(done: &Finished, code: Option<i32>, parts: &[&str]) {
    assert_eq!(done.code, code, "{done:?}");
    for part in parts {
        assert!(done.stderr.contains(part) || done.stdout.contains(part), "{part} in {done:?}");
    }
}

#[tokio::test]
async fn every_problem_is_told_at_once() {
    let bad = [
        ("TRUNKLINE_DEBOUNCE", "soon"),
        ("TRUNKLINE_TURN_ATTEMPTS", "0"),
        ("TRUNKLINE_AGENT", "oracle"),
        ("TRUNKLINE_LISTEN", "everywhere"),
        ("TRUNKLINE_CONSOLE_TOKEN", "short"),
        ("TRUNKLINE_LOG_FORMAT", "yaml"),
        ("TRUNKLINE_CATCH_UP", "maybe"),
        ("TWILIO_WEBHOOK_URL", "https://gateway.example.com/elsewhere"),
        ("TWILIO_API_KEY", "SK00000000000000000000000000000001"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "nowhere"),
        ("TRUNKLINE_WEBCHAT", "perhaps"),
        ("TRUNKLINE_WEBCHAT_ORIGINS", "https://shop.example.com, shop.example.com"),
        ("TRUNKLINE_WEBCHAT_NEW_VISITORS", "0"),
        ("TRUNKLINE_EMBEDDINGS_URL", "models.example.com"),
        ("TRUNKLINE_EMBEDDINGS_DIMENSIONS", "many"),
        ("TRUNKLINE_EMBEDDINGS_FOLDER", "models/minilm"),
        ("TRUNKLINE_EMBEDDINGS_NEARNESS", "2"),
    ];
    for command in ["serve", "check"] {
        let done = run(&bad, &[command]).await;
        let missing = ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_API_SECRET", "TRUNKLINE_EMBEDDINGS_MODEL"];
        let given = bad.iter().map(|(name, _)| *name).filter(|name| *name != "TWILIO_API_KEY");
        let named: Vec<_> = given.chain(missing).collect();
        assert_says(&done, MISCONFIGURED, &named);
        assert!(done.stdout.is_empty(), "{done:?}");
        // Values may be secrets put in the wrong place.
        assert!(!done.stderr.contains("short\n") && !done.stderr.contains("oracle\n"), "{done:?}");
    }
}

#[tokio::test]
async fn absurd_durations_are_told() {
    let bad = [
        ("TRUNKLINE_DEBOUNCE", "2m", "between 0 and 1m"),
        ("TRUNKLINE_TURN_TIMEOUT", "0", "between 1ms and 10m"),
        ("TRUNKLINE_TURN_BACKOFF", "1h", "between 0 and 1m"),
        ("TRUNKLINE_SETTLE", "301s", "between 0 and 5m"),
        ("TRUNKLINE_DRAIN", "18446744073709551615", "between 0 and 5m"),
        ("TRUNKLINE_CATCH_UP_INTERVAL", "25h", "between 0 and 24h"),
        ("TRUNKLINE_CATCH_UP_MAX_AGE", "721h", "between 0 and 720h"),
        ("TRUNKLINE_CATCH_UP_LOOK_BACK", "721h", "between 0 and 720h"),
        ("TRUNKLINE_OTLP_INTERVAL", "10ms", "between 1s and 1h"),
        ("TWILIO_TIMEOUT", "0", "between 1ms and 5m"),
        ("TWILIO_RETRY_DELAY", "61s", "between 0 and 1m"),
    ];
    let done = run(&bad.map(|(name, value, _)| (name, value)), &["serve"]).await;
    assert_eq!(done.code, MISCONFIGURED, "{done:?}");
    for (name, _, range) in bad {
        let told = done.stderr.lines().find(|line| line.contains(name));
        assert!(told.is_some_and(|line| line.contains(range)), "{name}: {told:?}");
    }
}

#[tokio::test]
async fn an_unknown_key_of_the_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = "[gateway]\nlisen = \"127.0.0.1:0\"\n\n[texts]\ndebounce = \"1s\"\npatience = 3\n\n[typo]\nkey = 1\n";
    std::fs::write(folder.path().join("trunkline.toml"), file).unwrap();
    let done = Program::run(folder.path(), &env(&[]), &["serve"]).await;
    assert_says(&done, MISCONFIGURED, &["gateway.lisen", "texts.patience", "typo.key"]);
    assert!(!done.stderr.contains("texts.debounce"), "{done:?}");
    std::fs::write(folder.path().join("broken.toml"), "[gateway]\nlisten = \n").unwrap();
    let done = Program::run(folder.path(), &env(&[]), &["serve", "--config", "broken.toml"]).await;
    assert_says(&done, MISCONFIGURED, &["line 2"]);
    let done = Program::run(folder.path(), &env(&[]), &["serve", "--config", "missing.toml"]).await;
    assert_says(&done, MISCONFIGURED, &["missing.toml"]);
}

#[tokio::test]
async fn a_wrong_command_line_is_another_kind_of_wrong() {
    assert_eq!(run(&[], &["sing"]).await.code, Some(2));
    assert_eq!(run(&[], &["serve", "--listen", "everywhere"]).await.code, Some(2));
    assert_eq!(run(&[], &["dlq", "replay"]).await.code, Some(2));
    let version = run(&[], &["--version"]).await;
    assert_says(&version, Some(0), &[env!("CARGO_PKG_VERSION")]);
    for command in ["up", "serve", "emulator", "check", "text", "dlq"] {
        assert_eq!(run(&[], &[command, "--help"]).await.code, Some(0), "{command}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_told() {
    let world = World::start(&[]).await;
    let taken = world.gateway().address().to_string();
    let elsewhere = world.folder.path().join("elsewhere").display().to_string();
    let mut env = world.env().clone();
    env.insert("TRUNKLINE_DATA_DIR".into(), elsewhere);
    let done = Program::run(world.folder.path(), &env, &["serve", "--listen", &taken]).await;
    assert_says(&done, MISCONFIGURED, &[&taken]);
    let emulator = world.emulator_address.to_string();
    let args = ["up", "--listen", "127.0.0.1:0", "--emulator-listen", &emulator];
    assert_says(&Program::run(world.folder.path(), &env, &args).await, MISCONFIGURED, &[&emulator]);
    let done = Program::run(world.folder.path(), &env, &["emulator", "--listen", &emulator]).await;
    assert_says(&done, MISCONFIGURED, &[&emulator]);
}

#[tokio::test]
async fn two_gateways_do_not_share_a_folder() {
    let mut world = World::start(&[]).await;
    let folder = world.data_dir().display().to_string();
    let args = ["serve", "--listen", "127.0.0.1:0"];
    let done = Program::run(world.folder.path(), world.env(), &args).await;
    assert_says(&done, MISCONFIGURED, &[&folder, "--data-dir"]);
    // The first one is none the worse for it, and once it is gone the folder is free.
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    world.stop_gateway().await;
    let mut program = Program::start("serve", world.folder.path(), world.env(), &args);
    program.told("gateway").await;
    assert_eq!(program.terminate().await, Some(0));
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_told() {
    let world = World::without_gateway(&[]).await;
    let file = world.folder.path().join("rules.toml").join("data").display().to_string();
    let args = ["serve", "--listen", "127.0.0.1:0", "--data-dir", &file];
    let done = Program::run(world.folder.path(), world.env(), &args).await;
    assert_says(&done, MISCONFIGURED, &[&file, "TRUNKLINE_DATA_DIR"]);
}

#[tokio::test]
async fn a_wrong_token_is_a_wrong_configuration() {
    let mut world = World::without_gateway(&[]).await;
    world.set("TWILIO_AUTH_TOKEN", "not-the-token-of-the-account");
    for command in ["serve", "check"] {
        let mut args = vec![command];
        if command == "serve" {
            args.extend(["--listen", "127.0.0.1:0"]);
        }
        let done = Program::run(world.folder.path(), world.env(), &args).await;
        assert_says(&done, MISCONFIGURED, &[if command == "serve" { "credentials" } else { "TWILIO_AUTH_TOKEN" }]);
        assert!(!done.stderr.contains("not-the-token") && !done.stdout.contains("not-the-token"), "{done:?}");
    }
}

#[tokio::test]
async fn check_says_what_to_mend_and_when_nothing_is() {
    let mut world = World::start(&[]).await;
    let done = Program::run(world.folder.path(), world.env(), &["check"]).await;
    assert_says(&done, Some(1), &["TWILIO_WEBHOOK_URL is not set", "Twilio accepts the credentials", "1 to mend"]);
    assert_says(&done, Some(1), &["web chat is switched off (TRUNKLINE_WEBCHAT"]);
    let url = world.gateway_url("/webhooks/twilio");
    world.set("TWILIO_WEBHOOK_URL", &url);
    world.set("TRUNKLINE_WEBCHAT", "true");
    world.set("TRUNKLINE_WEBCHAT_ORIGINS", "https://shop.example.com/");
    let done = Program::run(world.folder.path(), world.env(), &["check"]).await;
    assert_says(&done, Some(0), &["the bus can write", "the store can write", "everything is in place"]);
    assert_says(&done, Some(0), &["the web chat is at /chat; these may show it: https://shop.example.com\n"]);
    assert!(!done.stdout.contains("wrong"), "{done:?}");

    let form = [("PostWebhookUrl", "http://127.0.0.1:9/elsewhere")];
    let moved = answer(world.rest(Method::POST, "/v1/Configuration/Webhooks").form(&form)).await;
    assert_eq!(moved.status, StatusCode::OK);
    let done = Program::run(world.folder.path(), world.env(), &["check"]).await;
    assert_says(&done, Some(1), &["go elsewhere, to 127.0.0.1;", "1 to mend"]);

    let form = [("PostWebhookUrl", url.as_str()), ("Filters", "onMessageAdded")];
    answer(world.rest(Method::POST, "/v1/Configuration/Webhooks").form(&form)).await;
    let done = Program::run(world.folder.path(), world.env(), &["check"]).await;
    assert_says(&done, Some(1), &["Twilio does not send onConversationAdded, ", "1 to mend"]);
    assert_says(&done, Some(1), &["the gateway answers at TWILIO_WEBHOOK_URL", "open conversations"]);
    let addresses = answer(world.rest(Method::GET, "/v1/Configuration/Addresses")).await.body;
    for one in addresses["address_configurations"].as_array().unwrap() {
        let path = format!("/v1/Configuration/Addresses/{}", one["sid"].as_str().unwrap());
        answer(world.rest(Method::DELETE, &path)).await;
    }
    let done = Program::run(world.folder.path(), world.env(), &["check"]).await;
    assert_says(&done, Some(1), &["open no conversation. Make an address configuration", "2 to mend"]);
    world.set("TRUNKLINE_REGISTER_MESSAGING", "true");
    let done = Program::run(world.folder.path(), world.env(), &["check"]).await;
    assert_says(&done, Some(1), &["1 to mend"]);

    world.stop_emulator().await;
    let done = Program::run(world.folder.path(), world.env(), &["check"]).await;
    assert_eq!(done.code, Some(1), "{done:?}");
}

/// Starts the program as a service on an address of its own.
async fn serve(world: &mut World) -> (Program, String) {
    let address = free_address().await;
    world.set("TRUNKLINE_LISTEN", &address.to_string());
    world.set("TWILIO_WEBHOOK_URL", &format!("http://{address}/webhooks/twilio"));
    let program = Program::start("serve", world.folder.path(), world.env(), &["serve"]);
    (program, format!("http://{address}"))
}

async fn until_ready(world: &World, base: &str) {
    until("the gateway is ready", async || {
        let ready = world.http.get(format!("{base}/readyz")).send().await.ok()?;
        ready.status().is_success().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_terminated_gateway_drains_and_loses_nothing() {
    let mut world = World::without_gateway(&[]).await;
    let (mut program, base) = serve(&mut world).await;
    until_ready(&world, &base).await;
    for number in 0..40 {
        world.text(ADA, &format!("text {number}")).await;
        if number == 20 {
            assert_eq!(program.terminate().await, Some(0));
        }
    }
    let (mut again, base) = serve(&mut world).await;
    until_ready(&world, &base).await;
    let expected: Vec<_> = (0..40).map(|number| format!("answer {number}")).collect();
    until("every text is answered", async || (world.answers(ADA).await.len() >= 40).then_some(())).await;
    until("everything is dealt with", async || {
        let status = world.http.get(format!("{base}/api/v1/status")).bearer_auth(CONSOLE_TOKEN);
        (answer(status).await.body["backlog"] == 0).then_some(())
    })
    .await;
    assert_eq!(world.answers(ADA).await, expected);
    assert_eq!(again.terminate().await, Some(0));
}

#[tokio::test]
async fn a_terminated_gateway_lets_a_turn_finish() {
    let model = crate::support::Model::silent().await;
    let mut world = World::without_gateway(&[
        ("TRUNKLINE_AGENT", "chat"),
        ("TRUNKLINE_MODEL", "m"),
        ("OPENAI_BASE_URL", &model.base_url),
        ("TRUNKLINE_TURN_TIMEOUT", "1s"),
        ("TRUNKLINE_TURN_ATTEMPTS", "5"),
        ("TRUNKLINE_TURN_BACKOFF", "1ms"),
    ])
    .await;
    let (mut program, base) = serve(&mut world).await;
    until_ready(&world, &base).await;
    world.text(ADA, "text 1").await;
    until("the model is asked", async || (model.asked() > 0).then_some(())).await;
    model.speak();
    assert_eq!(program.terminate().await, Some(0));
    // Whether it was sent before the end or waits in the outbox: the next start says it, once.
    let (mut again, base) = serve(&mut world).await;
    until_ready(&world, &base).await;
    until("the answer arrives", async || (!world.answers(ADA).await.is_empty()).then_some(())).await;
    assert_eq!(world.answers(ADA).await, ["a considered answer"]);
    assert_eq!(again.terminate().await, Some(0));
    assert_eq!(model.asked(), 2);
}

#[tokio::test]
async fn up_needs_nothing_and_remembers_across_starts() {
    let folder = tempfile::tempdir().unwrap();
    let env = env(&[("TRUNKLINE_DEBOUNCE", "0")]);
    let args = ["up", "--listen", "127.0.0.1:0", "--emulator-listen", "127.0.0.1:0"];
    let text = async |folder: &Path, emulator: &str, body: &str| {
        let args = ["text", "--emulator", emulator, "--from", ADA, body];
        Program::run(folder, &BTreeMap::new(), &args).await
    };
    let mut first = Program::start("first", folder.path(), &env, &args);
    let emulator = first.told("emulator").await;
    assert!(first.told("chat").await.ends_with("/chat"));
    assert_says(&text(folder.path(), &emulator, "my name is Ada").await, Some(0), &["Ada"]);
    assert_eq!(first.terminate().await, Some(0));

    let mut second = Program::start("second", folder.path(), &env, &args);
    let emulator = second.told("emulator").await;
    let answer = text(folder.path(), &emulator, "what is my name?").await;
    assert_eq!((answer.code, answer.stdout.trim()), (Some(0), "Your name is Ada."), "{answer:?}");
    assert_eq!(second.terminate().await, Some(0));
    let nobody = text(folder.path(), &emulator, "hello?").await;
    assert_says(&nobody, Some(1), &["no emulator answers"]);
}

#[tokio::test]
async fn what_people_wrote_is_for_the_owner_only_and_a_log_holds_no_token() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let mut world = World::without_gateway(&[]).await;
    let (mut program, base) = serve(&mut world).await;
    until_ready(&world, &base).await;
    world.text(ADA, "text 1").await;
    until("the text is answered", async || (world.answers(ADA).await == ["answer 1"]).then_some(())).await;
    let files: Vec<_> = std::fs::read_dir(world.data_dir()).unwrap().map(|entry| entry.unwrap().path()).collect();
    for name in ["bus.db", "store.db", "store.db-wal", "lock"] {
        assert!(files.iter().any(|path| path.ends_with(name)), "{name} in {files:?}");
    }
    assert_eq!(mode(&world.data_dir()), 0o700);
    for path in &files {
        assert_eq!(mode(path), 0o600, "{}", path.display());
    }
    program.told("console").await;
    assert!(!program.stdout().contains(CONSOLE_TOKEN), "{}", program.stdout());
    assert_eq!(program.terminate().await, Some(0));
}
