//! The voice backend against a whole local Twilio: real calls, signed webhooks, a real socket.

use std::sync::{Arc, Mutex, OnceLock};

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{self, client::IntoClientRequest as _, handshake::derive_accept_key};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use trunkline_core::messaging::WebhookEvent;
use trunkline_core::voice::{
    AudioEvent, CallControl, CallStatus, ConnectionState, ErrorCode, FRAME_BYTES, SessionConfig, SessionState,
    VoiceBackend, VoiceSession,
};
use trunkline_core::{Config, HealthState};
use trunkline_emulator::Emulator;
use trunkline_proto::form;
use trunkline_proto::signature::{Algorithm, sign};
use trunkline_proto::twiml::{ConnectTarget, Verb};
use trunkline_twilio::voice::{CallSocket, SocketKind, TwilioVoice, paths};

use crate::support::{PATIENCE, wait_until};

const ADA: &str = "+15550001111";
const CALL: &str = "CA0000000000000000000000000000000a";

#[derive(Clone)]
struct Gateway {
    base: String,
    voice: Arc<OnceLock<TwilioVoice>>,
    events: Arc<Mutex<Vec<&'static str>>>,
}

struct World {
    emulator: Emulator,
    gateway: Gateway,
    voice: TwilioVoice,
    _server: DropGuard,
}

fn headers_of(headers: &HeaderMap) -> Vec<(String, String)> {
    let header = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    headers.iter().filter_map(header).collect()
}

async fn webhook(
    State(gateway): State<Gateway>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let event = WebhookEvent {
        url: format!("{}{uri}", gateway.base),
        method: method.to_string(),
        headers: headers_of(&headers),
        params: form::decode(&body).unwrap(),
        body,
        received_at: Timestamp::now(),
    };
    let voice = gateway.voice.get().unwrap();
    let (told, answer) = match uri.path() {
        paths::VOICE => {
            let session = voice.handle_inbound_call(&event).await.unwrap();
            (None, session.answer())
        }
        paths::STATUS => (Some(voice.handle_status(&event).unwrap()), None),
        paths::STREAM => (Some(voice.handle_stream_event(&event).unwrap()), None),
        paths::RECORDING => (Some(voice.handle_recording(&event).unwrap()), None),
        paths::ACTION => {
            let (told, answer) = voice.handle_action(&event).unwrap();
            (Some(told), Some(answer))
        }
        other => panic!("nothing is asked at {other}"),
    };
    gateway.events.lock().unwrap().extend(told.map(|told| told.name));
    answer.map_or(StatusCode::OK.into_response(), |answer| {
        ([("content-type", answer.content_type)], answer.body).into_response()
    })
}

