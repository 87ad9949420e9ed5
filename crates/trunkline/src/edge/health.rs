//! `/healthz`, `/readyz`, `/metrics`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use prometheus::Registry;
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// What has to hold for texts to flow. Cheap to clone.
#[derive(Clone)]
pub struct Readiness {
    reasons: Arc<Mutex<BTreeMap<String, String>>>,
    stop: CancellationToken,
}

const BUS: &str = "bus";
const STORE: &str = "store";
const PIPELINE: &str = "pipeline";
const DATA: &str = "data";
const STOPPING: &str = "stopping";

impl Default for Readiness {
    fn default() -> Self {
        Self::starting()
    }
}

impl Readiness {
    /// Nothing runs yet, and there are no connectors.
    pub fn starting() -> Self {
        let reasons = BTreeMap::from([(PIPELINE.to_owned(), "is starting".to_owned())]);
        Self { reasons: Arc::new(Mutex::new(reasons)), stop: CancellationToken::new() }
    }

    /// Notes the reason why `what` does not hold, or that it does. Returns whether there was a reason before.
    fn set(&self, what: &str, reason: Option<String>) -> bool {
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match reason {
            Some(reason) => reasons.insert(what.to_owned(), reason),
            None => reasons.remove(what),
        };
        before.is_some()
    }

    /// The connector of that name is there, and has not reached its platform yet.
    pub fn connector_starting(&self, name: &str) {
        self.set(&connector(name), Some("is starting".to_owned()));
    }

    /// The connector works.
    pub fn connector_started(&self, name: &str) {
        self.set(&connector(name), None);
    }

    /// The connector does not work.
    pub fn connector_failed(&self, name: &str, reason: &str) {
        self.set(&connector(name), Some(reason.to_owned()));
    }

    /// Whether the connector works.
    pub fn is_connector_up(&self, name: &str) -> bool {
        !self.reasons.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&connector(name))
    }

    /// The consumers run.
    pub fn pipeline_started(&self) {
        self.set(PIPELINE, None);
    }

    /// The bus can write. Returns whether it could not before.
    pub fn bus_works(&self) -> bool {
        self.set(BUS, None)
    }

    /// The bus cannot write.
    pub fn bus_failed(&self, reason: &str) {
        self.set(BUS, Some(reason.to_owned()));
    }

    /// The store can write.
    pub fn store_works(&self) {
        self.set(STORE, None);
    }

    /// The store cannot write.
    pub fn store_failed(&self, reason: &str) {
        self.set(STORE, Some(reason.to_owned()));
    }

    /// The files of the store and the bus are where they were opened.
    pub fn data_is_there(&self) {
        self.set(DATA, None);
    }

    /// The files of the store or the bus are gone: what is written to them is lost. Returns whether that is new.
    pub fn data_lost(&self, reason: &str) -> bool {
        !self.set(DATA, Some(reason.to_owned()))
    }

    /// Whether what is written is lost.
    pub fn is_data_lost(&self) -> bool {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner).contains_key(DATA)
    }

    /// A task has ended before the gateway began to stop.
    pub fn task_ended(&self, name: &'static str, how: &str) {
        self.set(name, Some(format!("{how}; the gateway must be started again")));
    }

    /// The gateway is going away.
    pub fn stopping(&self) {
        self.set(STOPPING, Some("the gateway is stopping".to_owned()));
        self.stop.cancel();
    }

    /// Whether the gateway is going away.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Ends when the gateway begins to go away.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub fn until_stopping(&self) -> impl Future<Output = ()> + Send + use<> {
        self.stop.clone().cancelled_owned()
    }

    /// Why texts do not flow; empty when they do.
    pub fn reasons(&self) -> Vec<String> {
        let reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        reasons.iter().map(|(what, reason)| format!("{what}: {reason}")).collect()
    }
}

/// What stands for a connector among the reasons.
fn connector(name: &str) -> String {
    format!("connector {name}")
}

/// The routes of the probes and the page of metrics.
pub fn health_routes(readiness: Readiness, registry: Registry) -> Router {
    Router::new()
        .route("/healthz", get(|| async { Json(json!({ "status": "ok" })) }))
        .route("/readyz", get(ready))
        .with_state(readiness)
        .route("/metrics", get(metrics).with_state(registry))
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    let reasons = readiness.reasons();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": reasons.is_empty(), "reasons": reasons }))).into_response()
}

async fn metrics(State(registry): State<Registry>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], crate::telemetry::page(&registry))
        .into_response()
}
