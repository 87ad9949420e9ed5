//! Events are those of OpenAI's reference for *Realtime*.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::SinkExt as _;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Message;
use trunkline_audio::FRAME_SAMPLES;
use trunkline_core::Pii;
use trunkline_speech::dialogue::{Dialogue, DialogueEvent, DialogueRequest, Order};
use trunkline_speech::openai::{OpenAiConfig, OpenAiRealtime};
use trunkline_speech::{SpeechError, SpeechModel as _, Timeouts};

use crate::server::Peer;
use crate::{hasty, server, spoken, within};

async fn open(base: &str, timeouts: Timeouts, request: DialogueRequest) -> Result<Dialogue, SpeechError> {
    let config = OpenAiConfig::new(&format!("{base}/v1"), &"sk-secret".into()).expect("settings");
    within(OpenAiRealtime::new(config.with_timeouts(timeouts)).open(request)).await
}

async fn failure(base: &str, timeouts: Timeouts) -> SpeechError {
    let error = match open(base, timeouts, DialogueRequest::default()).await {
        Ok(mut dialogue) => within(dialogue.next()).await.expect("an error").expect_err("an error"),
        Err(error) => error,
    };
    assert!(!error.to_string().contains("secret"), "{error}");
    error
}

/// Says what is said at the beginning, and returns what the client asked for.
async fn agree(peer: &mut Peer) -> Value {
    let session = json!({ "type": "realtime", "object": "realtime.session", "id": "sess_1", "model": "gpt-realtime" });
    peer.say(&json!({ "type": "session.created", "event_id": "event_1", "session": session })).await;
    let asked = peer.hear().await;
    peer.say(&json!({ "type": "session.updated", "event_id": "event_2", "session": asked["session"] })).await;
    asked
}

fn created(id: &str) -> Value {
    json!({ "type": "response.created", "event_id": "event_3", "response": { "id": id, "status": "in_progress" } })
}

fn done(id: &str, status: &str) -> Value {
    json!({ "type": "response.done", "event_id": "event_4", "response": { "id": id, "status": status, "output": [] } })
}

fn audio_delta(kind: &str, response: &str, item: &str, sound: &[u8]) -> Value {
    json!({
        "type": kind, "event_id": "event_5", "response_id": response, "item_id": item,
        "output_index": 0, "content_index": 0, "delta": STANDARD.encode(sound),
    })
}

fn words(text: &str) -> Pii<String> {
    Pii::new(text.to_owned())
}

async fn next(dialogue: &mut Dialogue) -> DialogueEvent {
    within(dialogue.next()).await.expect("open").expect("an event")
}

