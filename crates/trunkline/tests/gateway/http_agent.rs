//! `TRUNKLINE_AGENT=http`: somebody else's agent behind a URL.

use serde_json::json;

use crate::support::{ADA, HttpAgentServer, Program, World, free_address, until};

const JSON: &str = "application/json";
const STREAM: &str = "text/event-stream";

fn env(url: &str) -> [(&str, &str); 5] {
    [
        ("TRUNKLINE_AGENT", "http"),
        ("TRUNKLINE_AGENT_URL", url),
        ("TRUNKLINE_AGENT_SECRET", "a-secret-of-the-tests"),
        ("TRUNKLINE_TURN_BACKOFF", "10ms"),
        ("TRUNKLINE_APOLOGY", "sorry, later"),
    ]
}

#[tokio::test]
async fn an_agent_behind_a_url_answers_remembers_and_hands_over() {
    let cut = "event: text\ndata: {\"text\":\"never sent\"}\n\n";
    let whole = "event: remember\ndata: {\"name\":\"mood\",\"value\":\"good\"}\n\nevent: text\ndata: {\"text\":\"Hello \"}\n\n\
                 event: text\ndata: {\"text\":\"Ada\"}\n\nevent: hand_over\ndata: {}\n\nevent: done\ndata: {}\n\n";
    let script = [
        Some((503, JSON, "{}")),
        Some((200, STREAM, cut)),
        Some((200, STREAM, whole)),
        Some((200, JSON, "{\"text\":\"again\"}")),
    ];
    let agent = HttpAgentServer::start(([127, 0, 0, 1], 0).into(), &script).await;
    let world = World::start(&env(&agent.url)).await;
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["Hello Ada"]).await;
    let list = world.api("/api/v1/conversations").await;
    assert_eq!(list["conversations"][0]["state"], "handed_over");
    world.text(ADA, "text 2").await;
    let id = list["conversations"][0]["id"].as_str().unwrap();
    world.post(&format!("/api/v1/conversations/{id}/resume"), json!({})).await;
    world.expect_answers(ADA, &["Hello Ada", "again"]).await;

    let asked = agent.asked();
    let key = |at: usize| asked[at].0["idempotency-key"].to_str().unwrap().to_owned();
    assert_eq!(asked.len(), 4);
    assert_eq!((key(0), key(0)), (key(1), key(2)), "a turn keeps its name");
    assert_ne!(key(0), key(3));
    let attempts: Vec<_> = asked.iter().map(|(_, body)| body["attempt"].clone()).collect();
    assert_eq!(attempts, [1, 2, 3, 1]);
    assert_eq!(asked[0].1["turn"], key(0));
    assert_eq!(asked[0].1["input"], json!(["text 1"]));
    assert_eq!(asked[0].1["channel"], "sms");
    assert!(asked[0].0["trunkline-signature"].to_str().unwrap().starts_with("t="));
    assert_eq!(asked[0].0["authorization"], "Bearer a-secret-of-the-tests");
    assert_eq!(asked[3].1["memories"], json!({"mood": "good"}));
    let history = json!([{"role": "person", "text": "text 1"}, {"role": "agent", "text": "Hello Ada"}]);
    assert_eq!(asked[3].1["history"], history);
}

#[tokio::test]
async fn an_agent_that_was_gone_keeps_the_name_of_the_turn_over_a_restart_of_the_gateway() {
    let address = free_address().await;
    let url = format!("http://{address}/turn");
    let mut world = World::without_gateway(&env(&url)).await;
    world.set("TRUNKLINE_TURN_ATTEMPTS", "100");
    world.set("TRUNKLINE_DRAIN", "0");
    world.start_gateway().await;
    let hanging = HttpAgentServer::start(address, &[None]).await;
    world.text(ADA, "text 1").await;
    until("the agent is asked", async || (!hanging.asked().is_empty()).then_some(())).await;
    let first = hanging.asked().remove(0);
    world.stop_gateway().await;
    drop(hanging);
    world.start_gateway().await;
    let back = HttpAgentServer::start(address, &[Some((200, JSON, "{\"text\":\"back\"}"))]).await;
    world.expect_answers(ADA, &["back"]).await;
    assert_eq!(back.asked()[0].1["turn"], first.1["turn"]);
}

#[tokio::test]
async fn an_agent_that_refuses_is_not_asked_again() {
    let agent = HttpAgentServer::start(([127, 0, 0, 1], 0).into(), &[Some((401, JSON, "{}"))]).await;
    let world = World::start(&env(&agent.url)).await;
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["sorry, later"]).await;
    assert_eq!(agent.asked().len(), 1);
    assert_eq!(world.api("/api/v1/status").await["dead_letters"], 1);
}

#[tokio::test]
async fn an_agent_may_say_nothing() {
    let script = [Some((204, JSON, "")), Some((200, JSON, "{\"text\":\"now\"}"))];
    let agent = HttpAgentServer::start(([127, 0, 0, 1], 0).into(), &script).await;
    let world = World::start(&env(&agent.url)).await;
    world.text(ADA, "text 1").await;
    until("the agent is asked", async || (agent.asked().len() == 1).then_some(())).await;
    world.until_idle().await;
    world.text(ADA, "text 2").await;
    world.expect_answers(ADA, &["now"]).await;
}

#[tokio::test]
async fn check_knows_the_agent() {
    let agent = HttpAgentServer::start(([127, 0, 0, 1], 0).into(), &[None]).await;
    let world = World::without_gateway(&env(&agent.url)).await;
    let check = async |changes: &[(&str, &str)]| {
        let mut env = world.env().clone();
        env.insert("TWILIO_ENABLED".into(), "false".into());
        env.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Program::run(world.folder.path(), &env, &["check"]).await
    };
    let good = check(&[]).await;
    assert_eq!(good.code, Some(0), "{good:?}");
    assert!(good.stdout.contains("ok    the agent at TRUNKLINE_AGENT_URL can be connected to"), "{good:?}");
    let nobody = format!("http://{}/turn", free_address().await);
    let gone = check(&[("TRUNKLINE_AGENT_URL", &nobody)]).await;
    assert_eq!(gone.code, Some(1), "{gone:?}");
    assert!(gone.stdout.contains("wrong the agent at TRUNKLINE_AGENT_URL cannot be connected to"), "{gone:?}");
    let wrong = check(&[("TRUNKLINE_AGENT_URL", "ftp://a"), ("TRUNKLINE_AGENT_SECRET", "short")]).await;
    assert_eq!(wrong.code, Some(64), "{wrong:?}");
    for name in ["TRUNKLINE_AGENT_URL: must be a URL", "TRUNKLINE_AGENT_SECRET: must have at least 16"] {
        assert!(wrong.stderr.contains(name), "{wrong:?}");
    }
    assert!(!wrong.stderr.contains("short"), "{wrong:?}");
    let missing = check(&[("TRUNKLINE_AGENT_URL", "")]).await;
    assert!(missing.stderr.contains("TRUNKLINE_AGENT_URL: is missing"), "{missing:?}");
}
