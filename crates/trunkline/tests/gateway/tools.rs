//! Tools that act: what they did is done once and never forgotten, however the answer ends that wanted it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use trunkline_testing::{Asked, ModelAnswer, ModelServer};

use crate::support::{NUMBER, Program, World, free_address, until, until_within};

const ADA: &str = "+15550001111";

/// A shop that books tables, each as soon as it may.
#[derive(Clone)]
struct Shop {
    /// The names of the bookings that came in.
    asked: Arc<Mutex<Vec<String>>>,
    may_answer: Arc<Semaphore>,
    url: String,
    tasks: TaskTracker,
}

impl Shop {
    async fn open(may_answer: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/book", listener.local_addr().unwrap());
        let shop = Self {
            asked: Arc::default(),
            may_answer: Arc::new(Semaphore::new(may_answer)),
            url,
            tasks: TaskTracker::new(),
        };
        let app = axum::Router::new().route("/book", post(Self::book)).with_state(shop.clone());
        shop.tasks.spawn(async move { axum::serve(listener, app).await });
        shop
    }

    async fn book(State(shop): State<Self>, headers: HeaderMap) -> Result<&'static str, StatusCode> {
        let key = headers.get("idempotency-key").ok_or(StatusCode::BAD_REQUEST)?;
        shop.asked.lock().unwrap().push(key.to_str().unwrap().to_owned());
        shop.may_answer.acquire().await.unwrap().forget();
        Ok("table 7")
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    async fn world(&self, model: &ModelServer, settings: &[(&str, &str)]) -> World {
        let mut world = self.prepared(model, settings).await;
        world.start_gateway().await;
        world
    }

    /// Everything but the gateway.
    async fn prepared(&self, model: &ModelServer, settings: &[(&str, &str)]) -> World {
        let mut world = World::without_gateway(settings).await;
        world.set_file(&format!(
            r#"
[agent]
kind = "chat"
models = "m"
[models.m]
model = "m"
base_url = "{}"
[tools.book]
url = "{}"
description = "Books a table."
"#,
            model.base_url(),
            self.url
        ));
        world
    }
}

/// What a model is told that tools gave: for this answer, and for those that never came.
fn told(asked: &Asked) -> Vec<String> {
    let before = asked.instructions.lines().filter_map(|line| line.split_once(" gave: "));
    let now = asked.results().into_iter().map(str::to_owned);
    before.map(|(_, result)| format!("{result} before")).chain(now).collect()
}

/// A model that books a table for each text that asks for one, unless it is told that it has, and does `then` when it is
/// told what came of it.
async fn waiter(then: impl Fn(&Asked, usize) -> ModelAnswer + Send + Sync + 'static) -> ModelServer {
    let times = Mutex::new(0);
    let script = move |asked: &Asked| {
        if told(asked).is_empty() && asked.question().contains("table") {
            return ModelAnswer::call("book", json!({"persons": 2}));
        }
        let mut times = times.lock().unwrap();
        *times += 1;
        then(asked, *times)
    };
    ModelServer::start(script).await.unwrap()
}

fn booked(asked: &Asked) -> ModelAnswer {
    match told(asked) {
        told if told.is_empty() => ModelAnswer::say("Hello."),
        told => ModelAnswer::say(format!("You have {}.", told.join(" and "))),
    }
}

async fn id(world: &World) -> String {
    world.api("/api/v1/conversations").await["conversations"][0]["id"].as_str().unwrap().to_owned()
}

/// Tool, result and error code of each call that is kept.
async fn kept(world: &World) -> Vec<Value> {
    let tools = world.api(&format!("/api/v1/conversations/{}/tools", id(world).await)).await;
    let tools = tools["tools"].as_array().unwrap().clone();
    tools.iter().map(|tool| json!([tool["tool"], tool["result"], tool["error_code"]])).collect()
}

