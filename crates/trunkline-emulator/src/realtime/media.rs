//! The media service as clients use it: with their access token instead of the account's credentials, from any page.
//!
//! Where a file's bytes can be fetched without credentials is signed and ends after a while.

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Path, Query, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_DISPOSITION,
    CONTENT_TYPE, HOST, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;
use trunkline_proto::sid::MediaSid;

use super::token;
use crate::error::{self, ApiError};
use crate::rest::Problem;
use crate::server::App;
use crate::state::MediaFields;
use crate::state::limits::MAX_MEDIA_BYTES;
use crate::state::records::MediaRecord;

type Reply = Result<Response, Problem>;

pub(super) fn router() -> Router<App> {
    let service = Router::new()
        .route("/Media", post(upload))
        .route("/Media/{media}", get(fetch))
        .route("/Media/{media}/Content", get(content))
        .route("/MediaSet", post(set))
        .layer(DefaultBodyLimit::max(MAX_MEDIA_BYTES + MULTIPART_BYTES))
        .layer(from_fn(for_every_page));
    Router::new().nest("/mcs/v1/Services/{service}", service)
}

/// Lets pages of every origin in: what counts is the token.
async fn for_every_page(request: Request, next: Next) -> Response {
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("X-Twilio-Token, Content-Type"));
    response
}

#[derive(Deserialize)]
struct UploadQuery {
    #[serde(rename = "Filename")]
    filename: Option<String>,
}

async fn upload(
    State(app): State<App>,
    Path(service): Path<String>,
    Query(query): Query<UploadQuery>,
    request: Request,
) -> Reply {
    let headers = request.headers().clone();
    let author = identity(&app, &service, &headers)?;
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let fields = if content_type.starts_with("multipart/form-data") {
        from_form(request, query.filename).await?
    } else {
        let body = Bytes::from_request(request, &()).await;
        let content = body.map_err(|_: BytesRejection| Problem(error::TOO_LARGE))?;
        let content_type = if content_type.is_empty() { OCTETS.to_owned() } else { content_type };
        MediaFields { content_type, filename: query.filename, author: None, content }
    };
    let fields = MediaFields { author: Some(author), ..fields };
    let record = app.owner.call(move |state| state.add_media(fields)).await??;
    Ok((StatusCode::CREATED, Json(render(&app, &headers, &record))).into_response())
}

/// The first file of a form, as browsers send one.
async fn from_form(request: Request, filename: Option<String>) -> Result<MediaFields, Problem> {
    let wrong = |_| Problem(ApiError::parameter("multipart body"));
    let mut form =
        Multipart::from_request(request, &()).await.map_err(|_| Problem(ApiError::parameter("multipart body")))?;
    let field = form.next_field().await.map_err(wrong)?;
    let field = field.ok_or(Problem(ApiError::parameter("multipart body")))?;
    let content_type = field.content_type().unwrap_or(OCTETS).to_owned();
    let filename = filename.or_else(|| field.file_name().map(str::to_owned));
    let content = field.bytes().await.map_err(|_| Problem(error::TOO_LARGE))?;
    Ok(MediaFields { content_type, filename, author: None, content })
}

async fn fetch(State(app): State<App>, Path((service, media)): Path<(String, String)>, headers: HeaderMap) -> Reply {
    identity(&app, &service, &headers)?;
    let (record, _) = find(&app, &media).await?;
    Ok(Json(render(&app, &headers, &record)).into_response())
}

#[derive(Deserialize)]
struct ContentQuery {
    #[serde(rename = "Expires")]
    expires: Option<i64>,
    #[serde(rename = "Signature")]
    signature: Option<String>,
}

async fn content(
    State(app): State<App>,
    Path((service, media)): Path<(String, String)>,
    Query(query): Query<ContentQuery>,
    headers: HeaderMap,
) -> Reply {
    if let (Some(expires), Some(signature)) = (query.expires, query.signature) {
        let now = app.clock.now().as_second();
        let sid: MediaSid = media.parse().map_err(|_| Problem(ApiError::not_found("/Media")))?;
        let is_good = mac(&app, sid, expires).verify_slice(&decode_hex(&signature)).is_ok();
        if !is_good || now >= expires {
            return Err(Problem(error::FORBIDDEN));
        }
    } else {
        identity(&app, &service, &headers)?;
    }
    let (record, content) = find(&app, &media).await?;
    // A file is a stranger's: the browser must not take it for a page of this origin.
    let headers = [
        (CONTENT_TYPE, record.content_type.as_str()),
        (CONTENT_DISPOSITION, "attachment"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, content).into_response())
}

