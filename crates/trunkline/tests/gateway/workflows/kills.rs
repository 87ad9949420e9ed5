//! The program is killed at each step of the missed call, and goes on.

use std::net::SocketAddr;

use rusqlite::Connection;

use super::missed_call::VOICE;
use super::*;
use crate::support::{BOB, Program, column, free_address};

struct Killed {
    world: World,
    address: SocketAddr,
    program: Option<Program>,
}

impl Killed {
    async fn new() -> Self {
        let text = std::fs::read_to_string(examples().join("missed-call.toml")).unwrap();
        let mut world = world_with(&[&text], &VOICE).await;
        let address = free_address().await;
        world.set("TRUNKLINE_LISTEN", &address.to_string());
        world.set("TWILIO_WEBHOOK_URL", &format!("http://{address}/webhooks/twilio"));
        world.set("TRUNKLINE_SETTLE", "50ms");
        Self { world, address, program: None }
    }

    fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Starts the program, and waits until texts flow.
    async fn start(&mut self) {
        let mut program = Program::start("gateway", self.world.folder.path(), self.world.env(), &["serve"]);
        program.told("gateway").await;
        self.program = Some(program);
        let url = format!("{}/readyz", self.base());
        until("the gateway is ready", async || {
            let ready = self.world.http.get(&url).send().await.ok()?;
            ready.status().is_success().then_some(())
        })
        .await;
    }

    /// Ends it as nothing can be prepared for.
    fn kill(&mut self) {
        drop(self.program.take());
    }

    fn ask(&self, sql: &str) -> Vec<String> {
        let file = self.world.data_dir().join("store.db");
        if file.exists() { column(&file, sql) } else { Vec::new() }
    }

    /// Waits until a step is in one of these states.
    async fn until_step(&self, node: &str, states: &[&str]) {
        until(&format!("{node} is {states:?}"), async || {
            let found = self.ask(&format!("SELECT state FROM workflow_step WHERE node = '{node}'"));
            found.first().is_some_and(|state| states.contains(&state.as_str())).then_some(())
        })
        .await;
    }

    /// Lets everything that waits be due, while nobody looks.
    fn let_an_hour_pass(&self) {
        let store = Connection::open(self.world.data_dir().join("store.db")).unwrap();
        store.execute("UPDATE workflow_step SET due_at = due_at - 3600000 WHERE due_at IS NOT NULL", []).unwrap();
    }

    async fn fault(&self, path: &str, fault: Value) -> u64 {
        let matched = json!({"method": "POST", "path": path});
        self.world.fault(json!({"match": matched, "count": 1, "fault": fault})).await
    }
}

#[tokio::test]
async fn killed_at_each_step_it_goes_on_and_does_everything_once() {
    let mut it = Killed::new().await;
    let account = it.world.account.account_sid.to_string();
    let (messages, calls) =
        (format!("/2010-04-01/Accounts/{account}/Messages.json"), format!("/2010-04-01/Accounts/{account}/Calls.json"));
    it.start().await;
    call_in_vain(&it.world, &it.base(), BOB).await;

    // Before the first step has its effect, or just behind it.
    let lost = it.fault(&messages, json!({"kind": "drop_after"})).await;
    until("the run began", async || (!it.ask("SELECT id FROM workflow_run").is_empty()).then_some(())).await;
    it.kill();
    it.start().await;
    // The text left, and its answer was lost.
    until("the text is there", async || (it.world.fault_hits(lost).await == 1).then_some(())).await;
    it.kill();
    it.start().await;
    it.until_step("reply", &["waiting"]).await;
    until("the text is settled", async || {
        let open = it.ask("SELECT id FROM outbox WHERE state IN ('pending', 'sending')");
        open.is_empty().then_some(())
    })
    .await;

    // While it waits.
    it.kill();
    it.let_an_hour_pass();
    // The call is placed, and its answer is lost: nobody knows of it but the provider.
    let lost = it.fault(&calls, json!({"kind": "drop_after"})).await;
    it.start().await;
    until("the call is placed", async || (it.world.fault_hits(lost).await == 1).then_some(())).await;
    it.kill();
    assert_eq!(it.ask("SELECT state FROM workflow_step WHERE node = 'call-back' AND state = 'done'"), [""; 0]);
    it.start().await;
    let store = it.world.data_dir().join("store.db");
    until("the run is done", async || (column(&store, "SELECT state FROM workflow_run") == ["done"]).then_some(()))
        .await;

    // At its end.
    it.kill();
    it.start().await;
    it.world.until_webhooks_are_delivered().await;
    let sorry = "Sorry that we missed each other. Write back here, or we call again in an hour.";
    assert_eq!(it.world.answers(BOB).await, [sorry]);
    assert_eq!(calls_to(&it.world, BOB).await, 2, "the one that was missed, and the one of the workflow");
    assert_eq!(it.ask("SELECT workflow FROM workflow_run"), ["missed-call"]);
    let remembered = it.ask("SELECT value FROM contact_memory WHERE name = 'last missed call'");
    assert!(remembered[0].ends_with("ended by time"), "{remembered:?}");
}

#[tokio::test]
async fn a_request_is_repeated_under_the_same_name() {
    let far = Far::start().await;
    let text = format!(
        "name = \"asks\"\n[[trigger]]\napi = true\n[node.ask]\nkind = \"http\"\nmethod = \"POST\"\nurl = \"{}\"\n\
         timeout = \"20s\"\nbody = {{ question = \"${{ event.data.question }}\" }}\n",
        far.url("/hangs"),
    );
    let mut it = Killed::new().await;
    std::fs::write(it.world.folder.path().join("workflows/1.toml"), text).unwrap();
    it.start().await;
    let url = format!("{}/api/v1/workflows/asks/runs", it.base());
    let wish = json!({"data": {"question": "why"}, "id": "one"});
    for expected in [StatusCode::CREATED, StatusCode::OK] {
        let begun = answer(it.world.http.post(&url).bearer_auth(CONSOLE_TOKEN).json(&wish)).await;
        assert_eq!(begun.status, expected, "the same request begins one run");
    }
    for times in 1..=3 {
        until("the request came", async || (far.came("/hangs").len() == times).then_some(())).await;
        it.kill();
        it.start().await;
    }
    let store = it.world.data_dir().join("store.db");
    until("it is given up", async || (column(&store, "SELECT state FROM workflow_run") == ["failed"]).then_some(()))
        .await;
    let came = far.came("/hangs");
    assert_eq!(came.len(), 3);
    assert!(came.iter().all(|one| one.key == came[0].key && one.body == "{\"question\":\"why\"}"), "{came:?}");
    assert_eq!(it.ask("SELECT error_code FROM workflow_run"), ["workflow.interrupted"]);
}
