//! Messages are those of Deepgram's reference for `/v1/listen` and its guides.

use futures_util::SinkExt as _;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use trunkline_audio::FRAME_SAMPLES;
use trunkline_speech::deepgram::{DeepgramConfig, DeepgramRecognizer};
use trunkline_speech::recognition::{Recognition, RecognitionRequest, Recognizer as _, Transcript};
use trunkline_speech::{SpeechError, Timeouts, Vocabulary};

use crate::{hasty, server, spoken, within};

fn results(transcript: &str, is_final: bool, speech_final: bool) -> Value {
    json!({
        "type": "Results", "channel_index": [0, 1], "duration": 1.039_875, "start": 0.0,
        "is_final": is_final, "speech_final": speech_final, "from_finalize": false,
        "channel": { "alternatives": [{
            "transcript": transcript, "confidence": 0.75,
            "words": [{ "word": "another", "start": 0.0, "end": 0.4, "confidence": 0.99, "punctuated_word": "Another" }],
        }]},
        "metadata": {
            "request_id": "8c8ebea9-dbec-45fa-a035-e4632cb05b5f", "model_uuid": "1dbdfb4d-85b2-4659-9831-16b3c76229aa",
            "model_info": { "name": "2-general-nova", "version": "2024-01-18.26916", "arch": "nova-3" },
        },
    })
}

