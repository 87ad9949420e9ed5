//! A test that is run many times, several at once, within a time.

mod report;

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::task::{Id, JoinSet};
use tokio::time::Instant;

pub use self::report::{Failure, FailureKind, Report};

/// Runs a test function many times, so many at once, for so long at most.
///
/// Runs are spread over the threads of the runtime. A run that panics fails, the others go on. Memory is bounded: 16
/// bytes a run, and the first [`MAX_FAILURES`](Self::MAX_FAILURES) failures.
///
/// ```
/// use std::time::Duration;
/// use trunkline_testing::ConcurrentRunner;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let runner = ConcurrentRunner::new(8, Duration::from_secs(10));
/// let report = runner.run(100, |run| async move {
///     if run < 100 { Ok(()) } else { Err(format!("run {run} is one too many")) }
/// });
/// let report = report.await;
/// report.assert_ok();
/// assert!(report.percentile(99.0).unwrap() < Duration::from_secs(1));
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ConcurrentRunner {
    workers: usize,
    limit: Duration,
}

impl ConcurrentRunner {
    /// The most runs at once.
    pub const MAX_WORKERS: usize = 4_096;
    /// The most runs of one call.
    pub const MAX_RUNS: usize = 1_000_000;
    /// The most failures that a report describes; all are counted.
    pub const MAX_FAILURES: usize = 100;

    /// Runs `workers` at once (1 to [`MAX_WORKERS`](Self::MAX_WORKERS); other numbers are brought to the nearer end)
    /// and everything within `limit`.
    pub fn new(workers: usize, limit: Duration) -> Self {
        Self { workers: workers.clamp(1, Self::MAX_WORKERS), limit }
    }

    /// Runs `test` for each number from 0 to below `times` ([`MAX_RUNS`](Self::MAX_RUNS) at most), beginning in that
    /// order. When the time is over, what still runs is cut off at its next await and counted in the report.
    ///
    /// # Errors
    /// None: failures and panics are in the report.
    ///
    /// # Cancel safety
    /// Dropped before it returns, all runs are cut off and there is no report.
    pub async fn run<F, R, E>(self, times: usize, test: F) -> Report
    where
        F: Fn(usize) -> R,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        let times = times.min(Self::MAX_RUNS);
        let began = Instant::now();
        let mut report = Report::new(times);
        let mut running = JoinSet::new();
        let mut numbers: HashMap<Id, usize> = HashMap::new();
        let mut next = 0;
        let mut over = std::pin::pin!(tokio::time::sleep(self.limit));
        loop {
            while next < times && running.len() < self.workers {
                let run = next;
                next += 1;
                let work = match catch_unwind(AssertUnwindSafe(|| test(run))) {
                    Ok(work) => work,
                    Err(panic) => {
                        report.failed(run, FailureKind::Panic, said(panic), None);
                        continue;
                    }
                };
                let timed = async move {
                    let began = Instant::now();
                    (work.await.map_err(|error| error.to_string()), began.elapsed())
                };
                numbers.insert(running.spawn(timed).id(), run);
            }
            let ended = tokio::select! {
                ended = running.join_next_with_id() => ended,
                () = &mut over => break,
            };
            match ended {
                None => break,
                Some(Ok((id, (Ok(()), took)))) => {
                    numbers.remove(&id);
                    report.succeeded(took);
                }
                Some(Ok((id, (Err(message), took)))) => {
                    let run = numbers.remove(&id).unwrap_or_default();
                    report.failed(run, FailureKind::Error, message, Some(took));
                }
                Some(Err(error)) => {
                    let run = numbers.remove(&error.id()).unwrap_or_default();
                    let message = error.try_into_panic().map_or_else(|error| error.to_string(), said);
                    report.failed(run, FailureKind::Panic, message, None);
                }
            }
        }
        report.end(running.len(), times - next, began.elapsed());
        running.shutdown().await;
        report
    }
}

/// What a panic said.
pub(crate) fn said(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().map_or("a panic without a text", |text| text).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn every_number_is_run_once_and_never_too_many_at_once() {
        let (now, most, sum) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::default());
        let report = ConcurrentRunner::new(4, Duration::from_secs(20)).run(100, |run| {
            let (now, most, sum): (_, _, Arc<AtomicUsize>) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&sum));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                sum.fetch_add(run, Ordering::SeqCst);
                now.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, String>(())
            }
        });
        let report = report.await;
        report.assert_ok();
        assert_eq!((report.successes(), sum.load(Ordering::SeqCst)), (100, 4_950));
        assert_eq!(most.load(Ordering::SeqCst), 4);
    }

    #[tokio::test]
    async fn errors_and_panics_are_told_apart_and_named() {
        let runner = ConcurrentRunner::new(2, Duration::from_secs(20));
        let report = runner.run(5, |run| {
            assert!(run != 4, "four");
            async move {
                assert!(run != 3, "three");
                if run == 1 { Err("one") } else { Ok(()) }
            }
        });
        let report = report.await;
        assert!(!report.is_ok());
        let mut failures = report.failures().to_vec();
        failures.sort_by_key(|failure| failure.run);
        let told: Vec<_> = failures.iter().map(|one| (one.run, one.kind, one.message.as_str())).collect();
        let panic = FailureKind::Panic;
        assert_eq!(told, [(1, FailureKind::Error, "one"), (3, panic, "three"), (4, panic, "four")]);
        assert_eq!((report.successes(), report.errors(), report.panics()), (2, 1, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_too_long_is_cut_off_and_counted() {
        let runner = ConcurrentRunner::new(2, Duration::from_secs(1));
        let report = runner.run(10, |run| async move {
            if run > 0 {
                std::future::pending::<()>().await;
            }
            Ok::<_, String>(())
        });
        let report = report.await;
        assert_eq!((report.successes(), report.cut_off(), report.not_begun()), (1, 2, 7));
        assert!(!report.is_ok());
        assert_eq!(report.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test]
    async fn failures_are_counted_beyond_those_that_are_described() {
        let runner = ConcurrentRunner::new(16, Duration::from_secs(20));
        let report = runner.run(1_000, |_| async { Err::<(), _>("no") }).await;
        assert_eq!((report.errors(), report.failures().len()), (1_000, ConcurrentRunner::MAX_FAILURES));
    }
}
