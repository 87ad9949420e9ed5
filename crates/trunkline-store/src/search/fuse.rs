//! What two searches found, as one.

use super::Found;

/// How much the first places count: the larger, the less they stand out.
const SMOOTHING: f64 = 60.0;

/// What was found by words and by meaning, each best first, as one list, best first: at most `most`. What stands high in
/// both stands highest. The score is the sum of `1 / (60 + place)` over both (reciprocal rank fusion); what was found
/// only once counts once.
#[must_use]
pub fn fuse(by_words: Vec<Found>, by_meaning: Vec<Found>, most: usize) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::with_capacity(by_words.len() + by_meaning.len());
    for list in [by_words, by_meaning] {
        let mut place = SMOOTHING;
        for mut one in list {
            place += 1.0;
            if let Some(known) = all.iter_mut().find(|known| known.id == one.id) {
                known.score += 1.0 / place;
            } else {
                one.score = 1.0 / place;
                all.push(one);
            }
        }
    }
    // Stable: of two that are as good, the one that was found by its words.
    all.sort_by(|one, other| other.score.total_cmp(&one.score));
    all.truncate(most);
    all
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use trunkline_core::Pii;

    use super::*;
    use crate::PassageKind;

    fn list(ids: &[&str]) -> Vec<Found> {
        let found = |id: &&str| Found {
            id: (*id).to_owned(),
            kind: PassageKind::Document,
            source_id: String::new(),
            source: String::new(),
            collection: String::new(),
            contact_id: None,
            title: Pii::new(String::new()),
            text: Pii::new(String::new()),
            at: Timestamp::UNIX_EPOCH,
            score: 7.0,
            coverage: 0.0,
        };
        ids.iter().map(found).collect()
    }

    fn ids(found: &[Found]) -> Vec<&str> {
        found.iter().map(|one| one.id.as_str()).collect()
    }

    #[test]
    fn what_both_found_stands_highest() {
        let fused = fuse(list(&["a", "b", "c"]), list(&["c", "d"]), 10);
        assert_eq!(ids(&fused), ["c", "a", "b", "d"]);
        assert!((fused[0].score - (1.0 / 63.0 + 1.0 / 61.0)).abs() < 1e-9);
        assert_eq!(ids(&fuse(list(&["a", "b"]), Vec::new(), 1)), ["a"]);
        assert_eq!(ids(&fuse(Vec::new(), list(&["x", "y"]), 5)), ["x", "y"]);
        assert!(fuse(Vec::new(), Vec::new(), 5).is_empty());
    }
}
