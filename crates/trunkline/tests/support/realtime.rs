//! A server that speaks OpenAI's Realtime protocol, as its reference documents it, and answers by a script.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use trunkline_audio::vad::{SpeechDetector, SpeechEvent, SpeechSettings};
use trunkline_audio::{FRAME_SAMPLES, g711};
use trunkline_speech::Synthesizer as _;
use trunkline_speech::offline::{OfflineSynthesizer, Voice};
use trunkline_speech::synthesis::SynthesisRequest;

/// What the model says the next time that it is asked.
#[derive(Clone, Default)]
pub(crate) struct ModelAnswer {
    /// What the person said, as the server's transcription has it; it comes after the answer was begun.
    pub(crate) heard: Option<&'static str>,
    /// Items of the answer, each with its words.
    pub(crate) items: Vec<&'static str>,
    /// A function that is called at the end.
    pub(crate) calls: Option<&'static str>,
    /// The connection is lost in the middle of the first item.
    pub(crate) breaks: bool,
}

impl ModelAnswer {
    pub(crate) fn says(items: &[&'static str]) -> Self {
        Self { items: items.to_vec(), ..Self::default() }
    }
}

#[derive(Default)]
struct Shared {
    answers: Mutex<VecDeque<ModelAnswer>>,
    told: Mutex<Vec<Value>>,
}

pub(crate) struct RealtimeModel {
    pub(crate) base_url: String,
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

impl RealtimeModel {
    /// A model that gives these answers, one for each time that it is asked, and then none.
    pub(crate) async fn start(answers: impl IntoIterator<Item = ModelAnswer>) -> Self {
        let shared = Arc::new(Shared { answers: Mutex::new(answers.into_iter().collect()), ..Shared::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let app = Router::new().route("/v1/realtime", get(open)).with_state(Arc::clone(&shared));
        let serve = async move { axum::serve(listener, app).await.unwrap() };
        let task = AbortOnDropHandle::new(TaskTracker::new().spawn(serve));
        Self { base_url, shared, _task: task }
    }

    /// What the client has sent, without sound.
    pub(crate) fn told(&self) -> Vec<Value> {
        self.shared.told.lock().unwrap().clone()
    }
}

async fn open(State(shared): State<Arc<Shared>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |socket| drop(Session::new(socket, shared).run().await))
}

struct Session {
    socket: WebSocket,
    shared: Arc<Shared>,
    /// As the server's own detector.
    detector: SpeechDetector,
    heard_ms: u64,
    responses: u32,
}

/// The client is gone.
struct Gone;

impl Session {
    fn new(socket: WebSocket, shared: Arc<Shared>) -> Self {
        let settings = SpeechSettings { hangover_ms: 500, ..SpeechSettings::default() };
        Self { socket, shared, detector: SpeechDetector::new(settings), heard_ms: 0, responses: 0 }
    }

    async fn say(&mut self, event: Value) -> Result<(), Gone> {
        self.socket.send(Message::text(event.to_string())).await.map_err(|_| Gone)
    }

    async fn run(mut self) -> Result<(), Gone> {
        self.say(json!({"type": "session.created", "session": {"type": "realtime"}})).await?;
        loop {
            let text = match self.socket.recv().await {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                _ => return Err(Gone),
            };
            let event: Value = serde_json::from_str(&text).unwrap();
            match event["type"].as_str().unwrap() {
                "input_audio_buffer.append" => {
                    let audio = STANDARD.decode(event["audio"].as_str().unwrap()).unwrap();
                    self.hear(&audio).await?;
                    continue;
                }
                "session.update" => {
                    self.say(json!({"type": "session.updated", "session": event["session"]})).await?;
                }
                "response.create" => self.respond(false).await?,
                _ => {}
            }
            self.shared.told.lock().unwrap().push(event);
        }
    }

    async fn hear(&mut self, audio: &[u8]) -> Result<(), Gone> {
        for frame in audio.chunks_exact(FRAME_SAMPLES) {
            let mut samples = [0_i16; FRAME_SAMPLES];
            g711::decode_into(frame, &mut samples);
            let event = self.detector.push(self.heard_ms, &samples);
            self.heard_ms += 20;
            match event {
                Some(SpeechEvent::Started { at_ms }) => {
                    self.say(
                        json!({"type": "input_audio_buffer.speech_started", "audio_start_ms": at_ms, "item_id": "in"}),
                    )
                    .await?;
                }
                Some(SpeechEvent::Ended { at_ms }) => {
                    self.say(
                        json!({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": at_ms, "item_id": "in"}),
                    )
                    .await?;
                    self.respond(true).await?;
                }
                None => {}
            }
        }
        Ok(())
    }

    async fn respond(&mut self, was_spoken_to: bool) -> Result<(), Gone> {
        let Some(answer) = self.shared.answers.lock().unwrap().pop_front() else { return Ok(()) };
        self.responses += 1;
        let response = format!("resp_{}", self.responses);
        self.say(json!({"type": "response.created", "response": {"id": response, "status": "in_progress"}})).await?;
        let mut output = Vec::new();
        for (at, words) in answer.items.iter().enumerate() {
            let item = format!("item_{}_{at}", self.responses);
            let sound = spoken(words).await;
            for piece in sound.chunks(4_000) {
                let audio = json!({
                    "type": "response.output_audio.delta", "response_id": response, "item_id": item,
                    "output_index": at, "content_index": 0, "delta": STANDARD.encode(piece),
                });
                self.say(audio).await?;
                if answer.breaks {
                    return Err(Gone);
                }
            }
            let transcript = json!({
                "type": "response.output_audio_transcript.delta", "response_id": response, "item_id": item,
                "output_index": at, "content_index": 0, "delta": words,
            });
            self.say(transcript).await?;
            output.push(json!({"id": item, "type": "message", "status": "completed", "role": "assistant"}));
        }
        if let Some(heard) = answer.heard.filter(|_| was_spoken_to) {
            let transcription = "conversation.item.input_audio_transcription.completed";
            self.say(json!({"type": transcription, "item_id": "in", "content_index": 0, "transcript": heard})).await?;
        }
        if let Some(name) = answer.calls {
            let item = json!({
                "id": format!("call_{response}"), "object": "realtime.item", "type": "function_call",
                "status": "completed", "name": name, "call_id": format!("call_{response}"), "arguments": "{}",
            });
            let at = answer.items.len();
            let done = "response.output_item.done";
            self.say(json!({"type": done, "response_id": response, "output_index": at, "item": item})).await?;
            output.push(item);
        }
        let done = json!({"id": response, "status": "completed", "output": output});
        self.say(json!({"type": "response.done", "response": done})).await
    }
}

/// Words as μ-law.
async fn spoken(words: &str) -> BytesMut {
    let voice = OfflineSynthesizer::new(Voice::find().unwrap());
    let mut speech = voice.speak(SynthesisRequest::new(words)).await.unwrap();
    let mut sound = BytesMut::new();
    while let Some(piece) = speech.next().await {
        sound.extend_from_slice(&piece.unwrap());
    }
    sound
}
