//! What goes on beside a call, streams and transcriptions: how they are begun, stopped and shown.

use std::sync::Arc;

use serde_json::{Value, json};
use trunkline_proto::sid::AnySid;
use trunkline_proto::twiml::Track;

use super::super::{Reply, ok};
use super::{Call, Form, name};
use crate::clock::rfc2822;
use crate::error::{self, ApiError};
use crate::rest::Problem;
use crate::server::App;
use crate::telephone::Leg;
use crate::telephone::plane::Phase;
use crate::telephone::stream::BesideKind;

/// One of the kinds, as addresses name it.
pub(super) struct Beside {
    pub(super) kind: BesideKind,
    /// The piece of the path that names one.
    pub(super) piece: &'static str,
    pub(super) collection: &'static str,
    /// The track that is meant when none is named.
    pub(super) track: Track,
}

impl Beside {
    /// The call that something is to go on beside: one in which people talk.
    pub(super) async fn leg(app: &App, call: &Call) -> Result<Arc<Leg>, Problem> {
        let of = call.owned("call");
        app.owner.call(move |state| state.call(&of).map(drop)).await??;
        let leg = app.exchange.live(call.path("call"));
        Ok(leg.filter(|leg| leg.plane().phase == Phase::Talking).ok_or(error::CALL_NOT_IN_PROGRESS)?)
    }

    pub(super) fn track(&self, form: &Form) -> Result<Track, ApiError> {
        match form.text("Track") {
            None => Ok(self.track),
            Some("inbound_track") => Ok(Track::Inbound),
            Some("outbound_track") => Ok(Track::Outbound),
            Some("both_tracks") => Ok(Track::Both),
            Some(_) => Err(ApiError::parameter("Track")),
        }
    }

    /// It has begun.
    pub(super) fn begun(&self, app: &App, call: &Call, sid: AnySid, name: &str) -> Value {
        self.shown(app, call, sid, name, "in-progress")
    }

    /// `Status=stopped`, the one thing that can be changed.
    pub(super) fn update(&self, app: &App, call: &Call, form: &Form) -> Reply {
        if form.text("Status") != Some("stopped") {
            return Err(ApiError::parameter("Status").into());
        }
        let leg = app.exchange.live(call.path("call")).ok_or_else(|| ApiError::not_found(&call.uri_path))?;
        let stopped = leg.stop_beside(self.kind, Some(&name(call, self.piece)));
        let (sid, name) = stopped.ok_or_else(|| ApiError::not_found(&call.uri_path))?;
        Ok(ok(self.shown(app, call, sid, &name, "stopped")))
    }

    fn shown(&self, app: &App, call: &Call, sid: AnySid, name: &str, status: &str) -> Value {
        let (account, of, collection) = (app.account.account_sid, call.path("call"), self.collection);
        json!({
            "sid": sid,
            "account_sid": account,
            "call_sid": of,
            "name": name,
            "status": status,
            "date_updated": rfc2822(app.clock.now()),
            "uri": format!("/2010-04-01/Accounts/{account}/Calls/{of}/{collection}/{sid}.json"),
        })
    }
}
