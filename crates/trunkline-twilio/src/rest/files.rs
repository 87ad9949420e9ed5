//! Files from wherever Twilio says that they are: redirects are followed, credentials go to Twilio's own hosts alone, and
//! nobody is asked who is not on the public internet.

use bytes::Bytes;
use reqwest::header::LOCATION;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::client::body_of;
use super::public::{is_not_public, may_be_public};
use super::{RestClient, RestError};

/// Redirects of one file that are followed.
const MAX_REDIRECTS: usize = 5;

impl RestClient {
    /// Fetches a file of at most `max_bytes` from `url`, in the time of an operation. Hosts of Twilio's services, as
    /// configured, are asked with credentials; others without, only by `https`, and only at public addresses.
    ///
    /// # Errors
    /// `twilio.rest.private_address`, `twilio.rest.too_long`, `twilio.rest.decode` for redirects that lead nowhere, and
    /// what a request can fail by.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn fetch_file(&self, mut url: Url, max_bytes: usize) -> Result<Bytes, RestError> {
        let deadline = Instant::now() + self.config().operation_timeout;
        for _ in 0..=MAX_REDIRECTS {
            let response = match timeout_at(deadline, self.ask_for_file(&url)).await {
                Ok(response) => response?,
                Err(_) => return Err(RestError::Unavailable { status: TIMED_OUT, code: TIMED_OUT.into() }),
            };
            if response.status().is_redirection() {
                let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
                url = location.and_then(|location| url.join(location).ok()).ok_or(RestError::Decode)?;
                continue;
            }
            if !response.status().is_success() {
                return Err(RestError::answer(response.status().as_u16(), None, None));
            }
            return match timeout_at(deadline, body_of(response, max_bytes)).await {
                Ok(body) => body,
                Err(_) => Err(RestError::Unavailable { status: TIMED_OUT, code: TIMED_OUT.into() }),
            };
        }
        Err(RestError::Decode)
    }

    async fn ask_for_file(&self, url: &Url) -> Result<reqwest::Response, RestError> {
        let endpoints = &self.config().endpoints;
        let own = [&endpoints.media, &endpoints.api, &endpoints.conversations];
        if own.iter().any(|endpoint| endpoint.origin() == url.origin()) {
            let credentials = &self.config().credentials;
            let request = self.http().get(url.clone());
            let request = request.basic_auth(&credentials.user, Some(credentials.password.expose()));
            return request.send().await.map_err(RestError::transport);
        }
        if url.scheme() != "https" || !may_be_public(url) {
            return Err(RestError::PrivateAddress);
        }
        let sent = self.strangers().get(url.clone()).send().await;
        sent.map_err(
            |error| if is_not_public(&error) { RestError::PrivateAddress } else { RestError::transport(error) },
        )
    }
}

/// Request Timeout, as if the far side had said so.
const TIMED_OUT: u16 = 408;
