//! Settings of files that people send.

use std::time::Duration;

use trunkline_core::ConfigError;
use trunkline_core::messaging::MEDIA_TYPES;
use url::Url;

use super::Reader;
use super::table as key;

/// What is taken.
#[derive(Debug, Clone)]
pub struct MediaSettings {
    /// Media types, by content.
    pub types: Vec<String>,
    /// The largest file.
    pub max_bytes: usize,
    /// How much all files may have together.
    pub max_total_bytes: u64,
    /// How long the files of a burst may take.
    pub timeout: Duration,
    /// What a person hears whose file is not taken.
    pub refused: String,
    /// Where agents reach the API; empty for the address that is listened on.
    pub base_url: String,
}

const MIN_BYTES: usize = 1024;
const MAX_BYTES: usize = 100 << 20;

pub(super) fn media(reader: &Reader, problems: &mut ConfigError) -> MediaSettings {
    let types = reader.text_or_default(&key::MEDIA_TYPES).split(',').map(str::trim).filter(|part| !part.is_empty());
    let types: Vec<String> = types.map(str::to_ascii_lowercase).collect();
    if types.iter().any(|part| !MEDIA_TYPES.contains(&part.as_str())) {
        problems.add(reader.name_of(&key::MEDIA_TYPES), format!("must be some of {}", MEDIA_TYPES.join(",")));
    }
    let max_bytes = reader.parsed(&key::MEDIA_MAX_BYTES, "a number", problems);
    if !(MIN_BYTES..=MAX_BYTES).contains(&max_bytes) {
        problems.add(reader.name_of(&key::MEDIA_MAX_BYTES), format!("must be between {MIN_BYTES} and {MAX_BYTES}"));
    }
    let base_url = reader.text_or_default(&key::MEDIA_BASE_URL).trim_end_matches('/').to_owned();
    let is_usable = Url::parse(&base_url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !base_url.is_empty() && !is_usable {
        problems.add(reader.name_of(&key::MEDIA_BASE_URL), "must be a URL such as https://gateway.example.com");
    }
    MediaSettings {
        types,
        max_bytes,
        max_total_bytes: reader.parsed(&key::MEDIA_MAX_TOTAL_BYTES, "a number", problems),
        timeout: reader.duration(&key::MEDIA_TIMEOUT, Duration::from_millis(1)..=Duration::from_mins(5), problems),
        refused: reader.text_or_default(&key::MEDIA_REFUSED).to_owned(),
        base_url,
    }
}
