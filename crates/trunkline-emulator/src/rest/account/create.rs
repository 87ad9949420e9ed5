//! `POST /Calls.json`: the account calls somebody.

use std::time::Duration;

use axum::extract::State;

use super::super::{Reply, created};
use super::{Call, Form, render, target};
use crate::error::{self, ApiError};
use crate::server::App;
use crate::state::limits;
use crate::telephone::callbacks::StatusCallback;
use crate::telephone::document::Document;
use crate::telephone::place::{MachineDetection, Outbound, RecordPlan};
use crate::telephone::recorder::Sides;
use crate::telephone::tones;

pub(super) async fn create(State(app): State<App>, _call: Call, form: Form) -> Reply {
    let outbound = outbound(&form)?;
    let own = outbound.from.clone();
    let is_ours = app.owner.call(move |state| state.number_of(&own).is_some()).await?;
    if !is_ours {
        return Err(error::CALL_FROM.into());
    }
    let record = app.exchange.place(outbound).await?;
    Ok(created(render::call(&app.account, &record)))
}

fn outbound(form: &Form) -> Result<Outbound, ApiError> {
    let to = form.text("To").filter(|to| !to.is_empty()).ok_or(error::CALL_TO_MISSING)?;
    let from = form.text("From").filter(|from| !from.is_empty()).ok_or(error::CALL_FROM_MISSING)?;
    if !limits::is_phone_number(to) {
        return Err(error::CALL_TO);
    }
    if !limits::is_phone_number(from) {
        return Err(error::CALL_FROM);
    }
    let callback = StatusCallback {
        target: target(form, "StatusCallback", "StatusCallbackMethod")?,
        events: events(form, "StatusCallbackEvent", &["initiated", "ringing", "answered", "completed"])?,
    };
    let send_digits = match form.text("SendDigits").filter(|digits| !digits.is_empty()) {
        Some(digits) if digits.len() <= MAX_SEND_DIGITS => Some(tones(digits).ok_or(error::SEND_DIGITS)?),
        Some(_) => return Err(error::SEND_DIGITS),
        None => None,
    };
    Ok(Outbound {
        from: from.to_owned(),
        to: to.to_owned(),
        document: document(form)?.ok_or(error::CALL_NO_DOCUMENT)?,
        fallback: target(form, "FallbackUrl", "FallbackMethod")?,
        callback,
        send_digits,
        timeout: seconds(form, "Timeout", 60, MAX_TIMEOUT_S)?,
        time_limit: seconds(form, "TimeLimit", MAX_CALL_S, MAX_CALL_S)?,
        record: record(form)?,
        machine_detection: machine_detection(form)?,
    })
}

/// What the call does. If both are given, `Url` wins.
pub(super) fn document(form: &Form) -> Result<Option<Document>, ApiError> {
    if let Some(target) = target(form, "Url", "Method")? {
        return Ok(Some(Document::at(target)));
    }
    match form.text("Twiml") {
        Some(text) if text.chars().count() > MAX_TWIML_CHARS => Err(error::CALL_TWIML),
        Some(text) => Ok(Some(Document::Inline(text.to_owned()))),
        None => Ok(None),
    }
}

/// Names of events: a repeated parameter, or several in one.
pub(super) fn events(form: &Form, name: &'static str, known: &[&str]) -> Result<Vec<String>, ApiError> {
    let all = form.all(name).unwrap_or_default();
    let events: Vec<String> = all.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect();
    if events.iter().all(|event| known.contains(&event.as_str())) { Ok(events) } else { Err(ApiError::parameter(name)) }
}

fn record(form: &Form) -> Result<Option<RecordPlan>, ApiError> {
    if form.boolean("Record")? != Some(true) {
        return Ok(None);
    }
    Ok(Some(RecordPlan { sides: sides(form)?, source: "OutboundAPI", callback: recording_callback(form)? }))
}

/// What is recorded: `RecordingChannels` and `RecordingTrack`.
pub(super) fn sides(form: &Form) -> Result<Sides, ApiError> {
    match (form.text("RecordingTrack").unwrap_or("both"), form.text("RecordingChannels").unwrap_or("mono")) {
        ("inbound", _) => Ok(Sides::Inbound),
        ("outbound", _) => Ok(Sides::Outbound),
        ("both", "dual") => Ok(Sides::Dual),
        ("both", "mono") => Ok(Sides::Mixed),
        ("both", _) => Err(ApiError::parameter("RecordingChannels")),
        _ => Err(ApiError::parameter("RecordingTrack")),
    }
}

pub(super) fn recording_callback(form: &Form) -> Result<StatusCallback, ApiError> {
    Ok(StatusCallback {
        target: target(form, "RecordingStatusCallback", "RecordingStatusCallbackMethod")?,
        events: events(form, "RecordingStatusCallbackEvent", &["in-progress", "completed", "absent"])?,
    })
}

fn machine_detection(form: &Form) -> Result<Option<MachineDetection>, ApiError> {
    let message_end = match form.text("MachineDetection") {
        None | Some("") => return Ok(None),
        Some("Enable") => false,
        Some("DetectMessageEnd") => true,
        Some(_) => return Err(ApiError::parameter("MachineDetection")),
    };
    let ms = |name, default| Ok::<_, ApiError>(Duration::from_millis(form.number(name)?.unwrap_or(default)));
    let asynchronous = form.text("AsyncAmd") == Some("true");
    let callback = target(form, "AsyncAmdStatusCallback", "AsyncAmdStatusCallbackMethod")?;
    Ok(Some(MachineDetection {
        message_end,
        timeout: seconds(form, "MachineDetectionTimeout", 30, 59)?,
        speech_threshold: ms("MachineDetectionSpeechThreshold", 2400)?,
        speech_end: ms("MachineDetectionSpeechEndThreshold", 1200)?,
        silence: ms("MachineDetectionSilenceTimeout", 5000)?,
        callback: callback.filter(|_| asynchronous),
        asynchronous,
    }))
}

/// How long a call may last, if the request says so.
pub(super) fn time_limit(form: &Form) -> Result<Option<Duration>, ApiError> {
    let limit = seconds(form, "TimeLimit", MAX_CALL_S, MAX_CALL_S)?;
    Ok(form.text("TimeLimit").map(|_| limit))
}

fn seconds(form: &Form, name: &'static str, default: u64, max: u64) -> Result<Duration, ApiError> {
    let seconds: u64 = form.number(name)?.unwrap_or(default);
    if seconds > max { Err(ApiError::parameter(name)) } else { Ok(Duration::from_secs(seconds)) }
}

/// Twilio's limits.
const MAX_TWIML_CHARS: usize = 4000;
const MAX_SEND_DIGITS: usize = 32;
const MAX_TIMEOUT_S: u64 = 600;
const MAX_CALL_S: u64 = 14_400;
