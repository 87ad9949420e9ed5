//! Documents that are taken in, found, answered from, and refused with a reason.

mod pdf;

use std::fs;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use self::pdf::{pdf, with_contents};
use crate::support::{ADA, Answer, CONSOLE_TOKEN, Program, World, answer, until};

const READER: (&str, &str) = ("TRUNKLINE_PDF_PROGRAM", concat!(env!("CARGO_BIN_EXE_trunkline"), " pdf-text"));

async fn put(world: &World, place: &str, content_type: &str, content: impl Into<reqwest::Body>) -> Answer {
    let url = world.gateway_url(&format!("/api/v1/knowledge/{place}"));
    let request = world.http.post(url).bearer_auth(CONSOLE_TOKEN).header("content-type", content_type);
    answer(request.body(content)).await
}

async fn search(world: &World, query: &str) -> Vec<Value> {
    world.api(&format!("/api/v1/knowledge/search?{query}")).await["passages"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_question_whose_answer_is_in_a_pdf_is_answered_with_its_source() {
    let world = World::start(&[READER, ("TRUNKLINE_CONCIERGE", "")]).await;
    let file = pdf(&["Our workshop mends accordions on Thursdays.", "Harmonicas are mended (gladly) in Geneva."]);
    let taken = put(&world, "shop/documents?title=workshop.pdf", "application/pdf", file.clone()).await;
    assert_eq!((taken.status, &taken.body["changed"]), (StatusCode::CREATED, &json!(true)), "{}", taken.text);
    assert_eq!(taken.body["document"]["content_type"], "application/pdf");
    let again = put(&world, "shop/documents?title=workshop.pdf", "application/pdf", file).await;
    assert_eq!((again.status, &again.body["changed"]), (StatusCode::OK, &json!(false)), "{}", again.text);

    let found = search(&world, "q=who%20mends%20accordions?").await;
    assert_eq!(found[0]["source"]["title"], "workshop.pdf", "{found:?}");
    assert!(found[0]["excerpt"].as_str().unwrap().contains("mends accordions on Thursdays"), "{found:?}");
    world.text(ADA, "when do you mend accordions?").await;
    let expected = "According to workshop.pdf: Our workshop mends accordions on Thursdays.";
    until("the question is answered", async || {
        world.answers(ADA).await.iter().any(|answer| answer.starts_with(expected)).then_some(())
    })
    .await;
    world.until_idle().await;
    assert!(world.metric("trunkline_recall_total", "outcome=\"found\"").await >= 1.0);

    // What is taken out is not answered from any more.
    let gone = answer(
        world
            .http
            .request(Method::DELETE, world.gateway_url("/api/v1/knowledge/shop/documents/workshop.pdf"))
            .bearer_auth(CONSOLE_TOKEN),
    )
    .await;
    assert_eq!((gone.status, &gone.body["documents"]), (StatusCode::OK, &json!(1)), "{}", gone.text);
    assert!(search(&world, "q=accordions").await.is_empty());
    assert_eq!(world.api("/api/v1/knowledge").await["collections"], json!([]));
}

#[tokio::test]
async fn a_folder_is_taken_in_listed_searched_and_removed_by_the_command_line() {
    let world = World::start(&[READER]).await;
    let folder = world.folder.path().join("docs");
    fs::create_dir_all(folder.join("more")).unwrap();
    fs::write(folder.join("prices.md"), "# Shop\n\n## Prices\n\nA pot of jasmine tea is 4 francs.\n").unwrap();
    fs::write(folder.join("more/hours.html"), "<h1>Hours</h1><script>secret</script><p>We open at nine.</p>").unwrap();
    fs::write(folder.join("scan.pdf"), pdf(&["Parcels are collected at noon."])).unwrap();
    fs::write(folder.join("picture.png"), "no text").unwrap();
    let (base, data) = (world.gateway_url(""), world.data_dir().display().to_string());
    let env = [("TRUNKLINE_CONSOLE_TOKEN".to_owned(), CONSOLE_TOKEN.to_owned())].into();
    let run = async |args: &[&str]| {
        let args = [&["knowledge"], args, &["--gateway", &base, "--data-dir", &data]].concat();
        Program::run(world.folder.path(), &env, &args).await
    };
    let path = folder.display().to_string();
    for said in ["3 taken in, 0 as before, 0 refused", "0 taken in, 3 as before, 0 refused"] {
        let added = run(&["add", &path, "--collection", "shop"]).await;
        assert_eq!((added.code, added.stderr.trim()), (Some(0), said), "{added:?}");
    }
    let listed = run(&["list", "shop", "--json"]).await;
    let titles: Vec<_> =
        listed.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["title"].clone()).collect();
    assert_eq!(titles, ["more/hours.html", "prices.md", "scan.pdf"]);
    for (words, place, part) in [
        ("how much is tea?", "# prices.md, Shop › Prices", "jasmine tea is 4 francs"),
        ("parcel", "# scan.pdf", "collected at noon"),
        ("opening", "# more/hours.html, Hours", "We open at nine."),
        ("secret", "", ""),
    ] {
        let found = run(&["search", words]).await;
        assert!(found.stdout.starts_with(place) && found.stdout.contains(part), "{words}: {found:?}");
        assert_eq!(found.stdout.is_empty(), part.is_empty(), "{words}: {found:?}");
    }
    let removed = run(&["remove", "--collection", "shop", "--all"]).await;
    assert_eq!((removed.code, removed.stdout.trim()), (Some(0), "3 removed"), "{removed:?}");
    let again = run(&["remove", "--collection", "shop", "--all"]).await;
    assert!(again.code == Some(1) && again.stderr.contains("knowledge.not_found"), "{again:?}");
}

#[tokio::test]
async fn what_cannot_be_taken_in_is_refused_with_a_reason() {
    let world = World::start(&[READER, ("TRUNKLINE_KNOWLEDGE_MAX_BYTES", "4096")]).await;
    let empty = with_contents(&[b"0 0 m 10 10 l S".to_vec()], "");
    for (title, kind, content, status, code) in [
        ("large.txt", "text/plain", vec![b'x'; 5_000], StatusCode::PAYLOAD_TOO_LARGE, "knowledge.too_large"),
        ("huge.pdf", "application/pdf", vec![b'x'; 200 << 20], StatusCode::PAYLOAD_TOO_LARGE, "knowledge.too_large"),
        (
            "a.zip",
            "application/zip",
            b"PK\x03\x04".to_vec(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "knowledge.unsupported",
        ),
        ("a.bin", "text/plain", b"a\0b".to_vec(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "knowledge.unsupported"),
        (
            "broken.pdf",
            "application/pdf",
            b"%PDF-1.4 no".to_vec(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "knowledge.unreadable",
        ),
        ("pictures.pdf", "application/pdf", empty, StatusCode::UNPROCESSABLE_ENTITY, "knowledge.empty"),
        ("nothing.html", "text/html", b"<p> </p>".to_vec(), StatusCode::UNPROCESSABLE_ENTITY, "knowledge.empty"),
        ("", "text/plain", b"words".to_vec(), StatusCode::BAD_REQUEST, "console.bad_request"),
    ] {
        let refused = put(&world, &format!("shop/documents?title={title}"), kind, content).await;
        assert_eq!((refused.status, &refused.body["code"]), (status, &json!(code)), "{title}: {}", refused.text);
    }
    for collection in ["search", "a%20b"] {
        let refused = put(&world, &format!("{collection}/documents?title=a"), "text/plain", "words").await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{collection}: {}", refused.text);
    }
    let nobody = world.get("/api/v1/knowledge").await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    // Whatever is typed finds something or nothing, and breaks nothing.
    put(&world, "shop/documents?title=a.txt", "text/plain", "Tea is NEAR the door.").await;
    for words in ["\"", "NEAR(", "*", "a AND", "scope:x", "tea^2", "(((", "-tea", "%00", "tea OR"] {
        let query = url::form_urlencoded::byte_serialize(words.as_bytes()).collect::<String>();
        let found = search(&world, &format!("q={query}")).await;
        assert!(found.len() <= 1, "{words}: {found:?}");
    }
}

#[tokio::test]
async fn a_pdf_that_unfolds_without_end_takes_its_reader_and_nothing_else() {
    use std::io::Write as _;
    let mut folded = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![b' '; 1 << 20];
    for _ in 0..192 {
        folded.write_all(&zeros).unwrap();
    }
    let bomb = with_contents(&[folded.finish().unwrap()], "/Filter /FlateDecode");
    assert!(bomb.len() < 400_000, "{}", bomb.len());
    // Less memory than a reader is given, so that the test need not fill so much.
    let reader = concat!(env!("CARGO_BIN_EXE_trunkline"), " pdf-text --max-memory 268435456");
    let world = World::start(&[("TRUNKLINE_PDF_PROGRAM", reader)]).await;
    let refused = put(&world, "shop/documents?title=bomb.pdf", "application/pdf", bomb).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    assert_eq!(refused.body["code"], "knowledge.too_heavy", "{}", refused.text);
    world.text(ADA, "text 1").await;
    world.expect_answers(ADA, &["answer 1"]).await;
}
