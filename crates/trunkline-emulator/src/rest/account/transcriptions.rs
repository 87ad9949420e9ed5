//! `/Calls/{CA}/Transcriptions`: what is said in a call, begun and stopped by request.

use axum::extract::State;
use trunkline_proto::twiml::Track;

use super::super::{Reply, ok};
use super::beside::Beside;
use super::{Call, Form, target};
use crate::error;
use crate::server::App;
use crate::telephone::stream::BesideKind;
use crate::telephone::transcription::{ENGINE, LANGUAGE, TranscriptionPlan};

const TRANSCRIPTIONS: Beside = Beside {
    kind: BesideKind::Transcription,
    piece: "transcription",
    collection: "Transcriptions",
    track: Track::Both,
};

pub(super) async fn start(State(app): State<App>, call: Call, form: Form) -> Reply {
    let leg = Beside::leg(&app, &call).await?;
    let plan = TranscriptionPlan {
        name: form.owned("Name"),
        track: TRANSCRIPTIONS.track(&form)?,
        callback: target(&form, "StatusCallbackUrl", "StatusCallbackMethod")?,
        language: form.owned("LanguageCode").unwrap_or_else(|| LANGUAGE.to_owned()),
        engine: form.owned("TranscriptionEngine").unwrap_or_else(|| ENGINE.to_owned()),
        hints: form.owned("Hints"),
    };
    let (sid, name) = leg.start_transcription(plan).ok_or(error::FULL)?;
    Ok(ok(TRANSCRIPTIONS.begun(&app, &call, sid.into(), &name)))
}

pub(super) async fn update(State(app): State<App>, call: Call, form: Form) -> Reply {
    TRANSCRIPTIONS.update(&app, &call, &form)
}
