//! Coarse codes of all vectors of one model, in memory: the first look of a search by meaning.
//!
//! A code has a bit for each number of a vector, which says whether that is above 0. How many bits two codes differ in
//! tells roughly how near the vectors are, fast enough to look at all of them. What looks near is then compared by its
//! vector, out of the table: the codes only choose what is looked at, and nothing is found because it is in here.

use std::collections::{BinaryHeap, HashMap, HashSet};
use std::fmt;

/// Vectors that are kept in mind; what comes after them is found by its words alone.
const MAX_CODES: usize = 1_000_000;
/// Numbers of a vector that have a bit.
const MAX_BITS: usize = 1_024;

/// What a vector is of, as a number: passages of the same kind, and collection, have the same.
type Place = usize;

/// A vector as it comes from the table.
pub(super) struct Loaded {
    pub(super) id: i64,
    pub(super) kind: String,
    /// Of a document.
    pub(super) collection: Option<String>,
    pub(super) vector: Vec<f32>,
}

/// Up to where vectors of a model are known: what is read from the table behind it counts only while it is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    /// How often everything was forgotten.
    generation: u64,
    /// The newest vector that was looked at; 0 if there is none.
    pub(super) last: i64,
}

/// The codes of the vectors of one model.
#[derive(Default)]
pub(crate) struct Codes {
    generation: u64,
    model: String,
    /// The newest vector that was looked at.
    last: i64,
    /// Vectors up to that one that have no code: they have other dimensions than the first.
    passed_over: usize,
    /// Words of 64 bits of one code.
    width: usize,
    ids: Vec<i64>,
    of: Vec<Place>,
    /// `width` words for each vector.
    bits: Vec<u64>,
    places: HashMap<(String, Option<String>), Place>,
}

impl fmt::Debug for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codes").field("count", &self.ids.len()).finish_non_exhaustive()
    }
}

impl Codes {
    /// Up to where vectors of this model are known.
    pub(super) fn known(&self, model: &str) -> Known {
        Known { generation: self.generation, last: if self.model == model { self.last } else { 0 } }
    }

    pub(super) const fn is_full(&self) -> bool {
        self.ids.len() >= MAX_CODES
    }

    /// Takes vectors in that were read behind `since`, in order. Those of another model go. Returns false, and takes
    /// nothing in, where `since` is not what is known any more: somebody else has loaded them meanwhile, or everything
    /// was forgotten, and what was read may be of a person who is forgotten too.
    pub(super) fn add(&mut self, model: &str, since: Known, vectors: Vec<Loaded>) -> bool {
        if self.known(model) != since {
            return false;
        }
        if self.model != model {
            *self = Self { generation: self.generation, model: model.to_owned(), ..Self::default() };
        }
        for Loaded { id, kind, collection, vector } in vectors {
            if self.is_full() {
                break;
            }
            let code = code(&vector);
            if self.ids.is_empty() {
                self.width = code.len();
            }
            self.last = id;
            if code.len() == self.width {
                let next = self.places.len();
                self.of.push(*self.places.entry((kind, collection)).or_insert(next));
                self.ids.push(id);
                self.bits.extend(code);
            } else {
                self.passed_over += 1;
            }
        }
        true
    }

    /// Forgets everything, also what is being read just now.
    pub(super) fn clear(&mut self) {
        *self = Self { generation: self.generation.wrapping_add(1), ..Self::default() };
    }

    /// The `most` vectors that look nearest, of the places that are wanted: their ids.
    pub(super) fn nearest(
        &self,
        model: &str,
        vector: &[f32],
        most: usize,
        is_wanted: impl Fn(&str, Option<&str>) -> bool,
    ) -> Vec<i64> {
        let wanted = code(vector);
        if self.model != model || wanted.len() != self.width || self.width == 0 || most == 0 {
            return Vec::new();
        }
        let mut places = vec![false; self.places.len()];
        for ((kind, collection), place) in &self.places {
            if let Some(wanted) = places.get_mut(*place) {
                *wanted = is_wanted(kind, collection.as_deref());
            }
        }
        // The farthest of the nearest is on top.
        let mut nearest = BinaryHeap::with_capacity(most + 1);
        for ((code, place), id) in self.bits.chunks_exact(self.width).zip(&self.of).zip(&self.ids) {
            if !places.get(*place).copied().unwrap_or_default() {
                continue;
            }
            let distance: u32 = code.iter().zip(&wanted).map(|(one, other)| (one ^ other).count_ones()).sum();
            if nearest.len() < most {
                nearest.push((distance, *id));
            } else if nearest.peek().is_some_and(|(farthest, _)| distance < *farthest) {
                nearest.pop();
                nearest.push((distance, *id));
            }
        }
        nearest.into_sorted_vec().into_iter().map(|(_, id)| id).collect()
    }

