//! The errors that the emulated API answers with: Twilio's code, HTTP status and text.
//!
//! Codes and meanings are those of Twilio's error dictionary. Where the dictionary gives no HTTP status the usual one
//! for its meaning is used. Texts never repeat what the caller sent.

use std::borrow::Cow;

use serde::Serialize;

/// Answer to a request that was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("twilio error {code} (http {status})")]
pub(crate) struct ApiError {
    /// HTTP status.
    pub(crate) status: u16,
    /// Twilio's error code.
    pub(crate) code: u32,
    /// What Twilio says to a person.
    pub(crate) message: Cow<'static, str>,
}

/// The JSON body of an error.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorBody<'a> {
    code: u32,
    message: &'a str,
    more_info: String,
    status: u16,
}

impl ApiError {
    pub(crate) const fn new(status: u16, code: u32, message: &'static str) -> Self {
        Self { status, code, message: Cow::Borrowed(message) }
    }

    /// The body as Twilio writes it.
    pub(crate) fn body(&self) -> ErrorBody<'_> {
        ErrorBody {
            code: self.code,
            message: &self.message,
            more_info: format!("https://www.twilio.com/docs/errors/{}", self.code),
            status: self.status,
        }
    }

    /// 20404: the resource at this path does not exist.
    pub(crate) fn not_found(path: &str) -> Self {
        let message = format!("The requested resource {path} was not found");
        Self { status: 404, code: 20404, message: Cow::Owned(message) }
    }

    /// 20001: a parameter is missing or has no meaning; `what` names it.
    pub(crate) fn parameter(what: &'static str) -> Self {
        Self { status: 400, code: 20001, message: Cow::Owned(format!("Invalid parameter: {what}")) }
    }
}

pub(crate) const UNAUTHORIZED: ApiError = ApiError::new(401, 20003, "Authenticate");
pub(crate) const METHOD_NOT_ALLOWED: ApiError = ApiError::new(405, 20004, "Method not allowed");
pub(crate) const FORBIDDEN: ApiError = ApiError::new(403, 20006, "Access denied");
pub(crate) const PAGE_SIZE: ApiError = ApiError::new(400, 20007, "Page size too large");
pub(crate) const TOO_LARGE: ApiError = ApiError::new(413, 20001, "Request body is too large");
pub(crate) const FULL: ApiError = ApiError::new(503, 20503, "The emulator holds as much as it is allowed to");
pub(crate) const STOPPING: ApiError = ApiError::new(503, 20503, "Service unavailable");

pub(crate) const REFUSED_BY_WEBHOOK: ApiError = ApiError::new(403, 50056, "Webhook refused the command");
pub(crate) const WEBHOOK_FAILED: ApiError = ApiError::new(403, 50057, "Webhook call failed");

pub(crate) const USER_EXISTS: ApiError = ApiError::new(409, 50201, "User already exists");

pub(crate) const SERVICE_RATE: ApiError = ApiError::new(429, 50063, "Too many actions per second in this service");
pub(crate) const CONVERSATION_RATE: ApiError =
    ApiError::new(429, 50074, "Too many actions per second in this conversation");
pub(crate) const TOO_MANY_CONVERSATIONS: ApiError = ApiError::new(400, 50208, "The user is in too many conversations");
pub(crate) const NO_IDENTITY_ON_CHANNELS: ApiError =
    ApiError::new(400, 50211, "A participant with an address cannot have an identity");

pub(crate) const ROLE_NOT_FOUND: ApiError = ApiError::new(404, 50100, "Role not found");
pub(crate) const CONVERSATION_ROLE_NOT_FOUND: ApiError = ApiError::new(404, 50101, "Conversation role not found");
pub(crate) const ROLE_IN_USE: ApiError = ApiError::new(409, 20409, "The role is a default of its service");
pub(crate) const SERVICE_IN_USE: ApiError = ApiError::new(409, 20409, "The service is the account's default");

