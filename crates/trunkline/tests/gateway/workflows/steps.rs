//! What each kind of node does, as the other side sees it.

use std::time::Duration;

use super::*;
use crate::support::{ADA, BOB, NUMBER, column};

#[tokio::test]
async fn an_agent_answers_a_text_goes_out_and_a_person_takes_over() {
    let text = r#"
name = "care"
[[trigger]]
on = "message.added"
when = "event.data.text == 'text 5'"

[node.ask]
kind = "agent"
input = "text 42"
conversation = "${ event.conversation }"

[node.decide]
kind = "condition"
needs = ["ask"]
if = "steps.ask.output.text.contains('42')"

[node.say]
kind = "send_text"
needs = ["decide.yes"]
conversation = "${ event.conversation }"
text = "The agent says: ${ steps.ask.output.text }"

[node.not-this]
kind = "close_conversation"
needs = ["decide.no"]
conversation = "${ event.conversation }"

[node.keep]
kind = "store"
needs = ["say"]
conversation = "${ event.conversation }"
values = { order = "42" }

[node.person]
kind = "hand_over"
needs = ["keep"]
conversation = "${ event.data.metadata.conversation }"
"#;
    let world = start(&[text], &[]).await;
    let (conversation, _) = world.text(ADA, "text 5").await;
    let id = until("a run begins", async || {
        runs(&world, "care").await.first().map(|run| run["run"].as_str().unwrap().to_owned())
    })
    .await;
    let run = until_run(&world, &id, "done").await;
    assert_eq!(step(&run, "ask")["output"]["text"], "answer 42");
    assert_eq!(step(&run, "not-this")["state"], "skipped");
    until("both answers are there", async || (world.answers(ADA).await.len() == 2).then_some(())).await;
    let mut answers = world.answers(ADA).await;
    answers.sort_unstable();
    assert_eq!(answers, ["The agent says: answer 42", "answer 5"]);
    let listed = world.api("/api/v1/conversations").await["conversations"].clone();
    let ours = listed.as_array().unwrap().iter().find(|one| one["external_id"] == conversation.as_str()).unwrap();
    assert_eq!(ours["state"], "handed_over", "{ours}");
}

#[tokio::test]
async fn participants_come_and_go_and_a_conversation_is_closed() {
    let text = r#"
name = "people"
[[trigger]]
api = true

[node.join]
kind = "add_participant"
conversation = "${ event.data.conversation }"
identity = "colleague"

[node.leave]
kind = "remove_participant"
needs = ["join"]
conversation = "${ event.data.conversation }"
participant = "${ steps.join.output.participant }"

[node.close]
kind = "close_conversation"
needs = ["leave"]
conversation = "${ event.data.conversation }"
"#;
    let world = start(&[text], &[]).await;
    let (conversation, _) = world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    let id = begin(&world, "people", json!({ "conversation": conversation })).await;
    let run = until_run(&world, &id, "done").await;
    assert!(step(&run, "join")["output"]["participant"].as_str().unwrap().starts_with("MB"), "{run}");
    let at = answer(world.rest(Method::GET, &format!("/v1/Conversations/{conversation}"))).await;
    assert_eq!(at.body["state"], "closed");
    let people = answer(world.rest(Method::GET, &format!("/v1/Conversations/{conversation}/Participants"))).await;
    assert!(!people.text.contains("colleague"), "{}", people.text);
}

/// The request holds the step up until the event has come and gone.
#[tokio::test]
async fn an_event_that_is_faster_than_the_wait_for_it_is_not_missed() {
    let text = r#"
name = "fast"
[[trigger]]
api = true

[node.slow]
kind = "http"
url = "${ event.data.url }"

[node.heard]
kind = "wait"
needs = ["slow"]
event = ["message.added", "call.failed"]
about = "${ event.data.who }"
match = "received.type == 'message.added' && received.data.text == 'text 3'"
for = "20s"

[node.other]
kind = "wait"
needs = ["slow"]
event = "message.added"
about = "${ event.data.who }"
match = "received.data.text == 'text 4'"
until = "2020-01-01T00:00:00Z"
"#;
    let far = Far::start().await;
    let world = start(&[text], &[]).await;
    let id = begin(&world, "fast", json!({ "url": far.url("/held"), "who": ADA })).await;
    until("it is held up", async || (far.came("/held").len() == 1).then_some(())).await;
    world.text(ADA, "text 3").await;
    world.expect_answers(ADA, &["answer 3"]).await;
    world.until_idle().await;
    far.release.notify_one();
    let run = until_run(&world, &id, "done").await;
    assert_eq!((&step(&run, "heard")["branch"], &step(&run, "other")["branch"]), (&json!("event"), &json!("time")));
}

