//! Texts with `{names}` in them.

use std::collections::BTreeMap;

/// Replaces each `{name}` that `values` knows; what it does not know stays as it is.
pub(super) fn fill(template: &str, values: &BTreeMap<String, String>) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let known = after.split_once('}').and_then(|(name, behind)| values.get(name).map(|value| (value, behind)));
        if let Some((value, behind)) = known {
            filled.push_str(value);
            rest = behind;
        } else {
            filled.push('{');
            rest = after;
        }
    }
    filled.push_str(rest);
    filled
}

/// Whether something is left to read of `template` whatever its `{names}` are replaced by.
pub(super) fn has_words(template: &str) -> bool {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        if !before.trim().is_empty() {
            return true;
        }
        let Some((_, behind)) = after.split_once('}') else { return true };
        rest = behind;
    }
    !rest.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_are_filled_and_values_are_not_read_again() {
        let values = BTreeMap::from([("a".to_owned(), "{b}".to_owned()), ("b".to_owned(), "two".to_owned())]);
        assert_eq!(fill("{a} {b} {c} {", &values), "{b} two {c} {");
        assert_eq!(fill("", &values), "");
        assert_eq!(fill("{{b}}", &values), "{two}");
    }

    #[test]
    fn words_are_what_is_not_a_name() {
        for words in ["a", "{a} b", "a {b}", "{a} {", "{a}{b}."] {
            assert!(has_words(words), "{words:?}");
        }
        for blank in ["", " ", "{a}", " {a}\n{b} "] {
            assert!(!has_words(blank), "{blank:?}");
        }
    }
}
