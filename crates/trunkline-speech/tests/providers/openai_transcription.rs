//! Requests are those of OpenAI's reference for *Create transcription*.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::Multipart;
use axum::routing::post;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use trunkline_audio::{FRAME_SAMPLES, g711, wav};
use trunkline_speech::openai::{OpenAiConfig, OpenAiRecognizer};
use trunkline_speech::recognition::{Recognition, RecognitionRequest, Recognizer as _, Transcript};
use trunkline_speech::{SpeechError, Timeouts, Vocabulary};

use crate::{hasty, server, spoken, within};

async fn open(base: &str, timeouts: Timeouts) -> Recognition {
    let config = OpenAiConfig::new(base, &"sk-secret".into()).expect("settings").with_timeouts(timeouts);
    let recognizer = OpenAiRecognizer::new(config, "gpt-4o-mini-transcribe").expect("a client");
    let mut vocabulary = Vocabulary::of(["my name is <name>"]);
    vocabulary.list("name", ["Ada", "Grace"]);
    let request = RecognitionRequest { language: "en-GB".to_owned(), vocabulary };
    within(recognizer.open(request)).await.expect("open")
}

fn say(recognition: &Recognition, audio: &[u8]) {
    for frame in audio.chunks_exact(FRAME_SAMPLES) {
        recognition.write(frame.try_into().expect("a frame"));
    }
}

async fn failure(base: &str, timeouts: Timeouts) -> SpeechError {
    let mut recognition = open(base, timeouts).await;
    say(&recognition, &spoken("what time do you open").await);
    let error = within(recognition.next()).await.expect("an error").expect_err("an error");
    assert!(!error.to_string().contains("secret"), "{error}");
    assert!(within(recognition.next()).await.is_none());
    error
}

#[tokio::test]
async fn each_utterance_goes_out_as_a_file_and_its_words_come_back_in_order() {
    let (seen, mut asked) = mpsc::channel(2);
    let count = Arc::new(AtomicUsize::new(0));
    let router = Router::new().route(
        "/v1/audio/transcriptions",
        post(move |mut form: Multipart| async move {
            let mut fields = Vec::new();
            while let Some(field) = form.next_field().await.expect("a form") {
                let name = field.name().expect("a name").to_owned();
                fields.push((name, field.bytes().await.expect("a field")));
            }
            seen.send(fields).await.expect("taken");
            let words = [" What time do you open? ", "Yes, please."][count.fetch_add(1, Ordering::Relaxed)];
            axum::Json(json!({ "text": words, "usage": { "type": "tokens" } }))
        }),
    );
    let base = server::requests(router).await;
    let mut recognition = open(&format!("{base}/v1/"), Timeouts::default()).await;
    let mut said = Vec::new();
    for (sentence, words) in [("what time do you open", "What time do you open?"), ("yes please", "Yes, please.")] {
        let audio = spoken(sentence).await;
        say(&recognition, &audio);
        let heard = within(recognition.next()).await.expect("open").expect("words");
        let Transcript::Final { text, confidence: None } = heard else { panic!("{heard:?}") };
        assert_eq!(text.expose(), words);
        let end = within(recognition.next()).await.expect("open").expect("an end");
        assert_eq!(end, Transcript::EndOfUtterance);

        let fields = within(asked.recv()).await.expect("a request");
        let field = |name: &str| &fields.iter().find(|(known, _)| known == name).expect(name).1;
        assert_eq!(&field("model")[..], b"gpt-4o-mini-transcribe");
        assert_eq!(&field("response_format")[..], b"json");
        assert_eq!(&field("language")[..], b"en");
        assert_eq!(&field("prompt")[..], b"Ada, Grace");
        let sent = wav::read(field("file")).expect("a WAV file");
        // What was sent is a part of what was said, sample by sample.
        said.extend(audio.iter().map(|code| g711::decode(*code)));
        assert!(
            sent.len() > audio.len() / 3 && sent.len().is_multiple_of(FRAME_SAMPLES),
            "{} of {}",
            sent.len(),
            audio.len()
        );
        assert!(said.windows(sent.len()).any(|part| part == sent));
    }
    assert_eq!(recognition.dropped(), 0);
}

#[tokio::test]
async fn what_goes_wrong_has_its_code_and_is_the_last_that_comes() {
    for (status, code) in [(401, "speech.refused"), (429, "speech.unavailable"), (500, "speech.unavailable")] {
        assert_eq!(failure(&server::refusing(status).await, Timeouts::default()).await.code(), code, "{status}");
    }
    assert_eq!(failure(&server::silent().await, hasty()).await.code(), "speech.timeout");
    let nonsense = server::requests(Router::new().fallback(async || "{ secret")).await;
    assert_eq!(failure(&nonsense, Timeouts::default()).await.code(), "speech.malformed");
    let oversize = server::requests(Router::new().fallback(async || "x".repeat(1 << 20))).await;
    assert_eq!(failure(&oversize, Timeouts::default()).await.code(), "speech.too_long");
    let cut = server::raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{").await;
    let error = failure(&cut, Timeouts::default()).await;
    // The server may be gone before the whole file is written.
    assert!(["speech.ended", "speech.unreachable"].contains(&error.code()), "{error}");
}

#[tokio::test]
async fn the_end_of_the_call_ends_the_request() {
    let stopped = CancellationToken::new();
    let (asked, mut is_asked) = mpsc::channel(1);
    let guard = Arc::new(Mutex::new(Some(stopped.clone().drop_guard())));
    let router = Router::new().fallback(move |file: Bytes| {
        let guard = guard.lock().expect("free").take();
        async move {
            let _kept = (guard, file);
            asked.send(()).await.expect("taken");
            std::future::pending::<()>().await;
        }
    });
    let recognition = open(&server::requests(router).await, Timeouts::default()).await;
    say(&recognition, &spoken("what time do you open").await);
    within(is_asked.recv()).await.expect("a request");
    drop(recognition);
    within(stopped.cancelled()).await;
}
