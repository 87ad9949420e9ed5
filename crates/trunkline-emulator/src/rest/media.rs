//! The media service: `/v1/Services/{IS}/Media`. Twilio has it on a host of its own.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use http::HeaderMap;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};

use super::call::Call;
use super::{Problem, Reply, created, ok, render};
use crate::error::{self, ApiError};
use crate::server::App;
use crate::state::MediaFields;
use crate::state::records::MediaRecord;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/Media", post(upload))
        .route("/Media/{media}", get(fetch))
        .route("/Media/{media}/Content", get(content))
}

async fn upload(
    State(app): State<App>,
    call: Call,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Reply {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let fields = MediaFields {
        content_type: content_type.ok_or_else(|| ApiError::parameter("Content-Type"))?.to_owned(),
        filename: call.query.owned("Filename"),
        author: call.query.owned("Author"),
        content: body.map_err(|_| Problem(error::TOO_LARGE))?,
    };
    let record = app.owner.call(move |state| state.add_media(fields)).await??;
    Ok(created(render::media(&app.account, &url(&call, &record), &record)))
}

async fn fetch(State(app): State<App>, call: Call) -> Reply {
    let (record, _) = find(&app, &call).await?;
    Ok(ok(render::media(&app.account, &url(&call, &record), &record)))
}

async fn content(State(app): State<App>, call: Call) -> Reply {
    let (record, content) = find(&app, &call).await?;
    // A file is a stranger's: the browser must not take it for a page of this origin.
    let headers = [
        (CONTENT_TYPE, record.content_type.as_str()),
        (CONTENT_DISPOSITION, "attachment"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, content).into_response())
}

fn url(call: &Call, record: &MediaRecord) -> String {
    format!("{}/Media/{}", call.base(), record.sid)
}

async fn find(app: &App, call: &Call) -> Result<(MediaRecord, Bytes), Problem> {
    let missing = || ApiError::not_found(&call.uri_path);
    let sid = call.path("media").parse().map_err(|_| missing())?;
    let found = app.owner.call(move |state| state.media_content(sid)).await?;
    Ok(found.ok_or_else(missing)?)
}
