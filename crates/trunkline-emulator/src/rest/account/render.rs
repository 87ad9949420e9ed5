//! Resources of this API as JSON.

use serde_json::{Value, json};

use crate::account::Account;
use crate::clock::rfc2822;
use crate::error;
use crate::state::API_VERSION;
use crate::state::calls::records::{CallRecord, Notification, NumberRecord, RecordingRecord, RecordingStatus};
use crate::state::messaging::ChannelMessage;

pub(super) fn call(account: &Account, call: &CallRecord) -> Value {
    let uri = format!("/2010-04-01/Accounts/{}/Calls/{}", account.account_sid, call.sid);
    json!({
        "sid": call.sid,
        "date_created": rfc2822(call.date_created),
        "date_updated": rfc2822(call.date_updated),
        "parent_call_sid": call.parent,
        "account_sid": account.account_sid,
        "to": call.to,
        "to_formatted": formatted(&call.to),
        "from": call.from,
        "from_formatted": formatted(&call.from),
        "phone_number_sid": call.phone_number_sid,
        "status": call.status.as_str(),
        "start_time": call.start.or(call.end).map(rfc2822),
        "end_time": call.end.map(rfc2822),
        "duration": call.duration().map(|seconds| seconds.to_string()),
        // Nothing costs anything here.
        "price": null,
        "price_unit": "USD",
        "direction": call.direction.as_str(),
        "answered_by": call.answered_by,
        "api_version": "2010-04-01",
        "forwarded_from": null,
        "group_sid": null,
        "caller_name": null,
        "queue_time": "0",
        "trunk_sid": null,
        "uri": format!("{uri}.json"),
        "subresource_uris": {
            "notifications": format!("{uri}/Notifications.json"),
            "recordings": format!("{uri}/Recordings.json"),
            "payments": format!("{uri}/Payments.json"),
            "events": format!("{uri}/Events.json"),
            "siprec": format!("{uri}/Siprec.json"),
            "streams": format!("{uri}/Streams.json"),
            "transcriptions": format!("{uri}/Transcriptions.json"),
            "user_defined_message_subscriptions": format!("{uri}/UserDefinedMessageSubscriptions.json"),
            "user_defined_messages": format!("{uri}/UserDefinedMessages.json"),
        },
    })
}

/// American numbers as Americans write them, others as they are.
fn formatted(number: &str) -> String {
    let digits = number.strip_prefix("+1").filter(|digits| digits.len() == 10 && digits.is_ascii());
    let parts = digits.and_then(|digits| Some((digits.get(..3)?, digits.get(3..6)?, digits.get(6..)?)));
    parts.map_or_else(|| number.to_owned(), |(area, exchange, line)| format!("({area}) {exchange}-{line}"))
}

/// A recording; `of_call` is how it looks among those of a call.
pub(super) fn recording(account: &Account, base_url: &str, record: &RecordingRecord, of_call: bool) -> Value {
    let own = format!("/2010-04-01/Accounts/{}/Recordings/{}", account.account_sid, record.sid);
    let of =
        format!("/2010-04-01/Accounts/{}/Calls/{}/Recordings/{}", account.account_sid, record.call_sid, record.sid);
    let whole = matches!(record.status, RecordingStatus::Completed | RecordingStatus::Absent);
    let mut body = json!({
        "account_sid": account.account_sid,
        "api_version": "2010-04-01",
        "call_sid": record.call_sid,
        "conference_sid": null,
        "date_created": rfc2822(record.date_created),
        "date_updated": rfc2822(record.date_updated),
        "start_time": rfc2822(record.date_created),
        "duration": if whole { record.milliseconds.div_ceil(1000).to_string() } else { "-1".to_owned() },
        "sid": record.sid,
        "price": null,
        "price_unit": "USD",
        "status": record.status.as_str(),
        "channels": record.channels,
        "source": record.source,
        "error_code": null,
        "encryption_details": null,
        "uri": format!("{}.json", if of_call { &of } else { &own }),
    });
    if let Some(body) = body.as_object_mut() {
        if of_call {
            body.insert("track".to_owned(), json!(record.track));
        } else {
            body.insert("media_url".to_owned(), json!(format!("{base_url}{own}")));
            let links = json!({
                "add_on_results": format!("{own}/AddOnResults.json"),
                "transcriptions": format!("{own}/Transcriptions.json"),
            });
            body.insert("subresource_uris".to_owned(), links);
        }
    }
    body
}

