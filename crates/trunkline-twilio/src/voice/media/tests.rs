use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Waker;

use jiff::Timestamp;
use tokio::io::ReadBuf;
use trunkline_core::voice::{CallDirection, SessionId, VoiceSession};
use trunkline_proto::media::{CallFacts, CallerSession};

use super::*;
use crate::voice::Counters;

/// A connection in memory: what it will say, and what it was told. It takes nothing while it is stuck.
#[derive(Default)]
struct Wire {
    incoming: Vec<u8>,
    sent: Vec<u8>,
    is_stuck: bool,
}

#[derive(Clone, Default)]
struct Connection(Arc<Mutex<Wire>>);

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut wire = self.0.lock().unwrap();
        if wire.incoming.is_empty() {
            return Poll::Pending;
        }
        let length = wire.incoming.len().min(out.remaining());
        out.put_slice(&wire.incoming.drain(..length).collect::<Vec<_>>());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut wire = self.0.lock().unwrap();
        if wire.is_stuck {
            return Poll::Pending;
        }
        wire.sent.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A client's frame, with a mask that changes nothing.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    let head: &[u8] = &[0x80 | kind, 0xfe];
    let head = if length < 126 {
        vec![0x80 | kind, 0x80 | length.to_be_bytes()[1]]
    } else {
        [head, &length.to_be_bytes()].concat()
    };
    [&head, [0; 4].as_slice(), payload].concat()
}

struct Call {
    connection: Connection,
    caller: CallerSession,
    transport: MediaTransport<Connection>,
    counters: Arc<Counters>,
    over: Over,
}

impl Call {
    /// A stream that has begun.
    fn new() -> Self {
        let connection = Connection::default();
        let counters = Arc::<Counters>::default();
        let (id, now) = (SessionId::new("s"), Timestamp::UNIX_EPOCH);
        let session = VoiceSession::new(id, CallDirection::Inbound, "+15551234567", "+15557654321", now);
        let over = Over::default();
        let guard = StreamGuard::new(&counters, &session, None);
        let mut call = Self {
            transport: MediaTransport::new(CallSocket::server(connection.clone(), &[]), 4096, over.clone(), guard),
            caller: CallerSession::new(CallFacts {
                account_sid: "AC11111111111111111111111111111111".to_owned(),
                call_sid: "CA22222222222222222222222222222222".to_owned(),
                stream_sid: "MZ18ad3ab5a668481ce02b83e7395059f0".to_owned(),
                tracks: vec![Track::Inbound],
                custom_parameters: std::collections::BTreeMap::new(),
            }),
            connection,
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
        self.connection.0.lock().unwrap().incoming.extend(frame(1, text.as_bytes()));
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
        let wire = self.connection.0.lock().unwrap();
        let (mut rest, mut kinds) = (wire.sent.as_slice(), Vec::new());
        while let [0x81, short, after @ ..] = rest {
            let (length, after) = match (short, after) {
                (126, [high, low, after @ ..]) => (usize::from(u16::from_be_bytes([*high, *low])), after),
                (short, after) => (usize::from(*short), after),
            };
            let text: serde_json::Value = serde_json::from_slice(&after[..length]).unwrap();
            kinds.push(text["event"].as_str().unwrap().to_owned());
            rest = &after[length..];
        }
        assert!(rest.is_empty(), "only texts are sent");
        kinds
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
    call.connection.0.lock().unwrap().is_stuck = true;
    call.transport.audio(&[1; 2 * FRAME_BYTES]).unwrap();
    call.transport.mark("a").unwrap();
    call.transport.audio(&[2; FRAME_BYTES]).unwrap();
    assert!(call.transport.poll_flush(&mut context()).is_pending());
    call.transport.clear().unwrap();
    call.transport.audio(&[3; FRAME_BYTES]).unwrap();
    call.connection.0.lock().unwrap().is_stuck = false;
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
    call.connection.0.lock().unwrap().incoming.extend(frame(2, b"?"));
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
fn what_is_said_to_somebody_who_has_stopped_is_no_failure() {
    let mut call = Call::new();
    call.speaks(&[7; FRAME_BYTES]);
    call.says("{\"event\":\"stop\",\"streamSid\":\"MZ18ad3ab5a668481ce02b83e7395059f0\",\"stop\":{}}");
    assert_eq!(call.frame(), [7; FRAME_BYTES]);
    // Both were read at once; whoever leads the call has been told of one.
    call.transport.audio(&[1; FRAME_BYTES]).unwrap();
    call.transport.mark("m").unwrap();
    call.transport.clear().unwrap();
    assert!(call.transport.poll_flush(&mut context()).is_ready());
    assert!(matches!(call.event(), Poll::Ready(Some(Ok(AudioEvent::Stopped)))));
    assert!(call.sent().is_empty());
}

#[test]
fn a_session_that_ends_is_not_kept_by_a_peer_who_never_falls_silent() {
    let mut call = Call::new();
    call.over.end();
    for _ in 0..=MAX_IN_A_ROW {
        call.speaks(&[7; FRAME_BYTES]);
        match call.event() {
            Poll::Ready(Some(Ok(AudioEvent::Frame(_)))) => {}
            Poll::Ready(Some(Ok(AudioEvent::Stopped))) => return,
            other => panic!("{other:?}"),
        }
    }
    panic!("it goes on");
}

#[test]
fn a_session_that_ends_stops_its_stream() {
    let mut call = Call::new();
    assert_eq!(call.counters.streams(), 1);
    call.over.end();
    assert!(matches!(call.event(), Poll::Ready(Some(Ok(AudioEvent::Stopped)))));
    drop(call.transport);
    assert_eq!(call.counters.streams(), 0);
}
