//! Definitions good and bad, and runs of random graphs.

mod bad;
mod random;

use serde_json::json;

use super::*;

const MISSED_CALL: &str = r#"
name = "missed-call"
timeout = "2h"

[[trigger]]
on = "call.failed"
when = "event.data.status in ['no-answer', 'busy']"

[[trigger]]
api = true

[node.back]
kind = "place_call"
needs = ["reply.time"]
to = "${ event.person }"

[node.sorry]
kind = "send_text"
to = "${ event.person }"
text = "Sorry that we missed you, ${ event.person }!"

[node.reply]
kind = "wait"
needs = ["sorry"]
event = "message.added"
about = "${ event.person }"
match = "received.data.text != ''"
for = "1h"

[node.told]
kind = "http"
needs = ["reply.event", "back"]
join = "any"
url = "https://crm.example.com/calls/${ event.id }"
method = "POST"
body = { came = "${ steps.reply.output.came }", list = [1, "${ run.id }"] }
on_failure = "note"
retry = { attempts = 5, backoff = "2s" }

[node.note]
kind = "store"
person = "${ event.person }"
values = { missed = "yes, ${ steps.told.error }" }
"#;

#[test]
fn a_definition_is_read() {
    let workflow = Workflow::parse(MISSED_CALL).unwrap();
    let names: Vec<_> = workflow.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["sorry", "reply", "back", "told", "note"], "each behind what it needs");
    let told = &workflow.nodes[workflow.node("told").unwrap()];
    assert_eq!(told.needs[0], Need { node: 1, branch: Some(Branch::Event) });
    assert_eq!((told.join, told.retry.attempts, told.on_failure), (Join::Any, 5, Some(4)));
    assert!(workflow.nodes[4].is_compensation && workflow.is_startable());
    let scope = Scope::new()
        .with("event", &json!({"id": "e1", "person": "+15550001111", "data": {"status": "busy"}}))
        .with("steps", &json!({"reply": {"output": {"came": "time"}}}))
        .with("run", &json!({"id": "r1"}));
    let Trigger::Event { when: Some(when), .. } = &workflow.triggers[0] else { panic!("an event") };
    assert!(when.holds(&scope).unwrap());
    let Kind::Http { url, body: Some(body), .. } = &told.kind else { panic!("a request") };
    assert_eq!(url.text(&scope).unwrap(), "https://crm.example.com/calls/e1");
    assert_eq!(body.value(&scope).unwrap(), json!({"came": "time", "list": [1, "r1"]}));
}

#[test]
fn what_is_built_is_what_is_read() {
    let built = Builder::new("built")
        .on_request()
        .cron("0 9 * * *")
        .set("on_failure", "mend")
        .node("ask", NodeBuilder::new("agent").set("input", "${ event.data.question }"))
        .node("wait", NodeBuilder::new("wait").set("for", "1s").after(["ask"]))
        .node("mend", NodeBuilder::new("join"))
        .build()
        .unwrap();
    assert_eq!(built.nodes.iter().map(|node| node.on_failure).collect::<Vec<_>>(), [Some(2), Some(2), None]);
    assert_eq!(Workflow::parse(&built.source).unwrap().revision, built.revision);
    let error = Builder::new("empty").build().unwrap_err();
    assert_eq!(error.problems.len(), 2, "{error}");
}

#[test]
fn long_expressions_neither_overflow_nor_stall() {
    let chains = |length: usize| {
        [
            vec!["1"; length].join("+") + " == 2",
            "event".to_owned() + &".a".repeat(length) + " == 1",
            "event".to_owned() + &"[0]".repeat(length) + " == 1",
            vec!["1"; length].join(" in "),
            vec!["true"; length].join("&&"),
            vec!["true ? true"; length / 2].join(" : ") + " : true",
            "a(".repeat(length),
            "(".repeat(length) + &")".repeat(length),
            "!".repeat(length) + "true",
        ]
    };
    for chain in [20, 35, 140, 350, 2_000].into_iter().flat_map(chains) {
        if let Ok(expression) = Expression::compile(&chain) {
            let _evaluated = expression.value(&Scope::new().with("event", &json!({}))).is_ok();
        }
    }
}

fn states(plan: &[(StepState, Option<Branch>)]) -> Vec<StepStatus> {
    plan.iter().map(|(state, branch)| StepStatus { state: *state, branch: *branch }).collect()
}

#[test]
fn a_run_goes_one_way_or_the_other() {
    use StepState::{Done, Failed, Pending, Retrying, Running, Skipped, Waiting};
    let workflow = Workflow::parse(MISSED_CALL).unwrap();
    let plan = |steps: &[_]| plan(&workflow, &states(steps));
    let first = plan(&[]);
    assert_eq!((first.start, first.skip, first.outcome), (vec![0], vec![], None));
    let waiting = [(Done, None), (Waiting, None), (Pending, None), (Pending, None), (Pending, None)];
    assert_eq!(plan(&waiting), Plan::default());
    let over = [(Done, None), (Done, Some(Branch::Time)), (Pending, None), (Pending, None), (Pending, None)];
    assert_eq!(plan(&over).start, [2]);
    let came = [(Done, None), (Done, Some(Branch::Event)), (Pending, None), (Pending, None), (Pending, None)];
    assert_eq!((plan(&came).start, plan(&came).skip), (vec![3], vec![2]));
    let failed = [(Done, None), (Done, Some(Branch::Event)), (Skipped, None), (Failed, None), (Pending, None)];
    assert_eq!(plan(&failed).start, [4], "it is made good for");
    let mended = [(Done, None), (Done, Some(Branch::Event)), (Skipped, None), (Failed, None), (Done, None)];
    assert_eq!(plan(&mended).outcome, Some(Outcome::Compensated));
    let fine = [(Done, None), (Done, Some(Branch::Event)), (Skipped, None), (Done, None), (Pending, None)];
    assert_eq!((plan(&fine).skip, plan(&fine).outcome), (vec![4], Some(Outcome::Done)));
    let lost = [(Failed, None), (Pending, None), (Pending, None), (Pending, None), (Pending, None)];
    assert_eq!(plan(&lost), Plan { outcome: Some(Outcome::Failed), ..Plan::default() });
    let busy = [(Failed, None), (Running, None)];
    assert_eq!(plan(&busy), Plan::default(), "what is under way is let finish");
    assert_eq!(plan(&[(Retrying, None)]), Plan::default());
}
