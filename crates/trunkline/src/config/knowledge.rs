//! Settings of knowledge, of the search, and of what agents are reminded of.

use std::time::Duration;

use trunkline_core::ConfigError;

use super::Reader;
use super::table as key;

/// What is taken in.
#[derive(Debug, Clone)]
pub struct KnowledgeSettings {
    /// The largest document.
    pub max_bytes: usize,
    /// The program that reads PDFs, with its arguments; nobody if none.
    pub pdf: Option<Vec<String>>,
}

/// How long what was said can be found.
#[derive(Debug, Clone, Copy)]
pub struct SearchSettings {
    /// How long after it was said; zero for not at all.
    pub retention: Duration,
    /// How long it must be quiet in a conversation.
    pub quiet: Duration,
}

/// What agents are reminded of.
#[derive(Debug, Clone)]
pub struct RecallSettings {
    /// How long a turn of a call waits for it; zero for not at all.
    pub call_deadline: Duration,
    /// How long a text waits for it; zero for not at all.
    pub text_deadline: Duration,
    /// Collections that are searched, all if there are none; `None` for no collection.
    pub collections: Option<Vec<String>>,
    /// How many passages at most.
    pub passages: usize,
}

const MIN_BYTES: usize = 1024;
const MAX_BYTES: usize = 100 << 20;
const MAX_PASSAGES: usize = 20;
const TEN_YEARS: Duration = Duration::from_hours(87_600);

pub(super) fn knowledge(reader: &Reader, problems: &mut ConfigError) -> KnowledgeSettings {
    let max_bytes = reader.parsed(&key::KNOWLEDGE_MAX_BYTES, "a number", problems);
    if !(MIN_BYTES..=MAX_BYTES).contains(&max_bytes) {
        problems.add(reader.name_of(&key::KNOWLEDGE_MAX_BYTES), format!("must be between {MIN_BYTES} and {MAX_BYTES}"));
    }
    let pdf = reader.text(&key::PDF_PROGRAM).map(|text| text.split_whitespace().map(str::to_owned).collect());
    KnowledgeSettings { max_bytes, pdf }
}

pub(super) fn search(reader: &Reader, problems: &mut ConfigError) -> SearchSettings {
    SearchSettings {
        retention: reader.duration(&key::SEARCH_RETENTION, Duration::ZERO..=TEN_YEARS, problems),
        quiet: reader.duration(&key::SEARCH_QUIET, Duration::ZERO..=Duration::from_hours(720), problems),
    }
}

pub(super) fn recall(reader: &Reader, problems: &mut ConfigError) -> RecallSettings {
    let longest = Duration::from_secs(10);
    let passages = reader.parsed(&key::RECALL_PASSAGES, "a number", problems);
    if passages > MAX_PASSAGES {
        problems.add(reader.name_of(&key::RECALL_PASSAGES), format!("must be at most {MAX_PASSAGES}"));
    }
    let collections = match reader.text_or_default(&key::RECALL_COLLECTIONS) {
        "none" => None,
        "*" => Some(Vec::new()),
        some => Some(some.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect()),
    };
    RecallSettings {
        call_deadline: reader.duration(&key::RECALL_CALL_DEADLINE, Duration::ZERO..=longest, problems),
        text_deadline: reader.duration(&key::RECALL_TEXT_DEADLINE, Duration::ZERO..=longest, problems),
        collections,
        passages,
    }
}