async fn media(State(gateway): State<Gateway>, Path(token): Path<String>, mut request: Request) -> Response {
    let event = WebhookEvent {
        url: format!("ws{}{}{token}", gateway.base.trim_start_matches("http"), paths::MEDIA),
        method: "GET".to_owned(),
        headers: headers_of(request.headers()),
        params: Vec::new(),
        body: Bytes::new(),
        received_at: Timestamp::now(),
    };
    let Ok(admission) = gateway.voice.get().unwrap().admit(&token, SocketKind::Audio, &event) else {
        return StatusCode::FORBIDDEN.into_response();
    };
    let key = request.headers()["sec-websocket-key"].as_bytes().to_vec();
    let on_upgrade = hyper::upgrade::on(&mut request);
    TaskTracker::new().spawn(async move {
        let socket = CallSocket::server(TokioIo::new(on_upgrade.await.unwrap()), &[]);
        // A refusal closes the socket: that is what its tests look at.
        drop(admission.audio(socket).await);
    });
    let headers =
        [("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", &derive_accept_key(&key))];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

async fn world(more: &[(&str, &str)]) -> World {
    let emulator = Emulator::builder().listen(([127, 0, 0, 1], 0).into()).start().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let gateway = Gateway { base: base.clone(), voice: Arc::default(), events: Arc::default() };
    let router = Router::new().route("/media/{token}", get(media)).fallback(webhook).with_state(gateway.clone());
    let end = CancellationToken::new();
    let ended = end.clone();
    TaskTracker::new().spawn(async move {
        tokio::select! {
            () = ended.cancelled() => {}
            served = axum::serve(listener, router) => served.unwrap(),
        }
    });
    let account = emulator.account();
    let config = Config::builder()
        .provider("twilio")
        .setting("account_sid", account.account_sid.as_str())
        .secret("auth_token", account.auth_token.as_str())
        .setting("phone_number", account.phone_number.as_str())
        .setting("base_url", emulator.url())
        .setting("webhook_url", base);
    let config = more.iter().fold(config, |config, (key, value)| config.setting(*key, *value));
    let voice = TwilioVoice::new(config.build().unwrap()).unwrap();
    gateway.voice.set(voice.clone()).unwrap();
    voice.start().await.unwrap();
    World { emulator, gateway, voice, _server: end.drop_guard() }
}

impl World {
    fn signed(&self, url: &str, params: &[(&str, &str)]) -> WebhookEvent {
        let params: Vec<_> = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let signature = sign(Algorithm::HmacSha1, self.emulator.account().auth_token.as_bytes(), url, &params);
        WebhookEvent {
            url: url.to_owned(),
            method: "POST".to_owned(),
            headers: vec![("x-twilio-signature".to_owned(), signature)],
            params,
            body: Bytes::new(),
            received_at: Timestamp::now(),
        }
    }

    fn told(&self, path: &str, call: &str, more: &[(&str, &str)]) -> WebhookEvent {
        let account = self.emulator.account().account_sid;
        let number = self.emulator.account().phone_number.clone();
        let mut params =
            vec![("CallSid", call), ("AccountSid", account.as_str()), ("From", ADA), ("To", number.as_str())];
        params.extend(more);
        self.signed(&format!("{}{path}", self.gateway.base), &params)
    }

    /// A call that comes in, without a telephone behind it, and the address of its socket.
    async fn incoming(&self, call: &str) -> (VoiceSession, String) {
        let event = self.told(paths::VOICE, call, &[("CallStatus", "ringing"), ("Direction", "inbound")]);
        let session = self.voice.handle_inbound_call(&event).await.unwrap();
        let url = socket_of(&session);
        (session, url)
    }

    /// Opens a socket as Twilio would; the status if that is refused.
    async fn open(&self, url: &str, is_signed: bool) -> Result<Socket, StatusCode> {
        let mut request = url.into_client_request().unwrap();
        if is_signed {
            let signature = sign(Algorithm::HmacSha1, self.emulator.account().auth_token.as_bytes(), url, &[]);
            request.headers_mut().insert("x-twilio-signature", signature.parse().unwrap());
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => Ok(socket),
            Err(tungstenite::Error::Http(response)) => Err(response.status()),
            Err(error) => panic!("{error}"),
        }
    }
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

fn socket_of(session: &VoiceSession) -> String {
    let answer = session.answer().unwrap();
    assert_eq!(answer.content_type, "text/xml");
    let document = trunkline_proto::twiml::Response::parse(answer.body.as_bytes()).unwrap().response;
    let Verb::Connect(connect) = &document.verbs[0] else { panic!("{answer:?}") };
    let ConnectTarget::Stream(stream) = &connect.target else { panic!("{answer:?}") };
    stream.url.clone().unwrap()
}

fn start_of(call: &str) -> tungstenite::Message {
    let start: Value = json!({"event": "start", "sequenceNumber": "1", "streamSid": "MZ1", "start": {
        "accountSid": "AC1", "streamSid": "MZ1", "callSid": call, "tracks": ["inbound"], "customParameters": {},
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}}});
    tungstenite::Message::text(start.to_string())
}

#[tokio::test]
async fn a_call_is_placed_heard_spoken_to_and_ended() {
    let world = world(&[]).await;
    assert_eq!(world.voice.health_check().await.unwrap().state, HealthState::Healthy);
    assert_eq!(world.voice.connection_state(), ConnectionState::Connected);
    let session = world.voice.create_session(SessionConfig::to(ADA.parse().unwrap())).await.unwrap();
    let mut stream = timeout(PATIENCE, world.voice.stream_audio(session.id())).await.unwrap().unwrap();
    assert_eq!((session.state(), world.voice.counters().streams()), (SessionState::Streaming, 1));
    stream.audio(&[0x7f; 5 * FRAME_BYTES]).unwrap();
    stream.mark("said").unwrap();
    stream.flush().await.unwrap();
    let mut frames = 0;
    let heard = async {
        loop {
            match stream.next().await.unwrap().unwrap() {
                AudioEvent::Frame(_) => frames += 1,
                AudioEvent::Mark(name) => break name,
                other => panic!("{other:?}"),
            }
        }
    };
    assert_eq!(timeout(PATIENCE, heard).await.unwrap(), "said");
    assert!(frames >= 4, "{frames} frames while five were played");
    assert_eq!(world.voice.list_sessions().await.unwrap().len(), 1);
    world.voice.close_session(session.id()).await.unwrap();
    let ended = async { while stream.next().await.is_some() {} };
    timeout(PATIENCE, ended).await.unwrap();
    drop(stream);
    assert_eq!((session.status(), session.state()), (CallStatus::Completed, SessionState::Disconnected));
    assert_eq!((world.voice.active_session_count(), world.voice.counters().streams()), (0, 0));
    assert_eq!(world.voice.get_session(session.id()).await.unwrap_err().code(), ErrorCode::SessionNotFound);
    let told = async || world.gateway.events.lock().unwrap().contains(&"call.completed");
    wait_until(told).await;
    let events = world.gateway.events.lock().unwrap().clone();
    for name in ["call.initiated", "call.ringing", "call.answered", "stream.started"] {
        assert!(events.contains(&name), "no {name} in {events:?}");
    }
    let call = session.call().unwrap().parse().unwrap();
    assert_eq!(world.voice.calls().fetch(call).await.unwrap().status.as_deref(), Some("completed"));
}

#[tokio::test]
async fn a_call_is_held_taken_up_again_and_ended_by_a_stop() {
    let world = world(&[]).await;
    let session = world.voice.create_session(SessionConfig::to(ADA.parse().unwrap())).await.unwrap();
    let mut stream = timeout(PATIENCE, world.voice.stream_audio(session.id())).await.unwrap().unwrap();
    world.voice.control(session.id(), CallControl::Hold { announcement: None }).await.unwrap();
    timeout(PATIENCE, async { while stream.next().await.is_some() {} }).await.unwrap();
    world.voice.control(session.id(), CallControl::Resume).await.unwrap();
    let mut again = timeout(PATIENCE, world.voice.stream_audio(session.id())).await.unwrap().unwrap();
    world.voice.stop().await.unwrap();
    timeout(PATIENCE, async { while again.next().await.is_some() {} }).await.unwrap();
    assert_eq!(
        (world.voice.active_session_count(), world.voice.connection_state()),
        (0, ConnectionState::Disconnected)
    );
    let refused = world.voice.create_session(SessionConfig::to(ADA.parse().unwrap())).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::NotRunning);
}

