//! Calls with audio: the load is Twilio's end of many Media Streams, on a processor of its own.

mod cores;
mod load;
mod scripted;
mod server;
mod talk;
mod told;
mod under_load;
mod wire;

use std::time::Duration;

use serde_json::json;
use trunkline_emulator::Emulator;

pub(super) use self::server::run as serve;

use self::cores::Cores;
use self::load::{Lines, Part, Seen};
use self::talk::Talk;
use self::told::{Figures, median};
use self::under_load::{Twilio, UnderLoad, Who};
use super::child::{THIS, cpu};
use super::report::{Latencies, figure, ratio};
use super::{CallArgs, CallPath};
use crate::cli::{print, say};

/// Before a measurement callers speak for this long.
const WARM_UP: Duration = Duration::from_secs(2);
/// Calls that come before, so that all of the server's code has run, and how long they last.
const FIRST_CALLS: u32 = 8;
const FIRST_TIME: Duration = Duration::from_millis(500);
/// A greeting, and a turn of everyone: the pipeline's conversations are under way after it.
const PIPELINE_WARM_UP: Duration = Duration::from_secs(4);
/// How often all are measured, by turns.
const ROUNDS: usize = 3;
/// The aim of the search for the most calls.
const MOST_P99_MS: f64 = 20.0;
const MOST_CALLS: u32 = 4000;
const MOST_TIME: Duration = Duration::from_secs(5);
/// Bisection ends when the step is this small a part.
const MOST_STEP: u32 = 16;

pub(super) async fn run(args: &CallArgs) -> Result<(), String> {
    let cores = Cores::two()?;
    if args.scripted {
        return scripted::run(args, cores).await;
    }
    let emulator = Emulator::builder()
        .listen(([127, 0, 0, 1], 0).into())
        .start()
        .await
        .map_err(|error| format!("no emulator: {error}"))?;
    let talk = Talk::prepare().await?;
    let bench = Bench { args, cores, twilio: Twilio::of(&emulator), talk: &talk };
    let outcome = if let Some(calls) = args.leak {
        bench.leak(calls).await
    } else {
        let compared = bench.compare().await;
        if args.most {
            bench.most().await;
        }
        compared
    };
    emulator.shutdown().await;
    outcome
}

struct Bench<'a> {
    args: &'a CallArgs,
    cores: Cores,
    twilio: Twilio,
    talk: &'a Talk,
}

