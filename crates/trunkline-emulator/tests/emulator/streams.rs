//! Media Streams: calls at a server.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::{NUMBER, PERSON, Peer, Receiver, Server, World, until};

fn document(server: &Server, receiver: &Receiver) -> String {
    format!(
        "<Response><Connect action=\"{}\"><Stream url=\"{}?dropped=1\" statusCallback=\"{}\">\
         <Parameter name=\"token\" value=\"a\"/></Stream></Connect></Response>",
        receiver.url("/after"),
        server.url(),
        receiver.url("/stream")
    )
}

/// Milliseconds of μ-law that is no silence.
fn audio(ms: usize) -> String {
    STANDARD.encode(vec![0x10; ms * 8])
}

#[tokio::test]
async fn a_server_hears_and_is_heard_by_the_clock() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let server = Server::start(world.emulator.account()).await;
    receiver.xml("/after", "<Response/>");
    let sid = world.dial(&[("Twiml", &document(&server, &receiver))]).await;
    let mut peer = server.accept().await;
    assert_eq!(peer.next().await.unwrap(), json!({"event": "connected", "protocol": "Call", "version": "1.0.0"}));
    let start = peer.next().await.unwrap();
    let stream = start["streamSid"].as_str().unwrap().to_owned();
    assert_eq!((&start["event"], &start["sequenceNumber"]), (&json!("start"), &json!("1")));
    assert_eq!(start["start"]["callSid"], sid);
    assert_eq!(start["start"]["customParameters"], json!({"token": "a"}));
    let first = peer.next().await.unwrap();
    assert_eq!((&first["media"]["chunk"], &first["media"]["timestamp"]), (&json!("1"), &json!("0")));
    assert_eq!(STANDARD.decode(first["media"]["payload"].as_str().unwrap()).unwrap().len(), 160);

    // A mark returns when its audio was played, not before.
    let begun = Instant::now();
    let media = |ms| json!({"event": "media", "streamSid": stream, "media": {"payload": audio(ms)}});
    let mark = |name: &str| json!({"event": "mark", "streamSid": stream, "mark": {"name": name}});
    peer.send(media(500)).await;
    peer.send(mark("half")).await;
    let back = peer.other_than("media").await.unwrap();
    assert_eq!((&back["event"], &back["mark"]["name"]), (&json!("mark"), &json!("half")));
    assert!(begun.elapsed() >= Duration::from_millis(480), "{:?}", begun.elapsed());

    // `clear` gives all marks back at once.
    let begun = Instant::now();
    peer.send(media(5000)).await;
    peer.send(mark("one")).await;
    peer.send(mark("two")).await;
    peer.send(json!({"event": "clear", "streamSid": stream})).await;
    for name in ["one", "two"] {
        assert_eq!(peer.other_than("media").await.unwrap()["mark"]["name"], name);
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());

    // What is wrong is noted once, and the stream goes on.
    peer.send(json!({"event": "nonsense", "streamSid": stream})).await;
    peer.send(json!({"event": "clear", "streamSid": "MZ0"})).await;
    peer.send_binary().await;
    peer.send(mark("still here")).await;
    assert_eq!(peer.other_than("media").await.unwrap()["mark"]["name"], "still here");
    assert_eq!(world.notes(&sid).await, ["31950", "31951"]);

    // The server closes: the document goes on.
    peer.close().await;
    world.call_at(&sid, "completed").await;
    let told = receiver.wait(3).await;
    let events: Vec<_> = told.iter().filter(|one| one.path == "/stream").map(|one| one.param("StreamEvent")).collect();
    assert_eq!(events, ["stream-started", "stream-stopped"]);
    assert_eq!(told.iter().filter(|one| one.path == "/after").count(), 1);
}

