//! `/emulator/v1/faults`: set, list and take away faults.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use super::Reply;
use crate::error::ApiError;
use crate::faults::Rule;
use crate::rest::Problem;
use crate::server::App;

pub(super) async fn add(State(app): State<App>, body: Bytes) -> Reply {
    let rule = Rule::parse(&body)
        .map_err(|problem| Problem(ApiError { status: 400, code: 20001, message: problem.to_string().into() }))?;
    let listed = app.faults.add(rule).ok_or(Problem(ApiError::new(400, 20001, "Too many faults")))?;
    Ok((StatusCode::CREATED, Json(listed)).into_response())
}

pub(super) async fn list(State(app): State<App>) -> Response {
    Json(json!({"faults": app.faults.list()})).into_response()
}

pub(super) async fn clear(State(app): State<App>) -> Response {
    app.faults.clear();
    StatusCode::NO_CONTENT.into_response()
}

pub(super) async fn remove(State(app): State<App>, Path(id): Path<u64>) -> Reply {
    if app.faults.remove(id) {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(Problem(ApiError::not_found("/emulator/v1/faults")))
    }
}
