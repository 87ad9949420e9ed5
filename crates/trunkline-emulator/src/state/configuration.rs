//! Configuration of the account and its service: defaults for new conversations, and webhooks.

use trunkline_proto::sid::MessagingServiceSid;

use super::limits;
use super::records::{Configuration, Method, WebhookConfig};
use super::scoped_webhooks::parse_filters;
use super::{Key, State};
use crate::error::{self, ApiError};

/// What a caller says of the account's configuration: the defaults of new conversations.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConfigurationFields {
    pub(crate) chat_service_sid: Option<String>,
    pub(crate) messaging_service_sid: Option<String>,
    pub(crate) inactive_timer: Option<String>,
    pub(crate) closed_timer: Option<String>,
}

/// What a caller says of the webhooks of the account or its service. An empty URL or filter takes it away.
#[derive(Debug, Clone, Default)]
pub(crate) struct WebhookConfigFields {
    pub(crate) pre_webhook_url: Option<String>,
    pub(crate) post_webhook_url: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) filters: Option<Vec<String>>,
    pub(crate) target: Option<String>,
}

impl WebhookConfigFields {
    pub(super) fn apply(&self, before: &WebhookConfig) -> Result<WebhookConfig, ApiError> {
        let mut config = before.clone();
        for (given, url) in [
            (&self.pre_webhook_url, &mut config.pre_webhook_url),
            (&self.post_webhook_url, &mut config.post_webhook_url),
        ] {
            match given.as_deref() {
                Some("") => *url = None,
                Some(text) => {
                    limits::check_url(text)?;
                    *url = Some(text.to_owned());
                }
                None => {}
            }
        }
        if let Some(method) = &self.method {
            config.method = Some(Method::parse(method).ok_or_else(|| ApiError::parameter("Method"))?);
        }
        if let Some(filters) = &self.filters {
            let named: Vec<_> = filters.iter().filter(|name| !name.is_empty()).cloned().collect();
            config.filters = Some(parse_filters(&named)?);
        }
        match self.target.as_deref() {
            Some("webhook") => config.flex = false,
            Some("flex") => config.flex = true,
            Some(_) => return Err(ApiError::parameter("Target")),
            None => {}
        }
        Ok(config)
    }
}

impl State {
    pub(crate) fn update_configuration(&mut self, fields: &ConfigurationFields) -> Result<Configuration, ApiError> {
        let mut config = self.configuration.clone();
        if let Some(sid) = &fields.chat_service_sid {
            let service = self.named_service(Some(sid)).map_err(|_| ApiError::parameter("DefaultChatServiceSid"))?;
            config.default_chat_service_sid = Some(service);
        }
        if let Some(sid) = &fields.messaging_service_sid {
            sid.parse::<MessagingServiceSid>().map_err(|_| error::MESSAGING_SERVICE_SID)?;
            config.default_messaging_service_sid = Some(sid.clone());
        }
        if let Some(timer) = &fields.inactive_timer {
            config.default_inactive_timer = limits::inactive_seconds(timer)?.map(|_| timer.clone());
        }
        if let Some(timer) = &fields.closed_timer {
            config.default_closed_timer = limits::closed_seconds(timer)?.map(|_| timer.clone());
        }
        self.set_configuration(config)
    }

    pub(crate) fn update_webhooks(&mut self, fields: &WebhookConfigFields) -> Result<Configuration, ApiError> {
        let webhooks = fields.apply(&self.configuration.webhooks)?;
        self.set_configuration(Configuration { webhooks, ..self.configuration.clone() })
    }

    #[expect(clippy::unnecessary_wraps, reason = "the last step of operations that can fail")]
    fn set_configuration(&mut self, config: Configuration) -> Result<Configuration, ApiError> {
        self.configuration = config;
        self.effects.dirty.insert(Key::Configuration);
        Ok(self.configuration.clone())
    }
}
