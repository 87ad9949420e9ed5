//! What really travels, against the schemas in `docs`.

use std::collections::BTreeSet;

use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ADA, CONSOLE_TOKEN, HttpAgentServer, World, answer, envelopes, until};

fn schema(name: &str) -> Value {
    let path = format!("{}/../../docs/schemas/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn validator(name: &str) -> Validator {
    jsonschema::options().should_validate_formats(true).build(&schema(name)).unwrap()
}

fn check(name: &str, value: &Value) {
    let problems: Vec<_> = validator(name).iter_errors(value).map(|problem| problem.to_string()).collect();
    assert!(problems.is_empty(), "{name}: {problems:?} in {value}");
}

#[tokio::test]
async fn every_envelope_of_a_running_gateway_fits_its_schema() {
    let script = [Some((200, "application/json", "{\"text\":\"hello\"}")), Some((400, "text/plain", ""))];
    let agent = HttpAgentServer::start(([127, 0, 0, 1], 0).into(), &script).await;
    let world = World::start(&[("TRUNKLINE_AGENT", "http"), ("TRUNKLINE_AGENT_URL", &agent.url)]).await;
    let (conversation, message) = world.text(ADA, "text 1").await;
    let bus = world.data_dir().join("bus.db");
    until("the answer is delivered", async || {
        envelopes(&bus, "log").iter().any(|envelope| envelope["data"]["status"] == "delivered").then_some(())
    })
    .await;
    world.text(ADA, "text 2").await;
    until("the second turn is given up", async || (envelopes(&bus, "dead_letter").len() == 1).then_some(())).await;
    let tell = async |method: Method, path: &str, form: &[(&str, &str)]| {
        let request = world.rest(method, &format!("/v1/Conversations/{conversation}{path}"));
        let done = answer(request.header("X-Twilio-Webhook-Enabled", "true").form(form)).await;
        assert!(done.status.is_success(), "{}", done.text);
        done.body["sid"].as_str().unwrap_or_default().to_owned()
    };
    let alice = tell(Method::POST, "/Participants", &[("Identity", "alice")]).await;
    tell(Method::POST, &format!("/Participants/{alice}"), &[("Attributes", "{}")]).await;
    tell(Method::DELETE, &format!("/Participants/{alice}"), &[]).await;
    tell(Method::POST, &format!("/Messages/{message}"), &[("Body", "text one")]).await;
    tell(Method::DELETE, &format!("/Messages/{message}"), &[]).await;
    tell(Method::POST, "", &[("FriendlyName", "Ada")]).await;
    tell(Method::POST, "", &[("State", "closed")]).await;
    until("the end of the conversation is a fact", async || {
        envelopes(&bus, "log").iter().any(|envelope| envelope["data"]["state"] == "closed").then_some(())
    })
    .await;

    let mut kinds = BTreeSet::new();
    for envelope in envelopes(&bus, "log").into_iter().chain(envelopes(&bus, "dead_letter")) {
        check("envelope", &envelope);
        let kind = envelope["type"].as_str().unwrap().to_owned();
        check(&kind, &envelope["data"]);
        kinds.insert(kind);
    }
    let expected = [
        "conversation.changed.v1",
        "conversation.updated.v1",
        "dead.letter.v1",
        "message.delivery.updated.v1",
        "message.received.v1",
        "message.removed.v1",
        "message.send.v1",
        "message.updated.v1",
        "participant.added.v1",
        "participant.removed.v1",
        "participant.updated.v1",
    ];
    assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    for (_, request) in agent.asked() {
        check("turn.request", &request);
    }
    let page = world.http.get(world.gateway_url("/api/v1/bus/ingress?consumer=a&limit=100"));
    let page = answer(page.bearer_auth(CONSOLE_TOKEN)).await.body;
    for delivery in page["deliveries"].as_array().unwrap() {
        check("envelope", &delivery["envelope"]);
    }
}

#[test]
fn what_does_not_fit_is_refused_by_the_schemas_too() {
    let envelope = json!({
        "specversion": "1.0", "id": "1", "source": "s", "type": "t", "subject": "c", "time": "2026-01-01T00:00:00Z",
        "data": {},
    });
    check("envelope", &envelope);
    let with = |key: &str, value: Value| {
        let mut changed = envelope.clone();
        changed[key] = value;
        changed
    };
    for wrong in [with("specversion", json!("0.3")), with("time", json!("yesterday")), with("id", json!(1)), json!({})]
    {
        assert!(!validator("envelope").is_valid(&wrong), "{wrong}");
    }
    let send = json!({ "connector": "twilio", "conversation": "CH1", "text": "hello", "in_reply_to": ["IM1"] });
    check("message.send.v1", &send);
    assert!(!validator("message.send.v1").is_valid(&json!({ "text": "hello" })));
    for good in [json!({}), json!({ "text": "a", "remember": { "name": "Ada" }, "hand_over": true })] {
        check("turn.answer", &good);
    }
    for wrong in [json!({ "txt": "a" }), json!({ "text": 1 }), json!([])] {
        assert!(!validator("turn.answer").is_valid(&wrong), "{wrong}");
    }
    check("turn.text", &json!({ "text": "a" }));
    check("turn.file", &json!({ "sha256": "a" }));
    check("turn.remember", &json!({ "name": "a", "value": "b" }));
    assert!(!validator("turn.remember").is_valid(&json!({ "name": "a" })));
}
