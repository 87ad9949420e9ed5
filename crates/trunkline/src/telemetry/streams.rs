//! What goes over the streams of calls. It is counted where it passes, and read from there when somebody asks.

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use trunkline_twilio::voice::Counters;

use super::names;

/// Has `meter` read `counters`, for as long as it is there.
pub fn observe_streams(meter: &Meter, counters: &Arc<Counters>) {
    let of = Arc::clone(counters);
    meter
        .u64_observable_counter(names::STREAM_FRAMES)
        .with_callback(move |frames| {
            frames.observe(of.frames_heard(), &[KeyValue::new("direction", "in")]);
            frames.observe(of.frames_sent(), &[KeyValue::new("direction", "out")]);
        })
        .build();
    count(meter, names::STREAM_GAPS, counters, Counters::gaps);
    count(meter, names::STREAM_FAULTS, counters, Counters::faults);
    count(meter, names::STREAM_REFUSALS, counters, Counters::refusals);
}

fn count(meter: &Meter, name: &'static str, counters: &Arc<Counters>, so_far: fn(&Counters) -> u64) {
    let of = Arc::clone(counters);
    meter.u64_observable_counter(name).with_callback(move |counter| counter.observe(so_far(&of), &[])).build();
}
