//! The web chat over real sockets: what a visitor is promised, whatever is restarted, and what a stranger may not do.

use rusqlite::{Connection, TransactionBehavior};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use trunkline_core::Pii;
use trunkline_store::{ChatSide, Store};

use crate::support::{
    ADA, CONSOLE_TOKEN, Model, Program, Visitor, WEBCHAT_ALONE, World, answer, free_address, line, lines, until,
};

async fn alone(env: &[(&str, &str)]) -> World {
    World::start(&[&WEBCHAT_ALONE, env].concat()).await
}

fn told(index: u64, from: &str, text: &str) -> (u64, String, String) {
    (index, from.to_owned(), text.to_owned())
}

/// `text 1`, `answer 1`, `text 2`, … as the chat shows them when each is answered before the next is written.
fn dialogue(count: u64) -> Vec<(u64, String, String)> {
    let pair = |number| {
        let index = (number - 1) * 2;
        [told(index, "visitor", &format!("text {number}")), told(index + 1, "agent", &format!("answer {number}"))]
    };
    (1..=count).flat_map(pair).collect()
}

#[tokio::test]
async fn a_visitor_is_answered_once_and_in_order_with_the_web_chat_alone() {
    let world = alone(&[]).await;
    let mut visitor = Visitor::new(&world).await;
    assert_eq!((&visitor.welcome["resumed"], lines(&visitor.welcome).len()), (&json!(false), 0));
    for number in 1..=5 {
        visitor.says(&format!("m{number}"), &format!("text {number}")).await;
        let accepted = visitor.next_of("accepted").await;
        assert_eq!(accepted, json!({ "type": "accepted", "id": format!("m{number}"), "index": (number - 1) * 2 }));
        let echo = visitor.next_of("message").await;
        assert_eq!((&echo["id"], line(&echo)), (&json!(format!("m{number}")), dialogue(5)[(number - 1) * 2].clone()));
        assert_eq!(visitor.shown().await, dialogue(5)[(number - 1) * 2 + 1]);
    }
    let status = world.api("/api/v1/status").await;
    assert_eq!(status["connectors"], json!([{ "name": "webchat", "status": "healthy", "trouble": null }]));
    let list = world.api("/api/v1/conversations").await;
    let one = &list["conversations"][0];
    assert_eq!((&one["connector"], &one["channel"]), (&json!("webchat"), &json!("chat")));
    assert_eq!(one["external_id"], visitor.conversation);
    let again = visitor.again(&world, None).await;
    assert_eq!(lines(&again.welcome), dialogue(5));
    assert!((world.metric("trunkline_webchat_messages_total", "direction=\"in\"").await - 5.0).abs() < f64::EPSILON);
    assert!((world.metric("trunkline_webchat_sockets", "").await - 2.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_message_that_is_sent_again_is_one_message() {
    let world = alone(&[]).await;
    let mut visitor = Visitor::new(&world).await;
    for text in ["text 1", "text 1", "another text under the same name"] {
        visitor.says("m1", text).await;
        assert_eq!(visitor.next_of("accepted").await["index"], 0);
    }
    let answered = async || lines(&visitor.again(&world, None).await.welcome);
    until("it is answered", async || (answered().await.len() >= 2).then_some(())).await;
    let mut later = visitor.again(&world, None).await;
    later.says("m1", "text 1").await;
    assert_eq!(later.next_of("accepted").await["index"], 0);
    later.says("m2", "text 2").await;
    until("both are answered", async || (answered().await.len() >= 4).then_some(())).await;
    assert_eq!(answered().await, dialogue(2));
}

#[tokio::test]
async fn many_texts_at_once_keep_their_order() {
    let world = alone(&[]).await;
    let mut visitor = Visitor::new(&world).await;
    for number in 0..20 {
        visitor.says(&format!("m{number}"), &format!("text {number}")).await;
    }
    let mut said = Vec::new();
    while said.len() < 40 {
        said.push(visitor.shown().await);
    }
    let indexes: Vec<_> = said.iter().map(|(index, ..)| *index).collect();
    assert_eq!(indexes, (0..40).collect::<Vec<_>>());
    for (who, what) in [("visitor", "text"), ("agent", "answer")] {
        let theirs: Vec<_> = said.iter().filter(|(_, from, _)| from == who).map(|(.., text)| text.clone()).collect();
        assert_eq!(theirs, (0..20).map(|number| format!("{what} {number}")).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn every_window_of_a_visitor_shows_the_same_and_one_that_was_away_gets_the_rest() {
    let world = alone(&[]).await;
    let mut first = Visitor::new(&world).await;
    first.says("m1", "text 1").await;
    assert_eq!((first.shown().await, first.shown().await), (dialogue(1)[0].clone(), dialogue(1)[1].clone()));
    let mut second = first.again(&world, Some(0)).await;
    assert_eq!((&second.welcome["resumed"], &second.welcome["earlier"]), (&json!(true), &json!(false)));
    assert_eq!(lines(&second.welcome), dialogue(2)[1..2]);
    second.says("m2", "text 2").await;
    for visitor in [&mut first, &mut second] {
        assert_eq!((visitor.shown().await, visitor.shown().await), (dialogue(2)[2].clone(), dialogue(2)[3].clone()));
    }
    let other = Visitor::new(&world).await;
    assert_ne!((&other.token, &other.conversation), (&first.token, &first.conversation));
    assert!(lines(&other.welcome).is_empty());
}

#[tokio::test]
async fn a_token_that_is_not_known_begins_anew_and_says_so() {
    let world = alone(&[]).await;
    let long = "x".repeat(5000);
    for token in ["0123456789abcdef", "", &long] {
        let mut visitor = Visitor::greet(&world, json!({ "token": token, "after": 7 })).await;
        assert_eq!(visitor.welcome["notice"]["code"], "webchat.unknown_token", "{}", visitor.welcome);
        assert_eq!((&visitor.welcome["resumed"], visitor.token.len()), (&json!(false), 64));
        visitor.says("m1", "text 1").await;
        assert_eq!(visitor.shown().await, dialogue(1)[0]);
    }
}

#[tokio::test]
async fn a_slow_answer_is_announced_to_the_visitor_who_waits() {
    let model = Model::silent().await;
    let world = alone(&[
        ("TRUNKLINE_AGENT", "chat"),
        ("TRUNKLINE_MODEL", "m"),
        ("OPENAI_BASE_URL", &model.base_url),
        ("TRUNKLINE_TURN_TIMEOUT", "1s"),
        ("TRUNKLINE_TURN_ATTEMPTS", "20"),
        ("TRUNKLINE_TURN_BACKOFF", "1ms"),
    ])
    .await;
    let mut visitor = Visitor::new(&world).await;
    visitor.says("m1", "are you there?").await;
    assert_eq!(visitor.next_of("typing").await["on"], true);
    // Who comes while the answer is being made sees that as well.
    let mut later = visitor.again(&world, None).await;
    assert_eq!(later.next().await, json!({ "type": "typing", "on": true }));
    model.speak();
    for visitor in [&mut visitor, &mut later] {
        let (mut on, mut answer) = (true, None);
        while on || answer.is_none() {
            let frame = visitor.next().await;
            match frame["type"].as_str().unwrap() {
                "typing" => on = frame["on"].as_bool().unwrap(),
                "message" if frame["from"] == "agent" => answer = Some(line(&frame)),
                _ => {}
            }
        }
        assert_eq!(answer.unwrap(), told(1, "agent", "a considered answer"));
    }
}

#[tokio::test]
async fn the_console_sees_that_a_visitor_types_and_nothing_is_kept_of_it() {
    let world = alone(&[]).await;
    let mut visitor = Visitor::new(&world).await;
    visitor.says("m1", "text 1").await;
    let _said = (visitor.shown().await, visitor.shown().await);
    let request = world.http.get(world.gateway_url("/api/v1/events")).bearer_auth(CONSOLE_TOKEN);
    let mut events = request.send().await.unwrap();
    let list = world.api("/api/v1/conversations").await;
    let id = &list["conversations"][0]["id"];
    for on in [true, false] {
        visitor.send(&json!({ "type": "typing", "on": on })).await;
        let expected = format!("event: typing\ndata: {}\n\n", json!({ "id": id, "on": on }));
        let mut heard = String::new();
        let hear = async {
            while !heard.contains(&expected) {
                heard.push_str(std::str::from_utf8(&events.chunk().await.unwrap().unwrap()).unwrap());
            }
        };
        tokio::time::timeout(crate::support::DEADLINE, hear).await.unwrap();
    }
    assert_eq!(lines(&visitor.again(&world, None).await.welcome).len(), 2);
}

#[tokio::test]
async fn a_stopping_gateway_sends_its_visitors_away_and_finds_them_again() {
    let mut world = alone(&[("TRUNKLINE_DRAIN", "5m")]).await;
    let mut visitor = Visitor::new(&world).await;
    visitor.says("m1", "text 1").await;
    let _said = (visitor.shown().await, visitor.shown().await);
    tokio::time::timeout(crate::support::DEADLINE, world.stop_gateway()).await.unwrap();
    assert_eq!(visitor.try_next().await, Err(1012));
    world.start_gateway().await;
    let mut again = visitor.again(&world, Some(1)).await;
    assert_eq!((&again.welcome["resumed"], lines(&again.welcome).len()), (&json!(true), 0));
    again.says("m2", "text 2").await;
    assert_eq!((again.shown().await, again.shown().await), (dialogue(2)[2].clone(), dialogue(2)[3].clone()));
}

#[tokio::test]
async fn a_killed_gateway_answers_each_text_once() {
    let mut world = World::without_gateway(&WEBCHAT_ALONE).await;
    world.set("TRUNKLINE_LISTEN", &free_address().await.to_string());
    let start = async |world: &World, name: &'static str| {
        let mut program = Program::start(name, world.folder.path(), world.env(), &["serve"]);
        assert!(program.told("chat").await.ends_with("/chat"));
        let base = format!("http://{}", world.env()["TRUNKLINE_LISTEN"]);
        until("it is ready", async || {
            world
                .http
                .get(format!("{base}/readyz"))
                .send()
                .await
                .is_ok_and(|answer| answer.status().is_success())
                .then_some(())
        })
        .await;
        (program, base)
    };
    let mut token = None::<String>;
    for (round, name) in (1..).zip(["first", "second", "third", "fourth", "fifth", "sixth"]) {
        let (program, base) = start(&world, name).await;
        let mut visitor = Visitor::greet_at(&base, json!({ "token": token })).await;
        token = Some(visitor.token.clone());
        // What a page does that does not know whether its text arrived: it sends it again under the same name.
        let texts = round * 2;
        for number in 1..=texts {
            visitor.says(&format!("m{number}"), &format!("text {number}")).await;
        }
        // Killed while texts and answers are on their way, at another moment each time.
        let seen = if round == 6 { texts } else { rand::random_range(0..=texts) };
        for _ in 0..seen {
            visitor.next_of("accepted").await;
        }
        drop(program);
    }
    let (_program, base) = start(&world, "last").await;
    let answers = async || {
        let visitor = Visitor::greet_at(&base, json!({ "token": token })).await;
        let said = lines(&visitor.welcome);
        said.into_iter().filter(|(_, from, _)| from == "agent").map(|(.., text)| text).collect::<Vec<_>>()
    };
    until("every text is answered", async || (answers().await.len() >= 12).then_some(())).await;
    until("everything is dealt with", async || {
        let status = world.http.get(format!("{base}/api/v1/status")).bearer_auth(CONSOLE_TOKEN);
        (answer(status).await.body["backlog"] == 0).then_some(())
    })
    .await;
    assert_eq!(answers().await, (1..=12).map(|number| format!("answer {number}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn both_connectors_work_side_by_side_and_one_that_is_out_of_reach_does_not_stop_the_other() {
    let mut world = World::start(&[("TRUNKLINE_WEBCHAT", "true")]).await;
    let mut visitor = Visitor::new(&world).await;
    world.text(ADA, "text 1").await;
    visitor.says("m1", "text 1").await;
    assert_eq!((visitor.shown().await, visitor.shown().await), (dialogue(1)[0].clone(), dialogue(1)[1].clone()));
    world.expect_answers(ADA, &["answer 1"]).await;
    world.stop_emulator().await;
    visitor.says("m2", "text 2").await;
    assert_eq!((visitor.shown().await, visitor.shown().await), (dialogue(2)[2].clone(), dialogue(2)[3].clone()));
    let status = world.api("/api/v1/status").await;
    let names: Vec<_> = status["connectors"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["twilio", "twilio-messaging", "webchat"]);
}

#[tokio::test]
async fn what_was_written_down_and_never_reached_the_bus_is_answered_after_a_start() {
    let mut world = World::without_gateway(&WEBCHAT_ALONE).await;
    std::fs::create_dir_all(world.data_dir()).unwrap();
    let store = Store::open(&world.data_dir().join("store.db")).await.unwrap();
    store.begin_chat("chat-1", "hash").await.unwrap();
    let side = ChatSide::Visitor { client_id: "m1".to_owned() };
    store.add_chat_line("chat-1", &side, &Pii::new("text 1".to_owned())).await.unwrap();
    world.start_gateway().await;
    let said = until("it is answered", async || {
        let lines = store.chat_lines_after("chat-1", -1, 10).await.unwrap();
        (lines.len() == 2).then_some(lines)
    })
    .await;
    assert_eq!(said[1].text.expose(), "answer 1");
    store.close().await;
}

#[tokio::test]
async fn what_the_bus_cannot_take_is_refused_and_taken_once_when_it_is_sent_again() {
    let world = alone(&[]).await;
    let mut visitor = Visitor::new(&world).await;
    let mut other = Connection::open(world.data_dir().join("bus.db")).unwrap();
    let transaction = other.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    transaction.execute("INSERT OR REPLACE INTO probe VALUES (9, 9)", []).unwrap();
    visitor.says("m1", "text 1").await;
    let refused = visitor.next_of("refused").await;
    assert_eq!((&refused["code"], &refused["retry"]), (&json!("webchat.unavailable"), &json!(true)));
    transaction.rollback().unwrap();
    visitor.says("m1", "text 1").await;
    assert_eq!(visitor.next_of("accepted").await["index"], 0);
    let said = async || lines(&visitor.again(&world, None).await.welcome);
    until("it is answered", async || (said().await.len() >= 2).then_some(())).await;
    until("everything is dealt with", async || (world.api("/api/v1/status").await["backlog"] == 0).then_some(())).await;
    assert_eq!(said().await, dialogue(1));
}

#[tokio::test]
async fn a_gateway_without_its_data_folder_accepts_nothing() {
    let world = alone(&[]).await;
    let mut visitor = Visitor::new(&world).await;
    std::fs::rename(world.data_dir(), world.folder.path().join("gone")).unwrap();
    until("the gateway notices", async || world.get("/readyz").await.text.contains("was removed").then_some(())).await;
    visitor.says("m1", "text 1").await;
    assert_eq!(visitor.next_of("refused").await["code"], "webchat.unavailable");
}

#[tokio::test]
async fn a_long_conversation_comes_back_with_its_newest_end() {
    let mut world = World::without_gateway(&WEBCHAT_ALONE).await;
    world.set("TRUNKLINE_CATCH_UP", "false");
    std::fs::create_dir_all(world.data_dir()).unwrap();
    let store = Store::open(&world.data_dir().join("store.db")).await.unwrap();
    let digest = Sha256::digest("the token");
    let hash = digest.iter().fold(String::new(), |hash, byte| hash + &format!("{byte:02x}"));
    store.begin_chat("chat-1", &hash).await.unwrap();
    for number in 0..250 {
        let side = ChatSide::Agent { outbox_id: number.to_string() };
        store.add_chat_line("chat-1", &side, &Pii::new(format!("line {number}"))).await.unwrap();
    }
    store.close().await;
    world.start_gateway().await;
    let whole = Visitor::greet(&world, json!({ "token": "the token" })).await;
    let shown = lines(&whole.welcome);
    assert_eq!(
        (shown.len(), &shown[0], &shown[199]),
        (200, &told(50, "agent", "line 50"), &told(249, "agent", "line 249"))
    );
    assert_eq!(whole.welcome["earlier"], true);
    let rest = whole.again(&world, Some(240)).await;
    assert_eq!((lines(&rest.welcome).len(), &rest.welcome["earlier"]), (9, &json!(false)));
    let mut ahead = whole.again(&world, Some(900)).await;
    assert_eq!(lines(&ahead.welcome).len(), 0);
    ahead.says("m1", "text 1").await;
    assert_eq!(ahead.shown().await, told(250, "visitor", "text 1"));
    tokio::time::timeout(crate::support::DEADLINE, world.stop_gateway()).await.unwrap();
}

#[tokio::test]
async fn an_answer_may_be_longer_than_a_text_message() {
    let mut world = World::without_gateway(&WEBCHAT_ALONE).await;
    let long = "A sentence that goes on. ".repeat(100);
    let rules = world.folder.path().join("long.toml");
    std::fs::write(&rules, format!("name = \"a\"\ngreeting = {long:?}\nfallback = [{long:?}]\n")).unwrap();
    world.set("TRUNKLINE_CONCIERGE", &rules.display().to_string());
    world.start_gateway().await;
    let mut visitor = Visitor::new(&world).await;
    visitor.says("m1", "tell me everything").await;
    let _mine = visitor.shown().await;
    assert_eq!(visitor.shown().await.2.trim(), long.trim());
}
