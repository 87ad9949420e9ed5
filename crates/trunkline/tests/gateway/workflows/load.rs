//! A thousand events for five workflows at once, one of which always fails.

use std::time::Duration;

use super::*;
use crate::support::{message_added, until_within};

const EVENTS: usize = 1_000;
const AT_ONCE: usize = 20;

fn definition(name: &str, url: &str) -> String {
    format!(
        "name = \"{name}\"\nat_once = 8\n[[trigger]]\non = \"message.added\"\nwhen = \"event.data.text.startsWith('go')\"\n\
         [node.decide]\nkind = \"condition\"\nif = \"event.data.text != ''\"\n\
         [node.tell]\nkind = \"http\"\nneeds = [\"decide.yes\"]\nmethod = \"POST\"\nurl = \"{url}\"\n\
         retry = {{ attempts = 2, backoff = \"10ms\" }}\nbody = {{ text = \"${{ event.data.text }}\" }}\n"
    )
}

async fn counts(world: &World, workflow: &str) -> (u64, u64) {
    let listed = world.api("/api/v1/workflows").await;
    let found = listed["workflows"].as_array().unwrap().iter().find(|one| one["name"] == workflow).unwrap().clone();
    let of = |state: &str| found["runs"][state].as_u64().unwrap_or_default();
    (of("done"), of("failed"))
}

#[tokio::test]
async fn one_that_always_fails_holds_up_nobody_and_every_run_is_accounted_for() {
    let far = Far::start().await;
    let good = ["one", "two", "three", "four"];
    let mut definitions: Vec<_> = good.iter().map(|name| definition(name, &far.url(&format!("/{name}")))).collect();
    definitions.push(definition("broken", &far.url("/never")));
    let definitions: Vec<_> = definitions.iter().map(String::as_str).collect();
    let world = start(&definitions, &[("TRUNKLINE_AGENT", "none")]).await;

    let sent = std::sync::atomic::AtomicUsize::new(0);
    let senders = (0..AT_ONCE).map(|_| async {
        loop {
            let number = sent.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if number >= EVENTS {
                break;
            }
            let (conversation, message) = (format!("CH{number:032x}"), format!("IM{number:032x}"));
            let webhook = message_added(&world, &conversation, &message, "+15550001111", &format!("go {number}"));
            // Each comes twice.
            for _ in 0..2 {
                assert_eq!(webhook.send(&world).await.status, StatusCode::OK);
            }
        }
    });
    futures_util::future::join_all(senders).await;

    until_within(Duration::from_mins(2), "every run is over", async || {
        let (_, failed) = counts(&world, "broken").await;
        let mut all = failed == EVENTS as u64;
        for name in good {
            all &= counts(&world, name).await.0 == EVENTS as u64;
        }
        all.then_some(())
    })
    .await;
    for name in good {
        assert_eq!(counts(&world, name).await, (EVENTS as u64, 0), "{name}");
        let came = far.came(&format!("/{name}"));
        let mut keys: Vec<_> = came.iter().map(|one| one.key.clone()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!((came.len(), keys.len()), (EVENTS, EVENTS), "{name}: each once, under a name of its own");
    }
    assert_eq!(counts(&world, "broken").await, (0, EVENTS as u64));
    assert_eq!(far.came("/never").len(), EVENTS, "what is final is not tried again");
    let failed = runs(&world, "broken").await;
    assert!(failed.iter().all(|run| run["error_code"] == "workflow.http_status" && run["error_node"] == "tell"));
    let label = "workflow=\"broken\"";
    assert!((world.metric("trunkline_workflow_runs_total", label).await - 1_000.0).abs() < 0.5);

    // One of them goes on, and fails again; what it has done before is not done again.
    let id = failed[0]["run"].as_str().unwrap();
    assert_eq!(post(&world, &format!("/api/v1/workflow-runs/{id}/replay"), &json!({})).await.status, StatusCode::OK);
    until("it was tried again", async || (far.came("/never").len() == EVENTS + 1).then_some(())).await;
    let again = until_run(&world, id, "failed").await;
    assert_eq!((again["replays"].as_i64(), step(&again, "decide")["state"].as_str()), (Some(1), Some("done")));
}