pub(super) fn number(account: &Account, record: &NumberRecord) -> Value {
    json!({
        "account_sid": account.account_sid,
        "address_requirements": "none",
        "address_sid": null,
        "api_version": "2010-04-01",
        "beta": false,
        "bundle_sid": null,
        "capabilities": {"mms": true, "sms": true, "voice": true, "fax": false},
        "date_created": rfc2822(record.date_created),
        "date_updated": rfc2822(record.date_updated),
        "emergency_address_sid": null,
        "emergency_address_status": "unregistered",
        "emergency_status": "Inactive",
        "friendly_name": record.friendly_name,
        "identity_sid": null,
        "origin": "twilio",
        "phone_number": record.number,
        "sid": record.sid,
        "sms_application_sid": "",
        "sms_fallback_method": record.sms_fallback_method.upper(),
        "sms_fallback_url": record.sms_fallback_url.as_deref().unwrap_or_default(),
        "sms_method": record.sms_method.upper(),
        "sms_url": record.sms_url.as_deref().unwrap_or_default(),
        "status": "in-use",
        "status_callback": record.status_callback.as_deref().unwrap_or_default(),
        "status_callback_method": record.status_callback_method.upper(),
        "trunk_sid": null,
        "type": "local",
        "uri": format!("/2010-04-01/Accounts/{}/IncomingPhoneNumbers/{}.json", account.account_sid, record.sid),
        "voice_application_sid": "",
        "voice_caller_id_lookup": false,
        "voice_fallback_method": record.voice_fallback_method.upper(),
        "voice_fallback_url": record.voice_fallback_url.as_deref().unwrap_or_default(),
        "voice_method": record.voice_method.upper(),
        "voice_receive_mode": "voice",
        "voice_url": record.voice_url.as_deref().unwrap_or_default(),
    })
}

pub(super) fn message(account: &Account, message: &ChannelMessage) -> Value {
    let uri = format!("/2010-04-01/Accounts/{}/Messages/{}", account.account_sid, message.sid);
    json!({
        "account_sid": account.account_sid,
        "api_version": API_VERSION,
        "body": message.body.as_deref().unwrap_or_default(),
        "date_created": rfc2822(message.date_created),
        "date_sent": message.date_sent.map(rfc2822),
        "date_updated": rfc2822(message.date_updated),
        "direction": message.direction.as_str(),
        "error_code": message.error_code,
        "error_message": message.error_code.map(error::delivery_text),
        "from": message.from,
        "messaging_service_sid": message.messaging_service_sid,
        "num_media": message.media.len().to_string(),
        "num_segments": message.segments.to_string(),
        "price": null,
        "price_unit": "USD",
        "sid": message.sid,
        "status": message.status.as_str(),
        "subresource_uris": {"media": format!("{uri}/Media.json"), "feedback": format!("{uri}/Feedback.json")},
        "to": message.to,
        "uri": format!("{uri}.json"),
    })
}

pub(super) fn notification(account: &Account, call: &CallRecord, one: &Notification) -> Value {
    let uri = format!("/2010-04-01/Accounts/{}/Calls/{}/Notifications/{}.json", account.account_sid, call.sid, one.sid);
    json!({
        "account_sid": account.account_sid,
        "api_version": "2010-04-01",
        "call_sid": call.sid,
        "date_created": rfc2822(one.at),
        "date_updated": rfc2822(one.at),
        "error_code": one.code.to_string(),
        "log": one.level.to_string(),
        "message_date": rfc2822(one.at),
        "message_text": one.text,
        "more_info": format!("https://www.twilio.com/docs/errors/{}", one.code),
        "request_method": null,
        "request_url": null,
        "sid": one.sid,
        "uri": uri,
    })
}
