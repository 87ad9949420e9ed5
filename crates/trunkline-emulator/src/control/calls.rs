//! `/emulator/v1/calls`: a scripted person calls, and what came of it; `/numbers` and `/phones/{number}/answering`: what
//! answers.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::Reply;
use crate::error::{self, ApiError};
use crate::rest::Problem;
use crate::server::App;
use crate::state::calls::NumberFields;
use crate::state::calls::records::CallRecord;
use crate::state::limits;
use crate::state::records::Method;
use crate::telephone::answering::{AnsweringRule, Step, check_steps, prepare};
use crate::telephone::place::Caller;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    from: String,
    /// The account's number if unset.
    to: Option<String>,
    #[serde(default)]
    steps: Vec<Step>,
    #[serde(default)]
    record: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answers {
    /// The account's number if unset.
    number: Option<String>,
    voice_url: Option<String>,
    voice_method: Option<Method>,
    voice_fallback_url: Option<String>,
    status_callback: Option<String>,
    sms_url: Option<String>,
    sms_method: Option<Method>,
    sms_fallback_url: Option<String>,
}

pub(super) async fn call(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Reply {
    let request: Request = read(body)?;
    let to = request.to.unwrap_or_else(|| app.account.phone_number.clone());
    if !limits::is_phone_number(&request.from) {
        return Err(ApiError::parameter("from").into());
    }
    check_steps(&request.steps)?;
    // Everything is spoken before the call begins, so that speaking costs no time in it.
    let steps = prepare(&request.steps, app.exchange.studio()).await?;
    let record = app.exchange.dial_in(request.from, to, Caller::Script { steps, record: request.record }).await?;
    Ok((StatusCode::CREATED, Json(shown(&app, &record))).into_response())
}

/// The calls that are going on.
pub(super) async fn live(State(app): State<App>) -> impl IntoResponse {
    Json(json!({"live": app.exchange.live_calls()}))
}

pub(super) async fn result(State(app): State<App>, Path(sid): Path<String>) -> Reply {
    let record = app.owner.call(move |state| state.call(&sid).cloned()).await??;
    Ok(Json(shown(&app, &record)).into_response())
}

fn shown(app: &App, record: &CallRecord) -> serde_json::Value {
    json!({
        "sid": record.sid,
        "from": record.from,
        "to": record.to,
        "direction": record.direction.as_str(),
        "status": record.status.as_str(),
        "duration": record.duration(),
        "result": app.exchange.script_result(record.sid),
    })
}

pub(super) async fn set_number(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Reply {
    let request: Answers = read(body)?;
    let number = request.number.unwrap_or_else(|| app.account.phone_number.clone());
    if !limits::is_phone_number(&number) {
        return Err(ApiError::parameter("number").into());
    }
    let fields = NumberFields {
        voice_url: request.voice_url,
        voice_method: request.voice_method,
        voice_fallback_url: request.voice_fallback_url,
        status_callback: request.status_callback,
        sms_url: request.sms_url,
        sms_method: request.sms_method,
        sms_fallback_url: request.sms_fallback_url,
        ..NumberFields::default()
    };
    let record = app.owner.call(move |state| state.put_number(&number, fields)).await??;
    let body = json!({
        "sid": record.sid,
        "number": record.number,
        "voice_url": record.voice_url,
        "voice_method": record.voice_method.upper(),
        "voice_fallback_url": record.voice_fallback_url,
        "status_callback": record.status_callback,
        "sms_url": record.sms_url,
        "sms_method": record.sms_method.upper(),
        "sms_fallback_url": record.sms_fallback_url,
    });
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

pub(super) async fn answering(State(app): State<App>, Path(number): Path<String>) -> Reply {
    let rule = app.owner.call(move |state| state.answering(&number)).await?;
    // It was checked when it was set.
    let rule = rule.and_then(|rule| serde_json::from_str(&rule).ok()).unwrap_or_else(AnsweringRule::silent);
    Ok(Json(rule).into_response())
}

pub(super) async fn set_answering(
    State(app): State<App>,
    Path(number): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Reply {
    if !limits::is_phone_number(&number) {
        return Err(ApiError::parameter("number").into());
    }
    let rule: AnsweringRule = read(body)?;
    rule.check()?;
    let text = serde_json::to_string(&rule).map_err(|_| ApiError::parameter("rule"))?;
    app.owner.call(move |state| state.set_answering(number, text)).await??;
    Ok(Json(rule).into_response())
}

pub(super) async fn forget_answering(State(app): State<App>, Path(number): Path<String>) -> Reply {
    app.owner.call(move |state| state.remove_answering(&number)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// JSON, or what is wrong with it and where.
pub(super) fn read<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Problem> {
    let body = body.map_err(|_| Problem(error::TOO_LARGE))?;
    serde_json::from_slice(&body).map_err(|problem| {
        let message = match problem.classify() {
            serde_json::error::Category::Data => {
                format!(
                    "Invalid parameter: the body has a wrong or missing field before line {} column {}",
                    problem.line(),
                    problem.column()
                )
            }
            _ => format!(
                "Invalid parameter: the body is not JSON at line {} column {}",
                problem.line(),
                problem.column()
            ),
        };
        Problem(ApiError { message: message.into(), ..ApiError::parameter("") })
    })
}

/// Longest script with its files, in bytes.
pub(super) const MAX_SCRIPT_BYTES: usize = 24 * 1024 * 1024;