#[tokio::test]
async fn sound_goes_through_untouched_both_ways() {
    let (said, answer) = (spoken("what time do you open").await, spoken("at nine").await);
    let (length, sound) = (said.len(), answer.clone());
    let (report, told) = oneshot::channel();
    let base = server::socket(move |asked, mut peer| async move {
        let settings = agree(&mut peer).await;
        let before = [peer.hear().await, peer.hear().await, peer.hear().await];
        let mut heard = Vec::new();
        while heard.len() < length {
            let append = peer.hear().await;
            assert_eq!(append["type"], "input_audio_buffer.append");
            heard.extend(STANDARD.decode(append["audio"].as_str().expect("text")).expect("Base64"));
        }
        peer.say(&json!({ "type": "input_audio_buffer.speech_started", "audio_start_ms": 400, "item_id": "i1" })).await;
        peer.say(&json!({ "type": "input_audio_buffer.speech_stopped", "audio_end_ms": 1400, "item_id": "i1" })).await;
        peer.say(&json!({ "type": "input_audio_buffer.committed", "item_id": "i1" })).await;
        peer.say(&created("r1")).await;
        peer.say(&json!({
            "type": "conversation.item.input_audio_transcription.completed", "item_id": "i1", "content_index": 0,
            "transcript": "What time do you open?\n", "usage": { "type": "tokens", "total_tokens": 9 },
        }))
        .await;
        let (first, second) = sound.split_at(sound.len() / 2);
        peer.say(&audio_delta("response.output_audio.delta", "r1", "i2", first)).await;
        peer.say(&json!({
            "type": "response.output_audio_transcript.delta", "response_id": "r1", "item_id": "i2", "delta": "At nine.",
        }))
        .await;
        // The preview's name, as older servers say it.
        peer.say(&audio_delta("response.audio.delta", "r1", "i2", second)).await;
        peer.say(&json!({ "type": "rate_limits.updated", "rate_limits": [] })).await;
        peer.say(&done("r1", "completed")).await;
        let last = peer.next().await;
        report.send((asked, settings, before, heard, last)).ok();
    })
    .await;
    let request = DialogueRequest {
        instructions: "You are a concierge.".to_owned(),
        history: vec![(true, words("hello")), (false, words("hello, how can I help?"))],
        greets: true,
        may_hand_over: false,
    };
    let mut dialogue = open(&base, Timeouts::default(), request).await.expect("open");
    for frame in said.chunks_exact(FRAME_SAMPLES) {
        dialogue.write(frame.try_into().expect("a frame"));
    }
    assert_eq!(next(&mut dialogue).await, DialogueEvent::SpeechStarted);
    assert_eq!(next(&mut dialogue).await, DialogueEvent::SpeechEnded);
    assert_eq!(next(&mut dialogue).await, DialogueEvent::Heard(words("What time do you open?")));
    let DialogueEvent::Audio { item, audio: first } = next(&mut dialogue).await else { panic!("sound") };
    assert_eq!(item, "i2");
    assert_eq!(next(&mut dialogue).await, DialogueEvent::Said { item, text: words("At nine.") });
    let DialogueEvent::Audio { audio: second, .. } = next(&mut dialogue).await else { panic!("sound") };
    assert!([first, second].concat() == answer);
    assert_eq!(next(&mut dialogue).await, DialogueEvent::Done);
    drop(dialogue);
    let (asked, settings, before, heard, last) = within(told).await.expect("the server's report");
    assert_eq!(asked.target, "/v1/realtime?model=gpt-realtime");
    assert_eq!(asked.authorization, "Bearer sk-secret");
    assert_eq!(settings["type"], "session.update");
    let session = &settings["session"];
    assert_eq!((&session["type"], &session["instructions"]), (&json!("realtime"), &json!("You are a concierge.")));
    assert_eq!(session["audio"]["input"]["format"], json!({ "type": "audio/pcmu" }));
    assert_eq!(session["audio"]["output"], json!({ "format": { "type": "audio/pcmu" }, "voice": "marin" }));
    assert_eq!(session["audio"]["input"]["turn_detection"]["type"], "server_vad");
    let content = |at: usize| &before[at]["item"]["content"][0];
    assert_eq!(content(0), &json!({ "type": "input_text", "text": "hello" }));
    assert_eq!(content(1), &json!({ "type": "output_text", "text": "hello, how can I help?" }));
    assert_eq!(before[2], json!({ "type": "response.create" }));
    assert!(heard == said);
    assert!(matches!(last, Some(Message::Close(_))), "{last:?}");
}

