//! One person on every channel: known, linked, exported, and forgotten.

use reqwest::{Method, StatusCode};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

use trunkline_store::Store;
use trunkline_testing::EmbeddingServer;

use super::media::{PNG, send};
use crate::support::{ADA, Answer, BOB, CONSOLE_TOKEN, NUMBER, Program, Visitor, World, answer, until, until_within};

/// What only Ada says; in no file of ours otherwise.
const SECRETS: [&str; 4] = ["heliotrope", "zanzibar", "quixotic", "15550001111"];

async fn ask(world: &World, method: Method, path: &str, body: Value) -> Answer {
    let request = world.http.request(method, world.gateway_url(path)).bearer_auth(CONSOLE_TOKEN);
    answer(if body.is_null() { request } else { request.json(&body) }).await
}

async fn contacts(world: &World, query: &str) -> Vec<Value> {
    world.api(&format!("/api/v1/contacts?query={query}")).await["contacts"].as_array().unwrap().clone()
}

/// A person texts by WhatsApp; what came to them on the whole.
async fn whatsapp(world: &World, from: &str, body: &str) {
    let from = format!("whatsapp:{from}");
    world.control(Method::POST, "/messages", json!({ "from": from, "body": body })).await;
}

async fn call(world: &World, from: &str, steps: &[Value]) -> Value {
    let script = json!({ "from": from, "to": NUMBER, "steps": steps });
    let placed = world.control(Method::POST, "/calls", script).await;
    let sid = placed["sid"].as_str().unwrap();
    until_within(std::time::Duration::from_secs(90), "the call ends", async || {
        let call = world.control(Method::GET, &format!("/calls/{sid}"), Value::Null).await;
        (!call["result"].is_null()).then(|| call["result"].clone())
    })
    .await
}

fn has_answer(answers: &[String], words: &str) -> Option<()> {
    answers.iter().any(|answer| answer.contains(words)).then_some(())
}

#[tokio::test]
async fn a_name_told_by_text_is_known_on_whatsapp_and_greeted_in_a_call() {
    let world =
        World::start(&[("TRUNKLINE_VOICE", "true"), ("TRUNKLINE_RELAY_NUMBERS", "*"), ("TRUNKLINE_CONCIERGE", "")])
            .await;
    world.text(ADA, "my name is Ada").await;
    until("she is answered", async || has_answer(&world.answers(ADA).await, "Ada")).await;
    whatsapp(&world, ADA, "what is my name?").await;
    let on_whatsapp = format!("whatsapp:{ADA}");
    until("she is known", async || has_answer(&world.answers(&on_whatsapp).await, "Your name is Ada.")).await;
    let listen = json!({ "wait_for_speech": { "timeout_ms": 15_000 } });
    let result = call(&world, ADA, &[listen, json!({ "hang_up": true })]).await;
    assert!(result["failed"].is_null(), "{result}");
    let past = until("the call is over", async || {
        world.api("/api/v1/calls").await["past"].as_array().unwrap().first().cloned()
    })
    .await;
    let turns = world.api(&format!("/api/v1/calls/{}", past["call"].as_str().unwrap())).await["turns"].clone();
    assert!(turns[0]["agent"].as_str().unwrap().contains("Hello Ada"), "{turns}");

    let found = contacts(&world, "ada").await;
    assert_eq!(found.len(), 1, "{found:?}");
    let channels: Vec<_> =
        found[0]["addresses"].as_array().unwrap().iter().map(|one| one["channel"].as_str().unwrap()).collect();
    assert_eq!((channels, &found[0]["name"]), (vec!["sms", "voice", "whatsapp"], &json!("Ada")));
    let one = world.api(&format!("/api/v1/contacts/{}", found[0]["id"].as_str().unwrap())).await;
    assert_eq!((one["conversations"].as_array().unwrap().len(), one["calls"].as_array().unwrap().len()), (2, 1));
    assert_eq!(one["memories"]["name"], "Ada");
}

