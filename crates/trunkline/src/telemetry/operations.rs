//! What every operation of any backend has: a counter and a histogram of its own, and a share in those of the backend.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};
use tracing::{Instrument as _, Span};
use trunkline_core::{Config, OperationError};

use super::metrics::seconds;
use super::names::OperationNames;

/// The words of a contract's operations and codes.
pub(super) trait Word: Copy {
    fn word(self) -> &'static str;
}

impl Word for trunkline_core::messaging::Operation {
    fn word(self) -> &'static str {
        self.as_str()
    }
}

impl Word for trunkline_core::messaging::ErrorCode {
    fn word(self) -> &'static str {
        self.as_str()
    }
}

impl Word for trunkline_core::voice::Operation {
    fn word(self) -> &'static str {
        self.as_str()
    }
}

impl Word for trunkline_core::voice::ErrorCode {
    fn word(self) -> &'static str {
        self.as_str()
    }
}

struct OperationInstruments {
    span: &'static str,
    total: Counter<u64>,
    duration: Histogram<f64>,
}

/// The instruments of a backend's operations.
pub(super) struct Operations<O> {
    each: HashMap<O, OperationInstruments>,
    total: Counter<u64>,
    duration: Histogram<f64>,
    errors: Counter<u64>,
}

/// How an operation went.
pub(super) struct Went {
    pub(super) took: Duration,
    /// The provider's code, or else the contract's.
    pub(super) error_code: Option<&'static str>,
}

impl<O: Word + Eq + Hash> Operations<O> {
    /// `total`, `duration` and `errors` name the instruments of the backend as a whole.
    pub(super) fn new(
        meter: &Meter,
        names: &[OperationNames<O>],
        [total, duration, errors]: [&'static str; 3],
    ) -> Self {
        let each = names.iter().map(|names| {
            let instruments = OperationInstruments {
                span: names.span,
                total: meter.u64_counter(names.total).build(),
                duration: seconds(meter, names.duration),
            };
            (names.operation, instruments)
        });
        Self {
            each: each.collect(),
            total: meter.u64_counter(total).build(),
            duration: seconds(meter, duration),
            errors: meter.u64_counter(errors).build(),
        }
    }

    /// The name of the operation's span.
    pub(super) fn span(&self, operation: O) -> Option<&'static str> {
        self.each.get(&operation).map(|instruments| instruments.span)
    }

    /// Does the work in `span`, and records, logs and counts how it went as far as `config` wants.
    pub(super) async fn observe<T, C: Word>(
        &self,
        config: impl Fn() -> std::sync::Arc<Config> + Send,
        operation: O,
        span: Span,
        work: impl Future<Output = Result<T, OperationError<O, C>>> + Send,
        log: fn(O, Option<&OperationError<O, C>>),
    ) -> (Result<T, OperationError<O, C>>, Option<Went>) {
        let begun = Instant::now();
        let outcome = work.instrument(span.clone()).await;
        let config = config();
        let error = outcome.as_ref().err();
        if let Some(error) = error {
            span.record("error.code", error.code().word());
            span.record("otel.status_code", "ERROR");
        }
        if config.enable_structured_logging() {
            span.in_scope(|| log(operation, error));
        }
        let went = config.enable_metrics().then(|| {
            let error_code = error.map(|error| error.provider_code().unwrap_or_else(|| error.code().word()));
            let went = Went { took: begun.elapsed(), error_code };
            self.count(operation, &went);
            went
        });
        (outcome, went)
    }

    fn count(&self, operation: O, went: &Went) {
        let took = went.took.as_secs_f64();
        let name = KeyValue::new("operation", operation.word());
        let result = outcome(went);
        if let Some(instruments) = self.each.get(&operation) {
            instruments.total.add(1, std::slice::from_ref(&result));
            instruments.duration.record(took, &[]);
        }
        self.duration.record(took, std::slice::from_ref(&name));
        self.total.add(1, &[name.clone(), result]);
        if let Some(code) = went.error_code {
            self.errors.add(1, &[name, KeyValue::new("error_code", code)]);
        }
    }
}

pub(super) fn outcome(went: &Went) -> KeyValue {
    KeyValue::new("outcome", if went.error_code.is_some() { "error" } else { "ok" })
}