#[tokio::test]
async fn an_interrupted_answer_is_cancelled_and_cut_where_it_was_heard() {
    let (report, told) = oneshot::channel();
    let base = server::socket(move |_, mut peer| async move {
        agree(&mut peer).await;
        peer.say(&created("r1")).await;
        peer.say(&audio_delta("response.output_audio.delta", "r1", "i1", &[0x55; 8_000])).await;
        let cancel = peer.hear().await;
        // What was on its way when it was cancelled, and a complaint that came too late.
        peer.say(&audio_delta("response.output_audio.delta", "r1", "i1", &[0x55; 800])).await;
        peer.say(&json!({
            "type": "error", "event_id": "event_9",
            "error": { "type": "invalid_request_error", "code": "response_cancel_not_active", "message": "secret" },
        }))
        .await;
        peer.say(&done("r1", "cancelled")).await;
        let cuts = [peer.hear().await, peer.hear().await];
        report.send((cancel, cuts)).ok();
        peer.stay().await;
    })
    .await;
    let mut dialogue = open(&base, Timeouts::default(), DialogueRequest::default()).await.expect("open");
    let DialogueEvent::Audio { item, audio } = next(&mut dialogue).await else { panic!("sound") };
    assert_eq!(audio.len(), 8_000);
    assert!(dialogue.order(Order::Cancel) && dialogue.order(Order::Cancel));
    assert_eq!(next(&mut dialogue).await, DialogueEvent::Done);
    assert!(dialogue.order(Order::Truncate { item: "unknown".to_owned(), heard: Duration::from_secs(1) }));
    assert!(dialogue.order(Order::Truncate { item: item.clone(), heard: Duration::from_secs(9) }));
    assert!(dialogue.order(Order::Truncate { item, heard: Duration::from_millis(420) }));
    let (cancel, cuts) = within(told).await.expect("the server's report");
    assert_eq!(cancel, json!({ "type": "response.cancel" }));
    let cut =
        |ms| json!({ "type": "conversation.item.truncate", "item_id": "i1", "content_index": 0, "audio_end_ms": ms });
    assert_eq!(cuts, [cut(1_100), cut(420)]);
}

#[tokio::test]
async fn what_is_typed_interrupts_and_is_answered_when_the_interrupted_answer_is_over() {
    let (report, told) = oneshot::channel();
    let base = server::socket(move |_, mut peer| async move {
        agree(&mut peer).await;
        peer.say(&created("r1")).await;
        peer.say(&audio_delta("response.output_audio.delta", "r1", "i1", &[0x55; 80])).await;
        let (item, cancel) = (peer.hear().await, peer.hear().await);
        peer.say(&done("r1", "cancelled")).await;
        report.send((item, cancel, peer.hear().await)).ok();
        peer.stay().await;
    })
    .await;
    let mut dialogue = open(&base, Timeouts::default(), DialogueRequest::default()).await.expect("open");
    assert!(matches!(next(&mut dialogue).await, DialogueEvent::Audio { .. }));
    assert!(dialogue.order(Order::Say(words("4 2 #"))));
    let (item, cancel, create) = within(told).await.expect("the server's report");
    assert_eq!(item["item"]["content"], json!([{ "type": "input_text", "text": "4 2 #" }]));
    assert_eq!((&cancel["type"], &create["type"]), (&json!("response.cancel"), &json!("response.create")));
}

#[tokio::test]
async fn a_refused_session_and_a_failed_answer_have_their_codes() {
    for (kind, code) in [("invalid_request_error", "speech.refused"), ("server_error", "speech.unavailable")] {
        let base = server::socket(move |_, mut peer| async move {
            peer.hear().await;
            peer.say(&json!({ "type": "error", "error": { "type": kind, "code": null, "message": "secret" } })).await;
            peer.stay().await;
        })
        .await;
        assert_eq!(failure(&base, Timeouts::default()).await.code(), code, "{kind}");
    }
    let base = server::socket(|_, mut peer| async move {
        agree(&mut peer).await;
        let error = json!({ "type": "rate_limit_exceeded", "code": "rate_limit_exceeded", "message": "secret" });
        let details = json!({ "type": "failed", "error": error });
        let response = json!({ "id": "r1", "status": "failed", "status_details": details });
        peer.say(&json!({ "type": "response.done", "response": response })).await;
        peer.stay().await;
    })
    .await;
    assert_eq!(failure(&base, Timeouts::default()).await.code(), "speech.unavailable");
}

