//! The visitor's page, and the script that puts it on any other: files held in the program.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "assets/webchat"]
struct Assets;

/// `/chat` and its files. Pages of `origins` may show it in a frame, and our own.
pub(super) fn routes(origins: &[String]) -> Router {
    let policy = Arc::new(policy(origins));
    Router::new()
        .route("/chat", get(|State(policy): State<Arc<HeaderValue>>| async move { file("index.html", &policy) }))
        .route("/chat/", get(|| async { Redirect::to("../chat") }))
        .route(
            "/chat/{file}",
            get(|State(policy): State<Arc<HeaderValue>>, Path(name): Path<String>| async move { file(&name, &policy) }),
        )
        .with_state(policy)
}

/// Nothing from elsewhere, nothing inline, in nobody's frame but of those that are allowed.
fn policy(origins: &[String]) -> HeaderValue {
    let ancestors = ["'self'"].into_iter().chain(origins.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
    let policy = format!("default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}");
    // Origins are checked when settings are read; what is no header at all lets nobody frame the page.
    HeaderValue::from_str(&policy)
        .unwrap_or_else(|_| HeaderValue::from_static("default-src 'self'; frame-ancestors 'none'"))
}

fn file(name: &str, policy: &HeaderValue) -> Response {
    let Some(asset) = Assets::get(name) else { return StatusCode::NOT_FOUND.into_response() };
    let kind = HeaderValue::from_str(asset.metadata.mimetype())
        .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::CONTENT_SECURITY_POLICY, policy.clone()),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        // Other sites load the script of the button.
        (header::HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin")),
    ];
    (headers, asset.data).into_response()
}
