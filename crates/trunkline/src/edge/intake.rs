//! A provider's request, read whole and within its limits, as it was signed.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;
use trunkline_core::messaging::WebhookEvent;
use trunkline_proto::form;
use trunkline_proto::webhook::IDEMPOTENCY_HEADER;

use super::codes;
use super::public_url::public_url;

/// The largest webhook that is read.
pub const MAX_BODY_BYTES: usize = 64 << 10;
/// Header fields that matter to a signature or to telling a repetition.
const KEPT_HEADERS: &[&str] = &["x-twilio-signature", "x-twilio-webhooks-signature-settings", IDEMPOTENCY_HEADER];

/// Why a webhook was turned away.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) reason: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, reason: impl Into<String>) -> Self {
        Self { status, code, reason: reason.into() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "code": self.code, "message": self.reason, "status": self.status.as_u16() });
        (self.status, axum::Json(body)).into_response()
    }
}

/// Reads the request whole.
pub(super) async fn read(public_base: &str, request: Request, now: Timestamp) -> Result<WebhookEvent, Refusal> {
    let (parts, body) = request.into_parts();
    let path_and_query = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let url = public_url(public_base, path_and_query);
    let (params, body) = match parts.method {
        Method::POST => {
            let body = read_body(body).await?;
            (read_form(&parts.headers, &body)?, body)
        }
        Method::GET => (decoded(parts.uri.query().unwrap_or_default().as_bytes())?, Bytes::new()),
        _ => {
            let reason = "webhooks come by POST or GET";
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, codes::METHOD, reason));
        }
    };
    let headers = kept_headers(&parts.headers);
    Ok(WebhookEvent { url, method: parts.method.as_str().to_owned(), headers, params, body, received_at: now })
}

/// The request that opens a socket, at the address that was signed.
pub(super) fn upgrade(public_base: &str, uri: &http::Uri, headers: &HeaderMap, now: Timestamp) -> WebhookEvent {
    let path_and_query = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let base = public_base.strip_prefix("http").map_or_else(|| public_base.to_owned(), |rest| format!("ws{rest}"));
    WebhookEvent {
        url: public_url(&base, path_and_query),
        method: Method::GET.as_str().to_owned(),
        headers: kept_headers(headers),
        params: Vec::new(),
        body: Bytes::new(),
        received_at: now,
    }
}

fn kept_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    KEPT_HEADERS
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), headers.get(*name)?.to_str().ok()?.to_owned())))
        .collect()
}

async fn read_body(body: Body) -> Result<Bytes, Refusal> {
    to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| {
        let reason = format!("the body is longer than {MAX_BODY_BYTES} bytes, or was cut short");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, codes::BODY_TOO_LARGE, reason)
    })
}

fn read_form(headers: &HeaderMap, body: &[u8]) -> Result<Vec<(String, String)>, Refusal> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let reason = "webhooks are application/x-www-form-urlencoded";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, codes::CONTENT_TYPE, reason));
    }
    decoded(body)
}

fn decoded(form: &[u8]) -> Result<Vec<(String, String)>, Refusal> {
    form::decode(form).map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.code(), error.to_string()))
}
