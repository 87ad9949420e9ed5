//! How calls are led and recorded.

use std::path::PathBuf;
use std::time::Duration;

use trunkline_agent::turns::Policy;
use trunkline_core::E164;
use trunkline_core::voice::RecordingMode;

/// What to do when a machine answers a call that we placed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VoicemailPolicy {
    /// Hang up.
    #[default]
    HangUp,
    /// Say the greeting after the beep, and hang up when it was recorded.
    LeaveMessage,
    /// Talk to it as to a person.
    Talk,
}

/// What callers hear and how long things take.
#[derive(Debug, Clone)]
pub struct CallSettings {
    /// How turns are taken.
    pub policy: Policy,
    /// The language, as a BCP 47 tag.
    pub language: String,
    /// The first words of a call.
    pub greeting: String,
    /// The first words where the provider speaks, if it says them by itself.
    pub relay_welcome: String,
    /// The first words to someone whose name is remembered; `{name}` stands for it.
    pub greeting_known: String,
    /// The first words to someone who was on hold, or with somebody who did not answer.
    pub back: String,
    /// What a person hears who has said nothing for a while.
    pub reprompt: String,
    /// The last words when the person stays silent, or the call has lasted too long.
    pub goodbye: String,
    /// What a person hears while an answer takes long.
    pub filler: String,
    /// What a person hears when an answer could not be made.
    pub apology: String,
    /// What a person hears when the gateway stops.
    pub draining: String,
    /// What a model that leads calls by itself is told first.
    pub model_instructions: String,
    /// Where a person is sent whom the agent hands over; nowhere if none.
    pub transfer_to: Option<E164>,
    /// How long it may ring there.
    pub transfer_timeout: Duration,
    /// When a machine answers.
    pub voicemail: VoicemailPolicy,
    /// Whether the provider records too.
    pub provider_recording: RecordingMode,
    /// The folder of recordings; none to keep none.
    pub recordings: Option<PathBuf>,
}

impl CallSettings {
    /// The first words to someone of whom this is remembered.
    pub(super) fn greeting_for(&self, memories: &std::collections::BTreeMap<String, String>) -> String {
        match memories.get("name") {
            Some(name) if !self.greeting_known.is_empty() => self.greeting_known.replace("{name}", name),
            _ => self.greeting.clone(),
        }
    }
}
