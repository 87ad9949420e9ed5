//! `/emulator/v1/rules` and `/emulator/v1/clock`, and how phones take messages.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::calls::read;
use super::{Reply, phones};
use crate::clock::{Clock, iso_millis};
use crate::error::ApiError;
use crate::rest::binding;
use crate::server::App;
use crate::state::limits;
use crate::state::records::DeliveryStatus;
use crate::state::{PushBindingFields, Receiving, Rules};

pub(super) async fn fetch(State(app): State<App>) -> Reply {
    Ok(Json(app.owner.call(|state| state.rules).await?).into_response())
}

/// Sets all rules; what is not said is as by default.
pub(super) async fn set(State(app): State<App>, body: Bytes) -> Reply {
    let rules: Rules = read(Ok(body))?;
    app.owner.call(move |state| state.set_rules(rules)).await?;
    Ok(Json(rules).into_response())
}

pub(super) async fn clock(State(app): State<App>) -> Response {
    shown(&app.clock)
}

/// Puts the clock forward by a while, or to a time.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Shift {
    AdvanceMs(i64),
    /// An ISO 8601 time, or `null` for the system's.
    Set(Option<String>),
}

pub(super) async fn shift(State(app): State<App>, body: Bytes) -> Reply {
    let shift: Shift = read(Ok(body))?;
    let before = app.clock.offset_ms();
    let offset_ms = match shift {
        Shift::AdvanceMs(more) => before.saturating_add(more),
        Shift::Set(None) => 0,
        Shift::Set(Some(time)) => {
            let ahead =
                limits::timestamp(&time, "set")?.as_millisecond().saturating_sub(app.clock.now().as_millisecond());
            before.saturating_add(ahead)
        }
    };
    app.owner.call(move |state| state.shift_clock(offset_ms)).await??;
    Ok(shown(&app.clock))
}

fn shown(clock: &Clock) -> Response {
    Json(json!({"now": iso_millis(clock.now()), "offset_ms": clock.offset_ms()})).into_response()
}

pub(super) async fn receiving(State(app): State<App>, Path(phone): Path<String>) -> Reply {
    Ok(Json(app.owner.call(move |state| state.receiving(&phone)).await?).into_response())
}

pub(super) async fn set_receiving(State(app): State<App>, Path(phone): Path<String>, body: Bytes) -> Reply {
    let receiving: Receiving = read(Ok(body))?;
    limits::check_name(&phone, ApiError::parameter("phone"))?;
    app.owner.call(move |state| state.set_receiving(phone, receiving)).await??;
    Ok(Json(receiving).into_response())
}

pub(super) async fn forget_receiving(State(app): State<App>, Path(phone): Path<String>) -> Reply {
    app.owner.call(move |state| state.forget_receiving(&phone)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    status: DeliveryStatus,
    error_code: Option<u32>,
}

/// A phone says what became of a message.
pub(super) async fn report(
    State(app): State<App>,
    Path((phone, message)): Path<(String, String)>,
    body: Bytes,
) -> Reply {
    let Report { status, error_code } = read(Ok(body))?;
    let line = app.owner.call(move |state| state.report(&phone, &message, status, error_code)).await??;
    Ok(Json(phones::line(&line)).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Device {
    credential_sid: String,
    identity: String,
    endpoint: String,
    #[serde(default)]
    message_types: Vec<String>,
}

/// A device registers for push notifications, as one with Twilio's SDK does.
pub(super) async fn bind(State(app): State<App>, body: Bytes) -> Reply {
    let Device { credential_sid, identity, endpoint, message_types } = read(Ok(body))?;
    let fields = PushBindingFields { credential_sid, identity, endpoint, message_types };
    let one = app.owner.call(move |state| state.add_push_binding(fields)).await??;
    let base = format!("{}/v1/Services/{}", app.base_url, one.service_sid);
    let body: Value = binding(&app.account, &base, &one);
    Ok((StatusCode::CREATED, Json(body)).into_response())
}
