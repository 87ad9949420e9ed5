//! A person's message, and what its number's webhook hears of it.

use trunkline_proto::sid::ChannelMessageSid;

use super::super::address::WHATSAPP;
use super::super::events::{Params, Target};
use super::super::records::MediaRef;
use super::super::texts::Text;
use super::super::{API_VERSION, State, segments};
use super::record::{ChannelMessage, MessageDirection, MessageStatus};
use crate::error::ApiError;

/// Who is asked for an answer to a person's message.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) message: ChannelMessage,
    pub(crate) target: Target,
    pub(crate) fallback: Option<Target>,
    pub(crate) params: Params,
}

impl State {
    /// Keeps a message that came in.
    pub(in crate::state) fn receive_channel_message(
        &mut self,
        sid: ChannelMessageSid,
        text: &Text,
        media: Vec<MediaRef>,
    ) -> ChannelMessage {
        let now = self.now();
        let message = ChannelMessage {
            sid,
            position: self.position(),
            direction: MessageDirection::Inbound,
            from: text.from.to_string(),
            to: text.to.to_string(),
            messaging_service_sid: None,
            body: text.body.clone(),
            media,
            content_sid: None,
            segments: segments::count(text.body.as_deref().unwrap_or_default()),
            status: MessageStatus::Received,
            error_code: None,
            status_callback: None,
            send_at: None,
            valid_until: None,
            feedback: None,
            is_service_text: false,
            date_created: now,
            date_updated: now,
            date_sent: Some(now),
        };
        self.insert_channel_message(message.clone());
        message
    }

    /// Whether a number has a webhook for messages.
    pub(in crate::state) fn answers_texts(&self, to: &str) -> bool {
        let number = to.strip_prefix(WHATSAPP).unwrap_or(to);
        self.number_of(number).is_some_and(|number| number.sms_url.is_some())
    }

    /// What the webhook of the number hears of a message that came in. `base` is the emulator's own address.
    pub(crate) fn reply_to(&self, sid: ChannelMessageSid, base: &str) -> Result<Option<Reply>, ApiError> {
        let message = self.channel_message(sid.as_str())?.clone();
        let number = message.to.strip_prefix(WHATSAPP).unwrap_or(&message.to);
        let Some(number) = self.number_of(number) else { return Ok(None) };
        let Some(url) = number.sms_url.clone() else { return Ok(None) };
        let fallback = number.sms_fallback_url.clone().map(|url| Target { url, method: number.sms_fallback_method });
        let params = self.inbound_params(&message, base);
        Ok(Some(Reply { message, target: Target { url, method: number.sms_method }, fallback, params }))
    }

    fn inbound_params(&self, message: &ChannelMessage, base: &str) -> Params {
        let sid = message.sid.to_string();
        let account = self.account.account_sid;
        let mut params: Params = vec![
            ("AccountSid", account.to_string()),
            ("ApiVersion", API_VERSION.to_owned()),
            ("Body", message.body.clone().unwrap_or_default()),
            ("From", message.from.clone()),
            ("MessageSid", sid.clone()),
            ("NumMedia", message.media.len().to_string()),
            ("NumSegments", message.segments.to_string()),
            ("SmsMessageSid", sid.clone()),
            ("SmsSid", sid.clone()),
            ("SmsStatus", message.status.as_str().to_owned()),
            ("To", message.to.clone()),
        ];
        if let Some(person) = message.from.strip_prefix(WHATSAPP) {
            params.push(("ProfileName", person.to_owned()));
            params.push(("WaId", person.trim_start_matches('+').to_owned()));
            let kind = message.media.first().map_or("text", |file| kind_of(&file.content_type));
            params.push(("MessageType", kind.to_owned()));
            params.push(("ReferralNumMedia", "0".to_owned()));
        } else {
            params.extend(PLACES.iter().map(|name| (*name, String::new())));
        }
        for (file, (url, kind)) in message.media.iter().zip(FILES) {
            let address = format!("{base}/{API_VERSION}/Accounts/{account}/Messages/{sid}/Media/{}", file.sid);
            params.push((url, address));
            params.push((kind, file.content_type.clone()));
        }
        params
    }
}

fn kind_of(content_type: &str) -> &'static str {
    match content_type.split('/').next().unwrap_or_default() {
        "image" => "image",
        "audio" => "audio",
        "video" => "video",
        _ => "document",
    }
}

/// Where numbers are from; nobody knows of numbers that are made up.
const PLACES: [&str; 8] =
    ["FromCity", "FromCountry", "FromState", "FromZip", "ToCity", "ToCountry", "ToState", "ToZip"];
/// Names of the parameters of each file.
const FILES: [(&str, &str); MAX_FILES] = [
    ("MediaUrl0", "MediaContentType0"),
    ("MediaUrl1", "MediaContentType1"),
    ("MediaUrl2", "MediaContentType2"),
    ("MediaUrl3", "MediaContentType3"),
    ("MediaUrl4", "MediaContentType4"),
    ("MediaUrl5", "MediaContentType5"),
    ("MediaUrl6", "MediaContentType6"),
    ("MediaUrl7", "MediaContentType7"),
    ("MediaUrl8", "MediaContentType8"),
    ("MediaUrl9", "MediaContentType9"),
];
/// Files of one message.
pub(crate) const MAX_FILES: usize = super::super::limits::MAX_MEDIA_PER_MESSAGE;