#[tokio::test]
async fn what_goes_wrong_on_the_way_has_its_code() {
    for (status, code) in [(401, "speech.refused"), (429, "speech.unavailable"), (500, "speech.unavailable")] {
        assert_eq!(failure(&server::refusing(status).await, Timeouts::default()).await.code(), code, "{status}");
    }
    assert_eq!(failure(&server::nobody().await, Timeouts::default()).await.code(), "speech.unreachable");
    assert_eq!(failure(&server::silent().await, hasty()).await.code(), "speech.timeout");
    // One that never agrees, though it is there.
    assert_eq!(failure(&server::socket(|_, peer| peer.stay()).await, hasty()).await.code(), "speech.timeout");
    let cut = server::socket(|_, mut peer| async move { drop(agree(&mut peer).await) }).await;
    assert_eq!(failure(&cut, Timeouts::default()).await.code(), "speech.ended");
    let expired = server::socket(|_, mut peer| async move {
        agree(&mut peer).await;
        let error = json!({ "type": "invalid_request_error", "code": "session_expired", "message": "secret" });
        peer.say(&json!({ "type": "error", "error": error })).await;
        peer.stay().await;
    })
    .await;
    assert_eq!(failure(&expired, Timeouts::default()).await.code(), "speech.ended");
    let not_base64 = audio_delta("response.output_audio.delta", "r1", "i1", b"")
        .to_string()
        .replace("\"delta\":\"\"", "\"delta\":\"%%\"");
    for text in ["{ secret".to_owned(), r#"{"type":"response.created"}"#.to_owned(), not_base64] {
        let base = server::socket(move |_, mut peer| async move {
            agree(&mut peer).await;
            peer.0.send(Message::text(text)).await.expect("sent");
            peer.stay().await;
        })
        .await;
        assert_eq!(failure(&base, Timeouts::default()).await.code(), "speech.malformed");
    }
    let oversize = server::socket(|_, mut peer| async move {
        agree(&mut peer).await;
        // The client may already be gone while the rest is written.
        peer.0.send(Message::text("x".repeat(1 << 20))).await.ok();
        peer.stay().await;
    })
    .await;
    assert_eq!(failure(&oversize, Timeouts::default()).await.code(), "speech.too_long");
}

#[tokio::test]
async fn a_function_that_the_model_calls_is_a_wish_and_is_answered() {
    let (report, told) = oneshot::channel();
    let base = server::socket(move |_, mut peer| async move {
        let settings = agree(&mut peer).await;
        peer.say(&created("r1")).await;
        for (at, name) in ["hang_up", "hand_over", "order_pizza"].into_iter().enumerate() {
            let item = json!({
                "id": format!("f{at}"), "object": "realtime.item", "type": "function_call", "status": "completed",
                "name": name, "call_id": format!("call_{at}"), "arguments": "{}",
            });
            peer.say(&json!({
                "type": "response.output_item.done", "event_id": "event_6", "response_id": "r1", "output_index": at,
                "item": item,
            }))
            .await;
        }
        peer.say(&done("r1", "completed")).await;
        report.send((settings, [peer.hear().await, peer.hear().await, peer.hear().await])).ok();
        peer.stay().await;
    })
    .await;
    let request = DialogueRequest { may_hand_over: true, ..DialogueRequest::default() };
    let mut dialogue = open(&base, Timeouts::default(), request).await.expect("open");
    let events = [next(&mut dialogue).await, next(&mut dialogue).await, next(&mut dialogue).await];
    assert_eq!(events, [DialogueEvent::EndsCall, DialogueEvent::HandsOver, DialogueEvent::Done]);
    let (settings, answers) = within(told).await.expect("the server's report");
    let names: Vec<_> =
        settings["session"]["tools"].as_array().expect("tools").iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!(names, ["hang_up", "hand_over"]);
    for (at, answer) in answers.iter().enumerate() {
        let item = &answer["item"];
        assert_eq!((&item["type"], &item["call_id"]), (&json!("function_call_output"), &json!(format!("call_{at}"))));
        assert_eq!(item["output"], if at < 2 { r#"{"ok":true}"# } else { r#"{"ok":false}"# });
    }
}