pub(crate) const ATTRIBUTES_TOO_LONG: ApiError = ApiError::new(400, 50303, "Attributes are too long");
pub(crate) const ATTRIBUTES_NOT_JSON: ApiError = ApiError::new(400, 50304, "Attributes are not valid JSON");
pub(crate) const FRIENDLY_NAME_TOO_LONG: ApiError = ApiError::new(400, 50301, "Friendly name is too long");
pub(crate) const UNIQUE_NAME_TOO_LONG: ApiError = ApiError::new(400, 50302, "Unique name is too long");
pub(crate) const MESSAGING_SERVICE_SID: ApiError = ApiError::new(400, 50341, "Invalid messaging service SID");

pub(crate) const UNIQUE_NAME_TAKEN: ApiError =
    ApiError::new(409, 50353, "Conversation with provided unique name already exists");
pub(crate) const UNIQUE_NAME_IS_A_SID: ApiError = ApiError::new(400, 50390, "Unique name must not look like a SID");

pub(crate) const TOO_MANY_WEBHOOKS: ApiError = ApiError::new(400, 50361, "Too many webhooks for this conversation");
pub(crate) const TOO_MANY_TRIGGERS: ApiError = ApiError::new(400, 50362, "Too many triggers for this webhook");
pub(crate) const WEBHOOK_TYPE: ApiError = ApiError::new(400, 50364, "Invalid webhook type");
pub(crate) const WEBHOOK_FILTER: ApiError = ApiError::new(400, 50365, "Invalid webhook filter");
pub(crate) const WEBHOOK_TRIGGER: ApiError = ApiError::new(400, 50366, "Invalid webhook trigger");
pub(crate) const WEBHOOK_FLOW_SID: ApiError = ApiError::new(400, 50367, "Invalid webhook flow SID");
pub(crate) const WEBHOOK_TYPE_MISSING: ApiError = ApiError::new(400, 50368, "Webhook type not provided");
pub(crate) const WEBHOOK_URL_MISSING: ApiError = ApiError::new(400, 50369, "Webhook URL not provided");
pub(crate) const WEBHOOK_FILTER_MISSING: ApiError = ApiError::new(400, 50370, "Webhook filter not provided");
pub(crate) const WEBHOOK_TRIGGER_MISSING: ApiError = ApiError::new(400, 50371, "Webhook trigger not provided");
pub(crate) const WEBHOOK_URL_TOO_LONG: ApiError = ApiError::new(400, 50372, "Webhook URL too long");

pub(crate) const INACTIVE_TIMER: ApiError = ApiError::new(400, 50375, "Inactive timer must be at least one minute");
pub(crate) const CLOSED_TIMER: ApiError = ApiError::new(400, 50376, "Closed timer must be at least ten minutes");
pub(crate) const CLOSED: ApiError = ApiError::new(400, 50377, "Closed conversation cannot be updated");
pub(crate) const STATE: ApiError = ApiError::new(400, 50378, "Invalid conversation state");
pub(crate) const DURATION: ApiError = ApiError::new(400, 50379, "Invalid timer duration");
pub(crate) const CANNOT_START_CLOSED: ApiError = ApiError::new(400, 50384, "Conversation cannot start closed");

pub(crate) const ADDRESS: ApiError = ApiError::new(400, 50407, "Invalid messaging binding address");
pub(crate) const PROXY_ADDRESS: ApiError = ApiError::new(400, 50408, "Invalid messaging binding proxy address");
pub(crate) const PROXY_MISSING: ApiError = ApiError::new(400, 50409, "Messaging binding proxy address is missing");
pub(crate) const ADDRESS_MISSING: ApiError = ApiError::new(400, 50410, "Messaging binding address is missing");
pub(crate) const ADDRESS_TYPES: ApiError =
    ApiError::new(400, 50412, "Messaging binding address and proxy address are of different types");
pub(crate) const PROXY_NOT_YOURS: ApiError =
    ApiError::new(400, 50413, "Messaging binding proxy address is not a number of this account");
pub(crate) const NOT_A_WHATSAPP_SENDER: ApiError =
    ApiError::new(400, 50415, "Messaging binding proxy address is not a WhatsApp sender of this account");
