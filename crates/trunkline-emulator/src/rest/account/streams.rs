//! `/Calls/{CA}/Streams`: the call's audio to a server, begun and stopped by request.

use std::collections::BTreeMap;

use axum::extract::State;
use trunkline_proto::twiml::Track;

use super::super::{Reply, ok};
use super::beside::Beside;
use super::{Call, Form, target};
use crate::error::{self, ApiError};
use crate::server::App;
use crate::telephone::stream::{BesideKind, StreamPlan};

const STREAMS: Beside =
    Beside { kind: BesideKind::Stream, piece: "stream", collection: "Streams", track: Track::Inbound };

pub(super) async fn start(State(app): State<App>, call: Call, form: Form) -> Reply {
    let leg = Beside::leg(&app, &call).await?;
    let url = form.text("Url").filter(|url| !url.is_empty()).ok_or_else(|| ApiError::parameter("Url"))?;
    let parameters = (1..=MAX_PARAMETERS).filter_map(|number| {
        let name = form.owned(&format!("Parameter{number}.Name"))?;
        Some((name, form.owned(&format!("Parameter{number}.Value")).unwrap_or_default()))
    });
    let plan = StreamPlan {
        url: url.to_owned(),
        name: form.owned("Name"),
        track: Some(STREAMS.track(&form)?),
        parameters: parameters.collect::<BTreeMap<_, _>>(),
        callback: target(&form, "StatusCallback", "StatusCallbackMethod")?,
    };
    let (sid, name) = leg.start_stream(plan).await.ok_or(error::FULL)?;
    Ok(ok(STREAMS.begun(&app, &call, sid.into(), &name)))
}

pub(super) async fn update(State(app): State<App>, call: Call, form: Form) -> Reply {
    STREAMS.update(&app, &call, &form)
}

/// Parameters of one stream.
const MAX_PARAMETERS: usize = 99;
