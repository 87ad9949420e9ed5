//! What the emulator keeps of calls, one plain struct per resource.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trunkline_proto::sid::{CallSid, NotificationSid, PhoneNumberSid, RecordingSid, StreamSid};

use crate::state::records::Method;

/// Where a call is on its way. A call that is over never changes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CallStatus {
    Queued,
    Ringing,
    InProgress,
    Completed,
    Busy,
    Failed,
    NoAnswer,
    Canceled,
}

impl CallStatus {
    const ALL: [Self; 8] = [
        Self::Queued,
        Self::Ringing,
        Self::InProgress,
        Self::Completed,
        Self::Busy,
        Self::Failed,
        Self::NoAnswer,
        Self::Canceled,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Ringing => "ringing",
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::NoAnswer => "no-answer",
            Self::Canceled => "canceled",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| text == status.as_str())
    }

    pub(crate) fn is_over(self) -> bool {
        !matches!(self, Self::Queued | Self::Ringing | Self::InProgress)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CallDirection {
    Inbound,
    OutboundApi,
    OutboundDial,
}

impl CallDirection {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::OutboundApi => "outbound-api",
            Self::OutboundDial => "outbound-dial",
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CallRecord {
    pub(crate) sid: CallSid,
    /// Place in the order of creation.
    pub(crate) position: u64,
    pub(crate) parent: Option<CallSid>,
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) direction: CallDirection,
    pub(crate) status: CallStatus,
    pub(crate) phone_number_sid: Option<PhoneNumberSid>,
    pub(crate) answered_by: Option<String>,
    pub(crate) start: Option<Timestamp>,
    pub(crate) end: Option<Timestamp>,
    pub(crate) date_created: Timestamp,
    pub(crate) date_updated: Timestamp,
    pub(crate) notifications: Vec<Notification>,
    pub(crate) streams: Vec<StreamRecord>,
}

impl CallRecord {
    /// Whole seconds of talk, rounded up as telephone companies do; nothing while it is not over.
    pub(crate) fn duration(&self) -> Option<u64> {
        let end = self.end?;
        let talked = self.start.map_or(0, |start| end.as_millisecond().saturating_sub(start.as_millisecond()));
        Some(u64::try_from(talked).unwrap_or_default().div_ceil(1000))
    }
}

/// Something that Twilio would note in its debugger.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Notification {
    pub(crate) sid: NotificationSid,
    pub(crate) code: u32,
    /// 0 error, 1 warning.
    pub(crate) level: u8,
    pub(crate) text: String,
    pub(crate) at: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StreamRecord {
    pub(crate) sid: StreamSid,
    pub(crate) name: String,
    pub(crate) stopped: bool,
    pub(crate) date_updated: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RecordingStatus {
    InProgress,
    Paused,
    Completed,
    Absent,
}

impl RecordingStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in-progress",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Absent => "absent",
        }
    }
}

/// A recording; its sound is in a file that has the SID for a name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RecordingRecord {
    pub(crate) sid: RecordingSid,
    pub(crate) position: u64,
    pub(crate) call_sid: CallSid,
    pub(crate) status: RecordingStatus,
    pub(crate) channels: u16,
    /// `both`, `inbound` or `outbound`.
    pub(crate) track: String,
    /// Such as `OutboundAPI`.
    pub(crate) source: String,
    pub(crate) milliseconds: u64,
    pub(crate) bytes: u64,
    pub(crate) date_created: Timestamp,
    pub(crate) date_updated: Timestamp,
}

/// A number of the account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NumberRecord {
    pub(crate) sid: PhoneNumberSid,
    pub(crate) position: u64,
    pub(crate) number: String,
    pub(crate) friendly_name: String,
    pub(crate) voice_url: Option<String>,
    pub(crate) voice_method: Method,
    pub(crate) voice_fallback_url: Option<String>,
    pub(crate) voice_fallback_method: Method,
    pub(crate) status_callback: Option<String>,
    pub(crate) status_callback_method: Method,
    #[serde(default)]
    pub(crate) sms_url: Option<String>,
    #[serde(default = "Method::post")]
    pub(crate) sms_method: Method,
    #[serde(default)]
    pub(crate) sms_fallback_url: Option<String>,
    #[serde(default = "Method::post")]
    pub(crate) sms_fallback_method: Method,
    pub(crate) date_created: Timestamp,
    pub(crate) date_updated: Timestamp,
}

/// How a phone answers: its rule as the control API took it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AnsweringRecord {
    pub(crate) number: String,
    pub(crate) rule: String,
}
