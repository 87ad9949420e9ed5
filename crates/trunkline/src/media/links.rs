//! `GET /files/{sha256}?until=…&sig=…`: a file for a provider that fetches what it is to send. Whoever has the address
//! gets that one file, for a limited time; nobody can make one up.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path as FilePath;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use sha2::Sha256;

use super::{MediaFolder, codes, is_hash};

/// How long an address holds: Twilio keeps a message at most this long before it sends it.
const LIFE: SignedDuration = SignedDuration::from_hours(4);
/// The file of the key in the data folder.
const KEY_FILE: &str = "media-key";
const KEY_BYTES: usize = 32;

/// Makes and knows addresses of files. Cheap to clone.
#[derive(Clone)]
pub struct MediaLinks(Arc<[u8]>);

impl MediaLinks {
    /// With the key of the data folder, which is made when there is none: addresses hold over restarts.
    ///
    /// # Errors
    /// When the key can be neither read nor made.
    pub fn open(data_dir: &FilePath) -> io::Result<Self> {
        let path = data_dir.join(KEY_FILE);
        match fs::read(&path) {
            Ok(key) if key.len() == KEY_BYTES => return Ok(Self(key.into())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let key: [u8; KEY_BYTES] = rand::random();
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(&key)?;
        file.sync_all()?;
        Ok(Self(Arc::from(key)))
    }

    /// Path and query of a file, from now on for a limited time.
    pub(crate) fn path(&self, hash: &str, now: Timestamp) -> String {
        let until = now.saturating_add(LIFE).map_or(i64::MAX, Timestamp::as_second);
        let signature = self.signer(hash, until).map(|signer| signer.finalize().into_bytes()).unwrap_or_default();
        let mut path = format!("/files/{hash}?until={until}&sig=");
        for byte in signature {
            // Writing to a text cannot fail.
            let _infallible = write!(path, "{byte:02x}");
        }
        path
    }

    fn admits(&self, hash: &str, link: &Link, now: Timestamp) -> bool {
        let Some(signer) = self.signer(hash, link.until) else { return false };
        let signature = decoded(&link.sig);
        link.until > now.as_second() && signature.is_some_and(|signature| signer.verify_slice(&signature).is_ok())
    }

    fn signer(&self, hash: &str, until: i64) -> Option<Hmac<Sha256>> {
        let mut signer = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        signer.update(format!("{hash}.{until}").as_bytes());
        Some(signer)
    }
}

fn decoded(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    digits.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

#[derive(Deserialize)]
struct Link {
    until: i64,
    sig: String,
}

/// The route, for whoever has an address.
pub(crate) fn public_routes(folder: MediaFolder, links: MediaLinks) -> Router {
    Router::new().route("/files/{hash}", get(file)).with_state((folder, links))
}

async fn file(
    State((folder, links)): State<(MediaFolder, MediaLinks)>,
    Path(hash): Path<String>,
    link: Result<Query<Link>, QueryRejection>,
) -> Response {
    let is_good = is_hash(&hash) && link.is_ok_and(|Query(link)| links.admits(&hash, &link, Timestamp::now()));
    let read = if is_good { folder.read(&hash).await } else { None };
    // Why it is not there is nobody's business.
    let Some((bytes, content_type)) = read else {
        let body = serde_json::json!({ "code": codes::NOT_FOUND, "message": "there is no such file", "status": 404 });
        return (StatusCode::NOT_FOUND, axum::Json(body)).into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    (headers, Body::from(bytes)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_for_one_file_for_a_while_and_over_restarts() {
        let data = tempfile::tempdir().unwrap();
        let (hash, other, now) = ("ab".repeat(32), "cd".repeat(32), Timestamp::from_second(1_800_000_000).unwrap());
        let path = MediaLinks::open(data.path()).unwrap().path(&hash, now);
        let (start, sig) = path.split_once("&sig=").unwrap();
        let until: i64 = start.split_once("?until=").unwrap().1.parse().unwrap();
        let again = MediaLinks::open(data.path()).unwrap();
        let admits = |hash: &str, until: i64, sig: &str, later: i64| {
            let now = now + SignedDuration::from_secs(later);
            again.admits(hash, &Link { until, sig: sig.to_owned() }, now)
        };
        assert!(admits(&hash, until, sig, 0) && admits(&hash, until, sig, 4 * 3600 - 1));
        assert!(!admits(&hash, until, sig, 4 * 3600), "it ends");
        assert!(!admits(&other, until, sig, 0) && !admits(&hash, until + 1, sig, 0));
        for sig in ["", "00", "zz", &format!("{sig}00")] {
            assert!(!admits(&hash, until, sig, 0), "{sig}");
        }
        let elsewhere = MediaLinks::open(tempfile::tempdir().unwrap().path()).unwrap();
        assert!(!elsewhere.admits(&hash, &Link { until, sig: sig.to_owned() }, now));
    }
}
