//! The emulator's socket and the client's state machine over a wire that breaks anywhere, in virtual time.
//!
//! All of the emulator behind the socket is real; the wire is memory. Each seed plays one script: people write, the bot
//! writes, conversations are made, people come and go, while the wire is cut after any byte or message, or falls silent.
//! In the end the bot must have been told of every message once and in order, and what it sent must stand there once.

mod peer;
mod script;
mod wire;
mod world;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::Instant;
use trunkline_proto::conversations::client::Event;

use self::peer::{Outcome, Peer};
use self::script::Script;
use self::world::World;

/// How long a session lasts, in virtual time: cuts, silences and waits included.
const SESSION: Duration = Duration::from_secs(110);

/// Requests gather for a few milliseconds before a subscription is asked for.
const AT_ONCE_MS: i128 = 100;

fn in_virtual_time<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(work)
}

async fn session(seed: u64) -> Peer {
    let mut random = StdRng::seed_from_u64(seed);
    let world = World::start(seed);
    let script = Script::random(&mut random);
    let wires = wire::plan(&mut random);
    let mut peer = Peer::new(wires, random.random());
    let end = Instant::now() + SESSION;
    peer.play(&world, script, end).await;
    check(&world, &peer).await.unwrap_or_else(|problem| panic!("seed {seed}: {problem}"));
    peer
}

/// What must hold in the end.
async fn check(world: &World, peer: &Peer) -> Result<(), String> {
    let mut told: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut joined = BTreeMap::new();
    for (at, event) in &peer.events {
        match event {
            Event::ConversationJoined(data) => {
                joined.insert(data.sid.clone(), *at).map_or(Ok(()), |_| Err("a conversation was joined twice"))?;
            }
            Event::MessageAdded(message) => {
                told.entry(message.conversation.clone()).or_default().push(message.data.index);
            }
            _ => {}
        }
    }
    let snapshot = peer.client.snapshot();
    let all = world.messages().await;
    if joined.len() != all.len() {
        return Err(format!("{} of {} conversations were joined: {snapshot:?}", joined.len(), all.len()));
    }
    for (conversation, messages) in all {
        let told = told.remove(&conversation).unwrap_or_default();
        if !told.is_sorted_by(|before, after| before < after) {
            return Err(format!("messages came twice or out of order: {told:?}"));
        }
        let missed = messages.iter().find(|message| {
            let was_before = message.created <= joined[&conversation];
            !was_before && told.binary_search(&message.index).is_err()
        });
        if let Some(missed) = missed {
            return Err(format!("message {} of {} was not told: {told:?}", missed.index, messages.len()));
        }
        for (body, outcome) in peer.sent.iter().filter(|(body, _)| body.starts_with(&conversation)) {
            let count = messages.iter().filter(|message| message.body == *body).count();
            let fits = match outcome {
                Outcome::Sent => count == 1,
                Outcome::Unknown | Outcome::Open => count <= 1,
                Outcome::NotSent => count == 0,
            };
            if !fits {
                return Err(format!("a text with outcome {outcome:?} stands there {count} times"));
            }
        }
    }
    if peer.sent.values().any(|outcome| *outcome == Outcome::Open) {
        return Err(format!("a command never came to its end: {snapshot:?}"));
    }
    Ok(())
}

/// A quarter of the thousand seeds, so that several cores can share them.
fn cut_anywhere(seeds: Range<u64>) {
    let count = seeds.end - seeds.start;
    let (mut losses, mut told, mut sent, mut unknown) = (0, 0, 0, 0);
    for seed in seeds {
        let peer = in_virtual_time(session(seed));
        let counters = peer.client.snapshot().counters;
        losses += counters.losses;
        told += counters.messages_received;
        sent += counters.messages_sent;
        unknown += peer.sent.values().filter(|outcome| **outcome == Outcome::Unknown).count();
    }
    // The sessions are worth something only if the wire did break, also while something was being sent.
    let counts = format!("{losses} losses, {told} told, {sent} sent, {unknown} unknown");
    assert!(losses > count && told > count * 20 && sent > count && unknown > 0, "{counts}");
}

#[test]
fn cut_anywhere_nothing_is_lost_and_nothing_comes_twice_1() {
    cut_anywhere(0..250);
}

#[test]
fn cut_anywhere_nothing_is_lost_and_nothing_comes_twice_2() {
    cut_anywhere(250..500);
}

#[test]
fn cut_anywhere_nothing_is_lost_and_nothing_comes_twice_3() {
    cut_anywhere(500..750);
}

#[test]
fn cut_anywhere_nothing_is_lost_and_nothing_comes_twice_4() {
    cut_anywhere(750..1000);
}

#[test]
fn over_a_whole_wire_everything_is_told_at_once() {
    for seed in 0..300 {
        in_virtual_time(async {
            let mut random = StdRng::seed_from_u64(seed);
            let world = World::start(seed);
            let mut peer = Peer::new(Vec::new(), random.random());
            peer.play(&world, Script::random(&mut random), Instant::now() + Duration::from_secs(30)).await;
            check(&world, &peer).await.unwrap_or_else(|problem| panic!("seed {seed}: {problem}"));
            for (at, event) in &peer.events {
                let Event::MessageAdded(message) = event else { continue };
                let made: Timestamp = message.data.timestamp.as_deref().unwrap().parse().unwrap();
                let late = at.duration_since(made).as_millis();
                assert!(late <= AT_ONCE_MS, "seed {seed}: message {} came {late} ms late", message.data.index);
            }
        });
    }
}

#[test]
fn a_silent_server_is_noticed() {
    in_virtual_time(async {
        let world = World::start(1);
        let wires = vec![wire::Wire::Silent { to_client: 3000, to_server: 3000 }];
        let mut peer = Peer::new(wires, 1);
        peer.play(&world, Script::default(), Instant::now() + Duration::from_mins(1)).await;
        let snapshot = peer.client.snapshot();
        assert_eq!(snapshot.last_error.map(|loss| loss.code), Some("realtime.silent"));
        assert_eq!(snapshot.counters.connections, 2, "it is connected anew");
    });
}
