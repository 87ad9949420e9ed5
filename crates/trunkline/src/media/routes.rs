//! `GET /api/v1/media/{hash}`: a file, for the console and for agents elsewhere. `POST /api/v1/media`: a file to be sent.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::json;
use tokio_util::io::ReaderStream;
use trunkline_core::messaging::ErrorCode;
use trunkline_store::Store;

use super::fetch::keep;
use super::{Media, codes, is_hash};
use crate::console::{Access, guarded};

struct Shelf {
    store: Store,
    media: Media,
}

/// The routes, for whoever has the console's token.
pub(crate) fn media_routes(store: Store, media: Media, access: &Access) -> Router {
    let most = media.settings.max_bytes;
    let shelf = Arc::new(Shelf { store, media });
    let routes = Router::new()
        .route("/api/v1/media/{hash}", get(file))
        .route("/api/v1/media", post(take))
        .layer(DefaultBodyLimit::max(most))
        .with_state(shelf);
    guarded(routes, access)
}

async fn file(State(shelf): State<Arc<Shelf>>, Path(hash): Path<String>) -> Response {
    let row = if is_hash(&hash) { shelf.store.media(&hash).await } else { Ok(None) };
    let row = match row {
        Ok(Some(row)) => row,
        Ok(None) => return refusal(StatusCode::NOT_FOUND, codes::NOT_FOUND, "there is no such file"),
        Err(error) => return refusal(StatusCode::SERVICE_UNAVAILABLE, error.code(), "the store cannot be read"),
    };
    let Ok(file) = tokio::fs::File::open(shelf.media.folder.path(&row.hash)).await else {
        return refusal(StatusCode::NOT_FOUND, codes::NOT_FOUND, "the file is gone from the data folder");
    };
    let headers = [
        (header::CONTENT_TYPE, row.content_type),
        (header::CONTENT_LENGTH, row.size.to_string()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".to_owned()),
        // The content never changes, but it is a person's.
        (header::CACHE_CONTROL, "private, max-age=31536000, immutable".to_owned()),
        (header::ETAG, format!("\"{}\"", row.hash)),
    ];
    (headers, Body::from_stream(ReaderStream::new(file))).into_response()
}

/// Keeps the body, to be sent by its hash. What cannot be sent is the contract's `ErrCodeInvalidMessage`.
async fn take(State(shelf): State<Arc<Shelf>>, body: Result<Bytes, BytesRejection>) -> Response {
    let invalid = ErrorCode::InvalidMessage.as_str();
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return refusal(rejection.status(), invalid, "the file is too large, or did not come whole"),
    };
    let row = match keep(&shelf.media, &shelf.store, body).await {
        Ok(row) => row,
        Err(codes::UNSUPPORTED) => {
            return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, invalid, "files of this kind are not sent");
        }
        Err(codes::FULL) => {
            return refusal(StatusCode::INSUFFICIENT_STORAGE, codes::FULL, "there is no room for more files");
        }
        Err(code) => return refusal(StatusCode::SERVICE_UNAVAILABLE, code, "the file cannot be kept"),
    };
    if let Err(error) = shelf.store.keep_media(&row).await {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, error.code(), "the store cannot be written");
    }
    let kept = json!({ "sha256": row.hash, "kind": row.kind, "content_type": row.content_type, "size": row.size });
    (StatusCode::CREATED, axum::Json(kept)).into_response()
}

fn refusal(status: StatusCode, code: &'static str, message: &'static str) -> Response {
    let body = json!({ "code": code, "message": message, "status": status.as_u16() });
    (status, axum::Json(body)).into_response()
}
