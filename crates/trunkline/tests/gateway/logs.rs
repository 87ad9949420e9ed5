//! What a running program writes to standard error: one JSON object a line, traceable, and nothing personal.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{CONSOLE_TOKEN, NUMBER, Program, Webhook, World, message_added, until};

const PERSON: &str = "+15550109876";
const SAID: &str = "my heliotrope is Zanzibar";
const FORGED: &str = "vermilion forgery";
const TRUE_WEBHOOK: &str = "cerulean replay";
const ANSWER: &str = "Zanzibar";
const TOKEN: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const SECRET: &str = "sekret-of-the-api-key-0123456789";

#[tokio::test]
async fn logs_are_json_traceable_and_hold_nothing_personal() {
    let folder = tempfile::tempdir().unwrap();
    let env = [
        ("TRUNKLINE_LOG", "debug"),
        ("TRUNKLINE_LOG_FORMAT", "json"),
        ("TRUNKLINE_LISTEN", "127.0.0.1:0"),
        ("TRUNKLINE_EMULATOR_LISTEN", "127.0.0.1:0"),
        ("TRUNKLINE_DEBOUNCE", "0"),
        ("TRUNKLINE_CONSOLE_TOKEN", CONSOLE_TOKEN),
        ("TWILIO_AUTH_TOKEN", TOKEN),
        ("TWILIO_API_SECRET", SECRET),
        ("TWILIO_API_KEY", "SK00000000000000000000000000000001"),
        ("TWILIO_PHONE_NUMBER", NUMBER),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let mut program = Program::start("up", folder.path(), &env, &["up"]);
    let emulator = program.told("emulator").await;
    let gateway = program.told("gateway").await;

    let text = async |body: &str| {
        let args = ["text", "--emulator", &emulator, "--from", PERSON, body];
        Program::run(folder.path(), &[].into(), &args).await
    };
    let answered = text(SAID).await;
    assert_eq!(answered.code, Some(0), "{answered:?}");
    assert!(answered.stdout.contains(ANSWER), "{answered:?}");

    // The same program again as a world of its own, only to make webhooks with.
    let world = World::without_gateway(&[]).await;
    let account = reqwest::get(format!("{emulator}/emulator/v1/account")).await.unwrap().json::<Value>().await.unwrap();
    let account = account["account_sid"].as_str().unwrap();
    let made = |body: &str| {
        let webhook = message_added(&world, "CH00000000000000000000000000000001", "IM1", PERSON, body);
        webhook.with("AccountSid", account)
    };
    let forged = Webhook { key: Some("another token".into()), ..made(FORGED) };
    assert_eq!(forged.call(&world, &gateway).await.status.as_u16(), 403);
    let incomplete = Webhook { key: Some(TOKEN.into()), ..made(TRUE_WEBHOOK) };
    assert_eq!(incomplete.call(&world, &gateway).await.status.as_u16(), 400);
    let unlisted = world.http.get(format!("{gateway}/login?token=guess-of-a-stranger")).send().await.unwrap();
    assert_eq!(unlisted.status().as_u16(), 303, "the console's form is shown");
    assert!(unlisted.headers().get("set-cookie").is_none());
    assert_eq!(program.terminate().await, Some(0));

    let written = program.stderr();
    let digits = [PERSON, NUMBER].map(|number| number.trim_start_matches('+').to_owned());
    let personal = [SAID, FORGED, TRUE_WEBHOOK, ANSWER, TOKEN, SECRET, CONSOLE_TOKEN, "guess-of-a-stranger"];
    for secret in digits.iter().map(String::as_str).chain(personal) {
        let line = written.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret} is logged: {line:?}");
    }
    check_lines(&written, &gateway);
}

fn check_lines(written: &str, gateway: &str) {
    // What `up` says to people who start it is no log.
    let logged: Vec<Value> = written
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let talk: BTreeSet<_> = written.lines().filter(|line| !line.starts_with('{') && !line.is_empty()).collect();
    assert!(talk.len() <= 10, "{talk:#?}");
    for line in &logged {
        for key in ["timestamp", "level", "target", "message"] {
            assert!(line[key].as_str().is_some_and(|text| !text.is_empty()), "{key} in {line}");
        }
    }
    let refused = logged.iter().find(|line| line["message"] == "a webhook is not signed for this URL").unwrap();
    assert_eq!(refused["url"], format!("{gateway}/webhooks/twilio"));
    assert_eq!(refused["level"], "WARN");
    let is_hex = |value: &Value, length: usize| {
        value.as_str().is_some_and(|text| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let traced: Vec<_> = logged.iter().filter(|line| line.get("trace_id").is_some()).collect();
    for line in &traced {
        assert!(is_hex(&line["trace_id"], 32) && is_hex(&line["span_id"], 16), "{line}");
    }
    for line in [refused].into_iter().chain(logged.iter().filter(|line| line["message"] == "the backend refused")) {
        assert!(line.get("trace_id").is_some(), "{line}");
    }
    assert!(traced.iter().any(|line| line["level"] == "DEBUG"), "{traced:#?}");
}

/// Everything that happens to one text is found by its trace.
#[tokio::test]
async fn a_failing_turn_is_found_by_its_trace() {
    let mut world = World::without_gateway(&[
        ("TRUNKLINE_LOG_FORMAT", "json"),
        ("TRUNKLINE_LISTEN", "127.0.0.1:0"),
        ("TRUNKLINE_AGENT", "chat"),
        ("TRUNKLINE_MODEL", "m"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:9/v1"),
        ("TRUNKLINE_TURN_ATTEMPTS", "2"),
        ("TRUNKLINE_TURN_BACKOFF", "1ms"),
        ("TRUNKLINE_APOLOGY", "sorry, later"),
    ])
    .await;
    let address = crate::support::free_address().await;
    world.set("TRUNKLINE_LISTEN", &address.to_string());
    world.set("TWILIO_WEBHOOK_URL", &format!("http://{address}/webhooks/twilio"));
    let mut program = Program::start("serve", world.folder.path(), world.env(), &["serve"]);
    let gateway = program.told("gateway").await;
    until("the gateway is ready", async || {
        let ready = world.http.get(format!("{gateway}/readyz")).send().await.unwrap();
        ready.status().is_success().then_some(())
    })
    .await;
    world.text(PERSON, SAID).await;
    until("the apology arrives", async || (world.answers(PERSON).await == ["sorry, later"]).then_some(())).await;
    assert_eq!(program.terminate().await, Some(0));
    let written = program.stderr();
    assert!(!written.contains(SAID) && !written.contains(PERSON.trim_start_matches('+')), "{written}");
    let logged: Vec<Value> = written.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let trace_of = |message: &str| -> BTreeSet<&str> {
        let fits = logged.iter().filter(|line| line["message"] == message);
        fits.map(|line| line["trace_id"].as_str().unwrap_or_else(|| panic!("no trace in {line}"))).collect()
    };
    let no_answer = trace_of("the agent has no answer");
    assert_eq!(no_answer.len(), 1, "{written}");
    assert_eq!(no_answer, trace_of("the turn is given up; its texts are now dead letters"));
}
