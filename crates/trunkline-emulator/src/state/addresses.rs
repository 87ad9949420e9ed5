//! Address configurations: which of the account's addresses make conversations of texts that belong to none.

use trunkline_proto::sid::AddressSid;

use super::address::{Address, WHATSAPP};
use super::limits;
use super::paging::{Cursor, Order, Slice, slice};
use super::records::{AddressConfiguration, AutoCreation, AutoCreationKind, Method};
use super::scoped_webhooks::parse_filters;
use super::{Key, State};
use crate::error::{self, ApiError};

/// What a caller says of an address configuration. `None` is not said.
#[derive(Debug, Clone, Default)]
pub(crate) struct AddressFields {
    pub(crate) kind: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) friendly_name: Option<String>,
    pub(crate) address_country: Option<String>,
    pub(crate) enabled: Option<bool>,
    pub(crate) auto_creation: Option<String>,
    pub(crate) conversation_service_sid: Option<String>,
    pub(crate) webhook_url: Option<String>,
    pub(crate) webhook_method: Option<String>,
    pub(crate) webhook_filters: Option<Vec<String>>,
    pub(crate) studio_flow_sid: Option<String>,
    pub(crate) studio_retry_count: Option<u32>,
}

impl State {
    /// The account's number takes SMS and WhatsApp, and makes conversations of both.
    pub(super) fn add_own_addresses(&mut self) {
        let number = self.account.phone_number.clone();
        for (kind, address) in [("sms", number.clone()), ("whatsapp", format!("{WHATSAPP}{number}"))] {
            let fields = AddressFields {
                kind: Some(kind.to_owned()),
                address: Some(address),
                enabled: Some(true),
                ..AddressFields::default()
            };
            // The number was checked when the account was made.
            drop(self.add_address(&fields));
        }
    }

    /// Whether an address is one of the account's: one of its numbers, or one with a configuration.
    pub(super) fn owns(&self, address: &Address) -> bool {
        let number = &self.account.phone_number;
        let own = match address {
            Address::Sms(text) => text == number,
            Address::WhatsApp(text) => text.strip_prefix(WHATSAPP) == Some(number),
        };
        let bought = matches!(address, Address::Sms(text) if self.number_of(text).is_some());
        own || bought || self.addresses.values().any(|one| one.address == address.as_str())
    }

    /// How a text to this address makes a conversation.
    pub(super) fn auto_creation(&self, to: &Address) -> Result<&AutoCreation, ApiError> {
        let rule = self.addresses.values().find(|one| one.address == to.as_str()).map(|one| &one.auto_creation);
        rule.filter(|rule| rule.enabled).ok_or_else(|| {
            ApiError::not_found("/Configuration/Addresses with auto creation for the address that was texted")
        })
    }

    pub(crate) fn list_addresses(
        &self,
        kind: Option<&str>,
        size: usize,
        cursor: Option<Cursor>,
    ) -> Slice<AddressConfiguration> {
        slice(&self.addresses, Order::Ascending, size, cursor, |one| {
            kind.is_none_or(|kind| one.kind.eq_ignore_ascii_case(kind)).then(|| one.clone())
        })
    }

    /// The configuration with this SID or of this address.
    pub(crate) fn address(&self, sid_or_address: &str) -> Result<&AddressConfiguration, ApiError> {
        self.addresses
            .values()
            .find(|one| one.sid.as_str() == sid_or_address || one.address == sid_or_address)
            .ok_or_else(|| ApiError::not_found("/Configuration/Addresses"))
    }