#[tokio::test]
async fn failure_is_made_good_for_and_branches_meet_again() {
    let far = Far::start().await;
    let text = format!(
        r#"
name = "mends"
[[trigger]]
api = true

[node.begin]
kind = "parallel"

[node.left]
kind = "http"
needs = ["begin"]
url = "{never}"
on_failure = "sorry"

[node.right]
kind = "http"
needs = ["begin"]
url = "{fine}"

[node.both]
kind = "join"
needs = ["left", "right"]

[node.either]
kind = "http"
needs = ["left", "right"]
join = "any"
method = "POST"
url = "{either}"
body = "${{ steps.right.output.body.earlier + 10 }}"

[node.sorry]
kind = "send_text"
to = "{BOB}"
text = "It did not work: ${{ steps.left.error }}"
"#,
        never = far.url("/never"),
        fine = far.url("/fine"),
        either = far.url("/either"),
    );
    let world = start(&[&text], &[]).await;
    let id = begin(&world, "mends", json!({})).await;
    until("x", async || {
        eprintln!("{}", run(&world, &id).await["steps"]);
        (run(&world, &id).await["state"] == "compensated").then_some(())
    })
    .await;
    let run = until_run(&world, &id, "compensated").await;
    assert_eq!((&step(&run, "both")["state"], &step(&run, "either")["state"]), (&json!("skipped"), &json!("done")));
    assert_eq!(far.came("/either")[0].body, "10");
    world.expect_answers(BOB, &["It did not work: workflow.http_status"]).await;
    // It went out by the number without Conversations: nobody had written before.
    let listed = world.api("/api/v1/conversations").await["conversations"].clone();
    assert_eq!((&listed[0]["connector"], &listed[0]["address"]), (&json!("twilio-messaging"), &json!(BOB)));
    assert_ne!(NUMBER, BOB);
}

#[tokio::test]
async fn a_tool_of_the_agents_is_a_step_too() {
    let text = "name = \"tools\"\n[[trigger]]\napi = true\n[node.look]\nkind = \"tool\"\ntool = \"order_status\"\n\
                arguments = { number = \"${ event.data.number }\" }\n\
                [node.unknown]\nkind = \"tool\"\ntool = \"teleport\"\nneeds = [\"look\"]\n";
    let far = Far::start().await;
    let mut world = world_with(&[text], &[]).await;
    let parameters = "{ type = \"object\", properties = { number = { type = \"integer\" } } }";
    world.set_file(&format!(
        "[tools.order_status]\nurl = \"{}\"\ndescription = \"Where an order is.\"\nparameters = {parameters}\n",
        far.url("/order"),
    ));
    world.start_gateway().await;
    let id = begin(&world, "tools", json!({ "number": 7 })).await;
    let run = until_run(&world, &id, "failed").await;
    assert_eq!(step(&run, "look")["output"]["result"], json!({ "earlier": 0 }), "{run}");
    assert_eq!(step(&run, "unknown")["error_code"], "workflow.not_configured");
    let came = far.came("/order");
    assert_eq!(came[0].body, "{\"number\":7}");
    assert!(came[0].key.starts_with("workflow-"), "{came:?}");
}

#[tokio::test]
async fn schedules_begin_runs_once_for_each_time_also_when_it_was_missed() {
    let text = "name = \"hourly\"\n[[trigger]]\nevery = \"1h\"\n[[trigger]]\ncron = \"0 0 1 1 *\"\n[node.a]\nkind = \"join\"\n";
    let mut world = start(&[text], &[]).await;
    world.until_idle().await;
    let known = "SELECT name FROM cursor WHERE name LIKE 'workflow:hourly:%'";
    let store = world.data_dir().join("store.db");
    until("both schedules are known", async || (column(&store, known).len() == 2).then_some(())).await;
    assert_eq!(runs(&world, "hourly").await.len(), 0, "none for the past");
    world.gateway().clock().advance(Duration::from_mins(61));
    until("one begins", async || (runs(&world, "hourly").await.len() == 1).then_some(())).await;
    world.gateway().clock().advance(Duration::from_hours(5));
    until("another one begins", async || (runs(&world, "hourly").await.len() == 2).then_some(())).await;
    world.stop_gateway().await;
    world.start_gateway().await;
    world.until_idle().await;
    assert_eq!(runs(&world, "hourly").await.len(), 2);
}

#[tokio::test]
async fn without_a_folder_there_are_none_and_the_api_says_so() {
    let world = World::start(&[]).await;
    assert_eq!(world.api("/api/v1/workflows").await["enabled"], false);
    let off = post(&world, "/api/v1/workflows/any/runs", &json!({})).await;
    assert_eq!((off.status, &off.body["code"]), (StatusCode::NOT_FOUND, &json!("workflow.off")));
    let stranger = world.get("/api/v1/workflow-runs").await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
}