#[tokio::test]
async fn the_next_try_goes_on_after_what_was_done() {
    let shop = Shop::open(9).await;
    let model = waiter(|asked, times| if times == 1 { ModelAnswer::BreakOff(Vec::new()) } else { booked(asked) }).await;
    let world = shop.world(&model, &[]).await;
    world.text(ADA, "a table for two").await;
    world.expect_answers(ADA, &["You have table 7 before."]).await;
    assert_eq!(shop.asked().len(), 1, "one table");
    assert_eq!(kept(&world).await, [json!(["book", "table 7", null])]);
    assert_eq!(world.metric("trunkline_tool_calls_total", "tool=\"book\"").await.to_string(), "1");
    // What was told of is not told again.
    world.text(ADA, "another table").await;
    world.expect_answers(ADA, &["You have table 7 before.", "You have table 7."]).await;
    let asked = shop.asked();
    assert!(asked.len() == 2 && asked[0] != asked[1], "another wish has another name");
}

#[tokio::test]
async fn what_was_done_for_an_answer_that_was_given_up_is_known_to_the_next_one() {
    let shop = Shop::open(9).await;
    let model = waiter(|asked, times| if times <= 2 { ModelAnswer::Rubbish } else { booked(asked) }).await;
    let world = shop.world(&model, &[("TRUNKLINE_TURN_ATTEMPTS", "2"), ("TRUNKLINE_APOLOGY", "Sorry.")]).await;
    world.text(ADA, "a table for two").await;
    world.expect_answers(ADA, &["Sorry."]).await;
    assert_eq!(kept(&world).await, [json!(["book", "table 7", null])], "there is a trace of it");
    world.text(ADA, "did it work?").await;
    world.expect_answers(ADA, &["Sorry.", "You have table 7 before."]).await;
    assert_eq!(shop.asked().len(), 1, "one table");
}

#[tokio::test]
async fn a_call_of_which_nobody_knows_the_end_is_made_again_under_its_name() {
    let shop = Shop::open(0).await;
    let model = waiter(|asked, times| match times {
        1 => {
            assert!(told(asked)[0].starts_with("error: the tool did not answer"), "{:?}", told(asked));
            ModelAnswer::call("book", json!({"persons": 2}))
        }
        _ => booked(asked),
    })
    .await;
    let world = shop.world(&model, &[("TRUNKLINE_TOOL_TIMEOUT", "300ms")]).await;
    world.text(ADA, "a table for two").await;
    until("the second try is made", async || (shop.asked().len() == 2).then_some(())).await;
    world.until_idle().await;
    let asked = shop.asked();
    assert_eq!(asked[0], asked[1], "the shop can tell that it is the same wish");
}

#[tokio::test]
async fn a_text_that_comes_while_a_tool_acts_is_answered_with_what_came_of_it() {
    let shop = Shop::open(0).await;
    let model = waiter(|asked, _| booked(asked)).await;
    let world = shop.world(&model, &[("TRUNKLINE_DEBOUNCE", "50ms")]).await;
    world.text(ADA, "a table for two").await;
    until("the shop is asked", async || (shop.asked().len() == 1).then_some(())).await;
    world.text(ADA, "quickly").await;
    until("the second text waits", async || {
        (world.api("/api/v1/conversations").await["conversations"][0]["pending"] == 2).then_some(())
    })
    .await;
    shop.may_answer.add_permits(9);
    world.expect_answers(ADA, &["You have table 7 before."]).await;
    assert_eq!(shop.asked().len(), 1, "one table, for both");
}

#[tokio::test]
async fn a_killed_gateway_knows_what_it_had_begun() {
    let shop = Shop::open(0).await;
    let model = waiter(|asked, _| ModelAnswer::say(told(asked).join(" and "))).await;
    let mut world = shop.prepared(&model, &[]).await;
    let address = free_address().await;
    let mut env = world.env().clone();
    env.insert("TRUNKLINE_LISTEN".to_owned(), address.to_string());
    env.insert("TWILIO_WEBHOOK_URL".to_owned(), format!("http://{address}/webhooks/twilio"));
    let mut program = Program::start("serve", world.folder.path(), &env, &["serve"]);
    program.told("gateway").await;
    until("texts flow", async || {
        let ready = reqwest::get(format!("http://{address}/readyz")).await.ok()?;
        ready.status().is_success().then_some(())
    })
    .await;
    world.text(ADA, "a table for two").await;
    until("the shop is asked", async || (shop.asked().len() == 1).then_some(())).await;
    drop(program);
    world.start_gateway().await;
    world.expect_answers(ADA, &["error: it is not known whether this was done before"]).await;
    assert_eq!(shop.asked().len(), 1, "it is for the model to say what to do");
    assert_eq!(kept(&world).await, [json!(["book", "", "tool.unfinished"])]);
}

