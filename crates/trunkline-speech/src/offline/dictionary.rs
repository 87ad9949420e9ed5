//! The words that the ear can pronounce.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

/// The words of a CMU dictionary, as their hashes: a megabyte instead of ten. A word that is not in it is taken for one
/// that is once in 10^14.
#[derive(Debug)]
pub(super) struct Dictionary(Vec<u64>);

impl Dictionary {
    pub(super) fn read(path: &Path) -> std::io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        let mut hashes: Vec<u64> = text.lines().filter_map(|line| line.split_whitespace().next()).map(hash).collect();
        hashes.sort_unstable();
        Ok(Self(hashes))
    }

    pub(super) fn has(&self, word: &str) -> bool {
        self.0.binary_search(&hash(word)).is_ok()
    }
}

fn hash(word: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    word.hash(&mut hasher);
    hasher.finish()
}
