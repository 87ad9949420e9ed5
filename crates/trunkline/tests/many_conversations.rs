//! Two hundred people write twenty-five texts each through a whole gateway, while webhooks come twice and out of order.
//! Each has every answer once and in order; when all conversations are closed, nothing of them is left in memory.
#![allow(unsafe_code, reason = "an allocator cannot be written without")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that finds something else fails here")]
#![expect(clippy::print_stdout, reason = "its figures are worth reading")]

#[allow(dead_code, unused_imports, reason = "the other tests use the rest")]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use trunkline_testing::ConcurrentRunner;

use crate::support::{CONSOLE_TOKEN, World, answer, outbox, until_within};

const CONVERSATIONS: usize = 200;
const TEXTS: usize = 25;
/// How many texts each writes at a time: all of them write their first burst, then all their second.
const BURSTS: &[usize] = &[1, 2, 3, 4, 1, 2, 3, 4, 3, 2];
/// Who write before anything is measured: by then pools, caches and buffers have their size.
const FIRST: usize = 20;
const AT_ONCE: usize = 16;
/// Everything, on two slow cores.
const LIMIT: Duration = Duration::from_mins(2);
/// Of what is not freed at once or kept for use: buffers of connections, pages of statements, the list of what happened.
const SLACK_BYTES: i64 = 8 << 20;
/// Connections that are kept for the next request, for a minute and a half at most.
const SLACK_TASKS: usize = 4 * AT_ONCE;

static LIVE: AtomicI64 = AtomicI64::new(0);

struct Counting;

fn count(size: usize, sign: i64) {
    LIVE.fetch_add(sign * i64::try_from(size).unwrap_or(i64::MAX), Ordering::Relaxed);
}

// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: the caller's promises are the system's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(layout.size(), -1);
        count(size, 1);
        // SAFETY: the caller's promises are the system's.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn phone(person: usize) -> String {
    format!("+1555100{person:04}")
}

/// No other person's text has this number.
fn number(person: usize, text: usize) -> usize {
    person * 100 + text
}

/// Persons `from` to below `to` write the bursts, many at once, each text after the one before.
async fn write(world: &Arc<World>, from: usize, to: usize, bursts: &[usize]) {
    let mut first = 0;
    for burst in bursts {
        let texts = first..first + burst;
        first = texts.end;
        let report = ConcurrentRunner::new(AT_ONCE, LIMIT).run(to - from, |run| {
            let (world, person, texts) = (Arc::clone(world), from + run, texts.clone());
            async move {
                let mut conversations = Vec::new();
                for text in texts {
                    conversations.push(world.text(&phone(person), &format!("text {}", number(person, text))).await.0);
                }
                conversations.dedup();
                if conversations.len() == 1 { Ok(()) } else { Err(format!("{} conversations", conversations.len())) }
            }
        });
        let report = report.await;
        println!("bursts of {burst}: {report}");
        report.assert_ok();
    }
}

/// The lines of the answers that a person has; an answer to several texts has a line for each.
async fn lines(world: &World, person: usize) -> Vec<String> {
    let answers = world.answers(&phone(person)).await;
    answers.iter().flat_map(|answer| answer.lines()).map(str::to_owned).collect()
}

/// Waits until everybody has as many answers as texts and nothing is on its way, then compares each.
async fn check(world: &Arc<World>, from: usize, to: usize, texts: usize) {
    for person in from..to {
        let enough = async || (lines(world, person).await.len() >= texts).then_some(());
        until_within(LIMIT, &format!("person {person} has every answer"), enough).await;
    }
    world.until_idle().await;
    let answers = Arc::new(AtomicUsize::new(0));
    let report = ConcurrentRunner::new(AT_ONCE, LIMIT).run(to - from, |run| {
        let (world, person, answers) = (Arc::clone(world), from + run, Arc::clone(&answers));
        async move {
            answers.fetch_add(world.answers(&phone(person)).await.len(), Ordering::Relaxed);
            let expected: Vec<_> = (0..texts).map(|text| format!("answer {}", number(person, text))).collect();
            let found = lines(&world, person).await;
            if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
        }
    });
    report.await.assert_ok();
    println!("{} texts have {} answers", (to - from) * texts, answers.load(Ordering::Relaxed));
}

