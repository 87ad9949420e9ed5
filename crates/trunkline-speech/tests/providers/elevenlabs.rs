//! Requests are those of ElevenLabs' reference for *Stream speech*.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Uri};
use axum::routing::post;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use trunkline_speech::elevenlabs::{ElevenLabsConfig, ElevenLabsSynthesizer};
use trunkline_speech::synthesis::{MAX_TEXT_BYTES, Speech, SynthesisRequest, Synthesizer as _};
use trunkline_speech::{SpeechError, Timeouts};

use crate::{all_of, hasty, server, spoken, within};

async fn speak(base: &str, timeouts: Timeouts, text: &str) -> Result<Speech, SpeechError> {
    let config = ElevenLabsConfig::new(base, &"xi-secret".into(), "JBFqnCBsd6RMkjVDRZzb").expect("settings");
    let synthesizer = ElevenLabsSynthesizer::new(config.with_timeouts(timeouts)).expect("a client");
    within(synthesizer.speak(SynthesisRequest::new(text))).await
}

async fn failure(base: &str, timeouts: Timeouts) -> SpeechError {
    let error = match speak(base, timeouts, "hello").await {
        Ok(speech) => all_of(speech).await.expect_err("an error"),
        Err(error) => error,
    };
    assert!(!error.to_string().contains("secret"), "{error}");
    error
}

async fn endless(stopped: CancellationToken) -> String {
    let stopped = Arc::new(Mutex::new(Some(stopped.drop_guard())));
    let answer = move || {
        let guard = stopped.lock().expect("free").take();
        let sound = Bytes::from(vec![0x55; 16 << 10]);
        async move {
            Body::from_stream(stream::unfold((guard, sound), |(guard, sound)| async move {
                Some((Ok::<_, std::io::Error>(sound.clone()), (guard, sound)))
            }))
        }
    };
    server::requests(Router::new().fallback(answer)).await
}

#[tokio::test]
async fn the_sound_comes_through_untouched() {
    let audio = spoken("the first move is what sets everything in motion").await;
    let sound = audio.clone();
    let (seen, mut asked) = mpsc::channel(1);
    let router = Router::new().route(
        "/v1/text-to-speech/{voice}/stream",
        post(move |uri: Uri, headers: HeaderMap, axum::Json(body): axum::Json<Value>| async move {
            seen.send((uri.to_string(), headers["xi-api-key"].clone(), body)).await.expect("taken");
            let pieces: Vec<_> = sound.chunks(777).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
            Body::from_stream(stream::iter(pieces))
        }),
    );
    let base = server::requests(router).await;
    let speech = speak(&base, Timeouts::default(), "The first move.").await.expect("speech");
    assert!(all_of(speech).await.expect("sound") == audio);
    let (target, key, body) = within(asked.recv()).await.expect("a request");
    assert_eq!(target, "/v1/text-to-speech/JBFqnCBsd6RMkjVDRZzb/stream?output_format=ulaw_8000");
    assert_eq!(key, "xi-secret");
    assert_eq!(body, json!({ "text": "The first move.", "model_id": "eleven_flash_v2_5", "language_code": "en" }));
}

#[tokio::test]
async fn what_goes_wrong_has_its_code() {
    for (status, code) in [
        (401, "speech.refused"),
        (422, "speech.refused"),
        (302, "speech.refused"),
        (429, "speech.unavailable"),
        (500, "speech.unavailable"),
    ] {
        assert_eq!(failure(&server::refusing(status).await, Timeouts::default()).await.code(), code, "{status}");
    }
    assert_eq!(failure(&server::nobody().await, Timeouts::default()).await.code(), "speech.unreachable");
    assert_eq!(failure(&server::silent().await, hasty()).await.code(), "speech.timeout");
    let cut = server::raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nabcd\r\n").await;
    assert_eq!(failure(&cut, Timeouts::default()).await.code(), "speech.ended");
    let words = Router::new().fallback(async || axum::Json(json!({ "detail": "secret" })));
    assert_eq!(failure(&server::requests(words).await, Timeouts::default()).await.code(), "speech.malformed");
    let silence = server::requests(Router::new().fallback(async || Body::empty())).await;
    assert_eq!(failure(&silence, Timeouts::default()).await.code(), "speech.malformed");
}

#[tokio::test]
async fn a_first_byte_and_a_next_byte_that_do_not_come_are_late() {
    let late = Router::new().fallback(async || Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>()));
    assert_eq!(failure(&server::requests(late).await, hasty()).await.code(), "speech.timeout");
    let stalled = Router::new().fallback(async || {
        let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"abcd"))]);
        Body::from_stream(futures_util::StreamExt::chain(first, stream::pending()))
    });
    let mut speech = speak(&server::requests(stalled).await, hasty(), "hello").await.expect("speech");
    assert_eq!(within(speech.next()).await.expect("open").expect("sound"), "abcd");
    assert_eq!(within(speech.next()).await.expect("open").expect_err("late").code(), "speech.timeout");
}

#[tokio::test]
async fn a_speech_that_nobody_wants_any_more_ends_at_the_server() {
    let stopped = CancellationToken::new();
    let base = endless(stopped.clone()).await;
    let mut speech = speak(&base, Timeouts::default(), "hello").await.expect("speech");
    within(speech.next()).await.expect("open").expect("sound");
    assert!(!stopped.is_cancelled());
    drop(speech);
    within(stopped.cancelled()).await;
}

#[tokio::test]
async fn signs_alone_are_silence_and_nobody_is_asked() {
    let speech = speak(&server::nobody().await, Timeouts::default(), " -- !").await.expect("silence");
    assert!(all_of(speech).await.expect("silence").is_empty());
}

#[tokio::test]
async fn neither_text_nor_sound_is_without_a_limit() {
    let long = "x".repeat(MAX_TEXT_BYTES + 1);
    let refused = speak(&server::nobody().await, Timeouts::default(), &long).await.map(|_| ()).expect_err("too long");
    assert_eq!(refused.code(), "speech.too_long");
    assert_eq!(failure(&endless(CancellationToken::new()).await, Timeouts::default()).await.code(), "speech.too_long");
}
