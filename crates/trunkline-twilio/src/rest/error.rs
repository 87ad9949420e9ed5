//! What can go wrong with a request, sorted by what is known about its effect.

use std::time::Duration;

use trunkline_core::Retry;

use super::{Class, ErrorNumber};

/// Why a request failed. No variant holds a text of the answer, because those may contain numbers and names.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestError {
    /// Twilio understood the request and refused it; nothing happened.
    #[error("refused with status {status}, code {code}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Twilio's code; the status if the answer had none.
        code: u32,
    },
    /// The credentials are not accepted or do not suffice.
    #[error("not authorised, status {status}, code {code}")]
    Auth {
        /// The HTTP status.
        status: u16,
        /// Twilio's code; the status if the answer had none.
        code: u32,
    },
    /// Too many requests, or the sender's own rate is used up for longer than the operation may take; nothing happened.
    #[error("throttled, code {code}")]
    Throttled {
        /// How long to wait; zero if Twilio did not say.
        retry_after: Duration,
        /// Twilio's code; 429 if the answer had none.
        code: u32,
    },
    /// Somebody changed the same resource at that moment; nothing happened.
    #[error("changed by somebody else at that moment, status {status}, code {code}")]
    Conflict {
        /// The HTTP status.
        status: u16,
        /// Twilio's code.
        code: u32,
    },
    /// The host has not answered for a while, and nothing was sent to it.
    #[error("the host has not answered for a while; it is tried again in {} ms", retry_after.as_millis())]
    CircuitOpen {
        /// When it is tried again.
        retry_after: Duration,
    },
    /// Twilio answered with a server error or a time-out of its own. Whether anything happened is not known.
    #[error("unavailable, status {status}, code {code}")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// Twilio's code; the status if the answer had none.
        code: u32,
    },
    /// No connection could be made; nothing happened.
    #[error("no connection")]
    Unreachable(#[source] reqwest::Error),
    /// The request left and no answer came back: time-out, or the connection was lost. It may have been carried out.
    #[error("no answer; the request may have been carried out")]
    UnknownOutcome(#[source] reqwest::Error),
    /// The answer is longer than [`MAX_RESPONSE_BYTES`](super::MAX_RESPONSE_BYTES). The request was carried out.
    #[error("the answer is too long")]
    TooLong,
    /// The request was carried out, but its answer was not understood.
    #[error("the answer was not understood")]
    Decode,
    /// The arguments make no request; nothing was sent.
    #[error("{0} cannot be used in a request")]
    BadArgument(&'static str),
    /// A file is at an address that is not of the public internet, or not reached by https; nobody was asked.
    #[error("a file is not at a public address")]
    PrivateAddress,
    /// The HTTP client itself could not be built or could not build a request; nothing was sent.
    #[error("the request could not be built")]
    Client(#[source] reqwest::Error),
}

impl RestError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "twilio.rest.refused",
            Self::Auth { .. } => "twilio.rest.auth",
            Self::Throttled { .. } => "twilio.rest.throttled",
            Self::Conflict { .. } => "twilio.rest.conflict",
            Self::CircuitOpen { .. } => "twilio.rest.circuit_open",
            Self::Unavailable { .. } => "twilio.rest.unavailable",
            Self::Unreachable(_) => "twilio.rest.unreachable",
            Self::UnknownOutcome(_) => "twilio.rest.unknown_outcome",
            Self::TooLong => "twilio.rest.too_long",
            Self::Decode => "twilio.rest.decode",
            Self::BadArgument(_) => "twilio.rest.bad_argument",
            Self::PrivateAddress => "twilio.rest.private_address",
            Self::Client(_) => "twilio.rest.client",
        }
    }

    /// Whether the operation may be tried again. `Unknown` means: look at the far side before repeating a create.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Throttled { retry_after, .. } | Self::CircuitOpen { retry_after } => Retry::After(*retry_after),
            Self::Unreachable(_) | Self::Conflict { .. } => Retry::After(Duration::ZERO),
            Self::Unavailable { .. } | Self::UnknownOutcome(_) | Self::TooLong | Self::Decode => Retry::Unknown,
            Self::Refused { .. }
            | Self::Auth { .. }
            | Self::BadArgument(_)
            | Self::PrivateAddress
            | Self::Client(_) => Retry::No,
        }
    }

    /// Twilio's numeric code, if an answer came.
    pub fn twilio_code(&self) -> Option<u32> {
        match self {
            Self::Refused { code, .. }
            | Self::Auth { code, .. }
            | Self::Throttled { code, .. }
            | Self::Conflict { code, .. }
            | Self::Unavailable { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether the resource, or one in its path, is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Whether time ran out.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Unreachable(error) | Self::UnknownOutcome(error) => error.is_timeout(),
            Self::Unavailable { status, .. } => matches!(status, 408 | 504),
            _ => false,
        }
    }

    /// Sorts a failure of the transport. The URL is dropped, because it may contain an address.
    pub(super) fn transport(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_builder() {
            Self::Client(error)
        } else if error.is_connect() {
            Self::Unreachable(error)
        } else {
            Self::UnknownOutcome(error)
        }
    }

    /// Sorts an answer that is no success.
    pub(super) fn answer(status: u16, code: Option<u32>, retry_after: Option<Duration>) -> Self {
        let code = code.unwrap_or_else(|| u32::from(status));
        let throttled = || Self::Throttled { retry_after: retry_after.unwrap_or_default(), code };
        match ErrorNumber::find(code).map(|known| known.class) {
            Some(Class::Throttled) => return throttled(),
            Some(Class::Auth) => return Self::Auth { status, code },
            Some(Class::Conflict) => return Self::Conflict { status, code },
            Some(Class::Unavailable) => return Self::Unavailable { status, code },
            Some(Class::Refused | Class::Undelivered) | None => {}
        }
        match (status, code) {
            (429, _) => throttled(),
            // A 403 may also be about this one operation; then it has a code of its own.
            (401, _) | (403, 403) => Self::Auth { status, code },
            (408 | 500.., _) => Self::Unavailable { status, code },
            _ => Self::Refused { status, code },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_sorted_by_status_and_code() {
        let kind = |status, code| RestError::answer(status, code, None).code();
        for (status, code) in [(401, None), (403, None), (403, Some(20006)), (400, Some(20003))] {
            assert_eq!(kind(status, code), "twilio.rest.auth", "{status} {code:?}");
        }
        for (status, code) in [(429, None), (429, Some(50063)), (503, Some(20429))] {
            assert_eq!(kind(status, code), "twilio.rest.throttled", "{status} {code:?}");
        }
        for (status, code) in [(500, None), (504, Some(20500)), (408, None)] {
            assert_eq!(kind(status, code), "twilio.rest.unavailable", "{status} {code:?}");
        }
        for (status, code) in [(302, None), (400, Some(20001)), (403, Some(50451)), (404, None), (409, Some(50433))] {
            assert_eq!(kind(status, code), "twilio.rest.refused", "{status} {code:?}");
        }
        assert_eq!(kind(409, Some(50391)), "twilio.rest.conflict");
    }
}
