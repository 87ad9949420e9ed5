//! The figures of a measurement, for people and for programs.

use serde_json::{Value, json};

use super::super::CallPath;
use super::super::report::ratio;
use super::talk::END_SILENCE;
use super::under_load::Who;
use crate::cli::print;

#[derive(Debug, Clone, Default)]
pub(super) struct Figures {
    pub(super) frames: u64,
    /// Frames that came from the server.
    pub(super) back: u64,
    pub(super) lost: u64,
    pub(super) late: u64,
    pub(super) wrong: u64,
    pub(super) cpu_us: f64,
    pub(super) own_cpu_us: f64,
    pub(super) memory_kib: f64,
    pub(super) median_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
    /// How late the load itself was, p99.
    pub(super) own_lag_ms: f64,
    pub(super) answers: usize,
    /// From the end of speech to the first frame of the answer: least (p1), median and p99.
    pub(super) answer_ms: [f64; 3],
    pub(super) clears: usize,
    /// From the first frame of speech over an answer to the clear: least (p1), median and p99.
    pub(super) clear_ms: [f64; 3],
    pub(super) gaps: usize,
    pub(super) gap_ms: f64,
}

impl Figures {
    pub(super) fn line(&self) -> String {
        format!(
            "{:.2} us CPU a frame (load {:.2}), {:.1} KiB a call, p50 {:.2} p99 {:.2} max {:.2} ms, lost {}, late {}, \
             wrong {}, load late by {:.2} ms p99",
            self.cpu_us,
            self.own_cpu_us,
            self.memory_kib,
            self.median_ms,
            self.p99_ms,
            self.max_ms,
            self.lost,
            self.late,
            self.wrong,
            self.own_lag_ms
        )
    }

    pub(super) fn as_json(&self, who: &str) -> Value {
        json!({
            "who": who, "frames": self.frames, "frames_back": self.back, "lost": self.lost, "late": self.late,
            "wrong": self.wrong, "cpu_us": self.cpu_us, "load_cpu_us": self.own_cpu_us,
            "memory_kib_per_call": self.memory_kib, "round_trip_ms": [self.median_ms, self.p99_ms, self.max_ms],
            "load_lag_p99_ms": self.own_lag_ms, "answers": self.answers, "answer_ms": self.answer_ms,
            "clears": self.clears, "clear_ms": self.clear_ms, "gaps": self.gaps, "longest_gap_ms": self.gap_ms,
        })
    }
}

/// The round whose processor time is the median.
pub(super) fn median(all: &[Figures]) -> Option<Figures> {
    let mut all: Vec<_> = all.to_vec();
    all.sort_by(|a, b| a.cpu_us.total_cmp(&b.cpu_us));
    all.get(all.len() / 2).cloned()
}

pub(super) fn table(medians: &[(Who, Figures)]) {
    print("                CPU a frame   load's   memory a call   median      p99      max    lost  late");
    for (who, figures) in medians {
        print(&format!(
            "{:<14} {:>9.2} us {:>6.2} us {:>11.1} KiB {:>5.2} ms {:>5.2} ms {:>5.1} ms {:>6} {:>5}",
            who.name(),
            figures.cpu_us,
            figures.own_cpu_us,
            figures.memory_kib,
            figures.median_ms,
            figures.p99_ms,
            figures.max_ms,
            figures.lost,
            figures.late
        ));
    }
    for (who, figures) in medians {
        if *who == Who::Ours(CallPath::Pipeline) {
            talk(figures);
        }
    }
    let of = |wanted| medians.iter().find(|(who, _)| *who == wanted).map(|(_, figures)| figures.cpu_us);
    let (floor, node) = (of(Who::Floor), of(Who::Node));
    let (transport, pipeline) = (of(Who::Ours(CallPath::Transport)), of(Who::Ours(CallPath::Pipeline)));
    for (what, above, below, aim) in [
        ("transport to bare echo", transport, floor, "at most 1.5"),
        ("Node.js to transport", node, transport, "at least 1.75"),
        ("pipeline to bare echo", pipeline, floor, "at most 2.5"),
    ] {
        if let (Some(above), Some(below)) = (above, below) {
            print(&format!("CPU, {what:<24} {:>5.2}  (aim: {aim})", ratio(above, below)));
        }
    }
    print("CPU is user and system time from /proc, the server's on one processor, the load's on another.");
}

fn talk(figures: &Figures) {
    let [least, median, p99] = figures.answer_ms;
    let silence = END_SILENCE.as_secs_f64() * 1000.0;
    print(&format!(
        "speech end to answer    {least:.0} ms least, {median:.0} ms median, {p99:.0} ms p99 over {} turns; beyond the \
         {silence:.0} ms of silence {:.0} ms median, {:.0} ms p99 (aim: under 40)",
        figures.answers,
        median - silence,
        p99 - silence
    ));
    let [least, median, p99] = figures.clear_ms;
    print(&format!(
        "talk-over to clear      {least:.0} ms least, {median:.0} ms median, {p99:.0} ms p99 over {} times",
        figures.clears
    ));
    print(&format!("gaps within answers     {}, the longest {:.1} ms", figures.gaps, figures.gap_ms));
}
