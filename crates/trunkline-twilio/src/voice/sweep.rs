//! Calls whose end nobody told us of: a status callback may be lost, and then its session would stay for ever and hold a
//! line. Twilio is asked about those that have had no stream for a while, or have lasted longer than they may.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use trunkline_core::voice::{CallStatus, Operation, SessionState, VoiceError};
use trunkline_proto::sid::CallSid;

use super::backend::{Inner, TwilioVoice};
use super::live::Live;

/// How long a session may be without a stream before it is asked about.
const SILENT_FOR: SignedDuration = SignedDuration::from_mins(1);
/// How long the same session is not asked about again.
const ASKED_EVERY: SignedDuration = SignedDuration::from_mins(2);
/// How long a call may last for which no limit was set: Twilio's own.
const LONGEST: Duration = Duration::from_hours(4);
/// How much later than its limit a call may end.
const GRACE: SignedDuration = SignedDuration::from_mins(1);
/// Calls that are asked about in one sweep; the others are next.
const MAX_ASKED: usize = 20;

impl TwilioVoice {
    /// Asks Twilio about calls that may be over although nobody told us, and ends the sessions of those that are. Says how
    /// many. To be called now and then; it asks about a few calls at a time, and about each no more than every two minutes.
    ///
    /// # Errors
    /// Those of REST, under `ErrCodeHealthCheck`'s operation. Sessions that were found to be over before are ended.
    ///
    /// # Cancel safety
    /// Cancel-safe: it goes on with the next call of it.
    pub async fn sweep(&self, now: Timestamp) -> Result<usize, VoiceError> {
        let inner = self.inner();
        let mut ended = 0;
        for (live, call) in inner.doubtful(now) {
            live.progress().asked_at = Some(now);
            let status = match live.current.calls.fetch(call).await {
                Ok(found) => found.status.as_deref().and_then(CallStatus::from_name),
                Err(error) if error.is_not_found() => Some(CallStatus::Completed),
                Err(error) => return Err(inner.noted(Operation::HealthCheck, error)),
            };
            let Some(status) = status.filter(|status| status.is_final()) else { continue };
            live.session.set_status(status, now);
            let state = if status == CallStatus::Failed { SessionState::Error } else { SessionState::Disconnected };
            inner.sessions.end(&live, state);
            ended += 1;
        }
        Ok(ended)
    }
}

impl Inner {
    /// Sessions that may be over, those first that were not asked about for longest.
    fn doubtful(&self, now: Timestamp) -> Vec<(Arc<Live>, CallSid)> {
        let is_doubtful = |live: &Arc<Live>| {
            let session = &live.session;
            let limit = SignedDuration::try_from(live.limit.unwrap_or(LONGEST)).unwrap_or(SignedDuration::MAX);
            let is_silent =
                session.state() != SessionState::Streaming && now.duration_since(session.last_activity()) >= SILENT_FOR;
            let is_late = now.duration_since(session.created_at()) >= limit.saturating_add(GRACE);
            let was_asked = live.progress().asked_at.is_some_and(|asked| now.duration_since(asked) < ASKED_EVERY);
            (is_silent || is_late) && !was_asked
        };
        let mut found: Vec<_> = self.sessions.all().into_iter().filter(is_doubtful).collect();
        found.sort_by_key(|live| live.progress().asked_at);
        // One that is only just being placed has no name at Twilio yet.
        let named = found.into_iter().filter_map(|live| {
            let call = live.session.call()?.parse().ok()?;
            Some((live, call))
        });
        named.take(MAX_ASKED).collect()
    }
}