/// Closes every conversation, as an operator does, and waits until nothing lives.
async fn close_all(world: &Arc<World>, expected: usize) {
    let mut open = Vec::new();
    let mut path = "/api/v1/conversations".to_owned();
    loop {
        let page = world.api(&path).await;
        let found = page["conversations"].as_array().unwrap().iter().filter(|one| one["state"] != "closed");
        open.extend(found.map(|one| one["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/conversations?before={next}");
    }
    assert_eq!(open.len(), expected);
    let open = Arc::new(open);
    let report = ConcurrentRunner::new(AT_ONCE, LIMIT).run(open.len(), |run| {
        let (world, open) = (Arc::clone(world), Arc::clone(&open));
        async move {
            let url = world.gateway_url(&format!("/api/v1/conversations/{}/close", open[run]));
            let closed = answer(world.http.post(url).bearer_auth(CONSOLE_TOKEN).json(&json!({}))).await;
            if closed.status == StatusCode::OK { Ok(()) } else { Err(closed.text) }
        }
    });
    report.await.assert_ok();
    world.until_idle().await;
    for gauge in [
        "trunkline_lanes",
        "trunkline_bus_backlog",
        "twilio_conversation_active",
        "twilio_participant_active",
        "messaging_active_conversations",
    ] {
        let is_zero = async || (world.metric(gauge, "").await.abs() < f64::EPSILON).then_some(());
        until_within(LIMIT, &format!("{gauge} is 0"), is_zero).await;
    }
    assert_eq!(["pending", "sending"].map(|state| outbox(&world.data_dir(), state)), [0, 0]);
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_conversations_lose_double_and_swap_nothing_and_leave_nothing_behind() {
    let world = Arc::new(World::start(&[("TRUNKLINE_DEBOUNCE", "50ms")]).await);
    let event = json!({"event": "onMessageAdded"});
    let doubled = json!({"match": event, "probability": 0.3, "seed": 5, "fault": {"kind": "webhook_duplicate"}});
    let reordered = json!({"match": event, "probability": 0.5, "seed": 7,
                           "fault": {"kind": "webhook_reorder", "window_ms": 300}});
    let faults = [world.fault(doubled).await, world.fault(reordered).await];

    write(&world, 0, FIRST, &[2, 3]).await;
    check(&world, 0, FIRST, 5).await;
    close_all(&world, FIRST).await;
    let (bytes, running) = (LIVE.load(Ordering::Relaxed), tasks());

    assert_eq!(BURSTS.iter().sum::<usize>(), TEXTS);
    let began = Instant::now();
    write(&world, FIRST, FIRST + CONVERSATIONS, BURSTS).await;
    check(&world, FIRST, FIRST + CONVERSATIONS, TEXTS).await;
    println!("{} texts were answered in {:.1?}", CONVERSATIONS * TEXTS, began.elapsed());
    let with_all = LIVE.load(Ordering::Relaxed);
    for fault in faults {
        assert!(world.fault_hits(fault).await > 500, "{fault}");
    }
    let status = world.api("/api/v1/status").await;
    assert_eq!(status["dead_letters"], 0, "{status}");

    close_all(&world, CONVERSATIONS).await;
    // What was said is the emulator's to keep, not the gateway's.
    world.control(Method::POST, "/reset", Value::Null).await;
    let level = async || {
        let (now, tasks) = (LIVE.load(Ordering::Relaxed), tasks());
        (now < bytes + SLACK_BYTES && tasks < running + SLACK_TASKS).then_some((now, tasks))
    };
    let what = format!("{bytes} live bytes and {running} tasks as before, {with_all} with all conversations");
    let (now, tasks) = until_within(LIMIT, &what, level).await;
    println!("live bytes: {bytes} before, {with_all} with all, {now} after; tasks: {running} before, {tasks} after");
}