    pub(crate) fn add_address(&mut self, fields: &AddressFields) -> Result<AddressConfiguration, ApiError> {
        let kind = fields.kind.clone().ok_or_else(|| ApiError::parameter("Type"))?;
        if !KINDS.iter().any(|known| kind.eq_ignore_ascii_case(known)) {
            return Err(ApiError::parameter("Type"));
        }
        let address = fields.address.clone().filter(|address| !address.is_empty());
        let address = address.ok_or_else(|| ApiError::parameter("Address"))?;
        limits::check_name(&address, ApiError::parameter("Address"))?;
        if self.addresses.values().any(|one| one.address == address) {
            return Err(ApiError::new(409, 20409, "Address configuration already exists"));
        }
        if self.addresses.len() >= limits::MAX_ADDRESSES {
            return Err(error::FULL);
        }
        let nothing = AutoCreation {
            enabled: false,
            kind: AutoCreationKind::Default,
            service_sid: None,
            webhook_url: None,
            webhook_method: None,
            webhook_filters: Vec::new(),
            studio_flow_sid: None,
            studio_retry_count: None,
        };
        let auto_creation = self.auto_creation_from(fields, nothing)?;
        check_names(fields)?;
        let now = self.now();
        let configuration = AddressConfiguration {
            sid: self.random_sid(AddressSid::from_random),
            position: self.position(),
            kind,
            address,
            friendly_name: fields.friendly_name.clone(),
            address_country: fields.address_country.clone(),
            auto_creation,
            date_created: now,
            date_updated: now,
        };
        self.effects.dirty.insert(Key::Address(configuration.position));
        self.addresses.insert(configuration.position, configuration.clone());
        Ok(configuration)
    }

    pub(crate) fn update_address(
        &mut self,
        sid_or_address: &str,
        fields: &AddressFields,
    ) -> Result<AddressConfiguration, ApiError> {
        let mut new = self.address(sid_or_address)?.clone();
        check_names(fields)?;
        if fields.friendly_name.is_some() {
            new.friendly_name.clone_from(&fields.friendly_name);
        }
        new.auto_creation = self.auto_creation_from(fields, new.auto_creation)?;
        new.date_updated = self.now();
        self.effects.dirty.insert(Key::Address(new.position));
        self.addresses.insert(new.position, new.clone());
        Ok(new)
    }

    pub(crate) fn remove_address(&mut self, sid_or_address: &str) -> Result<(), ApiError> {
        let position = self.address(sid_or_address)?.position;
        self.addresses.remove(&position);
        self.effects.dirty.insert(Key::Address(position));
        Ok(())
    }

    fn auto_creation_from(&self, fields: &AddressFields, before: AutoCreation) -> Result<AutoCreation, ApiError> {
        let mut rule = before;
        if let Some(enabled) = fields.enabled {
            rule.enabled = enabled;
        }
        if let Some(kind) = &fields.auto_creation {
            rule.kind = AutoCreationKind::parse(kind).ok_or_else(|| ApiError::parameter("AutoCreation.Type"))?;
        }
        if let Some(sid) = &fields.conversation_service_sid {
            let wrong = |_| ApiError::parameter("AutoCreation.ConversationServiceSid");
            rule.service_sid = Some(self.named_service(Some(sid)).map_err(wrong)?);
        }
        if let Some(url) = &fields.webhook_url {
            limits::check_url(url)?;
            rule.webhook_url = Some(url.clone());
        }
        if let Some(method) = &fields.webhook_method {
            let method = Method::parse(method).ok_or_else(|| ApiError::parameter("AutoCreation.WebhookMethod"))?;
            rule.webhook_method = Some(method);
        }
        if let Some(filters) = &fields.webhook_filters {
            rule.webhook_filters = parse_filters(filters)?;
        }
        if fields.studio_flow_sid.is_some() {
            rule.studio_flow_sid.clone_from(&fields.studio_flow_sid);
        }
        if fields.studio_retry_count.is_some() {
            rule.studio_retry_count = fields.studio_retry_count;
        }
        match rule.kind {
            AutoCreationKind::Webhook if rule.webhook_url.is_none() => Err(error::WEBHOOK_URL_MISSING),
            AutoCreationKind::Studio if rule.studio_flow_sid.is_none() => Err(error::WEBHOOK_FLOW_SID),
            _ => Ok(rule),
        }
    }
}

fn check_names(fields: &AddressFields) -> Result<(), ApiError> {
    for (text, name) in [(&fields.friendly_name, "FriendlyName"), (&fields.address_country, "AddressCountry")] {
        if let Some(text) = text {
            limits::check_name(text, ApiError::parameter(name))?;
        }
    }
    Ok(())
}

/// The `Type`s of SPEC-C.
const KINDS: [&str; 8] = ["sms", "whatsapp", "messenger", "gbm", "email", "rcs", "apple", "chat"];
