//! Webhooks made by hand, signed or not.

use reqwest::Method;
use trunkline_proto::signature::{Algorithm, SIGNATURE_HEADER, sign};
use url::form_urlencoded;

use super::{Answer, World, answer};

pub(crate) struct Webhook {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) params: Vec<(String, String)>,
    pub(crate) content_type: &'static str,
    /// Sent as it is, in place of the parameters.
    pub(crate) raw: Option<Vec<u8>>,
    /// The URL that is signed; the one that is called if unset.
    pub(crate) signed_url: Option<String>,
    /// The key; `None` sends no signature.
    pub(crate) key: Option<String>,
}

impl Webhook {
    pub(crate) fn new(world: &World, params: Vec<(String, String)>) -> Self {
        Self {
            method: Method::POST,
            path: "/webhooks/twilio".to_owned(),
            params,
            content_type: "application/x-www-form-urlencoded; charset=UTF-8",
            raw: None,
            signed_url: None,
            key: Some(world.account.auth_token.clone()),
        }
    }

    /// Another value for a parameter; an empty one leaves it out.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.params.retain(|(known, _)| known != name);
        if !value.is_empty() {
            self.params.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Calls a gateway at `base`.
    pub(crate) async fn call(&self, world: &World, base: &str) -> Answer {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.params).finish();
        let is_get = self.method == Method::GET;
        let url = if is_get { format!("{base}{}?{form}", self.path) } else { format!("{base}{}", self.path) };
        let mut request = world.http.request(self.method.clone(), &url);
        if let Some(key) = &self.key {
            let signed = self.signed_url.as_ref().unwrap_or(&url);
            let params = if is_get { &[] } else { self.params.as_slice() };
            let signature = sign(Algorithm::HmacSha1, key.as_bytes(), signed, params);
            request = request.header(SIGNATURE_HEADER, signature);
        }
        if !is_get {
            let body = self.raw.clone().unwrap_or_else(|| form.into_bytes());
            request = request.header("content-type", self.content_type).body(body);
        }
        answer(request).await
    }

    /// Calls the gateway of the world.
    pub(crate) async fn send(&self, world: &World) -> Answer {
        self.call(world, &world.gateway_url("")).await
    }
}

/// The parameters of a new message, as Twilio names them.
pub(crate) fn message_added(world: &World, conversation: &str, message: &str, author: &str, body: &str) -> Webhook {
    let account = world.account.account_sid.to_string();
    let service = world.account.chat_service_sid.to_string();
    let params = [
        ("AccountSid", account.as_str()),
        ("ChatServiceSid", &service),
        ("EventType", "onMessageAdded"),
        ("Source", "SMS"),
        ("ConversationSid", conversation),
        ("MessageSid", message),
        ("Index", "0"),
        ("Author", author),
        ("ParticipantSid", "MB00000000000000000000000000000001"),
        ("Attributes", "{}"),
        ("Body", body),
        ("DateCreated", "2026-01-01T00:00:00.000Z"),
        ("RetryCount", "0"),
    ];
    Webhook::new(world, params.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
}