pub(crate) const BINDING_TAKEN: ApiError = ApiError::new(
    409,
    50416,
    "A binding for this participant and proxy address already exists in another conversation",
);
pub(crate) const TOO_MANY_PARTICIPANTS: ApiError = ApiError::new(400, 50417, "Too many participants");
pub(crate) const TOO_MANY_CHANNEL_PARTICIPANTS: ApiError =
    ApiError::new(400, 50418, "Too many participants that are not chat participants");
pub(crate) const TOO_MANY_IN_ONE_REQUEST: ApiError = ApiError::new(400, 50426, "Too many participants in one request");
pub(crate) const NO_PARTICIPANT_JOINED: ApiError =
    ApiError::new(400, 50427, "None of the participants could be added; the conversation is closed");
pub(crate) const PARTICIPANT_EXISTS: ApiError = ApiError::new(409, 50433, "Participant already exists");
pub(crate) const IDENTITY_OR_ADDRESS: ApiError =
    ApiError::new(400, 50451, "Either an identity or a messaging binding address is allowed, not both");

pub(crate) const NO_CHANNEL_METADATA: ApiError = ApiError::new(404, 50530, "The message has no channel metadata");
pub(crate) const MESSAGE_TOO_LONG: ApiError = ApiError::new(400, 50504, "Message body is too long");
pub(crate) const MESSAGE_EMPTY: ApiError = ApiError::new(400, 20001, "Invalid parameter: Body or MediaSid");
pub(crate) const CONVERSATION_CONTENT_SID: ApiError = ApiError::new(400, 50526, "Content template not found");
pub(crate) const CONVERSATION_CONTENT_VARIABLES: ApiError =
    ApiError::new(400, 50527, "Content variables are not a JSON object of texts");
pub(crate) const MEDIA_UNKNOWN: ApiError = ApiError::new(400, 50512, "Media not found");

pub(crate) const CALL_FROM_MISSING: ApiError = ApiError::new(400, 21603, "A 'From' phone number is required.");
pub(crate) const CALL_FROM: ApiError =
    ApiError::new(400, 21210, "'From' phone number is not a verified number of this account");
pub(crate) const CALL_TO_MISSING: ApiError = ApiError::new(400, 21201, "No 'To' number is specified");
pub(crate) const CALL_TO: ApiError = ApiError::new(400, 21211, "Invalid 'To' phone number");
pub(crate) const CALL_URL: ApiError = ApiError::new(400, 21205, "Url is not a valid URL");
pub(crate) const CALL_NO_DOCUMENT: ApiError = ApiError::new(400, 21218, "Url, Twiml or ApplicationSid is required");
pub(crate) const CALL_TWIML: ApiError = ApiError::new(400, 21240, "Twiml must be at most 4000 characters");
pub(crate) const CALL_NOT_IN_PROGRESS: ApiError =
    ApiError::new(400, 21220, "Call is not in-progress. Cannot redirect.");
pub(crate) const CALL_IN_PROGRESS: ApiError = ApiError::new(409, 20409, "The call is not over");
pub(crate) const TOO_MANY_CALLS: ApiError = ApiError::new(429, 20429, "Too many calls at once");
pub(crate) const SEND_DIGITS: ApiError = ApiError::new(400, 21216, "SendDigits must be at most 32 of 0-9, *, #, w");
pub(crate) const RECORDING_NOT_ELIGIBLE: ApiError =
    ApiError::new(400, 21220, "Requested resource is not eligible for recording");

pub(crate) const MESSAGE_TO_MISSING: ApiError = ApiError::new(400, 21604, "A 'To' phone number is required.");
pub(crate) const MESSAGE_FROM: ApiError = ApiError::new(400, 21212, "Invalid 'From' phone number");
pub(crate) const FROM_NOT_YOURS: ApiError =
    ApiError::new(400, 21606, "The 'From' phone number is not a number of this account");
pub(crate) const TO_IS_FROM: ApiError = ApiError::new(400, 21266, "'To' and 'From' numbers cannot be the same");
pub(crate) const CHANNELS_DIFFER: ApiError = ApiError::new(400, 21910, "'From' and 'To' must be of the same channel");
pub(crate) const NO_SUCH_SENDER: ApiError =
    ApiError::new(400, 63007, "Could not find a channel with the specified 'From' address");
