//! What came of many runs.

use std::fmt;
use std::time::Duration;

use super::ConcurrentRunner;

/// How a run failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureKind {
    /// It returned an error.
    Error,
    /// It panicked.
    Panic,
}

/// A run that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its number, from 0.
    pub run: usize,
    /// How it failed.
    pub kind: FailureKind,
    /// The error or the panic, as text.
    pub message: String,
}

/// What came of the runs of a [`ConcurrentRunner`]. `Display` tells it in a few lines.
#[derive(Debug, Clone)]
pub struct Report {
    times: usize,
    successes: usize,
    errors: usize,
    panics: usize,
    cut_off: usize,
    not_begun: usize,
    elapsed: Duration,
    failures: Vec<Failure>,
    /// Of the runs that ended with a result; sorted at the end.
    latencies: Vec<Duration>,
}

impl Report {
    pub(super) fn new(times: usize) -> Self {
        Self {
            times,
            successes: 0,
            errors: 0,
            panics: 0,
            cut_off: 0,
            not_begun: 0,
            elapsed: Duration::ZERO,
            failures: Vec::new(),
            latencies: Vec::new(),
        }
    }

    pub(super) fn succeeded(&mut self, took: Duration) {
        self.successes += 1;
        self.latencies.push(took);
    }

    pub(super) fn failed(&mut self, run: usize, kind: FailureKind, message: String, took: Option<Duration>) {
        match kind {
            FailureKind::Error => self.errors += 1,
            FailureKind::Panic => self.panics += 1,
        }
        self.latencies.extend(took);
        if self.failures.len() < ConcurrentRunner::MAX_FAILURES {
            self.failures.push(Failure { run, kind, message });
        }
    }

    pub(super) fn end(&mut self, cut_off: usize, not_begun: usize, elapsed: Duration) {
        self.cut_off = cut_off;
        self.not_begun = not_begun;
        self.elapsed = elapsed;
        self.latencies.sort_unstable();
    }

    /// Runs that succeeded.
    pub const fn successes(&self) -> usize {
        self.successes
    }

    /// Runs that returned an error.
    pub const fn errors(&self) -> usize {
        self.errors
    }

    /// Runs that panicked.
    pub const fn panics(&self) -> usize {
        self.panics
    }

    /// Runs that were cut off because the time was over.
    pub const fn cut_off(&self) -> usize {
        self.cut_off
    }

    /// Runs that had not begun when the time was over.
    pub const fn not_begun(&self) -> usize {
        self.not_begun
    }

    /// How long all of it took.
    pub const fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// The first failures, in the order in which they happened: [`ConcurrentRunner::MAX_FAILURES`] at most.
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// How long `percent` of a hundred runs took at most, of those that ended with a success or an error. Out of range
    /// is brought into it; `None` if no run ended.
    pub fn percentile(&self, percent: f64) -> Option<Duration> {
        let last = self.latencies.len().checked_sub(1)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a million runs at most, and never below zero"
        )]
        let place = (percent.clamp(0.0, 100.0) / 100.0 * self.latencies.len() as f64).ceil() as usize;
        self.latencies.get(place.saturating_sub(1).min(last)).copied()
    }

    /// Whether every run succeeded in time.
    pub const fn is_ok(&self) -> bool {
        self.successes == self.times
    }

    /// Panics with the whole report unless every run succeeded in time.
    #[track_caller]
    pub fn assert_ok(&self) {
        assert!(self.is_ok(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} runs succeeded in {:.2?}", self.successes, self.times, self.elapsed)?;
        if let [Some(half), Some(most), Some(slowest)] = [50.0, 99.0, 100.0].map(|percent| self.percentile(percent)) {
            write!(f, "; half took {half:.2?} at most, 99 in 100 {most:.2?}, the slowest {slowest:.2?}")?;
        }
        if !self.is_ok() {
            write!(f, "; {} errors, {} panics", self.errors, self.panics)?;
            write!(f, ", {} cut off, {} not begun", self.cut_off, self.not_begun)?;
        }
        for Failure { run, kind, message } in &self.failures {
            let how = match kind {
                FailureKind::Error => "failed",
                FailureKind::Panic => "panicked",
            };
            write!(f, "\n  run {run} {how}: {message}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_runs_that_ended() {
        let mut report = Report::new(4);
        assert_eq!(report.percentile(50.0), None);
        for millis in [40, 10, 30, 20] {
            report.succeeded(Duration::from_millis(millis));
        }
        report.end(0, 0, Duration::from_millis(50));
        let at = |percent| report.percentile(percent).unwrap().as_millis();
        assert_eq!([at(0.0), at(50.0), at(75.0), at(99.0), at(200.0)], [10, 20, 30, 40, 40]);
        let told = report.to_string();
        assert!(told.starts_with("4 of 4 runs succeeded in 50.00ms; half took 20.00ms"), "{told}");
    }
}
