//! A request that is turned away, as an answer.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use trunkline_bus::BusError;
use trunkline_core::EnvelopeError;
use trunkline_store::StoreError;

use super::codes;
use crate::pipeline::{SubmitError, why_refused};

/// Status, stable code, and what to mend.
#[derive(Debug)]
pub(super) struct Failure(pub(super) StatusCode, pub(super) &'static str, pub(super) String);

impl Failure {
    pub(super) fn bad(why: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, codes::BAD_REQUEST, why.into())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let status = match error {
            StoreError::NotFound { .. } => StatusCode::NOT_FOUND,
            StoreError::AlreadyAnswered | StoreError::CommandReused => StatusCode::CONFLICT,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self(status, error.code(), error.to_string())
    }
}

impl From<SubmitError> for Failure {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Store(error) => error.into(),
            SubmitError::Connector(error) => Self(StatusCode::SERVICE_UNAVAILABLE, error.code, error.message),
            SubmitError::Refused(code) => Self(StatusCode::CONFLICT, code, why_refused(code).to_owned()),
        }
    }
}

impl From<BusError> for Failure {
    fn from(error: BusError) -> Self {
        match error {
            BusError::ConsumerBusy { .. } => {
                Self(StatusCode::CONFLICT, codes::CONSUMER_BUSY, "another request waits as this consumer".to_owned())
            }
            error => Self(StatusCode::SERVICE_UNAVAILABLE, error.code(), error.to_string()),
        }
    }
}

impl From<EnvelopeError> for Failure {
    fn from(error: EnvelopeError) -> Self {
        Self(StatusCode::BAD_REQUEST, error.code(), error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(status, code, message) = self;
        (status, Json(json!({ "code": code, "message": message, "status": status.as_u16() }))).into_response()
    }
}
