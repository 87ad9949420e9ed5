use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::task::Waker;

use bytes::Bytes;
use jiff::Timestamp;
use trunkline_core::voice::{CallDirection, SessionId, VoiceSession};
use trunkline_proto::media::{CallFacts, CallerSession};

use super::*;
use crate::voice::Counters;

/// A socket in memory: what it will say, and what it was told. It takes nothing while it is stuck.
#[derive(Default)]
struct Wire {
    incoming: VecDeque<Frame>,
    sent: Vec<String>,
    is_stuck: bool,
}

#[derive(Clone, Default)]
struct Socket(Arc<Mutex<Wire>>);

impl Stream for Socket {
    type Item = Result<Frame, Infallible>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.lock().unwrap().incoming.pop_front().map_or(Poll::Pending, |frame| Poll::Ready(Some(Ok(frame))))
    }
}

impl Sink<Frame> for Socket {
    type Error = Infallible;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.0.lock().unwrap().is_stuck { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn start_send(self: Pin<&mut Self>, frame: Frame) -> Result<(), Infallible> {
        let Frame::Text(text) = frame else { panic!("only texts are sent") };
        self.0.lock().unwrap().sent.push(String::from_utf8(text.into()).unwrap());
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}

struct Call {
    socket: Socket,
    caller: CallerSession,
    transport: MediaTransport<Socket>,
    counters: Arc<Counters>,
    over: CancellationToken,
}

impl Call {
    /// A stream that has begun.
    fn new() -> Self {
        let socket = Socket::default();
        let counters = Arc::<Counters>::default();
        let (id, now) = (SessionId::new("s"), Timestamp::UNIX_EPOCH);
        let session = VoiceSession::new(id, CallDirection::Inbound, "+15551234567", "+15557654321", now);
        let over = CancellationToken::new();
        let guard = StreamGuard::new(&counters, &session, None);
        let mut call = Self {
            transport: MediaTransport::new(socket.clone(), 4096, over.clone(), guard),
            caller: CallerSession::new(CallFacts {
                account_sid: "AC11111111111111111111111111111111".to_owned(),
                call_sid: "CA22222222222222222222222222222222".to_owned(),
                stream_sid: "MZ18ad3ab5a668481ce02b83e7395059f0".to_owned(),
                tracks: vec![Track::Inbound],
                custom_parameters: std::collections::BTreeMap::new(),
            }),
            socket,
            counters,
            over,
        };
        call.says("{\"event\":\"connected\"}");
        call.says("{\"event\":\"media\",\"media\":{}}");
        let mut start = Vec::new();
        call.caller.write_start(&mut start);
        call.says(str::from_utf8(&start).unwrap());
        let Poll::Ready(Ok(start)) = call.transport.poll_start(&mut context()) else { panic!("no start") };
        assert_eq!(start.call_sid, "CA22222222222222222222222222222222");
        assert_eq!(call.counters.faults(), 1, "media before start is counted and passed over");
        call
    }

    fn says(&self, text: &str) {
        self.socket.0.lock().unwrap().incoming.push_back(Frame::Text(Bytes::copy_from_slice(text.as_bytes())));
    }

    fn speaks(&mut self, audio: &[u8]) {
        let mut out = Vec::new();
        self.caller.write_media(Track::Inbound, 0, audio, &mut out);
        self.says(str::from_utf8(&out).unwrap());
    }

    fn event(&mut self) -> Poll<Option<Result<AudioEvent, VoiceError>>> {
        self.transport.poll_event(&mut context())
    }

    fn frame(&mut self) -> [u8; FRAME_BYTES] {
        let Poll::Ready(Some(Ok(AudioEvent::Frame(frame)))) = self.event() else { panic!("no frame") };
        frame
    }

    /// The kinds of what was sent.
    fn sent(&self) -> Vec<String> {
        let wire = self.socket.0.lock().unwrap();
        let kind = |text: &String| serde_json::from_str::<serde_json::Value>(text).unwrap()["event"].to_string();
        wire.sent.iter().map(kind).map(|kind| kind.trim_matches('"').to_owned()).collect()
    }
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

#[test]
fn odd_sizes_become_whole_frames_in_order() {
    let mut call = Call::new();
    let audio: Vec<u8> = (0..=255).cycle().take(4 * FRAME_BYTES).collect();
    for piece in [&audio[..1], &audio[1..160], &audio[160..500], &audio[500..]] {
        call.speaks(piece);
    }
    let heard: Vec<u8> = (0..4).flat_map(|_| call.frame()).collect();
    assert_eq!(heard, audio);
    assert!(call.event().is_pending());
    call.speaks(&[7; FRAME_BYTES]);
    assert_eq!(call.frame(), [7; FRAME_BYTES]);
}

#[test]
fn a_clear_overtakes_audio_that_waits_here_and_keeps_its_marks() {
    let mut call = Call::new();
    call.socket.0.lock().unwrap().is_stuck = true;
    call.transport.audio(&[1; 2 * FRAME_BYTES]).unwrap();
    call.transport.mark("a").unwrap();
    call.transport.audio(&[2; FRAME_BYTES]).unwrap();
    assert!(call.transport.poll_flush(&mut context()).is_pending());
    call.transport.clear().unwrap();
    call.transport.audio(&[3; FRAME_BYTES]).unwrap();
    call.socket.0.lock().unwrap().is_stuck = false;
    assert!(call.transport.poll_flush(&mut context()).is_ready());
    assert_eq!(call.sent(), ["clear", "mark", "media"]);
}

#[test]
fn a_peer_who_does_not_read_ends_the_stream_at_the_limit() {
    let mut call = Call::new();
    let second = [0; MAX_MESSAGE_AUDIO];
    let taken = (0..1_000).take_while(|_| call.transport.audio(&second).is_ok()).count();
    assert!((60..200).contains(&taken), "{taken} seconds");
    assert_eq!(call.transport.audio(&second).unwrap_err().provider_code(), Some("ErrCodeTwilioStreamFailed"));
    assert!(call.transport.queue.len() <= MAX_QUEUED_BYTES);
}

#[test]
fn what_is_wrong_is_counted_and_a_second_start_ends_the_stream() {
    let mut call = Call::new();
    call.socket.0.lock().unwrap().incoming.push_back(Frame::Binary);
    call.says("[]");
    call.says("{\"event\":\"media\",\"streamSid\":\"MZother\",\"media\":{\"payload\":\"\"}}");
    call.says(
        "{\"event\":\"media\",\"streamSid\":\"MZ18ad3ab5a668481ce02b83e7395059f0\",\"media\":{\"payload\":\"*\"}}",
    );
    call.says("{\"event\":\"news\"}");
    assert!(call.event().is_pending());
    assert_eq!(call.counters.faults(), 5);
    let mut start = Vec::new();
    call.caller.write_start(&mut start);
    call.says(str::from_utf8(&start).unwrap());
    let Poll::Ready(Some(Err(error))) = call.event() else { panic!("two starts") };
    assert_eq!(error.provider_code(), Some("ErrCodeTwilioStreamFailed"));
    assert!(matches!(call.event(), Poll::Ready(None)));
}

#[test]
fn keys_marks_and_the_end_come_out() {
    let mut call = Call::new();
    let sid = "MZ18ad3ab5a668481ce02b83e7395059f0";
    call.says(&format!("{{\"event\":\"dtmf\",\"streamSid\":\"{sid}\",\"dtmf\":{{\"digit\":\"5\"}}}}"));
    call.says(&format!("{{\"event\":\"mark\",\"streamSid\":\"{sid}\",\"mark\":{{\"name\":\"m\"}}}}"));
    call.says(&format!("{{\"event\":\"stop\",\"streamSid\":\"{sid}\",\"stop\":{{}}}}"));
    for expected in [AudioEvent::Digit('5'), AudioEvent::Mark("m".to_owned()), AudioEvent::Stopped] {
        let Poll::Ready(Some(Ok(event))) = call.event() else { panic!("no {expected:?}") };
        assert_eq!(event, expected);
    }
    assert!(matches!(call.event(), Poll::Ready(None)));
    assert!(call.transport.audio(&[0; FRAME_BYTES]).is_err());
}

#[test]
fn a_session_that_ends_stops_its_stream() {
    let mut call = Call::new();
    assert_eq!(call.counters.streams(), 1);
    call.over.cancel();
    assert!(matches!(call.event(), Poll::Ready(Some(Ok(AudioEvent::Stopped)))));
    drop(call.transport);
    assert_eq!(call.counters.streams(), 0);
}
