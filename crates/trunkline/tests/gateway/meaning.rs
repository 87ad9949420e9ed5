//! Passages are found by what they mean, where a model of embeddings is set, and by their words alone where it is away.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use trunkline_testing::{EmbeddingAnswer, EmbeddingServer, ModelAnswer, ModelServer};

use crate::support::{
    ADA, BOB, CONSOLE_TOKEN, HttpAgentServer, Program, World, answer, column, free_address, rows, until, until_within,
};

/// What means the same.
const CONCEPTS: &[&[&str]] = &[
    &["car", "automobile", "vehicle"],
    &["price", "cost", "costs", "expensive", "francs"],
    &["tea", "infusion"],
    &["locker", "cupboard"],
];

async fn model() -> EmbeddingServer {
    EmbeddingServer::start(CONCEPTS).await.unwrap()
}

fn with<'a>(server: &'a EmbeddingServer, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut settings = vec![
        ("TRUNKLINE_EMBEDDINGS_URL", server.base_url()),
        ("TRUNKLINE_EMBEDDINGS_MODEL", "concepts"),
        ("TRUNKLINE_EMBEDDINGS_KEY", "sk-embeddings"),
        ("TRUNKLINE_SEARCH_QUIET", "0"),
    ];
    settings.extend(more);
    settings
}

async fn put(world: &World, place: &str, content: &'static str) {
    let request = world.http.post(world.gateway_url(&format!("/api/v1/knowledge/{place}")));
    let request = request.bearer_auth(CONSOLE_TOKEN).header("content-type", "text/plain").body(content);
    assert!(answer(request).await.status.is_success());
}

async fn search(world: &World, query: &str) -> Value {
    world.api(&format!("/api/v1/knowledge/search?q={query}")).await
}

fn texts(found: &Value) -> Vec<&str> {
    found["passages"].as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap()).collect()
}

fn vectors(world: &World) -> i64 {
    rows(&world.data_dir().join("store.db"), "passage_vector")
}

/// As many passages have a vector.
async fn embedded(world: &World, count: i64) {
    until_within(Duration::from_mins(1), "passages have vectors", async || {
        (vectors(world) == count && waiting(world) == 0).then_some(())
    })
    .await;
}

/// What was said and is not in the index, and passages without a vector.
fn waiting(world: &World) -> usize {
    let waits = "SELECT id FROM passage WHERE embedded_by IS NULL UNION ALL SELECT source_id FROM unindexed";
    column(&world.data_dir().join("store.db"), waits).len()
}

#[tokio::test]
async fn check_tells_whether_the_model_answers() {
    let model = model().await;
    let mut world = World::without_gateway(&with(&model, &[])).await;
    let check = async |world: &World| Program::run(world.folder.path(), world.env(), &["check"]).await.stdout;
    let told = check(&world).await;
    assert!(told.contains("ok    the model of embeddings concepts answers, with vectors of 64 numbers"), "{told}");
    model.always(EmbeddingAnswer::Status(401, None));
    let told = check(&world).await;
    assert!(told.contains("status 401 (embeddings.refused); check TRUNKLINE_EMBEDDINGS_URL"), "{told}");
    assert!(!told.contains("sk-embeddings"), "{told}");
    world.set("TRUNKLINE_EMBEDDINGS_URL", "");
    let told = Program::run(world.folder.path(), world.env(), &["check"]).await.stderr;
    assert!(told.contains("TRUNKLINE_EMBEDDINGS_MODEL: says nothing without TRUNKLINE_EMBEDDINGS_URL"), "{told}");
}

#[tokio::test]
async fn a_question_without_a_common_word_finds_the_passage_by_what_it_means() {
    let model = model().await;
    let world = World::start(&with(&model, &[])).await;
    put(&world, "shop/documents?title=cars.txt", "An automobile is washed for 12 francs.").await;
    put(&world, "shop/documents?title=tea.txt", "We serve jasmine tea.").await;
    embedded(&world, 2).await;
    let found = search(&world, "how%20expensive%20is%20it%20for%20my%20vehicle").await;
    assert_eq!((texts(&found), &found["meaning"]), (vec!["An automobile is washed for 12 francs."], &json!("used")));
    // What words find is found as before, and what both find stands first.
    let found = search(&world, "jasmine").await;
    assert_eq!(texts(&found), ["We serve jasmine tea."]);
    put(&world, "shop/documents?title=both.txt", "A vehicle is parked, an automobile is towed: a car is a car.").await;
    embedded(&world, 3).await;
    let found = search(&world, "car").await;
    assert_eq!(found["passages"][0]["source"]["title"], "both.txt", "{found}");
    assert_eq!(found["passages"].as_array().unwrap().len(), 2, "{found}");
    // A collection is not found in another.
    assert!(texts(&search(&world, "car&collection=bar").await).is_empty());
    let asked = model.asked();
    assert!(asked.iter().all(|asked| asked.model == "concepts" && asked.key.as_deref() == Some("sk-embeddings")));

    let (base, data) = (world.gateway_url(""), world.data_dir().display().to_string());
    let env = [("TRUNKLINE_CONSOLE_TOKEN".to_owned(), CONSOLE_TOKEN.to_owned())].into();
    let args = ["knowledge", "search", "infusion", "--gateway", &base, "--data-dir", &data];
    let program = Program::run(world.folder.path(), &env, &args).await;
    assert!(program.stdout.contains("We serve jasmine tea."), "{program:?}");
}

