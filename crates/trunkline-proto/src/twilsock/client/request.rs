//! What comes of a request inside the socket.

use crate::twilsock::Reply;

/// How much of an error's body is kept, in bytes.
pub const MAX_ERROR_BODY: usize = 16 * 1024;

/// Names a request of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(super) u64);

/// A successful answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// 200 to 299.
    pub status: u16,
    /// The body, usually JSON.
    pub body: Vec<u8>,
}

/// Why a request failed. The body of an answer is not printed.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Too many requests wait for the connection. Nothing was sent.
    #[error("too many requests wait for the real-time connection")]
    QueueFull,
    /// There was no connection for too long. Nothing was sent.
    #[error("there is no real-time connection")]
    Offline,
    /// The client was stopped.
    #[error("the real-time client is stopped")]
    Stopped,
    /// The socket went after the request was sent: nobody knows whether it was carried out.
    #[error("the connection was lost before the answer came")]
    Disconnected,
    /// No answer came: nobody knows whether it was carried out.
    #[error("no answer came in time")]
    Timeout,
    /// The service behind the socket gave no answer: nobody knows whether it was carried out.
    #[error("the service behind the connection gave no answer (status {code})")]
    Transport {
        /// As in HTTP.
        code: u16,
    },
    /// The service refused.
    #[error("the service answered {status}{}", Number(*.twilio_code))]
    Refused {
        /// As in HTTP.
        status: u16,
        /// Twilio's number.
        twilio_code: Option<u32>,
        /// The beginning of the answer's body.
        body: Vec<u8>,
    },
}

impl std::fmt::Debug for RequestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RequestError({self})")
    }
}

impl RequestError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::QueueFull => "realtime.queue_full",
            Self::Offline => "realtime.offline",
            Self::Stopped => "realtime.stopped",
            Self::Disconnected => "realtime.outcome_unknown",
            Self::Timeout => "realtime.no_answer",
            Self::Transport { .. } => "realtime.transport",
            Self::Refused { .. } => "realtime.request_refused",
        }
    }

    /// Whether the request may have been carried out. A service that has trouble may have it after the effect.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Disconnected | Self::Timeout | Self::Transport { .. } => true,
            Self::Refused { status, .. } => *status == 408 || *status >= 500,
            Self::QueueFull | Self::Offline | Self::Stopped => false,
        }
    }
}

struct Number(Option<u32>);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |number| write!(f, " ({number})"))
    }
}

/// Reads the outcome out of a reply.
pub(super) fn outcome(reply: Reply, payload: &[u8]) -> Result<Answer, RequestError> {
    #[derive(serde::Deserialize)]
    struct Numbered {
        code: u32,
    }
    if !reply.status.is_success() {
        return Err(RequestError::Transport { code: reply.status.code });
    }
    let status = reply.http_status.map_or(200, |status| status.code);
    if (200..300).contains(&status) {
        return Ok(Answer { status, body: payload.to_vec() });
    }
    let twilio_code = serde_json::from_slice(payload).ok().map(|Numbered { code }| code);
    let body = payload.iter().copied().take(MAX_ERROR_BODY).collect();
    Err(RequestError::Refused { status, twilio_code, body })
}
