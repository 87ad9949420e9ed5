//! Where documents come from: fetched with two attempts and a fall-back, or given with the request.

use std::time::Duration;

use trunkline_proto::twiml::{HttpMethod, Parsed, Response};
use url::Url;

use super::leg::Leg;
use crate::faults::CALL_DOCUMENT;
use crate::state::events::{Params, Target};
use crate::state::records::Method;
use crate::webhooks::{Fetched, SendError};

/// A document that is to be run.
#[derive(Debug, Clone)]
pub(crate) enum Document {
    /// It came with the request.
    Inline(String),
    /// It is fetched; more parameters go with it.
    Fetch { target: Target, extra: Params },
}

impl Document {
    pub(crate) fn at(target: Target) -> Self {
        Self::Fetch { target, extra: Params::new() }
    }
}

/// What to do next.
pub(crate) struct Ready {
    pub(crate) parsed: Parsed,
    /// The document's own URL: what relative ones are relative to.
    pub(crate) base: Option<Target>,
}

/// A document that cannot be had or read: Twilio's error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoDocument(pub(crate) u32);

/// Fetches and reads a document, at the fall-back if it fails.
pub(crate) async fn ready(leg: &Leg, document: Document, fallback: Option<&Target>) -> Result<Ready, NoDocument> {
    let (target, extra) = match document {
        Document::Inline(text) => return read(leg, text.as_bytes(), None).await,
        Document::Fetch { target, extra } => (target, extra),
    };
    let mut params = leg.params();
    params.extend(extra);
    let failed = match fetch(leg, &target, &params).await {
        Ok(body) => match read(leg, &body, Some(target.clone())).await {
            Ok(ready) => return Ok(ready),
            Err(failed) => failed,
        },
        Err(failed) => failed,
    };
    let Some(fallback) = fallback.filter(|fallback| fallback.url != target.url) else { return Err(failed) };
    params.push(("ErrorCode", failed.0.to_string()));
    params.push(("ErrorUrl", target.url));
    let body = fetch(leg, fallback, &params).await?;
    read(leg, &body, Some(fallback.clone())).await
}

async fn fetch(leg: &Leg, target: &Target, params: &Params) -> Result<Vec<u8>, NoDocument> {
    let attempt =
        async || leg.net.sender().fetch_document(CALL_DOCUMENT, target, params, ATTEMPT, MAX_DOCUMENT_BYTES).await;
    let work = async {
        match attempt().await {
            Err(SendError::Failed) => attempt().await,
            other => other,
        }
    };
    let outcome = tokio::time::timeout(WHOLE_REQUEST, work).await.unwrap_or(Err(SendError::TimedOut));
    let code = match outcome {
        Ok(Fetched { status, content_type, body }) if status.is_success() => {
            if is_xml(&content_type) {
                return Ok(body);
            }
            leg.note(12300, 0, "The document has a content type that is not XML").await;
            return Err(NoDocument(12300));
        }
        Ok(_) => 11200,
        Err(SendError::TooLong) => 11750,
        Err(SendError::Failed | SendError::TimedOut) => 11205,
    };
    let text = match code {
        11750 => "The document is longer than 64 kB",
        11205 => "The document's server did not answer",
        _ => "The document's server answered with an error",
    };
    // Whatever went wrong, the request failed.
    leg.note(if code == 11205 { 11200 } else { code }, 0, text).await;
    Err(NoDocument(code))
}

async fn read(leg: &Leg, body: &[u8], base: Option<Target>) -> Result<Ready, NoDocument> {
    match Response::parse(body) {
        Ok(parsed) => {
            for warning in &parsed.warnings {
                leg.note(12200, 1, &warning.to_string()).await;
            }
            Ok(Ready { parsed, base })
        }
        Err(error) => {
            let text = str::from_utf8(body).unwrap_or_default();
            let missing = MISSING.iter().find(|verb| text.contains(&format!("<{verb}")));
            let note = missing.map_or_else(
                || error.to_string(),
                |verb| format!("<{verb}> is Twilio's, and this emulator does not carry it out"),
            );
            leg.note(error.twilio_code(), 0, &note).await;
            Err(NoDocument(error.twilio_code()))
        }
    }
}

/// `text/xml`, `application/xml` and their like; a server that says nothing is believed.
fn is_xml(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.is_empty() || matches!(essence.as_str(), "text/xml" | "application/xml" | "text/html")
}

/// A URL of a document, made absolute.
pub(crate) fn resolve(base: Option<&Target>, url: Option<&str>, method: Option<HttpMethod>) -> Option<Target> {
    let method = if method == Some(HttpMethod::Get) { Method::Get } else { Method::Post };
    let url = match (url.filter(|url| !url.is_empty()), base) {
        (None, base) => base?.url.clone(),
        (Some(url), None) => url.to_owned(),
        // An absolute URL goes out as it was written: it is signed.
        (Some(url), Some(_)) if url.contains("://") => url.to_owned(),
        (Some(url), Some(base)) => Url::parse(&base.url).ok()?.join(url).ok()?.into(),
    };
    Some(Target { url, method })
}

/// Verbs of calls that Twilio has and this emulator has not.
const MISSING: [&str; 7] = ["Enqueue", "Leave", "Refer", "Pay", "Sms", "Prompt", "Application"];
const ATTEMPT: Duration = Duration::from_secs(5);
const WHOLE_REQUEST: Duration = Duration::from_secs(15);
/// Longest document, in bytes, and one byte over it.
const MAX_DOCUMENT_BYTES: usize = 64 * 1024;
