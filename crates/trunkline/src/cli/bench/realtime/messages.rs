//! Messages from writers to receivers, over the sockets of both.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use trunkline_twilio::realtime::NewMessage;

use super::super::child::{THIS, cpu};
use super::super::report::{Latencies, figure};
use super::crowd::{Pair, body};
use super::world::World;

/// Messages of one writer whose answer has not come; it waits before it sends another one.
const MAX_UNANSWERED: usize = 64;
/// How long to wait for the last messages.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Messages {
    pub(super) receivers: usize,
    pub(super) sent: usize,
    pub(super) failed: usize,
    pub(super) received: usize,
    pub(super) out_of_order: usize,
    pub(super) sent_per_second: f64,
    pub(super) received_per_second: f64,
    pub(super) latencies: Latencies,
    /// Processors that this process kept busy.
    pub(super) cpu: f64,
    /// Processors that the emulator kept busy, if it is ours.
    pub(super) emulator_cpu: Option<f64>,
}

/// Has each pair's writer send at an even rate, `rate` a second over all.
pub(super) async fn exchange(world: &World, pairs: &[Pair], rate: u32, seconds: u32) -> Result<Messages, String> {
    let all = usize::try_from(u64::from(rate) * u64::from(seconds)).unwrap_or(usize::MAX);
    let each = all.div_ceil(pairs.len().max(1));
    let writers = u32::try_from(pairs.len()).unwrap_or(u32::MAX);
    let every = Duration::from_secs(1) * writers / rate;
    let emulator_cpu = || world.server.as_ref().map(super::super::child::Server::cpu).transpose();
    let (before, emulator_before) = (cpu(THIS)?, emulator_cpu()?);
    let (sent, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let tasks = TaskTracker::new();
    let begun = Instant::now();
    for (number, pair) in (0_u32..).zip(pairs) {
        let first = begun + every * number / writers;
        let (sent, failed) = (Arc::clone(&sent), Arc::clone(&failed));
        let (writer, heard, conversations) = (pair.writer.clone(), Arc::clone(&pair.heard), pair.conversations.clone());
        let answers = tasks.clone();
        let write = async move {
            let room = Arc::new(Semaphore::new(MAX_UNANSWERED));
            let mut ticks = tokio::time::interval_at(first.into(), every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            for conversation in conversations.iter().cycle().take(each) {
                ticks.tick().await;
                let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
                let message = NewMessage { body: Some(body(&heard)), ..NewMessage::default() };
                let (writer, conversation) = (writer.clone(), conversation.clone());
                let (sent, failed) = (Arc::clone(&sent), Arc::clone(&failed));
                let send = async move {
                    let outcome = writer.send(&conversation, message).await;
                    let counter = if outcome.is_ok() { sent } else { failed };
                    counter.fetch_add(1, Ordering::Relaxed);
                    drop(permit);
                };
                answers.spawn(send.instrument(tracing::Span::none()));
            }
        };
        tasks.spawn(write.instrument(tracing::Span::none()));
    }
    tasks.close();
    tasks.wait().await;
    let sending = begun.elapsed();
    let (sent, failed) = (sent.load(Ordering::Relaxed), failed.load(Ordering::Relaxed));

    let received = || pairs.iter().map(|pair| pair.heard.count()).sum::<usize>();
    let deadline = Instant::now() + PATIENCE;
    while received() < sent && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let receiving = begun.elapsed();
    let busy = |used: Duration| used.as_secs_f64() / receiving.as_secs_f64();
    let emulator_cpu = emulator_cpu()?.zip(emulator_before).map(|(after, before)| busy(after.saturating_sub(before)));
    let cpu = busy(cpu(THIS)?.saturating_sub(before));
    let (latencies, out_of_order): (Vec<_>, Vec<_>) = pairs.iter().map(|pair| pair.heard.came()).unzip();
    Ok(Messages {
        receivers: pairs.len(),
        sent,
        failed,
        received: received(),
        out_of_order: out_of_order.into_iter().sum(),
        sent_per_second: figure(sent) / sending.as_secs_f64(),
        received_per_second: figure(received()) / receiving.as_secs_f64(),
        latencies: Latencies::new(latencies.concat()),
        cpu,
        emulator_cpu,
    })
}
