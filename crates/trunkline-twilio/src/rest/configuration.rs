//! Account, service and where webhooks go.

use trunkline_proto::rest::{AddressConfiguration, Configuration, Service, WebhookConfiguration};
use trunkline_proto::sid::ServiceSid;

use super::client::{Call, Form};
use super::{Listing, RestClient, RestError};

const ACCOUNT: &str = "/v1/Configuration";
const SERVICE: &str = "/v1/Services/{service}";
/// A page of addresses has no more.
const MAX_ADDRESS_PAGE: u32 = 50;
const ADDRESSES: &str = "/v1/Configuration/Addresses";
const WEBHOOKS: &str = "/v1/Configuration/Webhooks";

/// What is changed of a webhook configuration; what is left out stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebhookUpdate {
    /// Where pre-events are asked.
    pub pre_webhook_url: Option<String>,
    /// Where post-events go.
    pub post_webhook_url: Option<String>,
    /// `GET` or `POST`.
    pub method: Option<String>,
    /// The events that are sent, all of them.
    pub filters: Vec<String>,
}

impl RestClient {
    /// Fetches the account's defaults.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn fetch_configuration(&self) -> Result<Configuration, RestError> {
        self.fetch(Call::read(self.unscoped(&["Configuration"])?, ACCOUNT)).await
    }

    /// Fetches a service.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn fetch_service(&self, service: ServiceSid) -> Result<Service, RestError> {
        self.fetch(Call::read(self.unscoped(&["Services", service.as_str()])?, SERVICE)).await
    }

    /// Lists what happens when people write to the account's addresses.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn list_addresses(&self, limit: usize) -> Result<Listing<AddressConfiguration>, RestError> {
        self.list_by(MAX_ADDRESS_PAGE, self.unscoped(&["Configuration", "Addresses"])?, ADDRESSES, limit).await
    }

    /// Fetches where webhooks go: of the service if the client has one, else of the account.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn fetch_webhooks(&self) -> Result<WebhookConfiguration, RestError> {
        self.fetch(Call::read(self.scoped(&["Configuration", "Webhooks"])?, WEBHOOKS)).await
    }

    /// Changes where webhooks go: of the service if the client has one, else of the account.
    ///
    /// # Cancel safety
    /// May have taken effect; it may be done again.
    pub async fn update_webhooks(&self, update: &WebhookUpdate) -> Result<WebhookConfiguration, RestError> {
        let mut form = Form::default();
        form.set("PreWebhookUrl", update.pre_webhook_url.as_deref());
        form.set("PostWebhookUrl", update.post_webhook_url.as_deref());
        form.set("Method", update.method.as_deref());
        for filter in &update.filters {
            form.set("Filters", Some(filter.as_str()));
        }
        if self.config().service_sid.is_none() {
            form.set("Target", Some("webhook"));
        }
        self.fetch(Call::update(self.scoped(&["Configuration", "Webhooks"])?, WEBHOOKS, form)).await
    }
}
