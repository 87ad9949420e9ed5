//! From the REST client's errors to the contract's codes.

use trunkline_core::messaging::{ErrorCode, MessagingError, Operation};

use crate::codes;
use crate::rest::{ErrorNumber, RestError};

/// The contract's error for a request that failed. Twilio's number, whether to retry, and the cause are kept.
pub(super) fn failed(operation: Operation, error: RestError) -> MessagingError {
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
    MessagingError::new(operation, code, message)
        .with_provider(provider_code(operation, &error), error.twilio_code())
        .with_retry(error.retry())
        .with_source(error)
}

/// The contract's error for a message that was not sent by Programmable Messaging. The cause is its source.
pub fn send_failed(error: RestError) -> MessagingError {
    failed(Operation::SendMessage, error)
}

fn code_for(operation: Operation, error: &RestError) -> ErrorCode {
    use Operation as Op;
    let has_own_codes = matches!(operation, Op::CreateConversation | Op::SendMessage | Op::AddParticipant);
    if let RestError::Refused { code, .. } = error
        && has_own_codes
        && let Some(code) = ErrorNumber::find(*code).and_then(|known| known.code)
    {
        return code;
    }
    match (operation, error) {
        (_, RestError::Auth { .. }) => ErrorCode::AuthError,
        (_, RestError::Client(_)) => ErrorCode::Internal,
        (Op::CloseConversation, error) if !error.is_not_found() => ErrorCode::CloseFailed,
        (operation, RestError::Throttled { .. }) if operation != Op::Start => ErrorCode::RateLimit,
        (
            _,
            RestError::Throttled { .. }
            | RestError::Unavailable { .. }
            | RestError::Unreachable(_)
            | RestError::CircuitOpen { .. }
            | RestError::UnknownOutcome(_)
            | RestError::TooLong
            | RestError::Decode,
        ) => ErrorCode::NetworkError,

        (Op::Start, _) => ErrorCode::InvalidConfig,
        (Op::CreateConversation, RestError::BadArgument(_) | RestError::Refused { status: 400 | 422, .. }) => {
            ErrorCode::InvalidConfig
        }
        (Op::CreateConversation | Op::ListConversations, _) => ErrorCode::ConversationFailed,

        (_, error) if error.is_not_found() => ErrorCode::ConversationNotFound,
        // A name that cannot even be asked for is the name of nothing.
        (Op::GetConversation, RestError::BadArgument(_)) => ErrorCode::ConversationNotFound,
        (Op::SendMessage, RestError::BadArgument(_) | RestError::Refused { status: 400 | 413 | 415 | 422, .. }) => {
            ErrorCode::InvalidMessage
        }
        (Op::SendMessage, _) => ErrorCode::MessageFailed,
        (Op::ReceiveMessages, _) => ErrorCode::ChannelFailed,
        (Op::AddParticipant | Op::RemoveParticipant, _) => ErrorCode::InvalidParticipant,
        _ => ErrorCode::ConversationFailed,
    }
}

/// The provider's part of the contract's codes.
fn provider_code(operation: Operation, error: &RestError) -> &'static str {
    match error {
        RestError::Throttled { .. } => codes::RATE_LIMIT,
        RestError::Auth { .. } => codes::AUTH_ERROR,
        error if error.is_timeout() => codes::TIMEOUT,
        RestError::Unavailable { .. }
        | RestError::Unreachable(_)
        | RestError::CircuitOpen { .. }
        | RestError::UnknownOutcome(_) => codes::NETWORK_ERROR,
        _ if operation == Operation::SendMessage => codes::MESSAGE_FAILED,
        _ => codes::CONVERSATION_FAILED,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use trunkline_core::Retry;

    use super::*;

    fn check(operation: Operation, error: RestError, code: ErrorCode, provider: &str, retry: Retry) {
        let failure = failed(operation, error);
        assert_eq!((failure.code(), failure.provider_code()), (code, Some(provider)), "{failure}");
        assert_eq!(failure.retry(), retry, "{failure}");
    }

    fn refused(status: u16, code: u32) -> RestError {
        RestError::Refused { status, code }
    }

    #[test]
    fn each_operation_answers_with_its_own_codes() {
        use ErrorCode as Code;
        use Operation as Op;
        let conversation = "ErrCodeTwilioConversationFailed";
        let message = "ErrCodeTwilioMessageFailed";
        for (operation, error, code, provider) in [
            (Op::CreateConversation, refused(400, 50304), Code::InvalidConfig, conversation),
            (Op::CreateConversation, refused(409, 50353), Code::ConversationFailed, conversation),
            (Op::GetConversation, refused(404, 20404), Code::ConversationNotFound, conversation),
            (Op::CloseConversation, refused(404, 20404), Code::ConversationNotFound, conversation),
            (Op::CloseConversation, refused(400, 50378), Code::CloseFailed, conversation),
            (Op::SendMessage, refused(404, 20404), Code::ConversationNotFound, message),
            (Op::SendMessage, refused(400, 50508), Code::InvalidMessage, message),
            (Op::SendMessage, refused(409, 50377), Code::MessageFailed, message),
            (Op::SendMessage, refused(400, 21610), Code::MessageFailed, message),
            (Op::SendMessage, refused(409, 50511), Code::InvalidMessage, message),
            (Op::ReceiveMessages, refused(404, 20404), Code::ConversationNotFound, conversation),
            (Op::ReceiveMessages, refused(400, 20001), Code::ChannelFailed, conversation),
            (Op::AddParticipant, refused(404, 20404), Code::ConversationNotFound, conversation),
            (Op::AddParticipant, refused(400, 50407), Code::InvalidParticipant, conversation),
            (Op::Start, refused(404, 20404), Code::InvalidConfig, conversation),
        ] {
            check(operation, error, code, provider, Retry::No);
        }
    }

    #[test]
    fn trouble_on_the_way_is_a_network_error_that_says_whether_to_retry() {
        let throttled = || RestError::Throttled { retry_after: Duration::from_secs(3), code: 20429 };
        let unavailable = |status| RestError::Unavailable { status, code: 20503 };
        let conflict = RestError::Conflict { status: 409, code: 50391 };
        let alone = RestError::CircuitOpen { retry_after: Duration::from_secs(3) };
        let auth = RestError::Auth { status: 401, code: 20003 };
        let after = Retry::After(Duration::from_secs(3));
        let (send, rate, network) = (Operation::SendMessage, ErrorCode::RateLimit, ErrorCode::NetworkError);
        check(send, throttled(), rate, "ErrCodeTwilioRateLimit", after);
        check(Operation::Start, throttled(), network, "ErrCodeTwilioRateLimit", after);
        let at_once = Retry::After(Duration::ZERO);
        check(send, conflict, ErrorCode::MessageFailed, "ErrCodeTwilioMessageFailed", at_once);
        check(send, alone, network, "ErrCodeTwilioNetworkError", after);
        check(send, unavailable(503), network, "ErrCodeTwilioNetworkError", Retry::Unknown);
        check(send, unavailable(504), network, "ErrCodeTwilioTimeout", Retry::Unknown);
        check(send, RestError::Decode, network, "ErrCodeTwilioMessageFailed", Retry::Unknown);
        check(send, auth, ErrorCode::AuthError, "ErrCodeTwilioAuthError", Retry::No);
    }
}
