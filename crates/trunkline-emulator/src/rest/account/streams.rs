//! `/Calls/{CA}/Streams`: the call's audio to a server, begun and stopped by request.

use std::collections::BTreeMap;

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
use crate::telephone::stream::{BesideKind, StreamPlan};

pub(super) async fn start(State(app): State<App>, call: Call, form: Form) -> Reply {
    let of = call.owned("call");
    app.owner.call(move |state| state.call(&of).map(drop)).await??;
    let leg = app.exchange.live(call.path("call"));
    let leg = leg.filter(|leg| leg.plane().phase == Phase::Talking).ok_or(error::CALL_NOT_IN_PROGRESS)?;
    let url = form.text("Url").filter(|url| !url.is_empty()).ok_or_else(|| ApiError::parameter("Url"))?;
    let track = match form.text("Track") {
        None | Some("inbound_track") => Track::Inbound,
        Some("outbound_track") => Track::Outbound,
        Some("both_tracks") => Track::Both,
        Some(_) => return Err(ApiError::parameter("Track").into()),
    };
    let parameters = (1..=MAX_PARAMETERS).filter_map(|number| {
        let name = form.owned(&format!("Parameter{number}.Name"))?;
        Some((name, form.owned(&format!("Parameter{number}.Value")).unwrap_or_default()))
    });
    let plan = StreamPlan {
        url: url.to_owned(),
        name: form.owned("Name"),
        track: Some(track),
        parameters: parameters.collect::<BTreeMap<_, _>>(),
        callback: target(&form, "StatusCallback", "StatusCallbackMethod")?,
    };
    let (sid, name) = leg.start_stream(plan).await.ok_or(error::FULL)?;
    Ok(ok(shown(&app, &call, sid.into(), &name, "in-progress")))
}

pub(super) async fn update(State(app): State<App>, call: Call, form: Form) -> Reply {
    if form.text("Status") != Some("stopped") {
        return Err(ApiError::parameter("Status").into());
    }
    let leg = app.exchange.live(call.path("call")).ok_or_else(|| ApiError::not_found(&call.uri_path))?;
    let stopped = leg.stop_beside(BesideKind::Stream, Some(&name(&call, "stream")));
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
        "uri": format!("/2010-04-01/Accounts/{account}/Calls/{of}/Streams/{sid}.json"),
    })
}

/// Parameters of one stream.
const MAX_PARAMETERS: usize = 99;