#[tokio::test]
async fn a_socket_needs_a_signature_and_a_fresh_token_and_the_right_call() {
    let world = world(&[]).await;
    let (session, url) = world.incoming(CALL).await;
    assert_eq!(world.open(&url, false).await.err(), Some(StatusCode::FORBIDDEN));
    let wrong = format!("{}0123456789abcdef0123456789abcdef", url.rsplit_once('/').unwrap().0.to_owned() + "/");
    assert_eq!(world.open(&wrong, true).await.err(), Some(StatusCode::FORBIDDEN));
    assert_eq!(world.voice.counters().refusals(), 2);

    // What was refused did not use the token up; this does.
    let mut socket = world.open(&url, true).await.unwrap();
    socket.send(start_of(CALL)).await.unwrap();
    let stream = timeout(PATIENCE, world.voice.stream_audio(session.id())).await.unwrap().unwrap();
    assert_eq!(world.open(&url, true).await.err(), Some(StatusCode::FORBIDDEN));
    drop(stream);

    let (_, url) = world.incoming("CA0000000000000000000000000000000b").await;
    let mut socket = world.open(&url, true).await.unwrap();
    socket.send(start_of(CALL)).await.unwrap();
    let closed = async { while let Some(Ok(_)) = socket.next().await {} };
    timeout(PATIENCE, closed).await.unwrap();
    assert_eq!(world.voice.counters().refusals(), 4);
}

#[tokio::test]
async fn a_call_that_is_told_twice_is_one_and_one_too_many_is_apologised_to() {
    let world = world(&[("max_calls", "1"), ("overflow", "queue")]).await;
    let (session, url) = world.incoming(CALL).await;
    let (again, same) = world.incoming(CALL).await;
    assert_eq!((again.id(), &same), (session.id(), &url));
    let event = world.told(paths::VOICE, "CA0000000000000000000000000000000b", &[("CallStatus", "ringing")]);
    let refused = world.voice.handle_inbound_call(&event).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::RateLimit);
    let answer = world.voice.overflow_answer(&event).body;
    assert!(answer.contains("<Redirect>") && answer.contains("?wait=1"), "{answer}");
    let late = world.told(&format!("{}?wait=30", paths::VOICE), CALL, &[]);
    assert!(world.voice.overflow_answer(&late).body.ends_with("<Hangup/></Response>"));

    let mut forged = world.told(paths::VOICE, CALL, &[]);
    forged.params.push(("Digits".to_owned(), "1".to_owned()));
    assert_eq!(world.voice.handle_inbound_call(&forged).await.unwrap_err().code(), ErrorCode::InvalidSignature);
    let empty = world.signed(&format!("{}{}", world.gateway.base, paths::VOICE), &[("CallSid", CALL)]);
    assert_eq!(world.voice.handle_inbound_call(&empty).await.unwrap_err().code(), ErrorCode::InvalidWebhook);
}

