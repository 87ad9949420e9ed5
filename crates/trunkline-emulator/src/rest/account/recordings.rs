//! Recordings: begun, paused and ended by request, listed, downloaded, deleted.

use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::Value;
use tokio_util::io::ReaderStream;

use super::super::{Reply, created, deleted, ok};
use super::pages::MAX_PAGE;
use super::{Call, Form, create, name, render};
use crate::error::{self, ApiError};
use crate::rest::pages::PageRequest;
use crate::server::App;
use crate::state::calls::records::{RecordingRecord, RecordingStatus};
use crate::telephone::place::RecordPlan;
use crate::telephone::plane::Phase;
use crate::telephone::recorder::Paused;

pub(super) async fn list(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_PAGE)?;
    let of = call.query.owned("CallSid");
    let slice = app.owner.call(move |state| state.list_recordings(of.as_deref(), page.size, page.cursor)).await?;
    Ok(ok(page.flat_body(&call, "recordings", slice, |record| shown(&app, &record, false))))
}

pub(super) async fn of_call(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_PAGE)?;
    let sid = call.owned("call");
    let find = move |state: &mut crate::state::State| {
        state.call(&sid)?;
        Ok::<_, ApiError>(state.list_recordings(Some(&sid), page.size, page.cursor))
    };
    let slice = app.owner.call(find).await??;
    Ok(ok(page.flat_body(&call, "recordings", slice, |record| shown(&app, &record, true))))
}

pub(super) async fn start(State(app): State<App>, call: Call, form: Form) -> Reply {
    let of = call.owned("call");
    app.owner.call(move |state| state.call(&of).map(drop)).await??;
    let leg = app.exchange.live(call.path("call"));
    let leg = leg.filter(|leg| leg.plane().phase == Phase::Talking).ok_or(error::RECORDING_NOT_ELIGIBLE)?;
    let plan = RecordPlan {
        sides: create::sides(&form)?,
        source: "StartCallRecordingAPI",
        callback: create::recording_callback(&form)?,
    };
    let sid = leg.start_recording(plan).await.ok_or(error::FULL)?;
    let record = app.owner.call(move |state| state.recording(sid.as_str(), None).cloned()).await??;
    Ok(created(shown(&app, &record, true)))
}

pub(super) async fn update(State(app): State<App>, call: Call, form: Form) -> Reply {
    let of = call.owned("call");
    let asked = name(&call, "recording");
    let leg = app.exchange.live(&of);
    let sid = if asked == CURRENT {
        leg.as_ref().and_then(|leg| leg.current_recording()).map(|sid| sid.to_string())
    } else {
        Some(asked)
    };
    let sid = sid.ok_or_else(|| ApiError::not_found(&call.uri_path))?;
    let record = app.owner.call(move |state| state.recording(&sid, Some(&of)).cloned()).await??;
    let leg = leg.ok_or(error::RECORDING_NOT_ELIGIBLE)?;
    let sid = record.sid;
    let (paused, status) = match (form.text("Status"), form.text("PauseBehavior").unwrap_or("silence")) {
        (Some("stopped"), _) => {
            let record = leg.stop_recording(sid).await.ok_or(error::RECORDING_NOT_ELIGIBLE)?;
            return Ok(ok(shown(&app, &record, true)));
        }
        (Some("paused"), "skip") => (Some(Paused::Skip), RecordingStatus::Paused),
        (Some("paused"), "silence") => (Some(Paused::Silence), RecordingStatus::Paused),
        (Some("paused"), _) => return Err(ApiError::parameter("PauseBehavior").into()),
        (Some("in-progress"), _) => (None, RecordingStatus::InProgress),
        _ => return Err(ApiError::parameter("Status").into()),
    };
    if !leg.pause_recording(sid, paused) {
        return Err(error::RECORDING_NOT_ELIGIBLE.into());
    }
    let changed = app.owner.call(move |state| state.change_recording(sid, |record| record.status = status)).await?;
    let record = changed.ok_or_else(|| ApiError::not_found(&call.uri_path))?;
    Ok(ok(shown(&app, &record, true)))
}

/// `{RE}.json` is the resource; `{RE}` and `{RE}.wav` are the sound.
pub(super) async fn fetch(State(app): State<App>, call: Call) -> Reply {
    let asked = call.owned("recording");
    let of = Some(call.owned("call")).filter(|of| !of.is_empty());
    let (sid, kind) = asked.split_once('.').unwrap_or((asked.as_str(), "wav"));
    let (sid, of_call) = (sid.to_owned(), of.is_some());
    let record = app.owner.call(move |state| state.recording(&sid, of.as_deref()).cloned()).await??;
    match kind {
        "json" => Ok(ok(shown(&app, &record, of_call))),
        "wav" => sound(&app, &call, &record).await,
        "mp3" => Err(ApiError { message: NO_MP3.into(), ..ApiError::not_found("") }.into()),
        _ => Err(ApiError::not_found(&call.uri_path).into()),
    }
}

async fn sound(app: &App, call: &Call, record: &RecordingRecord) -> Reply {
    let missing = || ApiError::not_found(&call.uri_path);
    if record.status != RecordingStatus::Completed {
        return Err(missing().into());
    }
    let file = tokio::fs::File::open(app.exchange.recording_file(record.sid)).await.map_err(|_| missing())?;
    let length = file.metadata().await.map_err(|_| missing())?.len();
    let headers = [(CONTENT_TYPE, "audio/x-wav".to_owned()), (CONTENT_LENGTH, length.to_string())];
    Ok((headers, Body::from_stream(ReaderStream::new(file))).into_response())
}

pub(super) async fn remove(State(app): State<App>, call: Call) -> Reply {
    let sid = name(&call, "recording");
    let of = Some(call.owned("call")).filter(|of| !of.is_empty());
    let sid = app.owner.call(move |state| state.delete_recording(&sid, of.as_deref())).await??;
    // A recording without sound has no file.
    drop(tokio::fs::remove_file(app.exchange.recording_file(sid)).await);
    Ok(deleted())
}

fn shown(app: &App, record: &RecordingRecord, of_call: bool) -> Value {
    render::recording(&app.account, &app.base_url, record, of_call)
}

/// The recording that was begun last, instead of a SID.
const CURRENT: &str = "Twilio.CURRENT";
const NO_MP3: &str = "This emulator keeps recordings as WAV only; ask for .wav";
