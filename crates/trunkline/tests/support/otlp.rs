//! A receiver of OTLP over HTTP that keeps what came.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// A span as it came.
#[derive(Debug, Clone)]
pub(crate) struct Exported {
    pub(crate) name: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) attributes: BTreeMap<String, String>,
}

#[derive(Default)]
struct Kept {
    spans: Vec<Exported>,
    /// Name, and the names of the attributes of its points.
    metrics: BTreeMap<String, BTreeSet<String>>,
    /// Every value of every attribute of every span, event and point.
    values: BTreeSet<String>,
}

pub(crate) struct Collector {
    pub(crate) endpoint: String,
    kept: Arc<Mutex<Kept>>,
    _task: AbortOnDropHandle<()>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let kept = Arc::<Mutex<Kept>>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new()
            .route("/v1/traces", post(traces))
            .route("/v1/metrics", post(metrics))
            .layer(DefaultBodyLimit::max(16 << 20))
            .with_state(Arc::clone(&kept));
        let serve = async move { axum::serve(listener, app).await.unwrap() };
        let task = AbortOnDropHandle::new(TaskTracker::new().spawn(serve));
        Self { endpoint, kept, _task: task }
    }

    pub(crate) fn spans(&self) -> Vec<Exported> {
        self.kept.lock().unwrap().spans.clone()
    }

    pub(crate) fn metrics(&self) -> BTreeMap<String, BTreeSet<String>> {
        self.kept.lock().unwrap().metrics.clone()
    }

    pub(crate) fn values(&self) -> BTreeSet<String> {
        self.kept.lock().unwrap().values.clone()
    }
}

async fn traces(State(kept): State<Arc<Mutex<Kept>>>, body: Bytes) -> StatusCode {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let mut kept = kept.lock().unwrap();
    for span in request.resource_spans.into_iter().flat_map(|one| one.scope_spans).flat_map(|one| one.spans) {
        let attributes = plain(&span.attributes);
        let of_events = span.events.iter().flat_map(|event| plain(&event.attributes).into_values());
        kept.values.extend(attributes.values().cloned().chain(of_events));
        kept.values.extend(span.events.iter().map(|event| event.name.clone()));
        kept.values.extend(span.status.map(|status| status.message));
        kept.spans.push(Exported {
            name: span.name,
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            attributes,
        });
    }
    StatusCode::OK
}

async fn metrics(State(kept): State<Arc<Mutex<Kept>>>, body: Bytes) -> StatusCode {
    let request = ExportMetricsServiceRequest::decode(body).unwrap();
    let mut kept = kept.lock().unwrap();
    let scopes = request.resource_metrics.into_iter().flat_map(|one| one.scope_metrics);
    for metric in scopes.flat_map(|one| one.metrics) {
        let points: Vec<Vec<KeyValue>> = match metric.data {
            Some(Data::Gauge(gauge)) => gauge.data_points.into_iter().map(|point| point.attributes).collect(),
            Some(Data::Sum(sum)) => sum.data_points.into_iter().map(|point| point.attributes).collect(),
            Some(Data::Histogram(histogram)) => {
                histogram.data_points.into_iter().map(|point| point.attributes).collect()
            }
            other => panic!("{} is {other:?}", metric.name),
        };
        let attributes: BTreeMap<_, _> = points.iter().flat_map(|point| plain(point)).collect();
        kept.values.extend(points.iter().flat_map(|point| plain(point).into_values()));
        kept.metrics.entry(metric.name).or_default().extend(attributes.into_keys());
    }
    StatusCode::OK
}

fn plain(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |one: &KeyValue| plain_value(one.value.as_ref().and_then(|value| value.value.as_ref()));
    attributes.iter().map(|one| (one.key.clone(), text(one))).collect()
}

/// A value as text.
fn plain_value(value: Option<&Value>) -> String {
    match value {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(yes)) => yes.to_string(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
