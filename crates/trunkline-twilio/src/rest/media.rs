//! The media service: files that messages refer to by SID. Conversations has no media URLs.
//!
//! Source: the media section of `/docs/conversations/media-support-conversations`; the `Filename` parameter is what
//! the official JavaScript client sends and is not documented.

use bytes::Bytes;
use reqwest::Method;
use trunkline_proto::rest::Media;
use trunkline_proto::sid::{MediaSid, ServiceSid};
use url::Url;

use super::client::{Body, Call, address};
use super::retry::Repeat;
use super::{RestClient, RestError};

const ALL: &str = "/v1/Services/{service}/Media";
const ONE: &str = "/v1/Services/{service}/Media/{media}";

/// The largest file that is uploaded or downloaded, in bytes: what WhatsApp takes. SMS takes 5 MB.
pub const MAX_MEDIA_BYTES: usize = 16 * 1024 * 1024;

/// The media service has a version of its own.
const VERSION: &str = "v1";

impl RestClient {
    /// Uploads a file to the service that its conversation belongs to.
    ///
    /// # Errors
    /// `twilio.rest.bad_argument` for an empty file, one above [`MAX_MEDIA_BYTES`], or a broken content type.
    ///
    /// # Cancel safety
    /// Not cancel-safe: the file may exist. A file that no message refers to does no harm.
    pub async fn upload_media(
        &self,
        service: ServiceSid,
        content_type: &str,
        filename: Option<&str>,
        data: Bytes,
    ) -> Result<Media, RestError> {
        if data.is_empty() || data.len() > MAX_MEDIA_BYTES {
            return Err(RestError::BadArgument("an empty or too large file"));
        }
        let is_type = content_type.split_once('/').is_some_and(|(kind, of)| !kind.is_empty() && !of.is_empty());
        if !is_type || !content_type.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
            return Err(RestError::BadArgument("a content type that is none"));
        }
        let mut url = self.media_url(service, &[])?;
        if let Some(filename) = filename {
            url.query_pairs_mut().append_pair("Filename", filename);
        }
        let body = Body::Bytes { content_type: content_type.to_owned(), data };
        self.fetch(Call { method: Method::POST, url, template: ALL, body, repeat: Repeat::Create }).await
    }

    /// Fetches what is known about a file.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn fetch_media(&self, service: ServiceSid, media: MediaSid) -> Result<Media, RestError> {
        self.fetch(Call::read(self.media_url(service, &[media.as_str()])?, ONE)).await
    }

    /// Downloads a file's content, at most `max_bytes`, from the temporary address that the service gives.
    ///
    /// # Errors
    /// `twilio.rest.too_long` for a larger file, `twilio.rest.decode` if the service gives no usable address.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn download_media(
        &self,
        service: ServiceSid,
        media: MediaSid,
        max_bytes: usize,
    ) -> Result<Bytes, RestError> {
        let known = self.fetch_media(service, media).await?;
        if known.size > max_bytes as u64 {
            return Err(RestError::TooLong);
        }
        let link = known.links.get("content_direct_temporary").ok_or(RestError::Decode)?;
        let url = Url::parse(link).map_err(|_| RestError::Decode)?;
        // Twilio's temporary addresses are elsewhere and carry their own permission.
        self.fetch_file(url, max_bytes).await
    }

    fn media_url(&self, service: ServiceSid, rest: &[&str]) -> Result<Url, RestError> {
        let segments = [&["Services", service.as_str(), "Media"], rest].concat();
        address(&self.config().endpoints.media, VERSION, &segments)
    }
}