#[tokio::test]
async fn keys_are_told_and_hanging_up_stops_the_stream() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let server = Server::start(world.emulator.account()).await;
    world.answers_with(&receiver, &document(&server, &receiver)).await;
    let talk = async {
        let mut peer = server.accept().await;
        let mut seen = Vec::new();
        while let Some(message) = peer.next().await {
            seen.push(message);
        }
        seen
    };
    let steps = json!([{"pause_ms": 100}, {"digits": "5"}, {"pause_ms": 200}, {"hang_up": true}]);
    let call = world.script(json!({"from": PERSON, "to": NUMBER, "steps": steps}));
    let (seen, (_, result)) = tokio::join!(talk, call);
    assert_eq!(result["hung_up_by"], "phone");
    let key = seen.iter().find(|message| message["event"] == "dtmf").unwrap();
    assert_eq!(key["dtmf"], json!({"track": "inbound_track", "digit": "5"}));
    let last = seen.last().unwrap();
    assert_eq!(last["event"], "stop");
    let numbers: Vec<u64> =
        seen[1..].iter().map(|message| message["sequenceNumber"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(numbers, (1..=u64::try_from(numbers.len()).unwrap()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stream_beside_the_call_has_both_sides_and_is_stopped_by_request() {
    let world = World::start().await;
    let server = Server::start(world.emulator.account()).await;
    let sid = world.dial(&[("Twiml", "<Response><Pause length=\"30\"/></Response>")]).await;
    world.call_at(&sid, "in-progress").await;
    let path = world.voice(&format!("/Calls/{sid}/Streams.json"));
    let url = server.url();
    let fields = [("Url", url.as_str()), ("Name", "mine"), ("Track", "both_tracks"), ("Parameter1.Name", "a")];
    let started = world.post(&path, &fields).await;
    assert_eq!((started.status.as_u16(), started.text("status")), (200, "in-progress".to_owned()));
    let mut peer = server.accept().await;
    peer.next().await.unwrap();
    let start = peer.next().await.unwrap();
    assert_eq!(start["start"]["tracks"], json!(["inbound", "outbound"]));
    assert_eq!(start["start"]["customParameters"], json!({"a": ""}));
    let tracks = [peer.next().await.unwrap(), peer.next().await.unwrap()].map(|one| one["media"]["track"].clone());
    assert_eq!(tracks, [json!("inbound"), json!("outbound")]);
    let own = world.voice(&format!("/Calls/{sid}/Streams/mine.json"));
    assert_eq!(world.post(&own, &[("Status", "stopped")]).await.text("status"), "stopped");
    assert_eq!(peer.other_than("media").await.unwrap()["event"], "stop");
    assert!(peer.next().await.is_none());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_noted() {
    let world = World::start().await;
    let twiml = "<Response><Connect><Stream url=\"ws://127.0.0.1:9/\"/></Connect></Response>";
    let sid = world.dial(&[("Twiml", twiml)]).await;
    world.call_at(&sid, "completed").await;
    assert_eq!(world.notes(&sid).await, ["31902"]);
    let twiml = "<Response><Connect><Stream url=\"wss://x/\" track=\"both_tracks\"/></Connect></Response>";
    let sid = world.dial(&[("Twiml", twiml)]).await;
    world.call_at(&sid, "completed").await;
    assert_eq!(world.notes(&sid).await, ["31941"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once_lose_no_frame_and_leave_nothing() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let server = Server::start(world.emulator.account()).await;
    world.answers_with(&receiver, &document(&server, &receiver)).await;
    let steps = json!([{"pause_ms": 2000}, {"hang_up": true}]);
    let calls = futures_util::future::join_all(
        (0..CALLS).map(|_| world.script(json!({"from": PERSON, "to": NUMBER, "steps": steps}))),
    );
    let talks = async {
        let mut peers = Vec::new();
        for _ in 0..CALLS {
            peers.push(server.accept().await);
        }
        let talk = async |mut peer: Peer| {
            let mut chunks = 0_u64;
            while let Some(message) = peer.next().await {
                if message["event"] == "media" {
                    chunks += 1;
                    assert_eq!(message["media"]["chunk"], chunks.to_string());
                    assert_eq!(message["media"]["timestamp"], ((chunks - 1) * 20).to_string());
                }
            }
            chunks
        };
        futures_util::future::join_all(peers.into_iter().map(talk)).await
    };
    let (results, chunks) = tokio::join!(calls, talks);
    assert!(results.iter().all(|(_, result)| result["hung_up_by"] == "phone"));
    // Two seconds of audio, less what went by until the socket was open.
    assert!(chunks.iter().all(|chunks| (50..=101).contains(chunks)), "{chunks:?}");
    until(async || {
        let live = world.control(reqwest::Method::GET, "/calls", serde_json::Value::Null).await.body;
        (live == json!({"live": []})).then_some(())
    })
    .await;
}

const CALLS: usize = 40;
