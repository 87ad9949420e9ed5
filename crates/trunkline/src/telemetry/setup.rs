//! Building the pipeline of logs, traces and metrics, and taking it down.

use std::io::IsTerminal as _;
use std::time::Duration;

use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use prometheus::{Encoder as _, Registry, TextEncoder};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::logs::JsonLines;
use super::metrics::Metrics;
use crate::config::TelemetrySettings;

/// How long one export may take.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// Libraries whose own chatter is not ours to log; one of them quotes what servers answer.
const QUIET: &[&str] = &["hyper", "h2", "reqwest", "tower", "rustls", "opentelemetry", "async_openai", "rmcp", "sqlx"];

/// Logs, traces and metrics of this process.
pub struct Telemetry {
    registry: Registry,
    meters: SdkMeterProvider,
    tracers: SdkTracerProvider,
}

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// The OTLP exporter refuses its settings.
    #[error("OTEL_EXPORTER_OTLP_ENDPOINT cannot be used: {0}")]
    Otlp(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The page of metrics cannot be built.
    #[error("the metrics page cannot be built: {0}")]
    Page(#[from] opentelemetry_sdk::error::OTelSdkError),
}

impl Telemetry {
    /// Builds the exporters; [`install_logs`](Self::install_logs) then makes them those of the process. Call it outside
    /// of an asynchronous runtime: the OTLP exporters bring a client that has its own.
    ///
    /// # Errors
    /// See [`TelemetryError`].
    pub fn new(settings: &TelemetrySettings) -> Result<Self, TelemetryError> {
        let resource = Resource::builder().with_service_name("trunkline").build();
        let registry = Registry::new();
        let page = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .without_counter_suffixes()
            .without_units()
            .without_target_info()
            .scope_info_enabled(false)
            .build()?;
        let mut meters = SdkMeterProvider::builder().with_resource(resource.clone()).with_reader(page);
        let mut tracers = SdkTracerProvider::builder().with_resource(resource);
        if let Some(endpoint) = &settings.otlp_endpoint {
            let spans = SpanExporter::builder()
                .with_http()
                .with_endpoint(format!("{endpoint}/v1/traces"))
                .with_timeout(EXPORT_TIMEOUT)
                .build()?;
            let metrics = MetricExporter::builder()
                .with_http()
                .with_endpoint(format!("{endpoint}/v1/metrics"))
                .with_timeout(EXPORT_TIMEOUT)
                .build()?;
            tracers = tracers.with_batch_exporter(spans);
            meters = meters.with_reader(PeriodicReader::builder(metrics).with_interval(settings.otlp_interval).build());
        }
        Ok(Self { registry, meters: meters.build(), tracers: tracers.build() })
    }

    /// Makes these the logs and traces of the process. A second call in one process changes nothing.
    pub fn install_logs(&self, settings: &TelemetrySettings) {
        let json = settings.json.unwrap_or_else(|| !std::io::stderr().is_terminal());
        let wanted = settings.log.parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
        let quiet = QUIET.iter().map(|target| (*target, LevelFilter::WARN));
        // They repeat what servers say.
        let silent = [("async_openai", LevelFilter::OFF), ("rmcp", LevelFilter::OFF)];
        let wanted =
            wanted.with_targets(quiet.filter(|(target, _)| !settings.log.contains(target))).with_targets(silent);
        let traced = Targets::new()
            .with_target("trunkline", LevelFilter::INFO)
            .with_targets(QUIET.iter().map(|target| (*target, LevelFilter::OFF)));
        let traces = tracing_opentelemetry::layer()
            .with_tracer(self.tracers.tracer("trunkline"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(traced);
        let registry = tracing_subscriber::registry().with(traces);
        let installed = if json {
            let lines = tracing_subscriber::fmt::layer().event_format(JsonLines).with_writer(std::io::stderr);
            registry.with(lines.with_filter(wanted)).try_init()
        } else {
            let lines = tracing_subscriber::fmt::layer()
                .compact()
                .with_target(false)
                .with_ansi(std::io::stderr().is_terminal())
                .with_writer(std::io::stderr);
            registry.with(lines.with_filter(wanted)).try_init()
        };
        if installed.is_err() {
            tracing::debug!("logs are installed already");
        }
    }

    /// The meter of this program.
    pub fn meter(&self) -> Meter {
        self.meters.meter("trunkline")
    }

    /// Instruments of the gateway.
    pub fn metrics(&self) -> Metrics {
        Metrics::new(&self.meter())
    }

    /// A handle on the page of metrics.
    pub fn registry(&self) -> Registry {
        self.registry.clone()
    }

    /// Exports what is left. Blocks; call it outside of an asynchronous runtime.
    pub fn shutdown(&self) {
        if let Err(error) = self.tracers.shutdown() {
            tracing::debug!(%error, "the last spans were not exported");
        }
        if let Err(error) = self.meters.shutdown() {
            tracing::debug!(%error, "the last metrics were not exported");
        }
    }
}

/// The page of metrics in Prometheus text form (version 0.0.4).
pub(crate) fn page(registry: &Registry) -> Vec<u8> {
    let mut page = Vec::new();
    if let Err(error) = TextEncoder::new().encode(&registry.gather(), &mut page) {
        tracing::warn!(%error, "the metrics page could not be written whole");
    }
    page
}
