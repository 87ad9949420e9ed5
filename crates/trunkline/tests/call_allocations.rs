//! A frame of a person costs a call nothing from the allocator: socket, messages, voice activity, recognizer's queue,
//! turn machine. The whole gateway runs on this thread; who calls is on another.
#![allow(unsafe_code, reason = "an allocator cannot be written without")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that finds something else fails here"
)]

#[allow(dead_code, unused_imports, reason = "the other tests use the rest")]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use trunkline_proto::signature::{Algorithm, sign};

use crate::support::{ADA, NUMBER, World, answer, until, until_within};

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

const CALL: &str = "CA00000000000000000000000000000009";
/// By then every buffer has its size.
const BEFORE: u64 = 10_000;
const MEASURED: u64 = 20_000;
/// Of what the gateway and the emulator do now and then, frames or no frames.
const BESIDE: u64 = 1_000;

/// Twilio's end of the stream: silence, as fast as it is read, until nobody listens.
struct Caller {
    sent: Arc<AtomicU64>,
}

impl Caller {
    fn call(mut socket: TcpStream, account: &str) -> Self {
        let text = |text: &str| {
            let length = u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes();
            let mut head = vec![0x81];
            if text.len() < 126 {
                head.push(0x80 | length[1]);
            } else {
                head.extend([0xfe, length[0], length[1]]);
            }
            [&head, [0; 4].as_slice(), text.as_bytes()].concat()
        };
        let start = format!(
            "{{\"event\":\"start\",\"sequenceNumber\":\"1\",\"streamSid\":\"MZ1\",\"start\":{{\"accountSid\":\"{account}\",\
             \"streamSid\":\"MZ1\",\"callSid\":\"{CALL}\",\"tracks\":[\"inbound\"],\"customParameters\":{{}},\
             \"mediaFormat\":{{\"encoding\":\"audio/x-mulaw\",\"sampleRate\":8000,\"channels\":1}}}}}}"
        );
        let first = [text("{\"event\":\"connected\"}"), text(&start)].concat();
        let media = text(&format!(
            "{{\"event\":\"media\",\"sequenceNumber\":\"2\",\"streamSid\":\"MZ1\",\"media\":{{\"track\":\"inbound\",\
             \"chunk\":\"1\",\"timestamp\":\"20\",\"payload\":\"{}w==\"}}}}",
            "/".repeat(213)
        ));
        let sent = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&sent);
        let mut reader = socket.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut heard = [0; 4096];
            while reader.read(&mut heard).is_ok_and(|length| length > 0) {}
        });
        std::thread::spawn(move || {
            socket.write_all(&first).unwrap();
            while socket.write_all(&media).is_ok() {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { sent }
    }

    async fn has_sent(&self, frames: u64) {
        let sent = async || (self.sent.load(Ordering::Relaxed) >= frames).then_some(());
        until_within(Duration::from_mins(1), "the caller has sent its frames", sent).await;
    }
}

/// Opens the socket of a call that comes in.
async fn opened(world: &World) -> TcpStream {
    let account = world.account.account_sid.as_str();
    let url = world.gateway_url("/webhooks/twilio/voice");
    let params = [("AccountSid", account), ("CallSid", CALL), ("CallStatus", "ringing"), ("From", ADA), ("To", NUMBER)];
    let owned = params.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let token = world.account.auth_token.as_bytes();
    let signature = sign(Algorithm::HmacSha1, token, &url, &owned);
    let document = answer(world.http.post(&url).header("x-twilio-signature", signature).form(&params)).await.text;
    let (_, rest) = document.split_once("/media/").expect("a stream");
    let path = format!("/media/{}", rest.split('"').next().unwrap());
    let host = world.gateway().address().to_string();
    let signature = sign(Algorithm::HmacSha1, token, &format!("ws://{host}{path}"), &[]);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         X-Twilio-Signature: {signature}\r\n\r\n"
    );
    let opening = tokio::task::spawn_blocking(move || {
        let mut socket = TcpStream::connect(host).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            socket.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        socket
    });
    opening.await.unwrap()
}

#[tokio::test]
async fn twenty_thousand_frames_of_a_call_are_nothing_to_the_allocator() {
    let world = World::start(&[("TRUNKLINE_VOICE", "true"), ("TRUNKLINE_REPROMPT_AFTER", "120s")]).await;
    let caller = Caller::call(opened(&world).await, world.account.account_sid.as_str());
    until("the greeting has been heard", async || {
        (world.api("/api/v1/calls").await["live"][0]["machine"] == "listening").then_some(())
    })
    .await;
    let first = caller.sent.load(Ordering::Relaxed) + BEFORE;
    caller.has_sent(first).await;
    let before = ALLOCATIONS.with(Cell::get);
    assert!(before > 0, "the counter counts");
    caller.has_sent(first + MEASURED).await;
    let allocations = ALLOCATIONS.with(Cell::get) - before;
    assert!(allocations < BESIDE, "{allocations} allocations in {MEASURED} frames");
    until("they have been heard", async || {
        let metrics = answer(world.http.get(world.gateway_url("/metrics"))).await.text;
        let is_heard = |line: &&str| line.starts_with("twilio_stream_frames_total") && line.contains("\"in\"");
        let heard: u64 = metrics.lines().find(is_heard)?.rsplit(' ').next()?.parse().ok()?;
        (heard >= first + MEASURED).then_some(())
    })
    .await;
}
