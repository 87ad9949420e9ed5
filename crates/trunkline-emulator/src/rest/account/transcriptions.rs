//! `/Calls/{CA}/Transcriptions`: what is said in a call, begun and stopped by request.

use axum::extract::State;
use serde_json::json;
use trunkline_proto::sid::AnySid;
use trunkline_proto::twiml::Track;

use super::super::{Reply, ok};
use super::{Call, Form, name, target};
use crate::clock::rfc2822;
use crate::error::{self, ApiError};
use crate::server::App;
use crate::telephone::plane::Phase;
use crate::telephone::stream::BesideKind;
use crate::telephone::transcription::{ENGINE, LANGUAGE, TranscriptionPlan};

pub(super) async fn start(State(app): State<App>, call: Call, form: Form) -> Reply {
    let of = call.owned("call");
    app.owner.call(move |state| state.call(&of).map(drop)).await??;
    let leg = app.exchange.live(call.path("call"));
    let leg = leg.filter(|leg| leg.plane().phase == Phase::Talking).ok_or(error::CALL_NOT_IN_PROGRESS)?;
    let track = match form.text("Track") {
        None | Some("both_tracks") => Track::Both,
        Some("inbound_track") => Track::Inbound,
        Some("outbound_track") => Track::Outbound,
        Some(_) => return Err(ApiError::parameter("Track").into()),
    };
    let plan = TranscriptionPlan {
        name: form.owned("Name"),
        track,
        callback: target(&form, "StatusCallbackUrl", "StatusCallbackMethod")?,
        language: form.owned("LanguageCode").unwrap_or_else(|| LANGUAGE.to_owned()),
        engine: form.owned("TranscriptionEngine").unwrap_or_else(|| ENGINE.to_owned()),
        hints: form.owned("Hints"),
    };
    let (sid, name) = leg.start_transcription(plan).ok_or(error::FULL)?;
    Ok(ok(shown(&app, &call, sid.into(), &name, "in-progress")))
}

pub(super) async fn update(State(app): State<App>, call: Call, form: Form) -> Reply {
    if form.text("Status") != Some("stopped") {
        return Err(ApiError::parameter("Status").into());
    }
    let leg = app.exchange.live(call.path("call")).ok_or_else(|| ApiError::not_found(&call.uri_path))?;
    let stopped = leg.stop_beside(BesideKind::Transcription, Some(&name(&call, "transcription")));
    let (sid, name) = stopped.ok_or_else(|| ApiError::not_found(&call.uri_path))?;
    Ok(ok(shown(&app, &call, sid, &name, "stopped")))
}

fn shown(app: &App, call: &Call, sid: AnySid, name: &str, status: &str) -> serde_json::Value {
    let (account, of) = (app.account.account_sid, call.path("call"));
    json!({
        "sid": sid,
        "account_sid": account,
        "call_sid": of,
        "name": name,
        "status": status,
        "date_updated": rfc2822(app.clock.now()),
        "uri": format!("/2010-04-01/Accounts/{account}/Calls/{of}/Transcriptions/{sid}.json"),
    })
}