pub(crate) const NO_MESSAGING_SERVICE: ApiError = ApiError::new(400, 21701, "The Messaging Service does not exist");
pub(crate) const BODY_MISSING: ApiError = ApiError::new(400, 21602, "Message body is required");
pub(crate) const BODY_TOO_LONG: ApiError =
    ApiError::new(400, 21617, "The message body exceeds the limit of 1600 characters");
pub(crate) const TOO_MANY_FILES: ApiError = ApiError::new(400, 21623, "A message has at most ten media files");
pub(crate) const MEDIA_URL: ApiError = ApiError::new(400, 21620, "Invalid media URL(s)");
pub(crate) const STATUS_CALLBACK: ApiError = ApiError::new(400, 21609, "The 'StatusCallback' URL is not valid");
pub(crate) const OPTED_OUT: ApiError = ApiError::new(400, 21610, "Attempt to send to unsubscribed recipient");
pub(crate) const CONTENT_SID: ApiError = ApiError::new(400, 21655, "The ContentSid is invalid");
pub(crate) const CONTENT_VARIABLES: ApiError = ApiError::new(400, 21656, "The ContentVariables are invalid");
pub(crate) const SEND_AT: ApiError =
    ApiError::new(400, 35111, "SendAt must be between five minutes and 35 days in the future");
pub(crate) const SCHEDULE_TYPE: ApiError = ApiError::new(400, 35112, "ScheduleType must be 'fixed'");
pub(crate) const SEND_AT_MISSING: ApiError = ApiError::new(400, 35114, "SendAt is required to schedule a message");
pub(crate) const SCHEDULE_WITHOUT_SERVICE: ApiError =
    ApiError::new(400, 35118, "MessagingServiceSid is required to schedule a message");
pub(crate) const CANNOT_CANCEL: ApiError = ApiError::new(409, 30409, "Only a scheduled message can be canceled");
pub(crate) const MESSAGE_NOT_FINAL: ApiError =
    ApiError::new(409, 20009, "The message cannot be changed or deleted before it is over");
pub(crate) const ONLY_REDACTION: ApiError = ApiError::new(400, 20001, "Invalid parameter: Body must be empty");
pub(crate) const NOT_ON_ITS_WAY: ApiError = ApiError::new(409, 20409, "The message cannot get this status any more");
pub(crate) const NUMBER_INVALID: ApiError = ApiError::new(400, 21421, "The phone number is not valid");
pub(crate) const SMS_URL: ApiError = ApiError::new(400, 21402, "SmsUrl is not a valid URL");
pub(crate) const NUMBER_TAKEN: ApiError = ApiError::new(400, 21422, "The phone number is not available");
pub(crate) const NUMBER_IN_USE: ApiError = ApiError::new(409, 20409, "The number is the account's own");

/// A file of a message could not be fetched.
pub(crate) const FILE_NOT_FETCHED: u32 = 11200;
/// A message waited for longer than it is good for.
pub(crate) const QUEUE_EXPIRED: u32 = 30001;

/// What a delivery's error code means.
pub(crate) fn delivery_text(code: u32) -> &'static str {
    match code {
        11200 => "A media file could not be fetched",
        12300 => "Invalid content type",
        21610 => "Attempt to send to unsubscribed recipient",
        30001 => "Queue overflow or expired",
        30003 => "Unreachable destination handset",
        30004 => "Message blocked",
        30005 => "Unknown destination handset",
        30006 => "Landline or unreachable carrier",
        30007 => "Carrier violation",
        30008 => "Unknown error",
        30019 => "Content size exceeds carrier limit",
        63005 => "Channel did not accept given content",
        63016 => "Failed to send freeform message because you are outside the allowed window",
        _ => "The message was not delivered",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_the_four_keys() {
        let body = serde_json::to_value(CLOSED.body()).unwrap();
        assert_eq!(body["code"], 50377);
        assert_eq!(body["status"], 400);
        assert_eq!(body["more_info"], "https://www.twilio.com/docs/errors/50377");
        assert_eq!(body.as_object().unwrap().len(), 4);
    }
}
