//! `GET /api/v1/media/{hash}`: a file, for the console and for agents elsewhere.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::json;
use tokio_util::io::ReaderStream;
use trunkline_store::Store;

use super::{MediaFolder, codes, is_hash};
use crate::console::{Access, guarded};

struct Shelf {
    store: Store,
    folder: MediaFolder,
}

/// The route, for whoever has the console's token.
pub(crate) fn media_routes(store: Store, folder: MediaFolder, access: &Access) -> Router {
    let shelf = Arc::new(Shelf { store, folder });
    guarded(Router::new().route("/api/v1/media/{hash}", get(file)).with_state(shelf), access)
}

async fn file(State(shelf): State<Arc<Shelf>>, Path(hash): Path<String>) -> Response {
    let row = if is_hash(&hash) { shelf.store.media(&hash).await } else { Ok(None) };
    let row = match row {
        Ok(Some(row)) => row,
        Ok(None) => return refusal(StatusCode::NOT_FOUND, codes::NOT_FOUND, "there is no such file"),
        Err(error) => return refusal(StatusCode::SERVICE_UNAVAILABLE, error.code(), "the store cannot be read"),
    };
    let Ok(file) = tokio::fs::File::open(shelf.folder.path(&row.hash)).await else {
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

fn refusal(status: StatusCode, code: &'static str, message: &'static str) -> Response {
    let body = json!({ "code": code, "message": message, "status": status.as_u16() });
    (status, axum::Json(body)).into_response()
}
