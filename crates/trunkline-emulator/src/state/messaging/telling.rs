//! Status callbacks: every step of a message's way, in order.

use super::super::State;
use super::super::address::WHATSAPP;
use super::super::events::{Event, Params, Target};
use super::super::records::Method;
use super::record::{ChannelMessage, MessageStatus};
use crate::error;
use crate::faults::MESSAGE_STATUS;

impl State {
    pub(super) fn tell_status(&mut self, message: &ChannelMessage) {
        let Some(url) = message.status_callback.clone() else { return };
        let mut params: Params = vec![
            ("AccountSid", self.account.account_sid.to_string()),
            ("ApiVersion", super::super::API_VERSION.to_owned()),
            ("From", message.from.clone()),
            ("MessageSid", message.sid.to_string()),
            ("MessageStatus", message.status.as_str().to_owned()),
            ("SmsSid", message.sid.to_string()),
            ("SmsStatus", message.status.as_str().to_owned()),
            ("To", message.to.clone()),
        ];
        if let Some(sid) = &message.messaging_service_sid {
            params.push(("MessagingServiceSid", sid.clone()));
        }
        if let Some(code) = message.error_code {
            params.push(("ErrorCode", code.to_string()));
            params.push(("ErrorMessage", error::delivery_text(code).to_owned()));
        }
        if message.to.starts_with(WHATSAPP) {
            params.push(("ChannelPrefix", "whatsapp".to_owned()));
            params.push(("ChannelToAddress", message.to.clone()));
            let event = match message.status {
                MessageStatus::Delivered => Some("DELIVERED"),
                MessageStatus::Read => Some("READ"),
                _ => None,
            };
            params.extend(event.map(|event| ("EventType", event.to_owned())));
        }
        let targets = vec![Target { url, method: Method::Post }];
        self.effects.events.push(Event { kind: MESSAGE_STATUS, lane: message.sid.into(), targets, params });
    }
}
