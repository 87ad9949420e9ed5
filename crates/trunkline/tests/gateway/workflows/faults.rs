//! Far sides that hang, lie or are none of a workflow's business; events that nobody can read.

use std::time::Duration;

use super::*;
use crate::support::ADA;

fn asks(name: &str, url: &str, more: &str) -> String {
    format!("name = \"{name}\"\n[[trigger]]\napi = true\n[node.ask]\nkind = \"http\"\nurl = \"{url}\"\n{more}\n")
}

/// The code with which a run of each fails.
async fn fails(world: &World, name: &str, data: Value) -> String {
    let id = begin(world, name, data).await;
    let run = until_run(world, &id, "failed").await;
    assert_eq!(run["error_node"], "ask", "{run}");
    run["error_code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn requests_that_cannot_be_made_fail_by_name() {
    let far = Far::start().await;
    let once = "retry = { attempts = 1 }";
    let definitions = [
        asks("private", "http://127.0.0.1:1/", once),
        asks("metadata", "http://169.254.169.254/latest/meta-data", once),
        asks("named", "http://${ event.data.host }/", once),
        asks("hangs", &far.url("/hangs"), "timeout = \"300ms\"\nretry = { attempts = 2, backoff = \"10ms\" }"),
        asks("large", &far.url("/large"), once),
        asks("elsewhere", &far.url("/elsewhere"), once),
        asks("closed", "http://localhost:1/", once),
        asks("unfilled", "https://example.com/${ event.data.nothing }", once),
    ];
    let definitions: Vec<_> = definitions.iter().map(String::as_str).collect();
    let world = start(&definitions, &[]).await;
    for (name, code) in [
        ("private", "workflow.private_address"),
        ("metadata", "workflow.private_address"),
        ("hangs", "workflow.step_timeout"),
        ("large", "workflow.answer_too_large"),
        ("elsewhere", "workflow.http_status"),
        ("closed", "workflow.unreachable"),
        ("unfilled", "workflow.expression_failed"),
    ] {
        assert_eq!(fails(&world, name, json!({})).await, code, "{name}");
    }
    // A name of this machine that is not among the allowed ones, and an address written as a number.
    for host in ["ip6-localhost", "2130706433", "[::1]", "0x7f.1"] {
        let code = fails(&world, "named", json!({ "host": host })).await;
        assert!(["workflow.private_address", "workflow.unreachable"].contains(&code.as_str()), "{host}: {code}");
    }
    assert_eq!(far.came("/hangs").len(), 2);
}

#[tokio::test]
async fn a_far_side_that_comes_back_is_tried_again_under_the_same_name() {
    let far = Far::start().await;
    let more = "retry = { attempts = 3, backoff = \"10ms\" }";
    let world = start(&[&asks("patient", &far.url("/third-time"), more)], &[]).await;
    let id = begin(&world, "patient", json!({})).await;
    let run = until_run(&world, &id, "done").await;
    assert_eq!(
        (step(&run, "ask")["attempts"].as_u64(), &step(&run, "ask")["output"]["status"]),
        (Some(3), &json!(200))
    );
    let came = far.came("/third-time");
    assert!(came.len() == 3 && came.iter().all(|one| one.key == came[0].key), "{came:?}");
}

#[tokio::test]
async fn an_event_over_which_a_condition_fails_starts_nothing_and_holds_up_nothing() {
    let poisoned = "name = \"poisoned\"\n[[trigger]]\non = \"message.added\"\nwhen = \"int(event.data.text) > 0\"\n\
                    [node.a]\nkind = \"join\"\n";
    let world = start(&[poisoned], &[]).await;
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
    world.text(ADA, "7").await;
    until("the good one starts a run", async || (runs(&world, "poisoned").await.len() == 1).then_some(())).await;
    assert!((world.metric("trunkline_workflow_conditions_failed_total", "poisoned").await - 1.0).abs() < 0.5);
}

#[tokio::test]
async fn a_slow_workflow_is_slow_alone_and_a_run_may_take_too_long() {
    let far = Far::start().await;
    let slow = asks("slow", &far.url("/hangs"), "timeout = \"10m\"").replace("[[trigger]]", "at_once = 2\n[[trigger]]");
    let limited =
        "name = \"limited\"\ntimeout = \"1h\"\n[[trigger]]\napi = true\n[node.ask]\nkind = \"wait\"\nfor = \"2h\"\n";
    let quick = "name = \"quick\"\n[[trigger]]\napi = true\n[node.ask]\nkind = \"join\"\n";
    let world = start(&[&slow, limited, quick], &[("TRUNKLINE_WORKFLOWS_AT_ONCE", "4")]).await;
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(begin(&world, "slow", json!({})).await);
    }
    until("two are at work", async || (far.came("/hangs").len() == 2).then_some(())).await;
    for _ in 0..20 {
        let id = begin(&world, "quick", json!({})).await;
        until_run(&world, &id, "done").await;
    }
    assert_eq!(far.came("/hangs").len(), 2, "the others wait");
    // One that is cancelled makes room for the next.
    let cancelled = post(&world, &format!("/api/v1/workflow-runs/{}/cancel", held[0]), &json!({})).await;
    assert_eq!(cancelled.status, StatusCode::OK);
    until("the next is at work", async || (far.came("/hangs").len() == 3).then_some(())).await;

    let id = begin(&world, "limited", json!({})).await;
    until_run(&world, &id, "waiting").await;
    world.gateway().clock().advance(Duration::from_mins(61));
    let run = until_run(&world, &id, "failed").await;
    assert_eq!(
        (&run["error_code"], &step(&run, "ask")["state"]),
        (&json!("workflow.run_timeout"), &json!("cancelled"))
    );
}

#[tokio::test]
async fn a_broken_definition_keeps_the_gateway_from_starting_and_says_where() {
    let broken = "name = \"broken\"\n[[trigger]]\non = \"mesage.added\"\n[node.a]\nkind = \"join\"\nneeds = [\"b\"]\n";
    let world = world_with(&[broken], &[]).await;
    let server = trunkline::Server::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let settings = world.settings(server.address());
    let telemetry = trunkline::telemetry::Telemetry::new(&settings.telemetry).unwrap();
    let error = Box::pin(trunkline::Gateway::start(settings, server, &telemetry)).await.err().unwrap().to_string();
    assert!(error.contains("0.toml:3:6: there is no event mesage.added; is message.added meant?"), "{error}");
    assert!(error.contains("0.toml:6:10: there is no node b"), "{error}");
}
