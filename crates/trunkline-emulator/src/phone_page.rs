//! The phone in the browser: static files at `/phone`, from the binary.

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use rust_embed::RustEmbed;

use crate::server::App;

#[derive(RustEmbed)]
#[folder = "assets/phone/"]
struct Assets;

pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/", get(async || Redirect::temporary("/phone")))
        .route("/phone", get(async || file("index.html")))
        .route("/phone/{file}", get(async |Path(name): Path<String>| file(&name)))
}

fn file(name: &str) -> Response {
    let Some(asset) = Assets::get(name) else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [
        (CONTENT_TYPE, asset.metadata.mimetype()),
        (CONTENT_SECURITY_POLICY, "default-src 'self'"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // The files change with the binary and have no version in their names.
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, asset.data.into_owned()).into_response()
}
