//! A message that the account sends: what it must be, and when it goes.
//!
//! Sources: Twilio's page on the message resource and its error dictionary. The codes for schedules and templates are
//! those that its pages name for them; their HTTP status is 400 like that of the others.

use jiff::{SignedDuration, Timestamp};
use trunkline_proto::sid::MessagingServiceSid;

use super::super::address::{Address, WHATSAPP};
use super::super::content::BadContent;
use super::super::delivery::Delivery;
use super::super::media::MediaFields;
use super::super::{State, limits, segments};
use super::record::{ChannelMessage, MessageDirection, MessageStatus};
use super::{SCHEDULE_FROM, SCHEDULE_UNTIL};
use crate::error::{self, ApiError};

/// What a caller says of a message.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChannelMessageFields {
    pub(crate) to: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) messaging_service_sid: Option<String>,
    pub(crate) body: Option<String>,
    /// Files that were fetched; one that could not be is nothing.
    pub(crate) media: Vec<Option<MediaFields>>,
    pub(crate) content_sid: Option<String>,
    pub(crate) content_variables: Option<String>,
    pub(crate) status_callback: Option<String>,
    pub(crate) schedule_type: Option<String>,
    pub(crate) send_at: Option<Timestamp>,
    pub(crate) validity_period: Option<u32>,
    pub(crate) smart_encoded: bool,
    /// It answers a message.
    pub(crate) is_reply: bool,
}

impl State {
    pub(crate) fn create_channel_message(&mut self, fields: ChannelMessageFields) -> Result<ChannelMessage, ApiError> {
        let (from, to) = self.parties(&fields)?;
        let mut content_sid = None;
        let mut body = fields.body.filter(|body| !body.is_empty());
        if let Some(sid) = &fields.content_sid {
            let filled = self.fill_content(sid, fields.content_variables.as_deref());
            let (sid, text) = filled.map_err(|bad| match bad {
                BadContent::Sid => error::CONTENT_SID,
                BadContent::Variables => error::CONTENT_VARIABLES,
            })?;
            content_sid = Some(sid);
            body = Some(text);
        }
        if fields.smart_encoded {
            body = body.map(|text| segments::smart(&text));
        }
        if body.is_none() && fields.media.is_empty() {
            return Err(error::BODY_MISSING);
        }
        if body.as_ref().is_some_and(|text| text.chars().count() > limits::MAX_CHANNEL_BODY_CHARS) {
            return Err(error::BODY_TOO_LONG);
        }
        if fields.media.len() > limits::MAX_MEDIA_PER_MESSAGE {
            return Err(error::TOO_MANY_FILES);
        }
        if let Some(url) = &fields.status_callback {
            limits::check_url(url).map_err(|_| error::STATUS_CALLBACK)?;
        }
        if self.has_opted_out(&to, &from) {
            return Err(error::OPTED_OUT);
        }
        let now = self.now();
        let by_service = fields.messaging_service_sid.is_some();
        let send_at = check_schedule(fields.schedule_type.as_deref(), fields.send_at, by_service, now)?;
        if fields.validity_period.is_some_and(|seconds| !(1..=MAX_VALIDITY).contains(&seconds)) {
            return Err(ApiError::parameter("ValidityPeriod"));
        }
        let validity = fields.validity_period.map(|seconds| SignedDuration::from_secs(i64::from(seconds)));
        let has_media = !fields.media.is_empty();
        let is_missing = fields.media.iter().any(Option::is_none);
        let mut media = Vec::with_capacity(fields.media.len());
        for file in fields.media.into_iter().flatten() {
            media.push(self.add_media(file)?.reference());
        }
        let message = ChannelMessage {
            sid: self.channel_message_sid(has_media),
            position: self.position(),
            direction: if fields.is_reply { MessageDirection::OutboundReply } else { MessageDirection::OutboundApi },
            segments: segments::count(body.as_deref().unwrap_or_default()),
            from,
            to,
            messaging_service_sid: fields.messaging_service_sid,
            body,
            media,
            content_sid,
            status: match (send_at, by_service) {
                (Some(_), _) => MessageStatus::Scheduled,
                (None, true) => MessageStatus::Accepted,
                (None, false) => MessageStatus::Queued,
            },
            error_code: is_missing.then_some(error::FILE_NOT_FETCHED),
            status_callback: fields.status_callback,
            send_at,
            valid_until: validity.and_then(|validity| send_at.unwrap_or(now).checked_add(validity).ok()),
            feedback: None,
            is_service_text: false,
            date_created: now,
            date_updated: now,
            date_sent: None,
        };
        self.insert_channel_message(message.clone());
        match send_at {
            Some(at) => self.schedule(&message, at),
            None => self.effects.deliveries.push(Delivery::Send(message.position)),
        }
        Ok(message)
    }

    /// Who sends, and to whom.
    fn parties(&self, fields: &ChannelMessageFields) -> Result<(String, String), ApiError> {
        let to = fields.to.as_deref().filter(|to| !to.is_empty()).ok_or(error::MESSAGE_TO_MISSING)?;
        let to: Address = to.parse().map_err(|_| error::CALL_TO)?;
        if let Some(sid) = &fields.messaging_service_sid {
            let known = sid.parse::<MessagingServiceSid>().is_ok_and(|sid| sid == self.account.messaging_service);
            if !known {
                return Err(error::NO_MESSAGING_SERVICE);
            }
        }
        let own = match to {
            Address::Sms(_) => self.account.phone_number.clone(),
            Address::WhatsApp(_) => format!("{WHATSAPP}{}", self.account.phone_number),
        };
        let given = fields.from.clone().filter(|from| !from.is_empty());
        let from = match (given, &fields.messaging_service_sid) {
            (Some(from), _) => from,
            (None, Some(_)) => own,
            (None, None) => return Err(error::CALL_FROM_MISSING),
        };
        let from: Address = from.parse().map_err(|_| error::MESSAGE_FROM)?;
        if !from.same_channel(&to) {
            return Err(error::CHANNELS_DIFFER);
        }
        if !self.owns(&from) {
            return Err(match from {
                Address::Sms(_) => error::FROM_NOT_YOURS,
                Address::WhatsApp(_) => error::NO_SUCH_SENDER,
            });
        }
        if from == to { Err(error::TO_IS_FROM) } else { Ok((from.to_string(), to.to_string())) }
    }
}

fn check_schedule(
    kind: Option<&str>,
    send_at: Option<Timestamp>,
    by_service: bool,
    now: Timestamp,
) -> Result<Option<Timestamp>, ApiError> {
    match (kind, send_at) {
        (None | Some(""), None) => Ok(None),
        (Some("fixed"), Some(at)) => {
            if !by_service {
                return Err(error::SCHEDULE_WITHOUT_SERVICE);
            }
            let ahead = at.duration_since(now);
            let is_good = (SCHEDULE_FROM..=SCHEDULE_UNTIL).contains(&ahead);
            if is_good { Ok(Some(at)) } else { Err(error::SEND_AT) }
        }
        (Some("fixed"), None) => Err(error::SEND_AT_MISSING),
        (_, _) => Err(error::SCHEDULE_TYPE),
    }
}

/// Longest time that a message may wait, in seconds.
const MAX_VALIDITY: u32 = 36_000;