fn utterance_end() -> Value {
    json!({ "type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 2.395 })
}

async fn open(base: &str, timeouts: Timeouts) -> Result<Recognition, SpeechError> {
    let config = DeepgramConfig::new(base, &"dg-secret".into()).expect("settings").with_timeouts(timeouts);
    let mut vocabulary = Vocabulary::of(["my name is <name>"]);
    vocabulary.list("name", ["Ada"]);
    let request = RecognitionRequest { vocabulary, ..RecognitionRequest::default() };
    within(DeepgramRecognizer::new(config).open(request)).await
}

async fn failure(base: &str, timeouts: Timeouts) -> SpeechError {
    let error = match open(base, timeouts).await {
        Ok(mut recognition) => within(recognition.next()).await.expect("an error").expect_err("an error"),
        Err(error) => error,
    };
    assert!(!error.to_string().contains("secret"), "{error}");
    error
}

fn done(text: &str) -> Transcript {
    Transcript::Final { text: trunkline_core::Pii::new(text.to_owned()), confidence: Some(0.75) }
}

fn partial(text: &str) -> Transcript {
    Transcript::Partial(trunkline_core::Pii::new(text.to_owned()))
}

#[tokio::test]
async fn sound_goes_out_untouched_and_words_come_in_their_order() {
    let audio = spoken("another big problem").await;
    let length = audio.len();
    let (report, told) = oneshot::channel();
    let base = server::socket(move |asked, mut peer| async move {
        let mut heard = Vec::new();
        while heard.len() < length {
            let Some(Message::Binary(sound)) = peer.next().await else { panic!("sound") };
            heard.extend_from_slice(&sound);
        }
        peer.say(&json!({ "type": "SpeechStarted", "channel": [0, 1], "timestamp": 0.4 })).await;
        peer.say(&results("", false, false)).await;
        peer.say(&results("another", false, false)).await;
        peer.say(&results("another big", true, false)).await;
        peer.say(&results("problem", true, true)).await;
        peer.say(&utterance_end()).await;
        peer.say(&results("where noise hides the silence", true, false)).await;
        peer.say(&utterance_end()).await;
        peer.say(&json!({ "type": "SomethingNew", "value": 1 })).await;
        let mut goodbye = Vec::new();
        while let Some(message) = peer.next().await {
            goodbye.push(message);
        }
        report.send((asked, heard, goodbye)).ok();
    })
    .await;
    let mut recognition = open(&base, Timeouts::default()).await.expect("open");
    for frame in audio.chunks_exact(FRAME_SAMPLES) {
        recognition.write(frame.try_into().expect("a frame"));
    }
    let expected = [
        partial("another"),
        done("another big"),
        done("problem"),
        Transcript::EndOfUtterance,
        done("where noise hides the silence"),
        Transcript::EndOfUtterance,
    ];
    for transcript in expected {
        assert_eq!(within(recognition.next()).await.expect("open").expect("words"), transcript);
    }
    drop(recognition);
    let (asked, heard, goodbye) = within(told).await.expect("the server's report");
    assert!(heard == audio);
    assert_eq!(asked.authorization, "Token dg-secret");
    assert_eq!(
        asked.target,
        "/v1/listen?encoding=mulaw&sample_rate=8000&channels=1&model=nova-3&language=en-US&interim_results=true\
         &endpointing=300&utterance_end_ms=1000&vad_events=true&smart_format=true&keyterm=Ada"
    );
    let texts: Vec<_> = goodbye.iter().filter_map(|message| message.to_text().ok()).collect();
    assert!(texts.contains(&r#"{"type":"CloseStream"}"#), "{goodbye:?}");
    assert!(matches!(goodbye.last(), Some(Message::Close(_))), "{goodbye:?}");
}

#[tokio::test]
async fn when_the_sound_stops_what_was_said_is_asked_for_and_the_stream_is_kept() {
    let (report, told) = oneshot::channel();
    let base = server::socket(move |_, mut peer| async move {
        assert!(matches!(peer.next().await, Some(Message::Binary(_))));
        let finalize = peer.hear().await;
        let mut last = results("half a sen", true, false);
        last["from_finalize"] = json!(true);
        peer.say(&last).await;
        let keep_alive = peer.hear().await;
        report.send((finalize, keep_alive)).ok();
        peer.stay().await;
    })
    .await;
    let mut recognition = open(&base, Timeouts::default()).await.expect("open");
    recognition.write(&[0xFF; FRAME_SAMPLES]);
    assert_eq!(within(recognition.next()).await.expect("open").expect("words"), done("half a sen"));
    assert_eq!(within(recognition.next()).await.expect("open").expect("an end"), Transcript::EndOfUtterance);
    let told = within(told).await.expect("the server's report");
    assert_eq!(told, (json!({ "type": "Finalize" }), json!({ "type": "KeepAlive" })));
}

#[tokio::test]
async fn a_message_may_come_in_fragments() {
    let base = server::socket(|_, mut peer| async move {
        let text = results("hello", true, true).to_string();
        let (first, second) = text.split_at(60);
        for (part, kind, is_last) in [(first, Data::Text, false), (second, Data::Continue, true)] {
            let frame = Frame::message(part.as_bytes().to_vec(), OpCode::Data(kind), is_last);
            peer.0.send(Message::Frame(frame)).await.expect("sent");
        }
        peer.stay().await;
    })
    .await;
    let mut recognition = open(&base, Timeouts::default()).await.expect("open");
    assert_eq!(within(recognition.next()).await.expect("open").expect("words"), done("hello"));
}

#[tokio::test]
async fn a_status_says_whether_another_try_may_work() {
    for (status, code) in
        [(401, "speech.refused"), (400, "speech.refused"), (429, "speech.unavailable"), (503, "speech.unavailable")]
    {
        let error = failure(&server::refusing(status).await, Timeouts::default()).await;
        assert_eq!(error.code(), code, "{status}");
        assert!(error.to_string().contains(&status.to_string()), "{error}");
    }
    assert_eq!(failure(&server::nobody().await, Timeouts::default()).await.code(), "speech.unreachable");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_waited_for_no_longer_than_allowed() {
    assert_eq!(failure(&server::silent().await, hasty()).await.code(), "speech.timeout");
    // One that opens the socket and then does not even answer pings.
    let (_keep, kept) = oneshot::channel::<()>();
    let base = server::socket(|_, peer| async move {
        kept.await.ok();
        drop(peer);
    })
    .await;
    assert_eq!(failure(&base, hasty()).await.code(), "speech.timeout");
}

#[tokio::test]
async fn what_ends_or_breaks_the_stream_has_its_code() {
    let cut = server::socket(|_, peer| async move { drop(peer) }).await;
    assert_eq!(failure(&cut, Timeouts::default()).await.code(), "speech.ended");
    let error = server::socket(|_, mut peer| async move {
        peer.say(&json!({ "type": "Error", "description": "secret words", "message": "secret", "variant": "x" })).await;
        peer.stay().await;
    })
    .await;
    assert_eq!(failure(&error, Timeouts::default()).await.code(), "speech.ended");
    for text in ["{ not JSON: secret", r#"{"type":"Results","channel":"secret"}"#, "[]"] {
        let base = server::socket(move |_, mut peer| async move {
            peer.0.send(Message::text(text)).await.expect("sent");
            peer.stay().await;
        })
        .await;
        assert_eq!(failure(&base, Timeouts::default()).await.code(), "speech.malformed", "{text}");
    }
    let binary = server::socket(|_, mut peer| async move {
        peer.0.send(Message::binary(vec![1, 2, 3])).await.expect("sent");
        peer.stay().await;
    })
    .await;
    assert_eq!(failure(&binary, Timeouts::default()).await.code(), "speech.malformed");
    let oversize = server::socket(|_, mut peer| async move {
        // The client may already be gone while the rest is written.
        peer.0.send(Message::text("x".repeat(1 << 20))).await.ok();
        peer.stay().await;
    })
    .await;
    assert_eq!(failure(&oversize, Timeouts::default()).await.code(), "speech.too_long");
}
