//! The JSON body of a request. What is wrong with it is told like everything else: as a problem with a code.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use super::api::Failure;
use super::codes;

/// A body, read.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        match Json::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(refused(&rejection)),
        }
    }
}

/// What was sent is not repeated: it may be somebody's words.
fn refused(rejection: &JsonRejection) -> Failure {
    let (status, reason) = match rejection {
        JsonRejection::JsonDataError(_) => {
            (StatusCode::BAD_REQUEST, "the body lacks a field, or has one that is not known or has no meaning")
        }
        JsonRejection::JsonSyntaxError(_) => (StatusCode::BAD_REQUEST, "the body is not JSON"),
        JsonRejection::MissingJsonContentType(_) => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body must be sent as application/json")
        }
        _ => (StatusCode::PAYLOAD_TOO_LARGE, "the body could not be read, or is too large"),
    };
    Failure(status, codes::BAD_REQUEST, reason.to_owned())
}