#[tokio::test]
async fn an_agent_is_reminded_by_meaning_and_never_of_what_somebody_else_has_said() {
    let model = model().await;
    let ok = Some((200, "application/json", r#"{"text":"ok"}"#));
    let agent = HttpAgentServer::start(free_address().await, &[ok]).await;
    let world = World::start(&with(
        &model,
        &[("TRUNKLINE_AGENT", "http"), ("TRUNKLINE_AGENT_URL", &agent.url), ("TRUNKLINE_RECALL_TEXT_DEADLINE", "5s")],
    ))
    .await;
    world.text(ADA, "my cupboard has the number 1789").await;
    world.expect_answers(ADA, &["ok"]).await;
    embedded(&world, 1).await;

    let asks = async |from: &str, before: usize| {
        let ask = json!({ "from": format!("whatsapp:{from}"), "body": "where is the locker?" });
        world.control(Method::POST, "/messages", ask).await;
        until("the agent is asked", async || {
            let asked = agent.asked().into_iter().map(|(_, body)| body);
            let mut asked = asked.filter(|body| body["channel"] == "whatsapp");
            asked.nth(before)
        })
        .await
    };
    let of_bob = asks(BOB, 0).await;
    assert!(of_bob.get("recalled").is_none(), "{of_bob}");
    let of_ada = asks(ADA, 1).await;
    let recalled = of_ada["recalled"].as_array().unwrap();
    assert!(recalled[0]["text"].as_str().unwrap().contains("cupboard has the number 1789"), "{of_ada}");
    assert!(world.metric("trunkline_recall_total", "meaning=\"used\"").await >= 3.0);

    // With the person go their vectors, and nobody finds them any more.
    world.until_idle().await;
    embedded(&world, 3).await;
    let ada = world.api("/api/v1/contacts?query=0001111").await["contacts"][0]["id"].as_str().unwrap().to_owned();
    let erase = world.http.delete(world.gateway_url(&format!("/api/v1/contacts/{ada}"))).bearer_auth(CONSOLE_TOKEN);
    let erased = answer(erase).await;
    assert_eq!((erased.status, &erased.body["wiped"]), (StatusCode::OK, &json!(true)), "{}", erased.text);
    assert_eq!(vectors(&world), 1, "Bob's");
    let found = world.api("/api/v1/transcripts/search?q=cupboard").await;
    assert!(texts(&found).iter().all(|text| !text.contains("1789")), "{found}");
}

#[tokio::test]
async fn a_model_that_looks_in_memory_finds_by_meaning() {
    let model = model().await;
    let clerk = ModelServer::start(|asked| match asked.results().last() {
        Some(result) => ModelAnswer::say(format!("I found {result}.")),
        None => ModelAnswer::call("search_memory", json!({ "query": "vehicle" })),
    });
    let clerk = clerk.await.unwrap();
    let mut world = World::without_gateway(&with(&model, &[("TRUNKLINE_RECALL_COLLECTIONS", "shop")])).await;
    world.set_file(&format!("[agent]\nkind = \"chat\"\nmodel = \"m\"\nbase_url = \"{}\"\n", clerk.base_url()));
    world.start_gateway().await;
    put(&world, "shop/documents?title=cars.txt", "An automobile is washed for 12 francs.").await;
    put(&world, "private/documents?title=cars.txt", "An automobile is stolen.").await;
    embedded(&world, 2).await;
    world.text(ADA, "look it up").await;
    until("it tells what it found", async || {
        let answers = world.answers(ADA).await;
        assert!(!answers.iter().any(|answer| answer.contains("stolen")), "{answers:?}");
        answers.iter().any(|answer| answer.contains("washed for 12 francs")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_model_that_is_away_holds_nobody_up_and_makes_up_for_it_later() {
    let model = model().await;
    model.always(EmbeddingAnswer::Status(503, None));
    let settings = [("TRUNKLINE_CONCIERGE", ""), ("TRUNKLINE_RECALL_TEXT_DEADLINE", "4s")];
    let mut world = World::start(&with(&model, &settings)).await;
    put(&world, "shop/documents?title=cars.txt", "An automobile is washed for 12 francs.").await;
    let found = search(&world, "automobile").await;
    assert_eq!(texts(&found), ["An automobile is washed for 12 francs."], "the words are enough");
    assert_ne!(found["meaning"], "used");
    until("what waits is counted", async || {
        (world.metric("trunkline_embeddings_waiting", "").await >= 1.0
            && world.metric("trunkline_embeddings_total", "outcome=\"failed\"").await >= 1.0)
            .then_some(())
    })
    .await;

    // One that does not answer at all is not waited for.
    model.always(EmbeddingAnswer::Stall);
    world.text(ADA, "is an automobile washed here?").await;
    until("the question is answered", async || {
        world.answers(ADA).await.iter().any(|answer| answer.contains("washed for 12 francs")).then_some(())
    })
    .await;
    world.until_idle().await;
    assert!(world.metric("trunkline_recall_total", "meaning=\"late\"").await >= 1.0);

    // Nothing is lost by a stop either.
    world.stop_gateway().await;
    model.always(EmbeddingAnswer::Vectors);
    world.start_gateway().await;
    until_within(Duration::from_mins(1), "it has its vector", async || (waiting(&world) == 0).then_some(())).await;
    assert_eq!(texts(&search(&world, "vehicle").await)[0], "An automobile is washed for 12 francs.");
}

#[tokio::test]
async fn a_text_that_the_model_refuses_is_passed_over_and_another_model_embeds_anew() {
    let model = model().await;
    model.refuse("xyzzy");
    let mut world = World::start(&with(&model, &[])).await;
    put(&world, "shop/documents?title=bad.txt", "The word xyzzy is about a car.").await;
    put(&world, "shop/documents?title=good.txt", "An automobile is washed.").await;
    embedded(&world, 1).await;
    assert_eq!(texts(&search(&world, "vehicle").await), ["An automobile is washed."]);
    assert_eq!(texts(&search(&world, "xyzzy").await), ["The word xyzzy is about a car."]);

    assert!(model.asked().iter().all(|asked| !asked.input[0].starts_with("passage: ")));

    // The same server with vectors of another length: not compared with the old ones until the next start.
    model.set_dimensions(96);
    assert_eq!(search(&world, "vehicle").await["meaning"], "failed");
    world.stop_gateway().await;
    world.start_gateway().await;
    let lengths = "SELECT DISTINCT CAST(length(vector) AS TEXT) FROM passage_vector";
    until_within(Duration::from_mins(1), "it is embedded anew", async || {
        (column(&world.data_dir().join("store.db"), lengths) == ["384"]).then_some(())
    })
    .await;
    embedded(&world, 1).await;
    assert_eq!(texts(&search(&world, "vehicle").await), ["An automobile is washed."]);

    // Another prefix makes other vectors.
    world.stop_gateway().await;
    world.set("TRUNKLINE_EMBEDDINGS_QUESTION_PREFIX", "query: ");
    world.set("TRUNKLINE_EMBEDDINGS_PASSAGE_PREFIX", "passage: ");
    world.start_gateway().await;
    until("it is embedded with its prefix", async || {
        model.asked().iter().any(|asked| asked.input[0] == "passage: An automobile is washed.").then_some(())
    })
    .await;
    embedded(&world, 1).await;
    assert_eq!(texts(&search(&world, "vehicle").await), ["An automobile is washed."]);
    assert_eq!(model.asked().last().unwrap().input, ["query: vehicle"]);
}

#[tokio::test]
async fn a_text_that_the_model_fails_over_holds_no_other_up() {
    let model = model().await;
    let world = World::start(&with(&model, &[])).await;
    let counted =
        async |outcome: &str| world.metric("trunkline_embeddings_total", &format!("outcome=\"{outcome}\"")).await;
    put(&world, "shop/documents?title=first.txt", "An automobile is washed.").await;
    embedded(&world, 1).await;

    // A server that is in trouble over everything: all of it waits.
    model.always(EmbeddingAnswer::Status(500, None));
    put(&world, "shop/documents?title=second.txt", "An automobile is painted.").await;
    until_within(Duration::from_mins(1), "it has failed again and again", async || {
        (counted("failed").await >= 3.0).then_some(())
    })
    .await;
    assert_eq!(waiting(&world), 1);
    assert!(counted("refused").await < 1.0);
    model.always(EmbeddingAnswer::Vectors);
    embedded(&world, 2).await;

    // One that is in trouble over a text: only that one is passed over.
    model.answer_to("xyzzy", EmbeddingAnswer::Status(500, None));
    model.answer_to("plugh", EmbeddingAnswer::NotFinite);
    put(&world, "shop/documents?title=third.txt", "An automobile is parked.").await;
    put(&world, "shop/documents?title=bad.txt", "The word xyzzy is about a car.").await;
    put(&world, "shop/documents?title=worse.txt", "The word plugh is about a car.").await;
    embedded(&world, 3).await;
    assert_eq!(texts(&search(&world, "vehicle").await).len(), 3);
    assert_eq!(texts(&search(&world, "xyzzy").await), ["The word xyzzy is about a car."]);
    assert_eq!(texts(&search(&world, "plugh").await), ["The word plugh is about a car."]);
    until("what is passed over is counted", async || (counted("refused").await >= 2.0).then_some(())).await;
}