#[tokio::test]
async fn a_tool_ends_its_work_when_a_person_takes_over() {
    let shop = Shop::open(0).await;
    let model = waiter(|asked, _| booked(asked)).await;
    let world = shop.world(&model, &[]).await;
    world.text(ADA, "a table for two").await;
    until("the shop is asked", async || (shop.asked().len() == 1).then_some(())).await;
    world.post(&format!("/api/v1/conversations/{}/hand-over", id(&world).await), Value::Null).await;
    shop.may_answer.add_permits(9);
    until("the operator sees what was done", async || {
        (kept(&world).await == [json!(["book", "table 7", null])]).then_some(())
    })
    .await;
    assert!(world.answers(ADA).await.is_empty());
    world.post(&format!("/api/v1/conversations/{}/resume", id(&world).await), Value::Null).await;
    world.expect_answers(ADA, &["You have table 7 before."]).await;
    assert_eq!(shop.asked().len(), 1, "one table");
}

#[tokio::test]
async fn what_a_model_cannot_bear_to_be_told_is_told_twice_and_not_for_ever() {
    let shop = Shop::open(9).await;
    let refuse = |asked: &Asked, _| if told(asked).is_empty() { booked(asked) } else { ModelAnswer::Status(400, None) };
    let model = waiter(refuse).await;
    let world = shop.world(&model, &[("TRUNKLINE_APOLOGY", "Sorry.")]).await;
    world.text(ADA, "a table for two").await;
    world.expect_answers(ADA, &["Sorry."]).await;
    world.text(ADA, "are you well?").await;
    world.expect_answers(ADA, &["Sorry.", "Sorry."]).await;
    world.text(ADA, "good morning").await;
    world.expect_answers(ADA, &["Sorry.", "Sorry.", "Hello."]).await;
    assert_eq!(shop.asked().len(), 1, "one table");
}

#[tokio::test]
async fn an_agent_that_was_told_nothing_settles_nothing() {
    let shop = Shop::open(9).await;
    let model = waiter(|asked, times| if times == 1 { ModelAnswer::Status(400, None) } else { booked(asked) }).await;
    let mut world = shop.prepared(&model, &[("TRUNKLINE_APOLOGY", "Sorry.")]).await;
    let file = std::fs::read_to_string(world.folder.path().join("trunkline.toml")).unwrap();
    world.set_file(&format!("{file}\n[agents.rules]\nkind = \"concierge\"\n"));
    world.start_gateway().await;
    world.text(ADA, "a table for two").await;
    world.expect_answers(ADA, &["Sorry."]).await;
    let agent = format!("/api/v1/conversations/{}/agent", id(&world).await);
    world.post(&agent, json!({"agent": "rules"})).await;
    world.text(ADA, "good morning").await;
    until("the rules answer", async || (world.answers(ADA).await.len() == 2).then_some(())).await;
    world.post(&agent, json!({"agent": null})).await;
    world.text(ADA, "do I have a table?").await;
    until("the model is told", async || {
        world.answers(ADA).await.contains(&"You have table 7 before.".to_owned()).then_some(())
    })
    .await;
    assert_eq!(shop.asked().len(), 1, "one table");
}

#[tokio::test]
async fn a_text_that_is_treated_again_is_told_what_was_done_for_it() {
    let shop = Shop::open(9).await;
    let model = waiter(|asked, times| if times == 1 { ModelAnswer::Status(400, None) } else { booked(asked) }).await;
    let world = shop.world(&model, &[("TRUNKLINE_APOLOGY", "Sorry.")]).await;
    world.text(ADA, "a table for two").await;
    world.expect_answers(ADA, &["Sorry."]).await;
    world.text(ADA, "did it work?").await;
    world.expect_answers(ADA, &["Sorry.", "You have table 7 before."]).await;
    world.until_idle().await;
    let data = world.data_dir().display().to_string();
    let args = ["dlq", "replay", "--all", "--data-dir", &data];
    let replayed = Program::run(world.folder.path(), &BTreeMap::new(), &args).await;
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
    world.expect_answers(ADA, &["Sorry.", "You have table 7 before.", "You have table 7 before."]).await;
    assert_eq!(shop.asked().len(), 1, "one table");
}

