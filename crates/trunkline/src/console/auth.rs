//! Who gets in: whoever has the token, in a header or, after a log-in, in a cookie.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use trunkline_core::Secret;

use super::codes;

const COOKIE: &str = "trunkline_console";
/// Wrong tokens that may be tried in a second.
const TRIES_PER_SECOND: NonZeroU32 = NonZeroU32::new(5).unwrap();

/// The largest body of a log-in, in bytes.
const MAX_LOG_IN: usize = 4096;

/// The token of the console. Cheap to clone.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    /// Digest of the token: equal length for any input, and what the cookie holds.
    digest: [u8; 32],
    tries: DefaultDirectRateLimiter,
}

impl Access {
    /// Lets in whoever has `token`.
    pub fn new(token: &Secret) -> Self {
        let tries = RateLimiter::direct(Quota::per_second(TRIES_PER_SECOND));
        Self(Arc::new(Inner { digest: Sha256::digest(token.expose()).into(), tries }))
    }

    fn fits(&self, token: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(token).into();
        digest.ct_eq(&self.0.digest).into()
    }

    fn cookie(&self) -> String {
        let (high, low) = self.0.digest.split_at(16);
        let hex = |half: &[u8]| half.iter().fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
        format!("{:032x}{:032x}", hex(high), hex(low))
    }

    fn judge(&self, headers: &HeaderMap) -> Verdict {
        let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
        if let Some(token) = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer ")) {
            return Verdict::of(self.fits(token.trim()));
        }
        let cookies = text(header::COOKIE).unwrap_or_default();
        let mut ours = cookies.split(';').filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='));
        let wanted = self.cookie();
        if ours.clone().next().is_none() {
            return Verdict::Nobody;
        }
        Verdict::of(ours.any(|value| value.as_bytes().ct_eq(wanted.as_bytes()).into()))
    }

    /// The answer to a wrong token: at most so many a second are told that they are wrong.
    fn refuse_guess(&self, code: &'static str, message: &'static str) -> Response {
        if self.0.tries.check().is_err() {
            return refusal(StatusCode::TOO_MANY_REQUESTS, codes::TOO_MANY_TRIES, "wait a moment and try again");
        }
        refusal(StatusCode::UNAUTHORIZED, code, message)
    }
}

/// Who asks.
enum Verdict {
    Admitted,
    /// Brings a token that is not ours.
    Wrong,
    /// Brings none.
    Nobody,
}

impl Verdict {
    fn of(fits: bool) -> Self {
        if fits { Self::Admitted } else { Self::Wrong }
    }
}

#[derive(Deserialize)]
struct Link {
    token: Option<String>,
}

#[derive(Deserialize)]
struct LogIn {
    token: String,
}

pub(super) fn routes(access: Access) -> Router {
    Router::new()
        .route("/login", get(by_link).post(by_form))
        .layer(DefaultBodyLimit::max(MAX_LOG_IN))
        .with_state(access)
}

/// The link that `trunkline up` prints: sets the cookie and shows the console. A link that is not right shows the
/// console's own form.
async fn by_link(State(access): State<Access>, Query(link): Query<Link>) -> Response {
    let Some(token) = link.token else { return Redirect::to("/").into_response() };
    match enter(&access, &token) {
        Ok(cookie) => (cookie, Redirect::to("/")).into_response(),
        Err(refusal) if refusal.status() == StatusCode::UNAUTHORIZED => Redirect::to("/").into_response(),
        Err(refusal) => refusal,
    }
}

async fn by_form(State(access): State<Access>, Json(log_in): Json<LogIn>) -> Response {
    match enter(&access, &log_in.token) {
        Ok(cookie) => (StatusCode::NO_CONTENT, cookie).into_response(),
        Err(refusal) => refusal,
    }
}

#[expect(clippy::result_large_err, reason = "the refusal is the answer")]
fn enter(access: &Access, token: &str) -> Result<[(header::HeaderName, String); 1], Response> {
    if access.fits(token) {
        let cookie = format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000", access.cookie());
        return Ok([(header::SET_COOKIE, cookie)]);
    }
    Err(access.refuse_guess(codes::WRONG_TOKEN, "this is not the console's token"))
}

/// Lets a request pass if it brings the token.
pub(super) async fn require(State(access): State<Access>, request: Request, next: Next) -> Response {
    let (code, message) = (codes::UNAUTHORIZED, "log in with the console's token");
    match access.judge(request.headers()) {
        Verdict::Admitted => next.run(request).await,
        Verdict::Wrong => access.refuse_guess(code, message),
        Verdict::Nobody => refusal(StatusCode::UNAUTHORIZED, code, message),
    }
}

fn refusal(status: StatusCode, code: &'static str, message: &'static str) -> Response {
    (status, Json(json!({ "code": code, "message": message, "status": status.as_u16() }))).into_response()
}