    /// Forgets vectors that are in the table no more.
    pub(super) fn forget(&mut self, gone: &HashSet<i64>) {
        let width = self.width;
        let stays: Vec<bool> = self.ids.iter().map(|id| !gone.contains(id)).collect();
        let mut flags = stays.iter();
        self.ids.retain(|_| *flags.next().unwrap_or(&true));
        let mut flags = stays.iter();
        self.of.retain(|_| *flags.next().unwrap_or(&true));
        let mut flags = stays.iter().flat_map(|stays| std::iter::repeat_n(stays, width));
        self.bits.retain(|_| *flags.next().unwrap_or(&true));
    }

    /// How many vectors of this model were taken in, up to the last that is known.
    pub(super) fn count(&self, model: &str) -> usize {
        if self.model == model { self.ids.len() + self.passed_over } else { 0 }
    }
}

/// A bit for each number that is above 0.
fn code(vector: &[f32]) -> Vec<u64> {
    let bit = |word: u64, number: &f32| (word << 1) | u64::from(*number > 0.0);
    vector.iter().take(MAX_BITS).collect::<Vec<_>>().chunks(64).map(|part| part.iter().copied().fold(0, bit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(id: i64, kind: &str, collection: Option<&str>, vector: &[f32]) -> Loaded {
        Loaded { id, kind: kind.into(), collection: collection.map(str::to_owned), vector: vector.to_vec() }
    }

    fn of_kind(wanted: &str) -> impl Fn(&str, Option<&str>) -> bool {
        move |kind, _| kind == wanted
    }

    #[test]
    fn what_looks_nearest_comes_first_of_what_is_wanted() {
        let mut codes = Codes::default();
        let added = codes.add(
            "m",
            codes.known("m"),
            vec![
                loaded(1, "document", Some("shop"), &[1.0, 1.0, 1.0]),
                loaded(2, "document", Some("bar"), &[1.0, -1.0, 1.0]),
                loaded(3, "transcript", None, &[1.0, 1.0, 1.0]),
                loaded(4, "document", Some("shop"), &[-1.0, -1.0, -1.0]),
            ],
        );
        assert!(added);
        assert_eq!((codes.known("m").last, codes.known("n").last, codes.count("m")), (4, 0, 4));
        let near = |most| codes.nearest("m", &[0.5, 0.5, 0.5], most, of_kind("document"));
        assert_eq!(near(9), [1, 2, 4]);
        assert_eq!(near(2), [1, 2]);
        assert!(near(0).is_empty());
        assert_eq!(codes.nearest("m", &[0.5; 3], 9, |_, of| of == Some("bar")), [2]);
        assert!(codes.nearest("n", &[0.5; 3], 9, of_kind("document")).is_empty());
        assert!(codes.nearest("m", &[0.5; 65], 9, of_kind("document")).is_empty());
    }

    #[test]
    fn what_is_gone_is_forgotten_and_another_model_begins_anew() {
        let mut codes = Codes::default();
        let vector = vec![1.0; 100];
        let nothing = codes.known("m");
        let all = || (1..=4).map(|id| loaded(id, "document", None, &vector)).collect();
        assert!(codes.add("m", nothing, all()));
        assert!(!codes.add("m", nothing, all()), "what is known is not taken in again");
        assert!(codes.add("m", codes.known("m"), vec![loaded(5, "document", None, &[1.0])]));
        assert_eq!((codes.count("m"), codes.ids.len()), (5, 4), "one is passed over");
        codes.forget(&HashSet::from([2, 3]));
        assert_eq!(codes.nearest("m", &vector, 9, of_kind("document")), [1, 4]);
        assert_eq!((codes.bits.len(), codes.of.len()), (4, 2));
        assert!(codes.add("n", codes.known("n"), vec![loaded(1, "document", None, &[1.0])]));
        assert_eq!((codes.count("m"), codes.count("n"), codes.known("n").last), (0, 1, 1));
        let before = codes.known("o");
        codes.clear();
        assert!(
            !codes.add("o", before, vec![loaded(1, "document", None, &[1.0])]),
            "what was read before is not added"
        );
        assert_eq!((codes.count("n"), codes.count("o")), (0, 0));
    }
}