/// The only call, when it is over.
async fn over(world: &World) -> Value {
    until_within(Duration::from_mins(1), "the call is over", async || {
        let calls = world.api("/api/v1/calls").await;
        let past = calls["past"].as_array()?.iter().find(|call| call["ended"].is_string())?.clone();
        let call = world.api(&format!("/api/v1/calls/{}", past["call"].as_str()?)).await;
        call["tools"].is_array().then_some(call)
    })
    .await
}

/// Has somebody call and say these words one after the other, each when the answer to the one before was heard; what was
/// said and which tools were called.
async fn called(world: &World, says: &[&str]) -> (String, usize) {
    let listen = json!({"wait_for_speech": {"timeout_ms": 15_000}});
    let mut steps = vec![listen.clone()];
    for say in says {
        steps.extend([json!({ "say": say }), listen.clone()]);
    }
    steps.push(json!({"hang_up": true}));
    world.control(reqwest::Method::POST, "/calls", json!({"from": ADA, "to": NUMBER, "steps": steps})).await;
    let call = over(world).await;
    (call["turns"].to_string(), call["tools"].as_array().unwrap().len())
}

const RELAY: [(&str, &str); 2] = [("TRUNKLINE_VOICE", "true"), ("TRUNKLINE_RELAY_NUMBERS", "*")];

#[tokio::test]
async fn what_a_caller_has_heard_is_no_news_for_the_next_answer() {
    let shop = Shop::open(9).await;
    let model = waiter(|asked, _| booked(asked)).await;
    let world = shop.world(&model, &RELAY).await;
    let (turns, tools) = called(&world, &["a table for two", "another table", "a third table"]).await;
    assert_eq!((shop.asked().len(), tools), (3, 3), "{turns}");
    assert!(!turns.contains("before"), "{turns}");
}

#[tokio::test]
async fn what_was_done_for_half_an_answer_is_told_to_the_next_one() {
    let shop = Shop::open(9).await;
    // It says something, books, and breaks off.
    let script = |asked: &Asked| match told(asked) {
        told if told.is_empty() => ModelAnswer::Call("Let me see.".into(), vec![("book".into(), json!({}))]),
        _ if asked.results().is_empty() => booked(asked),
        _ => ModelAnswer::BreakOff(Vec::new()),
    };
    let model = ModelServer::start(script).await.unwrap();
    let world = shop.world(&model, &RELAY).await;
    let (turns, tools) = called(&world, &["a table for two", "did it work"]).await;
    assert_eq!((shop.asked().len(), tools), (1, 1), "{turns}");
    assert!(turns.contains("You have table 7 before."), "{turns}");
}

#[tokio::test]
async fn a_caller_who_goes_on_speaking_does_not_have_it_done_twice() {
    let shop = Shop::open(9).await;
    let silent = || ModelAnswer::Stall(Vec::new());
    let model = waiter(move |asked, times| if times == 1 { silent() } else { booked(asked) }).await;
    let world = shop.world(&model, &RELAY).await;
    let listen = json!({"wait_for_speech": {"timeout_ms": 15_000}});
    let steps = json!([
        listen, {"say": "a table for two"}, {"pause_ms": 1_500}, {"say": "are you there"}, listen, {"hang_up": true},
    ]);
    let call = json!({"from": ADA, "to": NUMBER, "steps": steps});
    world.control(reqwest::Method::POST, "/calls", call).await;
    let call = over(&world).await;
    assert!(call["turns"].to_string().contains("You have table 7 before."), "{call}");
    assert_eq!(shop.asked().len(), 1, "one table");
    assert_eq!(call["tools"].as_array().unwrap().len(), 1, "{call}");
}
