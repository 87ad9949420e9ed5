//! What agents cost and do: instruments of language models and tools.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};
use trunkline_agent::ModelUsage;
use trunkline_agent::tools::{ToolError, ToolReport};

use super::metrics::seconds;
use super::names;

/// The instruments.
pub(super) struct AgentInstruments {
    tokens: Counter<u64>,
    first_token: Histogram<f64>,
    tool_calls: Counter<u64>,
    tool_duration: Histogram<f64>,
}

impl AgentInstruments {
    pub(super) fn new(meter: &Meter) -> Self {
        Self {
            tokens: meter.u64_counter(names::MODEL_TOKENS).build(),
            first_token: seconds(meter, names::MODEL_FIRST_TOKEN),
            tool_calls: meter.u64_counter(names::TOOL_CALLS).build(),
            tool_duration: seconds(meter, names::TOOL_DURATION),
        }
    }

    pub(super) fn used(&self, usage: &ModelUsage) {
        let model = KeyValue::new("model", usage.model.clone());
        self.tokens.add(usage.input_tokens, &[model.clone(), KeyValue::new("kind", "input")]);
        self.tokens.add(usage.output_tokens, &[model.clone(), KeyValue::new("kind", "output")]);
        self.first_token.record(usage.first_token.as_secs_f64(), &[model]);
    }

    pub(super) fn called(&self, report: &ToolReport) {
        // A model may make names up: those would be labels without end.
        let name = if report.error_code == Some(ToolError::Unknown.code()) { "unknown" } else { &report.tool };
        let tool = KeyValue::new("tool", name.to_owned());
        self.tool_duration.record(report.duration.as_secs_f64(), std::slice::from_ref(&tool));
        self.tool_calls.add(1, &[tool, KeyValue::new("outcome", report.error_code.unwrap_or("ok"))]);
    }
}
