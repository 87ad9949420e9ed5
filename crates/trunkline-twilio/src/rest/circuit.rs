//! Leaves a host alone that does not answer: the circuit breaker.
//!
//! After [`FAILURES`] failures in a row nothing is sent to a host for a while; then one request may try it. If that
//! works all others may; if not, the pause doubles.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use url::{Position, Url};

use super::RestError;

/// Failures in a row that open the circuit.
const FAILURES: u32 = 10;
/// The first pause.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(15);
/// When a request that tries the host has said nothing for so long, another one may.
const TRIAL: Duration = Duration::from_secs(10);
/// How long it is told that the far side asked to slow down.
const REMEMBERED: Duration = Duration::from_mins(1);

/// One circuit for each host of the endpoints.
#[derive(Debug, Default)]
pub(super) struct Circuits(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    hosts: BTreeMap<String, Circuit>,
    throttled: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
enum Circuit {
    Closed { failures: u32 },
    Open { until: Instant, pause: Duration },
    HalfOpen { until: Instant, pause: Duration },
}

impl Default for Circuit {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Circuit {
    /// Lets a request pass, or says how long to wait.
    fn enter(&mut self, now: Instant) -> Result<(), Duration> {
        match *self {
            Self::Closed { .. } => Ok(()),
            Self::Open { until, .. } | Self::HalfOpen { until, .. } if now < until => Err(until - now),
            Self::Open { pause, .. } | Self::HalfOpen { pause, .. } => {
                *self = Self::HalfOpen { until: now + TRIAL, pause };
                Ok(())
            }
        }
    }

    fn failed(&mut self, now: Instant) {
        let pause = match *self {
            Self::Closed { failures } if failures + 1 < FAILURES => {
                *self = Self::Closed { failures: failures + 1 };
                return;
            }
            // What was sent before it opened.
            Self::Open { .. } => return,
            Self::Closed { .. } => FIRST_PAUSE,
            Self::HalfOpen { pause, .. } => (pause * 2).min(MAX_PAUSE),
        };
        *self = Self::Open { until: now + pause, pause };
    }
}

impl Circuits {
    /// Lets a request to this address pass.
    ///
    /// # Errors
    /// [`RestError::CircuitOpen`].
    pub(super) fn enter(&self, url: &Url) -> Result<(), RestError> {
        let entered = self.with(url, |circuit| circuit.enter(Instant::now()));
        entered.map_err(|retry_after| RestError::CircuitOpen { retry_after })
    }

    /// Notes how a request went. Whoever answers at all is there, whatever the answer.
    pub(super) fn note<T>(&self, url: &Url, outcome: &Result<T, RestError>) {
        match outcome {
            Err(RestError::Unavailable { .. } | RestError::Unreachable(_) | RestError::UnknownOutcome(_)) => {
                self.with(url, |circuit| circuit.failed(Instant::now()));
            }
            // Says nothing of the host.
            Err(RestError::Client(_) | RestError::BadArgument(_) | RestError::CircuitOpen { .. }) => {}
            outcome => {
                if matches!(outcome, Err(RestError::Throttled { .. })) {
                    self.state().throttled = Some(Instant::now());
                }
                self.with(url, |circuit| *circuit = Circuit::default());
            }
        }
    }

    /// The hosts that are left alone.
    pub(super) fn open(&self) -> Vec<String> {
        let is_open = |circuit: &Circuit| !matches!(circuit, Circuit::Closed { .. });
        self.state().hosts.iter().filter(|(_, circuit)| is_open(circuit)).map(|(host, _)| host.clone()).collect()
    }

    /// Whether the far side asked to slow down within the last minute.
    pub(super) fn is_throttled(&self) -> bool {
        self.state().throttled.is_some_and(|at| at.elapsed() < REMEMBERED)
    }

    fn with<T>(&self, url: &Url, work: impl FnOnce(&mut Circuit) -> T) -> T {
        let mut state = self.state();
        let host = &url[Position::BeforeHost..Position::AfterPort];
        // Endpoints come from the configuration, so that these are few.
        if let Some(circuit) = state.hosts.get_mut(host) {
            return work(circuit);
        }
        work(state.hosts.entry(host.to_owned()).or_default())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_failures_in_a_row_open_it_and_one_request_tries_again() {
        let (mut circuit, start) = (Circuit::default(), Instant::now());
        for _ in 0..FAILURES - 1 {
            circuit.failed(start);
        }
        assert_eq!(circuit.enter(start), Ok(()));
        circuit.failed(start);
        assert_eq!(circuit.enter(start), Err(FIRST_PAUSE));
        let later = start + FIRST_PAUSE;
        assert_eq!(circuit.enter(later), Ok(()), "one may try");
        assert_eq!(circuit.enter(later), Err(TRIAL), "the others wait for it");
        assert_eq!(circuit.enter(later + TRIAL), Ok(()), "it never came back");
    }

    #[test]
    fn pauses_double_up_to_their_bound() {
        let (mut circuit, mut now) = (Circuit::default(), Instant::now());
        (0..FAILURES).for_each(|_| circuit.failed(now));
        let pauses: Vec<_> = (0..6)
            .map(|_| {
                let pause = circuit.enter(now).unwrap_err();
                circuit.failed(now);
                now += pause;
                assert_eq!(circuit.enter(now), Ok(()));
                circuit.failed(now);
                pause.as_secs()
            })
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 15, 15]);
    }

    #[test]
    fn each_host_has_its_own_and_any_answer_closes_it() {
        let circuits = Circuits::default();
        let [here, there] = ["http://a.example:1/v1/x", "http://b.example/v1/y"].map(|url| Url::parse(url).unwrap());
        let trouble = || Err::<(), _>(RestError::Unavailable { status: 503, code: 20503 });
        (0..FAILURES).for_each(|_| circuits.note(&here, &trouble()));
        assert!(matches!(circuits.enter(&here), Err(RestError::CircuitOpen { .. })));
        assert!(circuits.enter(&there).is_ok());
        assert_eq!(circuits.open(), ["a.example:1"]);
        // An answer to what was sent before.
        circuits.note(&here, &Err::<(), _>(RestError::Refused { status: 404, code: 20404 }));
        assert!(circuits.enter(&here).is_ok() && circuits.open().is_empty());
        assert!(!circuits.is_throttled());
        circuits.note(&here, &Err::<(), _>(RestError::Throttled { retry_after: Duration::ZERO, code: 20429 }));
        assert!(circuits.is_throttled());
    }
}