impl Bench<'_> {
    async fn compare(&self) -> Result<(), String> {
        let ours = [Who::Ours(CallPath::Transport), Who::Ours(CallPath::Pipeline)];
        let (all, rounds) = if self.args.peers {
            ([&[Who::Floor, Who::Node], ours.as_slice()].concat(), ROUNDS)
        } else {
            (vec![Who::Ours(self.args.path)], 1)
        };
        let mut rows: Vec<(Who, Vec<Figures>)> = all.iter().map(|who| (*who, Vec::new())).collect();
        for round in 0..rounds {
            for (who, figures) in &mut rows {
                say(&format!("{} calls for {} s, {}…", self.args.calls, self.args.seconds, who.name()));
                let measured =
                    self.measure(*who, self.args.calls, Duration::from_secs(self.args.seconds.into())).await?;
                say(&format!("  round {}: {}", round + 1, measured.line()));
                figures.push(measured);
            }
        }
        let medians: Vec<(Who, Figures)> = rows.iter().filter_map(|(who, all)| Some((*who, median(all)?))).collect();
        if self.args.json {
            let rows: Vec<_> = medians.iter().map(|(who, figures)| figures.as_json(who.name())).collect();
            print(&json!({ "calls": self.args.calls, "seconds": self.args.seconds, "medians": rows }).to_string());
        } else {
            told::table(&medians);
        }
        let lost: u64 = medians.iter().map(|(_, figures)| figures.lost + figures.wrong).sum();
        if lost > 0 { Err(format!("{lost} frames were lost or wrong")) } else { Ok(()) }
    }

    async fn measure(&self, who: Who, calls: u32, time: Duration) -> Result<Figures, String> {
        let under = UnderLoad::start(who, self.cores, &self.twilio, &self.args.peers_dir).await?;
        let (part, warm_up) = match who {
            Who::Ours(CallPath::Pipeline) => (Part::Talk(self.talk), PIPELINE_WARM_UP),
            _ => (Part::Echo, WARM_UP),
        };
        let open = |calls: u32| (0..calls as usize).map(|number| under.address.open(number)).collect();
        // The program's own pages come in with the first calls, and are not theirs.
        let first: Result<Vec<_>, String> = open(FIRST_CALLS);
        drop(Lines::new(first?, part)?.run(FIRST_TIME, part)?);
        let before_kib = under.server.memory_kib()?;
        let opened: Result<Vec<_>, String> = open(calls);
        let mut lines = Lines::new(opened?, part)?;
        lines.run(warm_up, part)?;
        let (before, own_before) = (under.server.cpu()?, cpu(THIS)?);
        let seen = lines.run(time, part)?;
        let (after, own_after) = (under.server.cpu()?, cpu(THIS)?);
        let after_kib = under.server.memory_kib()?;
        let each = |time: Duration| ratio(time.as_secs_f64() * 1e6, figure(usize::try_from(seen.sent).unwrap_or(0)));
        let figures = Figures {
            cpu_us: each(after.saturating_sub(before)),
            own_cpu_us: each(own_after.saturating_sub(own_before)),
            memory_kib: ratio(
                figure(usize::try_from(after_kib.saturating_sub(before_kib)).unwrap_or(0)),
                f64::from(calls),
            ),
            ..Figures::of(seen, part)
        };
        Ok(figures)
    }

    /// The most calls that hold: doubled until they do not, then halved between.
    async fn most(&self) {
        let all = if self.args.peers {
            vec![Who::Floor, Who::Node, Who::Ours(CallPath::Transport)]
        } else {
            vec![Who::Ours(CallPath::Transport)]
        };
        let mut found = Vec::new();
        for who in all {
            let (mut holds, mut fails) = (0, None);
            let mut calls = 200;
            while fails.is_none_or(|fails: u32| fails - holds > 1 + holds / MOST_STEP) && calls <= MOST_CALLS {
                // Another try: whatever else runs on this machine must not end the search.
                if self.holds(who, calls).await || self.holds(who, calls).await {
                    holds = calls;
                } else {
                    fails = Some(calls);
                }
                calls = fails.map_or(calls * 2, |fails| u32::midpoint(holds, fails));
            }
            found.push(holds);
            print(&format!(
                "most calls, {:<12} {holds:>6}  (nothing lost, p99 under {MOST_P99_MS} ms, for {} s)",
                who.name(),
                MOST_TIME.as_secs()
            ));
        }
        if let [floor, node, ours] = found.as_slice() {
            print(&format!("most calls, bare echo to Node.js  {:.2}", ratio(f64::from(*floor), f64::from(*node))));
            print(&format!(
                "most calls, ours to Node.js  {:.2}  (aim: at least 2.5)",
                ratio(f64::from(*ours), f64::from(*node))
            ));
        }
    }

    /// Whether so many calls lose nothing and are in time. A server that breaks down does not hold.
    async fn holds(&self, who: Who, calls: u32) -> bool {
        self.measure(who, calls, MOST_TIME).await.is_ok_and(|figures| {
            say(&format!("  {calls} calls, {}: {}", who.name(), figures.line()));
            figures.lost + figures.wrong == 0 && figures.p99_ms < MOST_P99_MS
        })
    }

    /// Many short calls, one after another, some at once.
    async fn leak(&self, calls: u32) -> Result<(), String> {
        const AT_ONCE: u32 = 20;
        let who = Who::Ours(self.args.path);
        let under = UnderLoad::start(who, self.cores, &self.twilio, &self.args.peers_dir).await?;
        let (part, mut done, mut first_kib) = (Part::Talk(self.talk), 0, None);
        while done < calls {
            let opened: Result<Vec<_>, _> = (0..AT_ONCE as usize).map(|number| under.address.open(number)).collect();
            let mut lines = Lines::new(opened?, part)?;
            drop(lines.run(Duration::from_millis(40), part)?);
            done += AT_ONCE;
            // Allocator and caches have what they need after the first tenth.
            if done >= calls / 10 && first_kib.is_none() {
                first_kib = Some(under.server.memory_kib()?);
            }
        }
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        let mut live = under.address.live()?;
        while live > 0 && std::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(100)).await;
            live = under.address.live()?;
        }
        let last_kib = under.server.memory_kib()?;
        print(&format!("short calls       {done}, {AT_ONCE} at once"));
        print(&format!("live afterwards   {live}  (aim: 0)"));
        print(&format!(
            "memory            {} KiB after a tenth of them, {last_kib} KiB after all",
            first_kib.unwrap_or_default()
        ));
        if live > 0 { Err(format!("{live} calls did not end")) } else { Ok(()) }
    }
}

impl Figures {
    fn of(seen: Seen, part: Part<'_>) -> Self {
        let lost = if matches!(part, Part::Echo) { seen.lost() } else { 0 };
        let lags = Latencies::new(seen.lags);
        let trips = Latencies::new(seen.round_trips);
        let answers = Latencies::new(seen.answers);
        let clears = Latencies::new(seen.clears);
        let gaps = Latencies::new(seen.gaps);
        Self {
            frames: seen.sent,
            back: seen.received,
            lost,
            late: seen.late,
            wrong: seen.wrong,
            median_ms: trips.percentile_ms(0.5),
            p99_ms: trips.percentile_ms(0.99),
            max_ms: trips.percentile_ms(1.0),
            own_lag_ms: lags.percentile_ms(0.99),
            answers: answers.count(),
            answer_ms: [answers.percentile_ms(0.01), answers.percentile_ms(0.5), answers.percentile_ms(0.99)],
            clears: clears.count(),
            clear_ms: [clears.percentile_ms(0.01), clears.percentile_ms(0.5), clears.percentile_ms(0.99)],
            gaps: gaps.count(),
            gap_ms: gaps.percentile_ms(1.0),
            ..Self::default()
        }
    }
}
