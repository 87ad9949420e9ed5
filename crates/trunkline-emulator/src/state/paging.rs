//! Pages of a list: a window over keys that only grow, so that a page stays where it is while the list changes.

use std::collections::BTreeMap;
use std::ops::Bound;

/// Which way a list runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Order {
    #[default]
    Ascending,
    Descending,
}

/// Where a page begins or ends, from its `PageToken`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// What comes after this key.
    After(u64),
    /// What comes before this key, up to it.
    Before(u64),
}

impl Cursor {
    /// The token as it stands in a URL.
    pub(crate) fn token(self) -> String {
        match self {
            Self::After(key) => format!("{AFTER}{key}"),
            Self::Before(key) => format!("{BEFORE}{key}"),
        }
    }

    pub(crate) fn parse(token: &str) -> Option<Self> {
        if let Some(key) = token.strip_prefix(AFTER) {
            key.parse().ok().map(Self::After)
        } else {
            token.strip_prefix(BEFORE)?.parse().ok().map(Self::Before)
        }
    }
}

/// One page, with the cursors of its neighbours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slice<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<Cursor>,
    pub(crate) previous: Option<Cursor>,
}

/// The page of at most `size` items at `cursor`. `pick` leaves out what the list does not show.
pub(crate) fn slice<'a, T, U>(
    map: &'a BTreeMap<u64, T>,
    order: Order,
    size: usize,
    cursor: Option<Cursor>,
    mut pick: impl FnMut(&'a T) -> Option<U>,
) -> Slice<U> {
    let backwards = matches!(cursor, Some(Cursor::Before(_)));
    let (from, to) = match (cursor, order) {
        (None, _) => (Bound::Unbounded, Bound::Unbounded),
        (Some(Cursor::After(key)), Order::Ascending) | (Some(Cursor::Before(key)), Order::Descending) => {
            (Bound::Excluded(key), Bound::Unbounded)
        }
        (Some(Cursor::After(key)), Order::Descending) | (Some(Cursor::Before(key)), Order::Ascending) => {
            (Bound::Unbounded, Bound::Excluded(key))
        }
    };
    let range = map.range((from, to));
    let mut found = {
        let mut keep = |(key, item): (&u64, &'a T)| pick(item).map(|picked| (*key, picked));
        // One more than the page tells whether there is another.
        let wanted = size.saturating_add(1);
        let upwards = (order == Order::Ascending) != backwards;
        if upwards {
            range.filter_map(&mut keep).take(wanted).collect::<Vec<_>>()
        } else {
            range.rev().filter_map(&mut keep).take(wanted).collect::<Vec<_>>()
        }
    };
    let more = found.len() > size;
    found.truncate(size);
    if backwards {
        found.reverse();
    }
    let first = found.first().map(|(key, _)| Cursor::Before(*key));
    let last = found.last().map(|(key, _)| Cursor::After(*key));
    let (next, previous) = match cursor {
        None => (last.filter(|_| more), None),
        Some(Cursor::After(_)) => (last.filter(|_| more), first),
        Some(Cursor::Before(_)) => (last, first.filter(|_| more)),
    };
    Slice { items: found.into_iter().map(|(_, item)| item).collect(), next, previous }
}

const AFTER: &str = "PA";
const BEFORE: &str = "PB";

#[cfg(test)]
mod tests {
    use super::*;

    fn list(keys: impl IntoIterator<Item = u64>) -> BTreeMap<u64, u64> {
        keys.into_iter().map(|key| (key, key)).collect()
    }

    fn all(map: &BTreeMap<u64, u64>, order: Order) -> Vec<Vec<u64>> {
        let mut pages = Vec::new();
        let mut cursor = None;
        loop {
            let page = slice(map, order, 2, cursor, |key| Some(*key));
            pages.push(page.items);
            cursor = page.next;
            if cursor.is_none() {
                return pages;
            }
        }
    }

    #[test]
    fn pages_follow_each_other_both_ways() {
        let map = list([1, 3, 4, 7, 9]);
        assert_eq!(all(&map, Order::Ascending), [vec![1, 3], vec![4, 7], vec![9]]);
        assert_eq!(all(&map, Order::Descending), [vec![9, 7], vec![4, 3], vec![1]]);
    }

    #[test]
    fn the_previous_page_is_the_one_before() {
        let map = list([1, 3, 4, 7, 9]);
        for order in [Order::Ascending, Order::Descending] {
            let first = slice(&map, order, 2, None, |key| Some(*key));
            let second = slice(&map, order, 2, first.next, |key| Some(*key));
            let back = slice(&map, order, 2, second.previous, |key| Some(*key));
            assert_eq!(back.items, first.items);
            assert_eq!(back.previous, None);
            assert_eq!(slice(&map, order, 2, back.next, |key| Some(*key)).items, second.items);
        }
    }

    #[test]
    fn an_exact_fit_and_an_empty_list_have_no_next_page() {
        assert_eq!(slice(&list([1, 2]), Order::Ascending, 2, None, |key| Some(*key)).next, None);
        let empty = slice(&list([]), Order::Ascending, 2, None, |key| Some(*key));
        assert_eq!((empty.items.len(), empty.next, empty.previous), (0, None, None));
    }

    #[test]
    fn what_is_left_out_takes_no_place() {
        let page = slice(&list(1..=9), Order::Ascending, 2, None, |key| (key % 3 == 0).then_some(*key));
        assert_eq!(page.items, [3, 6]);
        assert_eq!(page.next, Some(Cursor::After(6)));
    }

    #[test]
    fn tokens_go_both_ways() {
        for cursor in [Cursor::After(0), Cursor::Before(u64::MAX)] {
            assert_eq!(Cursor::parse(&cursor.token()), Some(cursor));
        }
        for token in ["", "PA", "PAx", "PC1", "1"] {
            assert_eq!(Cursor::parse(token), None, "{token}");
        }
    }
}
