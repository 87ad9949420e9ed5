//! Many clients with a socket in one process: what they cost, what goes through them, how soon an agent is called.

mod called;
mod crowd;
mod messages;
mod world;

use std::time::{Duration, Instant};

use serde_json::json;

use self::called::Called;
use self::crowd::{Crowd, identities};
use self::messages::Messages;
use self::world::World;
use super::RealtimeArgs;
use super::child::{Server, THIS, memory_kib};
use super::report::kib_to_mib;
use crate::cli::{print, say};

/// What clients that are open cost.
struct Opened {
    took: Duration,
    before_kib: u64,
    after_kib: u64,
    emulator_kib: Option<(u64, u64)>,
}

pub(super) async fn run(args: &RealtimeArgs) -> Result<(), String> {
    let (pairs, each) = (as_count(args.identities / 2), as_count(args.conversations));
    let receivers = as_count(args.receivers).min(pairs);
    let world = World::new(args.emulator.as_deref()).await?;
    say(&format!("{} conversations are made…", pairs * each));
    let emulator_kib = || world.server.as_ref().map(Server::memory_kib).transpose();
    let emulator_before = emulator_kib()?;
    let rosters =
        (0..pairs * each).map(|number| identities(number / each).map(|identity| vec![("Identity", identity)]).to_vec());
    let conversations = world.conversations(rosters.collect()).await?;
    let conversations = conversations.chunks(each).map(<[String]>::to_vec).collect();

    say(&format!("{} clients connect…", pairs * 2));
    let before_kib = memory_kib(THIS)?;
    let begun = Instant::now();
    let crowd = Crowd::start(&world, conversations)?;
    crowd.is_open(each).await?;
    let took = begun.elapsed();
    let emulator_kib = emulator_before.zip(emulator_kib()?);
    let opened = Opened { took, before_kib, after_kib: memory_kib(THIS)?, emulator_kib };

    say(&format!("{} messages a second to {receivers} clients for {} s…", args.rate, args.seconds));
    let writing = crowd.pairs.get(..receivers).unwrap_or_default();
    let messages = messages::exchange(&world, writing, args.rate, args.seconds).await?;
    let (loaded_kib, losses) = (memory_kib(THIS)?, crowd.losses());
    crowd.stop().await;

    let called = if args.texts == 0 {
        None
    } else {
        say(&format!("{} texts to an agent…", args.texts));
        Some(called::measure(&world, args.texts).await?)
    };
    if args.json {
        print(&as_json(args, &opened, &messages, called.as_ref(), losses).to_string());
    } else {
        tell(args, &opened, &messages, called.as_ref(), losses);
        print(&format!(
            "CPU is user and system time from /proc, in processors. Memory of the clients after the messages: {:.1} MiB.",
            kib_to_mib(loaded_kib)
        ));
        print(&format!("Again: {}", command(args)));
    }
    let lost = messages.sent.saturating_sub(messages.received);
    if lost > 0 { Err(format!("{lost} messages did not come")) } else { Ok(()) }
}

fn tell(args: &RealtimeArgs, opened: &Opened, messages: &Messages, called: Option<&Called>, losses: u64) {
    let Opened { took, before_kib, after_kib, emulator_kib } = opened;
    let clients = f64::from(args.identities / 2 * 2);
    let grown = kib_to_mib(after_kib.saturating_sub(*before_kib));
    print(&format!(
        "open                        {:.1} s for {clients} clients in {} conversations each",
        took.as_secs_f64(),
        args.conversations
    ));
    print(&format!(
        "memory of all clients       {:.1} MiB, {:.1} before; {:.1} KiB each  (aim: under 250 MiB)",
        kib_to_mib(*after_kib),
        kib_to_mib(*before_kib),
        grown * 1024.0 / clients
    ));
    if let Some((before, after)) = emulator_kib {
        print(&format!(
            "memory of the emulator      {:.1} MiB, {:.1} before there were conversations",
            kib_to_mib(*after),
            kib_to_mib(*before)
        ));
    }
    print(&format!(
        "messages sent               {} at {:.0} a second; {} failed",
        messages.sent, messages.sent_per_second, messages.failed
    ));
    print(&format!(
        "received                    {} at {:.0} a second by {} clients; {} missing, {} out of order; {losses} \
         connections lost",
        messages.received,
        messages.received_per_second,
        messages.receivers,
        messages.sent.saturating_sub(messages.received),
        messages.out_of_order
    ));
    print(&format!(
        "send to messageAdded        {:.2} ms median, {:.2} ms p99, {:.2} ms at most",
        messages.latencies.percentile_ms(0.5),
        messages.latencies.percentile_ms(0.99),
        messages.latencies.percentile_ms(1.0)
    ));
    let emulator = messages.emulator_cpu.map(|cpu| format!(", emulator {cpu:.2}")).unwrap_or_default();
    print(&format!("CPU meanwhile               clients {:.2}{emulator}", messages.cpu));
    if let Some(Called { first, later }) = called {
        print(&format!(
            "text to call of the agent   {:.2} ms median, {:.2} ms p99 over {} texts  (aim: p99 under 5 ms)",
            later.percentile_ms(0.5),
            later.percentile_ms(0.99),
            later.count()
        ));
        print(&format!(
            "the first of each person    {:.2} ms median, {:.2} ms at most over {} texts",
            first.percentile_ms(0.5),
            first.percentile_ms(1.0),
            first.count()
        ));
    }
}

fn as_json(
    args: &RealtimeArgs,
    opened: &Opened,
    messages: &Messages,
    called: Option<&Called>,
    losses: u64,
) -> serde_json::Value {
    json!({
        "open": {
            "clients": args.identities / 2 * 2, "conversations_each": args.conversations,
            "seconds": opened.took.as_secs_f64(),
            "memory_before_kib": opened.before_kib, "memory_after_kib": opened.after_kib,
            "emulator_kib": opened.emulator_kib.map(|(_, after)| after),
        },
        "messages": {
            "sent": messages.sent, "failed": messages.failed, "received": messages.received,
            "out_of_order": messages.out_of_order, "connections_lost": losses,
            "sent_per_second": messages.sent_per_second, "received_per_second": messages.received_per_second,
            "median_ms": messages.latencies.percentile_ms(0.5), "p99_ms": messages.latencies.percentile_ms(0.99),
            "cpu": messages.cpu, "emulator_cpu": messages.emulator_cpu,
        },
        "agent_called": called.map(|called| json!({
            "texts": called.later.count(), "median_ms": called.later.percentile_ms(0.5),
            "p99_ms": called.later.percentile_ms(0.99), "first_median_ms": called.first.percentile_ms(0.5),
        })),
    })
}

/// The command that measures this again.
fn command(args: &RealtimeArgs) -> String {
    let emulator = args.emulator.as_deref().map(|url| format!(" --emulator {url}")).unwrap_or_default();
    format!(
        "trunkline bench realtime --identities {} --conversations {} --receivers {} --rate {} --seconds {} --texts {}{emulator}",
        args.identities, args.conversations, args.receivers, args.rate, args.seconds, args.texts
    )
}

fn as_count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
