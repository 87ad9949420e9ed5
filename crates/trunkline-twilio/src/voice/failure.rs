//! From the REST client's errors to the contract's codes.

use trunkline_core::Retry;
use trunkline_core::voice::{ErrorCode, Operation, VoiceError};

use crate::codes;
use crate::rest::RestError;

/// Twilio's number: the call is not in progress.
pub(super) const NOT_IN_PROGRESS: u32 = 21220;

/// The contract's error for a request that failed. Twilio's number, whether to retry, and the cause are kept.
pub(super) fn failed(operation: Operation, error: RestError) -> VoiceError {
    let code = code_for(operation, &error);
    let message = match &error {
        RestError::Refused { .. } if error.is_not_found() => "Twilio does not know it",
        RestError::Refused { .. } => "Twilio refused the request",
        RestError::Auth { .. } => "Twilio does not accept the credentials",
        RestError::Throttled { .. } => "Twilio asks to slow down",
        RestError::Conflict { .. } => "somebody else changed it at that moment",
        RestError::CircuitOpen { .. } => "Twilio has not answered for a while and is left alone for a moment",
        RestError::Unavailable { .. } => "Twilio has trouble",
        RestError::Unreachable(_) => "Twilio cannot be reached",
        RestError::UnknownOutcome(_) => "Twilio did not answer",
        RestError::TooLong | RestError::Decode => "Twilio's answer was not understood",
        RestError::BadArgument(_) => "an argument cannot be used in a request",
        RestError::PrivateAddress => "a file is not at a public address",
        RestError::Client(_) => "the HTTP client failed",
    };
    VoiceError::new(operation, code, message)
        .with_provider(provider_code(&error), error.twilio_code())
        .with_retry(error.retry())
        .with_source(error)
}

fn code_for(operation: Operation, error: &RestError) -> ErrorCode {
    match (operation, error) {
        (_, RestError::Auth { .. }) => ErrorCode::AuthError,
        (_, RestError::Client(_)) => ErrorCode::Internal,
        (Operation::CloseSession, _) => ErrorCode::CloseFailed,
        (Operation::Stop, _) => ErrorCode::ShutdownError,
        (Operation::Start, RestError::Throttled { .. }) => ErrorCode::NetworkError,
        (_, RestError::Throttled { .. }) => ErrorCode::RateLimit,
        (_, error) if error.is_timeout() => ErrorCode::Timeout,
        (
            _,
            RestError::Unavailable { .. }
            | RestError::Unreachable(_)
            | RestError::CircuitOpen { .. }
            | RestError::UnknownOutcome(_)
            | RestError::TooLong
            | RestError::Decode,
        ) => ErrorCode::NetworkError,
        (Operation::Start, _) | (_, RestError::BadArgument(_)) => ErrorCode::InvalidConfig,
        _ => ErrorCode::CallFailed,
    }
}

/// The provider's part of the contract's codes.
fn provider_code(error: &RestError) -> &'static str {
    match error {
        RestError::Throttled { .. } => codes::RATE_LIMIT,
        RestError::Auth { .. } => codes::AUTH_ERROR,
        error if error.is_timeout() => codes::TIMEOUT,
        RestError::Unavailable { .. }
        | RestError::Unreachable(_)
        | RestError::CircuitOpen { .. }
        | RestError::UnknownOutcome(_) => codes::NETWORK_ERROR,
        _ => codes::CALL_FAILED,
    }
}

/// A socket that is refused, was lost or never came.
pub(super) fn stream_failed(operation: Operation, message: &str) -> VoiceError {
    VoiceError::new(operation, ErrorCode::StreamFailed, message).with_provider(codes::STREAM_FAILED, None)
}

pub(super) fn session_not_found(operation: Operation) -> VoiceError {
    VoiceError::new(operation, ErrorCode::SessionNotFound, "there is no such session")
}

/// No more calls are admitted.
pub(super) fn too_many(operation: Operation) -> VoiceError {
    VoiceError::new(operation, ErrorCode::RateLimit, "no more calls are admitted")
        .with_provider(codes::RATE_LIMIT, None)
        .with_retry(Retry::After(std::time::Duration::from_secs(1)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_operation_answers_with_its_own_codes() {
        use ErrorCode as Code;
        use Operation as Op;
        let refused = || RestError::Refused { status: 400, code: 21211 };
        let throttled = || RestError::Throttled { retry_after: Duration::ZERO, code: 20429 };
        let call = "ErrCodeTwilioCallFailed";
        for (operation, error, code, provider) in [
            (Op::CreateSession, refused(), Code::CallFailed, call),
            (Op::CreateSession, RestError::BadArgument("x"), Code::InvalidConfig, call),
            (Op::CreateSession, throttled(), Code::RateLimit, "ErrCodeTwilioRateLimit"),
            (Op::Start, throttled(), Code::NetworkError, "ErrCodeTwilioRateLimit"),
            (Op::Start, refused(), Code::InvalidConfig, call),
            (Op::CloseSession, refused(), Code::CloseFailed, call),
            (Op::Control, RestError::Unavailable { status: 504, code: 504 }, Code::Timeout, "ErrCodeTwilioTimeout"),
            (Op::Control, RestError::Auth { status: 401, code: 20003 }, Code::AuthError, "ErrCodeTwilioAuthError"),
        ] {
            let failure = failed(operation, error);
            assert_eq!((failure.code(), failure.provider_code()), (code, Some(provider)), "{failure}");
        }
    }
}
