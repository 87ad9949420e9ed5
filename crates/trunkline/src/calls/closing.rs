//! When a call that a model leads comes to its end: a person who stays silent is asked, then told goodbye; a goodbye is
//! heard whole; and who speaks meanwhile may change our mind.
//!
//! The rules are those of the turn machine, which does not lead such a call. It reads no clock and says nothing itself.

use std::time::Duration;

use trunkline_agent::turns::{EndReason, Policy};

/// How long a goodbye may take to be made before the call ends without it.
const GOODBYE_WAIT: Duration = Duration::from_secs(5);
/// How long it may take to be made and heard.
const GOODBYE_TIME: Duration = Duration::from_secs(30);

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Ask whether the person is still there.
    Ask,
    /// Say goodbye.
    Goodbye(EndReason),
    /// Drop the line.
    HangUp(EndReason),
}

#[derive(Debug)]
struct Ending {
    reason: EndReason,
    since: Duration,
    /// Something was said since then.
    has_sound: bool,
    /// All of it was made.
    is_made: bool,
    /// Nobody changes our mind.
    is_final: bool,
}

impl Ending {
    const fn is_revocable(&self) -> bool {
        !self.is_final && matches!(self.reason, EndReason::Agent | EndReason::Silence)
    }
}

/// Where a call is on its way to its end.
#[derive(Debug)]
pub(super) struct Closing {
    policy: Policy,
    quiet_since: Duration,
    reprompts: u32,
    ending: Option<Ending>,
}

impl Closing {
    pub(super) const fn new(policy: Policy) -> Self {
        Self { policy, quiet_since: Duration::ZERO, reprompts: 0, ending: None }
    }

    /// The person speaks, or presses a key: they are there.
    pub(super) fn person(&mut self, now: Duration) {
        self.quiet_since = now;
        self.reprompts = 0;
        self.ending.take_if(|ending| ending.is_revocable());
    }

    /// We speak, or are about to.
    pub(super) fn sounds(&mut self, now: Duration) {
        self.quiet_since = self.quiet_since.max(now);
        if let Some(ending) = &mut self.ending {
            ending.has_sound = true;
        }
    }

    /// What was being said is made to its end.
    pub(super) fn made(&mut self) {
        if let Some(ending) = &mut self.ending {
            // The end of what was said before a goodbye is not the goodbye's.
            ending.is_made |= ending.has_sound || (ending.reason == EndReason::Agent && !ending.is_final);
        }
    }

    /// The call ends: when what is said has been heard, or, of ends that the model does not know of, a goodbye.
    pub(super) fn end(&mut self, now: Duration, reason: EndReason) {
        if self.ending.is_none() {
            self.ending = Some(Ending { reason, since: now, has_sound: false, is_made: false, is_final: false });
        }
    }

    /// The call ends when what we are about to say has been heard: a machine listens.
    pub(super) fn leave(&mut self, now: Duration) {
        let ending = Ending { reason: EndReason::Agent, since: now, has_sound: false, is_made: false, is_final: true };
        self.ending = Some(ending);
    }

    /// Whether the person may end what is being said.
    pub(super) fn may_interrupt(&self) -> bool {
        self.ending.as_ref().is_none_or(Ending::is_revocable)
    }

    /// When something is due, if nothing happens before.
    pub(super) fn next_due(&self) -> Duration {
        match &self.ending {
            Some(ending) => ending.since + if ending.has_sound { GOODBYE_TIME } else { GOODBYE_WAIT },
            None => self.policy.max_duration.min(self.quiet_since + self.policy.reprompt_after),
        }
    }

    /// What is due now. `is_busy`: somebody speaks. `was_heard`: all that was said so far was heard.
    pub(super) fn take(&mut self, now: Duration, is_busy: bool, was_heard: bool) -> Option<Due> {
        if let Some(ending) = &self.ending {
            let is_over = (ending.is_made && was_heard) || now >= self.next_due();
            return is_over.then_some(Due::HangUp(ending.reason));
        }
        if now >= self.policy.max_duration {
            self.end(now, EndReason::MaxDuration);
            return Some(Due::Goodbye(EndReason::MaxDuration));
        }
        if is_busy {
            self.quiet_since = self.quiet_since.max(now);
            return None;
        }
        if now < self.quiet_since + self.policy.reprompt_after {
            return None;
        }
        self.quiet_since = now;
        if self.reprompts < self.policy.max_reprompts {
            self.reprompts += 1;
            return Some(Due::Ask);
        }
        self.end(now, EndReason::Silence);
        Some(Due::Goodbye(EndReason::Silence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closing() -> Closing {
        Closing::new(Policy { reprompt_after: s(8), max_reprompts: 1, max_duration: s(600), ..Policy::default() })
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn silence_is_asked_about_and_then_ends_the_call_after_a_goodbye() {
        let mut closing = closing();
        closing.sounds(s(2));
        assert_eq!(closing.take(s(9), false, true), None);
        assert_eq!(closing.take(s(10), false, true), Some(Due::Ask));
        assert_eq!(closing.take(s(18), true, true), None, "somebody speaks");
        assert_eq!(closing.take(s(25), false, true), None);
        assert_eq!(closing.take(s(26), false, true), Some(Due::Goodbye(EndReason::Silence)));
        closing.made();
        assert_eq!(closing.take(s(27), false, true), None, "that was the end of something else");
        closing.sounds(s(28));
        closing.made();
        assert_eq!(closing.take(s(29), false, false), None, "it is heard whole");
        assert_eq!(closing.take(s(30), false, true), Some(Due::HangUp(EndReason::Silence)));
    }

    #[test]
    fn who_speaks_keeps_the_line_unless_the_call_has_to_end() {
        let mut closing = closing();
        closing.end(s(5), EndReason::Agent);
        assert!(closing.may_interrupt());
        closing.person(s(6));
        assert_eq!(closing.take(s(7), false, true), None);
        assert_eq!(closing.take(s(600), true, true), Some(Due::Goodbye(EndReason::MaxDuration)));
        assert!(!closing.may_interrupt());
        closing.person(s(601));
        assert_eq!(closing.take(s(604), false, true), None);
        assert_eq!(closing.take(s(605), false, true), Some(Due::HangUp(EndReason::MaxDuration)), "it was not made");
    }
}