#[derive(Deserialize)]
struct SetRequest {
    command: String,
    list: Vec<SetEntry>,
}

#[derive(Deserialize)]
struct SetEntry {
    media_sid: String,
}

async fn set(State(app): State<App>, Path(service): Path<String>, headers: HeaderMap, body: Bytes) -> Reply {
    identity(&app, &service, &headers)?;
    let request: SetRequest = serde_json::from_slice(&body).map_err(|_| Problem(ApiError::parameter("body")))?;
    if request.command != "get" || request.list.len() > MAX_SET {
        return Err(Problem(ApiError::parameter("command or list")));
    }
    let mut answers = Vec::with_capacity(request.list.len());
    for SetEntry { media_sid } in request.list {
        answers.push(match find(&app, &media_sid).await {
            Ok((record, _)) => json!({"code": 200, "media_record": render(&app, &headers, &record)}),
            Err(Problem(problem)) => json!({"code": problem.status, "media_sid": media_sid}),
        });
    }
    Ok(Json(answers).into_response())
}

/// Who uploads or looks, by the token in the request.
fn identity(app: &App, service: &str, headers: &HeaderMap) -> Result<String, Problem> {
    if service != app.account.chat_service_sid.as_str() {
        return Err(Problem(ApiError::not_found("/Services")));
    }
    let token = headers.get(&TOKEN).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let grant = token::check(&app.account, token, app.clock.now().as_millisecond());
    let refused = |refusal: trunkline_proto::twilsock::server::Refusal| {
        let code = refusal.error_code.unwrap_or_default();
        Problem(ApiError { status: refusal.status, code, message: "The access token is not good".into() })
    };
    grant.map(|grant| grant.identity).map_err(refused)
}

async fn find(app: &App, media: &str) -> Result<(MediaRecord, Bytes), Problem> {
    let missing = || Problem(ApiError::not_found(&format!("/Media/{media}")));
    let sid: MediaSid = media.parse().map_err(|_| missing())?;
    app.owner.call(move |state| state.media_content(sid)).await?.ok_or_else(missing)
}

fn render(app: &App, headers: &HeaderMap, record: &MediaRecord) -> Value {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or("localhost");
    let url = format!("http://{host}/mcs/v1/Services/{}/Media/{}", app.account.chat_service_sid, record.sid);
    let expires = app.clock.now().as_second().saturating_add(TEMPORARY_SECONDS);
    let signature = encode_hex(&mac(app, record.sid, expires).finalize().into_bytes());
    let mut body = crate::rest::media_record(&app.account, &url, record);
    if let Some(fields) = body.as_object_mut() {
        let temporary = format!("{url}/Content?Expires={expires}&Signature={signature}");
        let links = json!({"content": format!("{url}/Content"), "content_direct_temporary": temporary});
        fields.insert("links".to_owned(), links);
        fields.insert("date_upload_updated".to_owned(), json!(crate::clock::iso(record.date_updated)));
    }
    body
}

/// Signs where a file is until when.
fn mac(app: &App, sid: MediaSid, expires: i64) -> Hmac<Sha256> {
    // HMAC takes keys of every length.
    let mut mac = Hmac::<Sha256>::new_from_slice(app.account.api_secret.as_bytes())
        .unwrap_or_else(|_| Hmac::<Sha256>::new(&hmac::digest::Key::<Hmac<Sha256>>::default()));
    mac.update(format!("media:{sid}:{expires}").as_bytes());
    mac
}

fn encode_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a text cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

/// The bytes of hexadecimal digits; what is none ends them, and then no signature fits.
fn decode_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().map_while(|digit| digit.to_digit(16)).filter_map(|digit| u8::try_from(digit).ok()).collect();
    let pair = |pair: &[u8]| match pair {
        [high, low] => high << 4 | low,
        _ => 0,
    };
    digits.chunks(2).map(pair).collect()
}

const TOKEN: HeaderName = HeaderName::from_static("x-twilio-token");
const OCTETS: &str = "application/octet-stream";
/// How long a file can be fetched without credentials, as with Twilio.
const TEMPORARY_SECONDS: i64 = 300;
/// Files that are asked about at once.
const MAX_SET: usize = 100;
/// What a form may add to a file, in bytes.
const MULTIPART_BYTES: usize = 64 * 1024;
