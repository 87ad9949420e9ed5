//! The turn machine: who has the floor in a call.
//!
//! It is told what happens (speech, words, keys, audio that was sent, marks that came back) with the time of each, and
//! says what to do: begin a reply, stop one, empty the far end's queue, hang up. It reads no clock and does nothing
//! itself, so a whole call can be played in a test in no time.
//!
//! ```
//! use std::time::Duration;
//! use trunkline_agent::turns::{Input, Output, Policy, TurnMachine};
//!
//! let mut machine = TurnMachine::new(Policy::default());
//! let at = Duration::from_millis;
//! machine.handle(at(1_000), Input::SpeechStarted);
//! machine.handle(at(1_800), Input::SpeechEnded { at: at(1_600) });
//! machine.handle(at(1_900), Input::Final(trunkline_core::Pii::new("what is my name".to_owned())));
//! assert!(machine.poll_output().is_none(), "the person may go on speaking");
//! let deadline = machine.next_deadline().expect("waits for silence");
//! machine.handle(deadline, Input::Tick);
//! assert!(matches!(machine.poll_output(), Some(Output::Start { .. })));
//! ```

mod backchannel;
mod endpoint;
mod events;
mod guess;
mod machine;
mod policy;
mod reply;
mod utterance;

pub use events::{EndReason, Input, Output, ReplyId, ReplyKind, Spoken};
pub use machine::{Phase, TurnMachine};
pub use policy::Policy;

#[cfg(test)]
mod tests;
