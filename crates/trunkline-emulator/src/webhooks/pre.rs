//! Asks about a change before it is made.
//!
//! Source: Twilio's Conversations webhooks page. 2xx lets the change through, with the fields of a JSON answer
//! replaced; 4xx and 5xx refuse it; no answer in time lets it through unchanged. What a 3xx does is not documented:
//! here it lets the change through unchanged.

use super::sender::{SendError, Sender};
use crate::error::{self, ApiError};
use crate::faults::Faults;
use crate::state::events::{Amendment, PreEvent};

/// Asks every target in turn, the account's first. Later answers override earlier ones.
pub(crate) async fn ask(sender: &Sender, faults: &Faults, event: &PreEvent) -> Result<Amendment, ApiError> {
    let mut amendment = Amendment::default();
    for target in &event.targets {
        let plan = faults.webhook(event.kind.as_str());
        if plan.lost {
            // Like a webhook that is never answered, without the wait.
            continue;
        }
        crate::faults::pause(plan.delay).await;
        let token = super::dispatcher::idempotency_token();
        match sender.send_signed(target, &event.params, &token, !plan.wrong_signature).await {
            Ok(reply) if reply.status.is_client_error() || reply.status.is_server_error() => {
                tracing::info!(event = event.kind.as_str(), status = reply.status.as_u16(), "a pre-webhook refused");
                return Err(error::REFUSED_BY_WEBHOOK);
            }
            Ok(reply) if reply.status.is_success() => merge(&mut amendment, &reply.body),
            Ok(reply) => {
                tracing::warn!(event = event.kind.as_str(), status = reply.status.as_u16(), "a pre-webhook redirects");
            }
            Err(SendError::TimedOut) => {
                tracing::warn!(event = event.kind.as_str(), error.code = 50076, "a pre-webhook did not answer in time");
            }
            Err(problem) => {
                tracing::warn!(event = event.kind.as_str(), error = %problem, "a pre-webhook failed");
                return Err(error::WEBHOOK_FAILED);
            }
        }
    }
    Ok(amendment)
}

fn merge(amendment: &mut Amendment, body: &[u8]) {
    // An empty answer, or one that is not JSON, changes nothing.
    let Ok(answer) = serde_json::from_slice::<Amendment>(body) else { return };
    let Amendment { friendly_name, body, author, attributes } = answer;
    for (field, value) in [
        (&mut amendment.friendly_name, friendly_name),
        (&mut amendment.body, body),
        (&mut amendment.author, author),
        (&mut amendment.attributes, attributes),
    ] {
        if value.is_some() {
            *field = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_given_fields_change() {
        let mut amendment = Amendment::default();
        merge(&mut amendment, b"");
        merge(&mut amendment, b"OK");
        assert_eq!(amendment, Amendment::default());
        merge(&mut amendment, br#"{"body":"a","other":1}"#);
        merge(&mut amendment, br#"{"author":"b"}"#);
        assert_eq!((amendment.body.as_deref(), amendment.author.as_deref()), (Some("a"), Some("b")));
    }
}
