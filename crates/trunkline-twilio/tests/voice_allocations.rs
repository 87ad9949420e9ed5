//! A frame of audio costs the transport no allocation, in either direction.
#![allow(unsafe_code, reason = "an allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::task::TaskTracker;
use trunkline_core::Config;
use trunkline_core::messaging::WebhookEvent;
use trunkline_core::voice::{AudioEvent, FRAME_BYTES, VoiceBackend as _};
use trunkline_proto::signature::{Algorithm, sign};
use trunkline_proto::twiml::{ConnectTarget, Response, Verb};
use trunkline_twilio::voice::{CallSocket, SocketKind, TwilioVoice};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const AC: &str = "AC00000000000000000000000000000001";
const CA: &str = "CA00000000000000000000000000000001";

/// A connection that says `start` once and then the same frame for ever, and takes everything.
struct Endless {
    start: Option<Vec<u8>>,
    media: Vec<u8>,
}

impl AsyncRead for Endless {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let start = self.start.take();
        out.put_slice(start.as_ref().unwrap_or(&self.media));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        assert!(bytes.get(4..).is_some_and(|text| text.starts_with(b"{\"event\":\"media\"")));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A client's text of 126 bytes or more, with a mask that changes nothing.
fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes();
    [[0x81, 0xfe].as_slice(), &length, &[0; 4], text.as_bytes()].concat()
}

fn signed(url: &str, params: &[(&str, &str)]) -> WebhookEvent {
    let params: Vec<_> = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let signature = sign(Algorithm::HmacSha1, b"token", url, &params);
    WebhookEvent {
        url: url.to_owned(),
        method: "POST".to_owned(),
        headers: vec![("x-twilio-signature".to_owned(), signature)],
        params,
        body: Bytes::new(),
        received_at: Timestamp::now(),
    }
}

#[tokio::test]
async fn a_thousand_frames_in_and_out_allocate_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let number = format!(
        "{{\"incoming_phone_numbers\":[{{\"sid\":\"PN00000000000000000000000000000001\",\
         \"phone_number\":\"+15557654321\",\"voice_url\":\"https://h/webhooks/twilio/voice\",\
         \"status_callback\":\"https://h/webhooks/twilio/voice/status\",\"account_sid\":\"{AC}\"}}]}}"
    );
    let address = listener.local_addr().unwrap();
    let twilio = TaskTracker::new();
    let router = Router::new().fallback(move || std::future::ready(number.clone()));
    twilio.spawn(async move { axum::serve(listener, router).await.unwrap() });
    let config = Config::builder()
        .provider("twilio")
        .setting("account_sid", AC)
        .setting("phone_number", "+15557654321")
        .setting("webhook_url", "https://h")
        .setting("base_url", format!("http://{address}"))
        .secret("auth_token", "token");
    let voice = TwilioVoice::new(config.build().unwrap()).unwrap();
    voice.start().await.unwrap();
    let params = [
        ("CallSid", CA),
        ("AccountSid", AC),
        ("From", "+15551234567"),
        ("To", "+15557654321"),
        ("CallStatus", "ringing"),
    ];
    let session = voice.handle_inbound_call(&signed("https://h/webhooks/twilio/voice", &params)).await.unwrap();
    let document = Response::parse(session.answer().unwrap().body.as_bytes()).unwrap().response;
    let Verb::Connect(connect) = &document.verbs[0] else { panic!("no connect") };
    let ConnectTarget::Stream(stream) = &connect.target else { panic!("no stream") };
    let url = stream.url.clone().unwrap();
    let token = url.rsplit('/').next().unwrap();
    let admission = voice.admit(token, SocketKind::Audio, &signed(&url, &[])).unwrap();
    let start = format!(
        "{{\"event\":\"start\",\"sequenceNumber\":\"1\",\"streamSid\":\"MZ1\",\"start\":{{\"accountSid\":\"{AC}\",\
         \"streamSid\":\"MZ1\",\"callSid\":\"{CA}\",\"tracks\":[\"inbound\"],\"customParameters\":{{}},\"mediaFormat\":\
         {{\"encoding\":\"audio/x-mulaw\",\"sampleRate\":8000,\"channels\":1}}}}}}"
    );
    let media = format!(
        "{{\"event\":\"media\",\"sequenceNumber\":\"2\",\"streamSid\":\"MZ1\",\"media\":{{\"track\":\"inbound\",\
         \"chunk\":\"1\",\"timestamp\":\"20\",\"payload\":\"{}\"}}}}",
        "VVVV".repeat(53) + "VQ=="
    );
    let connection = Endless { start: Some(text(&start)), media: text(&media) };
    admission.audio(CallSocket::server(connection, &[])).await.unwrap();
    let mut stream = voice.stream_audio(session.id()).await.unwrap();

    let mut before = 0;
    for turn in 0..1_100 {
        if turn == 100 {
            // The buffers have their size now.
            before = ALLOCATIONS.with(Cell::get);
            assert!(before > 0, "the counter counts");
        }
        let Some(Ok(AudioEvent::Frame(frame))) = stream.next().await else { panic!("no frame") };
        assert_eq!(frame, [0x55; FRAME_BYTES]);
        stream.audio(&frame).unwrap();
        stream.flush().await.unwrap();
    }
    assert_eq!(ALLOCATIONS.with(Cell::get), before);
}