#[tokio::test]
async fn a_call_that_is_told_again_while_it_streams_gets_no_second_stream() {
    let world = world(&[]).await;
    let (session, url) = world.incoming(CALL).await;
    let mut socket = world.open(&url, true).await.unwrap();
    // Before its start as well as after it.
    let (_, same) = world.incoming(CALL).await;
    assert_eq!(same, url);
    socket.send(start_of(CALL)).await.unwrap();
    let stream = timeout(PATIENCE, world.voice.stream_audio(session.id())).await.unwrap().unwrap();
    let (_, same) = world.incoming(CALL).await;
    assert_eq!(same, url);
    assert_eq!(world.open(&same, true).await.err(), Some(StatusCode::FORBIDDEN));
    assert_eq!(world.voice.counters().streams(), 1);
    // A call whose socket was lost may have another one.
    drop(stream);
    let (_, fresh) = world.incoming(CALL).await;
    assert_ne!(fresh, url);
    drop(world.open(&fresh, true).await.unwrap());
}

#[tokio::test]
async fn status_callbacks_move_forward_only_and_the_last_frees_the_line() {
    let world = world(&[]).await;
    let (session, _) = world.incoming(CALL).await;
    let status = |status: &'static str, number: &'static str| {
        let event = world.told(paths::STATUS, CALL, &[("CallStatus", status), ("SequenceNumber", number)]);
        world.voice.handle_status(&event).unwrap()
    };
    let answered = status("in-progress", "2");
    assert_eq!(
        (answered.name, answered.is_news, answered.session.as_ref()),
        ("call.answered", true, Some(session.id()))
    );
    assert!(!status("ringing", "1").is_news);
    assert_eq!(session.status(), CallStatus::InProgress);
    assert_eq!((status("no-answer", "3").name, world.voice.active_session_count()), ("call.failed", 0));
    assert_eq!(session.state(), SessionState::Disconnected);
}

#[tokio::test]
async fn a_call_whose_end_nobody_told_is_found_to_be_over() {
    let world = world(&[]).await;
    // One that Twilio does not know, one that goes on, and one that is over; no callback of any comes here.
    let config = || SessionConfig {
        status_callback: Some("http://127.0.0.1:9/nobody".to_owned()),
        ..SessionConfig::to(ADA.parse().unwrap())
    };
    let unknown = world.incoming(CALL).await.0;
    let placed =
        [world.voice.create_session(config()).await.unwrap(), world.voice.create_session(config()).await.unwrap()];
    let mut streams = Vec::new();
    for session in &placed {
        streams.push(timeout(PATIENCE, world.voice.stream_audio(session.id())).await.unwrap().unwrap());
    }
    let over: trunkline_proto::sid::CallSid = placed[1].call().unwrap().parse().unwrap();
    world.voice.calls().update(over, &trunkline_twilio::rest::calls::CallUpdate::Complete).await.unwrap();
    timeout(PATIENCE, async { while streams[1].next().await.is_some() {} }).await.unwrap();
    drop(streams.pop());

    let now = Timestamp::now();
    assert_eq!(world.voice.sweep(now).await.unwrap(), 0, "they may be on their way");
    assert_eq!(world.voice.sweep(now + std::time::Duration::from_secs(90)).await.unwrap(), 2);
    assert_eq!((placed[1].state(), placed[1].status()), (SessionState::Disconnected, CallStatus::Completed));
    assert!(unknown.state().is_over());
    assert_eq!((placed[0].state(), world.voice.active_session_count()), (SessionState::Streaming, 1));

    // Nobody believes in a stream that is longer than a call can be.
    let going: trunkline_proto::sid::CallSid = placed[0].call().unwrap().parse().unwrap();
    let late = now + std::time::Duration::from_hours(5);
    assert_eq!(world.voice.sweep(late).await.unwrap(), 0, "it does go on");
    world.voice.calls().update(going, &trunkline_twilio::rest::calls::CallUpdate::Complete).await.unwrap();
    assert_eq!(world.voice.sweep(late + std::time::Duration::from_mins(1)).await.unwrap(), 0, "it was asked about");
    assert_eq!(world.voice.sweep(late + std::time::Duration::from_mins(2)).await.unwrap(), 1);
    timeout(PATIENCE, async { while streams[0].next().await.is_some() {} }).await.unwrap();
    assert_eq!(world.voice.active_session_count(), 0);
}
