//! How a call is led.

use std::time::Duration;

/// The rules of a call. The defaults suit a conversation with one caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The silence that ends an utterance, to begin with. It adapts to the person. Default 600 ms.
    pub end_silence: Duration,
    /// The adapted silence is never shorter. Default 300 ms.
    pub min_end_silence: Duration,
    /// The adapted silence is never longer. Default 1,500 ms.
    pub max_end_silence: Duration,
    /// For how long words must not have changed before they count. Default 200 ms.
    pub stability: Duration,
    /// How long to wait for words after speech; what has none by then was noise. Default 1,500 ms.
    pub transcript_wait: Duration,
    /// How long a person must speak over a reply before it is stopped; 0: as soon as speech is certain. Default 0.
    pub interrupt_after: Duration,
    /// Whether a key of the telephone stops a reply. Default true.
    pub digits_interrupt: bool,
    /// How long a reply that was stopped waits for words that show that it was meant. Without them it goes on. Default
    /// 900 ms.
    pub interrupt_verdict: Duration,
    /// Keys that come within this time belong together. Default 2 s.
    pub digit_timeout: Duration,
    /// The silence after which the person is asked again. Default 8 s.
    pub reprompt_after: Duration,
    /// How often they are asked before the goodbye. Default 2.
    pub max_reprompts: u32,
    /// How late a mark may be before the far end is taken to make no progress. Default 2 s.
    pub stall_after: Duration,
    /// How long a reply may go without sound before something is said meanwhile. Default 2 s.
    pub filler_after: Duration,
    /// How much longer than its audio a goodbye may take, when no mark proves that it was heard. Default 3 s.
    pub hang_up_grace: Duration,
    /// How long a call may last. Default 1 h.
    pub max_duration: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            end_silence: Duration::from_millis(600),
            min_end_silence: Duration::from_millis(300),
            max_end_silence: Duration::from_millis(1_500),
            stability: Duration::from_millis(200),
            transcript_wait: Duration::from_millis(1_500),
            interrupt_after: Duration::ZERO,
            digits_interrupt: true,
            interrupt_verdict: Duration::from_millis(900),
            digit_timeout: Duration::from_secs(2),
            reprompt_after: Duration::from_secs(8),
            max_reprompts: 2,
            stall_after: Duration::from_secs(2),
            filler_after: Duration::from_secs(2),
            hang_up_grace: Duration::from_secs(3),
            max_duration: Duration::from_hours(1),
        }
    }
}