#[tokio::test]
async fn contacts_are_linked_and_unlinked_and_doing_it_again_changes_nothing() {
    let world = World::start(&[("TRUNKLINE_CONCIERGE", "")]).await;
    world.text(ADA, "my name is Ada").await;
    world.text(BOB, "my favourite colour is green").await;
    until("both are answered", async || {
        (!world.answers(ADA).await.is_empty() && !world.answers(BOB).await.is_empty()).then_some(())
    })
    .await;
    world.until_idle().await;
    let id = async |number: &str| contacts(&world, number).await[0]["id"].as_str().unwrap().to_owned();
    let (ada, bob) = (id("0001111").await, id("0002222").await);
    for changed in [true, false] {
        let linked =
            ask(&world, Method::POST, &format!("/api/v1/contacts/{ada}/link"), json!({ "contact": bob })).await;
        assert_eq!((linked.status, &linked.body["changed"]), (StatusCode::OK, &json!(changed)), "{}", linked.text);
        assert_eq!(linked.body["contact"]["id"], ada);
    }
    let both = world.api(&format!("/api/v1/contacts/{bob}")).await;
    assert_eq!((&both["id"], both["conversations"].as_array().unwrap().len()), (&json!(ada), 2), "{both}");
    assert_eq!(both["memories"], json!({ "name": "Ada", "favourite colour": "green" }));
    assert_eq!(contacts(&world, "").await.len(), 1);

    // As people write it, also by the command line.
    let data = world.data_dir().display().to_string();
    let base = world.gateway_url("");
    let env = [("TRUNKLINE_CONSOLE_TOKEN".to_owned(), CONSOLE_TOKEN.to_owned())].into();
    let run = async |args: &[&str]| {
        let args = [&["contacts"], args, &["--gateway", &base, "--data-dir", &data]].concat();
        Program::run(world.folder.path(), &env, &args).await
    };
    let listed = run(&["list", "Ada", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(listed.stdout.trim()).unwrap()["id"], ada, "{listed:?}");
    for said in ["done", "it was so already"] {
        let unlinked = run(&["unlink", &ada, "(555) 000-2222"]).await;
        assert_eq!((unlinked.code, unlinked.stderr.trim()), (Some(0), said), "{unlinked:?}");
    }
    assert_eq!(contacts(&world, "").await.len(), 2);
    let (ada, bob) = (id("0001111").await, id("0002222").await);
    let alone = world.api(&format!("/api/v1/contacts/{bob}")).await;
    assert_eq!((alone["memories"].clone(), ada == bob), (json!({ "favourite colour": "green" }), false));

    for (path, body, status, code) in [
        ("none/link", json!({ "contact": ada }), StatusCode::NOT_FOUND, "people.not_found"),
        (&*format!("{ada}/link"), json!({ "contact": "none" }), StatusCode::NOT_FOUND, "people.not_found"),
        (&*format!("{ada}/link"), json!({}), StatusCode::BAD_REQUEST, "console.bad_request"),
        (&*format!("{ada}/link"), json!({ "address": "" }), StatusCode::BAD_REQUEST, "people.bad_address"),
        (&*format!("{ada}/unlink"), json!({ "address": "+15559999999" }), StatusCode::NOT_FOUND, "people.not_found"),
    ] {
        let refused = ask(&world, Method::POST, &format!("/api/v1/contacts/{path}"), body).await;
        assert_eq!((refused.status, &refused.body["code"]), (status, &json!(code)), "{path} {}", refused.text);
    }
}

#[tokio::test]
async fn an_erased_person_is_in_no_table_and_in_no_file() {
    let model = EmbeddingServer::start(&[]).await.unwrap();
    let mut world = World::start(&[
        ("TRUNKLINE_EMBEDDINGS_URL", model.base_url()),
        ("TRUNKLINE_EMBEDDINGS_MODEL", "words"),
        ("TRUNKLINE_SEARCH_QUIET", "0"),
        ("TRUNKLINE_VOICE", "true"),
        ("TRUNKLINE_RELAY_NUMBERS", "*"),
        ("TRUNKLINE_CONCIERGE", ""),
        ("TRUNKLINE_WEBCHAT", "true"),
        ("TRUNKLINE_CATCH_UP_INTERVAL", "1s"),
    ])
    .await;
    world.text(ADA, "my password is heliotrope").await;
    world.text(BOB, "my favourite colour is green").await;
    until("both are answered", async || {
        (!world.answers(ADA).await.is_empty() && !world.answers(BOB).await.is_empty()).then_some(())
    })
    .await;
    let listen = json!({ "wait_for_speech": { "timeout_ms": 15_000 } });
    let talked = call(
        &world,
        ADA,
        &[listen.clone(), json!({ "say": "my island is zanzibar" }), listen, json!({ "hang_up": true })],
    )
    .await;
    assert!(talked["failed"].is_null(), "{talked}");
    let mut visitor = Visitor::new(&world).await;
    visitor.says("m1", "my mood is quixotic").await;
    let _said = (visitor.shown().await, visitor.shown().await);
    until("the call is over", async || world.api("/api/v1/calls").await["past"].as_array().unwrap().first().cloned())
        .await;
    world.until_idle().await;
    let ada = contacts(&world, "0001111").await[0]["id"].as_str().unwrap().to_owned();
    let people = contacts(&world, "").await;
    let chat = people.iter().find(|one| one["addresses"][0]["channel"] == "chat").unwrap()["id"].clone();
    let linked = ask(&world, Method::POST, &format!("/api/v1/contacts/{ada}/link"), json!({ "contact": chat })).await;
    assert_eq!(linked.body["changed"], true, "{}", linked.text);
    let vectors = vectors_of(&world, &ada).await;
    assert!(vectors.iter().all(|vector| is_in_a_file(&world.data_dir(), vector)));
    runs_of_workflows(&world);
    promises(&world);
    for secret in SECRETS {
        assert!(!found(&world.data_dir(), secret).is_empty(), "{secret} was never there");
    }
    let export = world.api(&format!("/api/v1/contacts/{ada}/export")).await.to_string();
    for secret in SECRETS {
        assert!(export.contains(secret), "{secret} is not in the export: {export}");
    }
    assert!(export.contains("think of heliotrope"), "nor what was promised: {export}");
    assert!(export.contains("heliotrope, in short"), "nor the summary: {export}");

    let erased = ask(&world, Method::DELETE, &format!("/api/v1/contacts/{ada}"), Value::Null).await;
    assert_eq!(erased.status, StatusCode::OK, "{}", erased.text);
    assert_eq!((&erased.body["conversations"], &erased.body["calls"]), (&json!(2), &json!(1)), "{}", erased.text);
    assert!(erased.body["envelopes"].as_u64().unwrap() >= 6 && erased.body["wiped"] == true, "{}", erased.text);
    let again = ask(&world, Method::DELETE, &format!("/api/v1/contacts/{ada}"), Value::Null).await;
    assert_eq!((again.status, &again.body["code"]), (StatusCode::NOT_FOUND, &json!("people.not_found")));
    nothing_is_left(&world);
    assert!(!vectors.iter().any(|vector| is_in_a_file(&world.data_dir(), vector)), "what she meant is left");

    // Nor does the platform, which still has it all, bring it back.
    world.stop_gateway().await;
    world.start_gateway().await;
    world.until_idle().await;
    nothing_is_left(&world);
    assert_eq!(contacts(&world, "").await.len(), 1, "Bob is still known");
    assert_eq!(crate::support::rows(&world.data_dir().join("store.db"), "workflow_run"), 1, "and a run about him");

    // Who writes again is somebody new.
    world.text(ADA, "what is my password?").await;
    until("she is answered as a stranger", async || has_answer(&world.answers(ADA).await, "your password")).await;
    world.until_idle().await;
    assert!(found(&world.data_dir(), "heliotrope").is_empty());
}

#[tokio::test]
async fn an_erasure_that_was_cut_off_is_finished_by_the_next_start_with_files_and_recordings() {
    let mut world =
        World::start(&[("TRUNKLINE_VOICE", "true"), ("TRUNKLINE_RECORD_CALLS", "true"), ("TRUNKLINE_CONCIERGE", "")])
            .await;
    for number in [ADA, BOB] {
        // The same picture: it stays for as long as somebody has sent it.
        send(&world, number, "my drink is heliotrope", &[("image/png", PNG)]).await;
    }
    send(&world, ADA, "another", &[("image/gif", b"GIF89a\x01\0\x01\0\x80\0\0")]).await;
    let listen = json!({ "wait_for_speech": { "timeout_ms": 15_000 } });
    call(&world, ADA, &[listen, json!({ "hang_up": true })]).await;
    let media = || files(&world.data_dir().join("media")).len();
    until("both files are kept", async || (media() == 2).then_some(())).await;
    until("the call is over", async || world.api("/api/v1/calls").await["past"].as_array().unwrap().first().cloned())
        .await;
    world.until_idle().await;
    let recordings = world.data_dir().join("recordings");
    assert_eq!(files(&recordings).len(), 1);
    let ada = contacts(&world, "0001111").await[0]["id"].as_str().unwrap().to_owned();

    // Killed when the tables were done.
    world.stop_gateway().await;
    let store = Store::open(&world.data_dir().join("store.db")).await.unwrap();
    let erasure = store.erase_contact(&ada).await.unwrap();
    assert_eq!((erasure.files.len(), erasure.calls.len()), (1, 1), "{erasure:?}");
    store.close().await;
    assert!(!found(&world.data_dir(), "15550001111").is_empty());
    // What was recorded is found also where nothing is recorded any more.
    world.set("TRUNKLINE_RECORD_CALLS", "false");
    world.start_gateway().await;
    let left = || crate::support::rows(&world.data_dir().join("store.db"), "erasure");
    until("it is finished", async || (left() == 0 && files(&recordings).is_empty()).then_some(())).await;
    until("the files are written anew", async || found(&world.data_dir(), "15550001111").is_empty().then_some(()))
        .await;
    assert_eq!(files(&world.data_dir().join("media")).len(), 1, "Bob's picture is still there");
    assert!(!found(&world.data_dir(), "heliotrope").is_empty(), "and so are his words");
}

#[tokio::test]
async fn who_said_stop_and_was_erased_is_still_not_written_to() {
    let world = World::start(&[("TRUNKLINE_KEYWORD_REPLIES", "gateway")]).await;
    world.text(ADA, "STOP").await;
    until("she has opted out", async || {
        contacts(&world, "").await.first().filter(|one| one["opted_out"] == true).cloned()
    })
    .await;
    world.until_idle().await;
    let id = contacts(&world, "").await[0]["id"].as_str().unwrap().to_owned();
    let one = world.api(&format!("/api/v1/contacts/{id}")).await;
    assert_eq!((&one["consent"][0]["opted_out"], &one["consent"][0]["told_by"]), (&json!(true), &json!("person")));
    let erased = ask(&world, Method::DELETE, &format!("/api/v1/contacts/{id}"), Value::Null).await;
    assert_eq!(erased.status, StatusCode::OK, "{}", erased.text);
    assert!(found(&world.data_dir(), "15550001111").is_empty());
    let before = world.answers(ADA).await;
    world.text(ADA, "text 7").await;
    until("she is known again", async || contacts(&world, "0001111").await.first().cloned()).await;
    world.until_idle().await;
    assert_eq!(world.answers(ADA).await, before, "nothing more is said to her");
    assert_eq!(contacts(&world, "0001111").await[0]["opted_out"], true);
    world.text(ADA, "START").await;
    world.text(ADA, "text 8").await;
    until("she is heard again", async || has_answer(&world.answers(ADA).await, "answer 8")).await;
}

/// What was promised to Ada for later, and what was said with her in short.
fn promises(world: &World) {
    let store = Connection::open(world.data_dir().join("store.db")).unwrap();
    let sql = "INSERT INTO scheduled_text (id, conversation_id, body, due_at, state, created_at, updated_at)
               SELECT 's', id, 'think of heliotrope', 9999999999999, 'waiting', 0, 0 FROM conversation
               WHERE address = '+15550001111'";
    assert_eq!(store.execute(sql, []).unwrap(), 1);
    let sql = "INSERT INTO conversation_summary (conversation_id, summary, upto, made_by, updated_at)
               SELECT id, 'her password is heliotrope, in short', 0, 'm', 0 FROM conversation
               WHERE address = '+15550001111'";
    assert_eq!(store.execute(sql, []).unwrap(), 1);
}

/// Runs that are over: two that are about Ada, by their event and by what a step came to, and one that is not.
fn runs_of_workflows(world: &World) {
    let store = Connection::open(world.data_dir().join("store.db")).unwrap();
    store.execute_batch("INSERT INTO workflow_definition VALUES ('r', 'w', '', 0);").unwrap();
    for (id, event, output) in [
        ("1", r#"{"data":{"from":"whatsapp:+15550001111","text":"heliotrope"}}"#, "{}"),
        ("2", "{}", r#"{"to":"+15550001111","text":"zanzibar"}"#),
        ("3", r#"{"data":{"from":"+15550002222"}}"#, "{}"),
    ] {
        let sql = format!(
            "INSERT INTO workflow_run (id, workflow, revision, trigger_key, event, state, created_at, updated_at)
                 VALUES ('{id}', 'w', 'r', '{id}', '{event}', 'done', 0, 0);
             INSERT INTO workflow_step (run_id, node, state, attempts, output, updated_at)
                 VALUES ('{id}', 'n', 'done', 1, '{output}', 0);
             INSERT INTO workflow_fact (id, event_type, event, noted_at) VALUES ('{id}', 't', '{event}', 9999999999999);"
        );
        store.execute_batch(&sql).unwrap();
    }
}

/// What everything that she said means, when nothing waits for its vector any more.
async fn vectors_of(world: &World, contact: &str) -> Vec<Vec<u8>> {
    until("what she said has vectors", async || {
        let store = Connection::open(world.data_dir().join("store.db")).unwrap();
        let waits =
            "SELECT (SELECT count(*) FROM passage WHERE embedded_by IS NULL) + (SELECT count(*) FROM unindexed)";
        let waiting: i64 = store.query_row(waits, [], |row| row.get(0)).unwrap();
        let sql = "SELECT v.vector FROM passage_vector v JOIN passage p ON p.id = v.passage_id WHERE p.contact_id = ?1";
        let mut query = store.prepare(sql).unwrap();
        let vectors =
            query.query_map([contact], |row| row.get(0)).unwrap().collect::<Result<Vec<Vec<u8>>, _>>().unwrap();
        // By text, by web chat, and in a call.
        (waiting == 0 && vectors.len() >= 3).then_some(vectors)
    })
    .await
}

fn is_in_a_file(folder: &Path, bytes: &[u8]) -> bool {
    files(folder).iter().any(|path| fs::read(path).unwrap().windows(bytes.len()).any(|part| part == bytes))
}

fn nothing_is_left(world: &World) {
    for secret in SECRETS {
        assert_eq!(found(&world.data_dir(), secret), Vec::<String>::new(), "{secret}");
    }
}

/// Every row of every table of every database, and every file, in which `words` stands.
fn found(folder: &Path, words: &str) -> Vec<String> {
    let mut places = Vec::new();
    for path in files(folder) {
        if path.extension().is_some_and(|kind| kind == "db") {
            places.extend(in_tables(&path, words));
        }
        let bytes = fs::read(&path).unwrap();
        if bytes.windows(words.len()).any(|part| part.eq_ignore_ascii_case(words.as_bytes())) {
            places.push(path.display().to_string());
        }
    }
    places
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all
}

fn in_tables(path: &Path, words: &str) -> Vec<String> {
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let list = |sql: &str| {
        let mut query = database.prepare(sql).unwrap();
        let names = query.query_map([], |row| row.get::<_, String>(0)).unwrap();
        names.collect::<Result<Vec<_>, _>>().unwrap()
    };
    let mut places = Vec::new();
    for table in list("SELECT name FROM sqlite_master WHERE type = 'table'") {
        for column in list(&format!("SELECT name FROM pragma_table_info('{table}')")) {
            let sql = format!(
                "SELECT count(*) FROM \"{table}\" WHERE instr(lower(CAST(\"{column}\" AS TEXT)), '{words}') > 0"
            );
            // Virtual tables have columns that are no columns.
            let count = database.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap_or(0);
            if count > 0 {
                places.push(format!("{}: {table}.{column}", path.display()));
            }
        }
    }
    places
}
