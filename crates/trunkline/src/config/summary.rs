//! Settings of running summaries.

use std::time::Duration;

use trunkline_core::ConfigError;

use super::Reader;
use super::table as key;

/// What was said before the latest messages, in short.
#[derive(Debug, Clone, Copy)]
pub struct SummarySettings {
    /// The latest messages of a conversation that are not summarised; 0: there are no summaries.
    pub after: usize,
    /// How long a model may take for one.
    pub deadline: Duration,
    /// The longest one of a model, in tokens.
    pub tokens: u32,
}

/// More would be more than agents see.
const MAX_AFTER: usize = 30;
const TOKENS: std::ops::RangeInclusive<u32> = 50..=2_000;

impl SummarySettings {
    /// There are none.
    #[must_use]
    pub const fn off() -> Self {
        Self { after: 0, deadline: Duration::ZERO, tokens: 0 }
    }
}

pub(super) fn summary(reader: &Reader, problems: &mut ConfigError) -> SummarySettings {
    let after = reader.parsed(&key::SUMMARY_AFTER, "a number", problems);
    if after > MAX_AFTER {
        problems.add(reader.name_of(&key::SUMMARY_AFTER), format!("must be at most {MAX_AFTER}"));
    }
    let tokens = reader.parsed(&key::SUMMARY_TOKENS, "a number", problems);
    if !TOKENS.contains(&tokens) {
        let (least, most) = (TOKENS.start(), TOKENS.end());
        problems.add(reader.name_of(&key::SUMMARY_TOKENS), format!("must be between {least} and {most}"));
    }
    let deadline = Duration::from_secs(1)..=Duration::from_mins(5);
    SummarySettings { after, deadline: reader.duration(&key::SUMMARY_DEADLINE, deadline, problems), tokens }
}
